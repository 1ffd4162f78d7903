package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
	// outQueue is how many bytes wait for a slow peer; more close the connection.
	outQueue = 256 << 10
)

// ending is why a TCP connection was closed.
type ending uint8

const (
	closedByPeer ending = iota
	closedByUs          // the process stops: the supervisor keeps its duplicate
	closedSlow
	closedIdle
	closedBroken // unparsable, unwritable or refused
)

// tcpListener accepts for one address.
type tcpListener struct {
	*net.TCPListener
	stack *Stack
	local netip.AddrPort
}

// ListenTCP opens a listener, or takes the one that the supervisor kept. Reading starts with Serve.
func (s *Stack) ListenTCP(addr netip.AddrPort) error {
	raw, err := s.takeTCPListener(addr)
	if err != nil {
		return err
	}
	taken := raw != nil
	if !taken {
		if raw, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr)); err != nil {
			return listenError("tcp", addr, err)
		}
	}
	ln := &tcpListener{TCPListener: raw, stack: s, local: addrPortOf(raw.Addr())}
	l := &s.links
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errors.Join(ErrClosed, raw.Close())
	}
	l.tcp[ln.local] = ln
	l.unserved = append(l.unserved, ln)
	l.mu.Unlock()
	if !taken {
		s.keep(keptName("sip-tcp", ln.local), raw)
	}
	if s.handler.Load() != nil {
		s.startReading()
	}
	return nil
}

func (ln *tcpListener) serve() {
	defer ln.stack.wg.Done()
	for {
		raw, err := ln.AcceptTCP()
		switch {
		case err == nil:
			ln.stack.accepted(raw)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, most likely: it passes
			ln.stack.log.say("accept", "a SIP connection could not be accepted", "err", err)
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// accepted lets a connection in, or closes it when filter or limits say so.
func (s *Stack) accepted(raw *net.TCPConn) {
	remote := addrPortOf(raw.RemoteAddr())
	if s.cfg.Filter != nil && !s.cfg.Filter(remote, nil) {
		s.count.filtered.Add(1)
		_ = raw.Close()
		return
	}
	c := s.newConn(Flow{Transport: "tcp", Local: addrPortOf(raw.LocalAddr()), Remote: remote}, true)
	if !s.establish(c, raw, false) {
		s.count.connsRefused.Add(1)
		s.log.say("conns", "a SIP connection was refused: too many are open", "from", remote.Addr())
		_ = raw.Close()
		return
	}
	go c.writeLoop()
	s.handOver(c)
}

// handOver gives an established connection to sipgo's reader.
func (s *Stack) handOver(c *tcpConn) {
	if !s.links.funnel.put(c) {
		_ = c.Close()
	}
}

// outgoing is one message on its way to a peer.
type outgoing struct {
	raw    []byte
	failed func()
}

// tcpConn is a connection as ServeTCP reads it. Close is called by sipgo when its reader has
// ended; everything else closes it by shut.
type tcpConn struct {
	net.Conn // nil until established
	stack    *Stack
	name     linkName
	flow     Flow // of a dialled connection, the local port is set when it stands
	inbound  bool
	more     chan struct{} // tells the writer that there is something in out
	gone     chan struct{} // closed by shut
	reader   sync.Once     // the reader's end is told once

	mu     sync.Mutex
	up     bool
	closed bool
	out    []outgoing
	queued int // bytes in out

	assembly assembly // the reader's own
}

func (s *Stack) newConn(f Flow, inbound bool) *tcpConn {
	return &tcpConn{
		stack: s, flow: f, inbound: inbound,
		more: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// establish enters a connection into the tables and accounts for its reader and its writer. It
// reports false when the stack is closing or a limit is reached.
func (s *Stack) establish(c *tcpConn, raw *net.TCPConn, known bool) bool {
	_ = raw.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4})
	l := &s.links
	l.mu.Lock()
	defer l.mu.Unlock()
	addr := c.flow.Remote.Addr()
	if l.closed || c.inbound && !known && (l.accepted >= s.cfg.MaxConns || l.perAddr[addr] >= s.cfg.MaxConnsPerAddr) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.name = l.newName("tcp")
	c.Conn, c.up = raw, true
	c.flow.Local = addrPortOf(raw.LocalAddr())
	c.assembly = assembly{
		stream: s.parser.NewSIPStream(), opened: time.Now(),
		greeted: known || !c.inbound, kept: known,
	}
	l.named[string(c.name)] = c
	l.flows[c.flow] = c
	if c.inbound {
		l.accepted++
		l.perAddr[addr]++
	} else {
		l.dialled[c.flow.Remote] = c
	}
	s.wg.Add(2) // sipgo's reader, our writer
	return true
}

// dial opens a connection for a flow; messages wait in its queue meanwhile.
func (s *Stack) dial(f Flow) *tcpConn {
	l := &s.links
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.dialled[f.Remote]; c != nil {
		return c
	}
	if l.closed || len(l.dialled) >= s.cfg.MaxConns {
		return nil
	}
	c := s.newConn(f, false)
	l.dialled[f.Remote] = c
	s.wg.Add(1)
	go c.dialLoop()
	return c
}

func (c *tcpConn) dialLoop() {
	defer c.stack.wg.Done()
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	c.stack.wg.Add(1)
	go func() {
		defer c.stack.wg.Done()
		select {
		case <-c.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	var d net.Dialer
	if local := c.flow.Local.Addr(); local.IsValid() && !local.IsUnspecified() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := d.DialContext(ctx, "tcp", c.flow.Remote.String())
	if err != nil {
		c.stack.log.say("dial", "a SIP connection could not be opened", "to", c.flow.Remote, "err", err)
		c.shut(closedBroken)
		c.failAll()
		return
	}
	raw := conn.(*net.TCPConn)
	if !c.stack.establish(c, raw, false) {
		_ = raw.Close()
		c.shut(closedBroken)
		c.failAll()
		return
	}
	go c.writeLoop()
	c.stack.handOver(c)
}

func (c *tcpConn) established() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up && !c.closed
}

// enqueue hands a message to the writer without waiting.
func (c *tcpConn) enqueue(m outgoing) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return fmt.Errorf("%w: the connection to %s is closed", ErrTransport, c.flow.Remote)
	}
	if c.queued+len(m.raw) <= outQueue {
		c.out = append(c.out, m)
		c.queued += len(m.raw)
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
		return nil
	}
	c.mu.Unlock()
	c.shut(closedBroken)
	return fmt.Errorf("%w: %s does not take messages", ErrTransport, c.flow.Remote)
}

func (c *tcpConn) writeLoop() {
	defer c.stack.wg.Done()
	defer c.failAll()
	for {
		select {
		case <-c.more:
		case <-c.gone:
			return
		}
		batch := c.takeOut()
		for i, m := range batch {
			_ = c.SetWriteDeadline(time.Now().Add(writeTimeout)) // a closed connection fails below
			if _, err := c.Conn.Write(m.raw); err != nil {
				c.stack.count.sendErrors.Add(1)
				c.shut(closedBroken)
				fail(batch[i:])
				return
			}
		}
	}
}

func (c *tcpConn) takeOut() []outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.out
	c.out, c.queued = nil, 0
	return batch
}

// failAll tells the owners of what was never sent; nothing is queued after shut.
func (c *tcpConn) failAll() { fail(c.takeOut()) }

func fail(batch []outgoing) {
	for _, m := range batch {
		if m.failed != nil {
			m.failed()
		}
	}
}

// shut closes the connection and forgets it.
func (c *tcpConn) shut(why ending) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	up := c.up
	c.mu.Unlock()
	close(c.gone)
	c.stack.links.forget(c, up)
	if !up {
		return
	}
	switch why {
	case closedSlow:
		c.stack.count.connsSlow.Add(1)
	case closedIdle:
		c.stack.count.connsIdle.Add(1)
	}
	if why != closedByUs {
		c.stack.dropKept(keptConnName(c.flow))
		c.stack.lost(c.flow, c.inbound)
		if told := c.stack.cfg.Closed; told != nil {
			told(c.flow)
		}
	}
	_ = c.Conn.Close()
}

func (l *links) forget(c *tcpConn, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialled[c.flow.Remote] == c {
		delete(l.dialled, c.flow.Remote)
	}
	if !up {
		return
	}
	delete(l.named, string(c.name))
	if l.flows[c.flow] == c {
		delete(l.flows, c.flow)
	}
	if c.inbound {
		addr := c.flow.Remote.Addr()
		l.accepted--
		if l.perAddr[addr]--; l.perAddr[addr] <= 0 {
			delete(l.perAddr, addr)
		}
	}
}

// Close is sipgo's: its reader has ended.
func (c *tcpConn) Close() error {
	c.shut(closedByPeer)
	c.reader.Do(c.stack.wg.Done)
	return nil
}

// Write is sipgo's, for keep-alives.
func (c *tcpConn) Write(b []byte) (int, error) {
	if err := c.enqueue(outgoing{raw: append([]byte(nil), b...)}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// LocalAddr and RemoteAddr show sipgo the connection's name: its pool is keyed by them.
func (c *tcpConn) LocalAddr() net.Addr  { return c.name + "-local" }
func (c *tcpConn) RemoteAddr() net.Addr { return c.name }

func (c *tcpConn) arrived() Flow { return c.flow }

// connOf finds the connection of a flow: the very one, or the one that we opened to its remote, or
// one that the supervisor kept.
func (s *Stack) connOf(f Flow) *tcpConn {
	l := &s.links
	l.mu.RLock()
	c := l.flows[f]
	if c == nil && l.ours(f) {
		c = l.dialled[f.Remote]
	}
	l.mu.RUnlock()
	if c == nil {
		c = s.adopt(f)
	}
	return c
}

// ours says whether we may open the connection of a flow: not one that a phone had opened to our
// listener, since nobody listens at its other end. The lock is held.
func (l *links) ours(f Flow) bool {
	if f.Local.Port() == 0 {
		return true
	}
	for local := range l.tcp {
		if local.Port() == f.Local.Port() {
			return false
		}
	}
	return true
}

func (s *Stack) writeTCP(to Flow, raw []byte, failed func()) error {
	c := s.connOf(to)
	if c == nil {
		s.links.mu.RLock()
		may := s.links.ours(to)
		s.links.mu.RUnlock()
		if may {
			c = s.dial(to)
		}
	}
	if c == nil {
		return fmt.Errorf("%w: no connection to %s", ErrTransport, to.Remote)
	}
	return c.enqueue(outgoing{raw, failed})
}

// assembly is what a connection's reader knows of the messages it puts together.
type assembly struct {
	stream  *sip.ParserStream // parses ahead
	opened  time.Time
	greeted bool      // a whole message has come, or the connection needs none
	kept    bool      // the supervisor has been given a duplicate
	inside  bool      // stream holds a part of a message
	started time.Time // when that part began
	broken  bool      // what follows ready does not parse
	pending []byte    // bytes read and not handed on
	ready   int       // how many of them have parsed
}
