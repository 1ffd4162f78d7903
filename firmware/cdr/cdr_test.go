package cdr

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var (
	rome = time.FixedZone("CEST", 2*3600)
	nine = time.Date(2026, 5, 4, 9, 0, 0, 0, rome)
)

func call(start time.Time, rang, talked time.Duration) tel.CallEnded {
	c := tel.CallEnded{Call: "c1", Direction: tel.Inbound, From: "+39021", To: "200", In: "trunk:a", Started: start, Ended: start.Add(rang), Cause: tel.CauseCancelled}
	if talked > 0 {
		c.Answered, c.Ended, c.Cause, c.Agent = c.Ended, c.Ended.Add(talked), tel.CauseNormal, "anna"
	}
	return c
}

func wait(joined time.Time, d time.Duration, how tel.QueueOutcome) tel.QueueLeft {
	return tel.QueueLeft{Call: "c1", Queue: "sales", Joined: joined, Left: joined.Add(d), Outcome: how}
}

func TestARecordIsDecodedAsEncoded(t *testing.T) {
	m := tel.SMS{ID: "s1", Line: "line:gsm0", From: "TIM", Text: "ciao", At: nine.UTC()}
	for _, e := range []tel.Event{
		call(nine.UTC(), time.Second, time.Minute), wait(nine.UTC(), time.Second, tel.OutcomeAnswered),
		tel.SMSReceived{SMS: m},
		tel.SMSSent{SMS: m},
		tel.SMSDelivered{SMS: m},
		tel.SMSFailed{SMS: m},
	} {
		kind, body, err := Encode(e)
		if err != nil || !Finished(kind) || !strings.HasPrefix(string(body), `{"v":1,`) {
			t.Fatalf("%s %s %v", kind, body, err)
		}
		if got, err := Decode(kind, body); err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("got %+v %v, want %+v", got, err, e)
		}
	}
}

func TestWhatCannotBeUnderstoodIsAClearError(t *testing.T) {
	for body, want := range map[string]error{
		`{"v":2,"event":{"call":"c1","id":"s1"}}`: ErrVersion,
		`{"event":{"call":"c1","id":"s1"}}`:       ErrRecord,
		`{"v":1,"event":{}}`:                      ErrRecord,
		`{"v":1,"event":{"call":7,"id":7}}`:       ErrRecord,
		`hello`:                                   ErrRecord,
	} {
		for _, kind := range []string{"call_ended", "queue_left", "sms_received", "sms_sent", "sms_delivered", "sms_failed"} {
			if _, err := Decode(kind, []byte(body)); !errors.Is(err, want) {
				t.Errorf("%s %s: %v, want %v", kind, body, err, want)
			}
		}
	}
	if e, err := Decode("agent_changed", []byte("whatever")); e != nil || err != nil {
		t.Errorf("another kind: %v %v", e, err)
	}
	if _, _, err := Encode(tel.LampChanged{}); !errors.Is(err, ErrRecord) {
		t.Errorf("encoding what is not finished: %v", err)
	}
}

func TestARowSaysHowLongItRangAndHowLongTheyTalked(t *testing.T) {
	for name, tc := range map[string]struct {
		call         tel.CallEnded
		rang, talked time.Duration
		answered     bool
	}{
		"answered":            {call(nine, 8*time.Second, 3*time.Minute), 8 * time.Second, 3 * time.Minute, true},
		"given up":            {call(nine, 20*time.Second, 0), 20 * time.Second, 0, false},
		"the clock went back": {tel.CallEnded{Started: nine, Answered: nine.Add(-time.Hour), Ended: nine.Add(-time.Minute)}, 0, 59 * time.Minute, true},
	} {
		r := RowOf(tc.call)
		if r.Rang != tc.rang || r.Talked != tc.talked || r.Answered != tc.answered {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestTodaysFiguresCountTheDayOfTheShopAndNothingElse(t *testing.T) {
	f := Today(nine)
	midnight := time.Date(2026, 5, 4, 0, 0, 0, 0, rome)
	internal := call(nine, time.Second, time.Second)
	internal.Direction = tel.Internal
	sent := wait(nine, time.Second, tel.OutcomeTimedOut)
	sent.To = "queue:help"
	for _, e := range []struct {
		e    tel.Event
		want bool
	}{
		{call(midnight, 10*time.Second, time.Minute), true},
		{call(midnight.Add(-time.Nanosecond), 10*time.Second, time.Minute), false},
		{call(midnight.Add(24*time.Hour-time.Nanosecond).UTC(), 10*time.Second, 0), true}, // 21:59 UTC is still today
		{call(midnight.Add(24*time.Hour), 10*time.Second, 0), false},
		{internal, false},
		{wait(nine, 10*time.Second, tel.OutcomeAnswered), true},
		{wait(nine, 20*time.Second, tel.OutcomeAnswered), true},
		{wait(nine, 300*time.Second, tel.OutcomeAbandoned), true},
		{wait(nine, time.Second, tel.OutcomeOverflow), true},
		{sent, true},
		{wait(nine, -time.Hour, tel.OutcomeRefused), true},
		{wait(nine.AddDate(0, 0, 1), time.Second, tel.OutcomeAnswered), false},
		{tel.AgentChanged{}, false},
	} {
		if got := f.Add(e.e); got != e.want {
			t.Errorf("%+v counted: %v", e.e, got)
		}
	}
	if f.Calls != 2 || f.Answered != 1 || f.Waits != 6 || f.WaitAnswered != 2 || f.Abandoned != 1 || f.Other != 3 || f.SentOn != 1 {
		t.Errorf("figures %+v", f)
	}
	if f.AverageWait() != 15*time.Second || f.LongestWait != 5*time.Minute {
		t.Errorf("average %v, longest %v", f.AverageWait(), f.LongestWait)
	}
	none := Today(nine)
	if none.AverageWait() != 0 {
		t.Error("an average of nothing")
	}
}

func TestTheDayIsCountedByTheHoursOfTheShopsClock(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	day := func(hour, minute int) time.Time { return time.Date(2026, 10, 25, hour, minute, 0, 0, zone) }
	f := Today(day(12, 0)) // a day of 25 hours
	if f.Hours() != nil {
		t.Error("hours of a day without calls")
	}
	twice := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // 02:30 for the first time
	for _, e := range []tel.Event{
		call(twice, time.Second, 0), call(twice.Add(time.Hour), time.Second, time.Second),
		call(day(4, 59).UTC(), time.Second, 0), wait(day(4, 0), time.Minute, tel.OutcomeAbandoned),
		wait(day(5, 0).Add(-time.Nanosecond), time.Minute, tel.OutcomeAnswered), // answered at 05:01
	} {
		if !f.Add(e) {
			t.Errorf("%+v is not counted", e)
		}
	}
	want := []tel.HourFigures{{Hour: 2, Calls: 2}, {Hour: 3}, {Hour: 4, Calls: 1, Answered: 1, Lost: 1}}
	if got := f.Hours(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTheDayOfAClockChangeHasItsOwnLength(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	f := Today(time.Date(2026, 3, 29, 12, 0, 0, 0, zone))
	if d := f.To.Sub(f.From); d != 23*time.Hour {
		t.Errorf("the day has %v", d)
	}
}

func FuzzDecode(f *testing.F) {
	_, body, _ := Encode(call(nine, time.Second, time.Minute))
	f.Add("call_ended", body)
	_, body, _ = Encode(wait(nine, time.Second, tel.OutcomeAnswered))
	f.Add("queue_left", body)
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		e, err := Decode(kind, body)
		if err != nil || e == nil {
			return
		}
		day := Today(nine)
		day.Add(e)
		if c, ok := e.(tel.CallEnded); ok {
			if r := RowOf(c); r.Rang < 0 || r.Talked < 0 {
				t.Fatalf("negative span: %+v", r)
			}
		}
	})
}

func TestWhoGivesUpAtOnceIsCountedApart(t *testing.T) {
	f := Today(nine)
	short := wait(nine, time.Second, tel.OutcomeAbandoned)
	short.Short = true
	f.Add(short)
	f.Add(wait(nine, time.Minute, tel.OutcomeAbandoned))
	if f.Abandoned != 1 || f.Short != 1 || f.Waits != 2 {
		t.Errorf("%+v", f)
	}
}

func TestCallbacksAndMissedCallersAreRecords(t *testing.T) {
	for _, e := range []tel.Event{
		tel.CallbackChanged{Callback: "cb", State: tel.CallbackEnded, Outcome: tel.CallbackReached, Number: "+393331234567", At: nine.UTC()},
		tel.MissedChanged{Number: "+393331234567", Queue: "sales", Why: tel.MissedAbandoned, At: nine.UTC()},
	} {
		kind, body, err := Encode(e)
		if err != nil || !Finished(kind) {
			t.Fatal(kind, err)
		}
		got, err := Decode(kind, body)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("read back %+v, %v; was %+v", got, err, e)
		}
		if _, err := Decode(kind, []byte(`{"v":1,"event":{}}`)); !errors.Is(err, ErrRecord) {
			t.Errorf("an empty %s: %v", kind, err)
		}
	}
}
