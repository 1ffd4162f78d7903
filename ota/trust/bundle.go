package trust

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Limits of a bundle.
const (
	maxEntries   = 1024
	maxDirectory = 256 << 10 // bytes of its table of contents
	maxBundle    = 2 << 30   // bytes
)

// endLength is that of a zip file's last record when it carries no comment (APPNOTE 6.3, section 4.3.16).
const endLength = 22

// Bundle opens a bundle of releases: a zip file in which nothing is compressed, with the tree of a repository. What it
// holds is as little believed as what a server sends; what can go wrong is ErrMedium. The library that reads it makes
// its table before anybody sees how large that is, so its last record is judged first.
func Bundle(r io.ReaderAt, size int64) (Files, error) {
	if err := judgeEnd(r, size); err != nil {
		return Files{}, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Files{}, fmt.Errorf("%w: %w", ErrMedium, err)
	}
	seen := map[string]bool{}
	for _, f := range z.File {
		top, _, _ := strings.Cut(f.Name, "/")
		directory := strings.HasSuffix(f.Name, "/")
		switch {
		case !fs.ValidPath(strings.TrimSuffix(f.Name, "/")) || top != "metadata" && top != "targets" && top != "parts":
			return Files{}, fmt.Errorf("%w: it holds %q", ErrMedium, f.Name)
		case seen[f.Name]:
			return Files{}, fmt.Errorf("%w: it holds %q twice", ErrMedium, f.Name)
		case directory:
		case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 || f.UncompressedSize64 > uint64(size):
			return Files{}, fmt.Errorf("%w: %q is compressed", ErrMedium, f.Name)
		}
		seen[f.Name] = true
	}
	return Files{z}, nil
}

// judgeEnd looks at the last record of a zip file: how many files it has, and how large the table of them is.
func judgeEnd(r io.ReaderAt, size int64) error {
	if size < endLength || size > maxBundle {
		return fmt.Errorf("%w: %d bytes", ErrMedium, size)
	}
	var end [endLength]byte
	if _, err := r.ReadAt(end[:], size-endLength); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrMedium, err)
	}
	if string(end[:4]) != "PK\x05\x06" || binary.LittleEndian.Uint16(end[20:]) != 0 {
		return fmt.Errorf("%w: no zip file ends like that", ErrMedium)
	}
	entries, table := binary.LittleEndian.Uint16(end[10:]), binary.LittleEndian.Uint32(end[12:])
	if entries == 0 || entries > maxEntries || table > maxDirectory {
		return fmt.Errorf("%w: %d files, in a table of %d bytes", ErrMedium, entries, table)
	}
	return nil
}
