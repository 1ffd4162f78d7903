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
	spans := []Span{{weekdays, 9 * time.Hour, 13 * time.Hour}, {weekdays, 14 * time.Hour, 18 * time.Hour}}
	return Plan{
		Extensions: []Extension{
			{Number: "201", Agent: "anna", Devices: []tel.DeviceID{"201", "201m"}, Mailbox: true, Pickup: "front", Office: true},
			{
				Number: "202", Agent: "boss", Devices: []tel.DeviceID{"202"}, Allow: []Class{Internal, Local, Mobile, International}, Pickup: "front",
				PIN: "4711", PINAllow: []Class{Premium}, Mailbox: true, Follow: []FollowStep{{"outside:3337654321", 15 * time.Second}},
			},
			{Number: "203", Devices: []tel.DeviceID{"door"}, Allow: []Class{}},
			{Number: "204", Agent: "new", PIN: "1234"},
			{Number: "205", Agent: "carla", Devices: []tel.DeviceID{"205"}, Allow: []Class{Internal}, Forward: Forwards{NoAnswer: "voicemail:201"}},
		},
		Groups: []Group{
			{ID: "all", Number: "290", Members: []Member{{"ext:201", 0}, {"ext:202", 5 * time.Second}, {"outside:3331234567", 10 * time.Second}}, NoAnswer: "queue:sales"},
			{ID: "turn", Number: "291", Members: []Member{{"ext:201", 0}, {"ext:204", 0}, {"ext:205", 0}}, InTurn: true, Ring: 12 * time.Second},
		},
		Queues: []QueueNumber{{"301", "sales"}},
		Menus:  []string{"main"},

		Conferences: []ConferenceNumber{{"295", "hall"}},
		Inbound: []Inbound{
			{Via: "trunk:tim", Number: "+390212345670", To: "hours:office"},
			{Via: "trunk:tim", Number: "0212345671", To: "hours:direct"},
			{Via: "trunk:tim", Number: "0212345672", To: "ext:205"},
			{Via: "trunk:tim", Number: "0212345673", To: "menu:main"},
			{Via: "trunk:tim", To: "queue:sales"},
			{Via: "line:gsm0", To: "outside:3331234567"},
		},
		Outlets: []Outlet{
			{Via: "line:gsm0", Mobile: true, Prices: map[Class]tel.Money{Mobile: 100, Local: 400}},
			{Via: "trunk:tim", Number: "+390212345670", Prices: map[Class]tel.Money{Mobile: 900, Local: 50}},
			{Via: "line:fxo0", Emergency: true, Number: "0212345679"},
		},
		Routes: []OutsideRoute{
			{Prefix: "+39", Via: []string{"trunk:tim", "line:gsm0"}},
			{Prefix: "+393", Via: []string{"line:gsm0", "trunk:tim"}},
			{Prefix: "+", Via: []string{"trunk:tim"}, Form: E164},
			{Prefix: "1", Via: []string{"line:fxo0"}},
			{Prefix: "+398", Via: []string{"line:fxo0", "trunk:tim", "line:gsm0"}, Cheapest: true},
			{Pattern: "+39800NXXXXX", Via: []string{"line:fxo0"}},
			{Prefix: "+39081", Via: []string{"line:gsm0"}, People: []tel.Number{"202"}},
			{Prefix: "+39081", Via: []string{"line:fxo0"}, Hours: "direct"},
		},
		Hours: []Hours{
			{ID: "office", Key: 1, Open: spans, Holidays: true, Then: "queue:sales", Closed: "ext:201", Holiday: "say:holiday"},
			{ID: "direct", Key: 2, Open: spans, Then: "ext:201"},
		},
		Calendar: Calendar{Patron: patrons["milano"]},
		Zone:     rome(t),
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
		{"a colleague", "202", "201", "ring 201,201m"},
		{"a colleague without phones", "202", "204", "reject unreachable no_phone"},
		{"a queue", "201", "301", "queue sales"},
		{"an unknown short number", "201", "299", "reject unallocated unknown_number"},
		{"Milan as dialled in Italy", "201", "0287654321", "outside local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"Milan in international form keeps its zero", "201", "+390287654321", "outside local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"Milan with 0039", "201", "00390287654321", "outside local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"a mobile goes out by GSM first", "201", "3331234567", "outside mobile line:gsm0=3331234567 trunk:tim=3331234567"},
		{"a toll-free number by price, unpriced last", "201", "803123456", "outside local trunk:tim=803123456 line:gsm0=803123456 line:fxo0=803123456"},
		{"a pattern is more exact than its beginning", "201", "800923456", "outside local line:fxo0=800923456"},
		{"a pattern that does not fit", "201", "800123456", "outside local trunk:tim=800123456 line:gsm0=800123456 line:fxo0=800123456"},
		{"Naples for one person", "202", "0811234567", "outside local line:gsm0=0811234567"},
		{"Naples for the others in office hours", "201", "0811234567", "outside local line:fxo0=0811234567"},
		{"a group", "201", "290", "ring 201,201m 202@5s line:gsm0=3331234567trunk:tim=3331234567@10s else queue:sales"},
		{"a group in turn, without who has no phone", "202", "291", "ring 201,201m 205@12s"},
		{"who is followed by a mobile", "201", "202", "ring 202 line:gsm0=3337654321trunk:tim=3337654321@15s"},
		{"a conference room", "201", "295", "conference hall"},
		{"a conference room from a phone that may call nobody", "door", "295", "reject forbidden class_not_allowed"},
		{"a parked call", "201", "703", "unpark 703"},
		{"a service number has no international form", "201", "187", "outside local line:fxo0=187"},
		{"directory enquiries are premium", "201", "1254", "reject forbidden class_not_allowed"},
		{"and so with +39 in front", "201", "+391254", "reject forbidden class_not_allowed"},
		{"premium is locked", "201", "899123456", "reject forbidden class_not_allowed"},
		{"premium in international form too", "201", "+39899123456", "reject forbidden class_not_allowed"},
		{"premium for who has a PIN", "202", "899123456", "ask_pin 202"},
		{"London is locked by default", "201", "00442071234567", "reject forbidden class_not_allowed"},
		{"London for who may", "202", "00442071234567", "outside international trunk:tim=+442071234567"},
		{"satellites are premium", "201", "00881612345678", "reject forbidden class_not_allowed"},
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
		{"an unknown code", "201", "*96", "reject unallocated unknown_number"},
		{"nothing", "201", "", "reject unallocated unknown_number"},
	} {
		if got := brief(Route(p, Request{Device: c.device, Dialed: c.dialed, At: monday})); got != c.want {
			t.Errorf("%s: %s dials %s: %s, want %s", c.name, c.device, c.dialed, got, c.want)
		}
	}
}

func brief(d Decision) string {
	parts := []string{string(d.Action)}
	if d.Test {
		parts = append(parts, "test", string(d.Number))
	}
	if d.Hide {
		parts = append(parts, "hidden")
	}
	switch d.Action {
	case Reject:
		parts = append(parts, d.Cause.String(), d.Why)
	case Rings:
		for _, b := range d.Ring.Branches {
			one := ids(b.Devices)
			for _, a := range b.Attempts {
				one += a.Via + "=" + string(a.Number)
			}
			if b.Idle {
				one += "(idle)"
			}
			if b.After > 0 {
				one += fmt.Sprintf("@%v", b.After)
			}
			parts = append(parts, one)
		}
		for _, to := range []string{d.Ring.OnBusy, d.Ring.OnNoAnswer, d.Ring.OnUnreachable} {
			if to != "" {
				parts = append(parts, "else "+to)
				break
			}
		}
	case Pickup, Intercom:
		parts = append(parts, ids(d.Devices))
	case Listen, Whisper, Barge, TakeOver:
		parts = append(parts, string(d.Agent))
	case Menu:
		parts = append(parts, d.Menu)
	case Conference:
		parts = append(parts, string(d.Conference))
	case Voicemail, Messages:
		parts = append(parts, string(d.Mailbox))
	case Say, RecordPrompt:
		parts = append(parts, d.Prompt)
	case Unpark:
		parts = append(parts, string(d.Slot))
	case AskPIN:
		parts = append(parts, string(d.As))
	case Set:
		c := d.Change
		parts = append(parts, fmt.Sprintf("%s %s", c.Kind, c.Agent))
		for _, s := range []string{string(c.When), c.To, c.Slot, string(c.Number), c.Hours, string(c.Override)} {
			if s != "" {
				parts = append(parts, s)
			}
		}
		if c.On {
			parts = append(parts, "on")
		}
	case Queue:
		parts = append(parts, string(d.Queue))
	case Outside:
		parts = append(parts, string(d.Class))
	case Emergency:
		parts = append(parts, string(d.Number))
	case EnterQueue, LeaveQueue:
		parts = append(parts, string(d.Agent), string(d.Queue))
	case Login, Logout, Pause, Resume, FinishWrapUp, ExtendWrapUp, Help, HelpDone, LoginHere, Dispose:
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

func ids(devices []tel.DeviceID) string {
	var all []string
	for _, d := range devices {
		all = append(all, string(d))
	}
	return strings.Join(all, ",")
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
		{"the main number on Sunday", Request{Trunk: "tim", Dialed: "00390212345670", At: sunday}, "ring 201,201m"},
		{"the main number on the day of Saint Ambrose", Request{Trunk: "tim", Dialed: "0212345670", At: time.Date(2026, 12, 7, 10, 0, 0, 0, time.UTC)}, "say holiday"},
		{"a menu", Request{Trunk: "tim", Dialed: "0212345673", At: monday}, "menu main"},
		{"a conference room's number from outside", Request{Trunk: "tim", Dialed: "295", At: monday}, "queue sales"},
		{"a direct number", Request{Trunk: "tim", Dialed: "+390212345671", At: monday}, "ring 201,201m"},
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
	p.Routes = p.Routes[:4]
	for dialed, want := range map[tel.Number]string{
		"00287654321":  "outside local trunk:tim=0287654321 line:gsm0=0287654321",
		"03331234567":  "outside mobile line:gsm0=3331234567 trunk:tim=3331234567",
		"3331234567":   "reject unallocated unknown_number",
		"+39287654321": "reject unallocated unknown_number",
		"00039112":     "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112",
		"0112":         "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112",
		"112":          "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112",
		"201":          "ring 201,201m",
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
	p.Routes = []OutsideRoute{{Prefix: "+39", Via: []string{"trunk:tim"}, Strip: 1}}
	if got := brief(Route(p, Request{Device: "201", Dialed: "0118765432"})); got != "reject congestion no_route" {
		t.Fatalf("Turin without its zero calls the ambulance: %s", got)
	}
	if got := brief(Route(Plan{}, Request{Device: "x", Dialed: "118"})); got != "emergency 118" {
		t.Fatalf("an empty plan must still name an emergency call: %s", got)
	}
}

func TestParkSlotsAreTheDialableOnes(t *testing.T) {
	if got := (Plan{}).ParkSlots(); len(got) != 20 || got[0] != "701" || got[19] != "720" {
		t.Errorf("%v", got)
	}
	if got := (Plan{Slots: Slots{"08", "11"}}).ParkSlots(); fmt.Sprint(got) != "[08 09 10 11]" {
		t.Errorf("%v", got)
	}
	for _, s := range []Slots{{"701", "70"}, {"720", "701"}, {"70x", "709"}, {"70000000", "70000001"}, {"0000", "9999"}} {
		if err := (Plan{Slots: s}).Validate(nil); err == nil {
			t.Errorf("%v is accepted", s)
		}
	}
}

func TestDecisionsDoNotAliasThePlan(t *testing.T) {
	p := site(t)
	d := Route(p, Request{Device: "202", Dialed: "201"})
	d.Ring.Branches[0].Devices[0] = "changed"
	if !slices.Equal(p.Extensions[0].Devices, []tel.DeviceID{"201", "201m"}) {
		t.Fatal(fmt.Sprint("the plan changed: ", p.Extensions[0].Devices))
	}
}
