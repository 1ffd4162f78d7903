package stack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// patience is how long a test waits for what must come.
const patience = 15 * time.Second

// box is a stack with sockets on 127.0.0.1.
type box struct {
	*Stack
	udp, tcp netip.AddrPort
}

func newBox(t testing.TB, cfg Config, h Handler, before ...func(*Stack)) *box {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, listen := range []func(netip.AddrPort) error{s.ListenUDP, s.ListenTCP} {
		if err := listen(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
			t.Fatal(err)
		}
	}
	for _, set := range before {
		set(s)
	}
	s.Serve(h)
	return &box{s, s.Addresses("udp")[0], s.Addresses("tcp")[0]}
}

// echoer answers every request 200.
type echoer struct{ recorder }

func (e *echoer) Request(tx *ServerTx) {
	_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil))
}

// phone is a UDP socket that speaks to a box.
type phone struct {
	t    testing.TB
	conn *net.UDPConn
	addr netip.AddrPort
	buf  [65535]byte
}

func newPhone(t testing.TB, b *box, ip string) *phone {
	t.Helper()
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)), net.UDPAddrFromAddrPort(b.udp))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &phone{t: t, conn: conn, addr: addrPortOf(conn.LocalAddr())}
}

func (p *phone) send(raw string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(raw)); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next message, or "" when none comes within d.
func (p *phone) hear(d time.Duration) string {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.t.Fatal(err)
	}
	n, err := p.conn.Read(p.buf[:])
	if err != nil {
		return ""
	}
	return string(p.buf[:n])
}

// status returns the status of the next response, 0 when none comes.
func (p *phone) status(d time.Duration) int { return statusOf(p.hear(d)) }

func statusOf(raw string) int {
	rest, ok := strings.CutPrefix(raw, "SIP/2.0 ")
	if !ok || len(rest) < 3 {
		return 0
	}
	n, err := strconv.Atoi(rest[:3])
	if err != nil {
		return 0
	}
	return n
}

// request makes a request as a phone at addr would send it.
func request(method, transport string, addr netip.AddrPort, n int, extra ...string) string {
	lines := []string{
		method + " sip:100@127.0.0.1 SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bKb%d;rport", transport, addr, n),
		"From: <sip:200@127.0.0.1>;tag=ft", "To: <sip:100@127.0.0.1>",
		fmt.Sprintf("Call-ID: call-%d", n), "CSeq: 1 " + method, "Max-Forwards: 70",
	}
	return text(append(append(lines, extra...), "Content-Length: 0")...)
}

// line is a TCP connection that speaks to a box.
type line struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func dialBox(t testing.TB, b *box, ip string) *line {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := d.Dial("tcp", b.tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newLine(t, conn)
}

func newLine(t testing.TB, conn net.Conn) *line { return &line{conn, t, bufio.NewReader(conn)} }

func (l *line) addr() netip.AddrPort { return addrPortOf(l.LocalAddr()) }

func (l *line) send(raw string) {
	l.t.Helper()
	if _, err := io.WriteString(l.Conn, raw); err != nil {
		l.t.Fatal(err)
	}
}

// hear returns the head of the next message (bodies are not used here), or why there is none.
func (l *line) hear(d time.Duration) (string, error) {
	if err := l.SetReadDeadline(time.Now().Add(d)); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		s, err := l.in.ReadString('\n')
		if err != nil {
			return b.String(), err
		}
		if s == "\r\n" && b.Len() == 0 {
			continue // the answer to a ping
		}
		b.WriteString(s)
		if s == "\r\n" {
			return b.String(), nil
		}
	}
}

func (l *line) status(d time.Duration) int {
	raw, err := l.hear(d)
	if err != nil {
		return 0
	}
	return statusOf(raw)
}

// closedWithin says whether the box closes the connection within d.
func (l *line) closedWithin(d time.Duration) bool {
	if err := l.SetReadDeadline(time.Now().Add(d)); err != nil {
		return true
	}
	_, err := io.Copy(io.Discard, l.in)
	nerr, timeout := err.(net.Error)
	return err == nil || !timeout || !nerr.Timeout()
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("in vain: %s", what)
}
