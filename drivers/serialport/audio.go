package serialport

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Audio is a port of raw samples with read and write deadlines. Read and Write may run at the same
// time, each from one goroutine; Close ends both.
type Audio struct {
	file   *os.File
	closed atomic.Bool
}

// OpenAudio opens the audio port at path. Errors are ErrMissing, ErrInUse or the kernel's.
func OpenAudio(path string) (*Audio, error) {
	f, err := openNode(path)
	if err != nil {
		return nil, err
	}
	return &Audio{file: f}, nil
}

// Read returns at least one byte, os.ErrDeadlineExceeded, ErrClosed, or the kernel's error after an unplug.
func (a *Audio) Read(p []byte) (int, error) {
	n, err := a.file.Read(p)
	return n, a.translate(err)
}

// Write returns how many bytes the port took; fewer than len(p) comes with an error.
func (a *Audio) Write(p []byte) (int, error) {
	n, err := a.file.Write(p)
	return n, a.translate(err)
}

// SetReadDeadline bounds all later reads.
func (a *Audio) SetReadDeadline(t time.Time) error { return a.file.SetReadDeadline(t) }

// SetWriteDeadline bounds all later writes.
func (a *Audio) SetWriteDeadline(t time.Time) error { return a.file.SetWriteDeadline(t) }

// Close releases the port. It returns after closePatience at the latest.
func (a *Audio) Close() error {
	if a.closed.Swap(true) {
		return nil
	}
	return closeBounded(a.file)
}

func (a *Audio) translate(err error) error {
	if err != nil && (a.closed.Load() || errors.Is(err, os.ErrClosed)) {
		return ErrClosed
	}
	return err
}
