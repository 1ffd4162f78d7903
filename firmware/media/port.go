package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrNoPorts says that every RTP port pair is in use, by us or by another program.
var ErrNoPorts = errors.New("no free RTP port pair")

// SocketKeeper holds duplicates of our sockets while the process restarts (systemd's FDSTORE
// protocol); a nil keeper means that sockets die with the process.
type SocketKeeper interface {
	// Take returns a socket kept by that name, once.
	Take(name string) (*os.File, bool)
	// Keep hands a duplicate of s to the supervisor.
	Keep(name string, s syscall.Conn) error
	// Drop tells the supervisor to forget the name.
	Drop(name string)
}

// portPool hands out even RTP ports; the odd port above each belongs to RTCP (RFC 3550 section
// 11). Ports come in shuffled order, so that the next one cannot be guessed, and rest after use,
// so that late packets of an old call do not enter a new one.
type portPool struct {
	mu      sync.Mutex
	free    []uint16
	resting []restingPort // ordered by until
	rest    time.Duration
}

type restingPort struct {
	port  uint16
	until time.Time
}

// newPortPool makes a pool of the pairs that lie wholly inside first..last.
func newPortPool(first, last int, rest time.Duration) (*portPool, error) {
	if first < 1 || last > 65535 || first > last {
		return nil, fmt.Errorf("RTP port range %d-%d is not inside 1-65535", first, last)
	}
	p := &portPool{rest: rest}
	for port := first + first%2; port+1 <= last; port += 2 {
		p.free = append(p.free, uint16(port))
	}
	if len(p.free) == 0 {
		return nil, fmt.Errorf("RTP port range %d-%d holds no pair", first, last)
	}
	rand.Shuffle(len(p.free), func(i, j int) { p.free[i], p.free[j] = p.free[j], p.free[i] })
	return p, nil
}

// take returns the next even port, or false when all are in use. When none is free at now, the one
// that has rested longest is used: a late packet of an old call, which the source lock keeps out,
// is a smaller harm than a caller turned away.
func (p *portPool) take(now time.Time) (uint16, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rested(now)
	if len(p.free) == 0 && len(p.resting) > 0 {
		port := p.resting[0].port
		p.resting = p.resting[1:]
		return port, true
	}
	if len(p.free) == 0 {
		return 0, false
	}
	port := p.free[0]
	p.free = p.free[1:]
	return port, true
}

// rested frees the ports whose rest is over.
func (p *portPool) rested(now time.Time) {
	for len(p.resting) > 0 && !p.resting[0].until.After(now) {
		p.free = append(p.free, p.resting[0].port)
		p.resting = p.resting[1:]
	}
}

// claim removes one given port from the pool: a restored leg comes back with the port it had.
func (p *portPool) claim(port uint16, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rested(now)
	for i, f := range p.free {
		if f == port {
			p.free = append(p.free[:i], p.free[i+1:]...)
			return true
		}
	}
	return false
}

// release gives a port back; it is used again after the rest time.
func (p *portPool) release(port uint16, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = append(p.resting, restingPort{port, now.Add(p.rest)})
}

// size counts the pairs that are free or resting.
func (p *portPool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free) + len(p.resting)
}
