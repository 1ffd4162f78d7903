package serialport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// selectLimit is FD_SETSIZE: go.bug.st/serial waits with select(2) and panics on a higher descriptor.
const selectLimit = 1024

// readTick bounds one wait inside Read, so that Close can wait until no Read is left before it releases
// the descriptor. go.bug.st/serial closes first and wakes readers second; a number reused in between
// would let a reader steal bytes of another socket.
const readTick = 100 * time.Millisecond

// reader is the part of a serial.Port that Command uses.
type reader interface {
	Read([]byte) (int, error)
	SetDTR(bool) error
	SetRTS(bool) error
	Close() error
}

// Command is a port that speaks AT commands. One goroutine may read while another writes.
type Command struct {
	node   *os.File // holds the lock, and writes with a deadline
	lib    reader   // nil where select(2) cannot reach the descriptor; node reads then
	closed atomic.Bool
	active sync.RWMutex // read-held during Read; Close takes it to know that no Read is left
}

// OpenCommand opens the AT port at path at the given speed in baud (USB modems ignore it). Errors are
// ErrMissing, ErrInUse or the kernel's.
func OpenCommand(path string, baud int) (*Command, error) {
	node, err := openNode(path)
	if err != nil {
		return nil, err
	}
	c := &Command{node: node}
	if !belowSelectLimit() {
		return c, nil
	}
	// Exclusive access was taken on this node already; root passes, others must not be locked out by us.
	if err := allowSecondOpen(node, true); err != nil {
		_ = node.Close()
		return nil, fmt.Errorf("open port %s: %w", path, err)
	}
	// InitialStatusBits stays nil: a pty has no control lines and the library would refuse it.
	lib, err := serial.Open(path, &serial.Mode{BaudRate: baud})
	if err != nil {
		_ = node.Close()
		return nil, fmt.Errorf("open port %s: %w", path, libraryError(err))
	}
	if err := lib.SetReadTimeout(readTick); err != nil {
		_, _ = lib.Close(), node.Close()
		return nil, fmt.Errorf("open port %s: %w", path, err)
	}
	c.lib = lib
	return c, nil
}

// allowSecondOpen gives up TIOCEXCL for the moment in which the library opens the same node; the
// library takes it again, and the lock keeps others out meanwhile.
func allowSecondOpen(node *os.File, allow bool) error {
	raw, err := node.SyscallConn()
	if err != nil {
		return err
	}
	req := uint(unix.TIOCEXCL)
	if allow {
		req = unix.TIOCNXCL
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.IoctlSetInt(int(fd), req, 0) }); err != nil {
		return err
	}
	if inner != nil && !absent(inner) {
		return inner
	}
	return nil
}

// belowSelectLimit reports whether the descriptors that the library is about to open (a node and a pipe)
// will be small enough, by opening as many.
func belowSelectLimit() bool {
	var probe [4]int
	fits, opened := true, 0
	for i := range probe {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			fits = false
			break
		}
		probe[i], opened = fd, i+1
		fits = fits && fd < selectLimit
	}
	for _, fd := range probe[:opened] {
		_ = unix.Close(fd)
	}
	return fits
}

func libraryError(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) {
		switch pe.Code() {
		case serial.PortBusy:
			return ErrInUse
		case serial.PortNotFound:
			return ErrMissing
		}
	}
	return err
}

// Read returns at least one byte, ErrClosed after our Close, or io.EOF when the device is gone.
func (c *Command) Read(p []byte) (int, error) {
	c.active.RLock()
	defer c.active.RUnlock()
	for !c.closed.Load() {
		n, err := c.readOnce(p)
		if n > 0 {
			return n, nil
		}
		if c.closed.Load() {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("read port: %w", err)
		}
	}
	return 0, ErrClosed
}

func (c *Command) readOnce(p []byte) (int, error) {
	if c.lib != nil {
		n, err := c.lib.Read(p) // (0, nil) is the timeout
		var pe *serial.PortError
		if errors.As(err, &pe) {
			return n, io.EOF // an unplug has the same code as a close of our own
		}
		return n, err
	}
	if err := c.node.SetReadDeadline(time.Now().Add(readTick)); err != nil {
		return 0, err
	}
	n, err := c.node.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// Write returns how many bytes the port took; fewer than len(p) comes with an error.
func (c *Command) Write(p []byte) (int, error) {
	n, err := c.node.Write(p)
	if err != nil && c.closed.Load() {
		err = ErrClosed
	}
	return n, err
}

// SetWriteDeadline bounds all later writes.
func (c *Command) SetWriteDeadline(t time.Time) error { return c.node.SetWriteDeadline(t) }

// SetDTR raises or drops Data Terminal Ready; ErrNotAvailable where the port has none.
func (c *Command) SetDTR(on bool) error { return c.control(on, reader.SetDTR) }

// SetRTS raises or drops Request To Send; ErrNotAvailable where the port has none.
func (c *Command) SetRTS(on bool) error { return c.control(on, reader.SetRTS) }

func (c *Command) control(on bool, set func(reader, bool) error) error {
	if c.lib == nil {
		return ErrNotAvailable
	}
	err := set(c.lib, on)
	if err != nil && absent(err) {
		return ErrNotAvailable
	}
	return err
}

// Close ends Read and Write and releases the port, in bounded time even on a port with unsent bytes.
func (c *Command) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	_ = c.node.SetDeadline(time.Unix(1, 0)) // wakes a Write, and a Read without the library
	c.active.Lock()
	defer c.active.Unlock()
	return closeBounded(closers{c.lib, c.node})
}

// closers closes the library's descriptor before the one that holds the lock.
type closers struct {
	lib  reader
	node *os.File
}

// Close returns the first error of the two.
func (c closers) Close() error {
	var first error
	if c.lib != nil {
		first = c.lib.Close()
	}
	return errors.Join(first, c.node.Close())
}
