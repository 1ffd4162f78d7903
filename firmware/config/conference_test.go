package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestAConferenceRoomHasDefaultsAndIsInTheNumbering(t *testing.T) {
	c := parsed(t, office+`
conferences:
  - {id: hall, name: Sala, number: "88", pin: "2468", leader_pin: "97531", await: true}
`)
	if x := c.Conferences[0]; x.Limit != 30 || x.Quiet || x.NoMusic || x.Muted {
		t.Errorf("%+v", x)
	}
	if p := c.DialPlan(); len(p.Conferences) != 1 || p.Conferences[0].Number != "88" || p.Conferences[0].ID != "hall" {
		t.Errorf("%+v", p.Conferences)
	}
	if ways := c.Ways()["conference:hall"]; !slices.Equal(ways, []Way{{}}) {
		t.Errorf("%+v", ways)
	}
	next := c.Clone()
	next.Conferences[0].PIN, next.Conferences[0].Limit = "8642", 5
	var got []string
	for _, d := range Diff(c, next) {
		got = append(got, d.String())
	}
	if want := []string{"conferences[hall].pin changed: *** -> ***", "conferences[hall].limit changed: 30 -> 5"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMistakesOfConferenceRoomsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		rooms string
		line  string // where callers of the line go
		want  []string
	}{
		"a number that somebody has":          {`[{id: hall, number: "201"}]`, "", []string{"conferences[0].number"}},
		"codes that are none":                 {`[{id: hall, number: "88", pin: "12", leader_pin: "1111"}]`, "", []string{"conferences[0].pin", "conferences[0].leader_pin"}},
		"one code for both":                   {`[{id: hall, number: "88", pin: "2468", leader_pin: "2468"}]`, "", []string{"conferences[0].leader_pin"}},
		"a leader whom nobody can be":         {`[{id: hall, await: true}, {id: b, end_after: true}]`, "", []string{"conferences[0].leader_pin", "conferences[1].leader_pin"}},
		"more than a mix takes":               {`[{id: hall, limit: 31}, {id: b, limit: 1}]`, "", []string{"conferences[0].limit", "conferences[1].limit"}},
		"two of one name, and one of none":    {`[{id: hall}, {id: hall}, {}]`, "", []string{"conferences[1].id", "conferences[2].id"}},
		"an open room for callers outside":    {`[{id: hall, leader_pin: "97531"}]`, "conference:hall", []string{"conferences[0].pin"}},
		"a locked room for callers outside":   {`[{id: hall, pin: "2468"}]`, "conference:hall", nil},
		"an open room for phones":             {`[{id: hall, number: "88"}]`, "", nil},
		"a way to a room that does not exist": {`[{id: b}]`, "conference:hall", []string{"lines[0].in"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(office, `modem0-pcm, in: "queue:sales"`, fmt.Sprintf("modem0-pcm, in: %q", cmp.Or(c.line, "queue:sales")), 1)
			_, err := Parse([]byte(text + "conferences: " + c.rooms + "\n"))
			problems, _ := errors.AsType[Problems](err)
			var got []string
			for _, p := range problems {
				got = append(got, p.Path)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q: %v", got, c.want, err)
			}
		})
	}
}
