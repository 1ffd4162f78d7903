package plan

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Verdict says in one word of a closed list why a member does or does not ring for a caller.
type Verdict string

// Verdicts lists those that are no names of agent states.
func Verdicts() []Verdict {
	return []Verdict{Eligible, TookCall, SparedNow, Resting, Settles, SkillTooLow, LevelClosed, LevelPassed, WaitsOther, GoingHome, OutOfIt}
}

// The verdicts on a member; the others are the names of agent states.
const (
	Eligible    Verdict = "eligible"
	TookCall    Verdict = "rings_for_this_caller"
	SparedNow   Verdict = "refused_this_caller"  // until the back-off ends
	Resting     Verdict = "phone_failed"         // short rest after a failed offer
	Settles     Verdict = "ring_ends"            // a phone may still ring for an offer that was withdrawn
	SkillTooLow Verdict = "skill_too_low"        // until less is asked for, if ever
	LevelClosed Verdict = "level_not_open"       // until it opens by time, if ever
	LevelPassed Verdict = "level_passed"         // only higher levels are open by now
	WaitsOther  Verdict = "waits_for_last_agent" // the caller waits for who served it last, until
	GoingHome   Verdict = "shift_over"           // the shift ended, the work in hand goes on
	OutOfIt     Verdict = "out_of_queue"         // a member who does not serve this queue now
)

// Explanation is the verdict on one member of the caller's queue.
type Explanation struct {
	Agent   tel.AgentID
	Verdict Verdict
	Until   time.Time // when time alone changes the verdict; zero: it does not
	Note    string    // in a few words: the skill, the level, the reason of a pause, the agent waited for
	Skill   string    `json:",omitempty"` // of SkillTooLow: the first of which there is too little
	Has     int       `json:",omitempty"` // level of it
	Asked   int       `json:",omitempty"` // level of it
	Level   int       `json:",omitempty"` // the agent's, of LevelClosed and LevelPassed
}

// String is the explanation for a log or a console.
func (x Explanation) String() string {
	text := string(x.Agent) + " " + string(x.Verdict)
	if x.Note != "" {
		text += " (" + x.Note + ")"
	}
	return text
}

// Explain tells for every member of the caller's queue why it does or does not ring for that
// caller at now. It is nil for a call that does not wait.
func (s *State) Explain(call tel.CallID, now time.Time) []Explanation {
	e := s.Entries[call]
	if e == nil || s.Queues[e.Queue] == nil {
		return nil
	}
	var list []Explanation
	g := s.gateOf(e, now)
	for _, id := range g.q.Spec.Members {
		a := s.Agents[id]
		if a == nil {
			continue // a restored state before its configuration came
		}
		x := Explanation{Agent: id}
		switch o := s.Offers[a.Offer]; {
		case o != nil && o.Call == call:
			x.Verdict = TookCall
		case a.busy() != "":
			x.Verdict = a.busy()
			switch a.State() {
			case tel.AgentWrapUp:
				x.Until = a.WrapUntil
			case tel.AgentPaused:
				x.Note = a.Reason
			default:
			}
		case !a.RestUntil.IsZero():
			x.Verdict, x.Until = Resting, a.RestUntil
		case a.Settling != "":
			x.Verdict, x.Until = Settles, a.SettleBy
		default:
			x = g.explain(a)
		}
		list = append(list, x)
	}
	for _, id := range sorted(s.Queues[e.Queue].Out) {
		list = append(list, Explanation{Agent: id, Verdict: OutOfIt})
	}
	return list
}

// explain is the verdict on a member who is free.
func (g *gate) explain(a *Agent) Explanation {
	x := Explanation{Agent: a.Spec.ID, Verdict: Eligible}
	level := g.q.level(a)
	switch {
	case g.admits(a):
	case !a.has(g.e.needs, g.kin.most):
		x.Verdict = SkillTooLow
		x.Skill, x.Has, x.Asked, x.Until = g.lacks(a)
		x.Note = fmt.Sprintf("%s %d of %d", x.Skill, x.Has, x.Asked)
	case g.q.tiered && !g.levels.holds(level):
		x.Verdict, x.Level, x.Note = LevelClosed, level, fmt.Sprintf("level %d", level)
		if level < g.levels.from {
			x.Verdict = LevelPassed
		}
		for _, r := range g.q.Spec.Levels {
			if g.e.wait(g.now) < r.After && level >= r.From && level <= r.UpTo {
				x.Until = g.e.EnqueuedAt.Add(r.After)
				break
			}
		}
	case g.e.spared(a.Spec.ID, g.now):
		x.Verdict, x.Until = SparedNow, g.e.Refused[a.Spec.ID].Until
	default:
		x.Verdict, x.Until, x.Note = WaitsOther, g.q.holdEnds(g.e), string(g.e.Sticky)
	}
	return x
}

// lacks names the first skill that the agent has too little of, and finds when that ceases to matter.
func (g *gate) lacks(a *Agent) (skill string, has, asked int, until time.Time) {
	for _, n := range g.e.needs {
		skill, has, asked = n.Skill, a.Spec.Skills[n.Skill], min(n.Level, g.kin.most)
		if has < asked {
			break
		}
	}
	for _, r := range g.q.Spec.Relax {
		if g.e.wait(g.now) < r.After && a.has(g.e.needs, r.Level) {
			return skill, has, asked, g.e.EnqueuedAt.Add(r.After)
		}
	}
	return skill, has, asked, time.Time{}
}

// maxNamed bounds the agents who are named in one reason.
const maxNamed = 5

// why says why this agent was chosen and which free members were passed over; it is called before the
// agent is taken.
func (s *step) why(g *gate, a *Agent) tel.OfferReason {
	q := g.q
	r := s.merit(g, a)
	for _, b := range q.free {
		if g.admits(b) {
			r.Free++
		} else if len(r.Passed) < maxNamed {
			r.Passed = append(r.Passed, g.explain(b).passedOver())
		} else {
			r.More = true
		}
	}
	if q.tiered && !g.levels.ignored {
		r.Levels, r.Level = true, q.level(a)
	}
	return r
}

// passedOver is the explanation as an offer to somebody else names it.
func (x Explanation) passedOver() tel.PassedOver {
	p := tel.PassedOver{Agent: x.Agent, Verdict: string(x.Verdict), Skill: x.Skill, Has: x.Has, Asked: x.Asked, Level: x.Level}
	if x.Verdict == WaitsOther {
		p.For = tel.AgentID(x.Note)
	}
	return p
}

// merit says what the agent was chosen for.
func (s *step) merit(g *gate, a *Agent) tel.OfferReason {
	if a == g.last {
		return tel.OfferReason{Merit: tel.MeritServedLast}
	}
	r := tel.OfferReason{Merit: tel.MeritLongestIdle, BestSkilled: g.q.Spec.BestSkilled && g.kin.needs != 0}
	switch g.q.Spec.Strategy {
	case RoundRobin:
		r.Merit = tel.MeritNextInTurn
	case RingAll, ProgressiveRing:
		r.Merit = tel.MeritFirstToRing
	case FewestCalls:
		r.Merit, r.Value = tel.MeritFewestCalls, s.today(a).of(g.q.Spec.ID).Calls
	case LeastTalk:
		r.Merit, r.Value = tel.MeritLeastTalk, int(s.today(a).talk().Round(time.Second)/time.Second)
	case Ordered:
		r.Merit = tel.MeritOrder
	case Random:
		r.Merit = tel.MeritLot
	case WeightedRandom:
		r.Merit, r.Value = tel.MeritWeightedLot, max(1, g.q.grade[g.q.pos[a.Spec.ID]].Weight)
	case LongestIdle:
	}
	return r
}
