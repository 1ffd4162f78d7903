package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWithoutARuleNothingIsRecorded(t *testing.T) {
	c := parsed(t, office).Recording
	if len(c.Rules) != 0 || !c.Notice || c.OptOut != "9" || c.OnHold || !c.Follow || c.DemandKeys != "*1" || c.PauseKeys != "*3" {
		t.Errorf("defaults: %+v", c)
	}
	if r := c.Rule(tel.Inbound, "sales", []tel.AgentID{"anna"}, []string{"trunk:tim"}); r != nil {
		t.Errorf("%+v", r)
	}
}

func TestTheFirstRuleThatFitsCounts(t *testing.T) {
	c := Recording{Rules: []RecordingRule{
		{ID: "boss", Record: RecordNever, Agents: []tel.AgentID{"boss"}},
		{ID: "sales", Record: RecordAlways, Queues: []tel.QueueID{"sales"}},
		{ID: "out", Record: RecordDemand, Direction: "out", Through: []string{"trunk:tim", "line:gsm0"}},
		{ID: "anna", Record: RecordDemand, Agents: []tel.AgentID{"anna"}},
	}}
	for _, x := range []struct {
		direction tel.Direction
		queue     tel.QueueID
		agent     tel.AgentID
		through   string
		want      string
	}{
		{tel.Inbound, "sales", "bruno", "trunk:tim", "sales"},
		{tel.Inbound, "sales", "boss", "trunk:tim", "boss"},
		{tel.Inbound, "desk", "bruno", "trunk:tim", ""},
		{tel.Outbound, "", "bruno", "trunk:tim", "out"},
		{tel.Outbound, "", "bruno", "trunk:eolo", ""},
		{tel.Internal, "", "anna", "", "anna"},
	} {
		got := ""
		if r := c.Rule(x.direction, x.queue, []tel.AgentID{x.agent}, []string{x.through}); r != nil {
			got = r.ID
		}
		if got != x.want {
			t.Errorf("%+v: rule %q", x, got)
		}
	}
	if r, sure := c.Before(tel.Inbound, "sales"); sure || r != nil {
		t.Errorf("before it is known who answers: %+v, %v", r, sure)
	}
	c.Rules = c.Rules[1:]
	if r, sure := c.Before(tel.Inbound, "sales"); !sure || r == nil || r.ID != "sales" {
		t.Errorf("whoever answers: %+v, %v", r, sure)
	}
	if r, sure := (&Recording{}).Before(tel.Inbound, "sales"); !sure || r != nil {
		t.Errorf("without rules: %+v, %v", r, sure)
	}
}

func TestMistakesOfRecordingsAreNamed(t *testing.T) {
	const good = `
recording:
  purposes: [{id: quality, name: Quality, days: 90}]
  rules: [{id: all, record: always, purpose: quality, queues: [sales], agents: [anna]}]
`
	parsed(t, office+good)
	for _, x := range []struct{ old, new, path, code string }{
		{"days: 90", "days: 90, basis: habit", "recording.purposes[0].basis", "choice"},
		{"days: 90", "days: 90, listen: everybody", "recording.purposes[0].listen", "choice"},
		{"days: 90", "days: 0", "recording.purposes[0].days", "range"},
		{"days: 90", "days: 3651", "recording.purposes[0].days", "range"},
		{"id: quality, name", "id: Quality!, name", "recording.purposes[0].id", "id"},
		{"purpose: quality", "purpose: other", "recording.rules[0].purpose", "unknown"},
		{"record: always", "record: sometimes", "recording.rules[0].record", "choice"},
		{"queues: [sales]", "queues: [none]", "recording.rules[0].queues[0]", "unknown"},
		{"agents: [anna]", "agents: [nobody]", "recording.rules[0].agents[0]", "unknown"},
		{"agents: [anna]", "through: [trunk:none]", "recording.rules[0].through[0]", "unknown"},
		{"agents: [anna]", "through: [phone:201]", "recording.rules[0].through[0]", "unknown"},
		{"agents: [anna]", "direction: up", "recording.rules[0].direction", "choice"},
		{"recording:", "recording:\n  opt_out: \"12\"", "recording.opt_out", "key"},
		{"recording:", "recording:\n  opt_out: x", "recording.opt_out", "key"},
		{"recording:", "recording:\n  pause_keys: \"33\"", "recording.pause_keys", "key"},
		{"recording:", "recording:\n  demand_keys: \"*\"", "recording.demand_keys", "key"},
		{"recording:", "recording:\n  demand_keys: \"**3\"", "recording.pause_keys", "duplicate"},
		{"recording:", "recording:\n  keep_free_mb: 1", "recording.keep_free_mb", "range"},
	} {
		_, err := Parse([]byte(office + strings.Replace(good, x.old, x.new, 1)))
		p, _ := errors.AsType[Problems](err)
		if !slices.ContainsFunc(p, func(p Problem) bool { return p.Path == x.path && p.Code == x.code }) {
			t.Errorf("%q: %v, want %s at %s", x.new, err, x.code, x.path)
		}
	}
}

func TestTheKeyThatOptsOutMeansNothingElseInAQueue(t *testing.T) {
	c := parsed(t, office)
	c.Recording.Purposes = []Purpose{{ID: "quality", Days: 90}}
	c.Recording.Rules = []RecordingRule{{ID: "all", Record: RecordAlways, Purpose: "quality", Agents: []tel.AgentID{c.Agents[0].ID}}}
	taken := func() bool {
		for _, p := range c.Validate() {
			if p.Path == "queues[0].waiting" && p.Code == "duplicate" {
				return true
			}
		}
		return false
	}
	if taken() {
		t.Error("no key is taken")
	}
	c.Queues[0].Waiting.Callback.Key = "9"
	if !taken() {
		t.Error("the key of the callback is taken")
	}
	c.Recording.OptOut = "8"
	if taken() {
		t.Error("another key is free")
	}
	c.Queues[0].Waiting.Exit = map[string]string{"8": "hangup"}
	if !taken() {
		t.Error("a key that leads out is taken")
	}
	c.Recording.Rules[0].Record = RecordNever
	if taken() {
		t.Error("where nothing is recorded every key is free")
	}
}

func TestARuleIsAboutRoomsOrAboutCalls(t *testing.T) {
	c := Recording{Rules: []RecordingRule{
		{ID: "rooms", Record: RecordAlways, Conferences: []tel.ConferenceID{"hall"}},
		{ID: "all", Record: RecordDemand},
	}}
	if r := c.Rule(tel.Inbound, "sales", nil, nil); r == nil || r.ID != "all" {
		t.Errorf("a call is recorded by %+v", r)
	}
	if r := c.RoomRule("hall"); r == nil || r.ID != "rooms" {
		t.Errorf("the hall is recorded by %+v", r)
	}
	if r := c.RoomRule("cellar"); r != nil {
		t.Errorf("a room that no rule names is recorded by %+v", r)
	}
	const room = office + "\nconferences: [{id: hall, name: Sala, number: \"88\"}]\nrecording:\n  purposes: [{id: q, name: Q, days: 9}]\n  rules: [{id: rooms, record: always, purpose: q, conferences: [%s]%s}]\n%s"
	for _, x := range []struct{ rooms, more, also, path string }{
		{"hall", "", "", ""},
		{"cellar", "", "", "recording.rules[0].conferences[0]"},
		{"hall", ", direction: in", "", "recording.rules[0].conferences"},
		{"hall", "", "  opt_out: \"*\"\n", "recording.opt_out"},
	} {
		_, err := Parse([]byte(fmt.Sprintf(room, x.rooms, x.more, x.also)))
		if x.path == "" && err != nil || x.path != "" && (err == nil || !strings.Contains(err.Error(), x.path)) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}
