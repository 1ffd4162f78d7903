package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAgentsAreListedAsAPersonReadsThem(t *testing.T) {
	dir, _ := exchange(t, `{"Agents":[{"ID":"anna","Name":"Anna","State":"paused","Reason":"forced","By":"carla","Since":"2026-03-02T09:00:00Z","Help":true,"Queues":["help"],"Out":["sales"]},{"ID":"bruno","Name":"Bruno","State":"ready"}]}`)
	var out, errs bytes.Buffer
	if err := agents([]string{"-var", dir}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "anna ") || !strings.HasPrefix(lines[1], "bruno ") {
		t.Fatalf("%s", out.String())
	}
	for _, want := range []string{"paused", "(forced)", "by carla", "ASKS FOR HELP", "serves help", "out of sales"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("no %q in %q", want, lines[0])
		}
	}
	until := time.Date(2026, 3, 2, 10, 0, 5, 0, time.Local)
	got := agentLine(agentView{ID: "a", State: "wrap_up", Queue: "sales", Since: until.Add(-20 * time.Second), WrapUntil: until}, until.Add(-10*time.Second))
	if !strings.HasSuffix(got, " 10s, of sales, until 10:00:05") {
		t.Error(got)
	}
}

func TestACommandToAnAgentIsAskedAndARefusalSaid(t *testing.T) {
	dir, asked := exchange(t, "")
	var out, errs bytes.Buffer
	err := agent([]string{"-var", dir, "pause", "anna", "team", "meeting"}, &out, &errs)
	if err == nil || err.Error() != "prontod answers 404" {
		t.Errorf("a refusal: %v", err)
	}
	if err := move([]string{"-var", dir, "c1", "sales"}, &out, &errs); err == nil {
		t.Error("a refusal was taken for done")
	}
	if err := press([]string{"-var", dir, "desk1"}, &out, &errs); err == nil {
		t.Error("a button that is not there was pressed")
	}
	if !slices.Equal(*asked, []string{"POST /agents/anna/pause", "POST /waiting/c1/move", "POST /buttons/desk1/press"}) {
		t.Errorf("asked %q", *asked)
	}
	for _, args := range [][]string{{"fly", "anna"}, {"pause"}, {}} {
		if err := agent(append([]string{"-var", dir}, args...), &out, &errs); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	if err := move([]string{"-var", dir, "c1"}, &out, &errs); err == nil {
		t.Error("a move to nowhere was accepted")
	}
	if err := press([]string{"-var", dir}, &out, &errs); err == nil {
		t.Error("a press of no button was accepted")
	}
}
