package stack

import (
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	// mtuPolicy is the size above which RFC 3261 section 18.1.1 wants a request to go by TCP: a UDP
	// packet of that size may be cut in fragments, which many a router drops.
	mtuPolicy = 1300
	// connectWithin is how long a connection for a long request may take to open before UDP is used.
	connectWithin = 2 * time.Second
	// noTCPFor is how long it is believed that a peer speaks no TCP.
	noTCPFor   = time.Hour
	maxWithout = 1024
)

// withoutTCP remembers the peers that did not take a connection.
type withoutTCP struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

func (w *withoutTCP) has(remote netip.AddrPort) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.until[remote])
}

func (w *withoutTCP) note(remote netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.until == nil || len(w.until) >= maxWithout {
		w.until = make(map[netip.AddrPort]time.Time)
	}
	w.until[remote] = time.Now().Add(noTCPFor)
}

// byTCP is the flow that a long request to a UDP flow takes instead, if it may try.
func (s *Stack) byTCP(to Flow, size int) (Flow, bool) {
	if to.Transport != "udp" || size <= mtuPolicy || s.withoutTCP.has(to.Remote) {
		return to, false
	}
	return s.flowTo("tcp", to.Remote), true
}

// tryTCP sends a request over TCP when the peer takes a connection in time, else over UDP. Nothing
// leaves before that is known, so that the peer never sees the request twice.
func (s *Stack) tryTCP(req *sip.Request, udp, tcp Flow, leaves func(*sip.Request), sink func(Result)) (*ClientTx, error) {
	branch, _ := req.Via().Params.Get("branch")
	return s.newClientTx(req, udp, sink, func(tx *ClientTx) {
		decided := false
		decide := func(up bool) { // on the shard, as an alarm
			if decided {
				return
			}
			decided = true
			way := udp
			if up {
				way = tcp
			} else {
				s.withoutTCP.note(udp.Remote)
			}
			sent := tx.Request().Clone() // somebody may be reading the other
			s.finishRequest(sent, way, branch)
			leaves(sent)
			tx.sh.mu.Lock()
			defer tx.sh.mu.Unlock()
			tx.start(sent, way, wire(sent))
		}
		tx.sh.alarms.set(connectWithin, func() { decide(false) })
		s.whenUp(tcp, func(up bool) { tx.sh.alarms.set(0, func() { decide(up) }) })
	})
}

// whenUp calls fn, from any goroutine, when the connection of a flow stands or cannot be had.
func (s *Stack) whenUp(f Flow, fn func(up bool)) {
	c := s.connOf(f)
	if c == nil {
		c = s.dial(f)
	}
	if c == nil {
		fn(false)
		return
	}
	c.mu.Lock()
	if !c.up && !c.closed {
		c.waiting = append(c.waiting, fn)
		c.mu.Unlock()
		return
	}
	up := !c.closed
	c.mu.Unlock()
	fn(up)
}

// tell answers who waits in whenUp.
func (c *streamConn) tell(up bool) {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, fn := range waiting {
		fn(up)
	}
}
