package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestWhyNobodyRingsIsSaidAgentByAgent(t *testing.T) {
	dir, asked := exchange(t, `[{"Agent":"anna","Verdict":"skill_too_low","Note":"english 2 of 5","Until":"0001-01-01T00:00:00Z"},{"Agent":"bruno","Verdict":"eligible"}]`)
	var out, errs bytes.Buffer
	if err := why([]string{"-var", dir, "c1"}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	want := "anna         skill_too_low (english 2 of 5)\nbruno        eligible\n"
	if out.String() != want || len(*asked) != 1 || (*asked)[0] != "GET /waiting/c1" {
		t.Errorf("%q, asked %q", out.String(), *asked)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	if got := whyLine(verdict{Agent: "a", Verdict: "level_not_open", Note: "level 2", Until: now.Add(20 * time.Second)}, now); !strings.HasSuffix(got, "level_not_open (level 2), for 20s") {
		t.Error(got)
	}
	for _, args := range [][]string{{}, {"a", "b"}} {
		if err := why(append([]string{"-var", dir}, args...), &out, &errs); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	if err := why([]string{"-var", t.TempDir(), "c1"}, &out, &errs); err == nil {
		t.Error("no prontod, and no error")
	}
}
