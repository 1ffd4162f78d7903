package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
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
