package dialog

import (
	"maps"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// kill ends alice or bob as kill -9 does, and starts the next process from its journal alone.
func (p *pair) kill(n **node, j *journal, e *ear, call **Session) {
	p.t.Helper()
	old := *n
	old.dead = true
	fresh := p.node(old.name, old.addr.String(), Config{Journal: j, UserAgent: "Pronto", Invite: old.ua.cfg.Invite})
	*n = fresh
	sessions, errs := fresh.restore(maps.Clone(j.kept))
	if len(errs) > 0 {
		p.t.Fatal(errs)
	}
	*call = nil
	for _, s := range sessions {
		*call = s
		s.Bind(e.hear)
	}
	if len(sessions) > 1 {
		p.t.Fatalf("%d sessions restored", len(sessions))
	}
}

func (n *node) restore(states map[string][]byte) ([]*Session, []error) {
	n.inline = true
	defer func() { n.inline = false }()
	sessions, ending, errs := n.ua.Restore(states)
	n.ending = ending
	return sessions, errs
}

func (p *pair) killAlice() { p.t.Helper(); p.kill(&p.alice, p.aliceJ, p.aliceEar, &p.aliceCall) }
func (p *pair) killBob()   { p.t.Helper(); p.kill(&p.bob, p.bobJ, p.bobEar, &p.bobCall) }

func TestAnEstablishedCallSurvivesOnBothSides(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.killAlice()
		p.killBob()
		p.run(time.Second)
		if r := p.aliceCall.Restored(); r.Phase != core.Up || string(r.RemoteSDP) != answer || string(r.LocalSDP) != offer || r.SDPVersion != 1 {
			t.Errorf("restored %+v", r)
		}
		p.aliceCall.Reoffer([]byte(hold))
		p.run(tick)
		if got := w.last(sip.INVITE).CSeq().SeqNo; got <= 1000 {
			t.Errorf("CSeq after the restart %d, want a jump by 1,000", got)
		}
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		p.want("180 Answered ReofferDone(200)", "Confirmed Reoffered")
		p.bobCall.Hangup(hangup)
		p.run(tick)
		p.want("180 Answered ReofferDone(200) Ended(normal remote)", "Confirmed Reoffered Ended(normal)")
		p.over()
	})
}

func TestARingingCallCanStillBeAnsweredAfterARestart(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		p.killBob()
		if string(p.bobCall.RemoteOffer()) != offer || p.bobCall.Request() == nil || !p.bobCall.Incoming() {
			t.Error("the offer is lost")
		}
		p.bobCall.Accept([]byte(answer))
		p.run(tick)
		p.want("180 Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestARingingCallCanStillBeCancelledByThePeerAfterARestart(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		p.killBob()
		p.aliceCall.Hangup(tel.CauseAnsweredElsewhere)
		p.run(tick)
		p.want("180 Ended(answered_elsewhere)", "Ended(answered_elsewhere remote)")
		p.counted("bob", "487 INVITE", 1)
		p.over()
	})
}

func TestARingingCallCanStillBeRejectedAfterARestart(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		p.killBob()
		p.bobCall.Reject(486)
		p.run(tick)
		p.want("180 Rejected(486) Ended(busy remote)", "Ended(busy)")
		p.over()
	})
}

func TestOurRingingCallCanStillBeCancelledAfterARestart(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		p.killAlice()
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		p.counted("alice", "CANCEL", 1)
		p.want("180 Ended(normal)", "Ended(cancelled remote)")
		p.over()
	})
}

// The program dies with the INVITE's first byte on its way, for which drop stands in: the next one has
// the record of that instant and nothing later.
func TestAKillWhileTheINVITELeavesLeavesNoPhoneRinging(t *testing.T) {
	ring := func(s *Session) { s.Provisional(180, nil) }
	for name, answers := range map[string][]func(*Session){ // of the phone, the last one to the INVITE that is the last to leave
		"the first INVITE": {ring},
		"the one with credentials": {
			func(s *Session) { s.Reject(401, sip.NewHeader("WWW-Authenticate", `Digest realm="r", nonce="n"`)) }, ring,
		},
		"the one that asks for a longer session": {
			func(s *Session) { s.Reject(422, sip.NewHeader("Min-SE", "3600")) }, ring,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.onCall = func(s *Session) {
					if len(answers) > 1 {
						s.Bind(nil) // the ear is for the call that rings
					}
					answer := answers[0]
					answers = answers[1:]
					answer(s)
				}
				var left *sip.Request
				w.drop = func(from, _ *node, msg sip.Message) bool {
					req, ok := msg.(*sip.Request)
					if ok && from == p.alice && req.Method == sip.INVITE && len(answers) == 1 {
						left = req
						p.alice.dead = true
						p.aliceJ = &journal{kept: maps.Clone(p.aliceJ.kept)}
					}
					return false
				}
				r := p.request()
				r.Auth = func(*sip.Response, *sip.Request) (sip.Header, error) {
					return sip.NewHeader("Authorization", "Digest x"), nil
				}
				if _, err := p.alice.ua.Invite(r); err != nil {
					t.Fatal(err)
				}
				p.run(time.Second)
				p.killAlice()
				p.aliceCall.Hangup(hangup)
				p.run(tick)
				cancel := w.last(sip.CANCEL)
				if branch(cancel, sip.CANCEL) != branch(left, sip.CANCEL) || cancel.CSeq().SeqNo != left.CSeq().SeqNo {
					t.Errorf("sent\n%s\ncancelled by\n%s", left, cancel)
				}
				if got := p.bobEar.String(); got != "Ended(cancelled remote)" {
					t.Errorf("the phone hears %q", got)
				}
				p.over()
			})
		})
	}
}

func TestALate2xxAfterARestartIsAcknowledgedAndReported(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		p.alice.dead = true
		p.bobCall.Accept([]byte(answer))
		p.run(2 * time.Second)
		p.killAlice()
		p.run(2 * time.Second)
		p.want("180 Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestA2xxForACallThatWasGivenUpBeforeTheRestartIsHungUp(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		w.drop = func(_, _ *node, msg sip.Message) bool { return msg.CSeq().MethodName == sip.CANCEL }
		p.call()
		p.run(tick)
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		p.killAlice()
		if p.aliceCall != nil {
			t.Error("a call that is over for the application is given back to it")
		}
		p.bobCall.Accept([]byte(answer))
		p.run(time.Second)
		p.want("180 Ended(normal)", "Confirmed Ended(normal remote)")
		p.counted("alice", "BYE", 1)
		p.over()
	})
}

func TestOur2xxIsRepeatedByTheNextProcess(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		w.drop = func(_, _ *node, msg sip.Message) bool {
			res, ok := msg.(*sip.Response)
			return ok && res.StatusCode == 200
		}
		p.onCall = func(s *Session) { s.Accept([]byte(answer)) }
		p.call()
		p.run(700 * time.Millisecond)
		w.drop = nil
		p.killBob()
		p.run(tick)
		p.want("Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestOurByeIsRepeatedByTheNextProcess(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		w.drop = func(_, _ *node, msg sip.Message) bool { return msg.CSeq().MethodName == sip.BYE }
		p.aliceCall.Hangup(tel.CauseMediaTimeout)
		p.run(tick)
		w.drop = nil
		p.killAlice()
		p.run(tick)
		p.want("180 Answered Ended(media_timeout)", "Confirmed Ended(media_timeout remote)")
		if w.last(sip.BYE).CSeq().SeqNo < 1000 {
			t.Errorf("CSeq of the second BYE %d", w.last(sip.BYE).CSeq().SeqNo)
		}
		p.over()
	})
}

func TestAnOpenReofferOfThePeerIsTriedAgainAfterARestart(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.aliceCall.Reoffer([]byte(hold))
		p.run(tick)
		p.killBob()
		p.run(tick)
		p.want("180 Answered ReofferDone(500)", "Confirmed Reoffered")
		p.aliceCall.Reoffer([]byte(hold))
		p.run(tick)
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		p.want("180 Answered ReofferDone(500) ReofferDone(200)", "Confirmed Reoffered Reoffered")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

// A call is killed on either side at any moment of its life; it must end cleanly or stand on both
// sides, and nothing may be left once it is hung up.
// A process dies with a re-INVITE of ours on its way. The other end agrees, and repeats its 2xx until it has its ACK; it
// would hang up without (RFC 3261 section 13.3.1.4). Whoever had called, the next process acknowledges it.
func TestTheAnswerToAReofferOfTheLastProcessIsAcknowledged(t *testing.T) {
	for who, alice := range map[string]bool{"the caller": true, "the called one": false} {
		t.Run(who+" offers", func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				if alice {
					p.aliceCall.Reoffer([]byte(hold))
				} else {
					p.bobCall.Reoffer([]byte(hold))
				}
				p.run(tick)
				theirs, alices, bobs := p.bobCall, "180 Answered ReofferDone(491)", "Confirmed Reoffered"
				if alice {
					p.killAlice()
				} else {
					p.killBob()
					theirs, alices, bobs = p.aliceCall, "180 Answered Reoffered", "Confirmed ReofferDone(491)"
				}
				theirs.AnswerReoffer([]byte(answer))
				p.run(2 * core.Life)
				p.want(alices, bobs)
				p.aliceCall.Hangup(hangup)
				p.over()
			})
		})
	}
}

func TestAKillAtAnyMomentLeavesNoGhost(t *testing.T) {
	for seed := range uint64(150) {
		inWorld(t, seed, func(w *world) {
			p := newPair(w)
			w.delay = func() time.Duration { return time.Duration(1+w.r.IntN(20)) * time.Millisecond }
			p.onCall = func(s *Session) {
				s.Provisional(180, nil)
				w.after(40*time.Millisecond, func() { s.Accept([]byte(answer)) })
			}
			p.call()
			p.run(time.Duration(25+w.r.IntN(80)) * time.Millisecond)
			if seed%2 == 0 {
				p.killAlice()
			} else {
				p.killBob()
			}
			p.run(time.Second)
			for _, s := range []*Session{p.aliceCall, p.bobCall} {
				if s != nil && w.r.IntN(2) == 0 {
					s.Hangup(hangup)
				}
			}
			p.run(time.Second)
			for _, s := range []*Session{p.aliceCall, p.bobCall} {
				if s != nil {
					s.Hangup(hangup)
				}
			}
			p.over()
			if w.count("alice", "INVITE") != 1 {
				t.Errorf("seed %d: %d INVITEs", seed, w.count("alice", "INVITE"))
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestRestoreReportsWhatItCannotReadAndKeepsTheRest(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		states := maps.Clone(p.aliceJ.kept)
		states["future"] = []byte(`{"v":2}`)
		states["torn"] = []byte(`{"v":1,"id":`)
		states["no invite"] = []byte(`{"v":1,"id":"a","call_id":"b","phase":"offered","local":"<sip:a@b>","invite":{"text":"rubbish"}}`)
		fresh := w.node("alice", p.alice.addr.String(), Config{UserAgent: "Pronto"})
		sessions, errs := fresh.restore(states)
		if len(sessions) != 1 || len(errs) != 3 {
			t.Errorf("%d sessions, errors %v", len(sessions), errs)
		}
	})
}

func TestAFailingJournalDoesNotHurtTheCall(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.alice.ua.cfg.Journal = full{}
		p.up()
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

// full is a journal on a full disk.
type full struct{}

func (full) Put(_, _ string, _ []byte) error { return errRefused }
func (full) Delete(_, _ string) error        { return errRefused }

func TestTheJournalKnowsBeforeTheMessageLeaves(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		checked := 0
		w.drop = func(from, _ *node, msg sip.Message) bool {
			s, j := p.aliceCall, p.aliceJ
			if from == p.bob {
				s, j = p.bobCall, p.bobJ
			}
			if s == nil {
				return false
			}
			kept, ok := j.kept[s.id]
			if !ok {
				return false // over
			}
			state, err := core.Decode(kept)
			if err != nil {
				t.Fatal(err)
			}
			checked++
			if req, ok := msg.(*sip.Request); ok && req.Method != sip.ACK && req.Method != sip.CANCEL && req.CSeq().SeqNo > state.CSeq {
				t.Errorf("%s %d leaves, the journal knows of CSeq %d", req.Method, req.CSeq().SeqNo, state.CSeq)
			}
			if state.Phase != s.state.Phase || state.Peer.Tag != s.state.Peer.Tag {
				t.Errorf("%s leaves in phase %s, the journal says %s", msg.CSeq().MethodName, s.state.Phase, state.Phase)
			}
			return false
		}
		p.up()
		p.aliceCall.Reoffer([]byte(hold))
		p.run(tick)
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		p.bobCall.Hangup(hangup)
		p.over()
		if checked < 8 {
			t.Errorf("only %d messages checked", checked)
		}
	})
}
