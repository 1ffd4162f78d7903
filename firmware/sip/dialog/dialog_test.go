package dialog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestACallIsAnsweredAndHungUp(t *testing.T) {
	for _, caller := range []bool{true, false} {
		inWorld(t, 1, func(w *world) {
			p := newPair(w)
			p.up()
			if got := p.aliceEar.events[1].(Answered).SDP; string(got) != answer {
				t.Errorf("answer %q", got)
			}
			if got := p.bobCall.RemoteOffer(); string(got) != offer {
				t.Errorf("offer %q", got)
			}
			if len(p.aliceJ.kept) != 1 || len(p.bobJ.kept) != 1 {
				t.Errorf("journals hold %d and %d records", len(p.aliceJ.kept), len(p.bobJ.kept))
			}
			if caller {
				p.aliceCall.Hangup(hangup)
				p.run(tick)
				p.want("180 Answered Ended(normal)", "Confirmed Ended(normal remote)")
			} else {
				p.bobCall.Hangup(tel.CauseMediaTimeout)
				p.run(tick)
				p.want("180 Answered Ended(media_timeout remote)", "Confirmed Ended(media_timeout)")
			}
			p.counted("alice", "ACK", 1)
			p.over()
		})
	}
}

func TestACallIsRejectedWithAReasonToTryAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) {
			s.Reject(302, sip.NewHeader("Contact", "<sip:202@127.0.0.9>"), sip.NewHeader("Retry-After", "18 (lunch)"))
		}
		p.call()
		p.run(tick)
		p.want("Rejected(302) Ended(rejected remote)", "Ended(rejected)")
		r := p.aliceEar.events[0].(Rejected)
		if fmt.Sprint(r.Contacts) != "[sip:202@127.0.0.9]" || r.RetryAfter != 18*time.Second {
			t.Errorf("contacts %v, retry after %v", r.Contacts, r.RetryAfter)
		}
		p.over()
	})
}

func TestTheCallerGivesUpWhileItRings(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		cleared := 0
		p.aliceCall.Cleared(func() { cleared++ })
		p.run(tick)
		p.aliceCall.Hangup(tel.CauseAnsweredElsewhere)
		if cleared > 0 {
			t.Error("cleared while it rings")
		}
		p.run(tick)
		if cleared != 1 {
			t.Errorf("cleared %d times", cleared)
		}
		p.aliceCall.Cleared(func() { cleared++ })
		if p.run(tick); cleared != 2 {
			t.Error("who asks late is not told")
		}
		p.want("180 Ended(answered_elsewhere)", "Ended(answered_elsewhere remote)")
		p.counted("alice", "CANCEL", 1)
		p.counted("bob", "487 INVITE", 1)
		p.over()
	})
}

func TestACancelWaitsForTheFirstProvisional(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		w.drop = func(from, _ *node, _ sip.Message) bool { return from == p.bob }
		p.call()
		p.run(tick)
		cleared := 0
		p.aliceCall.Cleared(func() { cleared++ })
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		p.counted("alice", "CANCEL", 0)
		if cleared > 0 || p.aliceEar.String() != "Ended(normal)" {
			t.Errorf("cleared %d times before the CANCEL has left; %q", cleared, p.aliceEar)
		}
		w.drop = nil
		p.run(time.Second) // the INVITE is repeated and answered with 100 from the transaction
		p.bobCall.Provisional(180, nil)
		p.run(tick)
		p.counted("alice", "CANCEL", 1)
		p.counted("bob", "487 INVITE", 1)
		if cleared != 1 {
			t.Errorf("cleared %d times", cleared)
		}
		p.over()
	})
}

func TestTheOtherSideIsClearedAtTheEndOfEachKindOfCall(t *testing.T) {
	for name, end := range map[string]func(p *pair){
		"our BYE is answered":       func(p *pair) { p.up(); p.aliceCall.Hangup(hangup) },
		"their BYE":                 func(p *pair) { p.up(); p.bobCall.Hangup(hangup) },
		"a rejection":               func(p *pair) { p.call(); p.run(tick); p.bobCall.Reject(486) },
		"a peer who has lost power": func(p *pair) { p.up(); p.loss = 1; p.aliceCall.Hangup(hangup); p.run(core.Life) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				end(p)
				cleared := 0
				p.aliceCall.Cleared(func() { cleared++ })
				if p.run(time.Second); cleared != 1 {
					t.Errorf("cleared %d times", cleared)
				}
				w.loss = 0
				p.bobCall.Hangup(hangup)
				p.run(core.Life)
				p.over()
			})
		})
	}
}

// A phone that has answered nothing, or not the CANCEL, is done with when its transaction is dead (RFC 3261 sections
// 9.1 and 17.1.1.2), in the process that has called it and in the next one.
func TestACallThatWasTakenBackIsClearedByItsAnswerOrByTheEndOfItsTransaction(t *testing.T) {
	for name, c := range map[string]struct {
		heard func(p *pair) // before it falls silent
		wakes bool
	}{
		"it has said nothing at all": {func(*pair) {}, false},
		"nothing but 100":            {func(p *pair) { p.run(tick) }, false},
		"it has rung":                {func(p *pair) { p.run(tick); p.bobCall.Provisional(180, nil); p.run(tick) }, false},
		"it has rung and speaks":     {func(p *pair) { p.run(tick); p.bobCall.Provisional(180, nil); p.run(tick) }, true},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed %v", name, killed), func(t *testing.T) {
				inWorld(t, 1, func(w *world) {
					p := newPair(w)
					p.call()
					c.heard(p)
					mute := true
					w.drop = func(from, to *node, _ sip.Message) bool { return mute && (from == p.bob || to == p.bob) }
					p.aliceCall.Hangup(hangup)
					p.run(tick)
					s := p.aliceCall
					if killed {
						p.killAlice()
						if p.aliceCall != nil || len(p.alice.ending) != 1 {
							t.Fatalf("restored %v and %v", p.aliceCall, p.alice.ending)
						}
						s = p.alice.ending[0]
					}
					cleared := 0
					s.Cleared(func() { cleared++ })
					if p.run(core.T1); cleared != 0 {
						t.Fatal("cleared although the phone may ring")
					}
					if mute = !c.wakes; c.wakes {
						p.run(2 * core.T2)
					} else {
						p.run(2 * core.Life)
					}
					if cleared != 1 {
						t.Errorf("cleared %d times", cleared)
					}
					mute = false
					if p.bobCall != nil {
						p.bobCall.Hangup(hangup)
					}
					p.run(2 * core.Life)
				})
			})
		}
	}
}

func TestAChallengedByeIsRepeatedWithCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		auth bool
		byes string
	}{
		"by a trunk that has credentials": {true, "[2 3]"},
		"but never towards others":        {false, "[2]"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				if c.auth {
					p.aliceCall.Authorize(func(res *sip.Response, _ *sip.Request) (sip.Header, error) {
						return sip.NewHeader("Proxy-Authorization", "Digest for "+nonceOf(res)), nil
					})
				}
				p.bob.dead = true // a carrier answers in its place
				var byes []uint32
				w.drop = func(from, _ *node, msg sip.Message) bool {
					req, ok := msg.(*sip.Request)
					if ok && from == p.alice && req.Method == sip.BYE {
						byes = append(byes, req.CSeq().SeqNo)
						res := response(req, 407, "")
						if req.GetHeader("Proxy-Authorization") != nil {
							res = response(req, 200, "")
						}
						res.AppendHeader(sip.NewHeader("Proxy-Authenticate", `Digest nonce="n"`))
						w.after(tick, func() { p.alice.receive(res, p.alice.flow(p.bob)) })
					}
					return false
				}
				p.aliceCall.Hangup(hangup)
				p.run(time.Second)
				if got := fmt.Sprint(byes); got != c.byes {
					t.Errorf("BYEs with CSeq %s, want %s", got, c.byes)
				}
				p.run(core.Life)
				if n := p.alice.ua.Len(); n != 0 {
					t.Errorf("%d sessions left", n)
				}
			})
		})
	}
}

// last is the last request of that method that was put on the wire.
func (w *world) last(method sip.RequestMethod) *sip.Request {
	w.t.Helper()
	for i := len(w.all) - 1; i >= 0; i-- {
		if req, ok := w.all[i].(*sip.Request); ok && req.Method == method {
			return req
		}
	}
	w.t.Fatalf("no %s was sent", method)
	return nil
}

func TestAStrictRouterGetsTheRequestURI(t *testing.T) {
	target := uri(t, "sip:bob@192.0.2.4")
	strict, loose := uri(t, "sip:p1.example.com"), uri(t, "sip:p2.example.com;lr")
	for name, c := range map[string]struct {
		set  []sip.Uri
		uri  string
		left []string
	}{
		"no route":      {nil, "sip:bob@192.0.2.4", nil},
		"loose router":  {[]sip.Uri{loose, strict}, "sip:bob@192.0.2.4", []string{"sip:p2.example.com;lr", "sip:p1.example.com"}},
		"strict router": {[]sip.Uri{strict, loose}, "sip:p1.example.com", []string{"sip:p2.example.com;lr", "sip:bob@192.0.2.4"}},
	} {
		u, set := requestLine(target, c.set)
		var left []string
		for _, r := range set {
			left = append(left, r.String())
		}
		if u.String() != c.uri || fmt.Sprint(left) != fmt.Sprint(c.left) {
			t.Errorf("%s: %s %v, want %s %v", name, u.String(), left, c.uri, c.left)
		}
	}
}

func TestTimerCCancelsACallThatRingsTooLong(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(100 * time.Second)
		p.want("180 180", "") // bob repeats it each minute, which refreshes Timer C
		p.bob.dead = true
		p.run(core.DefaultRing)
		p.want("180 180 Ended(no_answer)", "")
		p.counted("alice", "CANCEL", 11) // nobody answers, so its transaction repeats it: 0, 0.5, 1.5, 3.5, 7.5 ... 31.5 s
	})
}

func TestAForked2xxIsAcknowledgedAndHungUp(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		carolEar := &ear{}
		var carolCall *Session
		carol := w.node("carol", "127.0.0.3:5060", Config{UserAgent: "Pronto", Invite: func(s *Session) {
			carolCall = s
			s.Bind(carolEar.hear)
			s.Provisional(180, nil)
		}})
		w.drop = func(from, to *node, msg sip.Message) bool { // a proxy that forks to both
			if req, ok := msg.(*sip.Request); ok && req.Method == sip.INVITE && to == p.bob {
				copied, err := sip.ParseMessage([]byte(req.String()))
				if err != nil {
					t.Fatal(err)
				}
				w.after(time.Millisecond, func() { carol.receive(copied, carol.flow(p.alice)) })
			}
			return false
		}
		p.onCall = func(s *Session) { s.Provisional(183, []byte(answer)) }
		p.call()
		p.run(tick)
		p.bobCall.Accept([]byte(answer))
		carolCall.Accept([]byte(answer))
		p.run(time.Second)
		p.want("180 183 Answered", "Confirmed")
		if got := carolEar.String(); got != "Confirmed Ended(answered_elsewhere remote)" {
			t.Errorf("carol heard %s", got)
		}
		p.aliceCall.Hangup(hangup)
		p.over()
		if carol.ua.Len() != 0 {
			t.Error("carol still has a session")
		}
	})
}

func TestAChallengeIsAnsweredOncePerNonce(t *testing.T) {
	for name, c := range map[string]struct {
		nonces []string
		auth   bool
		want   string
		sent   int
	}{
		"right at once":           {[]string{"n1"}, true, "Answered", 2},
		"a new nonce in between":  {[]string{"n1", "n2"}, true, "Answered", 3},
		"the same nonce again":    {[]string{"n1", "n1"}, true, "Rejected(407) Ended(forbidden remote)", 2},
		"nobody to answer":        {[]string{"n1"}, false, "Rejected(407) Ended(forbidden remote)", 1},
		"more nonces than enough": {[]string{"a", "b", "c", "d"}, true, "Rejected(407) Ended(forbidden remote)", 4},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				left := c.nonces
				p.onCall = func(s *Session) {
					if len(left) > 0 {
						s.Reject(407, sip.NewHeader("Proxy-Authenticate", `Digest realm="r", nonce="`+left[0]+`"`))
						left = left[1:]
						p.bobEar.ended, p.bobEar.events = 0, nil
						return
					}
					s.Accept([]byte(answer))
				}
				r := p.request()
				if c.auth {
					r.Auth = func(res *sip.Response, req *sip.Request) (sip.Header, error) {
						return sip.NewHeader("Proxy-Authorization", "Digest for "+nonceOf(res)), nil
					}
				}
				s, err := p.alice.ua.Invite(r)
				if err != nil {
					t.Fatal(err)
				}
				p.run(tick)
				if got := p.aliceEar.String(); got != c.want {
					t.Errorf("alice heard %s, want %s", got, c.want)
				}
				p.counted("alice", "INVITE", c.sent)
				invite := w.last(sip.INVITE)
				if n := invite.CSeq().SeqNo; int(n) != c.sent {
					t.Errorf("CSeq of the last INVITE %d, want %d", n, c.sent)
				}
				if c.auth && len(invite.GetHeaders("Proxy-Authorization")) != 1 {
					t.Errorf("the INVITE has not exactly one answer:\n%s", invite)
				}
				if strings.Contains(c.want, "Answered") && w.last(sip.ACK).GetHeader("Proxy-Authorization") == nil {
					t.Error("the ACK of the 2xx lacks the credentials (section 22.1)")
				}
				s.Hangup(hangup)
				p.run(tick)
			})
		})
	}
}

func TestOfferlessInviteOfferInAcceptAnswerInConfirmed(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		w.drop = func(from, _ *node, msg sip.Message) bool {
			req, ok := msg.(*sip.Request)
			if ok && from == p.alice && req.Method == sip.ACK { // alice's ACK carries the answer
				body(req, "application/sdp", []byte(answer))
				copied, err := sip.ParseMessage([]byte(req.String()))
				if err != nil {
					t.Fatal(err)
				}
				w.after(time.Millisecond, func() { p.bob.receive(copied, p.bob.flow(p.alice)) })
				return true
			}
			if ok && from == p.alice && req.Method == sip.INVITE { // and her INVITE no offer
				bare := req.Clone()
				bare.SetBody(nil)
				bare.RemoveHeader("Content-Type")
				copied, err := sip.ParseMessage([]byte(bare.String()))
				if err != nil {
					t.Fatal(err)
				}
				w.after(time.Millisecond, func() { p.bob.receive(copied, p.bob.flow(p.alice)) })
				return true
			}
			return false
		}
		p.onCall = func(s *Session) {
			if s.RemoteOffer() != nil {
				t.Errorf("offer %q", s.RemoteOffer())
			}
			s.Accept([]byte(offer))
		}
		p.call()
		p.run(tick)
		p.want("Answered", "Confirmed")
		if got := p.aliceEar.events[0].(Answered).SDP; string(got) != offer {
			t.Errorf("the 2xx carries %q", got)
		}
		if got := p.bobEar.events[0].(Confirmed).SDP; string(got) != answer {
			t.Errorf("Confirmed carries %q", got)
		}
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestInviteRefusesWhatItCannotSend(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		for name, c := range map[string]struct {
			change func(*InviteRequest)
			want   error
		}{
			"no offer":                  {func(r *InviteRequest) { r.SDP = nil }, ErrNoOffer},
			"no flow":                   {func(r *InviteRequest) { r.Flow = stack.Flow{} }, ErrNoFlow},
			"a header within a header":  {func(r *InviteRequest) { r.Headers = []sip.Header{sip.NewHeader("X", "a\r\nEvil: b")} }, ErrHeader},
			"a line break in the URI":   {func(r *InviteRequest) { r.Target.User = "201 SIP/2.0\r\nEvil: b" }, ErrHeader},
			"a line break in the party": {func(r *InviteRequest) { r.To.URI.User = "x\r\nEvil: b" }, ErrHeader},
		} {
			r := p.request()
			c.change(&r)
			if _, err := p.alice.ua.Invite(r); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if p.alice.ua.Len() != 0 {
			t.Error("a refused call leaves a session")
		}
	})
}

func TestAMessageThatCannotLeaveEndsTheCall(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.alice.refuse = true
		p.call()
		p.run(tick)
		p.want("Rejected(503) Ended(network_failure)", "")
		p.over()
	})
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.alice.refuse = true
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		if got := p.aliceEar.String(); got != "180 Answered Ended(normal)" {
			t.Errorf("alice heard %s", got)
		}
		p.run(2 * core.Life)
		if p.alice.ua.Len() != 0 {
			t.Error("the session stays")
		}
	})
}

func TestAPanicOfTheApplicationEndsOnlyItsCall(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		other := &pair{world: w, alice: p.alice, bob: p.bob, aliceEar: &ear{}, bobEar: &ear{}}
		p.bob.ua.cfg.Invite = func(s *Session) { panic("a fault of the application") }
		other.call()
		p.run(tick)
		if got := other.aliceEar.String(); got != "Rejected(500) Ended(network_failure remote)" {
			t.Errorf("the caller of the broken call heard %s", got)
		}
		if p.bob.ua.Panics() != 1 {
			t.Errorf("%d panics counted", p.bob.ua.Panics())
		}
		p.bobCall.Hangup(hangup)
		p.run(tick)
		p.want("180 Answered Ended(normal remote)", "Confirmed Ended(normal)")
		p.over()
	})
}

func TestCommandsThatDoNotFitAreIgnoredWithAnEvent(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.AnswerReoffer([]byte(answer)); s.Reoffer([]byte(offer)); s.SendInfo("a/b", nil) }
		p.call()
		p.run(tick)
		p.aliceCall.Accept([]byte(answer))
		p.aliceCall.Provisional(180, nil)
		p.run(tick)
		p.want("Ignored(accept) Ignored(provisional)", "Ignored(answer reoffer) Ignored(reoffer) Ignored(info)")
		p.bobCall.Reject(486)
		p.over()
	})
}

func TestEventsBeforeBindAreKept(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.bob.ua.cfg.Invite = func(s *Session) { p.bobCall = s; s.Accept([]byte(answer)) }
		p.call()
		p.run(tick)
		p.want("Answered", "")
		p.bobCall.Bind(p.bobEar.hear)
		p.run(tick)
		p.want("Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestDisplayNamesKeepTheirQuotes(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		from := p.bobCall.Request().From()
		if from.DisplayName != `Front \"desk\"` {
			t.Errorf("display name %q", from.DisplayName)
		}
		p.bobCall.Hangup(hangup)
		p.run(tick)
		if !bytes.Contains([]byte(w.last(sip.BYE).To().Value()), []byte(`"Front \"desk\"" <sip:200@127.0.0.1>`)) {
			t.Errorf("To of the BYE: %s", w.last(sip.BYE).To().Value())
		}
		p.over()
	})
}
