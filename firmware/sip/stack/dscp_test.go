package stack

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// tosOf reads one datagram and the type of service that it arrived with.
func tosOf(t *testing.T, conn *net.UDPConn, level, kind int) int {
	t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, 256)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, n, _, _, err := conn.ReadMsgUDP(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	all, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if int(m.Header.Level) == level && int(m.Header.Type) == kind {
			return int(m.Data[0])
		}
	}
	t.Fatal("the kernel does not tell the type of service")
	return 0
}

// marked is a socket that is told the type of service of what it receives.
func marked(t *testing.T, addr string, level, option int) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), level, option, 1) })
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestPacketsCarryTheMarkOfSignalling(t *testing.T) {
	for _, c := range []struct {
		name, listen, peer     string
		dscp                   int
		level, option, carried int
	}{
		{"IPv4", "127.0.0.1", "127.0.0.1", 24, syscall.IPPROTO_IP, syscall.IP_RECVTOS, syscall.IP_TOS},
		{"IPv6", "::1", "::1", 24, syscall.IPPROTO_IPV6, syscall.IPV6_RECVTCLASS, syscall.IPV6_TCLASS},
		{"IPv4 on a socket of IPv6", "::", "127.0.0.1", 24, syscall.IPPROTO_IP, syscall.IP_RECVTOS, syscall.IP_TOS},
		{"none when it is switched off", "127.0.0.1", "127.0.0.1", 0, syscall.IPPROTO_IP, syscall.IP_RECVTOS, syscall.IP_TOS},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(Config{DSCP: c.dscp})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.ListenUDP(netip.AddrPortFrom(netip.MustParseAddr(c.listen), 0)); err != nil {
				t.Fatal(err)
			}
			conn := marked(t, c.peer, c.level, c.option)
			to := s.flowTo("udp", addrPortOf(conn.LocalAddr()))
			if err := s.Send(newRequest(sip.OPTIONS, "x"), to); err != nil {
				t.Fatal(err)
			}
			if got := tosOf(t, conn, c.level, c.carried); got != c.dscp<<2 {
				t.Errorf("type of service %d, want %d", got, c.dscp<<2)
			}
		})
	}
}

func prefixes(all ...string) (list []netip.Prefix) {
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// What goes to one network carries its own mark, what goes past it the box's; the last Mark holds.
func TestPacketsOfACarrierCarryItsMarkAndTheOthersTheBoxs(t *testing.T) {
	type family struct {
		name, listen, carrier, phone string
		net                          []netip.Prefix
		level, option, carried       int
	}
	for _, c := range []family{
		{"IPv4", "127.0.0.1", "127.0.0.8", "127.0.0.9", prefixes("127.0.0.8/32"), syscall.IPPROTO_IP, syscall.IP_RECVTOS, syscall.IP_TOS},
		{"a network", "127.0.0.1", "127.0.4.8", "127.0.5.9", prefixes("192.0.2.0/24", "127.0.4.0/24"), syscall.IPPROTO_IP, syscall.IP_RECVTOS, syscall.IP_TOS},
		{"IPv4 on a socket of IPv6", "::", "127.0.0.8", "127.0.0.9", prefixes("127.0.0.8/32"), syscall.IPPROTO_IP, syscall.IP_RECVTOS, syscall.IP_TOS},
		{"IPv6", "::1", "::1", "", prefixes("::1/128"), syscall.IPPROTO_IPV6, syscall.IPV6_RECVTCLASS, syscall.IPV6_TCLASS},
	} {
		for _, own := range []int{0, 24} {
			t.Run(fmt.Sprintf("%s, the box's own is %d", c.name, own), func(t *testing.T) {
				s, err := New(Config{DSCP: own})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = s.Close() }()
				if err := s.ListenUDP(netip.AddrPortFrom(netip.MustParseAddr(c.listen), 0)); err != nil {
					t.Fatal(err)
				}
				got := map[string]int{}
				sent := func(to string) int {
					if to == "" {
						return own // this machine has one such address
					}
					conn := marked(t, to, c.level, c.option)
					if err := s.Send(newRequest(sip.OPTIONS, "x"), s.flowTo("udp", addrPortOf(conn.LocalAddr()))); err != nil {
						t.Fatal(err)
					}
					return tosOf(t, conn, c.level, c.carried) >> 2
				}
				stop := s.Mark(c.net, 46)
				got["the carrier"], got["a phone"] = sent(c.carrier), sent(c.phone)
				stopped := s.Mark(c.net, 26)
				got["the carrier, marked anew"] = sent(c.carrier)
				stop()
				got["the carrier, the old mark taken back"] = sent(c.carrier)
				stopped()
				got["the carrier, without a mark of its own"] = sent(c.carrier)
				want := map[string]int{
					"the carrier": 46, "a phone": own, "the carrier, marked anew": 26,
					"the carrier, the old mark taken back": 26, "the carrier, without a mark of its own": own,
				}
				if !maps.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

func TestTheNarrowestNetworkDecidesTheMark(t *testing.T) {
	s, err := New(Config{DSCP: 24})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	defer s.Mark(prefixes("192.0.2.7/32"), 46)()
	defer s.Mark(prefixes("192.0.2.0/24", "2001:db8::/32"), 26)()
	defer s.Mark(prefixes("0.0.0.0/0"), 8)()
	for addr, want := range map[string]int{
		"192.0.2.7": 46, "192.0.2.8": 26, "2001:db8::1": 26, "fe80::1%eth0": 24, "198.51.100.1": 8,
	} {
		if got := s.dscpTo(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
	}
}

// markOf reads what a connection marks its packets with.
func markOf(t *testing.T, c *streamConn) (dscp int) {
	t.Helper()
	raw, err := c.raw.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { dscp, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TOS) })
	if err != nil {
		t.Fatal(err)
	}
	return dscp >> 2
}

// connections are the marks of the connections that stand, by the address of the other end.
func (s *Stack) connections(t *testing.T) map[netip.Addr]int {
	t.Helper()
	s.links.mu.RLock()
	defer s.links.mu.RUnlock()
	all := map[netip.Addr]int{}
	for f, c := range s.links.flows {
		all[f.Remote.Addr()] = markOf(t, c)
	}
	return all
}

func TestConnectionsOfACarrierCarryItsMarkAlsoThoseThatStand(t *testing.T) {
	far := newBox(t, Config{DSCP: 24}, &echoer{})
	b := newBox(t, Config{DSCP: 24}, &echoer{})
	us := netip.MustParseAddr("127.0.0.1")
	ask := func() {
		t.Helper()
		results := make(chan Result, 1)
		if _, err := b.Request(newRequest(sip.OPTIONS, "x"), Flow{Transport: "tcp", Remote: far.tcp}, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
		if r := <-results; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	stop := b.Mark(prefixes("127.0.0.1/32"), 46)
	defer far.Mark(prefixes("127.0.0.1/32"), 18)()
	ask()
	want := func(when string, dialled, accepted int) {
		t.Helper()
		if got := b.connections(t); !maps.Equal(got, map[netip.Addr]int{us: dialled}) {
			t.Errorf("%s, dialled: %v, want %d", when, got, dialled)
		}
		if got := far.connections(t); !maps.Equal(got, map[netip.Addr]int{us: accepted}) {
			t.Errorf("%s, accepted: %v, want %d", when, got, accepted)
		}
	}
	want("new", 46, 18)
	stop()
	want("taken back", 24, 18)
	defer b.Mark(prefixes("127.0.0.0/8"), 34)()
	want("marked while it stands", 34, 18)
	ask()
	want("used again", 34, 18)
}

func TestConnectionsCarryTheMarkOfSignalling(t *testing.T) {
	b, far := newBox(t, Config{DSCP: 24}, &echoer{}), newBox(t, Config{DSCP: 24}, &echoer{})
	to := Flow{Transport: "tcp", Remote: far.tcp}
	results := make(chan Result, 1)
	if _, err := b.Request(newRequest(sip.OPTIONS, "x"), to, func(r Result) { results <- r }); err != nil {
		t.Fatal(err)
	}
	if r := <-results; r.Err != nil {
		t.Fatal(r.Err)
	}
	for name, s := range map[string]*Stack{"dialled": b.Stack, "accepted": far.Stack} {
		if got := s.connections(t); !maps.Equal(got, map[netip.Addr]int{netip.MustParseAddr("127.0.0.1"): 24}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
