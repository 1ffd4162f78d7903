package appliance

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// listener is a plain socket that is told the mark of each packet.
type listener struct {
	*net.UDPConn
	t *testing.T
}

func newListener(t *testing.T, at netip.AddrPort) *listener {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_RECVTOS, 1) })
	if err != nil {
		t.Fatal(err)
	}
	return &listener{conn, t}
}

// dscp is the mark of the next message that begins so; others are passed over.
func (l *listener) dscp(begins string) int {
	l.t.Helper()
	_ = l.SetReadDeadline(time.Now().Add(patience))
	for buf, oob := make([]byte, 8192), make([]byte, 256); ; {
		n, m, _, from, err := l.ReadMsgUDP(buf, oob)
		if err != nil {
			l.t.Fatalf("no %s: %v", begins, err)
		}
		msg := string(buf[:n])
		if !strings.HasPrefix(msg, begins) {
			continue
		}
		if strings.HasPrefix(msg, "OPTIONS ") { // else it comes again
			_, _ = l.WriteToUDP([]byte("SIP/2.0 200 OK\r\n"+after(msg, "\r\n")), from)
		}
		all, err := syscall.ParseSocketControlMessage(oob[:m])
		if err != nil || len(all) != 1 || all[0].Header.Type != syscall.IP_TOS {
			l.t.Fatalf("the kernel tells no mark: %v, %v", all, err)
		}
		return int(all[0].Data[0]) >> 2
	}
}

func TestACarriersSignallingCarriesItsMarkAndThatOfPhonesTheBoxs(t *testing.T) {
	carrier := newListener(t, netip.AddrPortFrom(newAddress(), 5060))
	at := carrier.LocalAddr()
	b := start(t, shop+fmt.Sprintf("trunks:\n  - {id: line, name: Linea, server: %q, match: [%q], number: \"0612345678\", sip_dscp: 26}\n", at, at.(*net.UDPAddr).IP.String()+"/32"))
	if got := carrier.dscp("OPTIONS "); got != 26 {
		t.Errorf("the carrier is asked with %d", got)
	}
	phone := newListener(t, netip.MustParseAddrPort("127.0.0.1:0"))
	box := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(b.sip))
	for try, next := range []int{40, 34} {
		if _, err := fmt.Fprintf(writer{phone, box}, "REGISTER sip:box SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKm%d;rport\r\nFrom: <sip:201@box>;tag=a\r\nTo: <sip:201@box>\r\n"+
			"Call-ID: mark%[2]d\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:201@%[1]s>\r\nContent-Length: 0\r\n\r\n", phone.LocalAddr(), try); err != nil {
			t.Fatal(err)
		}
		if got := phone.dscp("SIP/2.0 401"); got != 24 {
			t.Errorf("a phone is answered with %d", got)
		}
		b.apply(func(c *config.Config) { c.Trunks[0].SIPDSCP = next })
		if got := carrier.dscp("OPTIONS "); got != next {
			t.Errorf("after the change the carrier is asked with %d, want %d", got, next)
		}
	}
}

// writer sends what is written to one address.
type writer struct {
	from *listener
	to   *net.UDPAddr
}

func (w writer) Write(b []byte) (int, error) { return w.from.WriteTo(b, w.to) }
