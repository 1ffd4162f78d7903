package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
)

func TestAQueueIsReadWithTheDefaultsOfItsWaitingCallers(t *testing.T) {
	c := parsed(t, office)
	w := c.Queues[0].Waiting
	if w.Grace != 30*time.Second || w.Return != 2*time.Minute || w.Short != 5*time.Second || w.KeepPlace != KeepAlways || w.Callback.Key != "" {
		t.Errorf("defaults %+v", w)
	}
	dialled := example(t)
	q, ok := dialled.QueueOf("sales")
	if !ok || q.FullDestination() != "say:busy_all" || q.EmptyDestination() != "outside:3331234567" {
		t.Errorf("queue %+v", q)
	}
	cb := q.Waiting.Callback
	if cb.Attempts != 3 || cb.Gap != 5*time.Minute || cb.Expire != 24*time.Hour || cb.After != time.Minute {
		t.Errorf("callback %+v", cb)
	}
	for class, want := range map[dialplan.Class]bool{dialplan.Local: true, dialplan.Mobile: true, dialplan.International: false, dialplan.Premium: false} {
		if cb.Calls(class) != want {
			t.Errorf("%s numbers are called: %v", class, !want)
		}
	}
	desk, _ := c.QueueOf("desk")
	if desk.FullDestination() != "hangup" || desk.EmptyDestination() != "hangup" {
		t.Errorf("queue %+v", desk)
	}
}

func TestFaultsOfAWaitingCallersLifeAreFoundAtSave(t *testing.T) {
	for _, tt := range []struct{ name, waiting, want string }{
		{"a greeting that was never recorded", `greeting: ["prompt:x"]`, "waiting.greeting[0] unknown"},
		{"a destination that does not exist", `full_to: "queue:nowhere"`, "waiting.full_to unknown"},
		{"an emergency number", `empty_to: "outside:112"`, "waiting.empty_to number"},
		{"a key that no telephone has", `exit: {"A": hangup}`, "waiting.exit[A] key"},
		{"a key back into the queue", `exit: {"1": "queue:sales"}`, "waiting.exit[1] loop"},
		{"a long memory", `return: 2h`, "waiting.return range"},
		{"a word for places", `keep_place: never`, "waiting.keep_place choice"},
		{"a whisper that was never recorded", `whisper: "prompt:x"`, "waiting.whisper[0] unknown"},
		{"announcements one after the other", `announce: {position: true, every: 5s}`, "waiting.announce.every range"},
		{"more than nothing", `announce: {position: true, more_than: true}`, "waiting.announce.more_than missing"},
		{"messages without a pause", `announce: {messages: [wait], message_every: 3s}`, "waiting.announce.message_every range"},
		{"a callback key that leaves", `exit: {"1": hangup}
      callback: {key: "1"}`, "waiting.callback.key duplicate"},
		{"hours that do not exist", `callback: {key: "1", hours: night}`, "waiting.callback.hours unknown"},
		{"premium numbers", `callback: {key: "1", dial: [premium]}`, "waiting.callback.dial[0] choice"},
		{"no numbers at all", `callback: {key: "1", dial: []}`, "waiting.callback.dial missing"},
		{"a hundred attempts", `callback: {key: "1", attempts: 100}`, "waiting.callback.attempts range"},
		{"a loop by another cause", `empty_to: "queue:desk"
  - {id: desk, name: Desk, number: "401", agents: [anna], waiting: {full_to: "queue:sales"}}`, "waiting.empty_to loop"},
		{"a loop through a menu", `full_to: "menu:m"
menus:
  - {id: m, name: M, greeting: [greeting], keys: {"1": "ext:201"}, timeout_to: "queue:sales"}`, "waiting.full_to loop"},
		{"a loop through opening hours", `full_to: "hours:h"
hours:
  - {id: h, name: H, open: ["mon-fri 09:00-18:00"], then: "queue:sales", closed: hangup}`, "waiting.full_to loop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(`
phones:
  - {id: "201", password: correct-horse-1}
agents:
  - {id: anna, name: Anna, extension: "201", phones: ["201"]}
queues:
  - id: sales
    name: Vendite
    number: "400"
    agents: [anna]
    waiting:
      ` + tt.waiting + "\n"))
			var got []string
			found, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("accepted, or another error: %v", err)
			}
			for _, p := range found {
				got = append(got, strings.TrimPrefix(p.Path, "queues[0].")+" "+p.Code)
			}
			if !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMissedCallersAreKeptForAMonthUnlessItIsSaidOtherwise(t *testing.T) {
	if c := parsed(t, office); c.MissedCallers.Keep != 720*time.Hour {
		t.Errorf("kept for %v", c.MissedCallers.Keep)
	}
	_, err := Parse([]byte("missed_callers: {keep: 1h}\n"))
	if found, ok := errors.AsType[Problems](err); !ok || found[0].Path != "missed_callers.keep" {
		t.Errorf("got %v", err)
	}
}

func TestAChangeOfTheWaitIsNamedFieldByField(t *testing.T) {
	a := example(t)
	b := a.Clone()
	w := &b.Queues[0].Waiting
	w.Exit["9"], w.Announce.Messages, w.Callback.Gap, w.Whisper = "hangup", nil, time.Minute, ""
	if a.Queues[0].Waiting.Exit["9"] != "ext:201" {
		t.Fatal("the copy shares its keys")
	}
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.Path)
	}
	want := "queues[sales].waiting.exit[9] queues[sales].waiting.whisper queues[sales].waiting.announce.messages queues[sales].waiting.callback.gap"
	if strings.Join(got, " ") != want {
		t.Errorf("changed %q, want %q", got, want)
	}
}
