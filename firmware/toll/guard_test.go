package toll

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func TestWhatIsLockedStaysLockedUntilItIsOpened(t *testing.T) {
	open := Rules{Countries: []string{"FR", "GB"}, Premium: true, NightDial: []dialplan.Class{dialplan.Local}}
	for _, c := range []struct {
		name   string
		rules  Rules
		number tel.Number
		night  bool
		want   Why
	}{
		{"a local number", Rules{}, "0287654321", false, ""},
		{"a mobile", Rules{}, "3331234567", false, ""},
		{"London in a new box", Rules{}, "00442071234567", false, WhyCountry},
		{"London where it was opened", open, "+442071234567", false, ""},
		{"Jersey, which only looks like it", open, "+447797123456", false, WhyCountry},
		{"New York", open, "+12125550100", false, WhyCountry},
		{"anywhere", Rules{Countries: []string{"all"}}, "+12125550100", false, ""},
		{"premium in a new box", Rules{}, "899123456", false, WhyPremium},
		{"premium where it was opened", open, "899123456", false, ""},
		{"a satellite is premium, whatever the countries", Rules{Countries: []string{"all"}}, "+881612345678", false, WhyPremium},
		{"a mobile at night", open, "3331234567", true, WhyNight},
		{"a local number at night", open, "0287654321", true, ""},
		{"nothing at night", Rules{NightDial: []dialplan.Class{}}, "0287654321", true, WhyNight},
		{"at night without a rule for it", Rules{}, "3331234567", true, ""},
		{"an emergency number at night", Rules{NightDial: []dialplan.Class{}, Box: Caps{Calls: 1}}, "112", true, ""},
		{"no number", open, "201", false, WhyNumber},
		{"abroad in a national dress", open, "+3900442071234567", false, WhyNumber},
	} {
		g := New(c.rules, State{}, start)
		_, err := g.Allow(Request{ID: "a", Number: c.number, Via: "trunk:t", Night: c.night}, start)
		refusal, _ := errors.AsType[Refusal](err)
		if refusal.Why != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEachLimitIsReachedAndForgottenInTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules Rules
		why   Why
		of    string
		after time.Duration // talk until the limit, at 0.10 euros a minute
		shut  time.Duration // pause after which the next call is not yet allowed
		again time.Duration // and after which it is
	}{
		{"minutes of a person in an hour", Rules{Person: Caps{HourMinutes: 10}}, WhyHourMinutes, "person:anna", 10 * time.Minute, 49 * time.Minute, time.Hour + 5*time.Minute},
		{"minutes of a line in a day", Rules{Line: Caps{DayMinutes: 90}}, WhyDayMinutes, "trunk:t", 90 * time.Minute, 22*time.Hour + 29*time.Minute, 25*time.Hour + 5*time.Minute},
		{"money of the box in an hour", Rules{Box: Caps{HourMoney: 2 * tel.Euro}}, WhyHourMoney, "box", 20 * time.Minute, 39 * time.Minute, time.Hour + 5*time.Minute},
		{"money of a person in a day", Rules{Person: Caps{DayMoney: 5 * tel.Euro}}, WhyDayMoney, "person:anna", 50 * time.Minute, 23*time.Hour + 9*time.Minute, 25*time.Hour + 5*time.Minute},
	} {
		g := New(c.rules, State{}, start)
		at := start
		r := Request{ID: "a", Call: "c", Person: "anna", Number: "0287654321", Via: "trunk:t", Price: tel.Euro / 10, Priced: true}
		if _, err := g.Allow(r, at); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		at = at.Add(30 * time.Second) // ringing costs nothing
		g.Started("a", at)
		for talked := time.Duration(0); ; talked += 10 * time.Second {
			over := g.Over(at.Add(talked))
			if (len(over) == 1) != (talked >= c.after) {
				t.Fatalf("%s: after %v: %+v", c.name, talked, over)
			}
			if len(over) == 1 {
				if over[0].Why != c.why || over[0].Of != c.of || over[0].Call != "c" {
					t.Errorf("%s: %+v", c.name, over[0])
				}
				at = at.Add(talked)
				break
			}
		}
		g.Ended("a", at)
		r.ID = "b"
		for _, step := range []struct {
			at time.Time
			ok bool
		}{{at, false}, {at.Add(c.shut), false}, {at.Add(c.again), true}} {
			if _, err := g.Allow(r, step.at); (err == nil) != step.ok {
				t.Errorf("%s: %v later: %v", c.name, step.at.Sub(at), err)
			}
		}
	}
}

func TestCallsAtTheSameTimeAreLimitedAndEachEndMakesRoom(t *testing.T) {
	g := New(Rules{Person: Caps{Calls: 2}, Box: Caps{Calls: 3}}, State{}, start)
	allow := func(id, person string) error {
		_, err := g.Allow(Request{ID: id, Call: tel.CallID("c" + id), Person: person, Number: "0287654321", Via: "trunk:t"}, start)
		return err
	}
	for _, c := range []struct {
		id, person string
		want       error
	}{
		{"1", "anna", nil},
		{"2", "anna", nil},
		{"2", "anna", nil}, // the same attempt, by the next trunk
		{"3", "anna", Refusal{WhyCalls, "person:anna"}},
		{"4", "boss", nil},
		{"5", "boss", Refusal{WhyCalls, "box"}},
		{"6", "", Refusal{WhyCalls, "box"}}, // a forward that the configuration wrote
	} {
		if err := allow(c.id, c.person); err != c.want {
			t.Errorf("%s by %s: %v, want %v", c.id, c.person, err, c.want)
		}
	}
	if p, err := g.Allow(Request{ID: "e", Person: "anna", Number: "118"}, start); err != nil || p != (Permit{}) || len(g.State().Active) != 3 {
		t.Errorf("an emergency call is counted: %+v %v", p, err)
	}
	g.Ended("1", start)
	g.Named("4", "leg4")
	g.EndedLeg("leg4", start)
	if err := errors.Join(allow("7", "anna"), allow("8", "boss")); err != nil {
		t.Errorf("after two ends: %v", err)
	}
	g.Named("2", "leg2")
	g.Named("7", "leg7")
	g.Keep(func(l tel.LegID) bool { return l == "leg7" }, start)
	if active := g.State().Active; len(active) != 1 || active["7"].Leg != "leg7" {
		t.Errorf("after a restart that one leg survived: %+v", active)
	}
}

func TestACallThatSurvivesARestartGoesOnCosting(t *testing.T) {
	g := New(Rules{Person: Caps{HourMinutes: 10}}, State{}, start)
	r := Request{ID: "a", Call: "c", Person: "anna", Number: "0287654321", Via: "trunk:t"}
	if _, err := g.Allow(r, start); err != nil {
		t.Fatal(err)
	}
	g.Started("a", start)
	text, err := json.Marshal(g.State())
	if err != nil {
		t.Fatal(err)
	}
	var kept State
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	again := New(Rules{Person: Caps{HourMinutes: 10}}, kept, start.Add(11*time.Minute))
	if over := again.Over(start.Add(11 * time.Minute)); len(over) != 1 {
		t.Errorf("eleven minutes, a restart in between: %+v", over)
	}
}

func TestAClockThatJumpsBackGivesNothingBack(t *testing.T) {
	g := New(Rules{Box: Caps{HourMinutes: 10}}, State{}, start)
	r := Request{ID: "a", Number: "0287654321", Via: "trunk:t"}
	if _, err := g.Allow(r, start); err != nil {
		t.Fatal(err)
	}
	g.Started("a", start)
	g.Ended("a", start.Add(10*time.Minute))
	for _, wall := range []time.Time{start.AddDate(-20, 0, 0), time.Unix(0, 0), start.Add(-time.Hour)} {
		again := New(Rules{Box: Caps{HourMinutes: 10}}, g.State(), wall)
		if _, err := again.Allow(r, wall); err == nil {
			t.Errorf("a clock that says %v opens the box", wall)
		}
		if _, err := again.Allow(r, wall.Add(time.Hour+5*time.Minute)); err != nil {
			t.Errorf("and it stays shut: %v", err)
		}
	}
}

func TestLostCountersAreRebuiltFromTheRecordsRatherTooHigh(t *testing.T) {
	at := start
	g := New(Rules{Person: Caps{HourMoney: 2 * tel.Euro}, Box: Caps{DayMinutes: 60}}, State{}, at)
	g.Rebuild([]Record{
		{"anna", "trunk:t", "3331234567", at.Add(-30 * time.Minute), at.Add(-20*time.Minute - 59*time.Second)}, // 10 minutes for 2 euros
		{"boss", "trunk:t", "0287654321", at.Add(-5 * time.Hour), at.Add(-4*time.Hour - 15*time.Minute)},
		{"boss", "trunk:t", "0287654321", at.Add(-30 * time.Hour), at.Add(-26 * time.Hour)}, // yesterday
		{"boss", "trunk:t", "0287654321", time.Time{}, at},                                  // never answered
		{"boss", "trunk:t", "201", at.Add(-time.Hour), at},
		{"boss", "trunk:t", "0287654321", at, at.Add(-time.Hour)}, // a clock that jumped
	}, at)
	if _, err := g.Allow(Request{ID: "a", Person: "anna", Number: "0287654321", Via: "trunk:t"}, at); err != (Refusal{WhyHourMoney, "person:anna"}) {
		t.Errorf("anna: %v", err)
	}
	if _, err := g.Allow(Request{ID: "b", Person: "boss", Number: "0287654321", Via: "trunk:t"}, at); err != nil {
		t.Errorf("55 minutes of 60: %v", err)
	}
	if minutes, _ := g.used(box, day); minutes != 55 {
		t.Errorf("%v minutes", minutes)
	}
}

// Whatever happens in which order, nobody gets much more than the limit: not by many calls at once, not
// by forwards (which use the rights, and so the account, of who set them), not by restarts or clocks.
func TestNoSequenceOfCallsCostsMoreThanTheLimits(t *testing.T) {
	const tick = 10 * time.Second
	rules := Rules{Person: Caps{Calls: 3, HourMinutes: 20, HourMoney: 5 * tel.Euro}, Box: Caps{Calls: 5, HourMoney: 8 * tel.Euro, DayMoney: 20 * tel.Euro}}
	refused, ended, restarts := 0, 0, 0
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		g := New(rules, State{}, start)
		real, wall := time.Duration(0), start // what has passed, and what the clock says
		type bill struct {
			at     time.Duration
			person string
			talk   time.Duration
			cost   float64
		}
		var bills []bill
		up := map[string]Permit{}
		for i := range 400 {
			switch rnd.IntN(6) {
			case 0, 1:
				r := Request{
					ID: fmt.Sprint(i), Call: tel.CallID(fmt.Sprint(i)), Person: []string{"anna", "boss", "carla"}[rnd.IntN(3)], Via: []string{"trunk:t", "line:g"}[rnd.IntN(2)],
					Number: []tel.Number{"0287654321", "3331234567"}[rnd.IntN(2)], Price: tel.Money(rnd.IntN(4000)), Priced: rnd.IntN(2) == 0,
				}
				p, err := g.Allow(r, wall)
				if err != nil {
					refused++
					break
				}
				up[p.ID] = p
				g.Started(p.ID, wall)
			case 2:
				for id := range up {
					g.Ended(id, wall)
					delete(up, id)
					break
				}
			case 3:
				if rnd.IntN(10) == 0 { // kill -9 and a clock that is wrong at the start
					restarts++
					if rnd.IntN(2) == 0 {
						wall = wall.Add(-time.Duration(rnd.IntN(1e6)) * time.Second)
					}
					g = New(rules, g.State(), wall)
				}
			default:
				for range 1 + rnd.IntN(60) {
					real, wall = real+tick, wall.Add(tick)
					for _, p := range up {
						bills = append(bills, bill{real, p.Person, tick, float64(p.Price) * tick.Minutes()})
					}
					for _, o := range g.Over(wall) {
						ended++
						g.Ended(o.ID, wall)
						delete(up, o.ID)
					}
				}
			}
		}
		// The most that one tick with every call up can add.
		slackMinutes, slackMoney := 3*tick.Minutes(), 5*tick.Minutes()*4000
		for i := range bills {
			var talk time.Duration
			var person, all, today float64
			for _, b := range bills[i:] {
				if b.at-bills[i].at <= time.Hour {
					all += b.cost
					if b.person == bills[i].person {
						talk += b.talk
						person += b.cost
					}
				}
				if b.at-bills[i].at <= 24*time.Hour {
					today += b.cost
				}
			}
			if talk.Minutes() > 20+slackMinutes || person > 5*float64(tel.Euro)+slackMoney || all > 8*float64(tel.Euro)+slackMoney || today > 20*float64(tel.Euro)+slackMoney {
				t.Fatalf("seed %d: within an hour %v minutes and %v for %s, %v for all, %v in a day", seed, talk.Minutes(), person, bills[i].person, all, today)
			}
		}
	}
	if refused < 1000 || ended < 500 || restarts < 500 {
		t.Fatalf("%d refused, %d ended, %d restarts: this proves nothing", refused, ended, restarts)
	}
}

func TestTheCountersOfABusyDayStaySmall(t *testing.T) {
	g := New(Rules{}, State{}, start)
	if _, err := g.Allow(Request{ID: "a", Person: "anna", Number: "0287654321", Via: "trunk:t"}, start); err != nil {
		t.Fatal(err)
	}
	g.Started("a", start)
	for i := range 3 * 24 * 60 {
		g.Over(start.Add(time.Duration(i) * time.Minute))
	}
	for account, uses := range g.State().Used {
		if len(uses) > 12+1+25 {
			t.Errorf("%s has %d entries", account, len(uses))
		}
	}
	if minutes, _ := g.used(box, day); minutes < 24*60 || minutes > 25*60+5 {
		t.Errorf("%v minutes within a day of talking", minutes)
	}
	if minutes, _ := g.used(box, hour); minutes < 60 || minutes > 65 {
		t.Errorf("%v minutes within an hour of talking", minutes)
	}
}

func TestManySmallStepsCostAsMuchAsOneLargeOne(t *testing.T) {
	g := New(Rules{}, State{}, start)
	if _, err := g.Allow(Request{ID: "a", Number: "0287654321", Via: "trunk:t"}, start); err != nil {
		t.Fatal(err)
	}
	g.Started("a", start)
	for i := range 10_000 {
		g.Over(start.Add(time.Duration(i) * 300 * time.Microsecond))
	}
	g.Ended("a", start.Add(3*time.Second))
	if minutes, _ := g.used(box, hour); minutes != 0.05 {
		t.Errorf("%v minutes, want 0.05", minutes)
	}
}

func TestAStateIsTheSameAfterARoundTrip(t *testing.T) {
	g := New(Rules{}, State{}, start)
	for i := range 50 {
		at := start.Add(time.Duration(i) * 3 * time.Minute)
		id := fmt.Sprint(i)
		if _, err := g.Allow(Request{ID: id, Call: tel.CallID(id), Person: "anna", Number: "3331234567", Via: "line:g"}, at); err != nil {
			t.Fatal(err)
		}
		g.Started(id, at)
		if i%3 == 0 {
			g.Ended(id, at.Add(time.Minute))
		}
	}
	text, err := json.Marshal(g.State())
	if err != nil {
		t.Fatal(err)
	}
	var kept State
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(kept, g.State()) {
		t.Errorf("%+v\n%+v", kept, g.State())
	}
}

func TestWhereAShortMessageMayGo(t *testing.T) {
	for name, tt := range map[string]struct {
		rules Rules
		to    tel.Number
		night bool
		want  Why
	}{
		"a mobile":                        {Rules{}, "333 1234567", false, ""},
		"a mobile, internationally":       {Rules{}, "+393331234567", false, ""},
		"a service of the decade 4":       {Rules{}, "48580", false, WhyPremium},
		"one that the owner pays for":     {Rules{Premium: true}, "48580", false, ""},
		"premium in national dress":       {Rules{}, "+39899123456", false, WhyPremium},
		"abroad":                          {Rules{Countries: []string{"FR"}}, "+4917012345678", false, WhyCountry},
		"abroad, where it is allowed":     {Rules{Countries: []string{"DE"}}, "+4917012345678", false, ""},
		"a short code that is no number":  {Rules{}, "404", false, WhyNumber},
		"an emergency number":             {Rules{}, "112", false, WhyNumber},
		"a mobile at night, when only ..": {Rules{NightDial: []dialplan.Class{dialplan.Local}}, "3331234567", true, WhyNight},
	} {
		number, err := tel.ParseNumber(string(tt.to))
		if err != nil {
			t.Fatal(err)
		}
		var refusal Refusal
		err = tt.rules.Message(number, tt.night)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &refusal) || refusal.Why != tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
