package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestMessagesAreListedAsAPersonReadsThem(t *testing.T) {
	dir, _ := exchange(t, `[
		{"id":"r1","line":"line:gsm0","from":"TIM","text":"ciao\u001b[2J","state":"received","at":"2026-11-27T09:00:00Z"},
		{"id":"s1","line":"line:gsm0","to":"333","text":"x","state":"failed","why":"no network","at":"2026-11-27T09:00:00Z"},
		{"id":"r2","line":"line:gsm0","from":"TIM","text":"a[...]","state":"received","parts":3,"lacks":2,"at":"2026-11-27T09:00:00Z"},
		{"id":"r3","line":"line:gsm0","state":"unreadable","why":"half a PDU","raw":["0791"],"at":"2026-11-27T09:00:00Z"}]`)
	var out, errs bytes.Buffer
	if err := texts([]string{"-var", dir, "list"}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{`from "TIM"         "ciao\x1b[2J"`, `to 333             "x"  (no network)`, "(2 of 3 parts are missing)", "(half a PDU: 0791)"} {
		if len(lines) != 4 || !strings.Contains(lines[i], want) {
			t.Errorf("line %d of %q has no %q", i, lines, want)
		}
	}
}

func TestWhatIsNoOrderIsSaid(t *testing.T) {
	dir, asked := exchange(t, "[]")
	for _, args := range [][]string{{"send"}, {"send", "gsm0", "333"}, {"send", "gsm0", "333", "two", "words"}, {"delete"}} {
		var out, errs bytes.Buffer
		if err := texts(append([]string{"-var", dir}, args...), &out, &errs); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	var out, errs bytes.Buffer
	if err := texts([]string{"-var", dir, "send", "gsm0", "333", "two words"}, &out, &errs); err == nil { // this exchange answers 404
		t.Error("a refusal was taken for a yes")
	}
	if !reflect.DeepEqual(*asked, []string{"POST /sms"}) {
		t.Errorf("asked %q", *asked)
	}
}
