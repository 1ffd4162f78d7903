package appliance

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/toll"
	"github.com/pronto-pbx/pronto/firmware/toll/meter"
)

// metered is a box of which only the numbers and the guard exist.
func metered(t *testing.T, limits config.Toll) *Box {
	t.Helper()
	c := config.Default()
	c.Toll = limits
	c.Agents = []config.Agent{{ID: "anna", Extension: "201", Phones: []tel.DeviceID{"201"}, Dial: []string{"internal", "local"}}}
	c.Lines = []config.Line{{ID: "gsm0", Type: "gsm", AT: "usb"}}
	c.Routes = []config.Route{{Via: []string{"line:gsm0"}, Strip: 3, Prepend: "1055"}}
	c.Dialling.Outlets = []config.Outlet{{Via: "line:gsm0", Prices: map[string]tel.Money{"local": 60}}}
	n, err := newNumbering(c)
	if err != nil {
		t.Fatal(err)
	}
	b := &Box{log: slog.New(slog.DiscardHandler)}
	b.numbering.Store(n)
	b.toll, err = meter.Open(meter.Config{
		Log: b.log, Path: filepath.Join(t.TempDir(), "toll.json"), Rules: tollRules(limits),
		Publish: func(tel.Event) {}, Calm: func() {}, End: func(tel.LegID) {}, Saved: func(error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.toll.Close)
	return b
}

func TestAnAttemptGoesThroughTheGuardAndItsEndMakesRoom(t *testing.T) {
	b := metered(t, config.Toll{Person: config.Caps{Calls: 1}, Countries: []string{"FR"}})
	var events []call.LegEventKind
	var dials []func(call.LegEvent) // how each dialled leg tells its events
	try := func(n tel.Number, fail error) error {
		r := b.tollRequest("line:gsm0", n, call.Outgoing{Call: "c", Attempt: call.Attempt{Dialed: n, Person: "201"}})
		_, err := b.throughToll(r, func(e call.LegEvent) { events = append(events, e.Kind) }, func(f func(call.LegEvent)) (call.Leg, error) {
			dials = append(dials, f)
			return nil, fail
		})
		return err
	}
	broken := errors.New("the line is broken")
	for _, c := range []struct {
		name  string
		n     tel.Number
		fail  error
		want  error
		dials int
	}{
		{"a line that does not take the call holds no place", "0287654321", broken, broken, 1},
		{"London is not opened", "+442071234567", nil, toll.Refusal{Why: toll.WhyCountry, Of: "box"}, 1},
		{"premium is not opened", "899123456", nil, toll.Refusal{Why: toll.WhyPremium, Of: "box"}, 1},
		{"the first call", "0287654321", nil, nil, 2},
		{"the second at the same time", "0287654322", nil, toll.Refusal{Why: toll.WhyCalls, Of: "person:201"}, 2},
		{"an emergency call beside it", "112", nil, nil, 3},
	} {
		if err := try(c.n, c.fail); !errors.Is(err, c.want) || len(dials) != c.dials {
			t.Errorf("%s: %v after %d dials", c.name, err, len(dials))
		}
	}
	first := dials[1]
	first(call.LegEvent{Kind: call.LegAnswered})
	first(call.LegEvent{Kind: call.LegEnded})
	if err := try("0287654322", nil); err != nil {
		t.Errorf("after the end: %v", err)
	}
	if len(events) != 2 || events[0] != call.LegAnswered || events[1] != call.LegEnded {
		t.Errorf("the call saw %v", events)
	}
}

func TestALegThatSurvivedARestartMakesRoomWhenItEnds(t *testing.T) {
	b := metered(t, config.Toll{Box: config.Caps{Calls: 1}})
	if _, err := b.toll.Allow(toll.Request{ID: "a", Number: "0287654321", Via: "line:gsm0"}); err != nil {
		t.Fatal(err)
	}
	b.toll.Named("a", "leg") // all that a later process knows of it
	told := 0
	events := b.metered("leg", func(call.LegEvent) { told++ })
	another := toll.Request{ID: "b", Number: "0287654321", Via: "line:gsm0"}
	events(call.LegEvent{Kind: call.LegHeld})
	if _, err := b.toll.Allow(another); err == nil {
		t.Error("a held call makes room")
	}
	events(call.LegEvent{Kind: call.LegEnded})
	if _, err := b.toll.Allow(another); err != nil || told != 2 {
		t.Errorf("after its end: %v, the call was told %d events", err, told)
	}
}

func TestTheGuardKnowsWhoCallsByWhichWayAtWhatPriceAndAtNight(t *testing.T) {
	b := metered(t, config.Toll{})
	phone := b.numbering.Load().Route("phone:201", "201", "0287654321", time.Now())
	if len(phone.Attempts) != 1 {
		t.Fatalf("%+v", phone)
	}
	way := phone.Attempts[0]
	r := b.tollRequest(way.Via, way.Number, call.Outgoing{Call: "c", Attempt: way})
	if way.Number != "10550287654321" || r.Number != "+390287654321" || r.Person != "201" || r.Via != "line:gsm0" || r.Price != 60 || !r.Priced || r.Call != "c" || r.ID == "" || r.Night {
		t.Errorf("%+v by %+v", r, way)
	}
	ways := b.numbering.Load().Resolve("outside:3331234567", "", time.Now()).Attempts
	if len(ways) != 1 || ways[0].Person != "" || ways[0].Priced {
		t.Errorf("what the configuration sends outside: %+v", ways)
	}
	n := *b.numbering.Load()
	n.cfg.Toll.Night = "office" // a table that is never open
	if !b.night(&n) {
		t.Error("it is day outside the hours")
	}
	if rules := tollRules(config.Toll{Night: "office", NightDial: []string{}}); rules.NightDial == nil {
		t.Error("nothing at night became everything")
	}
	if rules := tollRules(config.Toll{NightDial: []string{"local"}}); rules.NightDial != nil {
		t.Error("without a night there is one")
	}
}

func TestFinishedCallsToTheOutsideAreReadBack(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		call tel.CallEnded
		want toll.Record
		ok   bool
	}{
		{"a call to the outside", tel.CallEnded{Direction: tel.Outbound, From: "201", To: "0287654321", Out: "trunk:tim", Answered: at, Ended: at}, toll.Record{Person: "201", Via: "trunk:tim", Number: "0287654321", Answered: at, Ended: at}, true},
		{"one that came from outside", tel.CallEnded{Direction: tel.Inbound, From: "0299", To: "0287654321", Out: "line:gsm0"}, toll.Record{Via: "line:gsm0", Number: "0287654321"}, true},
		{"a call inside", tel.CallEnded{Direction: tel.Internal, From: "201", To: "202", Out: "phone:202"}, toll.Record{}, false},
		{"a call that nobody answered", tel.CallEnded{Direction: tel.Inbound, From: "0299"}, toll.Record{}, false},
	} {
		if got, ok := tollRecord(c.call); ok != c.ok || got != c.want {
			t.Errorf("%s: %+v %v", c.name, got, ok)
		}
	}
}

func TestAPhoneHearsThatTheBoxDoesNotLetItCallThere(t *testing.T) {
	b := start(t, shop+`
trunks:
  - {id: tim, name: TIM, server: "127.0.0.2:5099", match: ["127.0.0.2/32"]}
routes:
  - {prefix: "", via: ["trunk:tim"]}
`)
	b.apply(func(c *config.Config) { c.Agents[0].Dial = []string{"internal", "local", "international"} })
	p := b.phone("201")
	for number, want := range map[string]string{
		"00442071234567": "403", // anna may, the box may not: no country is opened
		"3331234567":     "403", // anna may not
		"201999":         "404",
	} {
		d := &testCall{id: "call" + number, to: "<sip:" + number + "@box>", target: "sip:" + number + "@" + p.box.String()}
		if got := status(p.ask("INVITE", d, p.sdp(), "")); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
	alarm, ok := now(b, func(h tel.HealthChanged) bool { return h.Condition == "toll_limit" })
	if !ok || alarm.OK || !strings.Contains(alarm.Text, "country") {
		t.Errorf("the page does not tell of it: %+v", alarm)
	}
}
