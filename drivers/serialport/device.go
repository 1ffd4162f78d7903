package serialport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Errors that callers decide on.
var (
	// ErrInUse means that another program holds the port.
	ErrInUse = errors.New("the port is in use by another program")
	// ErrMissing means that the device node does not exist: the modem is not plugged in.
	ErrMissing = errors.New("the port does not exist")
	// ErrNotAvailable means that the port has no such control line: a pty, or a device that stalls the request.
	ErrNotAvailable = errors.New("the port has no such control line")
	// ErrClosed is what a Read or a Write returns after our own Close.
	ErrClosed = errors.New("the port was closed")
)

// Port is what a modem engine needs of a serial port. A tty, a pty and an in-memory pipe satisfy it.
type Port interface {
	io.ReadWriteCloser
	// SetWriteDeadline bounds all later writes, as net.Conn does; a write that runs into it returns
	// an error that is os.ErrDeadlineExceeded and the count of bytes that the port took.
	SetWriteDeadline(time.Time) error
}

// ControlLines are the modem control lines that real serial ports have. Both methods return
// ErrNotAvailable where the port has none.
type ControlLines interface {
	SetDTR(on bool) error
	SetRTS(on bool) error
}

// closePatience bounds a close. Without CAP_SYS_ADMIN the kernel keeps its own closing_wait of 30 s on
// a port with unsent bytes (drivers/usb/serial), and one stalled port must not hold up a call's end.
const closePatience = 2 * time.Second

// openNode opens path in Go's poller, locked for this process, in raw mode, and so that a later close
// does not wait for unsent bytes.
func openNode(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	// TIOCEXCL does not keep root out, an advisory lock keeps every well-behaved program out.
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open port %s: %w", path, ErrInUse)
	}
	if err := prepare(fd); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open port %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("open port %s: %w", path, ErrInUse)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EIO):
		return fmt.Errorf("open port %s: %w", path, ErrMissing)
	default:
		return fmt.Errorf("open port %s: %w", path, err)
	}
}

// prepare makes fd raw and exclusive, drops what an earlier program left unread, and tells the kernel
// not to wait at close.
func prepare(fd int) error {
	if err := makeRaw(fd); err != nil {
		return fmt.Errorf("set raw mode: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil && !absent(err) {
		return fmt.Errorf("take the port for us: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil && !absent(err) {
		return fmt.Errorf("drop old bytes: %w", err)
	}
	if err := closeWithoutWaiting(fd); err != nil && !absent(err) && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("set closing_wait: %w", err)
	}
	return nil
}

// absent reports that the port does not know the request: a pty answers ENOTTY, a USB device that
// stalls the control transfer answers EPIPE.
func absent(err error) bool {
	return errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPIPE)
}

// makeRaw is cfmakeraw(3) with 8N1, receiver on, modem control lines ignored and 115,200 baud, which
// USB modems ignore and UART modems expect.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF | unix.IXANY
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD
	t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// serialStruct is struct serial_struct of linux/serial.h in the C layout of the running architecture.
type serialStruct struct {
	kind, line        int32
	port              uint32
	irq, flags        int32
	xmitFIFO, divisor int32
	baudBase          int32
	closeDelay        uint16
	ioType, reserved  uint8
	hub6              int32
	closingWait       uint16
	closingWait2      uint16
	iomemBase         uintptr
	iomemRegShift     uint16
	portHigh          uint32
	iomapBase         uintptr
}

// closingWaitNone is ASYNC_CLOSING_WAIT_NONE of linux/tty_flags.h.
const closingWaitNone = 0xFFFF

// closeWithoutWaiting sets closing_wait to none. It needs CAP_SYS_ADMIN on usb-serial; TCOFLUSH does
// not replace it, because the bytes in question are already in the USB layer.
func closeWithoutWaiting(fd int) error {
	var s serialStruct
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGSERIAL, uintptr(unsafe.Pointer(&s))); e != 0 {
		return e
	}
	s.closingWait = closingWaitNone
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSSERIAL, uintptr(unsafe.Pointer(&s))); e != 0 {
		return e
	}
	return nil
}

// closeBounded closes c and stops waiting after closePatience. The goroutine that is left behind then
// ends with the kernel's own wait (30 s); this is the one place that does not wait for what it started.
func closeBounded(c io.Closer) error {
	done := make(chan error, 1)
	go func() { done <- c.Close() }()
	t := time.NewTimer(closePatience)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("close port: %w", os.ErrDeadlineExceeded)
	}
}
