package presence

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func udpFlow(remote string) stack.Flow {
	return stack.Flow{Transport: "udp", Local: netip.MustParseAddrPort("192.0.2.1:5060"), Remote: netip.MustParseAddrPort(remote)}
}

func tcpFlow(remote string) stack.Flow {
	f := udpFlow(remote)
	f.Transport = "tcp"
	return f
}

// network is the other end of everything: it takes what the server sends and answers as the test
// says, after 3 ms.
type network struct {
	mu     sync.Mutex
	sent   []sentRequest
	dead   map[stack.Flow]bool
	answer func(req *sip.Request, to stack.Flow) stack.Result // nil = 200
}

type sentRequest struct {
	*sip.Request
	to stack.Flow
	at time.Time
}

func (n *network) Contact(f stack.Flow) (string, int) {
	return f.Local.Addr().String(), int(f.Local.Port())
}

func (n *network) Alive(f stack.Flow) bool { n.mu.Lock(); defer n.mu.Unlock(); return !n.dead[f] }

func (n *network) kill(f stack.Flow) { n.mu.Lock(); n.dead[f] = true; n.mu.Unlock() }

func (n *network) answers(f func(*sip.Request, stack.Flow) stack.Result) {
	n.mu.Lock()
	n.answer = f
	n.mu.Unlock()
}

func status(code int, headers ...string) func(*sip.Request, stack.Flow) stack.Result {
	return func(*sip.Request, stack.Flow) stack.Result {
		res := sip.NewResponse(code, "")
		for i := 0; i+1 < len(headers); i += 2 {
			res.AppendHeader(sip.NewHeader(headers[i], headers[i+1]))
		}
		return stack.Result{Response: res}
	}
}

func silence(*sip.Request, stack.Flow) stack.Result { return stack.Result{Err: stack.ErrTimeout} }

func (n *network) Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error) {
	if n.mu.Lock(); n.dead[to] {
		n.mu.Unlock()
		return nil, stack.ErrTransport
	}
	n.sent = append(n.sent, sentRequest{req, to, time.Now()})
	answer := n.answer
	n.mu.Unlock()
	res, after := stack.Result{Response: sip.NewResponse(200, "OK")}, 3*time.Millisecond
	if answer != nil {
		res = answer(req, to)
	}
	if res.Err != nil {
		after = 32 * time.Second // timer F
	}
	time.AfterFunc(after, func() { sink(res) })
	return nil, nil
}

// take returns what was sent since the last call.
func (n *network) take() []sentRequest {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.sent
	n.sent = nil
	return all
}

// book is the registrar: phones whose name begins with 2 are known, and proved by a password header.
type book struct {
	mu       sync.Mutex
	bindings map[tel.DeviceID][]registrar.Binding
}

func (b *book) Authenticate(req *sip.Request, _ stack.Flow) (tel.DeviceID, []sip.Header, int) {
	if req.GetHeader("Authorization") == nil {
		return "", []sip.Header{sip.NewHeader("WWW-Authenticate", "Digest realm=\"pronto\"")}, 401
	}
	return tel.DeviceID(req.From().Address.User), nil, 0
}

func (b *book) Bindings(dev tel.DeviceID) []registrar.Binding {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.bindings[dev])
}

func (b *book) set(dev tel.DeviceID, list ...registrar.Binding) {
	b.mu.Lock()
	b.bindings[dev] = list
	b.mu.Unlock()
}

func binding(user, host string, flow stack.Flow) registrar.Binding {
	return registrar.Binding{
		Contact: sip.Uri{Scheme: "sip", User: user, Host: host, Port: 5070}, Flow: flow, Reachable: true,
		Expires: time.Now().Add(time.Hour), CallID: "reg-" + user, CSeq: 4,
	}
}

// memory is the hot journal.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
}

func (m *memory) Put(_, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = slices.Clone(value)
	m.puts++
	return nil
}

func (m *memory) Delete(_, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

func (m *memory) load() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

// box is a server with its surroundings: numbers 201 to 299 exist, 250 is nobody's business, 260 may
// be taken away.
type box struct {
	*Server
	t       testing.TB
	net     *network
	book    *book
	journal *memory
	cfg     Config

	mu      sync.Mutex
	gone    string
	moved   map[string]string // number -> resource
	reports []Report
}

func (b *box) watch(watcher tel.DeviceID, p Package, user string) (string, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case p == Registrations && user != string(watcher):
		return "", 403
	case len(user) != 3 || user[0] != '2' && user[0] != '*', user == b.gone:
		return "", 404
	case user == "250":
		return "", 403
	case b.moved[user] != "":
		return b.moved[user], 0
	}
	return user, 0
}

func (b *box) takeAway(user string) { b.mu.Lock(); b.gone = user; b.mu.Unlock(); b.Review() }

func newBox(t testing.TB, change ...func(*Config)) *box {
	b := &box{t: t, net: &network{dead: map[stack.Flow]bool{}}, book: &book{bindings: map[tel.DeviceID][]registrar.Binding{}}, journal: &memory{values: map[string][]byte{}}}
	b.cfg = Config{
		Stack: b.net, Phones: b.book, Journal: b.journal, Watch: b.watch,
		Name:    func(r string) string { return "Name of " + r },
		Mailbox: func(d tel.DeviceID) string { return string(d) },
		Owners:  func(r string) []tel.DeviceID { return []tel.DeviceID{tel.DeviceID(r)} },
		Send: func(sender tel.DeviceID, user string) (Recipient, int) {
			if _, status := b.watch(sender, Presences, user); status != 0 {
				return Recipient{}, status
			}
			return Recipient{Devices: []tel.DeviceID{tel.DeviceID(user)}, FromNumber: tel.Number(sender), FromName: "Anna \"A\""}, 0
		},
		Quality: func(r Report) { b.mu.Lock(); b.reports = append(b.reports, r); b.mu.Unlock() },
	}
	for _, c := range change {
		c(&b.cfg)
	}
	b.Server = New(b.cfg)
	return b
}

// inBubble runs a test in virtual time, with the server closed at its end.
func inBubble(t *testing.T, f func(*testing.T, *box), change ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, change...)
		defer func() { b.Close() }()
		f(t, b)
		time.Sleep(33 * time.Second) // what was sent gets its answer
	})
}

// crash replaces the server by the next process.
func (b *box) crash() {
	b.Close()
	b.net.take()
	b.Server = New(b.cfg)
	if err := b.Restore(b.journal.load()); err != nil {
		b.t.Error(err)
	}
	synctest.Wait()
}

type fakeTx struct {
	req  *sip.Request
	flow stack.Flow
	got  chan *sip.Response
}

func (t *fakeTx) Request() *sip.Request         { return t.req }
func (t *fakeTx) Flow() stack.Flow              { return t.flow }
func (t *fakeTx) Respond(r *sip.Response) error { t.got <- r; return nil }

// send hands a request to the server and returns the final response.
func (b *box) send(text string, flow stack.Flow) *sip.Response {
	b.t.Helper()
	msg, err := sip.NewParser().ParseSIP([]byte(text))
	if err != nil {
		b.t.Fatalf("the test's own request: %v\n%s", err, text)
	}
	tx := &fakeTx{msg.(*sip.Request), flow, make(chan *sip.Response, 2)}
	if !b.Request(tx) {
		b.t.Fatalf("the server does not want a %s", tx.req.Method)
	}
	res := <-tx.got
	synctest.Wait()
	if len(tx.got) != 0 {
		b.t.Fatal("two final responses")
	}
	return res
}

// phone writes requests.
type phone struct {
	user, callID string
	cseq         int
	contact      string
	flow         stack.Flow
	toTag        string
}

func newPhone(user string) *phone {
	return &phone{user: user, callID: "call-of-" + user, cseq: 100, contact: "<sip:" + user + "@192.0.2.50:5070>", flow: udpFlow("192.0.2.50:5070")}
}

func (p *phone) text(method, to, body string, headers ...string) string {
	var s strings.Builder
	p.cseq++
	tag := ""
	if p.toTag != "" {
		tag = ";tag=" + p.toTag
	}
	fmt.Fprintf(&s, "%s sip:%s@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.50:5070;branch=z9hG4bK%d;rport\r\n", method, to, p.cseq)
	fmt.Fprintf(&s, "From: \"Anna\" <sip:%s@192.0.2.1>;tag=phone\r\nTo: <sip:%s@192.0.2.1>%s\r\n", p.user, to, tag)
	fmt.Fprintf(&s, "Call-ID: %s\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\nAuthorization: yes\r\n", p.callID, p.cseq, method)
	if p.contact != "" {
		s.WriteString("Contact: " + p.contact + "\r\n")
	}
	for _, h := range headers {
		s.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&s, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return s.String()
}

// subscribe asks, and remembers the dialog that a 200 makes.
func (p *phone) subscribe(b *box, p2 Package, to string, expires int, headers ...string) *sip.Response {
	b.t.Helper()
	headers = append([]string{"Event: " + string(p2), fmt.Sprintf("Expires: %d", expires)}, headers...)
	res := b.send(p.text("SUBSCRIBE", to, "", headers...), p.flow)
	if res.StatusCode == 200 {
		p.toTag = tagOf(res.To().Params)
	}
	return res
}

func want(t testing.TB, res *sip.Response, code int) *sip.Response {
	t.Helper()
	if res.StatusCode != code {
		t.Fatalf("status %d %s, want %d", res.StatusCode, res.Reason, code)
	}
	return res
}

func header(m interface{ GetHeader(string) sip.Header }, name string) string {
	if h := m.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// one is the only NOTIFY since the last look.
func (b *box) one() sentRequest {
	b.t.Helper()
	synctest.Wait()
	all := b.net.take()
	if len(all) != 1 {
		b.t.Fatalf("%d requests were sent, want one: %v", len(all), all)
	}
	return all[0]
}

// none fails the test when something was sent.
func (b *box) none() {
	b.t.Helper()
	synctest.Wait()
	if all := b.net.take(); len(all) != 0 {
		b.t.Fatalf("%d requests were sent, want none: %v", len(all), all)
	}
}
