package dialog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// bearing is a request with the given header lines.
func bearing(t testing.TB, lines ...string) *sip.Request {
	t.Helper()
	msg, err := sip.ParseMessage([]byte(text(append([]string{"BYE sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, "CSeq: 1 BYE"}, lines...)...)))
	if err != nil {
		t.Fatal(err)
	}
	return msg.(*sip.Request)
}

// RFC 3326: what a BYE or CANCEL says of its reason.
func TestReasonIsReadAsRFC3326Writes(t *testing.T) {
	for line, want := range map[string]tel.Cause{
		`Reason: SIP;cause=200;text="Call completed elsewhere"`:    tel.CauseAnsweredElsewhere,
		`Reason: sip ; CAUSE = 200`:                                tel.CauseAnsweredElsewhere,
		`Reason: Q.850;cause=17;text="User busy"`:                  tel.CauseBusy,
		`Reason: Q.850;cause=26`:                                   tel.CauseAnsweredElsewhere,
		`Reason: Q.850;cause=16;text="Normal"`:                     tel.CauseNone,
		`Reason: SIP;cause=487`:                                    tel.CauseNone,
		`Reason: Q.850;text="cause=17, or so";cause=31`:            tel.CauseMediaTimeout,
		`Reason: X;text="a, SIP;cause=200", Q.850;cause=17`:        tel.CauseBusy,
		`Reason: Q.850;cause=16, SIP;cause=200;text="a \", Q.850"`: tel.CauseAnsweredElsewhere,
		`Reason: Q.850`:                                  tel.CauseNone,
		`Reason: Q.850;cause=x`:                          tel.CauseNone,
		`Reason: Q.850;cause=99999999999999999999`:       tel.CauseNone,
		`Reason: `:                                       tel.CauseNone,
		"Reason: X.1;cause=17\r\nReason: Q.850;cause=17": tel.CauseBusy,
		`Reason: preemption;cause=1;text="for an emergency", Q.850;cause=8`: tel.CausePreempted,
	} {
		if got := causeOf(bearing(t, line)); got != want {
			t.Errorf("%s is read as %s, want %s", line, got, want)
		}
	}
}

// What we write is what we read, so that two boxes understand each other.
func TestEveryCauseSurvivesTheWayThroughAReason(t *testing.T) {
	for c := tel.CauseNormal; c <= tel.CauseInternalError; c++ {
		h := reasonHeader(c)
		got := causeOf(bearing(t, h.Name()+": "+h.Value()))
		if got != c && got != tel.CauseNone && got.Q850() != c.Q850() {
			t.Errorf("%s is written %q and read %s", c, h.Value(), got)
		}
	}
	if got := reasonHeader(tel.CauseAnsweredElsewhere).Value(); got != `SIP;cause=200;text="Call completed elsewhere"` {
		t.Errorf("answered elsewhere: %s", got)
	}
	if got := reasonHeader(tel.CauseBusy).Value(); got != "Q.850;cause=17" {
		t.Errorf("busy: %s", got)
	}
}

func TestTheTargetsOfARedirectionAreBoundedAndSorted(t *testing.T) {
	var many []string
	for i := range 40 {
		many = append(many, "<sip:"+string(rune('a'+i%26))+strings.Repeat("x", i)+"@box>")
	}
	for name, c := range map[string]struct {
		contact string
		want    string
		n       int
	}{
		"one":               {"<sip:300@box;transport=tcp>", "sip:300@box;transport=tcp", 1},
		"by preference":     {"<sip:a@box>;q=0.1, <sip:b@box>;q=0.9, <sip:c@box>", "sip:c@box sip:b@box sip:a@box", 3},
		"equal ones stay":   {"<sip:b@box>, <sip:a@box>", "sip:b@box sip:a@box", 2},
		"twice the same":    {"<sip:a@box>, <sip:a@box>;q=0.2", "sip:a@box", 1},
		"a broken q":        {"<sip:a@box>;q=0.5, <sip:b@box>;q=NaN, <sip:c@box>;q=7", "sip:b@box sip:c@box sip:a@box", 3},
		"a number":          {"<tel:+39061234567>", "tel:+39061234567", 1},
		"a web page":        {"<http://box/>, <sip:a@box>", "sip:a@box", 1},
		"a star":            {"*", "", 0},
		"more than we take": {strings.Join(many, ", "), "", maxContacts},
	} {
		t.Run(name, func(t *testing.T) {
			msg, err := sip.ParseMessage([]byte(text("SIP/2.0 302 Moved", via, from, to, callID, "CSeq: 1 INVITE", "Contact: "+c.contact)))
			if err != nil {
				t.Fatal(err)
			}
			got := contacts(msg.(*sip.Response))
			if len(got) != c.n || c.want != "" && strings.Join(got, " ") != c.want {
				t.Errorf("%d: %s, want %d: %s", len(got), strings.Join(got, " "), c.n, c.want)
			}
		})
	}
}

func TestARedirectionReachesTheApplication(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		p := newPair(w)
		p.onCall = func(s *Session) { s.Reject(302, sip.NewHeader("Contact", "<sip:300@box>")) }
		p.call()
		p.run(tick)
		r, ok := p.aliceEar.events[0].(Rejected)
		if !ok || !slices.Equal(r.Contacts, []string{"sip:300@box"}) {
			t.Errorf("%+v", p.aliceEar.events[0])
		}
		p.over()
	})
}

func TestSessionTimerHeadersAreReadAsRFC4028Writes(t *testing.T) {
	for lines, want := range map[string]core.Terms{
		"Session-Expires: 1800;refresher=uac":               {Expires: 30 * time.Minute, Refresher: core.SideUAC},
		"x: 90 ; REFRESHER = UAS":                           {Expires: 90 * time.Second, Refresher: core.SideUAS},
		"Session-Expires: 4000;refresher=me\r\nMin-SE: 120": {Expires: 4000 * time.Second, Min: 2 * time.Minute},
		"Session-Expires: soon":                             {},
		"Session-Expires: -5":                               {},
		"Session-Expires: 99999999999":                      {},
		"Min-SE: 90;generic=x":                              {Min: 90 * time.Second},
		"Min-SE: ":                                          {},
	} {
		if got := terms(bearing(t, lines)); got != want {
			t.Errorf("%q is read as %+v, want %+v", lines, got, want)
		}
	}
}

func TestTheLongestSessionIntervalIsWrittenAsItWasRead(t *testing.T) {
	in := bearing(t, "Session-Expires: 4294967295;refresher=uas", "Min-SE: 4294967295")
	out := bearing(t)
	putTerms(out, terms(in))
	if got := only(t, out, "Session-Expires") + " " + only(t, out, "Min-SE"); got != "4294967295;refresher=uas 4294967295" {
		t.Errorf("written as %s", got)
	}
}

func TestWhoTheOtherSaysHeIsHasALimit(t *testing.T) {
	var lines []string
	for range 20 {
		lines = append(lines, "Remote-Party-ID: <sip:1@x>;party=calling")
	}
	if got := identity(bearing(t, lines...)); len(got) != maxIdentities || got[0] != lines[0] {
		t.Errorf("%d lines: %q", len(got), got)
	}
	if got := identity(bearing(t, "P-Asserted-Identity: <sip:"+strings.Repeat("9", 600)+"@x>", "From-X: y")); got != nil {
		t.Errorf("%q", got)
	}
}

func TestRAckIsReadAsRFC3262Writes(t *testing.T) {
	for value, want := range map[string]core.RAck{
		"776656 1 INVITE":      {RSeq: 776656, CSeq: 1, Method: "INVITE"},
		" 1   2\tINVITE ":      {RSeq: 1, CSeq: 2, Method: "INVITE"},
		"1 2":                  {},
		"1 2 INVITE x":         {},
		"x 2 INVITE":           {},
		"1 -2 INVITE":          {},
		"99999999999 2 INVITE": {},
		"":                     {},
	} {
		if got := rack(bearing(t, "RAck: "+value)); got != want {
			t.Errorf("%q is read as %+v, want %+v", value, got, want)
		}
	}
}

func FuzzExtensions(f *testing.F) {
	f.Add("Session-Expires", "1800;refresher=uac")
	f.Add("Min-SE", "90")
	f.Add("RAck", "1 2 INVITE")
	f.Add("Reason", `SIP;cause=200;text="a, \"b", Q.850;cause=17`)
	f.Add("Require", "100rel, timer,,foo")
	f.Add("Event", "refer;id=7")
	f.Add("Allow", "INVITE, UPDATE")
	f.Add("Refer-To", "<sip:a@b?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>")
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.ContainsAny(name+value, "\r\n") || strings.ContainsAny(name, ": \t") || name == "" {
			return
		}
		msg, err := sip.ParseMessage([]byte(text("REFER sip:201@127.0.0.2 SIP/2.0", via, from, to, callID, "CSeq: 1 REFER", name+": "+value)))
		if err != nil {
			return
		}
		req := msg.(*sip.Request)
		if terms := terms(req); terms.Expires < 0 || terms.Min < 0 {
			t.Errorf("%s: %q makes %+v", name, value, terms)
		}
		for _, list := range [][]string{values(req, name), split(value, ';')} {
			if n := strings.Count(value, ",") + strings.Count(value, ";") + 1; len(list) > n {
				t.Errorf("%q has %d parts", value, len(list))
			}
		}
		if r, err := referred(req); err == nil {
			var uri sip.Uri
			if err := sip.ParseUri(r.ReferTo, &uri); err != nil || !usable(uri) || len(uri.Headers) > 0 {
				t.Errorf("%q refers to %q", value, r.ReferTo)
			}
		}
		_, _, _, _ = causeOf(req), rack(req), unsupported(req), abilities(core.Peer{}, req)
		_, _, _ = replacesOf(req)
		if n, ok := notification(req); ok && n.Status != 0 && (n.Status < 100 || n.Status > 699) {
			t.Errorf("%q tells %+v", value, n)
		}
	})
}
