package config

import (
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func twoLanguages(t *testing.T) Config {
	t.Helper()
	text, err := os.ReadFile("testdata/distribution.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, string(text))
}

func TestTheDistributionIsReadWithItsDefaults(t *testing.T) {
	c := twoLanguages(t)
	d, plain := c.Queues[0].Distribution, c.Queues[1].Distribution
	if d.Weight != 2 || d.Grades["carla"] != (Grade{Level: 1, Weight: 1}) || d.Levels[1] != (LevelRule{After: 2 * time.Minute, From: 1, UpTo: 1}) || !d.BestSkilled {
		t.Errorf("%+v", d)
	}
	if !reflect.DeepEqual(d.NeedsOf("en"), []tel.Need{{Skill: "english", Level: 6}}) || d.NeedsOf("it") != nil || len(d.Always()) != 1 {
		t.Errorf("needs %v %v %v", d.NeedsOf("en"), d.NeedsOf("it"), d.Always())
	}
	if plain.Target != 20*time.Second || plain.Weight != 1 || plain.Step != 10*time.Second || plain.PresentWithin != 2*time.Minute {
		t.Errorf("defaults %+v", plain)
	}
	if !reflect.DeepEqual(c.Agents[2].Skills, map[string]int{"sales": 2, "english": 9}) {
		t.Errorf("skills %v", c.Agents[2].Skills)
	}
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again := parsed(t, string(text)); !reflect.DeepEqual(c, again) {
		t.Errorf("changed by a round trip: %v", Diff(c, again))
	}
}

func TestEveryMistakeOfTheDistributionIsFoundAtOnceWithItsPath(t *testing.T) {
	_, err := Parse([]byte(`
phones: [{id: "201", password: correct-horse-1}]
agents: [{id: anna, extension: "201", phones: ["201"], skills: {english: 11, "": 3}}]
queues:
  - id: q
    number: "400"
    agents: [anna]
    strategy: fewest_words
    priority: 10000
    distribution:
      target: 2h
      weight: 101
      step: 1ms
      present_within: 2h
      sticky_wait: 2h
      grades: {bruno: {level: 100, weight: 101}}
      levels: [{after: 10s, from: 2, up_to: 1}, {after: 10s, up_to: 3}]
      levels_above: -1
      needs: {german: 2}
      languages: {fr: {english: 0}}
      relax: [{after: 10s, level: 10}, {after: 5s, level: 10}]
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	got := map[string]bool{}
	for _, p := range found {
		got[p.Path+" "+p.Code] = true
	}
	for _, want := range []string{
		"agents[0].skills[english] range", "agents[0].skills[] id", "queues[0].strategy choice", "queues[0].priority range",
		"queues[0].distribution.target range", "queues[0].distribution.weight range", "queues[0].distribution.step range",
		"queues[0].distribution.present_within range", "queues[0].distribution.sticky_wait range", "queues[0].distribution.sticky missing",
		"queues[0].distribution.grades[bruno] unknown", "queues[0].distribution.grades[bruno].level range", "queues[0].distribution.grades[bruno].weight range",
		"queues[0].distribution.levels[0].up_to range", "queues[0].distribution.levels[1].after order", "queues[0].distribution.levels_above range",
		"queues[0].distribution.needs nobody", "queues[0].distribution.languages[fr] choice", "queues[0].distribution.languages[fr][english] range",
		"queues[0].distribution.languages[fr] nobody", "queues[0].distribution.relax[0].level range", "queues[0].distribution.relax[1].level range",
		"queues[0].distribution.relax[1] order",
	} {
		if !got[want] {
			t.Errorf("not reported: %s", want)
		}
	}
	if len(found) != 23 {
		t.Errorf("%d problems, want 23:\n%v", len(found), err)
	}
}

func TestASkillThatNobodyHasIsFoundUnlessItIsGivenUpInTime(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*Config)
		found string
	}{
		"two agents with one skill each serve nobody who needs both": {func(c *Config) {
			c.Queues[0].Agents, c.Queues[0].Distribution.Grades = []tel.AgentID{"bruno", "carla"}, nil
			c.Queues[0].Distribution.Relax = nil
			c.Agents[1].Skills = map[string]int{"sales": 5}
			c.Agents[2].Skills = map[string]int{"english": 9}
		}, "queues[0].distribution.languages[en]"},
		"a level that nobody reaches": {func(c *Config) {
			c.Queues[0].Distribution.Relax = nil
			c.Queues[0].Distribution.Needs["sales"] = 9
		}, "queues[0].distribution.languages[en]"},
		"a level that is reached after a while":       {func(c *Config) { c.Queues[0].Distribution.Needs["sales"] = 10 }, ""},
		"an agent of another queue does not help":     {func(c *Config) { c.Queues[1].Distribution.Needs = map[string]int{"english": 8} }, "queues[1].distribution.needs"},
		"a skill that is given up is asked of nobody": {func(c *Config) { c.Queues[0].Distribution.Needs["greek"] = 1 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conf := twoLanguages(t)
			c.edit(&conf)
			got := ""
			for _, p := range conf.Validate() {
				if p.Code == "nobody" && got == "" {
					got = p.Path
				}
			}
			if got != c.found {
				t.Errorf("found %q, want %q", got, c.found)
			}
		})
	}
}
