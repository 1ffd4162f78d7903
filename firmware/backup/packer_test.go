package backup

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"testing"
)

// packer writes backups by hand, wrong ones too.
type packer struct {
	sealed io.WriteCloser
	packed *gzip.Writer
	tar    *tar.Writer
}

func newPacker(sealed io.WriteCloser) packer {
	packed := gzip.NewWriter(sealed)
	return packer{sealed, packed, tar.NewWriter(packed)}
}

func (p packer) file(t *testing.T, name, body string) {
	t.Helper()
	if err := p.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(p.tar, body); err != nil {
		t.Fatal(err)
	}
}

func (p packer) close(t *testing.T) {
	t.Helper()
	for _, c := range []io.Closer{p.tar, p.packed, p.sealed} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
