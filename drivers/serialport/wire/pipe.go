package wire

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// pipe is one direction of a port.
type pipe struct {
	mu              sync.Mutex
	held            []byte
	ended           bool
	host            *end // whose driver's end it is now; nil = nobody has the port open
	readBy, writeBy time.Time
	moved           chan struct{} // closed and made anew at each change of the above, for those who wait
}

func newPipe() *pipe { return &pipe{moved: make(chan struct{}), held: make([]byte, 0, Room)} }

// wake tells everybody who waits; mu is held.
func (p *pipe) wake() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// read serves the driver when host is not nil, the device otherwise.
func (p *pipe) read(b []byte, host *end) (int, error) {
	p.mu.Lock()
	for {
		switch {
		case host != nil && p.host != host:
			p.mu.Unlock()
			return 0, serialport.ErrClosed
		case p.ended:
			p.mu.Unlock()
			return 0, io.EOF
		case expired(p.readBy):
			p.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(p.held) > 0:
			n := copy(b, p.held)
			p.held = p.held[:copy(p.held, p.held[n:])]
			p.wake()
			p.mu.Unlock()
			return n, nil
		}
		p.wait(p.readBy)
	}
}

// write serves the driver when host is not nil, the device otherwise.
func (p *pipe) write(b []byte, host *end) (int, error) {
	p.mu.Lock()
	done := 0
	for {
		if host != nil && p.host != host {
			p.mu.Unlock()
			return done, serialport.ErrClosed
		}
		if p.ended {
			p.mu.Unlock()
			return done, io.ErrClosedPipe
		}
		if n := min(len(b)-done, Room-len(p.held)); n > 0 {
			p.held = append(p.held, b[done:done+n]...)
			done += n
			p.wake()
		}
		if done == len(b) {
			p.mu.Unlock()
			return done, nil
		}
		if expired(p.writeBy) {
			p.mu.Unlock()
			return done, os.ErrDeadlineExceeded
		}
		p.wait(p.writeBy)
	}
}

// wait sleeps until something has moved or by has come; mu is held before and after.
func (p *pipe) wait(by time.Time) {
	moved := p.moved
	p.mu.Unlock()
	defer p.mu.Lock()
	if by.IsZero() {
		<-moved
		return
	}
	t := time.NewTimer(time.Until(by))
	defer t.Stop()
	select {
	case <-moved:
	case <-t.C:
	}
}

func expired(by time.Time) bool { return !by.IsZero() && !time.Now().Before(by) }

func (p *pipe) deadline(which *time.Time, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*which = t
	p.wake()
}

// hand gives the driver's side to host, nil for nobody, and drops what the one before left.
func (p *pipe) hand(host *end, deadline *time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host, p.held, *deadline = host, p.held[:0], time.Time{}
	p.wake()
}

func (p *pipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.held = true, p.held[:0]
	p.wake()
}
