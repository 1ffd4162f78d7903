package stack

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// KeepAlive says how a flow is kept open in the translators and firewalls on its way.
type KeepAlive struct {
	// Every is the longest time between two; each comes a little earlier, by chance (RFC 5626
	// section 4.4.1). Translators forget UDP after 30 s and TCP after minutes: 25 s and 2 min fit most.
	Every time.Duration
	// STUN asks the peer itself by STUN over UDP (RFC 5626 section 4.4.2), and so learns when our
	// public address changes; a peer that does not know STUN leaves a flow for lost. Otherwise line
	// ends are sent, which every peer ignores.
	STUN bool
	// Answered says that the peer has promised to answer a ping over TCP or TLS (RFC 5626, RFC 6223).
	// Without, its answer is demanded from the first one on that it gave.
	Answered bool
}

// KeepAlive keeps a flow open until stop is called. lost is called once, on a shard, when the peer
// answers no more, or the connection is gone; a connection that answers no more is closed. It never
// opens a connection.
func (s *Stack) KeepAlive(f Flow, k KeepAlive, lost func()) (stop func()) {
	b := &beat{s: s, f: f, k: k, lost: lost, key: "keep-alive " + f.Transport + f.Remote.String()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait(b.pause(), b.tick)
	return b.stop
}

// beat is one KeepAlive that runs.
type beat struct {
	s    *Stack
	f    Flow
	k    KeepAlive
	lost func()
	key  string

	mu     sync.Mutex
	over   bool
	alarms []func() // what runs, to be stopped
	missed int
}

func (b *beat) pause() time.Duration {
	return b.k.Every*4/5 + rand.N(b.k.Every/5+1)
}

// wait runs fn on the shard unless the beat is over by then; mu is held.
func (b *beat) wait(d time.Duration, fn func()) {
	stop := b.s.After(b.key, d, func() {
		b.mu.Lock()
		over := b.over
		b.mu.Unlock()
		if !over {
			fn()
		}
	})
	b.alarms = append(b.alarms[:max(0, len(b.alarms)-2)], stop) // a tick and a wait for its answer
}

func (b *beat) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	for _, stop := range b.alarms {
		stop()
	}
	b.alarms = nil
}

func (b *beat) fail() {
	b.mu.Lock()
	was := b.over
	b.over = true
	b.mu.Unlock()
	if !was && b.lost != nil {
		b.lost()
	}
}

func (b *beat) tick() {
	if !b.s.Alive(b.f) {
		b.fail()
		return
	}
	switch {
	case b.f.Transport != "udp":
		b.ping()
	case b.k.STUN:
		b.s.binding(b.f, b.bound)
	default:
		_ = b.s.transmit(b.f, []byte("\r\n\r\n"), nil) // what is lost now is sent again soon
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait(b.pause(), b.tick)
}

// ping sends the double line end of RFC 5626 section 3.5.1 and sees to its answer.
func (b *beat) ping() {
	c := b.s.connOf(b.f)
	if c == nil {
		return // the next tick sees it
	}
	sent := time.Now()
	c.pingedAt.Store(sent.UnixNano())
	if err := c.enqueue(outgoing{raw: []byte("\r\n\r\n")}); err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait(b.s.cfg.Pong, func() {
		if (b.k.Answered || c.answers.Load()) && !c.heardSince(sent) {
			c.shut(closedSilent)
			b.fail()
		}
	})
}

// bound hears the answer to STUN; two that are missing in a row are a lost flow.
func (b *beat) bound(seen netip.AddrPort, err error) {
	b.mu.Lock()
	if err == nil {
		b.missed = 0
	} else {
		b.missed++
	}
	missed := b.missed
	b.mu.Unlock()
	if err == nil {
		b.s.reflected(b.f, seen)
	} else if missed >= 2 {
		b.fail()
	}
}

// WatchAddress looks every so often which of our addresses leads to a remote one and calls fn, on a
// shard, when it became another: the zero Addr means that no way leads there. Connections that stood
// on the old address are closed before. This is a question to the kernel, not to the network.
func (s *Stack) WatchAddress(remote netip.AddrPort, every time.Duration, fn func(was, now netip.Addr)) (stop func()) {
	w := &watch{s: s, remote: remote, every: every, fn: fn, was: s.routes.ask(remote)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
		w.stop()
	}
}

// watch is one WatchAddress that runs; was belongs to the shard.
type watch struct {
	s      *Stack
	remote netip.AddrPort
	every  time.Duration
	fn     func(was, now netip.Addr)
	was    netip.Addr

	mu   sync.Mutex
	over bool
	stop func()
}

func (w *watch) next() { w.stop = w.s.After("watch "+w.remote.String(), w.every, w.look) }

func (w *watch) look() {
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return
	}
	w.next()
	w.mu.Unlock()
	was, now := w.was, w.s.routes.ask(w.remote)
	if was == now {
		return
	}
	w.was = now
	w.s.routes.forget()
	w.s.endFrom(w.remote, was)
	w.fn(was, now)
}

// endFrom closes the connections to a remote that we opened from an address that is no more.
func (s *Stack) endFrom(remote netip.AddrPort, local netip.Addr) {
	var old []*streamConn
	s.links.mu.RLock()
	for _, c := range s.links.dialled {
		if c.flow.Remote == remote && c.flow.Local.Addr() == local && local.IsValid() {
			old = append(old, c)
		}
	}
	s.links.mu.RUnlock()
	for _, c := range old {
		c.shut(closedSilent)
	}
}
