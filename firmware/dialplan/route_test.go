package dialplan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func rome(t testing.TB) *time.Location {
	z, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func site(t testing.TB) Plan {
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	return Plan{
		Extensions: []Extension{
			{Number: "201", Agent: "anna", Devices: []tel.DeviceID{"201", "201m"}},
			{Number: "202", Agent: "boss", Devices: []tel.DeviceID{"202"}, Allow: []Class{Internal, Local, Mobile, International}},
			{Number: "203", Devices: []tel.DeviceID{"door"}, Allow: []Class{}},
			{Number: "204", Agent: "new"},
		},
		Queues: []QueueNumber{{"301", "sales"}},
		Inbound: []Inbound{
			{Via: "trunk:tim", Number: "+390212345670", To: "queue:sales", Hours: "office", Closed: "ext:201"},
			{Via: "trunk:tim", Number: "0212345671", To: "ext:201", Hours: "office"},
			{Via: "trunk:tim", To: "queue:sales"},
			{Via: "line:gsm0", To: "outside:3331234567"},
		},
		Outlets: []Outlet{{Via: "trunk:tim"}, {Via: "line:gsm0"}, {Via: "line:fxo0", Emergency: true}},
		Routes: []OutsideRoute{
			{Prefix: "+39", Via: []string{"trunk:tim", "line:gsm0"}},
			{Prefix: "+393", Via: []string{"line:gsm0", "trunk:tim"}},
			{Prefix: "+", Via: []string{"trunk:tim"}, Form: E164},
			{Prefix: "1", Via: []string{"line:fxo0"}},
		},
		Hours: []Hours{{Name: "office", Open: []Span{
			{weekdays, 9 * time.Hour, 13 * time.Hour}, {weekdays, 14 * time.Hour, 18 * time.Hour},
		}}},
		Zone: rome(t),
	}
}

var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) // 11:00 in Rome

func TestWhereNumbersDialledFromAPhoneLead(t *testing.T) {
	p := site(t)
	if err := p.Validate([]tel.QueueID{"sales"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		device tel.DeviceID
		dialed tel.Number
		want   string // action and what matters of it
	}{
		{"a colleague", "202", "201", "devices 201,201m"},
		{"a colleague without phones", "202", "204", "reject unreachable no_phone"},
		{"a queue", "201", "301", "queue sales"},
		{"an unknown short number", "201", "299", "reject unallocated unknown_number"},
		{"Milan as dialled in Italy", "201", "0287654321", "outside local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"Milan in international form keeps its zero", "201", "+390287654321", "outside local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"Milan with 0039", "201", "00390287654321", "outside local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"a mobile goes out by GSM first", "201", "3331234567", "outside mobile line:gsm0=3331234567 trunk:tim=3331234567"},
		{"a toll-free number", "201", "800123456", "outside local trunk:tim=800123456 line:gsm0=800123456"},
		{"a service number has no international form", "201", "187", "outside local line:fxo0=187"},
		{"directory enquiries are premium", "202", "1254", "reject forbidden class_not_allowed"},
		{"and so with +39 in front", "202", "+391254", "reject forbidden class_not_allowed"},
		{"premium is locked", "202", "899123456", "reject forbidden class_not_allowed"},
		{"premium in international form too", "202", "+39899123456", "reject forbidden class_not_allowed"},
		{"London is locked by default", "201", "00442071234567", "reject forbidden class_not_allowed"},
		{"London for who may", "202", "00442071234567", "outside international trunk:tim=+442071234567"},
		{"satellites are premium", "202", "00881612345678", "reject forbidden class_not_allowed"},
		{"an international call in a national dress", "201", "+3900442071234567", "reject unallocated unknown_number"},
		{"nothing may leave from the door", "door", "0287654321", "reject forbidden class_not_allowed"},
		{"not even to a colleague", "door", "201", "reject forbidden class_not_allowed"},
		{"but 112 always", "door", "112", "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112"},
		{"112 from a phone nobody knows", "stranger", "112", "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112"},
		{"112 with the country code", "201", "+39112", "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112"},
		{"the forest fire number", "201", "1515", "emergency 1515 line:fxo0=1515 trunk:tim=1515 line:gsm0=1515"},
		{"anything else from a stranger", "stranger", "201", "reject forbidden unknown_phone"},
		{"echo test", "door", "*43", "echo"},
		{"login", "201", "*41", "login anna"},
		{"logout is the longer code", "201", "*410", "logout anna"},
		{"pause", "201", "*42", "pause anna"},
		{"pause with a reason", "201", "*423", "pause anna 3"},
		{"resume", "201", "*420", "resume anna"},
		{"login at a phone of nobody", "door", "*41", "reject forbidden nobody_at_this_phone"},
		{"an unknown code", "201", "*99", "reject unallocated unknown_number"},
		{"nothing", "201", "", "reject unallocated unknown_number"},
	} {
		if got := brief(Route(p, Request{Device: c.device, Dialed: c.dialed, At: monday})); got != c.want {
			t.Errorf("%s: %s dials %s: %s, want %s", c.name, c.device, c.dialed, got, c.want)
		}
	}
}

func brief(d Decision) string {
	parts := []string{string(d.Action)}
	switch d.Action {
	case Reject:
		parts = append(parts, d.Cause.String(), d.Why)
	case Devices:
		var ids []string
		for _, x := range d.Devices {
			ids = append(ids, string(x))
		}
		parts = append(parts, strings.Join(ids, ","))
	case Queue:
		parts = append(parts, string(d.Queue))
	case Outside:
		parts = append(parts, string(d.Class))
	case Emergency:
		parts = append(parts, string(d.Number))
	case Login, Logout, Pause, Resume, FinishWrapUp:
		parts = append(parts, string(d.Agent))
		if d.Reason != "" {
			parts = append(parts, d.Reason)
		}
	}
	for _, a := range d.Attempts {
		parts = append(parts, a.Via+"="+string(a.Number))
	}
	return strings.Join(parts, " ")
}

func TestWhereCallsFromOutsideLead(t *testing.T) {
	p := site(t)
	sunday := monday.Add(-24 * time.Hour)
	for _, c := range []struct {
		name string
		r    Request
		want string
	}{
		{"the main number in national form", Request{Trunk: "tim", Dialed: "0212345670", At: monday}, "queue sales"},
		{"the main number on Sunday", Request{Trunk: "tim", Dialed: "00390212345670", At: sunday}, "devices 201,201m"},
		{"a direct number", Request{Trunk: "tim", Dialed: "+390212345671", At: monday}, "devices 201,201m"},
		{"a direct number on Sunday", Request{Trunk: "tim", Dialed: "0212345671", At: sunday}, "reject unreachable closed"},
		{"any other number of the trunk", Request{Trunk: "tim", Dialed: "0212345699", At: monday}, "queue sales"},
		{"a line that forwards", Request{Line: "gsm0", At: monday}, "outside mobile line:gsm0=3331234567 trunk:tim=3331234567"},
		{"a trunk without rules", Request{Trunk: "wind", Dialed: "0212345670", At: monday}, "reject unallocated unknown_number"},
		{"a stranger who dials an outside number gets no free way out", Request{Trunk: "wind", Dialed: "00442071234567", At: monday}, "reject unallocated unknown_number"},
		{"nor a feature code", Request{Trunk: "wind", Dialed: "*41", At: monday}, "reject unallocated unknown_number"},
	} {
		if got := brief(Route(p, c.r)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTheOutsidePrefixIsRequiredAndRemoved(t *testing.T) {
	p := site(t)
	p.OutsidePrefix = "0"
	for dialed, want := range map[tel.Number]string{
		"00287654321":  "outside local trunk:tim=0287654321 line:gsm0=0287654321",
		"03331234567":  "outside mobile line:gsm0=3331234567 trunk:tim=3331234567",
		"3331234567":   "reject unallocated unknown_number",
		"+39287654321": "reject unallocated unknown_number",
		"0112":         "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112",
		"112":          "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112",
		"201":          "devices 201,201m",
	} {
		if got := brief(Route(p, Request{Device: "201", Dialed: dialed, At: monday})); got != want {
			t.Errorf("%s: %s, want %s", dialed, got, want)
		}
	}
}

func TestStripAndPrependApplyAfterTheForm(t *testing.T) {
	p := site(t)
	p.Routes = []OutsideRoute{{Prefix: "+39", Via: []string{"trunk:tim"}, Form: E164, Strip: 1, Prepend: "77"}}
	if got := brief(Route(p, Request{Device: "201", Dialed: "0287654321"})); got != "outside local trunk:tim=77390287654321" {
		t.Fatal(got)
	}
	if got := brief(Route(p, Request{Device: "202", Dialed: "00442071234567"})); got != "reject congestion no_route" {
		t.Fatal(got)
	}
	if got := brief(Route(Plan{}, Request{Device: "x", Dialed: "118"})); got != "emergency 118" {
		t.Fatalf("an empty plan must still name an emergency call: %s", got)
	}
}

func TestHoursFollowTheWallClockOfTheSite(t *testing.T) {
	z := rome(t)
	office := Hours{Open: []Span{{[]time.Weekday{time.Sunday, time.Monday}, 9 * time.Hour, 13 * time.Hour}}}
	night := Hours{Open: []Span{{[]time.Weekday{time.Saturday}, 22 * time.Hour, 6 * time.Hour}}}
	always := Hours{Open: []Span{{[]time.Weekday{time.Sunday}, 0, 24 * time.Hour}}}
	at := func(month time.Month, day, h, m int) time.Time { return time.Date(2026, month, day, h, m, 0, 0, z) }
	for _, c := range []struct {
		name string
		h    Hours
		at   time.Time
		want bool
	}{
		{"the first minute is open", office, at(3, 2, 9, 0), true},
		{"the minute before is not", office, at(3, 2, 8, 59), false},
		{"the last minute is open", office, at(3, 2, 12, 59), true},
		{"the closing minute is not", office, at(3, 2, 13, 0), false},
		{"another day is closed", office, at(3, 3, 10, 0), false},
		{"09:00 on the day the clocks go forward", office, at(3, 29, 9, 0), true},
		{"09:00 on the day the clocks go back", office, at(10, 25, 9, 0), true},
		{"08:59 on the day the clocks go back", office, at(10, 25, 8, 59), false},
		{"a night begins", night, at(3, 7, 22, 0), true},
		{"and ends on the next morning", night, at(3, 8, 5, 59), true},
		{"sharp", night, at(3, 8, 6, 0), false},
		{"and does not begin on Sunday", night, at(3, 8, 23, 0), false},
		{"a whole day to its last second", always, at(3, 8, 23, 59), true},
	} {
		if got := c.h.OpenAt(c.at.UTC(), z); got != c.want {
			t.Errorf("%s: open %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAFaultyPlanIsToldAllItsFaultsAtOnce(t *testing.T) {
	p := Plan{
		Extensions: []Extension{
			{Number: "112", Devices: []tel.DeviceID{"a"}},
			{Number: "201", Devices: []tel.DeviceID{"a"}},
			{Number: "201", Allow: []Class{"lunar"}},
			{Number: "2x1"},
		},
		Queues:   []QueueNumber{{"301", "ghost"}},
		Features: []Feature{{"43", Echo}, {"*44", Queue}},
		Inbound:  []Inbound{{Via: "tim", To: "ext:999", Hours: "never", Closed: "queue:ghost"}},
		Outlets:  []Outlet{{Via: "modem"}},
		Routes:   []OutsideRoute{{Via: []string{"trunk:x"}, Form: "roman", Strip: -1}, {}},
		Hours:    []Hours{{Open: []Span{{[]time.Weekday{9}, 25 * time.Hour, 0}}}},
	}
	err := p.Validate(nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, path := range []string{
		"extensions[0].number: 112 would hide", "extensions[1].devices", "extensions[2].number: 201 is already taken",
		"extensions[2].allow", "extensions[3].number", "queues[0]: no queue", "features[0].code", "features[1].action",
		"inbound[0].via", "inbound[0].to", "inbound[0].hours", "inbound[0].closed", "outlets[0]", "routes[0].via",
		"routes[0].form", "routes[0].strip", "routes[1].via", "hours[0]: name", "hours[0].open[0]: no weekday",
	} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("no word about %s in:\n%v", path, err)
		}
	}
	if err := site(t).ValidateDestination("queue:sales", []tel.QueueID{"sales"}); err != nil {
		t.Error(err)
	}
	if err := site(t).ValidateDestination("ext:777", nil); err == nil {
		t.Error("a destination that does not exist was accepted")
	}
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"112", "0112", "+39112", "201", "301", "*43", "*4299", "+3900441", "0039899123", "00", "+", "++39", "0287654321", "12", "116000", "+8811", "3331234567#", "800"} {
		f.Add(s, "201", uint8(0))
		f.Add(s, "door", uint8(1))
	}
	p := site(f)
	f.Fuzz(func(t *testing.T, dialed, device string, kind uint8) {
		p := p
		if kind&2 != 0 {
			p.OutsidePrefix = "0"
		}
		n := tel.Number(dialed) // also what ParseNumber would refuse: nothing may panic
		d := Route(p, Request{Device: tel.DeviceID(device), Dialed: n, At: monday})
		if n.Emergency() && (d.Action != Emergency || d.Number != n || len(d.Attempts) != 3 || d.Attempts[0].Via != "line:fxo0") {
			t.Fatalf("%q from %q: %+v", dialed, device, d)
		}
		if d.Action == Reject && (d.Cause == tel.CauseNone || d.Cause.SIPStatus() >= 600 || d.Why == "") {
			t.Fatalf("%q: rejected with %v %d %q", dialed, d.Cause, d.Cause.SIPStatus(), d.Why)
		}
		if device == "door" && d.Action != Reject && d.Action != Emergency && d.Action != Echo {
			t.Fatalf("%q from the door: %+v", dialed, d)
		}
		for _, a := range d.Attempts {
			if d.Action == Outside && (d.Class == Local || d.Class == Mobile) {
				// As the exchange will read what we dial.
				if s := string(a.Number); strings.HasPrefix(s, "00") || strings.HasPrefix(s, "+") && !strings.HasPrefix(s, "+39") || a.Number.Kind() == tel.KindPremium {
					t.Fatalf("%q is allowed as %s and leaves as %s", dialed, d.Class, a.Number)
				}
			}
		}
		in := Route(p, Request{Trunk: "tim", Dialed: n, At: monday})
		if in.Action != Queue && in.Action != Devices {
			t.Fatalf("%q from the trunk: %+v", dialed, in)
		}
	})
}

func TestDecisionsDoNotAliasThePlan(t *testing.T) {
	p := site(t)
	d := Route(p, Request{Device: "202", Dialed: "201"})
	d.Devices[0] = "changed"
	if !slices.Equal(p.Extensions[0].Devices, []tel.DeviceID{"201", "201m"}) {
		t.Fatal(fmt.Sprint("the plan changed: ", p.Extensions[0].Devices))
	}
}
