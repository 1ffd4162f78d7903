package presence

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/siptest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const realm = "pronto"

// office is a server behind the real stack, dialogs and registrar, on loopback. Phone N has the
// password "secret-N".
type office struct {
	*box
	udp, tcp netip.AddrPort
	phones   *registrar.Registrar
}

func newOffice(t testing.TB) *office {
	t.Helper()
	st, err := stack.New(stack.Config{UserAgent: "Pronto", SourceRate: 1 << 20, MaxTransactions: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	home := netip.MustParseAddrPort("127.0.0.1:0")
	if err := errors.Join(st.ListenUDP(home), st.ListenTCP(home)); err != nil {
		t.Fatal(err)
	}
	o := &office{udp: st.Addresses("udp")[0], tcp: st.Addresses("tcp")[0]}
	o.phones = registrar.New(registrar.Config{
		Realm: realm, Stack: st, Qualify: -1, OfferMD5: true, LAN: func(netip.Addr) bool { return true },
		Accounts: func(user string) (registrar.Account, bool) {
			a := registrar.Account{Device: tel.DeviceID(user), AllowMD5: true, HA1: map[digest.Algorithm]string{}}
			for _, alg := range digest.Algorithms() {
				a.HA1[alg] = digest.HA1(alg, user, realm, "secret-"+user)
			}
			return a, len(user) == 3 && user[0] == '2'
		},
	})
	o.box = newBox(t, func(c *Config) { c.Stack, c.Phones, c.Name = st, o.phones, func(string) string { return "Anna" } })
	ua := dialog.New(dialog.Config{Stack: dialog.OnStack(st), UserAgent: "Pronto", Other: func(tx *stack.ServerTx) bool {
		if tx.Request().Method == sip.REGISTER {
			o.phones.Register(tx)
			return true
		}
		return o.Request(tx)
	}})
	st.Serve(ua)
	t.Cleanup(func() {
		o.Close()
		o.phones.Close()
		ua.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// device is a phone on a real socket, message by message.
type device struct {
	*siptest.Peer
	t    testing.TB
	user string
	box  netip.AddrPort
}

func (o *office) device(t testing.TB, transport, user string) *device {
	t.Helper()
	at := o.udp
	if transport == "tcp" {
		at = o.tcp
	}
	return &device{siptest.New(t, transport, "127.0.0.1"), t, user, at}
}

// ask sends a request, once without and once with its password, and returns the final response.
func (d *device) ask(req *sip.Request) *sip.Response {
	d.t.Helper()
	d.Send(d.box, req)
	res := d.NextResponse(401)
	challenge, err := digest.ParseChallenge(header(res, "WWW-Authenticate"))
	if err != nil {
		d.t.Fatal(err)
	}
	uri := req.Recipient.String()
	auth, err := digest.Answer(challenge, digest.Credentials{Username: d.user, Password: digest.NewSecret("secret-" + d.user)}, string(req.Method), uri, 1, "0a4f113b")
	if err != nil {
		d.t.Fatal(err)
	}
	req.Via().Params.Add("branch", sip.GenerateBranch())
	req.CSeq().SeqNo++
	for req.RemoveHeader("Authorization") {
	}
	req.AppendHeader(sip.NewHeader("Authorization", auth.String()))
	d.Send(d.box, req)
	return d.NextResponse(0)
}

// request is a new request of the phone's user to a number of the box.
func (d *device) request(method sip.RequestMethod, to string, headers ...string) *sip.Request {
	req := d.NewRequest(method, d.user, sip.Uri{Scheme: "sip", User: to, Host: d.box.Addr().String(), Port: int(d.box.Port())})
	for i := 0; i+1 < len(headers); i += 2 {
		req.AppendHeader(sip.NewHeader(headers[i], headers[i+1]))
	}
	return req
}

// notified takes the next NOTIFY and answers it.
func (d *device) notified() sentRequest {
	d.t.Helper()
	n := d.NextRequest(sip.NOTIFY)
	d.Answer(n, 200, "OK", "", nil)
	return sentRequest{Request: n}
}

func TestSubscriptionOnTheWire(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			o := newOffice(t)
			d := o.device(t, transport, "202")
			req := d.request(sip.SUBSCRIBE, "201", "Event", "dialog", "Expires", "120")
			ok := want(t, d.ask(req), 200)
			first := d.notified()
			if doc, got := states(t, first); got != "" || doc.Version != 0 || tagOf(first.From().Params) != tagOf(ok.To().Params) {
				t.Errorf("first NOTIFY:\n%s", first)
			}
			o.SetDialogs("201", []Dialog{ringing})
			if _, got := states(t, d.notified()); got != "d1=early" {
				t.Errorf("ringing: %s", got)
			}
			// The refresh goes to our Contact, inside the dialog.
			again := d.request(sip.SUBSCRIBE, "201", "Event", "dialog", "Expires", "0")
			again.Recipient = ok.Contact().Address
			again.ReplaceHeader(sip.HeaderClone(ok.To()))
			again.ReplaceHeader(sip.HeaderClone(req.From()))
			again.ReplaceHeader(sip.HeaderClone(req.CallID()))
			again.CSeq().SeqNo = req.CSeq().SeqNo + 1
			want(t, d.ask(again), 200)
			if n := d.notified(); header(n, "Subscription-State") != "terminated;reason=timeout" {
				t.Errorf("the last NOTIFY:\n%s", n)
			}
		})
	}
}

// A phone that was restarted knows nothing of its old subscription: 481 ends it at once.
func TestPhoneThatForgotItsSubscriptionIsLeftAlone(t *testing.T) {
	o := newOffice(t)
	d := o.device(t, "udp", "202")
	want(t, d.ask(d.request(sip.SUBSCRIBE, "201", "Event", "dialog")), 200)
	d.Answer(d.NextRequest(sip.NOTIFY), 481, "Subscription Does Not Exist", "", nil)
	o.settles("no subscription", func(c Counters) bool { return c.Subscriptions == 0 && c.Failed == 1 })
}

func TestTextOnTheWire(t *testing.T) {
	o := newOffice(t)
	sender, reader := o.device(t, "udp", "202"), o.device(t, "tcp", "201")
	reg := reader.request(sip.REGISTER, "201", "Expires", "120")
	reg.Recipient.User = ""
	want(t, reader.ask(reg), 200)
	msg := sender.request(sip.MESSAGE, "201", "Content-Type", "text/plain")
	msg.SetBody([]byte("Caffè?"))
	done := make(chan *sip.Response, 1)
	go func() { done <- sender.ask(msg) }()
	got := reader.NextRequest(sip.MESSAGE)
	if string(got.Body()) != "Caffè?" || got.From().Address.User != "202" {
		t.Errorf("arrived as\n%s", got)
	}
	reader.Answer(got, 200, "OK", "reader", nil)
	want(t, <-done, 200)
}

// settles polls for what has no event outside the server.
func (o *office) settles(what string, is func(Counters) bool) {
	o.t.Helper()
	for deadline := time.Now().Add(siptest.Patience); !is(o.Counters()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("waited in vain for %s: %+v", what, o.Counters())
		}
	}
}

// sippRequest writes one request of a SIPp scenario; square brackets are SIPp's own words.
func sippRequest(method, to, cseq, auth, headers, body string) string {
	contact := "Contact: <sip:202@[local_ip]:[local_port]>\n"
	if method == "MESSAGE" {
		contact = ""
	}
	return fmt.Sprintf(`<send retrans="500"><![CDATA[
%[1]s sip:%[2]s@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: <sip:202@[remote_ip]>;tag=[call_number]
To: <sip:%[2]s@[remote_ip]>
Call-ID: [call_id]
CSeq: %[3]s %[1]s
%[4]s%[5]s%[6]sUser-Agent: SIPp
Max-Forwards: 70
Content-Length: [len]

%[7]s]]></send>
`, method, to, cseq, contact, auth, headers, body)
}

// sippNotify expects a NOTIFY whose body holds the words.
func sippNotify(words ...string) string {
	var b strings.Builder
	b.WriteString(`<recv request="NOTIFY"><action>`)
	for _, w := range words {
		fmt.Fprintf(&b, `<ereg regexp="%s" search_in="msg" check_it="true" assign_to="seen"/>`, w)
	}
	return b.String() + `</action></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
`
}

// sipp runs a scenario in which SIPp is phone 202. between runs while SIPp waits.
func (o *office) sipp(t *testing.T, method, to, headers, body, after string, between func()) {
	t.Helper()
	program, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is not installed (apt install sip-tester)")
		}
		t.Skip("left out: sipp is not installed (apt install sip-tester)")
	}
	dir := t.TempDir()
	scenario := `<?xml version="1.0" encoding="ISO-8859-1" ?>` + "\n<scenario name=\"" + method + "\">\n<Global variables=\"seen\"/>\n" +
		sippRequest(method, to, "1", "", headers, body) + `<recv response="401" auth="true"/>` + "\n" +
		sippRequest(method, to, "2", "[authentication username=202 password=secret-202]\n", headers, body) +
		`<recv response="200"/>` + "\n" + after + `<Reference variables="seen"/>` + "\n</scenario>\n"
	if err := os.WriteFile(filepath.Join(dir, "s.xml"), []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, o.udp.String(), "-sf", "s.xml", "-m", "1", "-i", "127.0.0.1", "-auth_uri", to+"@"+o.udp.String(), "-timeout", "15s", "-timeout_error", "-nostdin", "-trace_err")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if between != nil {
		between()
	}
	if err := cmd.Wait(); err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "*errors.log"))
		for _, l := range logs {
			text, _ := os.ReadFile(l)
			out.Write(text)
		}
		t.Fatalf("SIPp: %v\n%s", err, out.String()[max(0, out.Len()-6000):])
	}
}

func (o *office) watched() {
	o.settles("SIPp to subscribe", func(c Counters) bool { return c.Subscriptions == 1 })
}

// RFC 4235 section 6.1, with SIPp as the phone that watches.
func TestRFC4235Section61SIPpWatchesACall(t *testing.T) {
	o := newOffice(t)
	steps := sippNotify("version=.0. state=.full.", "Subscription-State: active;expires=120", "entity=.sip:201@127.0.0.1") +
		sippNotify("early", "display=.Mario.", "sip:.393331234567@127.0.0.1", "call-id=.x.") + sippNotify("confirmed") + sippNotify("terminated")
	o.sipp(t, "SUBSCRIBE", "201", "Event: dialog\nAccept: application/dialog-info+xml\nExpires: 120\n", "", steps, func() {
		o.watched()
		told := func(n int64) { o.settles("SIPp to be told", func(c Counters) bool { return c.Notified == n }) }
		told(1)
		for i, list := range [][]Dialog{{ringing}, {talking1()}, nil} {
			o.SetDialogs("201", list)
			told(int64(i) + 2)
		}
	})
}

// RFC 3842 section 4, with SIPp as the phone.
func TestRFC3842Section41SIPpHearsOfItsMessages(t *testing.T) {
	o := newOffice(t)
	steps := sippNotify("Messages-Waiting: no") + sippNotify("Messages-Waiting: yes", "Voice-Message: 2/8 .0/2.")
	o.sipp(t, "SUBSCRIBE", "202", "Event: message-summary\nAccept: application/simple-message-summary\nExpires: 3600\n", "", steps, func() {
		o.watched()
		o.SetMessages("202", 2, 8, 0, 2)
	})
}

func TestSIPpWatchesWhoCanBeCalled(t *testing.T) {
	o := newOffice(t)
	o.SetPresence("201", Presence{Open: true})
	o.sipp(t, "SUBSCRIBE", "201", "Event: presence\nAccept: application/pidf+xml\nExpires: 3600\n", "", sippNotify("open")+sippNotify("closed", "Do not disturb"), func() {
		o.watched()
		o.SetPresence("201", Presence{Note: "Do not disturb"})
	})
}

func TestSIPpFetchesItsRegistrations(t *testing.T) {
	o := newOffice(t)
	o.sipp(t, "SUBSCRIBE", "202", "Event: reg\nAccept: application/reginfo+xml\nExpires: 0\n", "", sippNotify("terminated;reason=timeout", "state=.init."), nil)
	o.settles("the fetch to be forgotten", func(c Counters) bool { return c.Subscriptions == 0 && c.Failed == 0 })
}

func TestSIPpPublishesVoiceQuality(t *testing.T) {
	o := newOffice(t)
	o.sipp(t, "PUBLISH", "202", "Event: vq-rtcpxr\nContent-Type: application/vq-rtcpxr\n", strings.ReplaceAll(report, "\r\n", "\n"), "", nil)
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.reports) != 1 || o.reports[0].CallID != "abc@192.0.2.50" {
		t.Errorf("%+v", o.reports)
	}
}

func TestSIPpWritesToAPhone(t *testing.T) {
	o := newOffice(t)
	reader := o.device(t, "udp", "201")
	reg := reader.request(sip.REGISTER, "201", "Expires", "120")
	reg.Recipient.User = ""
	want(t, reader.ask(reg), 200)
	o.sipp(t, "MESSAGE", "201", "Content-Type: text/plain\n", "Pronto?", "", func() {
		got := reader.NextRequest(sip.MESSAGE)
		reader.Answer(got, 200, "OK", "reader", nil)
		if strings.TrimSpace(string(got.Body())) != "Pronto?" {
			t.Errorf("arrived as %q", got.Body())
		}
	})
}

// A change of one number that fifty phones watch, until the last NOTIFY has left.
func BenchmarkChangeToldToFiftyPhones(b *testing.B) {
	x := newBox(b, func(c *Config) { c.Stack = discard{} })
	defer x.Close()
	for i := range 50 {
		p := newPhone(fmt.Sprint(210 + i))
		msg, err := sip.NewParser().ParseSIP([]byte(p.text("SUBSCRIBE", "201", "", "Event: dialog")))
		if err != nil {
			b.Fatal(err)
		}
		tx := &fakeTx{msg.(*sip.Request), p.flow, make(chan *sip.Response, 1)}
		x.Request(tx)
		<-tx.got
	}
	b.ReportAllocs()
	done := make(chan struct{})
	i := 0
	for b.Loop() {
		x.inbox.put(func(o *owner) {
			for _, sub := range o.subs { // as if each had been told long ago
				sub.State.Sent, sub.State.Waiting, sub.State.Changed = time.Time{}, false, false
			}
		}, 0)
		i++
		d := ringing
		d.ID = fmt.Sprint(i)
		x.inbox.put(func(o *owner) {
			x.SetDialogs("201", []Dialog{d})
			o.tellChanges()
			done <- struct{}{}
		}, 0)
		<-done
	}
}

// A fetch over UDP, password and all: SUBSCRIBE, 200, NOTIFY, 200. The phone of the test runs on the
// same processors.
func BenchmarkFetchOverUDP(b *testing.B) {
	o := newOffice(b)
	d := o.device(b, "udp", "202")
	first := d.request(sip.SUBSCRIBE, "201", "Event", "dialog", "Expires", "0")
	d.Send(d.box, first)
	challenge, err := digest.ParseChallenge(header(d.NextResponse(401), "WWW-Authenticate"))
	if err != nil {
		b.Fatal(err)
	}
	nc := uint32(0)
	for b.Loop() {
		nc++
		req := d.request(sip.SUBSCRIBE, "201", "Event", "dialog", "Expires", "0")
		auth, err := digest.Answer(challenge, digest.Credentials{Username: "202", Password: digest.NewSecret("secret-202")}, "SUBSCRIBE", req.Recipient.String(), nc, "0a4f113b")
		if err != nil {
			b.Fatal(err)
		}
		req.AppendHeader(sip.NewHeader("Authorization", auth.String()))
		d.Send(d.box, req)
		if res := d.NextResponse(0); res.StatusCode != 200 {
			b.Fatal(res.StartLine())
		}
		d.notified()
	}
}

// discard is a stack that sends into the void, with messages rendered as they would be.
type discard struct{}

func (discard) Contact(stack.Flow) (string, int) { return "192.0.2.1", 5060 }
func (discard) Alive(stack.Flow) bool            { return true }
func (discard) Request(req *sip.Request, _ stack.Flow, _ func(stack.Result)) (*stack.ClientTx, error) {
	if len(req.String()) == 0 {
		return nil, stack.ErrRequest
	}
	return nil, nil
}

// A real phone shows its colleague, and takes the change. Its message lamp is left to SIPp: the module
// mwi of baresip 1.0.0 subscribes thousands of times a second in most of its runs.
func TestBaresipShowsItsColleague(t *testing.T) {
	program, err := exec.LookPath("baresip")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("baresip is not installed (apt install baresip-core)")
		}
		t.Skip("left out: baresip is not installed (apt install baresip-core)")
	}
	o := newOffice(t)
	o.SetPresence("201", Presence{Open: true})
	dir := t.TempDir()
	config := "sip_listen 127.0.0.1:0\nnet_interface 127.0.0.1\nmodule_path /usr/lib/baresip/modules\n"
	for _, m := range []string{"account", "menu", "contact", "presence"} {
		config += "module_app " + m + ".so\n"
	}
	for name, text := range map[string]string{
		"config": config, "accounts": fmt.Sprintf("<sip:202@%s>;auth_user=202;auth_pass=secret-202;regint=600\n", o.udp),
		"contacts": fmt.Sprintf("\"Anna\" <sip:201@%s>;presence=p2p\n", o.udp),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	screen, err := os.Create(filepath.Join(dir, "screen"))
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	cmd := exec.Command(program, "-f", dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	shows := func(words ...string) {
		t.Helper()
		for deadline := time.Now().Add(2 * siptest.Patience); ; time.Sleep(10 * time.Millisecond) {
			text, err := os.ReadFile(screen.Name())
			if err != nil {
				t.Fatal(err)
			}
			found := true
			for _, w := range words {
				found = found && strings.Contains(string(text), w)
			}
			if found {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("baresip does not show %q, but\n%s\n%+v", words, text, o.Counters())
			}
		}
	}
	o.settles("baresip to subscribe", func(c Counters) bool { return c.Subscriptions == 1 && c.Notified == 1 })
	o.SetPresence("201", Presence{Note: "Do not disturb"})
	shows("changed status from", "Online", "Offline")
}
