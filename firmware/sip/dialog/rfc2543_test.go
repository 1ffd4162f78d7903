package dialog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// old lets bob hear a request of alice's, who is as old as RFC 2543 and puts no tag into From.
func (p *pair) old(method string, cseq int, toTag, branch string) {
	p.t.Helper()
	target := to
	if toTag != "" {
		target += ";tag=" + toTag
	}
	msg, err := sip.ParseMessage([]byte(text(method+" sip:201@127.0.0.2 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:5060;branch="+branch,
		"From: <sip:old@127.0.0.1>", target, callID, contact, fmt.Sprintf("CSeq: %d %s", cseq, method), hops,
		"Content-Type: application/sdp", fmt.Sprint("Content-Length: ", len(offer))) + offer))
	if err != nil {
		p.t.Fatal(err)
	}
	p.bob.request(msg.(*sip.Request), p.bob.flow(p.alice))
	p.run(tick)
}

func TestACallerWithoutATagIsServedAsRFC2543Wanted(t *testing.T) {
	for _, who := range []string{"caller hangs up", "we hang up", "we offer anew"} {
		inWorld(t, 1, func(w *world) {
			p := newPair(w)
			p.old("INVITE", 1, "", "z9hG4bKold1")
			if p.bobCall == nil {
				t.Fatal("no call")
			}
			p.bobCall.Accept([]byte(answer))
			p.run(tick)
			p.old("ACK", 1, p.bobCall.ID(), "z9hG4bKold2")
			if got := p.bobEar.String(); got != "Confirmed" {
				t.Fatalf("bob heard %q", got)
			}
			switch who {
			case "caller hangs up":
				p.old("BYE", 2, p.bobCall.ID(), "z9hG4bKold3")
				p.counted("bob", "200 BYE", 1)
			case "we offer anew": // and the answer is heard, which is a refusal here
				p.bobCall.Reoffer([]byte(answer))
				p.run(tick)
				if got := p.bobEar.String(); got != "Confirmed ReofferDone(405)" {
					t.Errorf("bob heard %q", got)
				}
				p.bobCall.Hangup(hangup)
				p.run(tick)
			default:
				p.bobCall.Hangup(hangup)
				p.run(tick)
				bye := w.last(sip.BYE)
				if bye == nil || strings.Contains(bye.To().String(), "tag") { // RFC 3261 section 12.2.1.1
					t.Errorf("%v", bye)
				}
			}
			if !strings.Contains(p.bobEar.String(), "Ended(") {
				t.Errorf("bob heard %q", p.bobEar)
			}
			p.over()
		})
	}
}

func TestARequestWithoutATagTouchesNoCallThatWeMake(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Provisional(180, nil) }
		p.call()
		p.run(tick)
		msg, err := sip.ParseMessage([]byte(text("BYE sip:200@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKx",
			"From: <sip:mallory@127.0.0.2>", "To: <sip:200@127.0.0.1>;tag="+p.aliceCall.ID(), "Call-ID: "+p.aliceCall.CallID(), "CSeq: 9 BYE", hops)))
		if err != nil {
			t.Fatal(err)
		}
		p.alice.request(msg.(*sip.Request), p.alice.flow(p.bob))
		p.counted("alice", "481 BYE", 1)
		if got := p.aliceEar.String(); got != "180" {
			t.Errorf("alice heard %q", got)
		}
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}
