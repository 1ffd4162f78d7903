// Package wire is a bus of serial ports in memory: an emulated modem plugs them in, a driver opens them.
// It behaves as the kernel's ports do where drivers depend on it (one opener at a time, bounded buffers,
// deadlines, the end of reads and writes at an unplug), and all its waits are channels and timers, so that
// a whole day of a modem passes in virtual time.
package wire

import (
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// Room is what a direction holds before a write waits, in bytes: as much as a pty of Linux.
const Room = 4096

// Bus holds the ports that are plugged in, by name. The zero value has none and is ready. Its methods
// may be called from any goroutine.
type Bus struct {
	mu    sync.Mutex // guards ports
	ports map[string]*Port
}

var _ serialport.Bus = (*Bus)(nil)

// Plug makes a port under name and returns the device's end. A port of the same name that is still there
// is replaced, and whoever has it open keeps a dead one.
func (b *Bus) Plug(name string) *Port {
	p := &Port{bus: b, name: name, toHost: newPipe(), toDevice: newPipe()}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ports == nil {
		b.ports = make(map[string]*Port)
	}
	b.ports[name] = p
	return p
}

// OpenCommand implements serialport.Bus.
func (b *Bus) OpenCommand(name string) (serialport.Port, error) { return b.open(name) }

// OpenAudio implements serialport.Bus.
func (b *Bus) OpenAudio(name string) (serialport.Stream, error) { return b.open(name) }

// open is what the kernel does for a driver of ours: one opener, and bytes of an earlier one dropped.
func (b *Bus) open(name string) (*end, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.ports[name]
	switch {
	case p == nil:
		return nil, serialport.ErrMissing
	case p.taken:
		return nil, serialport.ErrInUse
	}
	p.taken = true
	e := &end{port: p}
	p.hand(e)
	return e, nil
}

// Port is the device's end of one port: what it writes, the driver reads.
type Port struct {
	bus              *Bus
	name             string
	taken            bool // guarded by the bus's mutex
	toHost, toDevice *pipe
}

// Read returns what the driver wrote; io.EOF after Close.
func (p *Port) Read(b []byte) (int, error) { return p.toDevice.read(b, nil) }

// Write sends to the driver; it waits while nobody reads and Room is full.
func (p *Port) Write(b []byte) (int, error) { return p.toHost.write(b, nil) }

// SetReadDeadline bounds reads, one that waits already too.
func (p *Port) SetReadDeadline(t time.Time) error {
	p.toDevice.deadline(&p.toDevice.readBy, t)
	return nil
}

// SetWriteDeadline bounds writes, one that waits already too.
func (p *Port) SetWriteDeadline(t time.Time) error {
	p.toHost.deadline(&p.toHost.writeBy, t)
	return nil
}

func (p *Port) hand(e *end) {
	p.toHost.hand(e, &p.toHost.readBy)
	p.toDevice.hand(e, &p.toDevice.writeBy)
}

// Close is the unplug: the name goes, the driver's reads end and its writes fail.
func (p *Port) Close() error {
	p.bus.mu.Lock()
	if p.bus.ports[p.name] == p {
		delete(p.bus.ports, p.name)
	}
	p.bus.mu.Unlock()
	p.toDevice.end() // first: who has seen the end of its reads finds that its writes fail
	p.toHost.end()
	return nil
}

// end is the driver's end.
type end struct {
	port   *Port
	closed sync.Once
}

// Read returns at least one byte, os.ErrDeadlineExceeded, serialport.ErrClosed, or io.EOF after an unplug.
func (e *end) Read(b []byte) (int, error) { return e.port.toHost.read(b, e) }

// Write returns how many bytes the port took; fewer than len(b) comes with an error.
func (e *end) Write(b []byte) (int, error) { return e.port.toDevice.write(b, e) }

// SetReadDeadline bounds reads.
func (e *end) SetReadDeadline(t time.Time) error {
	e.port.toHost.deadline(&e.port.toHost.readBy, t)
	return nil
}

// SetWriteDeadline bounds writes.
func (e *end) SetWriteDeadline(t time.Time) error {
	e.port.toDevice.deadline(&e.port.toDevice.writeBy, t)
	return nil
}

// Close ends the driver's reads and writes and frees the port for the next opener.
func (e *end) Close() error {
	e.closed.Do(func() {
		e.port.hand(nil)
		e.port.bus.mu.Lock()
		e.port.taken = false
		e.port.bus.mu.Unlock()
	})
	return nil
}
