package presence

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
)

// screen is who clicks: its calls are only noted, and refused where the test says so.
type screen struct {
	mu     sync.Mutex
	status int
	calls  []Clicked
}

func (s *screen) call(c Clicked) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == 0 {
		s.calls = append(s.calls, c)
	}
	return s.status
}

// clicking runs a test with a server that lets people click.
func clicking(t *testing.T, f func(*testing.T, *box, *screen)) {
	t.Helper()
	s := &screen{}
	inBubble(t, func(t *testing.T, b *box) { f(t, b, s) }, func(c *Config) { c.Call = s.call })
}

// refer sends a REFER and remembers the dialog that it makes.
func (p *phone) refer(b *box, to string, headers ...string) *sip.Response {
	b.t.Helper()
	res := b.send(p.text("REFER", p.user, "", append([]string{"Refer-To: " + to}, headers...)...), p.flow)
	if res.StatusCode == 202 {
		p.toTag = tagOf(res.To().Params)
	}
	return res
}

// followed counts the calls that somebody asks after.
func (b *box) followed() int {
	b.facts.mu.Lock()
	defer b.facts.mu.Unlock()
	return len(b.facts.progress)
}

// says is what a NOTIFY tells: its state and its status line.
func says(t *testing.T, n sentRequest) string {
	t.Helper()
	if header(n, "Event") != "refer" || header(n, "Content-Type") != "message/sipfrag;version=2.0" || tagOf(n.To().Params) != "phone" {
		t.Errorf("NOTIFY:\n%s", n)
	}
	state, _, _ := strings.Cut(header(n, "Subscription-State"), ";expires")
	return state + " " + strings.TrimSpace(string(n.Body()))
}

func TestRFC3515Section24AReferIsToldHowItsCallGoes(t *testing.T) {
	clicking(t, func(t *testing.T, b *box, s *screen) {
		p := newPhone("202")
		res := want(t, p.refer(b, "<sip:0612345@192.0.2.1>"), 202)
		if res.Contact() == nil || p.toTag == "" || header(res, "Expires") != "" {
			t.Errorf("202:\n%s", res)
		}
		c := s.calls[0]
		if c.Call == "" || c.Device != "202" || c.User != "202" || c.Number != "0612345" || c.Silent {
			t.Errorf("the call %+v", c)
		}
		if got := says(t, b.one()); got != "active SIP/2.0 100 Trying" {
			t.Errorf("at once: %s", got)
		}
		time.Sleep(time.Second)
		b.SetProgress(c.Call, 180, false)
		if got := says(t, b.one()); got != "active SIP/2.0 180 Ringing" {
			t.Errorf("ringing: %s", got)
		}
		time.Sleep(time.Second)
		b.SetProgress(c.Call, 200, true)
		if got := says(t, b.one()); got != "terminated;reason=noresource SIP/2.0 200 OK" {
			t.Errorf("answered: %s", got)
		}
		time.Sleep(time.Second)
		if n := b.Counters().Subscriptions; n != 0 || b.followed() != 0 || len(b.journal.load()) != 0 {
			t.Errorf("%d subscriptions, %d calls and %d records are left", n, b.followed(), len(b.journal.load()))
		}
	})
}

func TestAReferThatWantsNoNotifyGetsNone(t *testing.T) { // RFC 4488 section 4
	clicking(t, func(t *testing.T, b *box, s *screen) {
		res := want(t, newPhone("202").refer(b, "<sip:203@192.0.2.1>", "Refer-Sub: false"), 202)
		if header(res, "Refer-Sub") != "false" || !s.calls[0].Silent {
			t.Errorf("202:\n%s", res)
		}
		b.none()
		if len(b.journal.load()) != 0 {
			t.Error("a subscription is kept")
		}
	})
}

func TestReferIsRefused(t *testing.T) {
	clicking(t, func(t *testing.T, b *box, s *screen) {
		const to = "<sip:203@192.0.2.1>"
		for _, c := range []struct {
			name, to string
			status   int
			change   func(text string) string
		}{
			{name: "without a password", to: to, status: 401, change: func(x string) string { return strings.Replace(x, "Authorization: yes\r\n", "", 1) }},
			{name: "without a number", to: "<sip:192.0.2.1>", status: 404},
			{name: "for a name that is no number", to: "<sip:anna@192.0.2.1>", status: 404},
			{name: "with what is no SIP URI", to: "<tel:203>", status: 400},
			{name: "with another method", to: "<sip:203@192.0.2.1;method=BYE>", status: 400},
			{name: "with two targets", to: to + "\r\nRefer-To: " + to, status: 400},
			{name: "for the place of a call", to: "<sip:203@192.0.2.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", status: 403},
			{name: "without a Contact", to: to, status: 400, change: func(x string) string { return strings.Replace(x, "Contact:", "Conduct:", 1) }},
			{name: "with a demand", to: to + "\r\nRequire: weather", status: 420},
			{name: "of a dialog that nobody has", to: to, status: 481, change: func(x string) string {
				return strings.Replace(x, "To: <sip:202@192.0.2.1>", "To: <sip:202@192.0.2.1>;tag=x", 1)
			}},
		} {
			text := newPhone("202").text("REFER", "202", "", "Refer-To: "+c.to)
			if c.change != nil {
				text = c.change(text)
			}
			if res := b.send(text, lanFlow); res.StatusCode != c.status {
				t.Errorf("%s: %d %s, want %d", c.name, res.StatusCode, res.Reason, c.status)
			}
		}
		s.status = 403
		want(t, newPhone("202").refer(b, to), 403)
		b.none()
		if len(s.calls) != 0 || b.Counters().Subscriptions != 0 || len(b.journal.load()) != 0 {
			t.Errorf("calls %v, %d subscriptions, %d records", s.calls, b.Counters().Subscriptions, len(b.journal.load()))
		}
	})
	inBubble(t, func(t *testing.T, b *box) { want(t, newPhone("202").refer(b, "<sip:203@192.0.2.1>"), 403) }) // nobody calls
}

// Only a REFER makes such a subscription (RFC 3515 section 2.4.4); within it SUBSCRIBE gives it up.
func TestASubscriptionToAReferIsRefusedAndMayBeGivenUp(t *testing.T) {
	clicking(t, func(t *testing.T, b *box, s *screen) {
		want(t, newPhone("203").subscribe(b, Referrals, "202", 600), 403)
		p := newPhone("202")
		want(t, p.refer(b, "<sip:203@192.0.2.1>"), 202)
		b.one()
		time.Sleep(time.Second)
		want(t, p.subscribe(b, Referrals, "202", 0), 200)
		if got := says(t, b.one()); got != "terminated;reason=timeout SIP/2.0 100 Trying" {
			t.Errorf("given up: %s", got)
		}
		time.Sleep(time.Second)
		b.SetProgress(s.calls[0].Call, 180, false)
		b.SetProgress(s.calls[0].Call, 200, true)
		b.none()
		if b.followed() != 0 {
			t.Error("the call is remembered though nobody asks after it")
		}
	})
}

func TestAPhoneThatClicksTooOftenIsToldToWait(t *testing.T) {
	clicking(t, func(t *testing.T, b *box, s *screen) {
		statuses := map[int]int{}
		for i := range 20 {
			p := newPhone("202")
			p.callID += string(rune('a' + i))
			statuses[p.refer(b, "<sip:203@192.0.2.1>").StatusCode]++
		}
		if statuses[202] != referralsOf || len(s.calls) != referralsOf || statuses[503] != meterBurst-referralsOf || statuses[480] != 20-meterBurst {
			t.Errorf("answers %v, %d calls", statuses, len(s.calls))
		}
		want(t, newPhone("203").refer(b, "<sip:204@192.0.2.1>"), 202) // others are served
	})
}

// The last word is told also after the death of the process, and a call that died with it is reported.
func TestAReferSurvivesACrash(t *testing.T) {
	clicking(t, func(t *testing.T, b *box, s *screen) {
		lives, dies, tells := newPhone("202"), newPhone("203"), newPhone("204")
		for _, p := range []*phone{lives, dies, tells} {
			want(t, p.refer(b, "<sip:205@192.0.2.1>"), 202)
		}
		time.Sleep(time.Second)
		b.net.answers(silence)
		b.SetProgress(s.calls[2].Call, 486, true)
		time.Sleep(time.Second)
		b.net.answers(nil)
		b.Close()
		b.net.take()
		b.Server = New(b.cfg)
		b.SetProgress(s.calls[0].Call, 180, false) // the call was taken up
		if err := b.Restore(b.journal.load()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(core.Settle + time.Second)
		got := map[string]string{}
		for _, n := range b.net.take() {
			got[n.Recipient.User] = says(t, n)
		}
		for user, want := range map[string]string{
			"202": "active SIP/2.0 180 Ringing",
			"203": "terminated;reason=noresource SIP/2.0 503 Service Unavailable",
			"204": "terminated;reason=noresource SIP/2.0 486 Busy Here",
		} {
			if got[user] != want {
				t.Errorf("%s hears %q, want %q", user, got[user], want)
			}
		}
	})
}

// A REFER that comes again to the process after the crash rings the phones once.
func TestAReferThatComesAgainAfterACrashIsAnsweredAlike(t *testing.T) {
	clicking(t, func(t *testing.T, b *box, s *screen) {
		p := newPhone("202")
		text := p.text("REFER", "202", "", "Refer-To: <sip:203@192.0.2.1>")
		first := tagOf(want(t, b.send(text, p.flow), 202).To().Params)
		b.crash()
		if again := tagOf(want(t, b.send(text, p.flow), 202).To().Params); again != first || len(s.calls) != 1 {
			t.Errorf("tags %q and %q, %d calls", first, again, len(s.calls))
		}
		synctest.Wait()
	})
}
