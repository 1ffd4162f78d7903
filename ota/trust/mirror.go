package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Mirror is a tree of files: metadata/, targets/ and parts/ of a repository. Nothing in it is believed.
type Mirror interface {
	// Open reads a file from offset on. A missing one is fs.ErrNotExist; other errors are ErrUnreachable. Reading
	// ends when ctx does.
	Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error)
}

var errAbsent = fs.ErrNotExist

// Files is the mirror that lies in a file system: a stick, a bundle.
type Files struct{ FS fs.FS }

// Open implements Mirror.
func (m Files) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := m.FS.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if err := skip(f, offset); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrUnreachable, name, err), f.Close())
	}
	return f, nil
}

// skip passes over the first bytes of a file, by seeking where that is possible.
func skip(r io.Reader, offset int64) error {
	if offset == 0 {
		return nil
	}
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(offset, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, offset)
	return err
}
