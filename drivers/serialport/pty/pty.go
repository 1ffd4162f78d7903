// Package pty opens pseudo-terminals, the serial ports of emulated modems, without cgo.
package pty

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Pty is one pseudo-terminal. The holder is the modem: what it writes, the program that opened Name reads.
type Pty struct {
	master *os.File
	slave  *os.File // held open, so that reads of the master wait for a next opener instead of failing
	name   string
}

// Open creates a pseudo-terminal in raw mode.
func Open() (*Pty, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/ptmx: %w", err)
	}
	p, err := unlock(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	p.master = os.NewFile(uintptr(fd), "/dev/ptmx")
	return p, nil
}

func unlock(fd int) (*Pty, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("unlock the pty: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("ask for the pty's number: %w", err)
	}
	name := filepath.Join("/dev/pts", strconv.Itoa(n))
	slave, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	t, err := unix.IoctlGetTermios(slave, unix.TCGETS)
	if err == nil {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		err = unix.IoctlSetTermios(slave, unix.TCSETS, t)
	}
	if err != nil {
		_ = unix.Close(slave)
		return nil, fmt.Errorf("make %s raw: %w", name, err)
	}
	return &Pty{slave: os.NewFile(uintptr(slave), name), name: name}, nil
}

// Name is the device node that the other program opens.
func (p *Pty) Name() string { return p.name }

// Read returns what the other program wrote.
func (p *Pty) Read(b []byte) (int, error) { return p.master.Read(b) }

// Write sends to the other program; it waits while nobody reads and the kernel's 4 KB are full.
func (p *Pty) Write(b []byte) (int, error) { return p.master.Write(b) }

// SetReadDeadline bounds later reads.
func (p *Pty) SetReadDeadline(t time.Time) error { return p.master.SetReadDeadline(t) }

// SetWriteDeadline bounds later writes.
func (p *Pty) SetWriteDeadline(t time.Time) error { return p.master.SetWriteDeadline(t) }

// Close is the unplug: the other program's reads end and its writes fail.
func (p *Pty) Close() error {
	err := p.master.Close()
	if e := p.slave.Close(); err == nil {
		err = e
	}
	return err
}

// Publish points the symbolic link at path to the pty, replacing an earlier link in one step, so that
// a program which looks never finds half a name.
func (p *Pty) Publish(path string) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("publish pty: %w", err)
	}
	if err := os.Symlink(p.name, tmp); err != nil {
		return fmt.Errorf("publish pty: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("publish pty: %w", err)
	}
	return nil
}
