package dialog

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// send puts a request of alice's phone on the wire inside her call and returns bob's reply to it.
func (p *pair) send(method sip.RequestMethod, content string, headers ...sip.Header) *sip.Response {
	p.t.Helper()
	s := p.aliceCall
	s.state.CSeq++
	req, err := s.build(method, s.state.CSeq, s.state.Peer)
	if err != nil {
		p.t.Fatal(err)
	}
	req.AppendHeader(s.contact())
	for _, h := range headers {
		req.AppendHeader(h)
	}
	req.SetBody([]byte(content))
	p.alice.via(req, sip.GenerateBranch())
	p.alice.wire(req, p.bob.addr)
	p.run(tick)
	for i := len(p.all) - 1; i >= 0; i-- {
		if res, ok := p.all[i].(*sip.Response); ok && res.CSeq().SeqNo == s.state.CSeq && res.CSeq().MethodName == method {
			return res
		}
	}
	return nil
}

// phone answers what the box sends to alice: her own user agent knows no NOTIFY.
func (p *pair) notified(status func(*sip.Request) int) *[]*sip.Request {
	var got []*sip.Request
	p.alice.ua.cfg.Other = nil
	p.drop = func(from, to *node, msg sip.Message) bool {
		req, ok := msg.(*sip.Request)
		if !ok || from != p.bob || req.Method != "NOTIFY" {
			return false
		}
		got = append(got, req)
		if code := status(req); code > 0 {
			p.after(time.Millisecond, func() { p.bob.receive(response(req, code, ""), p.bob.flow(p.alice)) })
		}
		return true
	}
	return &got
}

func always(status int) func(*sip.Request) int { return func(*sip.Request) int { return status } }

// said is a NOTIFY in short.
func said(list []*sip.Request) string {
	var w []string
	for _, n := range list {
		line := strings.TrimSpace(string(n.Body())) + " / " + n.GetHeader("Event").Value() + " / " + n.GetHeader("Subscription-State").Value()
		w = append(w, strings.TrimPrefix(line, "SIP/2.0 "))
	}
	return strings.Join(w, "\n")
}

func TestRFC3515ABlindTransferIsTakenAndItsProgressTold(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		got := p.notified(always(200))
		if res := p.send(sip.REFER, "", sip.NewHeader("Refer-To", "<sip:300@box;user=phone?X=1>"), sip.NewHeader("Referred-By", "<sip:200@box>")); res != nil {
			t.Fatalf("answered before the application did: %s", res)
		}
		r, ok := p.bobEar.events[1].(Referred)
		if !ok || r.ReferTo != "sip:300@box;user=phone" || r.ReferredBy != "<sip:200@box>" || r.Replaces != nil {
			t.Fatalf("%+v", p.bobEar.events[1])
		}
		p.bobCall.AnswerRefer(r.ID, 202)
		p.run(tick)
		if res := w.lastResponse(202, sip.REFER); res == nil || res.Contact() == nil {
			t.Errorf("no 202 with a Contact: %v", res)
		}
		p.bobCall.NotifyRefer(r.ID, 180, "Ringing", false)
		p.run(tick)
		p.bobCall.NotifyRefer(r.ID, 200, "OK", true)
		p.run(tick)
		want := "100 Trying / refer / active;expires=300\n180 Ringing / refer / active;expires=299\n200 OK / refer / terminated;reason=noresource"
		if said(*got) != want {
			t.Errorf("NOTIFYs:\n%s\nwant\n%s", said(*got), want)
		}
		for _, n := range *got {
			if n.Contact() == nil || n.ContentType().Value() != "message/sipfrag;version=2.0" {
				t.Errorf("incomplete:\n%s", n)
			}
		}
		p.bobCall.NotifyRefer(r.ID, 180, "Ringing", false)
		p.run(tick)
		p.want("180 Answered", "Confirmed Referred Ignored(notify refer)")
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC3515EverySecondReferHasItsOwnSubscription(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		got := p.notified(func(n *sip.Request) int { // the first subscription is refused
			if n.GetHeader("Event").Value() == "refer" {
				return 481
			}
			return 200
		})
		p.send(sip.REFER, "", sip.NewHeader("Refer-To", "<sip:300@box>"))
		p.send(sip.REFER, "", sip.NewHeader("Refer-To", "<sip:301@box>"))
		first, second := p.bobEar.events[1].(Referred).ID, p.bobEar.events[2].(Referred).ID
		p.bobCall.AnswerRefer(second, 202)
		p.bobCall.AnswerRefer(first, 202)
		p.run(tick)
		p.bobCall.NotifyRefer(first, 200, "OK", true)
		p.bobCall.NotifyRefer(second, 486, "Busy Here", true)
		p.run(tick)
		want := "100 Trying / refer;id=3 / active;expires=300\n100 Trying / refer / active;expires=300\n486 Busy Here / refer;id=3 / terminated;reason=noresource"
		if said(*got) != want {
			t.Errorf("NOTIFYs:\n%s\nwant\n%s", said(*got), want)
		}
		p.want("180 Answered", "Confirmed Referred Referred Ignored(notify refer)")
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC5057TheReferrersByeDoesNotLoseTheTransfer(t *testing.T) {
	for name, kill := range map[string]bool{"in one process": false, "over a kill": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				got := p.notified(always(200))
				p.send(sip.REFER, "", sip.NewHeader("Refer-To", "<sip:300@box>"))
				id := p.bobEar.events[1].(Referred).ID
				p.bobCall.AnswerRefer(id, 202)
				p.run(tick)
				session := p.bobCall
				p.send(sip.BYE, "")
				if p.bobEar.ended != 1 {
					t.Fatalf("bob heard %s", p.bobEar)
				}
				if kill { // nobody can tell the end any more: the subscription ends with its last word
					p.killBob()
					p.run(core.ReferLife + time.Second)
				} else {
					p.run(2 * core.Life)
					session.NotifyRefer(id, 200, "OK", true)
					p.run(tick)
				}
				want := "100 Trying / refer / active;expires=300\n200 OK / refer / terminated;reason=noresource"
				if kill {
					want = "100 Trying / refer / active;expires=300\n100 Trying / refer / terminated;reason=noresource"
				}
				if said(*got) != want {
					t.Errorf("NOTIFYs:\n%s\nwant\n%s", said(*got), want)
				}
				p.aliceCall.Hangup(hangup)
				p.run(2 * core.Life)
				if n := p.bob.ua.Len() + len(p.bobJ.kept); n > 0 {
					t.Errorf("%d sessions and records left", n)
				}
			})
		})
	}
}

func TestRFC4488WhoWantsNoNotifyGetsNone(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		got := p.notified(always(200))
		p.send(sip.REFER, "", sip.NewHeader("Refer-To", "<sip:300@box>"), sip.NewHeader("Refer-Sub", "false"), sip.NewHeader("Require", "norefersub"))
		id := p.bobEar.events[1].(Referred).ID
		p.bobCall.AnswerRefer(id, 202)
		p.bobCall.NotifyRefer(id, 200, "OK", true)
		p.run(tick)
		if len(*got) > 0 || only(t, w.lastResponse(202, sip.REFER), "Refer-Sub") != "false" {
			t.Errorf("NOTIFYs:\n%s", said(*got))
		}
		p.want("180 Answered", "Confirmed Referred")
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC3515AReferAcrossAKillIsRepeatedAndTaken(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		got := p.notified(always(200))
		p.send(sip.REFER, "", sip.NewHeader("Refer-To", "<sip:300@box>"))
		again := w.last(sip.REFER)
		p.killBob()
		p.alice.wire(again, p.bob.addr) // her transaction repeats it
		p.run(tick)
		p.want("180 Answered", "Confirmed Referred Referred")
		p.bobCall.AnswerRefer(p.bobEar.events[2].(Referred).ID, 202)
		p.run(tick)
		p.counted("bob", "202 REFER", 1)
		p.killBob() // the subscription goes on
		p.run(tick)
		p.bobCall.NotifyRefer(p.bobEar.events[2].(Referred).ID, 200, "OK", true)
		p.run(tick)
		if list := *got; len(list) < 2 || !strings.HasPrefix(said(list[len(list)-1:]), "200 OK / refer / terminated") {
			t.Errorf("NOTIFYs:\n%s", said(list))
		}
		p.bobCall.Hangup(hangup)
		p.over()
	})
}

// Both roles of our own user agent: what one writes the other reads.
func TestRFC3515WeTransferAndHearHowItGoes(t *testing.T) {
	for name, kill := range map[string]bool{"in one process": false, "over a kill of both": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				id := ReplacesID{CallID: "a+b c@d", ToTag: "t&1", FromTag: "f", EarlyOnly: true}
				p.aliceCall.Refer(uri(t, "sip:300@box;transport=tcp"), &id)
				p.run(tick)
				r := p.bobEar.events[1].(Referred)
				if r.ReferTo != "sip:300@box;transport=tcp" || r.Replaces == nil || *r.Replaces != id || r.ReferredBy != p.aliceCall.state.Local {
					t.Errorf("%+v, replaces %+v", r, r.Replaces)
				}
				p.bobCall.AnswerRefer(r.ID, 202)
				p.run(tick)
				if kill {
					p.killAlice()
					p.killBob()
				}
				p.bobCall.NotifyRefer(r.ID, 180, "Ringing", false)
				p.run(tick)
				p.bobCall.NotifyRefer(r.ID, 486, "Busy Here", true)
				p.run(tick)
				got := p.aliceEar.String()
				want := "180 Answered HandoverProgress(202) HandoverProgress(100) HandoverProgress(180) HandoverProgress(486 final)"
				if got != want && !(kill && strings.HasSuffix(got, "HandoverProgress(180) HandoverProgress(486 final)")) {
					t.Errorf("alice heard %s", got)
				}
				if res := p.send("NOTIFY", "", sip.NewHeader("Event", "presence")); res == nil || res.StatusCode != 489 {
					t.Errorf("an event of another kind: %v", res)
				}
				p.aliceCall.Hangup(hangup)
				p.over()
			})
		})
	}
}

func TestRFC3420WhatAFragmentSays(t *testing.T) {
	for body, want := range map[string]int{
		"SIP/2.0 200 OK\r\n": 200, "sip/2.0 180": 180, "SIP/2.0 100 Trying\r\nTo: x\r\n": 100,
		"": 0, "SIP/2.0": 0, "SIP/2.0 99": 0, "SIP/2.0 999 x": 0, "HTTP/1.1 200 OK": 0, "INVITE sip:x SIP/2.0": 0, "SIP/2.0 +20 x": 0,
	} {
		if got := fragment([]byte(body)); got != want {
			t.Errorf("%q is %d, want %d", body, got, want)
		}
	}
}

func TestRFC3515WhatAReferSays(t *testing.T) {
	for name, c := range map[string]struct {
		headers []sip.Header
		want    string
		status  int
	}{
		"a blind transfer": {[]sip.Header{sip.NewHeader("Refer-To", "sip:300@box")}, "sip:300@box", 0},
		"the compact form": {[]sip.Header{sip.NewHeader("r", "<sip:300@box>"), sip.NewHeader("b", "<sip:9@box>")}, "sip:300@box by <sip:9@box>", 0},
		"an attended one": {
			[]sip.Header{sip.NewHeader("Refer-To", "<sip:300@box?Replaces=a%40b%3Bto-tag%3Dt%3Bfrom-tag%3Df&Require=replaces>")},
			"sip:300@box replaces a@b;to-tag=t;from-tag=f", 0,
		},
		"an attended one, less escaped": {
			[]sip.Header{sip.NewHeader("Refer-To", "<sip:300@box?Replaces=a@b%3bfrom-tag%3df%3bto-tag%3dt%3bearly-only>")},
			"sip:300@box replaces a@b;to-tag=t;from-tag=f;early-only", 0,
		},
		"an INVITE by name":        {[]sip.Header{sip.NewHeader("Refer-To", "<sip:300@box;method=INVITE>")}, "sip:300@box", 0},
		"another method":           {[]sip.Header{sip.NewHeader("Refer-To", "<sip:300@box;method=BYE>")}, "", 400},
		"no Refer-To":              {nil, "", 400},
		"two Refer-To":             {[]sip.Header{sip.NewHeader("Refer-To", "<sip:300@box>"), sip.NewHeader("r", "<sip:301@box>")}, "", 400},
		"a web page":               {[]sip.Header{sip.NewHeader("Refer-To", "<http://box/>")}, "", 400},
		"a Replaces without tags":  {[]sip.Header{sip.NewHeader("Refer-To", "<sip:300@box?Replaces=a%40b>")}, "", 400},
		"a Replaces badly escaped": {[]sip.Header{sip.NewHeader("r", "<sip:300@box?Replaces=a%4>")}, "", 400},
		"two Replaces":             {[]sip.Header{sip.NewHeader("r", "<sip:300@box?Replaces=a%3Bto-tag%3Dt%3Bfrom-tag%3Df&replaces=a%3Bto-tag%3Dt%3Bfrom-tag%3Df>")}, "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				p.up()
				res := p.send(sip.REFER, "", c.headers...)
				got := ""
				if len(p.bobEar.events) > 1 {
					r := p.bobEar.events[1].(Referred)
					if got = r.ReferTo; r.Replaces != nil {
						got += " replaces " + FormatReplaces(*r.Replaces)
					}
					if r.ReferredBy != "" {
						got += " by " + r.ReferredBy
					}
					p.bobCall.AnswerRefer(r.ID, 603)
				}
				if got != c.want || (res != nil) != (c.status > 0) || res != nil && res.StatusCode != c.status {
					t.Errorf("read as %q, want %q; answered %v", got, c.want, res)
				}
				p.aliceCall.Hangup(hangup)
				p.over()
			})
		})
	}
}

func TestRFC3515ATransferOutsideACallIsForTheApplication(t *testing.T) {
	refer := text("REFER sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, contact, "CSeq: 1 REFER", hops, "Refer-To: <sip:300@box>")
	for status, line := range map[int]string{403: refer, 481: strings.Replace(refer, to, to+";tag=none", 1)} {
		inWorld(t, 1, func(w *world) {
			p := newPair(w)
			msg, err := sip.ParseMessage([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			p.bob.request(msg.(*sip.Request), p.bob.flow(p.alice))
			p.run(tick)
			if w.lastResponse(status, sip.REFER) == nil || len(p.bob.others) != 1 {
				t.Errorf("want %d after asking the application: %s", status, w.log)
			}
		})
	}
}
