package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Strategies are the ways of choosing among agents.
func Strategies() []string {
	return []string{
		"longest_idle", "round_robin", "fewest_calls", "least_talk", "ordered", "ring_all", "progressive_ring", "random", "weighted_random",
	}
}

// Distribution is who gets whom in a queue. A change is applied at once, also to callers who wait.
type Distribution struct {
	Target time.Duration `yaml:"target"` // within how long a caller should have an agent; of several queues' callers who is due first goes first; default 20s, 1s-1h
	Weight int           `yaml:"weight"` // divides the target, so that the queue's callers are due sooner; default 1, up to 100
	Step   time.Duration `yaml:"step"`   // progressive_ring: one agent more after each; default 10s, 1s-10m

	Grades        map[tel.AgentID]Grade `yaml:"grades,omitempty"` // how agents of the queue differ; default level 0, weight 1
	Levels        []LevelRule           `yaml:"levels,omitempty"` // which levels are open, by the caller's wait; before the first only level 0; default every level
	LevelsAbove   int                   `yaml:"levels_above"`     // with so many agents present or fewer levels do not matter; default 0
	PresentWithin time.Duration         `yaml:"present_within"`   // a level is passed over at once when nobody of it could take the call within this time; default 2m, 1s-1h

	Needs       map[string]int            `yaml:"needs,omitempty"`     // skills that every caller asks for, each with the least level, 1-10; default none
	Languages   map[string]map[string]int `yaml:"languages,omitempty"` // skills that callers of a language ask for, e.g. en: {english: 3}; default none; applied to new callers
	Relax       []Relax                   `yaml:"relax,omitempty"`     // what is asked for at most, by the caller's wait; default never less
	BestSkilled bool                      `yaml:"best_skilled"`        // who has more of the asked skills goes first, the strategy only decides among equals; default false

	Sticky     time.Duration `yaml:"sticky"`      // for how long a caller gets again the agent who served it last; default 0 = not, up to 9600h
	StickyWait time.Duration `yaml:"sticky_wait"` // for how long the caller waits for that agent alone if busy; default 0, up to 1h
}

// Grade is one agent in one queue.
type Grade struct {
	Level  int `yaml:"level"`  // lower levels go first; default 0, up to 99
	Weight int `yaml:"weight"` // weighted_random: how often compared with others; default 1, up to 100
}

// LevelRule opens levels to a caller who has waited After.
type LevelRule struct {
	After time.Duration `yaml:"after"`
	From  int           `yaml:"from"` // the lowest open level; default 0
	UpTo  int           `yaml:"up_to"`
}

// Relax lowers what a caller who has waited After asks for to at most Level; 0 is nothing.
type Relax struct {
	After time.Duration `yaml:"after"`
	Level int           `yaml:"level"`
}

// Limits of the distribution.
const (
	maxSkill     = 10
	maxLevel     = 99
	maxWeight    = 100
	maxNeeds     = 16
	maxRules     = 20
	leastPrior   = -999
	mostPrior    = 9999
	defaultSoon  = 2 * time.Minute
	longestStick = 9600 * time.Hour
)

// NeedsOf are the skills that callers of the language ask for beside those of the queue, in the order of
// their names.
func (d Distribution) NeedsOf(language string) []tel.Need { return needs(d.Languages[language]) }

// Always are the skills that every caller asks for.
func (d Distribution) Always() []tel.Need { return needs(d.Needs) }

func needs(skills map[string]int) []tel.Need {
	var all []tel.Need
	for _, name := range slices.Sorted(maps.Keys(skills)) {
		all = append(all, tel.Need{Skill: name, Level: skills[name]})
	}
	return all
}

// normaliseDistribution fills the defaults.
func (c *Config) normaliseDistribution() {
	for i := range c.Queues {
		q := &c.Queues[i]
		if q.Strategy == "" {
			q.Strategy = "longest_idle"
		}
		d := &q.Distribution
		if d.Target == 0 {
			d.Target = 20 * time.Second
		}
		if d.Weight == 0 {
			d.Weight = 1
		}
		if d.Step == 0 {
			d.Step = 10 * time.Second
		}
		if d.PresentWithin == 0 {
			d.PresentWithin = defaultSoon
		}
		for id, g := range d.Grades {
			if g.Weight == 0 {
				g.Weight = 1
				d.Grades[id] = g
			}
		}
	}
}

func (v *validator) distribution() {
	for i, a := range v.c.Agents {
		v.skills(fmt.Sprintf("agents[%d].skills", i), a.Skills)
	}
	for i := range v.c.Queues {
		q := &v.c.Queues[i]
		path := fmt.Sprintf("queues[%d]", i)
		if !slices.Contains(Strategies(), q.Strategy) {
			v.found.add(path+".strategy", "choice", "%q is not one of %s", q.Strategy, strings.Join(Strategies(), ", "))
		}
		v.between(path+".priority", q.Priority, leastPrior, mostPrior)
		v.times(path+".distribution", &q.Distribution)
		v.levels(path+".distribution", q)
		v.needs(path+".distribution", q)
	}
}

func (v *validator) times(path string, d *Distribution) {
	v.duration(path+".target", d.Target, time.Second, time.Hour)
	v.between(path+".weight", d.Weight, 1, maxWeight)
	v.duration(path+".step", d.Step, time.Second, 10*time.Minute)
	v.duration(path+".present_within", d.PresentWithin, time.Second, time.Hour)
	v.duration(path+".sticky", d.Sticky, 0, longestStick)
	v.duration(path+".sticky_wait", d.StickyWait, 0, time.Hour)
	if d.StickyWait > 0 && d.Sticky == 0 {
		v.found.add(path+".sticky", "missing", "is missing: for how long the last agent is remembered")
	}
}

// skills checks levels of skills, had or asked for.
func (v *validator) skills(path string, skills map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(skills)) {
		at := path + "[" + name + "]"
		if name == "" || len(name) > 40 {
			v.found.add(at, "id", "%q: a skill has a name of at most 40 letters", name)
		}
		v.between(at, skills[name], 1, maxSkill)
	}
	if len(skills) > maxNeeds {
		v.found.add(path, "too_many", "more than %d skills", maxNeeds)
	}
}

func (v *validator) levels(path string, q *Queue) {
	d := &q.Distribution
	v.between(path+".levels_above", d.LevelsAbove, 0, 10000)
	for _, id := range slices.Sorted(maps.Keys(d.Grades)) {
		at := path + ".grades[" + string(id) + "]"
		if !slices.Contains(q.Agents, id) {
			v.found.add(at, "unknown", "%q is no agent of this queue", id)
		}
		v.between(at+".level", d.Grades[id].Level, 0, maxLevel)
		v.between(at+".weight", d.Grades[id].Weight, 1, maxWeight)
	}
	if len(d.Levels) > maxRules {
		v.found.add(path+".levels", "too_many", "more than %d rules", maxRules)
	}
	for i, r := range d.Levels {
		at := fmt.Sprintf("%s.levels[%d]", path, i)
		v.between(at+".from", r.From, 0, maxLevel)
		v.between(at+".up_to", r.UpTo, r.From, maxLevel)
		if r.After < 0 || i > 0 && r.After <= d.Levels[i-1].After {
			v.found.add(at+".after", "order", "%s does not come after the rule before", r.After)
		}
	}
}

// needs checks what callers ask for, and that somebody has it.
func (v *validator) needs(path string, q *Queue) {
	d := &q.Distribution
	v.skills(path+".needs", d.Needs)
	for _, lang := range slices.Sorted(maps.Keys(d.Languages)) {
		at := path + ".languages[" + lang + "]"
		if lang != "it" && lang != "en" {
			v.found.add(at, "choice", "%q is not a language of this box; use it or en", lang)
		}
		v.skills(at, d.Languages[lang])
		v.somebody(at, q, d.Needs, d.Languages[lang])
	}
	v.somebody(path+".needs", q, d.Needs)
	if len(d.Relax) > maxRules {
		v.found.add(path+".relax", "too_many", "more than %d rules", maxRules)
	}
	for i, r := range d.Relax {
		at := fmt.Sprintf("%s.relax[%d]", path, i)
		v.between(at+".level", r.Level, 0, maxSkill-1)
		if r.After < 0 || i > 0 && (r.After <= d.Relax[i-1].After || r.Level >= d.Relax[i-1].Level) {
			v.found.add(at, "order", "after %s at most %d does not ask for less than the rule before, later", r.After, r.Level)
		}
	}
}

// somebody demands an agent of the queue who has all of the skills, as far as they are asked for of who
// has waited longest: a caller whom nobody can ever serve would be turned away.
func (v *validator) somebody(path string, q *Queue, lists ...map[string]int) {
	most := maxSkill
	if n := len(q.Distribution.Relax); n > 0 {
		most = q.Distribution.Relax[n-1].Level
	}
	can := func(a Agent) bool {
		for _, list := range lists {
			for name, level := range list {
				if a.Skills[name] < min(level, most) {
					return false
				}
			}
		}
		return true
	}
	asked := 0
	for _, list := range lists {
		asked += len(list)
	}
	if asked > 0 && len(q.Agents) > 0 && !slices.ContainsFunc(v.c.Agents, func(a Agent) bool { return slices.Contains(q.Agents, a.ID) && can(a) }) {
		v.found.add(path, "nobody", "no agent of the queue has these skills")
	}
}
