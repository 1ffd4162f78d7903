package registrar

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const realm = "pronto"

var (
	lanFlow = udpFlow("192.168.1.50:5070")
	wanFlow = udpFlow("203.0.113.7:5060")
)

func udpFlow(remote string) stack.Flow {
	return stack.Flow{Transport: "udp", Local: netip.MustParseAddrPort("192.168.1.1:5060"), Remote: netip.MustParseAddrPort(remote)}
}

func tcpFlow(remote string) stack.Flow {
	f := udpFlow(remote)
	f.Transport = "tcp"
	return f
}

func tlsFlow(remote string) stack.Flow {
	f := udpFlow(remote)
	f.Transport = "tls"
	return f
}

// fakeStack runs everything at once and answers OPTIONS as the test says.
type fakeStack struct {
	mu     sync.Mutex
	dead   map[stack.Flow]bool
	sent   []*sip.Request
	answer func(req *sip.Request, to stack.Flow) (stack.Result, time.Duration) // nil = 200 at once
}

func (f *fakeStack) Contact(fl stack.Flow) (string, int) {
	return fl.Local.Addr().String(), int(fl.Local.Port())
}

func (f *fakeStack) setDead(fl stack.Flow, dead bool) { f.mu.Lock(); f.dead[fl] = dead; f.mu.Unlock() }

func (f *fakeStack) requests() []*sip.Request { f.mu.Lock(); defer f.mu.Unlock(); return f.sent }

func (f *fakeStack) Alive(fl stack.Flow) bool { f.mu.Lock(); defer f.mu.Unlock(); return !f.dead[fl] }

func (f *fakeStack) setAnswer(a func(*sip.Request, stack.Flow) (stack.Result, time.Duration)) {
	f.mu.Lock()
	f.answer = a
	f.mu.Unlock()
}

func (f *fakeStack) Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error) {
	f.mu.Lock()
	f.sent = append(f.sent, req)
	answer := f.answer
	f.mu.Unlock()
	res, after := stack.Result{Response: sip.NewResponse(200, "OK")}, 3*time.Millisecond
	if answer != nil {
		res, after = answer(req, to)
	}
	time.AfterFunc(after, func() { sink(res) })
	return nil, nil
}

type fakeJournal struct {
	mu     sync.Mutex
	values map[string]map[string][]byte
}

func (j *fakeJournal) Put(kind, key string, value []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.values == nil {
		j.values = map[string]map[string][]byte{}
	}
	if j.values[kind] == nil {
		j.values[kind] = map[string][]byte{}
	}
	j.values[kind][key] = append([]byte(nil), value...)
	return nil
}

func (j *fakeJournal) Delete(kind, key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.values[kind], key)
	return nil
}

func (j *fakeJournal) load(kind string) map[string][]byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := map[string][]byte{}
	for k, v := range j.values[kind] {
		all[k] = v
	}
	return all
}

// fakeTx keeps the final response.
type fakeTx struct {
	req  *sip.Request
	flow stack.Flow
	got  chan *sip.Response
}

func (t *fakeTx) Request() *sip.Request         { return t.req }
func (t *fakeTx) Flow() stack.Flow              { return t.flow }
func (t *fakeTx) Respond(r *sip.Response) error { t.got <- r; return nil }

// box is a registrar with its surroundings.
type box struct {
	*Registrar
	stack   *fakeStack
	journal *fakeJournal
	mu      sync.Mutex
	changes []tel.DeviceChanged
	failed  []string
}

func ha1(user, password string) map[digest.Algorithm]string {
	m := map[digest.Algorithm]string{}
	for _, a := range digest.Algorithms() {
		m[a] = digest.HA1(a, user, realm, password)
	}
	return m
}

// accounts: 201 strong, 202 weak allowed, 203 from anywhere, 204 weak and without qop.
func accounts(user string) (Account, bool) {
	a := Account{Device: tel.DeviceID(user), HA1: ha1(user, "secret-"+user)}
	switch user {
	case "201":
	case "202":
		a.AllowMD5 = true
	case "203":
		a.AnyNetwork, a.AllowMD5 = true, true
	case "204":
		a.AllowMD5, a.AllowNoQOP, a.MaxBindings = true, true, 2
	default:
		return Account{}, false
	}
	return a, true
}

func newBox(t testing.TB, change ...func(*Config)) *box {
	t.Helper()
	b := &box{stack: &fakeStack{dead: map[stack.Flow]bool{}}, journal: &fakeJournal{}}
	cfg := Config{
		Realm: realm, Accounts: accounts, Stack: b.stack, Journal: b.journal, OfferMD5: true, Qualify: -1,
		LAN: func(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() },
		Changed: func(c tel.DeviceChanged) {
			b.mu.Lock()
			b.changes = append(b.changes, c)
			b.mu.Unlock()
		},
		Failed: func(src netip.Addr, user string) {
			b.mu.Lock()
			b.failed = append(b.failed, src.String()+" "+user)
			b.mu.Unlock()
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	b.Registrar = New(cfg)
	t.Cleanup(b.Close)
	return b
}

func (b *box) events() []tel.DeviceChanged {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]tel.DeviceChanged(nil), b.changes...)
}

func parse(t testing.TB, text string) *sip.Request {
	t.Helper()
	msg, err := sip.NewParser().ParseSIP([]byte(text))
	if err != nil {
		t.Fatalf("test's own request: %v\n%s", err, text)
	}
	return msg.(*sip.Request)
}

func (b *box) send(t testing.TB, text string, flow stack.Flow) *sip.Response {
	t.Helper()
	req := parse(t, text)
	req.SetSource(flow.Remote.String())
	tx := &fakeTx{req: req, flow: flow, got: make(chan *sip.Response, 2)}
	b.Register(tx)
	res := <-tx.got
	if len(tx.got) != 0 {
		t.Fatal("two final responses")
	}
	return res
}

// phone writes REGISTERs.
type phone struct {
	user, password string
	callID         string
	cseq           int
	contact        string // whole header value; empty = none
	extra          []string
	flow           stack.Flow
	algorithm      digest.Algorithm
	nonce          string
	nc             uint32
	noQOP          bool
	agent          string
}

func newPhone(user string) *phone {
	return &phone{
		user: user, password: "secret-" + user, callID: "call-" + user, flow: lanFlow, algorithm: digest.SHA256, agent: "Testphone 1.0",
		contact: "<sip:" + user + "@192.168.1.50:5070>",
	}
}

func (p *phone) text(authorization string) string {
	var s strings.Builder
	p.cseq++
	fmt.Fprintf(&s, "REGISTER sip:192.168.1.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.50:5070;branch=z9hG4bK%d;rport\r\n", p.cseq)
	fmt.Fprintf(&s, "From: <sip:%s@192.168.1.1>;tag=f1\r\nTo: <sip:%s@192.168.1.1>\r\n", p.user, p.user)
	fmt.Fprintf(&s, "Call-ID: %s\r\nCSeq: %d REGISTER\r\nMax-Forwards: 70\r\nUser-Agent: %s\r\n", p.callID, p.cseq, p.agent)
	if p.contact != "" {
		fmt.Fprintf(&s, "Contact: %s\r\n", p.contact)
	}
	for _, h := range p.extra {
		s.WriteString(h + "\r\n")
	}
	if authorization != "" {
		fmt.Fprintf(&s, "Authorization: %s\r\n", authorization)
	}
	s.WriteString("Content-Length: 0\r\n\r\n")
	return s.String()
}

// authorization answers with the nonce at hand.
func (p *phone) authorization(t testing.TB, method string) string {
	t.Helper()
	p.nc++
	c := digest.Challenge{Realm: realm, Nonce: p.nonce, Algorithm: p.algorithm, Auth: !p.noQOP}
	a, err := digest.Answer(c, digest.Credentials{Username: p.user, Password: digest.NewSecret(p.password)}, method, "sip:192.168.1.1", p.nc, "0a4f113b")
	if err != nil {
		t.Fatal(err)
	}
	return a.String()
}

// ask sends without credentials and keeps the nonce of the challenge.
func (p *phone) ask(t testing.TB, b *box) *sip.Response {
	t.Helper()
	res := b.send(t, p.text(""), p.flow)
	p.learn(t, res)
	return res
}

func (p *phone) learn(t testing.TB, res *sip.Response) {
	t.Helper()
	if h := res.GetHeader("WWW-Authenticate"); h != nil {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			t.Fatal(err)
		}
		p.nonce, p.nc = c.Nonce, 0
	}
}

// register sends with credentials, asking for a nonce first if there is none.
func (p *phone) register(t testing.TB, b *box) *sip.Response {
	t.Helper()
	if p.nonce == "" {
		p.ask(t, b)
	}
	return b.send(t, p.text(p.authorization(t, "REGISTER")), p.flow)
}

func want(t testing.TB, res *sip.Response, status int) *sip.Response {
	t.Helper()
	if res.StatusCode != status {
		t.Fatalf("status %d, want %d\n%s", res.StatusCode, status, res)
	}
	return res
}

func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) }
