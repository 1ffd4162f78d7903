package reinstall

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// How a broken connection is gone on with.
const (
	progress = 256 << 10 // bytes: with so many a connection has not been in vain
	most     = 5         // connections in vain, one after the other
	pause    = 2 * time.Second
)

// steady is a blob of a source. Where that breaks off it goes on from there.
type steady struct {
	ctx    context.Context //nolint:containedctx // a reader has none, and this one lives as long as a try
	source Source
	blob   release.Blob
	local  bool

	at   int64
	from io.ReadCloser // nil: it has to be opened
	came int64         // since it was opened
	vain int
}

// Read implements io.Reader.
func (s *steady) Read(b []byte) (int, error) {
	for {
		n, err := s.read(b)
		switch {
		case n > 0:
			return n, nil // an error comes again
		case err == nil || errors.Is(err, io.EOF) && s.at == s.blob.Size:
			return n, err
		case s.ctx.Err() != nil:
			return 0, s.ctx.Err()
		}
		s.close()
		if s.local {
			return 0, &install.Failure{Code: slot.CodeBundle, Err: err}
		}
		if s.vain++; s.came >= progress {
			s.vain = 0
		}
		if s.came = 0; s.vain > most {
			return 0, &install.Failure{Code: slot.CodeNetwork, Err: err}
		}
		select {
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		case <-time.After(pause << s.vain):
		}
	}
}

func (s *steady) read(b []byte) (n int, err error) {
	if s.at >= s.blob.Size {
		return 0, io.EOF
	}
	if s.from == nil {
		if s.from, err = s.source.Open(s.ctx, s.blob, s.at); err != nil {
			s.from = nil
			return 0, err
		}
	}
	n, err = s.from.Read(b)
	s.at, s.came = s.at+int64(n), s.came+int64(n)
	if errors.Is(err, io.EOF) && s.at < s.blob.Size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// close lets go of what is open.
func (s *steady) close() {
	if s.from != nil {
		_ = s.from.Close() // it was read only
		s.from = nil
	}
}
