package dialplan

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// personal builds settings from changes.
func personal(changes ...Change) Personal {
	var s Personal
	for _, c := range changes {
		s = s.With(c)
	}
	return s
}

func forward(a tel.AgentID, when When, to string) Change {
	return Change{Kind: Forward, Agent: a, When: when, To: to, On: true}
}

func TestAPersonsSettingsDecideWhereTheirCallsGo(t *testing.T) {
	for _, c := range []struct {
		name    string
		setting Personal
		dialed  tel.Number
		want    string
	}{
		{"nothing set", Personal{}, "205", "ring 205 else voicemail:201"},
		{"do not disturb", personal(Change{Kind: DND, Agent: "anna", On: true}), "201", "reject busy do_not_disturb"},
		{"do not disturb with a forward on busy", personal(Change{Kind: DND, Agent: "anna", On: true}, forward("anna", OnBusy, "ext:205")), "201", "ring 205 else voicemail:201"},
		{"do not disturb is none of the group's", personal(Change{Kind: DND, Agent: "anna", On: true}), "291", "ring 205"},
		{"a group of which nobody may be disturbed or has a phone", personal(Change{Kind: DND, Agent: "anna", On: true}, Change{Kind: DND, Agent: "carla", On: true}), "291", "reject unreachable no_phone"},
		{"no call waiting", personal(Change{Kind: CallWaiting, Agent: "anna"}), "201", "ring 201,201m(idle)"},
		{"always to a colleague", personal(forward("anna", Always, "ext:205")), "201", "ring 205 else voicemail:201"},
		{"always to a queue", personal(forward("anna", Always, "queue:sales")), "201", "queue sales"},
		{"always outside, with the rights of who set it", personal(forward("boss", Always, "outside:00442071234567")), "202", "outside international trunk:tim=+442071234567"},
		{"always outside without the right any more", personal(forward("carla", Always, "outside:3331234567")), "205", "reject forbidden class_not_allowed"},
		{"always to what a PIN would open", personal(forward("boss", Always, "outside:899123456")), "202", "reject forbidden class_not_allowed"},
		{"always to an emergency number", personal(forward("boss", Always, "outside:+39112")), "202", "reject forbidden emergency_is_no_destination"},
		{"a person without a phone and with a forward", personal(forward("new", OnUnreachable, "queue:sales")), "204", "queue sales"},
		{"one's own setting comes before the configured one", personal(forward("carla", OnNoAnswer, "queue:sales")), "205", "ring 205 else queue:sales"},
		{"in a ring", personal(forward("anna", Always, "ext:202"), forward("boss", Always, "ext:201")), "201", "reject unreachable loop"},
	} {
		p := site(t)
		p.Personal = c.setting
		want := c.want
		if want == "reject unreachable loop" {
			want = "reject unreachable " + WhyLoop
		}
		if got := brief(Route(p, Request{Device: "door2", Dialed: c.dialed, At: monday})); got != "reject forbidden unknown_phone" {
			t.Fatalf("a stranger reaches %s", got)
		}
		if got := brief(Route(p, Request{Device: "201", Dialed: c.dialed, At: monday})); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

// What a call record and a Diversion say of a call comes from here.
func TestADecisionNamesWhoSentTheCallOn(t *testing.T) {
	for _, c := range []struct {
		name    string
		setting Personal
		dialed  tel.Number
		want    []Diverted
	}{
		{"nobody", Personal{}, "201", nil},
		{"always", personal(forward("anna", Always, "ext:205")), "201", []Diverted{{"201", "ext:205", tel.DivertAlways}}},
		{
			"one after the other", personal(forward("boss", Always, "ext:201"), forward("anna", Always, "queue:sales")), "202",
			[]Diverted{{"202", "ext:201", tel.DivertAlways}, {"201", "queue:sales", tel.DivertAlways}},
		},
		{
			"do not disturb", personal(Change{Kind: DND, Agent: "anna", On: true}, forward("anna", OnBusy, "ext:205")), "201",
			[]Diverted{{"201", "ext:205", tel.DivertDoNotDisturb}},
		},
		{"without a phone", personal(forward("new", OnUnreachable, "queue:sales")), "204", []Diverted{{"204", "queue:sales", tel.DivertUnreachable}}},
		{"to where the right is missing", personal(forward("carla", Always, "outside:3331234567")), "205", []Diverted{{"205", "outside:3331234567", tel.DivertAlways}}},
	} {
		p := site(t)
		p.Personal = c.setting
		if got := Route(p, Request{Device: "201", Dialed: c.dialed, At: monday}).Forwards; !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestAChainOfForwardsIsFollowedFiveTimes(t *testing.T) {
	p := Plan{Personal: Personal{}}
	names := []tel.AgentID{"a", "b", "c", "d", "e", "f", "g"}
	for i, a := range names {
		n := tel.Number(rune('1'+i)) + "01"
		p.Extensions = append(p.Extensions, Extension{Number: n, Agent: a, Devices: []tel.DeviceID{tel.DeviceID(n)}})
		if i > 0 {
			p.Personal = p.Personal.With(forward(names[i-1], Always, "ext:"+string(n)))
		}
	}
	if got := brief(Route(p, Request{Device: "101", Dialed: "201"})); got != "ring 701" {
		t.Errorf("five forwards: %s", got)
	}
	if got := brief(Route(p, Request{Device: "701", Dialed: "101"})); got != "reject unreachable "+WhyLoop {
		t.Errorf("six forwards: %s", got)
	}
	// The seventh would close the ring; whoever dials the code is told so at once.
	if got := brief(Route(p, Request{Device: "701", Dialed: "*21101"})); got != "reject forbidden "+WhyLoop {
		t.Errorf("a forward that closes the ring: %s", got)
	}
}

func TestAfterARingTheCallGoesOnWithTheRightsOfThePerson(t *testing.T) {
	p := site(t)
	p.Personal = personal(forward("carla", OnBusy, "outside:3331234567"), forward("boss", OnNoAnswer, "outside:00442071234567"))
	ring := Route(p, Request{Trunk: "tim", Dialed: "0212345672", Caller: "0299999999", At: monday}).Ring
	if d := To(p, ring.OnBusy, Request{At: monday, As: ring.As, Hops: ring.Hops}); d.Why != WhyForbidden {
		t.Errorf("carla, who may dial inside only, sends a stranger out: %s", brief(d))
	}
	ring = Route(p, Request{Device: "205", Dialed: "202", At: monday}).Ring
	d := To(p, ring.OnNoAnswer, Request{At: monday, As: ring.As, Hops: ring.Hops})
	if got := brief(d); got != "outside international trunk:tim=+442071234567" || d.As != "202" {
		t.Errorf("boss pays for it: %s as %s", got, d.As)
	}
}

func TestUnwantedCallersAreTurnedAwayAndOthersAreNot(t *testing.T) {
	p := site(t)
	p.Blocked = []string{"0244444444", "+49*", "00353*", "899*"}
	p.Anonymous = "voicemail:201"
	p.VIP = []string{"+4930123456"}
	p.Extensions[4].Blocked = []string{"3339999999"}
	p.Extensions[4].Anonymous = "reject"
	p.Personal = personal(Change{Kind: Blocking, Agent: "carla", Number: "+393338888888", On: true})
	for _, c := range []struct {
		name   string
		dialed tel.Number
		caller tel.Number
		want   string
	}{
		{"a blocked number", "0212345699", "+390244444444", "reject busy caller_blocked"},
		{"a blocked country", "0212345699", "004989123456", "reject busy caller_blocked"},
		{"another one, written with 00", "0212345699", "+35312345678", "reject busy caller_blocked"},
		{"a blocked beginning in national form", "0212345699", "+39899123456", "reject busy caller_blocked"},
		{"a guest of honour from there", "0212345699", "+4930123456", "queue sales"},
		{"somebody else", "0212345699", "+390255555555", "queue sales"},
		{"without a number", "0212345699", "", "voicemail 201"},
		{"blocked by a person in the configuration", "0212345672", "+393339999999", "reject busy caller_blocked"},
		{"blocked by a person from the phone", "0212345672", "3338888888", "reject busy caller_blocked"},
		{"who one person blocked reaches the others", "0212345699", "3338888888", "queue sales"},
	} {
		d := Route(p, Request{Trunk: "tim", Dialed: c.dialed, Caller: c.caller, At: monday})
		if got := brief(d); got != c.want || d.VIP != (c.caller == "+4930123456") {
			t.Errorf("%s: %s (VIP %v), want %s", c.name, got, d.VIP, c.want)
		}
	}
	p.Anonymous = ""
	if got := brief(Route(p, Request{Trunk: "tim", Dialed: "0212345672", At: monday})); got != "reject anonymous anonymous_caller" {
		t.Errorf("a person who takes no anonymous calls: %s", got)
	}
	if got := brief(Route(p, Request{Device: "201", Dialed: "205", At: monday})); got != "ring 205 else voicemail:201" {
		t.Errorf("colleagues are never anonymous: %s", got)
	}
}

func TestTheFirstThatCanRingRingsAtOnce(t *testing.T) {
	p := site(t)
	p.Extensions[1].Devices = nil
	d := Route(p, Request{Device: "201", Dialed: "202", At: monday})
	if got := brief(d); got != "ring line:gsm0=3337654321trunk:tim=3337654321" || d.Ring.Branches[0].For != 15*time.Second {
		t.Errorf("%s for %v", got, d.Ring.Branches[0].For)
	}
	if d.Ring.Branches[0].As != "202" || d.Ring.Branches[0].Class != Mobile {
		t.Errorf("the mobile rings with the rights of %q", d.Ring.Branches[0].As)
	}
	p.Extensions[1].Allow = []Class{Internal}
	if got := brief(Route(p, Request{Device: "201", Dialed: "202", At: monday})); got != "reject unreachable no_phone" {
		t.Errorf("a mobile that its person may not dial rings: %s", got)
	}
}

func TestAnAnnouncementGoesToTheGroupsPhonesAndComesFromInsideOnly(t *testing.T) {
	p := Plan{
		Extensions: []Extension{
			{Number: "201", Agent: "anna", Devices: []tel.DeviceID{"201"}},
			{Number: "202", Agent: "bruno", Devices: []tel.DeviceID{"202", "202b"}},
			{Number: "203", Agent: "carla", Devices: []tel.DeviceID{"203"}},
		},
		Groups:   []Group{{ID: "all", Number: "290", Page: true, Members: []Member{{To: "ext:201"}, {To: "ext:202"}, {To: "ext:203"}}}},
		Inbound:  []Inbound{{Via: "trunk:t", To: "group:all"}},
		Personal: Personal{People: map[tel.AgentID]Person{"carla": {DND: true}}},
	}
	if d := Route(p, Request{Device: "201", Dialed: "290", At: monday}); d.Action != Page || !slices.Equal(d.Devices, []tel.DeviceID{"202", "202b"}) {
		t.Errorf("201 speaks to %+v", d)
	}
	if d := Route(p, Request{Trunk: "t", Dialed: "0612345678", At: monday}); d.Why != WhyForbidden {
		t.Errorf("a caller from outside speaks to everybody: %+v", d)
	}
}
