package dialog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	offer  = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
	answer = "v=0\r\no=- 2 1 IN IP4 127.0.0.2\r\ns=-\r\n"
	hold   = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\na=sendonly\r\n"
)

// ear collects the events of one session.
type ear struct {
	events []Event
	ended  int
	late   int // events after Ended
}

func (e *ear) hear(ev Event) {
	if e.ended > 0 {
		e.late++
	}
	if _, ok := ev.(Ended); ok {
		e.ended++
	}
	e.events = append(e.events, ev)
}

// String tells the events in short: "180 Answered Ended(busy remote)".
func (e *ear) String() string {
	var w []string
	for _, ev := range e.events {
		switch v := ev.(type) {
		case Provisional:
			w = append(w, fmt.Sprint(v.Status))
		case Rejected:
			w = append(w, fmt.Sprintf("Rejected(%d)", v.Status))
		case HandoverProgress:
			end := ""
			if v.Final {
				end = " final"
			}
			w = append(w, fmt.Sprintf("HandoverProgress(%d%s)", v.Status, end))
		case Updated:
			w = append(w, fmt.Sprintf("Updated(%d)", v.Status))
		case ReofferDone:
			w = append(w, fmt.Sprintf("ReofferDone(%d)", v.Status))
		case Ended:
			who := ""
			if v.Remote {
				who = " remote"
			}
			w = append(w, fmt.Sprintf("Ended(%s%s)", v.Cause, who))
		case Ignored:
			w = append(w, fmt.Sprintf("Ignored(%s)", v.Command))
		default:
			w = append(w, strings.TrimPrefix(fmt.Sprintf("%T", ev), "core."))
		}
	}
	return strings.Join(w, " ")
}

// pair is two user agents, alice who calls and bob who is called.
type pair struct {
	*world
	alice, bob         *node
	aliceJ, bobJ       *journal
	aliceEar, bobEar   *ear
	aliceCall, bobCall *Session
	onCall             func(*Session)
}

func newPair(w *world) *pair {
	p := &pair{world: w, aliceJ: newJournal(), bobJ: newJournal(), aliceEar: &ear{}, bobEar: &ear{}}
	p.alice = w.node("alice", "127.0.0.1:5060", Config{Journal: p.aliceJ, UserAgent: "Pronto"})
	p.bob = w.node("bob", "127.0.0.2:5060", Config{Journal: p.bobJ, UserAgent: "Pronto", Invite: p.called})
	return p
}

func (p *pair) called(s *Session) {
	p.bobCall = s
	s.Bind(p.bobEar.hear)
	if p.onCall != nil {
		p.onCall(s)
	}
}

func uri(t testing.TB, text string) (u sip.Uri) {
	t.Helper()
	if err := sip.ParseUri(text, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func (p *pair) request() InviteRequest {
	return InviteRequest{
		From:   Address{Display: `Front "desk"`, URI: uri(p.t, "sip:200@127.0.0.1")},
		To:     Address{URI: uri(p.t, "sip:201@127.0.0.2")},
		Target: uri(p.t, "sip:201@127.0.0.2:5060"),
		Flow:   p.alice.flow(p.bob), SDP: []byte(offer), Events: p.aliceEar.hear,
	}
}

func (p *pair) call() {
	p.t.Helper()
	s, err := p.alice.ua.Invite(p.request())
	if err != nil {
		p.t.Fatal(err)
	}
	p.aliceCall = s
}

// want checks what both sides have heard so far.
func (p *pair) want(alice, bob string) {
	p.t.Helper()
	if got := p.aliceEar.String(); got != alice {
		p.t.Errorf("alice heard %q, want %q", got, alice)
	}
	if got := p.bobEar.String(); got != bob {
		p.t.Errorf("bob heard %q, want %q", got, bob)
	}
}

func (p *pair) counted(from, what string, want int) {
	p.t.Helper()
	if got := p.count(from, what); got != want {
		p.t.Errorf("%s sent %d times %q, want %d\n%s", from, got, what, want, strings.Join(p.log, "\n"))
	}
}

// over checks that nothing is left of any call, in memory or in the journals.
func (p *pair) over() {
	p.t.Helper()
	p.run(2 * core.Life)
	if a, b := p.alice.ua.Len(), p.bob.ua.Len(); a+b > 0 {
		p.t.Errorf("sessions left: alice %d, bob %d", a, b)
	}
	if n := len(p.aliceJ.kept) + len(p.bobJ.kept); n > 0 {
		p.t.Errorf("%d records left in the journals", n)
	}
	if n := p.alice.ua.late.Load() + p.bob.ua.late.Load(); n > 0 {
		p.t.Errorf("%d events after Ended", n)
	}
	if n := len(p.bob.ua.merged); n > 0 {
		p.t.Errorf("%d merge keys left", n)
	}
	for name, e := range map[string]*ear{"alice": p.aliceEar, "bob": p.bobEar} {
		if len(e.events) > 0 && e.ended != 1 || e.late > 0 {
			p.t.Errorf("%s heard Ended %d times and %d events after it: %s", name, e.ended, e.late, e)
		}
	}
}

// up makes an established call.
func (p *pair) up() {
	p.t.Helper()
	p.call()
	p.run(tick)
	p.bobCall.Provisional(180, nil)
	p.bobCall.Accept([]byte(answer))
	p.run(tick)
	p.want("180 Answered", "Confirmed")
}

const (
	hangup = tel.CauseNormal
	tick   = 10 * time.Millisecond
)
