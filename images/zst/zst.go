// Package zst compresses an initramfs. A box that gets only what is new of it makes the rest again from what it has, and
// the whole must come out bit by bit: so who builds an image and who updates a box compress by this package alone.
package zst

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Name says all that decides which bytes come out. Another version of the library may compress otherwise.
const Name = "klauspost/compress v1.19.2 best"

// NewWriter compresses what is written, which has to be size bytes. One block after the other, so that the same input
// gives the same bytes on any number of processors and by writes of any length. Closing it ends the frame, not w.
func NewWriter(w io.Writer, size int64) (io.WriteCloser, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	e.ResetContentSize(w, size)
	return e, nil
}
