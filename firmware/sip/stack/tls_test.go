package stack

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/certificate"
)

// identity is a self-made certificate for names.
func identity(t testing.TB, names ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	source, err := certificate.Own(t.TempDir(), names)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := source.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return &tls.Config{GetCertificate: source.GetCertificate}, pool
}

// secureBox is a box that listens for TLS too.
func secureBox(t testing.TB, cfg Config, h Handler) (b *box, at netip.AddrPort, roots *x509.CertPool) {
	t.Helper()
	b = newBox(t, cfg, h)
	secure, roots := identity(t, "127.0.0.1", "box.example")
	if err := b.ListenTLS(netip.MustParseAddrPort("127.0.0.1:0"), secure); err != nil {
		t.Fatal(err)
	}
	return b, b.Addresses("tls")[0], roots
}

func dialTLS(t testing.TB, at netip.AddrPort, cfg *tls.Config) (*line, error) {
	t.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}, Config: cfg}
	conn, err := d.DialContext(t.Context(), "tcp", at.String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newLine(t, conn), nil
}

func TestAPhoneOverTLSIsServedOnItsConnection(t *testing.T) {
	flows := make(chan Flow, 2)
	b, at, roots := secureBox(t, Config{}, &recorder{request: func(tx *ServerTx) {
		flows <- tx.Flow()
		_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil))
	}})
	p, err := dialTLS(t, at, &tls.Config{RootCAs: roots, ServerName: "box.example"})
	if err != nil {
		t.Fatal(err)
	}
	p.send(request("OPTIONS", "TLS", p.addr(), 1))
	if got := p.status(patience); got != 200 {
		t.Fatalf("answered %d", got)
	}
	f := <-flows
	if want := (Flow{"tls", at, p.addr()}); f != want || !b.Alive(f) {
		t.Errorf("flow %v, want %v", f, want)
	}
	if host, port := b.Contact(f); host != "127.0.0.1" || port != int(at.Port()) {
		t.Errorf("contact %s:%d", host, port)
	}
	// The box calls the phone on the same connection.
	if _, err := b.Request(newRequest(sip.INVITE, "back"), f, func(Result) {}); err != nil {
		t.Fatal(err)
	}
	if raw, err := p.hear(patience); err != nil || !strings.Contains(raw, "SIP/2.0/TLS 127.0.0.1:") {
		t.Errorf("heard %q, %v", raw, err)
	}
}

func TestWhoDoesNotEndItsHandshakeIsClosedAndAGoodClientBesideIsServed(t *testing.T) {
	b, at, roots := secureBox(t, Config{Greeting: 2 * time.Second}, &echoer{}) // in which a slow machine does a handshake, too
	good, err := dialTLS(t, at, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	good.send(request("OPTIONS", "TLS", good.addr(), 1))
	if got := good.status(patience); got != 200 {
		t.Fatalf("answered %d", got)
	}
	raw := func(first string) *line {
		conn, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		l := newLine(t, conn)
		l.send(first)
		return l
	}
	bad := map[string]*line{
		"one that is mute":                    raw(""),
		"one that stops in its hello":         raw("\x16\x03\x01"),
		"one that speaks SIP without TLS":     raw(request("OPTIONS", "TLS", good.addr(), 2)),
		"one that sends a record of 64 kB":    raw("\x16\x03\x03\xff\xff" + strings.Repeat("x", 70000)),
		"one that ends after a minimal hello": raw("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"),
	}
	good.send(request("OPTIONS", "TLS", good.addr(), 3))
	if got := good.status(patience); got != 200 {
		t.Fatalf("meanwhile answered %d", got)
	}
	for name, l := range bad {
		if !l.closedWithin(patience) {
			t.Errorf("%s stays", name)
		}
	}
	if _, err := dialTLS(t, at, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // it must be refused
		t.Error("TLS 1.1 is spoken")
	}
	eventually(t, "all failed handshakes are counted", func() bool { return b.Stats().Handshakes == 6 && b.Stats().Conns == 1 })
}

func TestACertificateIsTrustedAsItsPeerIsConfigured(t *testing.T) {
	for _, c := range []struct {
		name  string
		cert  string // name in the carrier's certificate
		trust map[string]PeerTLS
		known bool // PeerTLS.Roots holds the carrier's certificate
		want  bool
	}{
		{"by the system's authorities a self-made one is not", "carrier.example", nil, false, false},
		{"by its own authority it is", "carrier.example", map[string]PeerTLS{"carrier.example": {}}, true, true},
		{"not for another name", "other.example", map[string]PeerTLS{"carrier.example": {}}, true, false},
		{"for another name that was asked for", "other.example", map[string]PeerTLS{"carrier.example": {Name: "other.example"}}, true, true},
		{"for any name when nobody is to check", "other.example", map[string]PeerTLS{"carrier.example": {Insecure: true}}, false, true},
		{
			"but not when another host at that address is to be checked", "other.example",
			map[string]PeerTLS{"carrier.example": {Insecure: true}, "careful.example": {}},
			true, false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			secure, roots := identity(t, c.cert)
			ln, addr := server(t)
			accepted := make(chan string, 1)
			go func() {
				defer close(accepted)
				conn, err := tls.NewListener(ln, secure).Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				l := newLine(t, conn)
				raw, err := l.hear(patience)
				if err != nil {
					return
				}
				accepted <- raw
				if msg, err := sip.ParseMessage([]byte(raw)); err == nil {
					_, _ = conn.Write([]byte(answerTo(msg, 200, "OK", "t")))
				}
				_, _ = l.hear(patience)
			}()
			b := newBox(t, Config{}, &echoer{})
			for host, p := range c.trust {
				if c.known {
					p.Roots = roots
				}
				b.TrustPeer(host, p)
				b.named(addr, host) // as when the host's name has been resolved
			}
			b.named(addr, "carrier.example")
			results := make(chan Result, 2)
			to := Flow{Transport: "tls", Remote: addr}
			if _, err := b.Request(newRequest(sip.OPTIONS, "x"), to, func(r Result) { results <- r }); err != nil {
				t.Fatal(err)
			}
			r := <-results
			if c.want {
				if r.Err != nil || r.Response.StatusCode != 200 || !strings.Contains(<-accepted, "SIP/2.0/TLS") {
					t.Errorf("heard %+v", r)
				}
			} else {
				var untrusted *UntrustedError
				if !errors.Is(r.Err, ErrTransport) || !errors.As(r.Err, &untrusted) || untrusted.Remote != addr {
					t.Errorf("want an UntrustedError, got %v", r.Err)
				}
				if raw, ok := <-accepted; ok {
					t.Errorf("the carrier was told %q", raw)
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			_ = ln.Close()
			for range accepted { //nolint:revive // wait for its end
			}
		})
	}
}

func TestAConnectionThatNobodyCheckedEndsWhenItsHostMustBeChecked(t *testing.T) {
	far, at, _ := secureBox(t, Config{}, &echoer{})
	b := newBox(t, Config{}, &echoer{})
	b.TrustPeer("careless.example", PeerTLS{Insecure: true})
	b.named(at, "careless.example")
	results := make(chan Result, 1)
	to := Flow{Transport: "tls", Remote: at}
	if _, err := b.Request(newRequest(sip.OPTIONS, "x"), to, func(r Result) { results <- r }); err != nil {
		t.Fatal(err)
	}
	if r := <-results; r.Err != nil || !b.Alive(to) {
		t.Fatalf("%+v", r)
	}
	b.named(at, "careful.example")
	if b.Alive(to) {
		t.Error("the unchecked connection is still used")
	}
	eventually(t, "the far side notices", func() bool { return far.Stats().Conns == 0 })
}

func TestWithoutACertificateThereIsNoTLS(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	for _, cfg := range []*tls.Config{nil, {}} {
		if err := b.ListenTLS(netip.MustParseAddrPort("127.0.0.1:0"), cfg); err == nil {
			t.Error("it listens without a certificate")
		}
	}
}

func tlsTrusting(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}
