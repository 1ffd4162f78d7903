package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan/brute"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var languages = []string{"english", "german", "french"}

// someNeeds asks for none, one or two skills.
func someNeeds(r *rand.Rand) []tel.Need {
	var needs []tel.Need
	for _, skill := range languages {
		if r.IntN(5) == 0 {
			needs = append(needs, tel.Need{Skill: skill, Level: 1 + r.IntN(MaxSkill)})
		}
	}
	return needs
}

func someSkills(r *rand.Rand) map[string]int {
	skills := map[string]int{}
	for _, skill := range languages {
		if r.IntN(5) < 3 {
			skills[skill] = 1 + r.IntN(MaxSkill)
		}
	}
	return skills
}

// someDistribution is any way of giving callers to these members.
func someDistribution(r *rand.Rand, members []tel.AgentID) Distribution {
	d := Distribution{Target: time.Duration(1+r.IntN(4)) * 10 * time.Second, Weight: 1 + r.IntN(3), Step: time.Duration(1+r.IntN(8)) * time.Second}
	d.Grades = map[tel.AgentID]Grade{}
	tiers := r.IntN(3) == 0
	for _, m := range members {
		g := Grade{Weight: r.IntN(4)}
		if tiers {
			g.Level = r.IntN(4)
		}
		d.Grades[m] = g
	}
	after := time.Duration(r.IntN(10)) * time.Second
	for range r.IntN(4) {
		from := max(0, r.IntN(5)-2)
		d.Levels = append(d.Levels, LevelRule{After: after, From: from, UpTo: from + r.IntN(3)})
		after += time.Duration(1+r.IntN(20)) * time.Second
	}
	d.LevelsAbove, d.Soon = max(0, r.IntN(6)-3), time.Duration(1+r.IntN(15))*time.Second
	if r.IntN(3) == 0 {
		d.Needs = someNeeds(r)
	}
	after = time.Duration(r.IntN(10)) * time.Second
	for level := 3 + r.IntN(6); level > 0 && r.IntN(4) > 0; level -= 1 + r.IntN(4) {
		d.Relax = append(d.Relax, Relax{After: after, Level: level})
		after += time.Duration(1+r.IntN(20)) * time.Second
	}
	if r.IntN(2) == 0 {
		d.Relax = append(d.Relax, Relax{After: after})
	}
	d.BestSkilled = r.IntN(2) == 0
	if r.IntN(2) == 0 {
		d.Sticky, d.StickyWait = time.Hour, time.Duration(r.IntN(60))*time.Second
	}
	return d
}

// smallCase is a state in which several agents became free at once, as after a restart.
func smallCase(r *rand.Rand) State {
	s := NewState()
	var ids []tel.AgentID
	for i := range 1 + r.IntN(5) {
		id := tel.AgentID(fmt.Sprintf("a%d", i))
		ids = append(ids, id)
		a := &Agent{
			Spec: AgentSpec{ID: id, Skills: someSkills(r)}, LoggedIn: r.IntN(12) > 0, Reachable: r.IntN(12) > 0, Paused: r.IntN(16) == 0,
			IdleSince: t0.Add(time.Duration(r.IntN(3)) * time.Second),
			Work:      &Work{Queues: map[tel.QueueID]Tally{"q0": {Calls: r.IntN(3), Talk: time.Duration(r.IntN(3))}, "q1": {Calls: r.IntN(3), Talk: time.Duration(r.IntN(3))}}},
		}
		a.Work.Day = s.day(t0) - r.IntN(2) // yesterday's work counts for nothing
		if r.IntN(8) == 0 {
			a.WrapUntil = t0.Add(time.Duration(1+r.IntN(30)) * time.Second)
		}
		s.Agents[id] = a
	}
	for i := range 1 + r.IntN(3) {
		spec := QueueSpec{ID: tel.QueueID(fmt.Sprintf("q%d", i)), Strategy: Strategies()[r.IntN(len(Strategies()))]}.Defaults()
		for _, a := range r.Perm(len(ids))[:r.IntN(len(ids)+1)] {
			spec.Members = append(spec.Members, ids[a])
		}
		if r.IntN(2) == 0 {
			spec.Distribution = someDistribution(r, spec.Members).defaults()
		}
		q := &Queue{Spec: spec}
		if len(spec.Members) > 0 && r.IntN(2) == 0 {
			q.Last = spec.Members[r.IntN(len(spec.Members))]
		}
		s.Queues[spec.ID] = q
	}
	for i := range 1 + r.IntN(6) {
		joined := t0.Add(-time.Duration(r.IntN(40)) * time.Second)
		e := &Entry{
			Call: tel.CallID(fmt.Sprintf("c%d", i)), Queue: tel.QueueID(fmt.Sprintf("q%d", r.IntN(len(s.Queues)))), Priority: r.IntN(5) / 4,
			EnqueuedAt: joined, Arrived: joined,
		}
		if r.IntN(3) == 0 {
			e.Needs = someNeeds(r)
		}
		for _, a := range ids {
			if r.IntN(4) == 0 {
				e.refuse(a, Refusal{Times: 1, Until: t0.Add(time.Hour)})
			}
		}
		if r.IntN(3) == 0 {
			e.Sticky = ids[r.IntN(len(ids))]
		}
		s.Entries[e.Call] = e
	}
	s.reindex()
	return s
}

func TestMatchingEqualsBruteForceOnSmallCases(t *testing.T) {
	r := rand.New(rand.NewPCG(42, 42))
	contested, served := 0, map[Strategy]int{}
	for n := range 20000 {
		s, seed := smallCase(r), r.Uint64()
		b := seat(&s, t0, seed, func(*Entry) bool { return true })
		want, greedy := b.decided(), b.firstComeFirstServed()
		for call := range want {
			served[s.Queues[s.Entries[call].Queue].Spec.Strategy]++
		}
		before, _ := s.Snapshot()
		_, out := Next(s, Tick{}, t0, seed)
		if got := decisions(out); !maps.Equal(got, want) {
			t.Fatalf("case %d: planner %v, brute force %v, of\n%s", n, got, want, before)
		}
		if !maps.Equal(greedy, want) {
			contested++
		}
	}
	if contested < 600 {
		t.Fatalf("only %d cases needed more than first come first served: the comparison proves little", contested)
	}
	for _, s := range Strategies() {
		if served[s] < 500 {
			t.Fatalf("only %d callers were served by %s: the comparison proves little", served[s], s)
		}
	}
}

// firstComeFirstServed is what a simple queue would do.
func (b *bench) firstComeFirstServed() map[tel.CallID]tel.AgentID {
	order, given := b.Order(), []int{}
	got := map[tel.CallID]tel.AgentID{}
	for i, c := range order {
		pick := brute.None
		for _, a := range b.Prefers(order, i, given) {
			if !slices.Contains(given, a) {
				pick = a
				got[b.callers[c]] = b.agents[a]
				break
			}
		}
		given = append(given, pick)
	}
	return got
}
