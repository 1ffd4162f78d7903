package dialog

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// timed is a pair whose user agents want sessions of so many seconds, and take no less than least.
func timed(w *world, alice, bob, least time.Duration) *pair {
	p := newPair(w)
	for n, want := range map[*node]time.Duration{p.alice: alice, p.bob: bob} {
		n.ua.cfg.SessionExpires, n.ua.cfg.MinSE = want, least
	}
	return p
}

// only is the value of the header of a message that has it once.
func only(t *testing.T, m message, name string) string {
	t.Helper()
	all := m.GetHeaders(name)
	if len(all) != 1 {
		t.Errorf("%d times %s in\n%s", len(all), name, m)
		return ""
	}
	return all[0].Value()
}

func (w *world) lastResponse(status int, method sip.RequestMethod) *sip.Response {
	for i := len(w.all) - 1; i >= 0; i-- {
		if res, ok := w.all[i].(*sip.Response); ok && res.StatusCode == status && res.CSeq().MethodName == method {
			return res
		}
	}
	return nil
}

// strip keeps an extension of one side's from the other: it plays a peer that does not know it.
func (p *pair) strip(of *node, change func(msg sip.Message)) {
	p.drop = func(from, to *node, msg sip.Message) bool {
		if from != of {
			return false
		}
		copied, err := sip.ParseMessage([]byte(msg.String()))
		if err != nil {
			p.t.Fatal(err)
		}
		change(copied)
		p.after(time.Millisecond, func() {
			if !to.dead {
				to.receive(copied, to.flow(of))
			}
		})
		return true
	}
}

// requests counts the requests of one method that who has sent, repetitions among them.
func (w *world) requests(who, method string) int {
	n := 0
	for _, line := range w.log {
		if line == who+" "+method {
			n++
		}
	}
	return n
}

func without4028(msg sip.Message) {
	m := msg.(interface {
		message
		RemoveHeader(string) bool
	})
	for _, name := range []string{"Supported", "Session-Expires", "Min-SE", "Require"} {
		for m.RemoveHeader(name) {
		}
	}
}

func TestRFC4028BothSidesAgreeAndTheCallerRefreshesByUPDATE(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := timed(w, 300*time.Second, 600*time.Second, 90*time.Second)
		p.up()
		if got := only(t, w.last(sip.INVITE), "Session-Expires"); got != "300" {
			t.Errorf("the INVITE asks for %s", got)
		}
		if got := only(t, w.lastResponse(200, sip.INVITE), "Session-Expires"); got != "300;refresher=uac" {
			t.Errorf("the 200 grants %s", got)
		}
		if !requires(w.lastResponse(200, sip.INVITE), "timer") {
			t.Error("the 200 does not require timer")
		}
		p.run(time.Hour + time.Second)
		if a, b := p.requests("alice", "UPDATE"), p.requests("bob", "UPDATE"); a != 24 || b != 0 { // each 150 s
			t.Errorf("alice refreshed %d times, bob %d times", a, b)
		}
		if len(w.last(sip.UPDATE).Body()) > 0 {
			t.Error("the UPDATE has a body")
		}
		if got := only(t, w.last(sip.UPDATE), "Session-Expires"); got != "300;refresher=uac" {
			t.Errorf("the UPDATE asks for %s", got)
		}
		p.want("180 Answered", "Confirmed")
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC4028APeerWithoutSupportIsRefreshedByUs(t *testing.T) {
	for name, c := range map[string]struct {
		old    func(*pair) *node
		update bool
	}{
		"the callee":                  {func(p *pair) *node { return p.bob }, true},
		"the caller":                  {func(p *pair) *node { return p.alice }, true},
		"a callee without UPDATE too": {func(p *pair) *node { return p.bob }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := timed(w, 300*time.Second, 300*time.Second, 90*time.Second)
				old := c.old(p)
				p.strip(old, func(msg sip.Message) {
					without4028(msg)
					if !c.update {
						msg.(interface{ RemoveHeader(string) bool }).RemoveHeader("Allow")
					}
				})
				p.up()
				for _, s := range []*Session{p.aliceCall, p.bobCall} {
					s.Bind(func(e Event) {
						if _, ok := e.(Reoffered); ok {
							s.AnswerReoffer([]byte(answer))
						}
					})
				}
				p.run(time.Hour + time.Second)
				who, method := "alice", "UPDATE"
				if old == p.alice {
					who = "bob"
				}
				if !c.update {
					method = "INVITE"
				}
				// 24 halves of 300 s; the peer has timers after all and only cannot say so, so it may refresh as well.
				if n := p.requests(who, method); n < 24 {
					t.Errorf("%s refreshed %d times by %s", who, n, method)
				}
				if !c.update {
					var versions []string
					for _, m := range w.all {
						if req, ok := m.(*sip.Request); ok && req.Method == sip.INVITE && fromTag(req) == fromTag(w.last(sip.INVITE)) {
							versions = append(versions, strings.Fields(string(req.Body()))[2])
						}
					}
					if got := strings.Trim(strings.Join(versions, ""), "1"); got != "" {
						t.Errorf("the o= version moves: %v", versions)
					}
				}
				if !p.aliceCall.state.Live() || !p.bobCall.state.Live() {
					t.Error("the call is over")
				}
				p.aliceCall.Hangup(hangup)
				p.run(2 * core.Life)
			})
		})
	}
}

func TestRFC4028ASilentPeerIsHungUpBeforeTheSessionExpires(t *testing.T) {
	for name, dead := range map[string]func(*pair) (gone *node, left **Session, ear *ear){
		"the one who refreshes": func(p *pair) (*node, **Session, *ear) { return p.alice, &p.bobCall, p.bobEar },
		"the one who does not":  func(p *pair) (*node, **Session, *ear) { return p.bob, &p.aliceCall, p.aliceEar },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := timed(w, 300*time.Second, 300*time.Second, 90*time.Second)
				p.up()
				gone, _, e := dead(p)
				gone.dead = true
				p.run(149 * time.Second)
				if e.ended > 0 {
					t.Error("ended too early")
				}
				p.run(119 * time.Second) // 268 s = 300 - 32
				if got := e.String(); !strings.HasSuffix(got, "Ended(timeout)") {
					t.Errorf("heard %s", got)
				}
			})
		})
	}
}

func TestRFC4028A422IsAskedAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := timed(w, 300*time.Second, 3600*time.Second, 90*time.Second)
		p.bob.ua.cfg.MinSE = 1000 * time.Second
		p.up()
		p.counted("bob", "422 INVITE", 1)
		if got := only(t, w.lastResponse(422, sip.INVITE), "Min-SE"); got != "1000" {
			t.Errorf("Min-SE %s", got)
		}
		invite := w.last(sip.INVITE)
		if got := only(t, invite, "Session-Expires") + " " + only(t, invite, "Min-SE"); got != "1000 1000" || invite.CSeq().SeqNo != 2 {
			t.Errorf("asked again for %s, CSeq %d", got, invite.CSeq().SeqNo)
		}
		p.aliceCall.Reoffer([]byte(hold)) // every re-INVITE negotiates anew
		p.run(tick)
		if got := only(t, w.last(sip.INVITE), "Session-Expires"); got != "1000;refresher=uac" {
			t.Errorf("the re-INVITE asks for %s", got)
		}
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		if got := only(t, w.lastResponse(200, sip.INVITE), "Session-Expires"); got != "1000;refresher=uac" {
			t.Errorf("its 200 grants %s", got)
		}
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC4028TheTimerSurvivesAKill(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := timed(w, 300*time.Second, 300*time.Second, 90*time.Second)
		p.up()
		p.run(100 * time.Second)
		p.killAlice()
		p.killBob()
		p.run(51 * time.Second)
		if n := p.requests("alice", "UPDATE"); n != 1 {
			t.Errorf("alice refreshed %d times", n)
		}
		p.run(time.Hour)
		p.want("180 Answered", "Confirmed")
		p.alice.dead = true
		p.run(300 * time.Second)
		if got := p.bobEar.String(); got != "Confirmed Ended(timeout)" {
			t.Errorf("bob heard %s", got)
		}
	})
}

func TestRFC4028WithoutAWishNoTimerRuns(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := timed(w, -1, -1, 90*time.Second)
		p.up()
		if w.last(sip.INVITE).GetHeader("Session-Expires") != nil || w.lastResponse(200, sip.INVITE).GetHeader("Session-Expires") != nil {
			t.Error("a session timer that nobody wants")
		}
		p.run(24 * time.Hour)
		p.want("180 Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC4028ACallMayAskForItsOwnInterval(t *testing.T) {
	for want, expires := range map[string]time.Duration{"600": 10 * time.Minute, "90": time.Second, "": -1} {
		inWorld(t, 1, func(w *world) {
			p := timed(w, 300*time.Second, -1, 90*time.Second)
			r := p.request()
			r.SessionExpires = expires
			s, err := p.alice.ua.Invite(r)
			if err != nil {
				t.Fatal(err)
			}
			p.run(tick)
			got := ""
			if h := w.last(sip.INVITE).GetHeader("Session-Expires"); h != nil {
				got = h.Value()
			}
			if got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
			s.Hangup(hangup)
			p.over()
		})
	}
}
