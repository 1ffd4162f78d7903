// Package siptest is a SIP peer for tests: a phone or a carrier on a real UDP or TCP socket of
// 127.0.0.0/8, scripted message by message. It knows no transactions: a test sees and sends exactly
// what is on the wire, repetitions included.
package siptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Patience is how long Next and its kin wait before they fail the test.
const Patience = 5 * time.Second

// inbox is how many received messages wait for the test; more are lost, as on a real network.
const inbox = 1024

// Peer is one socket with its received messages. It closes with the test.
type Peer struct {
	tb        testing.TB
	transport string
	udp       *net.UDPConn
	listener  *net.TCPListener
	addr      netip.AddrPort
	in        chan sip.Message
	wg        sync.WaitGroup

	mu     sync.Mutex
	conns  map[netip.AddrPort]*net.TCPConn
	closed bool
	serial int
}

// New opens a peer on a free port of an address such as "127.0.0.2"; transport is "udp" or "tcp".
func New(tb testing.TB, transport, ip string) *Peer {
	tb.Helper()
	p := &Peer{tb: tb, transport: transport, in: make(chan sip.Message, inbox), conns: make(map[netip.AddrPort]*net.TCPConn)}
	at := netip.AddrPortFrom(netip.MustParseAddr(ip), 0)
	var err error
	switch transport {
	case "udp":
		if p.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err == nil {
			p.addr = p.udp.LocalAddr().(*net.UDPAddr).AddrPort()
			p.wg.Go(p.readDatagrams)
		}
	case "tcp":
		if p.listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at)); err == nil {
			p.addr = p.listener.Addr().(*net.TCPAddr).AddrPort()
			p.wg.Go(p.accept)
		}
	default:
		err = fmt.Errorf("no transport %q", transport)
	}
	if err != nil {
		tb.Fatalf("siptest: %v", err)
	}
	tb.Cleanup(p.Close)
	return p
}

// Close closes the peer's sockets and waits for its goroutines. It may be called early and twice.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	if p.udp != nil {
		_ = p.udp.Close()
	}
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.wg.Wait()
}

// Addr is where the peer listens.
func (p *Peer) Addr() netip.AddrPort { return p.addr }

// URI is the peer's contact: user at its address, with the transport.
func (p *Peer) URI(user string) sip.Uri {
	params := sip.NewParams()
	params.Add("transport", p.transport)
	return sip.Uri{Scheme: "sip", User: user, Host: p.addr.Addr().String(), Port: int(p.addr.Port()), UriParams: params}
}

func (p *Peer) readDatagrams() {
	buf := make([]byte, 65535)
	for {
		n, src, err := p.udp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if msg, err := sip.ParseMessage(buf[:n]); err == nil {
			p.got(msg, src)
		}
	}
}

func (p *Peer) accept() {
	for {
		c, err := p.listener.AcceptTCP()
		if err != nil {
			return
		}
		if !p.adopt(c) {
			_ = c.Close()
		}
	}
}

// adopt starts reading a connection.
func (p *Peer) adopt(c *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	remote := c.RemoteAddr().(*net.TCPAddr).AddrPort()
	p.conns[remote] = c
	p.wg.Go(func() {
		p.readStream(c, remote)
		p.mu.Lock()
		if p.conns[remote] == c {
			delete(p.conns, remote)
		}
		p.mu.Unlock()
		_ = c.Close()
	})
	return true
}

func (p *Peer) readStream(c *net.TCPConn, remote netip.AddrPort) {
	stream := sip.NewParser().NewSIPStream()
	defer stream.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		err = stream.ParseSIPStream(buf[:n], func(msg sip.Message) { p.got(msg, remote) })
		if err != nil && !errors.Is(err, sip.ErrParseSipPartial) {
			return
		}
	}
}

func (p *Peer) got(msg sip.Message, src netip.AddrPort) {
	msg.SetSource(src.String())
	msg.SetTransport(strings.ToUpper(p.transport))
	select {
	case p.in <- msg:
	default:
	}
}

// SendRaw puts bytes on the wire, broken ones too; over TCP on the connection to that address,
// which is opened if there is none.
func (p *Peer) SendRaw(to netip.AddrPort, raw string) {
	p.tb.Helper()
	var err error
	if p.udp != nil {
		_, err = p.udp.WriteToUDPAddrPort([]byte(raw), to)
	} else {
		var c *net.TCPConn
		if c, err = p.conn(to); err == nil {
			_, err = c.Write([]byte(raw))
		}
	}
	if err != nil {
		p.tb.Fatalf("siptest: sending to %s: %v", to, err)
	}
}

func (p *Peer) conn(to netip.AddrPort) (*net.TCPConn, error) {
	p.mu.Lock()
	c := p.conns[to]
	p.mu.Unlock()
	if c != nil {
		return c, nil
	}
	d := net.Dialer{Timeout: Patience, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.addr.Addr(), 0))}
	opened, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	c = opened.(*net.TCPConn)
	if !p.adopt(c) {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	return c, nil
}

// Send puts a message on the wire as it is.
func (p *Peer) Send(to netip.AddrPort, msg sip.Message) {
	p.tb.Helper()
	if msg.ContentLength() == nil {
		msg.SetBody(msg.Body())
	}
	p.SendRaw(to, msg.String())
}

// Hear returns the next message, or nil when none comes within d.
func (p *Peer) Hear(d time.Duration) sip.Message {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case msg := <-p.in:
		return msg
	case <-timer.C:
		return nil
	}
}

// NextRequest skips to the next request of that method; any if it is "". It fails the test when
// none comes.
func (p *Peer) NextRequest(method sip.RequestMethod) *sip.Request {
	p.tb.Helper()
	msg := p.next(func(m sip.Message) bool {
		req, ok := m.(*sip.Request)
		return ok && (method == "" || req.Method == method)
	})
	if msg == nil {
		p.tb.Fatalf("siptest: no %s came to %s", method, p.addr)
	}
	return msg.(*sip.Request)
}

// NextResponse skips to the next response with that status; any if it is 0. It fails the test when
// none comes.
func (p *Peer) NextResponse(status int) *sip.Response {
	p.tb.Helper()
	msg := p.next(func(m sip.Message) bool {
		res, ok := m.(*sip.Response)
		return ok && (status == 0 || res.StatusCode == status)
	})
	if msg == nil {
		p.tb.Fatalf("siptest: no response %d came to %s", status, p.addr)
	}
	return msg.(*sip.Response)
}

func (p *Peer) next(want func(sip.Message) bool) sip.Message {
	for end := time.Now().Add(Patience); ; {
		msg := p.Hear(time.Until(end))
		if msg == nil || want(msg) {
			return msg
		}
	}
}

// NewRequest makes a request from user at this peer to a URI: with Via, tags, a new Call-ID, CSeq 1
// and Contact.
func (p *Peer) NewRequest(method sip.RequestMethod, user string, to sip.Uri) *sip.Request {
	p.mu.Lock()
	p.serial++
	n := p.serial
	p.mu.Unlock()
	req := sip.NewRequest(method, to)
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(p.transport),
		Host: p.addr.Addr().String(), Port: int(p.addr.Port()), Params: sip.NewParams(),
	}
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	from := &sip.FromHeader{Address: p.URI(user), Params: sip.NewParams()}
	from.Params.Add("tag", sip.GenerateTagN(8))
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: to, Params: sip.NewParams()})
	id := sip.CallIDHeader(fmt.Sprintf("siptest-%d-%s", n, sip.GenerateTagN(8)))
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: method})
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.AppendHeader(&sip.ContactHeader{Address: p.URI(user)})
	return req
}

// Answer responds to a request that the peer received, to where it came from. tag is the To tag of
// a request that has none; a body is SDP.
func (p *Peer) Answer(req *sip.Request, status int, reason, tag string, body []byte, headers ...sip.Header) *sip.Response {
	p.tb.Helper()
	src, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		p.tb.Fatalf("siptest: the request to answer was not received here: %v", err)
	}
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	if to := res.To(); status > 100 && !req.To().Params.Has("tag") {
		to.Params.Add("tag", tag)
	}
	if status > 100 && status < 300 {
		res.AppendHeader(&sip.ContactHeader{Address: p.URI("peer")})
	}
	if body != nil {
		kind := sip.ContentTypeHeader("application/sdp")
		res.AppendHeader(&kind)
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	res.SetBody(body)
	p.Send(src, res)
	return res
}
