package stack

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// sixBox listens on addr for UDP, TCP and TLS.
func sixBox(t *testing.T, addr string, h Handler) (*Stack, *tls.Config) {
	t.Helper()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	secure, roots := identity(t, "::1", "127.0.0.1")
	at := netip.AddrPortFrom(netip.MustParseAddr(addr), 0)
	for _, err := range []error{s.ListenUDP(at), s.ListenTCP(at), s.ListenTLS(at, secure)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Serve(h)
	return s, &tls.Config{RootCAs: roots}
}

func TestEveryTransportSpeaksBothFamilies(t *testing.T) {
	for _, c := range []struct{ name, listen, from string }{
		{"IPv6 on its own address", "::1", "::1"},
		{"IPv6 on the wildcard address", "::", "::1"},
		{"IPv4 on the wildcard address of IPv6", "::", "127.0.0.1"},
	} {
		for _, transport := range []string{"udp", "tcp", "tls"} {
			t.Run(c.name+" over "+transport, func(t *testing.T) {
				flows := make(chan Flow, 1)
				s, trusting := sixBox(t, c.listen, &recorder{request: func(tx *ServerTx) {
					flows <- tx.Flow()
					_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil))
				}})
				port := s.Addresses(transport)[0].Port()
				to := netip.AddrPortFrom(netip.MustParseAddr(c.from), port).String()
				var conn net.Conn
				var err error
				switch transport {
				case "tls":
					conn, err = tls.Dial("tcp", to, trusting)
				default:
					conn, err = net.Dial(transport, to)
				}
				if err != nil {
					t.Fatal(err)
				}
				p := newLine(t, conn)
				t.Cleanup(func() { _ = conn.Close() })
				mine := addrPortOf(conn.LocalAddr())
				p.send(request("OPTIONS", strings.ToUpper(transport), mine, 1))
				raw, err := p.hear(patience)
				if err != nil || statusOf(raw) != 200 {
					t.Fatalf("heard %q, %v", raw, err)
				}
				if want := ";received=" + mine.Addr().String(); !strings.Contains(raw, want) {
					t.Errorf("no %s in %q", want, raw)
				}
				f := <-flows
				if f.Remote != mine || !s.Alive(f) {
					t.Errorf("flow %v of %v", f, mine)
				}
				// And back: our own request on that flow, with a Via and a Contact that name us.
				host, at := s.Contact(f)
				contact := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: host, Port: at}}
				req := newRequest(sip.INVITE, "back")
				req.AppendHeader(contact)
				if _, err := s.Request(req, f, func(Result) {}); err != nil {
					t.Fatal(err)
				}
				if raw, err = p.hear(patience); err != nil {
					t.Fatal(err)
				}
				us := netip.AddrPortFrom(netip.MustParseAddr(c.from), port).String()
				for _, want := range []string{"Via: SIP/2.0/" + strings.ToUpper(transport) + " " + us + ";", "Contact: <sip:" + us + ">"} {
					if !strings.Contains(raw, want) {
						t.Errorf("no %q in %q", want, raw)
					}
				}
			})
		}
	}
}

func TestABoxOpensConnectionsOverIPv6(t *testing.T) {
	far, trusting := sixBox(t, "::1", &echoer{})
	near, _ := sixBox(t, "::1", &echoer{})
	near.TrustPeer("::1", PeerTLS{Roots: trusting.RootCAs})
	for _, transport := range []string{"udp", "tcp", "tls"} {
		to, err := near.Resolve(t.Context(), sip.Uri{Host: "[::1]", Port: int(far.Addresses(transport)[0].Port())}, transport)
		if err != nil {
			t.Fatal(err)
		}
		results := make(chan Result, 1)
		if _, err := near.Request(newRequest(sip.OPTIONS, transport), to, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
		if r := <-results; r.Err != nil || r.Response.StatusCode != 200 {
			t.Errorf("%s: %+v", transport, r)
		}
	}
}
