package dialog

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// idOf names alice's call as whoever calls alice's user agent has to.
func idOf(s *Session, peer string) ReplacesID {
	return ReplacesID{CallID: s.CallID(), ToTag: s.ID(), FromTag: peer}
}

// replace has carol call alice with the given Replaces header fields, and returns her call and what
// she heard.
func (p *pair) replace(values ...string) (carol *Session, heard *ear, in *Session) {
	p.t.Helper()
	n := p.node("carol", "127.0.0.3:5060", Config{UserAgent: "Pronto"})
	p.alice.ua.cfg.Invite = func(s *Session) { in = s; s.Bind(func(Event) {}); s.Accept([]byte(answer)) }
	heard = &ear{}
	r := p.request()
	r.Flow, r.Events, r.Target = n.flow(p.alice), heard.hear, uri(p.t, "sip:200@127.0.0.1:5060")
	for _, v := range values {
		r.Headers = append(r.Headers, sip.NewHeader("Replaces", v))
	}
	carol, err := n.ua.Invite(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(tick)
	return carol, heard, in
}

func TestRFC3891AnEstablishedCallIsMatched(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		id := idOf(p.aliceCall, p.bobCall.ID())
		carol, heard, in := p.replace(FormatReplaces(id))
		if got := heard.String(); got != "Answered" {
			t.Fatalf("carol heard %s", got)
		}
		named, ok := in.Replaces()
		if !ok || named != id {
			t.Errorf("the call replaces %+v, %v", named, ok)
		}
		s, early, ok := p.alice.ua.Match(named)
		if s != p.aliceCall || early || !ok {
			t.Errorf("matched %v, early %v, %v", s, early, ok)
		}
		if !supports(w.last(sip.INVITE), "replaces") {
			t.Error("Supported does not list replaces")
		}
		s.Hangup(hangup) // as section 3 has it once the new call is accepted
		p.run(tick)
		p.want("180 Answered Ended(normal)", "Confirmed Ended(normal remote)")
		carol.Hangup(hangup)
		p.run(tick)
	})
}

// What is picked up from a lamp: the box rings a phone, so it has begun the early dialog.
func TestRFC3891AnEarlyDialogIsMatchedOnlyByWhoBeganIt(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.call()
		p.run(tick)
		p.bobCall.Provisional(180, nil)
		p.run(tick)
		id := idOf(p.aliceCall, p.bobCall.ID())
		id.EarlyOnly = true
		if s, early, ok := p.alice.ua.Match(id); s != p.aliceCall || !early || !ok {
			t.Errorf("our ringing call: %v, early %v, %v", s, early, ok)
		}
		carol, heard, in := p.replace(FormatReplaces(id))
		if got, _ := in.Replaces(); heard.String() != "Answered" || !got.EarlyOnly {
			t.Errorf("carol heard %s", heard)
		}
		watched := ReplacesID{CallID: id.CallID, ToTag: id.FromTag, FromTag: id.ToTag}
		if s, early, ok := p.alice.ua.Match(watched); s != p.aliceCall || !early || !ok {
			t.Errorf("as the watched phone has it: %v, early %v, %v", s, early, ok)
		}
		if _, _, ok := p.bob.ua.Match(idOf(p.bobCall, p.aliceCall.ID())); ok {
			t.Error("a call that rings at the one who is called is matched")
		}
		p.aliceCall.Hangup(tel.CauseAnsweredElsewhere)
		carol.Hangup(hangup)
		p.run(tick)
		p.want("180 Ended(answered_elsewhere)", "Ended(answered_elsewhere remote)")
	})
}

func TestRFC3891WhatCannotBeReplacedIsRefused(t *testing.T) {
	up := func(p *pair) string { p.up(); return FormatReplaces(idOf(p.aliceCall, p.bobCall.ID())) }
	for name, c := range map[string]struct {
		values func(p *pair) []string
		want   string
	}{
		"a call that nobody has":       {func(p *pair) []string { return []string{"x@y;to-tag=1;from-tag=2"} }, "481"},
		"a call with another peer":     {func(p *pair) []string { return []string{strings.Replace(up(p), "from-tag=", "from-tag=x", 1)} }, "481"},
		"a call under another Call-ID": {func(p *pair) []string { return []string{"x" + up(p)} }, "481"},
		"one as the watched phone has it (4235)": {func(p *pair) []string {
			p.up()
			return []string{FormatReplaces(ReplacesID{CallID: p.aliceCall.CallID(), ToTag: p.bobCall.ID(), FromTag: p.aliceCall.ID()})}
		}, "Answered"},
		"early-only and established": {func(p *pair) []string { return []string{up(p) + ";early-only"} }, "486"},
		"one that has just ended":    {func(p *pair) []string { v := up(p); p.bobCall.Hangup(hangup); p.run(tick); return []string{v} }, "603"},
		"two of them":                {func(p *pair) []string { v := up(p); return []string{v, v} }, "400"},
		"one that cannot be read":    {func(p *pair) []string { return []string{"x@y"} }, "400"},
		"our ringing call before it rang": {func(p *pair) []string {
			p.call()
			p.run(tick)
			return []string{FormatReplaces(idOf(p.aliceCall, p.bobCall.ID()))}
		}, "481"},
		"an established one, with more said": {func(p *pair) []string { return []string{up(p) + ";x=\"a;to-tag=2\""} }, "Answered"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				p := newPair(w)
				carol, heard, in := p.replace(c.values(p)...)
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

func TestRFC3891OnlyANewInviteReplaces(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		v := sip.NewHeader("Replaces", FormatReplaces(idOf(p.bobCall, p.aliceCall.ID())))
		for _, method := range []sip.RequestMethod{sip.INVITE, sip.INFO, sip.OPTIONS} {
			if res := p.send(method, "", v); res == nil || res.StatusCode != 400 {
				t.Errorf("%s inside a call: %v", method, res)
			}
		}
		msg, err := sip.ParseMessage([]byte(text("OPTIONS sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, "CSeq: 1 OPTIONS", hops, "Replaces: "+v.Value())))
		if err != nil {
			t.Fatal(err)
		}
		p.bob.request(msg.(*sip.Request), p.bob.flow(p.alice))
		if w.lastResponse(400, sip.OPTIONS) == nil || len(p.bob.others) > 0 {
			t.Error("OPTIONS with Replaces is not refused")
		}
		p.want("180 Answered", "Confirmed")
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestRFC3891TheCallToReplaceIsKnownAfterAKill(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.up()
		id := idOf(p.aliceCall, p.bobCall.ID())
		p.killAlice()
		if s, early, ok := p.alice.ua.Match(id); s != p.aliceCall || early || !ok {
			t.Errorf("matched %v, early %v, %v", s, early, ok)
		}
		p.aliceCall.Hangup(hangup)
		p.over()
	})
}

func TestReplacesIsReadAsRFC3891Writes(t *testing.T) {
	for value, want := range map[string]string{
		"a@b;to-tag=1;from-tag=2":                       "a@b;to-tag=1;from-tag=2",
		" a@b ; from-tag = 2 ; TO-TAG=1 ; Early-Only ":  "a@b;to-tag=1;from-tag=2;early-only",
		"98732@sip.example.com;from-tag=r33;to-tag=ff8": "98732@sip.example.com;to-tag=ff8;from-tag=r33",
		"a@b;to-tag=1;from-tag=2;to-tag=3":              "",
		"a@b;to-tag=1":                                  "",
		"a@b;from-tag=1":                                "",
		"a@b;to-tag=;from-tag=1":                        "",
		";to-tag=1;from-tag=2":                          "",
		"":                                              "",
		"a\r\nX: y;to-tag=1;from-tag=2":                 "",
	} {
		id, err := ParseReplaces(value)
		if (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrReplaces) || err == nil && FormatReplaces(id) != want {
			t.Errorf("%q is read as %+v, %v", value, id, err)
		}
	}
}

func FuzzReplaces(f *testing.F) {
	f.Add("a@b;to-tag=1;from-tag=2;early-only")
	f.Add(`a;to-tag="x;from-tag=2`)
	f.Fuzz(func(t *testing.T, value string) {
		id, err := ParseReplaces(value)
		if err != nil {
			return
		}
		again, err := ParseReplaces(FormatReplaces(id))
		if err != nil || again != id {
			t.Errorf("%q is read as %+v, and that as %+v, %v", value, id, again, err)
		}
	})
}
