package appliance

import (
	"cmp"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// person names somebody as pages show them.
func (f floor) person(id tel.AgentID) page.Person {
	return page.Person{ID: id, Name: cmp.Or(f.names[id], string(id))}
}

// verdict is an explanation of the queues as a sentence of the page.
func (f floor) verdict(x plan.Explanation) page.Verdict {
	v := page.Verdict{Person: f.person(x.Agent), Says: page.Said{Sentence: "why." + string(x.Verdict)}, Until: x.Until}
	switch x.Verdict {
	case plan.SkillTooLow:
		v.Says.Args = []any{x.Skill, x.Has, x.Asked}
	case plan.LevelClosed, plan.LevelPassed:
		v.Says.Args = []any{x.Level}
	case plan.WaitsOther:
		v.Says.Args = []any{f.person(tel.AgentID(x.Note)).Name}
	default:
		if !slices.Contains(plan.Verdicts(), x.Verdict) { // a state of agents
			v.Says.Sentence, v.Note = "state."+string(x.Verdict), x.Note
		}
	}
	return v
}

// offer is the last ring for a caller as the page tells it.
func (f floor) offer(e tel.QueueOffered, zone *time.Location) *page.Offer {
	o := &page.Offer{Agent: f.person(e.Agent).Name, At: e.At.In(zone), Why: page.Because(e.Why), More: e.Why.More}
	for _, p := range e.Why.Passed {
		o.Passed = append(o.Passed, f.verdict(plan.Explanation{
			Agent: p.Agent, Verdict: plan.Verdict(p.Verdict), Note: string(p.For), Skill: p.Skill, Has: p.Has, Asked: p.Asked, Level: p.Level,
		}))
	}
	return o
}
