package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrBlob is returned where bytes are not those that a manifest names.
var ErrBlob = errors.New("not the file that the release names")

// Verify passes r through. Where r ends it says whether the whole was b: ErrBlob instead of io.EOF if it was not, and
// as soon as more than its size has come. Whoever resumes puts what there is already before what comes.
func (b Blob) Verify(r io.Reader) io.Reader { return &verifier{of: b, from: r, sum: sha256.New()} }

type verifier struct {
	of   Blob
	from io.Reader
	sum  hash.Hash
	n    int64
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	v.n += int64(n)
	if v.n > v.of.Size {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrBlob, v.of.Size)
	}
	v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if v.n < v.of.Size {
			return n, fmt.Errorf("%w: %d of %d bytes: %w", ErrBlob, v.n, v.of.Size, io.ErrUnexpectedEOF)
		}
		if got := hex.EncodeToString(v.sum.Sum(nil)); got != v.of.SHA256 {
			return n, fmt.Errorf("%w: SHA-256 %s, not %s", ErrBlob, got, v.of.SHA256)
		}
	}
	return n, err
}
