package media

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// boxAddr is where the engines under test listen; phones use other loopback addresses.
const boxAddr = "127.0.0.32"

// patience bounds every wait for something that must come; it is long because machines are slow,
// and costs nothing when the thing comes.
const patience = 15 * time.Second

// sink collects events.
type sink struct {
	mu     sync.Mutex
	events []Event
	news   chan struct{}
}

func newSink() *sink { return &sink{news: make(chan struct{}, 1)} }

func (s *sink) take(e Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *sink) all() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// await waits for the first event of type E.
func await[E Event](t *testing.T, s *sink) E {
	t.Helper()
	deadline := time.After(patience)
	for {
		for _, e := range s.all() {
			if want, ok := e.(E); ok {
				return want
			}
		}
		select {
		case <-s.news:
		case <-deadline:
			var want E
			t.Fatalf("no %T came; got %v", want, s.all())
		}
	}
}

// logLines collects what is logged.
type logLines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func startEngine(t testing.TB, first, last int, change func(*Config)) *Engine {
	t.Helper()
	cfg := Config{
		Log: slog.New(slog.DiscardHandler), PortMin: first, PortMax: last,
		Bind: netip.MustParseAddr(boxAddr), Drain: time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// phone is a party outside the box with a socket of its own; it sends and reads RTP through
// pion/rtp, which shares no code with the engine.
type phone struct {
	t    testing.TB
	conn *net.UDPConn
	to   netip.AddrPort
	leg  *Leg
	sink *sink
	seq  uint16
	ts   uint32
	ssrc uint32
	pt   uint8
}

var pcmu = sdp.Media{Codec: codec.PCMU, SendPT: 0, RecvPT: 0, EventSendPT: 101, EventRecvPT: 101, Ptime: 20}

func newPhone(t testing.TB, host string) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(host)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &phone{t: t, conn: conn, seq: 1000, ts: 5000, ssrc: 0x11223344}
}

// join opens a leg for a phone and configures it with m and the phone's address.
func join(t testing.TB, e *Engine, host string, m sdp.Media, change func(*LegConfig)) *phone {
	t.Helper()
	p := newPhone(t, host)
	p.sink = newSink()
	cfg := LegConfig{Events: p.sink.take, Lock: true}
	if change != nil {
		change(&cfg)
	}
	leg, err := e.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.leg = leg
	port, _ := leg.Ports()
	p.to = netip.AddrPortFrom(netip.MustParseAddr(boxAddr), port)
	p.pt = m.RecvPT
	p.configure(m)
	return p
}

func (p *phone) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *phone) configure(m sdp.Media) {
	p.t.Helper()
	m.Remote = p.addr()
	if err := p.leg.Configure(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *phone) packet(payload []byte) *rtp.Packet {
	pkt := &rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: p.pt, SequenceNumber: p.seq, Timestamp: p.ts, SSRC: p.ssrc},
		Payload: payload,
	}
	p.seq++
	p.ts += 160
	return pkt
}

// send sends one packet with this payload, in sequence.
func (p *phone) send(payload string) { p.put(p.packet([]byte(payload))) }

func (p *phone) put(pkt *rtp.Packet) {
	p.t.Helper()
	b, err := pkt.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(b)
}

func (p *phone) raw(b []byte) {
	p.t.Helper()
	if _, err := p.conn.WriteToUDPAddrPort(b, p.to); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next packet.
func (p *phone) receive() *rtp.Packet {
	p.t.Helper()
	pkt, err := p.read(patience)
	if err != nil {
		p.t.Fatalf("no packet came: %v", err)
	}
	return pkt
}

// quiet is after how long without a packet all have come. A shorter deadline may pass before the read has begun, on
// a busy machine, and then hides what is there.
const quiet = 100 * time.Millisecond

// read returns the next packet; wait 0: of those that are there.
func (p *phone) read(wait time.Duration) (*rtp.Packet, error) {
	b := make([]byte, 2000)
	n, err := 0, error(nil)
	if wait == 0 {
		n, err = p.take(b)
	} else {
		_ = p.conn.SetReadDeadline(time.Now().Add(wait))
		n, err = p.conn.Read(b)
	}
	if err != nil {
		return nil, err
	}
	pkt := new(rtp.Packet)
	if err := pkt.Unmarshal(b[:n]); err != nil {
		return nil, fmt.Errorf("what the box sent is not RTP: %w", err)
	}
	return pkt, nil
}

// take reads what is there.
func (p *phone) take(b []byte) (n int, err error) {
	_ = p.conn.SetReadDeadline(time.Time{})
	raw, err := p.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if broken := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
		return true
	}); broken != nil {
		return 0, broken
	}
	return n, err
}

// waiting returns a packet that has come, or nil.
func (p *phone) waiting() *rtp.Packet {
	p.t.Helper()
	b := make([]byte, 2000)
	n, err := p.take(b)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	pkt := new(rtp.Packet)
	if err == nil {
		err = pkt.Unmarshal(b[:n])
	}
	if err != nil {
		p.t.Fatalf("what came cannot be read: %v", err)
	}
	return pkt
}

// hearsFirst proves silence without waiting: a fence travels the same way after whatever could have
// been sent, so it must be the first to arrive.
func (p *phone) hearsFirst(want string) {
	p.t.Helper()
	if got := p.receive(); string(got.Payload) != want {
		p.t.Errorf("heard %q first, want %q", got.Payload, want)
	}
}

// settle returns when the leg has dealt with everything sent to it so far: loopback delivers within
// sendto, so what its sockets hold now is all there is.
func settle(t testing.TB, g *Leg) {
	t.Helper()
	if err := g.ask(func(l *loop) error {
		for range 10000 {
			n, errno := g.ports.rtp.receive(l.buf[:], &l.from)
			if errno != 0 {
				break
			}
			l.now = l.engine.now()
			l.arrived(g, l.buf[:n], &l.from)
		}
		for range 10000 {
			n, errno := g.ports.rtcp.receive(l.buf[:], &l.from)
			if errno != 0 {
				break
			}
			l.report(g, l.buf[:n], &l.from)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func bridged(t testing.TB, e *Engine, m, n sdp.Media) (a, b *phone) {
	t.Helper()
	a = join(t, e, "127.0.0.33", m, nil)
	b = join(t, e, "127.0.0.34", n, nil)
	if err := e.Bridge(a.leg, b.leg); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestMain(m *testing.M) {
	if os.Getenv(generateEnv) != "" {
		os.Exit(runGenerator()) // a child of BenchmarkRelay500
	}
	goleak.VerifyTestMain(m)
}

func netipPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}

func netipAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
