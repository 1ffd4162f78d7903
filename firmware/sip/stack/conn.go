package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
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
	closedSilent // answers no ping, or its address is no more
	closedBroken // unparsable, unwritable or refused
)

// streamListener accepts for one address, over TCP or TLS.
type streamListener struct {
	*net.TCPListener
	stack     *Stack
	transport string
	local     netip.AddrPort
	tls       *tls.Config // nil for TCP
}

// ListenTCP opens a listener, or takes the one that the supervisor kept. Reading starts with Serve.
func (s *Stack) ListenTCP(addr netip.AddrPort) error { return s.listenStream("tcp", addr, nil) }

func (s *Stack) listenStream(transport string, addr netip.AddrPort, secure *tls.Config) error {
	raw, err := s.takeListener(transport, addr)
	if err != nil {
		return err
	}
	taken := raw != nil
	if !taken {
		if raw, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr)); err != nil {
			return listenError(transport, addr, err)
		}
	}
	s.mark(raw, s.cfg.DSCP) // accepted connections inherit it from their first packet on
	ln := &streamListener{TCPListener: raw, stack: s, transport: transport, local: addrPortOf(raw.Addr()), tls: secure}
	l := &s.links
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errors.Join(ErrClosed, raw.Close())
	}
	l.streams[ln.local] = ln
	l.unserved = append(l.unserved, ln)
	l.mu.Unlock()
	if !taken {
		s.keep(keptName("sip-"+transport, askedFor(addr, ln.local)), raw)
	}
	if s.handler.Load() != nil {
		s.startReading()
	}
	return nil
}

func (ln *streamListener) serve() {
	defer ln.stack.wg.Done()
	for {
		raw, err := ln.AcceptTCP()
		switch {
		case err == nil:
			ln.accepted(raw)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, most likely: it passes
			ln.stack.log.say("accept", "a SIP connection could not be accepted", "err", err)
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// accepted lets a connection in, or closes it when filter or limits say so.
func (ln *streamListener) accepted(raw *net.TCPConn) {
	s := ln.stack
	remote := addrPortOf(raw.RemoteAddr())
	if s.cfg.Filter != nil && !s.cfg.Filter(remote, nil) {
		s.count.filtered.Add(1)
		_ = raw.Close()
		return
	}
	c := s.newConn(Flow{Transport: ln.transport, Local: addrPortOf(raw.LocalAddr()), Remote: remote}, true)
	conn := net.Conn(raw)
	if ln.tls != nil {
		conn = tls.Server(raw, ln.tls)
	}
	if !s.establish(c, raw, conn, false) {
		s.count.connsRefused.Add(1)
		s.log.say("conns", "a SIP connection was refused: too many are open", "from", remote.Addr())
		_ = raw.Close()
		return
	}
	go c.writeLoop()
	s.handOver(c)
}

// handOver gives an established connection to sipgo's reader.
func (s *Stack) handOver(c *streamConn) {
	if !s.links.funnel.put(c) {
		_ = c.Close()
	}
}

// outgoing is one message on its way to a peer.
type outgoing struct {
	raw    []byte
	failed func(error)
}

// streamConn is a connection as ServeTCP reads it. Close is called by sipgo when its reader has
// ended; everything else closes it by shut.
type streamConn struct {
	net.Conn              // nil until established
	raw      *net.TCPConn // below Conn: the same over TCP
	stack    *Stack
	name     linkName
	flow     Flow // of a dialled connection, the local port is set when it stands
	inbound  bool
	more     chan struct{} // tells the writer that there is something in out
	gone     chan struct{} // closed by shut
	reader   sync.Once     // the reader's end is told once
	verified bool          // TLS, dialled: the certificate was checked

	mu      sync.Mutex
	up      bool
	closed  bool
	out     []outgoing
	queued  int             // bytes in out
	waiting []func(up bool) // see whenUp

	heardAt  atomic.Int64 // when the last bytes came, in ns
	pingedAt atomic.Int64 // when KeepAlive last asked for an answer
	answers  atomic.Bool  // it has answered a ping

	assembly assembly // the reader's own
}

func (s *Stack) newConn(f Flow, inbound bool) *streamConn {
	return &streamConn{
		stack: s, flow: f, inbound: inbound,
		more: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// establish enters a connection into the tables and accounts for its reader and its writer. It
// reports false when the stack is closing or a limit is reached.
func (s *Stack) establish(c *streamConn, raw *net.TCPConn, conn net.Conn, known bool) bool {
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
	c.name = l.newName(c.flow.Transport)
	c.raw, c.Conn, c.up = raw, conn, true
	c.flow.Local = addrPortOf(raw.LocalAddr())
	c.assembly = assembly{
		stream: s.parser.NewSIPStream(), opened: time.Now(),
		greeted: known || !c.inbound, kept: known,
	}
	l.named[string(c.name)] = c
	l.flows[c.flow] = c
	s.mark(raw, s.dscpTo(addr)) // once it is among the flows: what Mark says from now on reaches it
	if c.inbound {
		l.accepted++
		l.perAddr[addr]++
	} else {
		l.dialled[dialKey(c.flow)] = c
	}
	s.wg.Add(2) // sipgo's reader, our writer
	return true
}

// dial opens a connection for a flow; messages wait in its queue meanwhile.
func (s *Stack) dial(f Flow) *streamConn {
	l := &s.links
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.dialled[dialKey(f)]; c != nil {
		return c
	}
	if l.closed || len(l.dialled) >= s.cfg.MaxConns {
		return nil
	}
	c := s.newConn(f, false)
	l.dialled[dialKey(f)] = c
	s.wg.Add(1)
	go c.dialLoop()
	return c
}

func (c *streamConn) dialLoop() {
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
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			if dscp := c.stack.dscpTo(c.flow.Remote.Addr()); dscp != 0 {
				_ = markFD(int(fd), dscp) // establish says so when it fails
			}
		})
	}}
	if local := c.flow.Local.Addr(); local.IsValid() && !local.IsUnspecified() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := d.DialContext(ctx, "tcp", c.flow.Remote.String())
	if err != nil {
		c.stack.log.say("dial", "a SIP connection could not be opened", "to", c.flow.Remote, "err", err)
		c.giveUp(err)
		return
	}
	raw := conn.(*net.TCPConn)
	if c.flow.Transport == "tls" {
		if conn, c.verified, err = c.stack.secure(ctx, raw, c.flow.Remote); err != nil {
			c.stack.log.say("tls", "a SIP peer could not be reached over TLS", "to", c.flow.Remote, "err", err)
			_ = raw.Close()
			c.giveUp(err)
			return
		}
	}
	if !c.stack.establish(c, raw, conn, false) {
		_ = raw.Close()
		c.giveUp(ErrClosed)
		return
	}
	c.stack.endUnchecked(c.flow.Remote) // another host may have claimed the address meanwhile
	c.tell(true)
	go c.writeLoop()
	c.stack.handOver(c)
}

// heardSince says whether anything came after t.
func (c *streamConn) heardSince(t time.Time) bool { return c.heardAt.Load() > t.UnixNano() }

func (c *streamConn) established() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up && !c.closed
}

// enqueue hands a message to the writer without waiting.
func (c *streamConn) enqueue(m outgoing) error {
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

func (c *streamConn) writeLoop() {
	defer c.stack.wg.Done()
	defer c.failAll(nil)
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
				fail(batch[i:], err)
				return
			}
		}
	}
}

func (c *streamConn) takeOut() []outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.out
	c.out, c.queued = nil, 0
	return batch
}

// giveUp ends a connection that never stood.
func (c *streamConn) giveUp(err error) {
	c.shut(closedBroken)
	c.failAll(err)
}

// failAll tells the owners of what was never sent; nothing is queued after shut.
func (c *streamConn) failAll(err error) { fail(c.takeOut(), err) }

func fail(batch []outgoing, err error) {
	for _, m := range batch {
		if m.failed != nil {
			m.failed(err)
		}
	}
}

// shut closes the connection and forgets it.
func (c *streamConn) shut(why ending) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	up := c.up
	c.mu.Unlock()
	last := c.stack.sent.Load() // before others can open the next one
	close(c.gone)
	c.stack.links.forget(c, up)
	c.tell(false)
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
		if c.flow.Transport == "tcp" {
			c.stack.dropKept(keptConnName(c.flow))
		}
		c.stack.lost(c.flow, c.inbound, last)
		if told := c.stack.cfg.Closed; told != nil {
			told(c.flow)
		}
	}
	_ = c.raw.Close() // not by way of TLS, whose farewell may wait for a slow peer
}

func (l *links) forget(c *streamConn, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialled[dialKey(c.flow)] == c {
		delete(l.dialled, dialKey(c.flow))
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
func (c *streamConn) Close() error {
	c.shut(closedByPeer)
	c.reader.Do(c.stack.wg.Done)
	return nil
}

// Write is sipgo's, for keep-alives.
func (c *streamConn) Write(b []byte) (int, error) {
	if err := c.enqueue(outgoing{raw: append([]byte(nil), b...)}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// LocalAddr and RemoteAddr show sipgo the connection's name: its pool is keyed by them.
func (c *streamConn) LocalAddr() net.Addr  { return c.name + "-local" }
func (c *streamConn) RemoteAddr() net.Addr { return c.name }

func (c *streamConn) arrived() Flow { return c.flow }

// text is nothing: a stream's bytes are gone with their assembly.
func (c *streamConn) text() []byte { return nil }

// dialKey names a connection that we open, whatever its local port becomes.
func dialKey(f Flow) Flow { return Flow{Transport: f.Transport, Remote: f.Remote} }

// connOf finds the connection of a flow: the very one, or the one that we opened to its remote, or
// one that the supervisor kept.
func (s *Stack) connOf(f Flow) *streamConn {
	l := &s.links
	l.mu.RLock()
	c := l.flows[f]
	if c == nil && l.ours(f) {
		c = l.dialled[dialKey(f)]
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
	for local, ln := range l.streams {
		if ln.transport == f.Transport && local.Port() == f.Local.Port() {
			return false
		}
	}
	return true
}

func (s *Stack) writeStream(to Flow, raw []byte, failed func(error)) error {
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
	pieces  int       // in which that part came
	started time.Time // when that part began
	broken  bool      // what follows ready does not parse
	pending []byte    // bytes read and not handed on
	ready   int       // how many of them have parsed
}
