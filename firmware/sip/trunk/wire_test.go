package trunk

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const patienceOfTests = 15 * time.Second

// listening is a stack on loopback; of each transport its own port, since the one that is free for
// UDP may be taken for TCP.
func listening(t *testing.T, cfg stack.Config) (s *stack.Stack, at map[string]netip.AddrPort) {
	t.Helper()
	s, err := stack.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	home := netip.MustParseAddrPort("127.0.0.1:0")
	if err := errors.Join(s.ListenUDP(home), s.ListenTCP(home)); err != nil {
		t.Fatal(err)
	}
	return s, map[string]netip.AddrPort{"udp": s.Addresses("udp")[0], "tcp": s.Addresses("tcp")[0]}
}

// carrierBoard is the other side: a registrar of its own.
type carrierBoard struct{ r *registrar.Registrar }

func (c *carrierBoard) Request(tx *stack.ServerTx)            { c.r.Register(tx) }
func (*carrierBoard) Ack(*sip.Request, stack.Flow)            {}
func (*carrierBoard) StrayResponse(*sip.Response, stack.Flow) {}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patienceOfTests); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestRegistersOverSocketsWithBothAlgorithms(t *testing.T) {
	for name, tc := range map[string]struct {
		transport string
		weak      bool
	}{"UDP, SHA-256": {"udp", false}, "UDP, MD5": {"udp", true}, "TCP, SHA-256": {"tcp", false}} {
		t.Run(name, func(t *testing.T) {
			far, at := listening(t, stack.Config{})
			ha1 := map[digest.Algorithm]string{}
			for _, a := range digest.Algorithms() {
				ha1[a] = digest.HA1(a, "0211", "carrier", "hunter2")
			}
			r := registrar.New(registrar.Config{
				Realm: "carrier", Stack: far, OfferMD5: tc.weak, MD5Agents: []string{"Pronto"}, Qualify: -1,
				Accounts: func(user string) (registrar.Account, bool) {
					return registrar.Account{Device: "box", HA1: ha1, AllowMD5: tc.weak}, user == "0211"
				},
				LAN: netip.Addr.IsLoopback,
			})
			t.Cleanup(r.Close)
			far.Serve(&carrierBoard{r})

			near, _ := listening(t, stack.Config{UserAgent: "Pronto"})
			near.Serve(&carrierBoard{r}) // nothing comes in here
			told, journal := &changes{}, &fakeJournal{}
			tr := made(t, Deps{Stack: near, Changed: told.add, Journal: journal}, func(c *Config) { c.Domain, c.Transport = at[tc.transport].String(), tc.transport })
			tr.Start()
			until(t, "not registered", func() bool { return tr.Status().Up })
			b := r.Bindings("box")
			if len(b) != 1 || b[0].WeakAuth != tc.weak || b[0].Contact.User != tr.view().token || b[0].Flow.Transport != tc.transport || b[0].UserAgent != "Pronto" {
				t.Fatalf("%+v", b)
			}
			tr.Close()

			// The next process is up at once and asks nothing.
			again := made(t, Deps{Stack: near}, func(c *Config) { c.Domain, c.Transport = at[tc.transport].String(), tc.transport })
			if err := again.Restore(journal.load()); err != nil {
				t.Fatal(err)
			}
			before := r.Counters().Registers
			again.Start()
			if !again.Status().Up || r.Counters().Registers != before {
				t.Errorf("%+v", again.Status())
			}
		})
	}
}

func TestWrongPasswordOverSocketsIsNoLoop(t *testing.T) {
	far, at := listening(t, stack.Config{})
	r := registrar.New(registrar.Config{Realm: "carrier", Stack: far, Accounts: func(string) (registrar.Account, bool) { return registrar.Account{}, false }})
	t.Cleanup(r.Close)
	far.Serve(&carrierBoard{r})
	near, _ := listening(t, stack.Config{})
	near.Serve(&carrierBoard{r})
	tr := made(t, Deps{Stack: near}, func(c *Config) { c.Domain = at["udp"].String() })
	tr.Start()
	until(t, "no refusal", func() bool { return r.Counters().Failures == 1 })
	until(t, "the machine waits", func() bool { return tr.view().phase == waiting && tr.view().failures == 1 })
	if n := r.Counters().Registers; n != 2 {
		t.Errorf("%d REGISTERs", n)
	}
}

// exchange is a carrier made of a socket and sipgo's parser.
type exchange struct {
	t      *testing.T
	conn   *net.UDPConn
	box    net.Addr
	parser *sip.Parser
}

func newExchange(t *testing.T) *exchange {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &exchange{t: t, conn: conn, parser: sip.NewParser()}
}

func (x *exchange) next() sip.Message {
	x.t.Helper()
	if err := x.conn.SetReadDeadline(time.Now().Add(patienceOfTests)); err != nil {
		x.t.Fatal(err)
	}
	buf := make([]byte, 65535)
	n, from, err := x.conn.ReadFrom(buf)
	if err != nil {
		x.t.Fatal(err)
	}
	x.box = from
	msg, err := x.parser.ParseSIP(buf[:n])
	if err != nil {
		x.t.Fatal(err)
	}
	return msg
}

func (x *exchange) request(method sip.RequestMethod) *sip.Request {
	x.t.Helper()
	req, ok := x.next().(*sip.Request)
	if !ok || req.Method != method {
		x.t.Fatalf("got %v, want a %s", req, method)
	}
	return req
}

func (x *exchange) send(msg sip.Message) {
	x.t.Helper()
	if _, err := x.conn.WriteTo([]byte(msg.String()), x.box); err != nil {
		x.t.Fatal(err)
	}
}

func (x *exchange) answer(req *sip.Request, status int, headers ...sip.Header) {
	x.t.Helper()
	res := sip.NewResponseFromRequest(req, status, "Text", nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	x.send(res)
}

func challengeHeader(name, realm, nonce string) sip.Header {
	return sip.NewHeader(name, digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: digest.MD5, Auth: true}.String())
}

// office is a box with one trunk, registered with the exchange.
type office struct {
	*Trunk
	ua *dialog.UA
}

func openOffice(t *testing.T, x *exchange, incoming func(*dialog.Session)) office {
	t.Helper()
	near, _ := listening(t, stack.Config{UserAgent: "Pronto"})
	ua := dialog.New(dialog.Config{Stack: dialog.OnStack(near), UserAgent: "Pronto", Invite: incoming})
	t.Cleanup(ua.Close)
	near.Serve(ua)
	tr := made(t, Deps{Stack: near}, func(c *Config) {
		c.Servers, c.Outgoing, c.Incoming = []string{x.conn.LocalAddr().String()}, E164, E164
		c.Numbers = []tel.Number{"+390211001"}
	})
	tr.Start()
	x.answer(x.request(sip.REGISTER), 401, challengeHeader("WWW-Authenticate", "realm-of-tim", "r1"))
	req := x.request(sip.REGISTER)
	if req.GetHeader("Authorization") == nil {
		t.Fatalf("%s", req)
	}
	x.answer(req, 200, sip.NewHeader("Expires", "600"))
	until(t, "not registered", func() bool { return tr.Status().Up })
	return office{tr, ua}
}

// call starts a call and returns its events.
func (o office) call(t *testing.T, to, from tel.Number) <-chan dialog.Event {
	t.Helper()
	r, err := o.Invite(Outgoing{To: to, From: from, SDP: []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan dialog.Event, 16)
	r.Events = func(e dialog.Event) { events <- e }
	if _, err := o.ua.Invite(r); err != nil {
		t.Fatal(err)
	}
	return events
}

func rejection(t *testing.T, events <-chan dialog.Event) dialog.Rejected {
	t.Helper()
	for {
		select {
		case e := <-events:
			if r, ok := e.(dialog.Rejected); ok {
				return r
			}
		case <-time.After(patienceOfTests):
			t.Fatal("no end")
		}
	}
}

func TestCallOutProvesItselfToTheCarrier(t *testing.T) {
	x := newExchange(t)
	o := openOffice(t, x, nil)
	events := o.call(t, "0212345678", "+390211001")
	first := x.request(sip.INVITE)
	if first.Recipient.String() != "sip:+390212345678@tim.it" || first.From().Address.String() != "sip:0211@tim.it" ||
		first.GetHeader("P-Asserted-Identity").Value() != "<sip:+390211001@tim.it>" || first.GetHeader("Proxy-Authorization") != nil {
		t.Errorf("%s", first)
	}
	x.answer(first, 407, challengeHeader("Proxy-Authenticate", "realm-of-tim", "i1"))
	x.request(sip.ACK)
	second := x.request(sip.INVITE)
	a, err := digest.ParseAuthorization(second.GetHeader("Proxy-Authorization").Value())
	if err != nil || !a.Verify(digest.HA1(digest.MD5, "0211", "realm-of-tim", "hunter2"), "INVITE") || a.URI != "sip:+390212345678@tim.it" {
		t.Fatalf("%+v %v", a, err)
	}
	x.answer(second, 486)
	x.request(sip.ACK)
	if r := rejection(t, events); r.Status != 486 {
		t.Errorf("%+v", r)
	}
}

func TestRefusedCredentialsOfACallAreNoLoop(t *testing.T) {
	x := newExchange(t)
	o := openOffice(t, x, nil)
	events := o.call(t, "0212345678", "")
	for _, nonce := range []string{"i1", "i2"} {
		x.answer(x.request(sip.INVITE), 407, challengeHeader("Proxy-Authenticate", "realm-of-tim", nonce))
		x.request(sip.ACK)
	}
	if r := rejection(t, events); r.Status != 407 {
		t.Errorf("%+v", r)
	}
}

func TestStrangersChallengeBehindTheCarrierGetsNothing(t *testing.T) {
	x := newExchange(t)
	o := openOffice(t, x, nil)
	events := o.call(t, "0212345678", "")
	x.answer(x.request(sip.INVITE), 401, challengeHeader("WWW-Authenticate", "thief", "i1"))
	x.request(sip.ACK)
	if r := rejection(t, events); r.Status != 401 {
		t.Errorf("%+v", r)
	}
}

func TestCallInIsRecognisedByTheSecretContact(t *testing.T) {
	x := newExchange(t)
	calls := make(chan *dialog.Session, 1)
	o := openOffice(t, x, func(s *dialog.Session) { calls <- s })
	// It comes from another address of the carrier than the one that registered us.
	other := newExchange(t)
	other.box = x.box
	host, port, err := net.SplitHostPort(other.conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	text := "INVITE sip:" + o.view().token + "@" + x.box.String() + " SIP/2.0\r\nVia: SIP/2.0/UDP " + host + ":" + port + ";branch=z9hG4bKin;rport\r\n" +
		"From: \"Rossi\" <sip:anything@tim.it>;tag=1\r\nTo: <sip:390211001@tim.it>\r\nCall-ID: in1\r\nCSeq: 1 INVITE\r\n" +
		"P-Asserted-Identity: \"Rossi\" <tel:+390288888888>\r\nContact: <sip:c@" + host + ":" + port + ">\r\nContent-Length: 0\r\n\r\n"
	if _, err := other.conn.WriteTo([]byte(text), other.box); err != nil {
		t.Fatal(err)
	}
	select {
	case s := <-calls:
		flow := s.Flow()
		if Match([]*Trunk{o.Trunk}, s.Request(), flow) != o.Trunk || flow.Remote.String() != other.conn.LocalAddr().String() {
			t.Errorf("not recognised: %v", flow)
		}
		if n := o.Called(s.Request()); n != "+390211001" {
			t.Errorf("called %s", n)
		}
		if n, name := o.Caller(s.Request()); n != "+390288888888" || name != "Rossi" {
			t.Errorf("caller %s %s", n, name)
		}
		s.Reject(486)
	case <-time.After(patienceOfTests):
		t.Fatal("no call")
	}
	for {
		if res, ok := other.next().(*sip.Response); ok && res.StatusCode >= 200 {
			if res.StatusCode != 486 {
				t.Errorf("%s", res)
			}
			break
		}
	}
}
