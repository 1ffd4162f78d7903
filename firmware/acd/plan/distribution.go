package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Strategy orders the agents who may take a caller.
type Strategy string

// The strategies. Ties are broken by longest idle, then by agent id.
const (
	LongestIdle     Strategy = "longest_idle"     // who has been idle longest
	RoundRobin      Strategy = "round_robin"      // the next in the queue's member order after the last one rung
	FewestCalls     Strategy = "fewest_calls"     // who has answered fewest callers of this queue today
	LeastTalk       Strategy = "least_talk"       // who has talked least with callers of all queues today
	Ordered         Strategy = "ordered"          // the first in the queue's member order
	RingAll         Strategy = "ring_all"         // everybody who is free and not needed by another caller
	ProgressiveRing Strategy = "progressive_ring" // as ring_all, but one agent first and one more each Step
	Random          Strategy = "random"           // anybody, each as likely
	WeightedRandom  Strategy = "weighted_random"  // anybody, as likely as the weight of the grade says
)

// Strategies lists every strategy.
func Strategies() []Strategy {
	return []Strategy{
		LongestIdle, RoundRobin, FewestCalls, LeastTalk, Ordered, RingAll, ProgressiveRing, Random, WeightedRandom,
	}
}

// rings says that several agents may ring for one caller.
func (s Strategy) rings() bool { return s == RingAll || s == ProgressiveRing }

// Distribution is the part of a queue's configuration that says who gets whom.
type Distribution struct {
	// Target is within how long a caller should have an agent; Weight, 1 to 100, makes the queue's
	// callers more urgent. Together they place callers of several queues in one order: see Entry.due.
	Target time.Duration `json:"target,omitempty"`
	Weight int           `json:"weight,omitempty"`

	Step time.Duration `json:"step,omitempty"` // progressive ring: from one more agent to the next

	// Grades say how members differ; who is not named has level 0 and weight 1.
	Grades map[tel.AgentID]Grade `json:"grades,omitempty"`
	// Levels open levels of members to a caller by the caller's wait, in order of After. Before the
	// first rule only level 0 is open; without rules every level is.
	Levels []LevelRule `json:"levels,omitempty"`
	// LevelsAbove is the most members who are present (see Soon) while levels are not looked at at all.
	LevelsAbove int `json:"levels_above,omitempty"`
	// Soon: a level counts as staffed when one of its members, with the skills that the caller needs,
	// could take a call within this time. If none of the open levels is, the next one that is opens
	// at once.
	Soon time.Duration `json:"soon,omitempty"`

	// Needs are skills that every caller of this queue asks for, beside those of the call itself.
	Needs []tel.Need `json:"needs,omitempty"`
	// Relax lowers what is asked for by the caller's wait, in order of After.
	Relax []Relax `json:"relax,omitempty"`
	// BestSkilled prefers who has more of the needed skills; the strategy only decides among equals.
	BestSkilled bool `json:"best_skilled,omitempty"`

	// Sticky is for how long it is remembered which agent served a caller, so that the caller is
	// given that agent again; 0 = not. StickyWait is how long the caller waits for that agent alone
	// when the agent is busy.
	Sticky     time.Duration `json:"sticky,omitempty"`
	StickyWait time.Duration `json:"sticky_wait,omitempty"`

	NoSkillTo string `json:"no_skill_to,omitempty"` // where a caller goes whom no member can ever serve
}

// Grade is how one member of a queue differs from the others.
type Grade struct {
	Level  int `json:"level,omitempty"`  // 0 to 99: lower levels come first
	Weight int `json:"weight,omitempty"` // 1 to 100, of weighted_random; 0 stands for 1
}

// LevelRule says which levels are open to a caller who has waited After or longer.
type LevelRule struct {
	After time.Duration `json:"after"`
	From  int           `json:"from,omitempty"` // the lowest level
	UpTo  int           `json:"up_to"`          // the highest level
}

// Relax says what is asked for at most of a caller who has waited After or longer: each needed
// skill at no more than Level. Level 0 asks for nothing.
type Relax struct {
	After time.Duration `json:"after"`
	Level int           `json:"level"`
}

// Limits of the distribution.
const (
	MaxSkill  = 10  // the best level of a skill
	MaxLevel  = 99  // the last level of members
	MaxWeight = 100 // of queues and of members
	MaxNeeds  = 16  // skills asked for by one call or one queue
	maxRules  = 20  // of one queue: Levels, and Relax

	defaultTarget = 20 * time.Second
	defaultStep   = 10 * time.Second
	defaultSoon   = 2 * time.Minute
)

// defaults fills what the configuration left at zero: target 20 s, weight 1, step 10 s, soon 2 min.
func (d Distribution) defaults() Distribution {
	if d.Target == 0 {
		d.Target = defaultTarget
	}
	if d.Weight == 0 {
		d.Weight = 1
	}
	if d.Step == 0 {
		d.Step = defaultStep
	}
	if d.Soon == 0 {
		d.Soon = defaultSoon
	}
	return d
}

// clone returns a copy that shares nothing.
func (d Distribution) clone() Distribution {
	grades := d.Grades
	if grades != nil {
		d.Grades = make(map[tel.AgentID]Grade, len(grades))
		for id, g := range grades {
			d.Grades[id] = g
		}
	}
	d.Levels, d.Needs, d.Relax = slices.Clone(d.Levels), slices.Clone(d.Needs), slices.Clone(d.Relax)
	return d
}

// validate reports the faults of the distribution of a queue with these members.
func (d Distribution) validate(at string, members map[tel.AgentID]bool, bad func(format string, args ...any)) {
	within := func(what string, v, low, high int) {
		if v < low || v > high {
			bad("%s: %s %d is not within %d and %d", at, what, v, low, high)
		}
	}
	span := func(what string, v, low, high time.Duration) {
		if v < low || v > high {
			bad("%s: %s %v is not within %v and %v", at, what, v, low, high)
		}
	}
	span("target", d.Target, time.Second, time.Hour)
	within("weight", d.Weight, 1, MaxWeight)
	span("step", d.Step, time.Second, 10*time.Minute)
	span("soon", d.Soon, time.Second, time.Hour)
	span("sticky", d.Sticky, 0, 400*24*time.Hour)
	span("sticky_wait", d.StickyWait, 0, time.Hour)
	within("levels_above", d.LevelsAbove, 0, 10000)
	for _, id := range sorted(d.Grades) {
		if !members[id] {
			bad("%s.grades: %q is no member", at, id)
		}
		within("level of "+string(id), d.Grades[id].Level, 0, MaxLevel)
		within("weight of "+string(id), d.Grades[id].Weight, 0, MaxWeight)
	}
	validateNeeds(at+".needs", d.Needs, bad)
	if len(d.Levels) > maxRules || len(d.Relax) > maxRules {
		bad("%s: more than %d rules", at, maxRules)
	}
	for i, r := range d.Levels {
		if r.From < 0 || r.UpTo > MaxLevel || r.From > r.UpTo {
			bad("%s.levels[%d]: levels %d to %d are not within 0 and %d", at, i, r.From, r.UpTo, MaxLevel)
		}
		if r.After < 0 || i > 0 && r.After <= d.Levels[i-1].After {
			bad("%s.levels[%d]: after %v does not follow the rule before", at, i, r.After)
		}
	}
	for i, r := range d.Relax {
		if r.Level < 0 || r.Level >= MaxSkill {
			bad("%s.relax[%d]: level %d is not within 0 and %d", at, i, r.Level, MaxSkill-1)
		}
		if r.After < 0 || i > 0 && (r.After <= d.Relax[i-1].After || r.Level >= d.Relax[i-1].Level) {
			bad("%s.relax[%d]: after %v and level %d do not follow the rule before", at, i, r.After, r.Level)
		}
	}
}

func validateNeeds(at string, needs []tel.Need, bad func(format string, args ...any)) {
	if len(needs) > MaxNeeds {
		bad("%s: more than %d skills", at, MaxNeeds)
	}
	for i, n := range needs {
		if n.Skill == "" || n.Level < 1 || n.Level > MaxSkill {
			bad("%s[%d]: %q at level %d; a level is within 1 and %d", at, i, n.Skill, n.Level, MaxSkill)
		}
		for _, m := range needs[:i] {
			if m.Skill == n.Skill {
				bad("%s[%d]: %q twice", at, i, n.Skill)
			}
		}
	}
}

func validateSkills(at string, skills map[string]int, bad func(format string, args ...any)) {
	for _, name := range sorted(skills) {
		if name == "" || skills[name] < 1 || skills[name] > MaxSkill {
			bad("%s.skills: %q at level %d; a level is within 1 and %d", at, name, skills[name], MaxSkill)
		}
	}
}
