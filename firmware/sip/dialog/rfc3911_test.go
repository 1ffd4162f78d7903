package dialog

import (
	"strconv"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// join has carol call alice with the given header fields, and returns what she heard and the call that
// alice's application saw.
func (p *pair) join(headers ...sip.Header) (carol *Session, heard *ear, in *Session) {
	p.t.Helper()
	n := p.node("carol", "127.0.0.3:5060", Config{UserAgent: "Pronto"})
	p.alice.ua.cfg.Invite = func(s *Session) { in = s; s.Bind(func(Event) {}); s.Accept([]byte(answer)) }
	heard = &ear{}
	r := p.request()
	r.Flow, r.Events, r.Target, r.Headers = n.flow(p.alice), heard.hear, uri(p.t, "sip:200@127.0.0.1:5060"), headers
	carol, err := n.ua.Invite(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(tick)
	return carol, heard, in
}

func TestRFC3911AnEstablishedCallIsJoined(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		id := idOf(p.aliceCall, p.bobCall.ID())
		carol, heard, in := p.join(sip.NewHeader("Join", FormatReplaces(id)), sip.NewHeader("Require", "join"))
		if got := heard.String(); got != "Answered" {
			t.Fatalf("carol heard %s", got)
		}
		if named, ok := in.Joins(); !ok || named != id {
			t.Errorf("the call joins %+v, %v", named, ok)
		}
		if _, ok := in.Replaces(); ok {
			t.Error("a Join is taken for a Replaces")
		}
		if _, ok := carol.Joins(); ok {
			t.Error("our own INVITE joins a call of ours")
		}
		if !supports(w.last(sip.INVITE), "join") {
			t.Error("Supported does not list join (section 3)")
		}
		carol.Hangup(hangup)
		p.aliceCall.Hangup(hangup)
		p.run(tick)
		p.want("180 Answered Ended(normal)", "Confirmed Ended(normal remote)")
	})
}

func TestRFC3911WhatCannotBeJoinedIsRefused(t *testing.T) {
	value := func(p *pair) string { return FormatReplaces(idOf(p.aliceCall, p.bobCall.ID())) }
	joins := func(values ...string) (all []sip.Header) {
		for _, v := range values {
			all = append(all, sip.NewHeader("Join", v))
		}
		return all
	}
	for name, c := range map[string]struct {
		headers func(p *pair) []sip.Header
		want    string
	}{
		"a call that nobody has":  {func(*pair) []sip.Header { return joins("x@y;to-tag=1;from-tag=2") }, "481"},
		"one that cannot be read": {func(*pair) []sip.Header { return joins("x@y") }, "400"},
		"two of them":             {func(p *pair) []sip.Header { p.up(); return joins(value(p), value(p)) }, "400"},
		"one that has just ended": {func(p *pair) []sip.Header {
			p.up()
			v := value(p)
			p.bobCall.Hangup(hangup)
			p.run(tick)
			return joins(v)
		}, "603"},
		"together with a Replaces": {func(p *pair) []sip.Header {
			p.up()
			return append(joins(value(p)), sip.NewHeader("Replaces", value(p)))
		}, "400"},
		"one that still rings": {func(p *pair) []sip.Header {
			p.call()
			p.run(tick)
			p.bobCall.Provisional(180, nil)
			p.run(tick)
			return joins(value(p))
		}, "481"},
		"an established one":       {func(p *pair) []sip.Header { p.up(); return joins(value(p)) }, "Answered"},
		"one with more said of it": {func(p *pair) []sip.Header { p.up(); return joins(value(p) + ";x=1") }, "Answered"},
		"one as the watched has it": {func(p *pair) []sip.Header {
			p.up()
			return joins(FormatReplaces(ReplacesID{CallID: p.aliceCall.CallID(), ToTag: p.bobCall.ID(), FromTag: p.aliceCall.ID()}))
		}, "Answered"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				carol, heard, in := p.join(c.headers(p)...)
				got := heard.String()
				if len(heard.events) > 0 {
					if r, ok := heard.events[0].(Rejected); ok {
						got = strconv.Itoa(r.Status)
					}
				}
				if got != c.want || (in != nil) != (c.want == "Answered") {
					t.Errorf("carol heard %s, want %s", got, c.want)
				}
				carol.Hangup(hangup)
				if p.aliceCall != nil {
					p.aliceCall.Hangup(hangup)
				}
				p.run(2 * core.Life)
				if n := p.alice.ua.Len(); n > 0 {
					t.Errorf("%d sessions left", n)
				}
			})
		})
	}
}

func TestRFC3911OnlyANewInviteJoins(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		v := sip.NewHeader("Join", FormatReplaces(idOf(p.bobCall, p.aliceCall.ID())))
		for _, method := range []sip.RequestMethod{sip.INVITE, sip.INFO, sip.OPTIONS} {
			if res := p.send(method, "", v); res == nil || res.StatusCode != 400 {
				t.Errorf("%s inside a call: %v", method, res)
			}
		}
		p.want("180 Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}
