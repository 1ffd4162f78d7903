package report

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func wait(took time.Duration, outcome tel.QueueOutcome, short bool) tel.QueueLeft {
	return tel.QueueLeft{Queue: "sales", Joined: noon, Left: noon.Add(took), Outcome: outcome, Short: short}
}

func TestTheFourServiceLevelsDifferAsTheirNamesSay(t *testing.T) {
	var s Traffic
	for _, w := range []tel.QueueLeft{
		wait(10*time.Second, tel.OutcomeAnswered, false), wait(20*time.Second, tel.OutcomeAnswered, false), // in time, the second just
		wait(20*time.Second+time.Millisecond, tel.OutcomeAnswered, false), // late by a moment
		wait(3*time.Second, tel.OutcomeAbandoned, true), wait(15*time.Second, tel.OutcomeAbandoned, false), wait(time.Minute, tel.OutcomeAbandoned, false),
		wait(5*time.Minute, tel.OutcomeTimedOut, false), wait(30*time.Second, tel.OutcomeCallback, false), wait(0, tel.OutcomeRefused, false),
	} {
		s.TakeWait(w)
	}
	for by, want := range map[Level]Ratio{LevelPatient: {2, 7}, LevelAnswered: {2, 3}, LevelHandled: {4, 6}, LevelEntered: {2, 8}} {
		if got := s.ServiceLevel(by, 20*time.Second); got != want {
			t.Errorf("%s: %+v, want %+v", by, got, want)
		}
	}
	if got := s.Abandonment(); got != (Ratio{2, 7}) {
		t.Errorf("abandonment %+v", got)
	}
	if s.Entered() != 8 || s.Longest != 5*time.Minute {
		t.Errorf("%d entered, longest %s", s.Entered(), s.Longest)
	}
	if got, want := s.SpeedOfAnswer(), (50*time.Second+time.Millisecond).Round(3)/3; (got - want).Abs() > time.Millisecond {
		t.Errorf("ASA %s, want %s", got, want)
	}
	s.TakeWork(tel.AgentTalking, 5*time.Minute)
	s.TakeWork(tel.AgentHold, 30*time.Second)
	s.TakeWork(tel.AgentWrapUp, 30*time.Second)
	s.TakeWork(tel.AgentReady, time.Hour) // is nobody's handling
	if got := s.HandleTime(); got != 2*time.Minute {
		t.Errorf("AHT %s", got)
	}
}

func TestNothingHasNoFigures(t *testing.T) {
	var s Traffic
	for _, by := range Levels() {
		if r := s.ServiceLevel(by, time.Minute); r.Known() || r.Share() != 0 {
			t.Errorf("%s of nothing: %+v", by, r)
		}
	}
	var w Work
	if _, known := w.Occupancy(); known || s.SpeedOfAnswer() != 0 || s.HandleTime() != 0 || s.Abandonment().Known() {
		t.Error("figures of nothing")
	}
}

func TestOccupancyLeavesPausesOut(t *testing.T) {
	var w Work
	for state, minutes := range map[tel.AgentState]int{
		tel.AgentReady: 20, tel.AgentTalking: 20, tel.AgentHold: 2, tel.AgentWrapUp: 3, tel.AgentOutbound: 5, tel.AgentPaused: 30, tel.AgentInternal: 10,
	} {
		w.Take(state, time.Duration(minutes)*time.Minute)
	}
	if share, known := w.Occupancy(); !known || share != 0.5 || w.OnDuty() != 90*time.Minute {
		t.Errorf("occupancy %v of %s", share, w.OnDuty())
	}
}

// The counts of the parts are those of the whole, however a day is cut, and survive being written down.
func TestSumsOfSlotsAreTheSumOfTheRecords(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := []tel.QueueOutcome{tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeCallback, tel.OutcomeWithdrawn, tel.OutcomeFailed, tel.OutcomeRefused}
	var whole, sum Traffic
	slots := map[int]*Traffic{}
	for range 2000 {
		w := wait(time.Duration(r.IntN(400000)-10)*time.Millisecond, outcomes[r.IntN(len(outcomes))], r.IntN(5) == 0)
		slot := r.IntN(48)
		if slots[slot] == nil {
			slots[slot] = &Traffic{}
		}
		slots[slot].TakeWait(w)
		whole.TakeWait(w)
		d := time.Duration(r.IntN(1e9))
		a, next := Contact{Answered: true, Left: noon, Call: "a"}, Contact{At: noon.Add(time.Duration(r.IntN(40*24)) * time.Hour), Call: "b"}
		slots[slot].TakeRepeat(a, next, 1)
		whole.TakeRepeat(a, next, 1)
		slots[slot].TakeWork(tel.AgentTalking, d)
		whole.TakeWork(tel.AgentTalking, d)
	}
	for _, s := range slots {
		text, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back Traffic
		if err := back.UnmarshalBinary(text); err != nil {
			t.Fatal(err)
		}
		sum.Add(back)
	}
	if got, want := fmt.Sprintf("%+v", sum), fmt.Sprintf("%+v", whole); got != want {
		t.Errorf("%s\n%s", got, want)
	}
	ended := 0
	for _, n := range maps.All(whole.Outcomes) {
		ended += n
	}
	if ended != 2000 || whole.Entered() != 2000-whole.Of(tel.OutcomeRefused) {
		t.Errorf("%d ended, %d entered", ended, whole.Entered())
	}
}

func TestAnIntervalIsCutAtTheHalfHoursAndNothingOfItIsLost(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		from := noon.Add(time.Duration(r.IntN(86400000)) * time.Millisecond)
		e := tel.AgentInterval{Agent: "anna", State: tel.AgentReady, From: from, To: from.Add(time.Duration(r.IntN(10*3600*1000)) * time.Millisecond)}
		var sum time.Duration
		last := time.Time{}
		for slot, d := range Parts(e) {
			if d <= 0 || d > SlotLength || !slot.After(last) || SlotOf(slot) != slot {
				t.Fatalf("%+v: a part of %s in %s after %s", e, d, slot, last)
			}
			sum, last = sum+d, slot
		}
		if sum != e.To.Sub(e.From) {
			t.Fatalf("%+v: parts of %s", e, sum)
		}
	}
	for name, e := range map[string]tel.AgentInterval{
		"a clock that was set":      {State: tel.AgentReady, From: time.Unix(0, 0), To: noon},
		"one that ends before":      {State: tel.AgentReady, From: noon, To: noon.Add(-time.Hour)},
		"nobody on duty":            {State: tel.AgentLoggedOut, From: noon, To: noon.Add(time.Hour)},
		"no time at all":            {State: tel.AgentReady, From: noon, To: noon},
		"a clock of the year 30000": {State: tel.AgentReady, From: noon, To: noon.AddDate(28000, 0, 0)},
	} {
		for range Parts(e) {
			t.Errorf("%s has parts", name)
			break
		}
	}
}

func TestRowsBeginByTheClockOfTheShop(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		step Step
		at   string
		want string
	}{
		{HalfHour, "2026-11-27T23:45:10Z", "2026-11-28T00:30:00+01:00"},
		{Hour, "2026-11-27T23:45:10Z", "2026-11-28T00:00:00+01:00"},
		{Day, "2026-11-27T23:45:10Z", "2026-11-28T00:00:00+01:00"},
		{Week, "2026-11-29T22:30:00Z", "2026-11-23T00:00:00+01:00"}, // a Sunday
		{Week, "2026-11-29T23:30:00Z", "2026-11-30T00:00:00+01:00"}, // already Monday
		{Month, "2026-10-31T23:30:00Z", "2026-11-01T00:00:00+01:00"},
		{Day, "2026-10-25T22:30:00Z", "2026-10-25T00:00:00+02:00"},  // the day of 25 hours
		{Hour, "2026-10-25T00:10:00Z", "2026-10-25T02:00:00+02:00"}, // two o'clock, the first
		{Hour, "2026-10-25T01:10:00Z", "2026-10-25T02:00:00+01:00"}, // and the second
		{Day, "2026-03-29T21:59:00Z", "2026-03-29T00:00:00+01:00"},  // the day of 23 hours
	} {
		if got := c.step.Start(at(c.at), rome); !got.Equal(at(c.want)) {
			t.Errorf("%s of %s begins %s, want %s", c.step, c.at, got, c.want)
		}
	}
	if !Whole.Start(noon, rome).IsZero() {
		t.Error("the whole has a beginning")
	}
}

func TestAWaitOfHoursIsKnownToBeLong(t *testing.T) {
	var s Traffic
	s.TakeWait(wait(9*time.Hour, tel.OutcomeAnswered, false))
	if in := s.Answered.Within(time.Hour); in != 0 || len(s.Answered) != longSpread+1 {
		t.Errorf("%d within an hour, of %d places", in, len(s.Answered))
	}
	if in := s.Answered.Within(24 * time.Hour); in != 0 {
		t.Errorf("%d within a day: nobody knows that any more", in)
	}
}

func FuzzASumFromTheDisk(f *testing.F) {
	full := Traffic{}
	full.TakeWait(wait(20*time.Second, tel.OutcomeAnswered, false))
	full.TakeWait(tel.QueueLeft{Joined: noon, Left: noon.Add(time.Minute), Outcome: tel.OutcomeAbandoned, Stage: tel.AbandonRinging})
	text, err := full.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	var work Work
	work.Take(tel.AgentReady, time.Hour)
	other, err := work.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{text, other, nil, {encodingVersion}, {9}, text[:5]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Traffic
		if err := s.UnmarshalBinary(b); err == nil {
			again, _ := s.MarshalBinary()
			var back Traffic
			if err := back.UnmarshalBinary(again); err != nil {
				t.Fatalf("%x became %x: %v", b, again, err)
			}
			if third, _ := back.MarshalBinary(); !bytes.Equal(again, third) {
				t.Fatalf("%x, then %x", again, third)
			}
		} else if !errors.Is(err, ErrEncoding) {
			t.Fatal(err)
		}
		var l LineCalls
		if err := l.UnmarshalBinary(b); err == nil {
			again, _ := l.MarshalBinary()
			if err := l.UnmarshalBinary(again); err != nil {
				t.Fatal(err)
			}
		}
		var d Dispositions
		if err := d.UnmarshalBinary(b); err == nil {
			again, _ := d.MarshalBinary()
			if err := d.UnmarshalBinary(again); err != nil {
				t.Fatal(err)
			}
		}
		var w Work
		if err := w.UnmarshalBinary(b); err == nil {
			again, _ := w.MarshalBinary()
			if err := w.UnmarshalBinary(again); err != nil {
				t.Fatal(err)
			}
		}
	})
}
