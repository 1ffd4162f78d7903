package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWhoIsOwedACallIsListedAsAPersonReadsIt(t *testing.T) {
	dir, asked := exchange(t, `[{"ID":"cb1","Queue":"sales","QueueName":"Vendite","State":"waiting","Number":"+393331112222","Name":"Rossi","Since":"2026-03-02T08:00:00Z","Place":2,"Of":5,"Promise":"2026-03-02T10:00:00Z"}]`)
	var out, errs bytes.Buffer
	if err := callbacks([]string{"-var", dir}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	if got := out.String(); !strings.HasPrefix(got, "cb1          +393331112222    Rossi in Vendite since ") || !strings.Contains(got, ", waiting, place 2 of 5, LATE, was promised by 2026-03-02 ") {
		t.Errorf("%s", got)
	}
	if len(*asked) != 1 || (*asked)[0] != "GET /callbacks" {
		t.Errorf("asked %q", *asked)
	}
	empty, _ := exchange(t, "null")
	out.Reset()
	if err := callbacks([]string{"-var", empty}, &out, &errs); err != nil || out.String() != "nobody waits to be called back\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.Local)
	for want, c := range map[string]owed{
		"in Sales since 1m0s, resting, 2 failed attempts, again from 09:10":   {State: "resting", Attempts: 2, Next: now.Add(10 * time.Minute)},
		"in Sales since 1m0s, dialing, with Anna, place 1 of 1":               {State: "dialing", Agent: "Anna", Place: 1, Of: 1},
		"waiting, outside of the queue's hours, promised by 2026-03-02 09:30": {State: "waiting", Closed: true, Promise: now.Add(30 * time.Minute)},
	} {
		c.QueueName, c.Since = "Sales", now.Add(-time.Minute)
		if got := callbackLine(c, now); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestACallbackIsDroppedByItsID(t *testing.T) {
	dir, asked := exchange(t, "[]")
	var out, errs bytes.Buffer
	if err := callbacks([]string{"-var", dir, "drop", "cb9"}, &out, &errs); err == nil || err.Error() != "cb9 is not on the list" {
		t.Errorf("got %v", err)
	}
	if len(*asked) != 1 || (*asked)[0] != "DELETE /callbacks/cb9" {
		t.Errorf("asked %q", *asked)
	}
	if err := callbacks([]string{"-var", dir, "drop", "203.0.113.7"}, &out, &errs); err != nil || !strings.Contains(out.String(), "is off the list") {
		t.Errorf("%q, %v", out.String(), err)
	}
	for _, args := range [][]string{{"drop"}, {"drop", ""}, {"drop", "a", "b"}, {"keep", "cb1"}} {
		if err := callbacks(append([]string{"-var", dir}, args...), &out, &errs); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestWhatBecameOfCallbacksAndMissedCallersIsAskedOfTheRecords(t *testing.T) {
	dir, records := archive(t)
	ask := func(do func([]string, io.Writer, io.Writer) error) string {
		t.Helper()
		var out, errs bytes.Buffer
		if err := do([]string{"-var", dir, "-past", "10"}, &out, &errs); err != nil {
			t.Fatal(err, errs.String())
		}
		return out.String()
	}
	if got := ask(callbacks) + ask(missed); got != "nobody has been called back yet\nnobody was missed yet\n" {
		t.Errorf("an empty box: %q", got)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.Local)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(records.PutCallbacks(t.Context(),
		store.Callback{Pos: 1, CallbackChanged: tel.CallbackChanged{Callback: "cb1", Queue: "sales", State: tel.CallbackEnded, Outcome: tel.CallbackReached, Number: "+39331", Asked: at, At: at.Add(time.Hour), Agent: "anna", Attempts: 1, Promise: at.Add(time.Minute)}},
		store.Callback{Pos: 2, CallbackChanged: tel.CallbackChanged{Callback: "cb2", Queue: "sales", State: tel.CallbackEnded, Outcome: tel.CallbackDropped, Number: "+39332", Asked: at.Add(time.Minute), At: at.Add(time.Hour)}}))
	must(records.PutMissed(t.Context(),
		store.Missed{Pos: 3, MissedChanged: tel.MissedChanged{Number: "+39333", Queue: "sales", Calls: 1, First: at, Last: at, Why: tel.MissedAbandoned, Closed: tel.MissedCalledBack, By: "anna", At: at.Add(time.Hour)}},
		store.Missed{Pos: 4, MissedChanged: tel.MissedChanged{Number: "+39334", Queue: "sales", Calls: 2, First: at.Add(time.Minute), Last: at, Why: tel.MissedVoicemail, At: at}}))
	if got, want := ask(callbacks), "2026-03-02 10:00:00  +39332           in sales, asked 2026-03-02 09:01:00, withdrawn\n"+
		"2026-03-02 10:00:00  +39331           in sales, asked 2026-03-02 09:00:00, reached by anna, 1 failed attempts, later than promised\n"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := strings.Split(ask(missed), "\n"); len(got) != 3 || !strings.HasSuffix(got[0], "(voicemail), open") || !strings.HasSuffix(got[1], "(abandoned), called_back 2026-03-02 10:00 by anna") {
		t.Errorf("%q", got)
	}
}
