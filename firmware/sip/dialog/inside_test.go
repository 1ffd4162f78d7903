package dialog

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

func TestAReofferIsAnsweredByTheApplication(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.aliceCall.Reoffer([]byte(hold))
		p.run(tick)
		p.want("180 Answered", "Confirmed Reoffered")
		if got := p.bobEar.events[1].(Reoffered).SDP; string(got) != hold {
			t.Errorf("offer %q", got)
		}
		p.bobCall.AnswerReoffer([]byte(answer))
		p.run(tick)
		p.want("180 Answered ReofferDone(200)", "Confirmed Reoffered")
		p.bobCall.Reoffer([]byte(hold)) // the callee may as well
		p.run(tick)
		p.aliceCall.RejectReoffer(488)
		p.run(tick)
		p.want("180 Answered ReofferDone(200) Reoffered", "Confirmed Reoffered ReofferDone(488)")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestAForgottenReofferIsRejectedAndTheCallStays(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.aliceCall.Reoffer([]byte(hold))
		p.run(core.AnswerWithin + time.Second)
		p.want("180 Answered ReofferDone(488)", "Confirmed Reoffered")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestGlareBothSidesReofferAtOnceAndBothGetThrough(t *testing.T) {
	for seed := range uint64(20) {
		inWorld(t, seed, func(w *world) {
			p := newPair(w)
			p.up()
			serve := func(s **Session, e *ear) func(Event) {
				return func(ev Event) {
					e.hear(ev)
					if _, ok := ev.(Reoffered); ok {
						(*s).AnswerReoffer([]byte(answer))
					}
				}
			}
			p.aliceCall.Bind(serve(&p.aliceCall, p.aliceEar))
			p.bobCall.Bind(serve(&p.bobCall, p.bobEar))
			p.aliceCall.Reoffer([]byte(hold))
			p.bobCall.Reoffer([]byte(hold))
			p.run(tick)
			p.counted("alice", "491 INVITE", 1)
			p.counted("bob", "491 INVITE", 1)
			p.run(6 * time.Second)
			// bob, who does not own the Call-ID, tries again first; alice's own offer follows or gives way.
			if !strings.Contains(p.bobEar.String(), "ReofferDone(200)") {
				t.Errorf("seed %d: bob heard %s", seed, p.bobEar)
			}
			if !strings.Contains(p.aliceEar.String(), "ReofferDone") {
				t.Errorf("seed %d: alice heard %s", seed, p.aliceEar)
			}
			p.aliceCall.Hangup(hangup)
			p.over()
		})
	}
}

func TestByesThatCrossAreBothAnswered(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.aliceCall.Hangup(hangup)
		p.bobCall.Hangup(hangup)
		p.run(tick)
		p.want("180 Answered Ended(normal)", "Confirmed Ended(normal)")
		p.counted("alice", "200 BYE", 1)
		p.counted("bob", "200 BYE", 1)
		p.over()
	})
}

func TestInfoIsDelivered(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.aliceCall.SendInfo("application/dtmf-relay", []byte("Signal=5\r\nDuration=160\r\n"))
		p.run(tick)
		i, ok := p.bobEar.events[1].(Info)
		if !ok || i.ContentType != "application/dtmf-relay" || string(i.Body) != "Signal=5\r\nDuration=160\r\n" {
			t.Errorf("bob heard %+v", p.bobEar.events)
		}
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestAHangupBeforeTheAckWaitsForIt(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		lost := 2
		w.drop = func(_, _ *node, msg sip.Message) bool {
			req, ok := msg.(*sip.Request)
			if ok && req.Method == sip.ACK && lost > 0 {
				lost--
				return true
			}
			return false
		}
		p.onCall = func(s *Session) { s.Accept([]byte(answer)); s.Hangup(hangup) }
		p.call()
		p.run(tick)
		p.want("Answered", "Ended(normal)")
		p.counted("bob", "BYE", 0)
		p.run(3 * time.Second)
		p.want("Answered Ended(normal remote)", "Ended(normal)")
		p.over()
	})
}

// text makes a request as a stranger or a peer would write it.
func text(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

const (
	via     = "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK"
	from    = "From: <sip:mallory@127.0.0.1>;tag=m"
	to      = "To: <sip:201@127.0.0.2>"
	callID  = "Call-ID: other@127.0.0.1"
	contact = "Contact: <sip:mallory@127.0.0.1>"
	hops    = "Max-Forwards: 70"
)

func TestRequestsThatMakeNoCallGetTheReplyOfTheRFC(t *testing.T) {
	invite := "INVITE sip:201@127.0.0.2 SIP/2.0"
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"no loop goes on for ever (RFC 7332)":         {text(invite, via, from, to, callID, contact, "CSeq: 1 INVITE", "Max-Forwards: 0"), "483"},
		"an extension that nobody knows (8.2.2.3)":    {text(invite, via, from, to, callID, contact, "CSeq: 1 INVITE", hops, "Require: 100rel, foo", "Require: bar"), "420 foo, bar"},
		"no Contact (8.1.1.8)":                        {text(invite, via, from, to, callID, "CSeq: 1 INVITE", hops), "400"},
		"two From (8.1.1)":                            {text(invite, via, from, from, to, callID, contact, "CSeq: 1 INVITE", hops), "400"},
		"a compact second From (7.3.3)":               {text(invite, via, from, "f: <sip:x@y>;tag=1", to, callID, contact, "CSeq: 1 INVITE"), "400"},
		"two CSeq (8.1.1)":                            {text(invite, via, from, to, callID, contact, "CSeq: 1 INVITE", "CSeq: 2 INVITE", hops), "400"},
		"CSeq of another method (8.1.1.5)":            {text(invite, via, from, to, callID, contact, "CSeq: 1 BYE", hops), "400"},
		"a scheme that is not ours (8.2.2.1)":         {text("INVITE mailto:x@y SIP/2.0", via, from, to, callID, contact, "CSeq: 1 INVITE", hops), "416"},
		"a body that is no session (8.2.3)":           {text(invite, via, from, to, callID, contact, "CSeq: 1 INVITE", "Content-Type: text/plain", "Content-Length: 2") + "hi", "415"},
		"an encoded body (8.2.3)":                     {text(invite, via, from, to, callID, contact, "CSeq: 1 INVITE", "Content-Type: application/sdp", "Content-Encoding: gzip", "Content-Length: 2") + "hi", "415"},
		"BYE to nothing (15.1.2)":                     {text("BYE sip:201@127.0.0.2 SIP/2.0", via, from, to+";tag=none", callID, "CSeq: 1 BYE", hops), "481"},
		"BYE without a tag (12.2.2)":                  {text("BYE sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, "CSeq: 1 BYE", hops), "481"},
		"re-INVITE to nothing (12.2.2)":               {text(invite, via, from, to+";tag=none", callID, contact, "CSeq: 1 INVITE", hops), "481"},
		"CANCEL of nothing (9.2)":                     {text("CANCEL sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, "CSeq: 1 CANCEL", hops), "481"},
		"a method nobody takes (8.2.1)":               {text("SUBSCRIBE sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, "CSeq: 1 SUBSCRIBE", hops), "405"},
		"a dialog of a kind that nobody has (12.2.2)": {text("NOTIFY sip:201@127.0.0.2 SIP/2.0", via, from, to+";tag=none", callID, "CSeq: 1 NOTIFY", hops), "481"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				msg, err := sip.ParseMessage([]byte(c.text))
				if err != nil {
					t.Fatal(err)
				}
				p.bob.request(msg.(*sip.Request), p.bob.flow(p.alice))
				p.run(tick)
				res, ok := w.all[len(w.all)-1].(*sip.Response)
				if !ok {
					t.Fatalf("the last message is no response: %s", w.log)
				}
				got := fmt.Sprint(res.StatusCode)
				if h := res.GetHeader("Unsupported"); h != nil {
					got += " " + h.Value()
				}
				if got != c.want || len(p.bobEar.events) > 0 || p.bob.ua.Len() > 0 {
					t.Errorf("got %s, want %s; sessions %d", got, c.want, p.bob.ua.Len())
				}
				if res.StatusCode == 405 && res.GetHeader("Allow") == nil {
					t.Error("405 without Allow")
				}
				if toTag(res) == "" {
					t.Error("the response has no To tag (8.2.6.2)")
				}
			})
		})
	}
}

func TestACopyOfAnInviteByAnotherPathIs482(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.call()
		p.run(tick)
		copied := w.last(sip.INVITE).Clone()
		copied.Via().Params.Add("branch", "z9hG4bKother")
		p.bob.request(copied, p.bob.flow(p.alice))
		p.counted("bob", "482 INVITE", 1)
		p.bobCall.Reject(486)
		p.run(tick)
		again := copied.Clone()
		again.Via().Params.Add("branch", "z9hG4bKlate")
		p.bob.request(again, p.bob.flow(p.alice)) // a slow path, after the first copy was refused
		p.counted("bob", "482 INVITE", 2)
		p.over()
	})
}

func TestOnlyThePeerIsHeardInADialog(t *testing.T) {
	for name, change := range map[string]func(*sip.Request){
		"a wrong From tag": func(r *sip.Request) { r.From().Params.Add("tag", "guess") },
		"a wrong To tag":   func(r *sip.Request) { r.To().Params.Add("tag", "guess") },
		"a wrong Call-ID":  func(r *sip.Request) { id := sip.CallIDHeader("guess"); r.ReplaceHeader(&id) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				bye, err := p.aliceCall.build(sip.BYE, 77, p.aliceCall.state.Peer)
				if err != nil {
					t.Fatal(err)
				}
				p.alice.via(bye, "z9hG4bKforged")
				change(bye)
				p.alice.wire(bye, p.bob.addr)
				p.run(tick)
				p.counted("bob", "481 BYE", 1)
				p.want("180 Answered", "Confirmed")
				p.aliceCall.Hangup(hangup)
				p.over()
			})
		})
	}
}

func TestRequestsInsideADialog(t *testing.T) {
	for name, c := range map[string]struct {
		method  sip.RequestMethod
		cseq    uint32
		headers []sip.Header
		body    string
		want    string
	}{
		"OPTIONS":                 {"OPTIONS", 9, nil, "", "200"},
		"a method nobody knows":   {"FROB", 9, nil, "", "405"},
		"a CSeq of the past":      {"INFO", 1, nil, "", "500"},
		"an unknown extension":    {"INVITE", 9, []sip.Header{sip.NewHeader("Require", "gruu")}, "", "420"},
		"a body of another kind":  {"INVITE", 9, []sip.Header{sip.NewHeader("Content-Type", "text/html")}, "<p>", "415"},
		"UPDATE without an offer": {"UPDATE", 9, []sip.Header{sip.NewHeader("Contact", "<sip:new@127.0.0.1:5060>")}, "", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				req, err := p.aliceCall.build(c.method, c.cseq, p.aliceCall.state.Peer)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range c.headers {
					req.AppendHeader(h)
				}
				req.SetBody([]byte(c.body))
				p.alice.via(req, "z9hG4bKinside")
				p.alice.wire(req, p.bob.addr)
				p.run(tick)
				p.counted("bob", c.want+" "+string(c.method), 1)
				if c.method == sip.UPDATE && p.bobCall.state.Peer.Target != "sip:new@127.0.0.1:5060" {
					t.Errorf("target %s", p.bobCall.state.Peer.Target)
				}
				p.aliceCall.state.CSeq = 9
				p.aliceCall.Hangup(hangup)
				p.run(tick)
				p.want("180 Answered Ended(normal)", "Confirmed Ended(normal remote)")
			})
		})
	}
}

func TestAPhoneThatComesBackByAnotherPathIsFollowed(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		moved := w.node("moved", "127.0.0.1:6060", Config{UserAgent: "x"})
		info, err := p.aliceCall.build(sip.INFO, 5, p.aliceCall.state.Peer)
		if err != nil {
			t.Fatal(err)
		}
		info.SetBody(nil)
		moved.via(info, "z9hG4bKmoved")
		moved.wire(info, p.bob.addr)
		p.run(tick)
		if got := p.bobCall.state.Flow.Remote; got != moved.addr {
			t.Errorf("the call is on %v, the phone on %v", got, moved.addr)
		}
	})
}

func TestTheNextHopKeepsTheFlowThatWorks(t *testing.T) {
	udp := func(remote string) (f core.Flow) {
		w := &world{t: t, nodes: map[netip.AddrPort]*node{}}
		n := w.node("n", remote, Config{})
		return coreFlow(n.flow(n))
	}
	for name, c := range map[string]struct {
		hop, remote string
		want        bool
	}{
		"a phone behind NAT":                         {"sip:201@192.168.1.7:5060", "203.0.113.9:40001", true},
		"a phone behind a second NAT":                {"sip:201@192.168.1.7:5060", "10.0.0.5:40001", true},
		"the same host by another port":              {"sip:201@203.0.113.9:5060", "203.0.113.9:40001", true},
		"a carrier that answers from another server": {"sip:gw@198.51.100.2", "203.0.113.9:5060", false},
		"a name":                           {"sip:gw.example.com", "203.0.113.9:5060", true},
		"another program on this machine":  {"sip:x@127.0.0.1:5070", "127.0.0.1:5060", false},
		"the same one":                     {"sip:x@127.0.0.1:5060", "127.0.0.1:5060", true},
		"a stranger who names our loop":    {"sip:x@127.0.0.1", "203.0.113.9:5060", true},
		"an address that is none":          {"sip:x@0.0.0.0", "203.0.113.9:5060", true},
		"an IPv6 host as it is written":    {"sip:x@[2001:db8::1]", "[2001:db8::1]:5060", true},
		"a mapped address is the same one": {"sip:x@203.0.113.9", "[::ffff:203.0.113.9]:5060", true},
	} {
		if got := keepsFlow(uri(t, c.hop), stackFlow(udp(c.remote))); got != c.want {
			t.Errorf("%s: %s from %s keeps the flow: %v", name, c.hop, c.remote, got)
		}
	}
}

func TestANameIsResolvedAsideAndTheOrderIsKept(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		gateway := w.node("gateway", "127.0.0.9:5060", Config{UserAgent: "x"})
		p.up()
		p.aliceCall.state.Peer.Target = "sip:gw@127.0.0.9:5060"
		p.aliceCall.SendInfo("a/b", []byte("1"))
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		p.run(tick) // what the resolver posted was seen at the end of the first
		var got []string
		for _, m := range w.all {
			if req, ok := m.(*sip.Request); ok && (req.Method == sip.INFO || req.Method == sip.BYE) {
				got = append(got, string(req.Method))
			}
		}
		if fmt.Sprint(got) != "[INFO BYE]" || len(gateway.servers) != 2 {
			t.Errorf("sent %v, the gateway got %d", got, len(gateway.servers))
		}
		p.alice.ua.Close()
	})
}

// What ended lingers to absorb repetitions; the call that was told of the end must be collectable
// at once, since a busy box ends thousands of calls in that half minute.
func TestASessionThatLingersLetsGoOfWhomItTold(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		p.bobCall.Hangup(hangup)
		p.run(tick)
		p.want("180 Answered Ended(normal remote)", "Confirmed Ended(normal)")
		if p.alice.ua.Len() == 0 || p.bob.ua.Len() == 0 {
			t.Fatal("the sessions do not linger: this proves nothing")
		}
		if p.aliceCall.sink != nil || p.bobCall.sink != nil {
			t.Error("an ended session holds its sink")
		}
		p.over()
	})
}
