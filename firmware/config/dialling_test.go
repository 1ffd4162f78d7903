package config

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func example(t testing.TB) Config {
	t.Helper()
	text, err := os.ReadFile("testdata/dialling.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheExampleOfficeBecomesItsDialPlan(t *testing.T) {
	c := example(t)
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if err != nil || !reflect.DeepEqual(c, again) {
		t.Fatalf("changed by a round trip: %v\n%s", err, text)
	}
	p := c.DialPlan()
	if err := p.Validate([]tel.QueueID{"sales"}); err != nil {
		t.Fatal(err)
	}
	monday := time.Date(2026, 3, 2, 10, 0, 0, 0, p.Zone)
	for _, x := range []struct {
		name string
		r    dialplan.Request
		want dialplan.Action
		why  string
	}{
		{"the main number by day", dialplan.Request{Trunk: "tim", Dialed: "+390511234567", Caller: "0299", At: monday}, dialplan.Queue, ""},
		{"in the evening", dialplan.Request{Trunk: "tim", Dialed: "0511234567", Caller: "0299", At: monday.Add(10 * time.Hour)}, dialplan.Say, ""},
		{"in August", dialplan.Request{Trunk: "tim", Dialed: "0511234567", Caller: "0299", At: time.Date(2026, 8, 12, 10, 0, 0, 0, p.Zone)}, dialplan.Say, ""},
		{"on the patron's day of Bologna", dialplan.Request{Trunk: "tim", Dialed: "0511234567", Caller: "0299", At: time.Date(2028, 10, 4, 10, 0, 0, 0, p.Zone)}, dialplan.Say, ""},
		{"without a number", dialplan.Request{Trunk: "tim", Dialed: "0511234567", At: monday}, dialplan.Rings, ""},
		{"a blocked network", dialplan.Request{Trunk: "tim", Dialed: "0511234567", Caller: "+883512345678", At: monday}, dialplan.Reject, dialplan.WhyBlocked},
		{"echo by its own code", dialplan.Request{Device: "201", Dialed: "*49", At: monday}, dialplan.Echo, ""},
		{"the usual code of echo", dialplan.Request{Device: "201", Dialed: "*43", At: monday}, dialplan.Reject, dialplan.WhyUnknown},
		{"a code that was taken away", dialplan.Request{Device: "201", Dialed: "*45", At: monday}, dialplan.Reject, dialplan.WhyUnknown},
		{"Paris with the PIN", dialplan.Request{Device: "202", Dialed: "00033123456789", PIN: "4711", At: monday}, dialplan.Outside, ""},
		{"Paris without", dialplan.Request{Device: "201", Dialed: "00033123456789", At: monday}, dialplan.Reject, dialplan.WhyForbidden},
		{"closing by code", dialplan.Request{Device: "201", Dialed: "*291", At: monday}, dialplan.Set, ""},
	} {
		if d := dialplan.Route(p, x.r); d.Action != x.want || d.Why != x.why {
			t.Errorf("%s: %s %s, want %s %s", x.name, d.Action, d.Why, x.want, x.why)
		}
	}
	mobile := dialplan.Route(p, dialplan.Request{Device: "202", Dialed: "03331234567", At: monday})
	if len(mobile.Attempts) != 2 || mobile.Attempts[0].Via != "line:gsm0" || mobile.Attempts[1].Price != 1200 {
		t.Errorf("the cheapest way to a mobile: %+v", mobile.Attempts)
	}
	emergency := dialplan.Route(p, dialplan.Request{Device: "202", Dialed: "112", At: monday})
	if len(emergency.Attempts) != 2 || emergency.Attempts[0].Via != "trunk:tim" || emergency.Attempts[0].From != "+390511234567" {
		t.Errorf("112: %+v", emergency.Attempts)
	}
	ring := dialplan.Route(p, dialplan.Request{Device: "202", Dialed: "201", At: monday}).Ring
	if len(ring.Branches) != 2 || ring.Branches[1].After != 12*time.Second || ring.Branches[0].For != 20*time.Second || ring.OnUnreachable != "ext:202" {
		t.Errorf("Anna: %+v", ring)
	}
	if c.Toll.Person.DayMoney != 25*tel.Euro+5000 || c.Toll.Box.HourMoney != 50*tel.Euro || c.Toll.Person.HourMinutes != 0 {
		t.Errorf("limits: %+v", c.Toll)
	}
}

func TestEveryMistakeOfDiallingIsFoundAtOnceWithItsPath(t *testing.T) {
	_, err := Parse([]byte(`
box: {town: paperopoli, emergency_test: "outside:3331234567"}
phones: [{id: "201", password: correct-horse-1}]
agents:
  - {id: anna, extension: "201", phones: ["201"], calls: {ring: 1h, pin: "1111", pin_dial: [moon], follow: [{to: "queue:q"}, {to: "ext:999", after: 1h}],
     forward: {always: "nowhere", busy: "ext:998", no_answer: "outside:112", unreachable: "menu:none"}, blocked: ["x"], anonymous: "ext:997"}}
  - {id: bruno, extension: "202", calls: {pin_dial: [premium]}}
queues: [{id: q, number: "400", agents: [anna], overflow: "group:none"}]
groups:
  - {id: g, number: "201", ring: 1s}
  - {id: g, members: [{to: "ext:995"}], busy: "hours:none", no_answer: "voicemail:201"}
hours:
  - {id: h, key: 10, open: ["lun 9-18"], eve: ["mon 09:00-10:00"], exceptions: [{from: "yesterday", open: ["x"]}]}
routes:
  - {prefix: "1", pattern: "X", via: ["trunk:none"], people: [ghost], hours: none}
dialling:
  prefix: "x"
  codes: {echo: "43", fly: "*1"}
  blocked: ["*"]
  vip: ["anna"]
  anonymous: "perhaps"
  outlets: [{via: "trunk:none", number: "x", prices: {internal: 1}}, {via: "trunk:none"}]
toll: {countries: [XX, "001"], person: {calls: -1}, night: none, night_dial: [internal]}
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	got := map[string]bool{}
	for _, p := range found {
		got[p.Path+" "+p.Code] = true
	}
	for _, want := range []string{
		"box.town unknown", "box.emergency_test destination", "agents[0].calls.ring range", "agents[0].calls.pin pin", "agents[0].calls.pin_dial[0] choice",
		"agents[0].calls.follow[0].to destination", "agents[0].calls.follow[1].to unknown", "agents[0].calls.follow[1].after range",
		"agents[0].calls.forward.always destination", "agents[0].calls.forward.busy unknown", "agents[0].calls.forward.no_answer number",
		"agents[0].calls.forward.unreachable unknown", "agents[0].calls.blocked[0] number", "agents[0].calls.anonymous unknown", "agents[1].calls.pin missing",
		"queues[0].overflow unknown", "groups[0].number duplicate", "groups[0].ring range", "groups[0].members missing", "groups[1].id duplicate",
		"groups[1].members[0].to unknown", "groups[1].busy unknown", "groups[1].no_answer unknown",
		"hours[0].key range", "hours[0].open[0] hours", "hours[0].eve[0] hours", "hours[0].exceptions[0].from date", "hours[0].exceptions[0].open[0] hours", "hours[0].then missing",
		"routes[0].pattern pattern", "routes[0].people[0] unknown", "routes[0].hours unknown",
		"dialling.prefix number", "dialling.codes[echo] code", "dialling.codes[fly] choice", "dialling.blocked[0] number", "dialling.vip.blocked[0] number",
		"dialling.anonymous destination", "dialling.outlets[0].via unknown", "dialling.outlets[0].number number", "dialling.outlets[0].prices choice", "dialling.outlets[1].via duplicate",
		"toll.countries[0] choice", "toll.countries[1] choice", "toll.person range", "toll.night unknown", "toll.night_dial[0] choice",
	} {
		if !got[want] {
			t.Errorf("not reported: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestWhatOnlyTheWholePlanShowsIsFoundToo(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a code that hides another": func(c *Config) { c.Dialling.Codes = map[string]tel.Number{"echo": "*80201"} },
		"two codes alike":           func(c *Config) { c.Dialling.Codes = map[string]tel.Number{"echo": "*41"} },
		"forwards in a ring": func(c *Config) {
			c.Agents[0].Calls.Forward.Always, c.Agents[1].Calls.Forward.Always = "ext:202", "ext:201"
		},
		"opening hours in a ring":            func(c *Config) { c.Hours[0].Closed = "hours:office" },
		"a forward where one may not call":   func(c *Config) { c.Agents[0].Calls.Forward.Busy = "outside:0033123456789" },
		"a mobile that one may not call":     func(c *Config) { c.Agents[0].Dial = []string{"internal"} },
		"an extension among the slots":       func(c *Config) { c.Dialling.ParkFirst, c.Dialling.ParkLast = "200", "209" },
		"slots that hide 112":                func(c *Config) { c.Dialling.ParkFirst, c.Dialling.ParkLast = "110", "119" },
		"two tables of hours under one key":  func(c *Config) { h := c.Hours[0]; h.ID = "other"; c.Hours = append(c.Hours, h) },
		"a test of emergencies at no phone":  func(c *Config) { c.Agents[1].Phones = nil; c.Box.EmergencyTest = "ext:202" },
		"a park that hardly lasts":           func(c *Config) { c.Dialling.ParkFor = time.Second },
		"an exception that ends before":      func(c *Config) { c.Hours[0].Exceptions[0].To = "2026-08-01" },
		"an exception with a year and not":   func(c *Config) { c.Hours[0].Exceptions[0].To = "08-21" },
		"follow-me that rings one's own":     func(c *Config) { c.Agents[0].Calls.Follow[0].To = "ext:201" },
		"a group number that is a phone's":   func(c *Config) { c.Groups[0].Number = "705" },
		"a queue's number among the slots":   func(c *Config) { c.Queues[0].Number = "701" },
		"the emergency test rings no person": func(c *Config) { c.Box.EmergencyTest = "ext:999" },
	} {
		c := example(t)
		change(&c)
		found := c.Validate()
		if len(found) == 0 {
			t.Errorf("%s: accepted", name)
		}
		for _, p := range found {
			if strings.TrimSpace(p.Text) == "" {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

func TestADiffOfDiallingNamesEachFieldAndHidesThePIN(t *testing.T) {
	a, b := example(t), example(t)
	b.Agents[1].Calls.PIN = "4712"
	b.Agents[0].Calls.Follow[0].After = 20 * time.Second
	b.Hours[0].Open[0] = "mon-fri 08:00-18:00"
	b.Toll.Person.HourMoney = 12 * tel.Euro
	b.Dialling.Outlets[0].Prices["local"] = 90
	b.Dialling.Codes["echo"] = "*48"
	var lines []string
	for _, c := range Diff(a, b) {
		lines = append(lines, c.String())
	}
	want := `agents[anna].calls.follow[0].after changed: 12s -> 20s
agents[bruno].calls.pin changed: *** -> ***
dialling.codes[echo] changed: *49 -> *48
dialling.outlets[0].prices[local] changed: 0.008 -> 0.009
hours[office].open changed: [mon-fri 09:00-13:00,14:30-18:00, sat 09:00-12:00] -> [mon-fri 08:00-18:00, sat 09:00-12:00]
toll.person.hour_money changed: 10.00 -> 12.00`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if len(Diff(a, a.Clone())) != 0 {
		t.Error("a clone differs")
	}
}
