package stack

import (
	"net"
	"net/netip"
	"os"
	"sort"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cupboard is a SocketKeeper of this process: it keeps duplicates, as a supervisor does.
type cupboard struct {
	mu    sync.Mutex
	files map[string]*os.File
	taken map[string]bool
}

func newCupboard(t *testing.T) *cupboard {
	c := &cupboard{files: map[string]*os.File{}, taken: map[string]bool{}}
	t.Cleanup(func() {
		for _, f := range c.files {
			_ = f.Close()
		}
	})
	return c
}

func (c *cupboard) Take(name string) (*os.File, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[name]
	if f == nil || c.taken[name] {
		return nil, false
	}
	c.taken[name] = true
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, false
	}
	return os.NewFile(uintptr(fd), name), true
}

func (c *cupboard) Keep(name string, s syscall.Conn) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return raw.Control(func(fd uintptr) {
		if dup, err := syscall.Dup(int(fd)); err == nil {
			c.files[name] = os.NewFile(uintptr(dup), name)
			c.taken[name] = true // this process has it
		}
	})
}

func (c *cupboard) Drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.files[name]; f != nil {
		_ = f.Close()
		delete(c.files, name)
	}
}

// restart makes everything takable again, as for a new process.
func (c *cupboard) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = map[string]bool{}
}

func (c *cupboard) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for n := range c.files {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// listing is a cupboard that can name what it holds.
type listing struct{ *cupboard }

func (l listing) Untaken() []string { return l.names() }

// start makes a box at given addresses.
func start(t *testing.T, keeper SocketKeeper, udp, tcp netip.AddrPort) *box {
	t.Helper()
	s, err := New(Config{Keeper: keeper})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ListenUDP(udp); err != nil {
		t.Fatal(err)
	}
	if err := s.ListenTCP(tcp); err != nil {
		t.Fatal(err)
	}
	return &box{s, s.Addresses("udp")[0], s.Addresses("tcp")[0]}
}

func TestSocketsOutliveTheStackAndWhatQueuedIsThrownAway(t *testing.T) {
	for _, named := range []bool{true, false} {
		c := newCupboard(t)
		var keeper SocketKeeper = c
		if named {
			keeper = listing{c}
		}
		rec := &recorder{}
		rec.request = func(tx *ServerTx) { (&echoer{}).Request(tx) }
		first := start(t, keeper, netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("127.0.0.1:0"))
		first.Serve(rec)
		p := newPhone(t, first, "127.0.0.2")
		l := dialBox(t, first, "127.0.0.2")
		l.send(request("OPTIONS", "TCP", l.addr(), 1))
		if l.status(patience) != 200 {
			t.Fatal("not served")
		}
		flow := rec.txs[0].Flow()
		if got := c.names(); len(got) != 3 || got[0] != "sip-conn-"+first.tcp.String()+"-"+l.addr().String() ||
			got[1] != "sip-tcp-"+first.tcp.String() || got[2] != "sip-udp-"+first.udp.String() {
			t.Fatalf("kept %q", got)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			p.send(request("OPTIONS", "UDP", p.addr, 100+i)) // while nobody is there
		}
		c.restart()

		second := start(t, keeper, first.udp, first.tcp)
		if n := second.Stats().Drained; n != 10 {
			t.Errorf("%d datagrams drained, not 10", n)
		}
		if !named && !second.Alive(flow) { // a registrar asks for its bindings' flows
			t.Error("the kept connection is not found by its flow")
		}
		second.Serve(&echoer{})
		p.send(request("OPTIONS", "UDP", p.addr, 200))
		if p.status(patience) != 200 {
			t.Error("UDP is not served after the restart")
		}
		if raw := p.hear(20 * time.Millisecond); raw != "" {
			t.Errorf("an old datagram was answered: %q", raw)
		}
		l.send(request("OPTIONS", "TCP", l.addr(), 2))
		if l.status(patience) != 200 || !second.Alive(flow) {
			t.Error("the kept connection is not served after the restart")
		}
		fresh := dialBox(t, second, "127.0.0.2")
		fresh.send(request("OPTIONS", "TCP", fresh.addr(), 3))
		if fresh.status(patience) != 200 {
			t.Error("the kept listener does not accept")
		}
		_ = l.Close()
		_ = fresh.Close()
		eventually(t, "closed connections are dropped", func() bool { return len(c.names()) == 2 })
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The kernel opens 0.0.0.0 as [::]: what is kept must be found by what the configuration says.
func TestSocketsOfEveryAddressAreTakenBackByTheNextProcess(t *testing.T) {
	for _, everywhere := range []string{"0.0.0.0", "[::]", "127.0.0.1"} {
		c := newCupboard(t)
		at := netip.MustParseAddrPort(everywhere + ":0")
		first := start(t, c, at, at)
		udp, tcp := netip.AddrPortFrom(at.Addr(), first.udp.Port()), netip.AddrPortFrom(at.Addr(), first.tcp.Port())
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		c.restart()
		second := start(t, c, udp, tcp) // fails where the kept sockets, which have the ports, are not found
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestASocketKeptUnderAWrongNameIsAnErrorInWords(t *testing.T) {
	c := newCupboard(t)
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	addr := netip.MustParseAddrPort("127.0.0.1:5999")
	if err := c.Keep(keptName("sip-udp", addr), ln); err != nil {
		t.Fatal(err)
	}
	c.restart()
	s, err := New(Config{Keeper: c})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.ListenUDP(addr); err == nil {
		t.Error("a TCP listener was taken for a UDP socket")
	}
}

func TestNamesOfKeptConnectionsReadBack(t *testing.T) {
	for _, f := range []Flow{
		{"tcp", netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.7:40000")},
		{"tcp", netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[fe80::1%eth0]:40000")},
	} {
		if got, ok := flowOfKept(keptConnName(f)); !ok || got != f {
			t.Errorf("%v became %v", f, got)
		}
	}
	for _, name := range []string{"", "sip-conn-", "sip-conn-a-b", "rtp-16384", "sip-conn-1.2.3.4:5"} {
		if _, ok := flowOfKept(name); ok {
			t.Errorf("%q passed", name)
		}
	}
}
