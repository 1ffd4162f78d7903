package dialog

// The tests here are named after the findings of the sipgo study that the dialog layer must keep out
// of reach, so that an upgrade tells what changed.

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestFinding3CancelCrossing200EndsInAckAndBye(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		p.bobCall.Accept([]byte(answer))
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		p.want("180 Ended(normal)", "Confirmed Ended(normal remote)")
		p.counted("alice", "ACK", 1)
		p.counted("alice", "BYE", 1)
		p.counted("bob", "200 INVITE", 1)
		p.over()
	})
}

// The same race 200 times, with loss and with messages that overtake each other: whatever crosses
// what, both sides end, once, and nothing is left.
func TestFinding3CancelAgainst200InAnyOrderLeavesNoGhost(t *testing.T) {
	answered, cancelled := 0, 0
	for seed := range uint64(200) {
		inWorld(t, seed, func(w *world) {
			p := newPair(w)
			w.loss = 0.2
			w.delay = func() time.Duration { return time.Duration(w.r.IntN(40)) * time.Millisecond }
			p.onCall = func(s *Session) {
				s.Provisional(180, nil)
				w.after(time.Duration(w.r.IntN(120))*time.Millisecond, func() { s.Accept([]byte(answer)) })
			}
			p.call()
			p.run(time.Duration(w.r.IntN(120)) * time.Millisecond)
			p.aliceCall.Hangup(tel.CauseAnsweredElsewhere)
			p.run(3 * core.Life)
			p.over()
			if p.count("alice", "BYE") > 0 {
				answered++
			} else {
				cancelled++
			}
			if p.count("bob", "200 INVITE") > 0 && p.count("alice", "ACK") == 0 {
				t.Errorf("seed %d: a 200 without an ACK:\n%s", seed, strings.Join(w.log, "\n"))
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if answered < 20 || cancelled < 20 {
		t.Errorf("the race always ends the same way: %d answered, %d cancelled", answered, cancelled)
	}
}

func TestFinding4AnyNumberOfProvisionalsIsFine(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.call()
		p.run(tick)
		for range 200 {
			p.bobCall.Provisional(183, []byte(answer))
			p.run(tick)
		}
		p.bobCall.Accept([]byte(answer))
		p.run(tick)
		if got := p.aliceEar.String(); !strings.HasSuffix(got, "183 183 Answered") || len(p.aliceEar.events) != 201 {
			t.Errorf("%d events, the last %q", len(p.aliceEar.events), got[len(got)-20:])
		}
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestFinding5The2xxIsRepeatedUpToT2AndThenHungUp(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		var at []time.Duration
		begin := time.Now()
		w.drop = func(from, _ *node, msg sip.Message) bool {
			res, ok := msg.(*sip.Response)
			if ok && from == p.bob && res.StatusCode == 200 && res.CSeq().MethodName == sip.INVITE {
				at = append(at, time.Since(begin))
			}
			req, ok := msg.(*sip.Request)
			return ok && req.Method == sip.ACK
		}
		p.onCall = func(s *Session) { s.Accept([]byte(answer)) }
		p.call()
		p.run(core.Life + time.Second)
		var gaps []string
		for i := 1; i < len(at); i++ {
			gaps = append(gaps, (at[i] - at[i-1]).String())
		}
		if got := strings.Join(gaps, " "); got != "500ms 1s 2s 4s 4s 4s 4s 4s 4s 4s" {
			t.Errorf("2xx repeated after %s", got)
		}
		p.want("Answered Ended(timeout remote)", "Ended(timeout)")
		p.counted("bob", "BYE", 1)
		p.over()
	})
}

func TestFinding10TheAckCarriesTheCSeqOfItsInvite(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		w.drop = func(_, _ *node, msg sip.Message) bool { // lose the first ACK
			req, ok := msg.(*sip.Request)
			return ok && req.Method == sip.ACK && p.count("alice", "ACK") == 1
		}
		p.onCall = func(s *Session) { s.Accept([]byte(answer)) }
		p.call()
		p.run(2 * time.Second) // bob repeats his 2xx, alice her ACK
		p.aliceCall.SendInfo("text/plain", []byte("moves the CSeq of the dialog on"))
		p.aliceCall.Reoffer([]byte(hold))
		p.run(tick)
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		var acks, invites []uint32
		for _, m := range w.all {
			req, ok := m.(*sip.Request)
			switch {
			case ok && req.Method == sip.ACK:
				acks = append(acks, req.CSeq().SeqNo)
			case ok && req.Method == sip.INVITE:
				invites = append(invites, req.CSeq().SeqNo)
			}
		}
		if fmt.Sprint(invites, acks) != "[1 3] [1 1 3]" {
			t.Errorf("INVITEs %v, ACKs %v", invites, acks)
		}
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestFinding11AFailureHasOneTypeWhateverItsPath(t *testing.T) {
	for _, status := range []int{302, 404, 408, 486, 503, 603} {
		for _, early := range []bool{false, true} {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.onCall = func(s *Session) {
					if early {
						s.Provisional(183, []byte(answer))
					}
					s.Reject(status)
				}
				p.call()
				p.run(tick)
				n := len(p.aliceEar.events)
				rejected, ok := p.aliceEar.events[n-2].(Rejected)
				if !ok || rejected.Status != status {
					t.Errorf("%d, early dialog %v: %s", status, early, p.aliceEar)
				}
				p.over()
			})
		}
	}
}

func TestFinding12ByeIsOverWhateverItsReply(t *testing.T) {
	for _, status := range []int{100, 200, 404, 481, 500, 603} {
		inWorld(t, 1, func(w *world) {
			p := newPair(w)
			p.up()
			p.bob.dead = true // and a stub answers in its place
			w.drop = func(from, _ *node, msg sip.Message) bool {
				req, ok := msg.(*sip.Request)
				if ok && from == p.alice && req.Method == sip.BYE {
					res := response(req, status, "")
					w.after(tick, func() { p.alice.receive(res, p.alice.flow(p.bob)) })
				}
				return false
			}
			p.aliceCall.Hangup(hangup)
			p.run(3 * core.Life)
			if got := p.aliceEar.String(); got != "180 Answered Ended(normal)" {
				t.Errorf("after %d: %s", status, got)
			}
			if n := p.alice.ua.Len(); n != 0 {
				t.Errorf("after %d: %d sessions left", status, n)
			}
		})
	}
}

func TestFinding12InDialogRequestsFollowTheRefreshedTargetAndRoutes(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.bobCall.Reoffer([]byte(hold))
		p.run(tick)
		p.aliceCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		s := p.aliceCall
		s.state.Peer.Target = "sip:moved@127.0.0.2:5060;ob"
		s.state.Peer.Routes = []string{"<sip:127.0.0.2;lr>", "<sip:198.51.100.7;lr>"}
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		bye := w.last(sip.BYE)
		if got := bye.Recipient.String(); got != "sip:moved@127.0.0.2:5060;ob" {
			t.Errorf("Request-URI %s", got)
		}
		var set []string
		for _, h := range bye.GetHeaders("Route") {
			set = append(set, h.Value())
		}
		if got := strings.Join(set, " "); got != "<sip:127.0.0.2;lr> <sip:198.51.100.7;lr>" {
			t.Errorf("Route %s", got)
		}
	})
}
