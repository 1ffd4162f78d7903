package appliance

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The voices of the customer and of the agent.
const (
	hzCustomer = 980
	hzAnna     = 620
)

// sender is a peer whose calls are answered by the test.
func sender(t *testing.T, cfg peer.Config) (p *peer.Peer, rings <-chan *peer.Call) {
	t.Helper()
	all := make(chan *peer.Call, 8)
	cfg.Law = tone.ALaw
	cfg.Incoming = func(c *peer.Call) { c.Ring(); all <- c }
	p, err := peer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, all
}

// picksUp answers the next call.
func picksUp(t *testing.T, rings <-chan *peer.Call) *peer.Call {
	t.Helper()
	select {
	case c := <-rings:
		if !c.Answer() {
			t.Fatalf("the call of %s is gone", c.Caller)
		}
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no call comes")
		return nil
	}
}

// hears waits until half a second of what somebody hears is the other: what was under way when they were connected
// is not judged.
func hears(b *bench, who string, c *peer.Call, hz int) {
	b.t.Helper()
	c.Audio().Forget()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c.Audio().Packets() < 25 && time.Now().Before(end) {
			continue
		}
		err := tone.Heard(c.Audio().Heard(), hz)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: after %d packets %v", who, c.Audio().Packets(), err)
		}
		c.Audio().Forget()
	}
}

// posts sends a form of a screen and returns the page, which must say what is wanted.
func posts(t *testing.T, v *pbxtest.Visitor, path, fields, wants string) string {
	t.Helper()
	form, err := url.ParseQuery(fields)
	if err != nil {
		t.Fatal(err)
	}
	status, page := v.Post(path+"?lang=en", form)
	if status != http.StatusOK && status != http.StatusSeeOther || !strings.Contains(page, wants) {
		t.Fatalf("%s, %s: %d, without %q\n%s", path, fields, status, wants, page)
	}
	return page
}

// From a box out of its carton to a customer who is answered: everything by the forms of the page, over HTTP, each
// step judged by the box itself.
func TestANewBoxIsSetUpByItsPageAndAnswersItsFirstCall(t *testing.T) {
	b := start(t, "lamps:\n  - {id: desk1, driver: sim}\n")
	at := netip.AddrPortFrom(newAddress(), 5060)
	box := netip.MustParseAddrPort(b.sip)
	carrier, mobile := sender(t, peer.Config{Listen: at, Box: box, Hz: hzCustomer, Accounts: map[string]string{ourNumber: ourSecret}})
	v := pbxtest.Visit(t, b.live.Current().Web.Listen.String())
	v.Claim(string(b.box.accounts.Code()))
	if status, _ := v.Get("/"); status != http.StatusSeeOther {
		t.Fatalf("the owner of a new box is not led into the set-up: %d", status)
	}
	screen := func(n int, fields, wants string) string {
		t.Helper()
		return posts(t, v, fmt.Sprint("/setup/", n), fields, wants)
	}
	screen(1, "do=begin&language=en", "")
	screen(2, "do=you&mobile=0698765432", "")
	screen(3, "do=place&name=Bottega&town=bologna&timezone=Europe/Rome", "San Petronio")
	screen(5, "do=today&plug=letter", "Have the letter at hand")

	// The letter says the number without +39; the carrier wants it with.
	screen(6, fmt.Sprintf("do=account&which=generic-register&server=%s&user=0612345678&password=%s&number=0612345678", at, ourSecret), "other way to write the user:")
	b.eventually("the line is up", func() bool {
		l, ok := now(b, func(l tel.LineChanged) bool { return l.Line == "trunk:generic-register" })
		return ok && l.Up
	})
	screen(7, "do=call&which=trunk:generic-register&number=0698765432", "")
	tried := picksUp(t, mobile)
	tried.Audio().Press("1")
	v.Shows("/setup/7?lang=en", "Calls out: heard in both directions")
	in, err := carrier.CallIn(ourNumber, peer.Outgoing{To: ourNumber, From: customer})
	if err != nil {
		t.Fatal(err)
	}
	v.Shows("/setup/7?lang=en", "rang here")
	in.Hangup()
	screen(7, "do=look", "A line works in both directions")

	page := screen(8, "do=people&names=Anna+Bianchi%0ABruno+Rossi", "People added: 2")
	password := regexp.MustCompile(`<td>201</td><td><code class="secret">([^<]+)</code>`).FindStringSubmatch(page)
	if password == nil {
		t.Fatalf("no password for Anna's telephone in %s", page)
	}
	v.Shows("/setup/9?lang=en", "has not connected yet")
	phone, anna := sender(t, peer.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: box, User: "201", Password: password[1], Hz: hzAnna})
	if _, err := phone.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	v.Shows("/setup/9?lang=en", "is connected from 127.0.0.1")
	screen(9, "do=ring&which=201", "201 rings now")
	picksUp(t, anna).Hangup()
	screen(9, "do=look", "A telephone is connected")

	screen(10, "do=queue&name=Office&number=400&hours=always&mailbox=anna-bianchi", "Queue Office is there")
	screen(11, "do=blink&which=desk1", "desk1 blinks")
	screen(11, "do=give&which=desk1&agent-desk1=anna-bianchi", "It is saved")
	screen(11, "do=on", "")
	status, to := v.Post("/setup/12", url.Values{"do": {"play"}, "number": {"201"}})
	if status != http.StatusSeeOther {
		t.Fatalf("hearing the greeting: %d %s", status, to)
	}
	heard := picksUp(t, anna)
	<-heard.Answered()
	screen(13, "do=login", "People at work: 1")
	heard.Hangup()
	<-heard.Ended()

	// The calls before are over, so that no packet of theirs is on its way to a port that the next one takes.
	<-tried.Ended()
	<-in.Ended()
	b.eventually("the earlier calls are over", func() bool { return len(b.box.calls.Calls()) == 0 })
	first, err := carrier.CallIn(ourNumber, peer.Outgoing{To: ourNumber, From: customer})
	if err != nil {
		t.Fatal(err)
	}
	desk := picksUp(t, anna)
	hears(b, "the customer", first, hzAnna)
	hears(b, "Anna", desk, hzCustomer)
	v.Shows("/setup/13?lang=en", `id="trail-line" class="done"`, `id="trail-queue" class="done"`, `id="trail-phone" class="done"`, `id="trail-lamp" class="done"`, "The call went all the way")
	first.Hangup()
	<-desk.Ended()
	screen(13, "do=look", "Your office answers")

	screen(14, "do=read", "Noted")
	kit := regexp.MustCompile(`AGE-SECRET-KEY-1[A-Z0-9]+`).FindString(screen(15, "do=kit", "AGE-SECRET-KEY-1"))
	if status, page := v.Post("/setup/16?lang=en", url.Values{"do": {"finish"}}); status != http.StatusConflict {
		t.Errorf("the end before the kit is confirmed: %d %s", status, page)
	}
	screen(15, "do=confirm&secret="+strings.ToLower(kit), "This is the key")
	screen(16, "do=finish", "")
	if status, _ := v.Get("/"); status != http.StatusOK {
		t.Errorf("after the end Home is still the set-up: %d", status)
	}
	var owed []string
	for _, d := range b.box.setup.Debts() {
		owed = append(owed, d.ID)
	}
	if got := strings.Join(owed, " "); got != "setup.network setup.message" {
		t.Errorf("owed: %s", got) // what this test has left out
	}
}

// Somebody wants to hear what customers hear: the box rings, and who answers waits in the queue like anybody, at a
// desk or outside, where it costs.
func TestTheBoxCallsSomebodyWhoThenIsACustomer(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	b := start(t, shop+"trunks:\n  - {id: line, name: Linea, "+plain(at, "")+", in: {\"*\": \"queue:sales\"}}\nroutes:\n  - {prefix: \"\", via: [\"trunk:line\"]}\n")
	box := netip.MustParseAddrPort(b.sip)
	_, mobile := sender(t, peer.Config{Listen: at, Box: box, Hz: hzCustomer, Accounts: map[string]string{ourAccount: ourSecret, ourNumber: ourSecret}})
	desk := func(user string, hz int) <-chan *peer.Call {
		p, rings := sender(t, peer.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: box, User: user, Password: "password-of-" + user, Hz: hz})
		if _, err := p.Register(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		b.eventually(user+" is here", func() bool { return b.box.present.reachable(tel.DeviceID(user)) })
		return rings
	}
	anna, carla := desk("201", hzAnna), desk("203", hzCustomer)
	if err := b.box.queues.Login(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	b.eventually("the line is up", func() bool {
		l, ok := now(b, func(l tel.LineChanged) bool { return l.Line == "trunk:line" })
		return ok && l.Up
	})
	v := pbxtest.Visit(t, b.live.Current().Web.Listen.String())
	v.Claim(string(b.box.accounts.Code()))
	for name, x := range map[string]struct {
		fields string
		me     <-chan *peer.Call
		from   tel.Number
	}{
		"at a desk": {"do=call&which=sales&at=203", carla, "203"}, "outside": {"do=call&which=sales&number=333+1234567", mobile, customer},
	} {
		posts(t, v, "/queues/sales/call", x.fields, "")
		me := picksUp(t, x.me)
		agent := picksUp(t, anna)
		if !strings.HasSuffix(agent.Caller, string(x.from[1:])) && agent.Caller != string(x.from) {
			t.Errorf("%s: Anna's telephone shows %q", name, agent.Caller)
		}
		hears(b, name, me, hzAnna)
		hears(b, name+", Anna", agent, hzCustomer)
		me.Hangup()
		<-agent.Ended()
		b.eventually("Anna is ready again", func() bool {
			a, ok := b.box.present.agent("anna")
			return ok && a.State == tel.AgentReady
		})
	}
}

func TestACallThatTheBoxBeganCountsWhenTheTollCountersAreRebuilt(t *testing.T) {
	now := time.Date(2026, 10, 26, 9, 0, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		call tel.CallEnded
		via  string
	}{
		"the box rang somebody outside": {tel.CallEnded{Direction: tel.Outbound, In: "trunk:tim", Out: "phone:201", From: customer, Started: now, Ended: now.Add(time.Minute)}, "trunk:tim"},
		"a call to the outside":         {tel.CallEnded{Direction: tel.Outbound, In: "phone:201", Out: "line:gsm0", To: customer, Started: now, Ended: now.Add(time.Minute)}, "line:gsm0"},
		"a customer's call":             {tel.CallEnded{Direction: tel.Inbound, In: "trunk:tim", Out: "phone:201", From: customer, Started: now, Ended: now.Add(time.Minute)}, ""},
	} {
		r, ok := tollRecord(x.call)
		if ok != (x.via != "") || r.Via != x.via || ok && r.Number != customer {
			t.Errorf("%s: %+v, %v", name, r, ok)
		}
	}
}
