package stack

import (
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
			conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(c.peer)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			raw, err := conn.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), c.level, c.option, 1) })
			if err != nil {
				t.Fatal(err)
			}
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
		s.links.mu.RLock()
		for _, c := range s.links.flows {
			raw, err := c.raw.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.Control(func(fd uintptr) {
				if got, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TOS); err != nil || got != 24<<2 {
					t.Errorf("%s: %d, %v", name, got, err)
				}
			})
		}
		if len(s.links.flows) != 1 {
			t.Errorf("%s: %d connections", name, len(s.links.flows))
		}
		s.links.mu.RUnlock()
	}
}
