package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// alarmHours are opening hours beside the office.
const alarmHours = "\nhours: [{id: day, name: Day, open: [\"mon-fri 09:00-18:00\"], then: \"queue:sales\", closed: hangup}]\n"

func TestAlarmsAreOffUntilTheyAreSetAndReadAsWritten(t *testing.T) {
	if a := parsed(t, office).Queues[0].Alarms; a != (Alarms{}) {
		t.Errorf("defaults %+v", a)
	}
	text := strings.Replace(office, "ring: 15s,", "ring: 15s, alarms: {waiting: 5, longest: 3m, ready: 2, for: 10s, clear: 30s, hours: day},", 1) + alarmHours
	want := Alarms{Waiting: 5, Longest: 3 * time.Minute, Ready: 2, For: 10 * time.Second, Clear: 30 * time.Second, Hours: "day"}
	without := parsed(t, office+alarmHours)
	c := parsed(t, text)
	if c.Queues[0].Alarms != want {
		t.Errorf("%+v", c.Queues[0].Alarms)
	}
	encoded, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again := parsed(t, string(encoded)); len(Diff(c, again)) > 0 {
		t.Errorf("changed by a round trip: %v", Diff(c, again))
	}
	if d := Diff(without, c); len(d) != 6 || d[0].Path != "queues[sales].alarms.waiting" {
		t.Errorf("differences %v", d)
	}
}

func TestAlarmsThatCannotBeMeantAreFoundAtSave(t *testing.T) {
	for name, tt := range map[string]struct{ queue, want string }{
		"more callers than the queue takes": {"max_length: 3, alarms: {waiting: 3}", "queues[0].alarms.waiting range"},
		"fewer callers than none":           {"alarms: {waiting: -1}", "queues[0].alarms.waiting range"},
		"a wait of two days":                {"alarms: {longest: 48h}", "queues[0].alarms.longest range"},
		"a wait before the call":            {"alarms: {longest: -1s}", "queues[0].alarms.longest range"},
		"more agents than the queue has":    {"alarms: {ready: 3}", "queues[0].alarms.ready range"},
		"an alarm that takes hours":         {"alarms: {ready: 1, for: 2h}", "queues[0].alarms.for range"},
		"an alarm that stays for ever":      {"alarms: {ready: 1, clear: 2h}", "queues[0].alarms.clear range"},
		"hours that nobody knows":           {"alarms: {ready: 1, hours: night}", "queues[0].alarms.hours unknown"},
	} {
		_, err := Parse([]byte(strings.Replace(office, "ring: 15s,", "ring: 15s, "+tt.queue+",", 1)))
		found, ok := errors.AsType[Problems](err)
		if !ok || len(found) != 1 || found[0].Path+" "+found[0].Code != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
