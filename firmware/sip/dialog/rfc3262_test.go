package dialog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// earlyMedia makes a call whose callee has sent early media reliably, and that is acknowledged.
func (p *pair) earlyMedia() {
	p.t.Helper()
	p.call()
	p.run(tick)
	p.bobCall.Provisional(183, []byte(answer))
	p.run(tick)
}

func TestRFC3262EarlyMediaIsAcknowledgedAndTheAnswerGivenOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.earlyMedia()
		res := w.lastResponse(183, sip.INVITE)
		if !requires(res, "100rel") || rseq(res) == 0 {
			t.Errorf("the 183 is not reliable:\n%s", res)
		}
		prack := w.last(sip.PRACK)
		if got, want := only(t, prack, "RAck"), fmt.Sprintf("%d 1 INVITE", rseq(res)); got != want {
			t.Errorf("RAck %s, want %s", got, want)
		}
		p.counted("bob", "200 PRACK", 1)
		p.bobCall.Accept([]byte(answer), sip.NewHeader("P-Asserted-Identity", "<sip:205@box>"))
		p.run(tick)
		p.want("183 Identified Answered", "Confirmed")
		ok := w.lastResponse(200, sip.INVITE)
		if len(ok.Body()) > 0 {
			t.Errorf("the 200 answers again:\n%s", ok)
		}
		if got := only(t, ok, "P-Asserted-Identity"); got != "<sip:205@box>" {
			t.Errorf("the 200 names %s", got)
		}
		if got := string(p.aliceEar.events[2].(Answered).SDP); got != answer {
			t.Errorf("the caller learns %q", got)
		}
		if n := w.last(sip.ACK).CSeq().SeqNo; n != 1 {
			t.Errorf("the ACK has CSeq %d", n)
		}
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

// Whatever is lost or overtakes what: the answer arrives, once, and the 2xx never before it.
func TestRFC3262ALossyNetworkStillBringsTheEarlyMedia(t *testing.T) {
	repeated := 0
	for seed := range uint64(60) {
		inWorld(t, seed, func(w *world) {
			p := newPair(w)
			w.loss = 0.25
			w.delay = func() time.Duration { return time.Duration(w.r.IntN(60)) * time.Millisecond }
			p.onCall = func(s *Session) {
				s.Provisional(183, []byte(answer))
				s.Provisional(180, []byte(answer)) // a second description waits for the first one's PRACK
				s.Accept([]byte(answer))
			}
			p.call()
			p.run(20 * time.Second)
			got := p.aliceEar.String()
			if got != "183 Answered" && p.aliceEar.ended == 0 {
				t.Errorf("seed %d: alice heard %s\n%s", seed, got, strings.Join(w.log, "\n"))
			}
			if p.count("bob", "183 INVITE") > 1 {
				repeated++
			}
			if n := p.count("bob", "180 INVITE"); n > 0 {
				t.Errorf("seed %d: a provisional after the call was accepted", seed)
			}
			p.aliceCall.Hangup(hangup)
			p.bobCall.Hangup(hangup)
			p.run(4 * core.Life)
		})
	}
	if repeated < 10 {
		t.Errorf("only %d of 60 calls needed a repetition: this proves little", repeated)
	}
}

func TestRFC3262WithoutPRACKTheCallIsAnswered504(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		w.drop = func(_, _ *node, msg sip.Message) bool {
			req, ok := msg.(*sip.Request)
			return ok && req.Method == sip.PRACK
		}
		p.onCall = func(s *Session) { s.Provisional(183, []byte(answer)); s.Accept([]byte(answer)) }
		p.call()
		p.run(core.Life + time.Second)
		p.want("183 Rejected(504) Ended(network_failure remote)", "Ended(timeout)")
		p.counted("bob", "183 INVITE", 7) // at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s
		p.over()
	})
}

func TestRFC3262WhoDoesNotOfferItGetsPlainProvisionals(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		r := p.request()
		r.Unreliable = true
		s, err := p.alice.ua.Invite(r)
		if err != nil {
			t.Fatal(err)
		}
		p.run(tick)
		p.bobCall.Provisional(183, []byte(answer), sip.NewHeader("Alert-Info", "<urn:x>"))
		p.run(tick)
		res := w.lastResponse(183, sip.INVITE)
		if rseq(res) != 0 || only(t, res, "Alert-Info") != "<urn:x>" || supports(w.last(sip.INVITE), "100rel") {
			t.Errorf("reliable:\n%s", res)
		}
		s.Hangup(hangup)
		p.over()
	})
}

// Who requires 100rel gets every provisional reliably, one after the other.
func TestRFC3262WhoRequiresItGetsEveryProvisionalReliably(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		r := p.request()
		r.Headers = []sip.Header{sip.NewHeader("Require", "100rel")}
		s, err := p.alice.ua.Invite(r)
		if err != nil {
			t.Fatal(err)
		}
		p.run(tick)
		p.bobCall.Provisional(180, nil)
		p.bobCall.Provisional(181, nil)
		p.bobCall.Provisional(183, []byte(answer))
		p.run(tick)
		if got := p.aliceEar.String(); got != "180 181 183" {
			t.Errorf("alice heard %s", got)
		}
		p.counted("bob", "200 PRACK", 3)
		s.Hangup(hangup)
		p.over()
	})
}

// RFC 3262 section 5: an offer in the PRACK, which the box itself never makes.
func TestRFC3262AnOfferInThePRACKIsAnsweredInIts200(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.strip(p.alice, func(msg sip.Message) {
			if req, ok := msg.(*sip.Request); ok && req.Method == sip.PRACK {
				body(req, "application/sdp", []byte(hold))
			}
		})
		p.earlyMedia()
		if got := p.bobEar.String(); got != "Reoffered" || string(p.bobEar.events[0].(Reoffered).SDP) != hold {
			t.Fatalf("bob heard %s", got)
		}
		p.bobCall.Accept([]byte(answer)) // waits for the exchange
		p.run(tick)
		p.counted("bob", "200 INVITE", 0)
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		if got := string(w.lastResponse(200, sip.PRACK).Body()); got != answer {
			t.Errorf("the 200 of the PRACK carries %q", got)
		}
		p.want("183 Answered", "Reoffered Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

// RFC 3262 section 5: their INVITE has no offer, so ours stands in the reliable provisional.
func TestRFC3262OurOfferInAReliableProvisionalIsAnsweredInThePRACK(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.strip(p.alice, func(msg sip.Message) {
			req, ok := msg.(*sip.Request)
			switch {
			case ok && req.Method == sip.INVITE:
				req.RemoveHeader("Content-Type")
				req.SetBody(nil)
			case ok && req.Method == sip.PRACK:
				body(req, "application/sdp", []byte(answer))
			}
		})
		p.call()
		p.run(tick)
		p.bobCall.Provisional(183, []byte(offer))
		p.run(tick)
		p.bobCall.Accept(nil)
		p.run(tick)
		p.want("183 Answered", "EarlyAnswered Confirmed")
		if got := string(p.bobEar.events[0].(EarlyAnswered).SDP); got != answer {
			t.Errorf("the PRACK carries %q", got)
		}
		if p.bobEar.events[1].(Confirmed).SDP != nil || len(w.lastResponse(200, sip.INVITE).Body()) > 0 {
			t.Error("a description is given twice")
		}
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC3262AKillBeforeThePRACKRepeatsTheProvisional(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		lost := true
		w.drop = func(_, _ *node, msg sip.Message) bool {
			req, ok := msg.(*sip.Request)
			return ok && req.Method == sip.PRACK && lost
		}
		p.call()
		p.run(tick)
		p.bobCall.Provisional(183, []byte(answer))
		p.bobCall.Accept([]byte(answer), sip.NewHeader("X-Mark", "kept")) // waits, in the journal too
		p.run(tick)
		number := rseq(w.lastResponse(183, sip.INVITE))
		lost = false
		p.killBob()
		p.run(2 * time.Second)
		if got := rseq(w.lastResponse(183, sip.INVITE)); got != number {
			t.Errorf("RSeq %d after the kill, %d before", got, number)
		}
		p.want("183 Answered", "Confirmed")
		if got := only(t, w.lastResponse(200, sip.INVITE), "X-Mark"); got != "kept" {
			t.Errorf("X-Mark %q", got)
		}
		p.killAlice()
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC3262ACallerKilledAfterItsPRACKStillGetsTheAnswer(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.earlyMedia()
		p.killAlice()
		p.bobCall.Provisional(183, []byte(answer))
		p.run(tick)
		p.bobCall.Accept([]byte(answer))
		p.run(time.Second)
		p.want("183 183 Answered", "Confirmed")
		if got := string(p.aliceEar.events[2].(Answered).SDP); got != answer {
			t.Errorf("the caller learns %q", got)
		}
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

// RFC 3311 before the answer, in both directions.
func TestRFC3311AnUPDATEInTheEarlyDialogChangesTheSession(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.earlyMedia()
		p.aliceCall.Update([]byte(hold))
		p.run(tick)
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		p.bobCall.Update([]byte(hold))
		p.run(tick)
		p.aliceCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		p.bobCall.Update(nil, sip.NewHeader("P-Asserted-Identity", "<sip:205@box>"))
		p.run(tick)
		if got := only(t, w.last(sip.UPDATE), "P-Asserted-Identity"); got != "<sip:205@box>" {
			t.Errorf("the UPDATE names %s", got)
		}
		p.bobCall.Accept(nil)
		p.run(tick)
		p.want("183 ReofferDone(200) Reoffered Identified Answered", "Reoffered ReofferDone(200) Updated(200) Confirmed")
		p.counted("alice", "ACK", 1)
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC3311BothUPDATEAtOnceAndBothGetThrough(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, func(w *world) {
			p := newPair(w)
			p.up()
			p.aliceCall.Bind(func(e Event) {
				p.aliceEar.hear(e)
				if _, ok := e.(Reoffered); ok {
					p.aliceCall.AnswerReoffer([]byte(answer))
				}
			})
			p.bobCall.Bind(func(e Event) {
				p.bobEar.hear(e)
				if _, ok := e.(Reoffered); ok {
					p.bobCall.AnswerReoffer([]byte(answer))
				}
			})
			p.aliceCall.Update([]byte(hold))
			p.bobCall.Update([]byte(hold))
			p.run(6 * time.Second)
			p.counted("alice", "491 UPDATE", 1)
			p.counted("bob", "491 UPDATE", 1)
			if !strings.Contains(p.bobEar.String(), "ReofferDone(200)") {
				t.Errorf("seed %d: bob heard %s", seed, p.bobEar)
			}
			p.aliceCall.Hangup(hangup)
			p.over()
		})
	}
}

// RFC 3325 and 4916: who answers, and who takes the call over later.
func TestRFC4916TheApplicationHearsWhoIsThereWheneverThatChanges(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		ring, desk := sip.NewHeader("P-Asserted-Identity", `"Sales" <sip:600@box>`), sip.NewHeader("P-Asserted-Identity", "<sip:205@box>")
		p.call()
		p.run(tick)
		p.bobCall.Provisional(180, nil, ring)
		p.run(tick)
		p.bobCall.Provisional(180, nil, ring) // no news
		p.run(tick)
		p.bobCall.Accept([]byte(answer), desk, sip.NewHeader("Privacy", "none"))
		p.run(tick)
		p.bobCall.Update(nil, ring)
		p.run(tick)
		p.want("Identified 180 180 Identified Answered Identified", "Confirmed Updated(200)")
		var got []string
		for _, e := range p.aliceEar.events {
			if i, ok := e.(Identified); ok {
				got = append(got, strings.Join(i.Headers, " + "))
			}
		}
		want := `P-Asserted-Identity: "Sales" <sip:600@box> | P-Asserted-Identity: <sip:205@box> + Privacy: none | P-Asserted-Identity: "Sales" <sip:600@box>`
		if strings.Join(got, " | ") != want {
			t.Errorf("heard %s", strings.Join(got, " | "))
		}
		p.killAlice()
		p.bobCall.Update(nil, ring) // known before the kill
		p.run(tick)
		p.want("Identified 180 180 Identified Answered Identified", "Confirmed Updated(200) Updated(200)")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}
