package install

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/ota/slot"
)

// window is how much memory the vendor's packing may ask for, in bytes.
const window = 16 << 20

// unpacker tells damage from a disk that fails.
type unpacker struct {
	*zstd.Decoder
	failed error // of what is read
	from   io.Reader
}

// Unpack reads packed content. It takes memory for one window, however long the content is. Who opens it closes it.
func Unpack(packed io.Reader) (io.ReadCloser, error) {
	u := &unpacker{from: bufio.NewReaderSize(packed, piece)}
	d, err := zstd.NewReader(readerFunc(u.read), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(2<<30))
	if err != nil {
		return nil, fail(slot.CodeHash, err)
	}
	u.Decoder = d
	return u, nil
}

func (u *unpacker) read(b []byte) (int, error) {
	n, err := u.from.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		u.failed = err
	}
	return n, err
}

type readerFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Read implements io.Reader: damage is the failure hash, a disk that cannot be read the failure disk.
func (u *unpacker) Read(b []byte) (int, error) {
	n, err := u.Decoder.Read(b)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case u.failed != nil:
		return n, fail(slot.CodeDisk, u.failed)
	default:
		return n, fail(slot.CodeHash, err)
	}
}

// Close implements io.Closer.
func (u *unpacker) Close() error {
	u.Decoder.Close()
	return nil
}
