package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// team is an office of one queue with the agents a, b, c, d logged in a second apart.
func team(t *testing.T, s Strategy, d Distribution) *office {
	t.Helper()
	members := []tel.AgentID{"a", "b", "c", "d"}
	return staffed(t, []QueueSpec{{ID: "q", Strategy: s, Members: members, Distribution: d}}, members...)
}

// configure gives the office new queues and the same agents, with these skills.
func (o *office) configure(queues []QueueSpec, skills map[tel.AgentID]map[string]int) {
	o.t.Helper()
	var agents []AgentSpec
	for _, id := range slices.Sorted(maps.Keys(o.s.Agents)) {
		agents = append(agents, AgentSpec{ID: id, Skills: skills[id]})
	}
	for i := range queues {
		queues[i] = queues[i].Defaults()
	}
	for _, x := range o.do(Configure{queues, agents}) {
		if r, refused := x.(Refuse); refused {
			o.t.Fatal(r.Err)
		}
	}
}

// served lets callers come one after the other, each answered after a second and talked with for as
// long as said; it returns who served them.
func (o *office) served(talks ...time.Duration) string {
	o.t.Helper()
	var who []string
	for i, talk := range talks {
		o.call(tel.CallID(fmt.Sprintf("s%d-%d", i, o.s.Seq)), "q")
		of := o.one()
		o.wait(time.Second)
		o.tell(tel.OfferAnswered{Offer: of.Offer})
		o.wait(talk)
		o.tell(tel.TalkEnded{Offer: of.Offer})
		o.wait(time.Second)
		who = append(who, string(of.Agent))
	}
	return strings.Join(who, "")
}

func TestEachStrategyChoosesByItsOwnFigure(t *testing.T) {
	s := time.Second
	for name, c := range map[string]struct {
		strategy Strategy
		talks    []time.Duration
		want     string
	}{
		"longest idle goes round as calls end":              {LongestIdle, []time.Duration{s, s, s, s, s}, "abcda"},
		"round robin goes on after the last one rung":       {RoundRobin, []time.Duration{s, s, s, s, s}, "abcda"},
		"ordered always begins with the first":              {Ordered, []time.Duration{s, s, s}, "aaa"},
		"fewest calls evens out, ties by longest idle":      {FewestCalls, []time.Duration{s, 9 * s, s, s, s}, "abcda"},
		"least talk spares who had the long call":           {LeastTalk, []time.Duration{60 * s, s, s, s, s, s, s}, "abcdbcd"},
		"progressive ring begins with the longest idle":     {ProgressiveRing, []time.Duration{s, s}, "ab"},
		"of random only that somebody serves every one":     {Random, []time.Duration{s, s, s}, ""},
		"of weighted random that somebody serves every one": {WeightedRandom, []time.Duration{s, s, s}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := team(t, c.strategy, Distribution{})
			if got := o.served(c.talks...); c.want != "" && got != c.want || len(got) != len(c.talks) {
				t.Fatalf("served by %s, want %s", got, c.want)
			}
		})
	}
}

func TestFewestCallsAndLeastTalkBeginAnewAtMidnightOfTheSite(t *testing.T) {
	for _, strategy := range []Strategy{FewestCalls, LeastTalk} {
		o := team(t, strategy, Distribution{})
		o.do(SetZone{"Europe/Rome"})
		o.now = time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC) // 23:00 in Rome
		if got := o.served(time.Minute); got != "a" {
			t.Fatalf("%s: served by %s", strategy, got)
		}
		o.do(Logout{"b"})
		o.do(Logout{"c"})
		o.do(Logout{"d"})
		o.do(Login{"d"}) // now a has been idle longer than d
		if got := o.served(time.Second); got != "d" {
			t.Fatalf("%s: who worked today was chosen: %s", strategy, got)
		}
		o.now = time.Date(2026, 3, 2, 23, 1, 0, 0, time.UTC) // 00:01 in Rome
		o.do(Logout{"d"})
		o.wait(time.Second)
		o.do(Login{"d"})
		if got := o.served(time.Second); got != "a" {
			t.Fatalf("%s: yesterday's work counts, served by %s", strategy, got)
		}
	}
}

func TestTalkThatCrossesMidnightCountsOnlyFromMidnight(t *testing.T) {
	o := team(t, LeastTalk, Distribution{})
	o.do(SetZone{"Europe/Rome"})
	o.now = time.Date(2026, 3, 2, 22, 50, 0, 0, time.UTC)
	o.call("c", "q")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.wait(12 * time.Minute)
	o.tell(tel.TalkEnded{Offer: of.Offer})
	if got := o.s.Agents["a"].Work.talk(); got != 2*time.Minute {
		t.Fatalf("%v of talk today", got)
	}
}

func TestFewestCallsCountsTheCallsOfThatQueueAlone(t *testing.T) {
	o := staffed(t, []QueueSpec{
		{ID: "q", Strategy: FewestCalls, Members: []tel.AgentID{"a", "b"}},
		{ID: "other", Members: []tel.AgentID{"a"}},
	}, "a", "b")
	for range 3 {
		o.call("x", "other")
		of := o.one()
		o.tell(tel.OfferAnswered{Offer: of.Offer})
		o.tell(tel.TalkEnded{Offer: of.Offer})
	}
	if got := o.served(time.Second, time.Second); got != "ba" {
		t.Fatalf("served by %s: three calls of another queue count", got)
	}
}

func TestAProgressiveRingAddsAnAgentEachStepAndBeginsAnewWhenNobodyRings(t *testing.T) {
	o := team(t, ProgressiveRing, Distribution{Step: 7 * time.Second})
	o.s.Queues["q"].Spec.Ring = time.Minute
	rings := func() int {
		for _, id := range o.s.Entries["c"].Offers {
			o.tell(tel.OfferRinging{Offer: id})
		}
		return len(o.s.Entries["c"].Offers)
	}
	o.call("c", "q")
	for n := 1; n <= 4; n++ {
		if rings() != n {
			t.Fatalf("after %v %d ring, want %d", o.now.Sub(t0), rings(), n)
		}
		o.wait(7*time.Second - 1)
		if rings() != n {
			t.Fatalf("a moment before the step %d ring, want %d", rings(), n)
		}
		o.wait(1)
	}
	for _, id := range slices.Clone(o.s.Entries["c"].Offers) {
		o.tell(tel.OfferFailed{Offer: id, Cause: tel.CauseBusy})
	}
	o.wait(time.Second) // phones that were busy are tried again
	if rings() != 1 {
		t.Fatalf("%d ring at once in the second round", rings())
	}
}

func TestChanceIsSharedOutByWeight(t *testing.T) {
	const rounds = 40000
	for name, c := range map[string]struct {
		strategy Strategy
		weights  map[tel.AgentID]int
	}{
		"random":          {Random, map[tel.AgentID]int{"a": 1, "b": 1, "c": 1, "d": 1}},
		"weighted random": {WeightedRandom, map[tel.AgentID]int{"a": 1, "b": 2, "c": 3, "d": 4}},
	} {
		t.Run(name, func(t *testing.T) {
			d, sum := Distribution{Grades: map[tel.AgentID]Grade{}}, 0
			for a, w := range c.weights {
				d.Grades[a] = Grade{Weight: w}
				sum += w
			}
			o := team(t, c.strategy, d)
			o.do(Logout{"d"})
			o.do(Login{"d"})
			e := &Entry{Call: "c", Queue: "q", EnqueuedAt: o.now}
			g := o.s.gateOf(e, o.now)
			got := map[tel.AgentID]int{}
			for seed := range uint64(rounds) {
				st := &step{State: &o.s, now: o.now, seed: seed}
				got[st.best(&g, -1, func(*Agent) bool { return true }).Spec.ID]++
			}
			for a, w := range c.weights {
				share := float64(got[a]) / rounds
				if want := float64(w) / float64(sum); share < want-0.01 || share > want+0.01 {
					t.Errorf("%s had %.3f of the calls, want %.3f", a, share, want)
				}
			}
		})
	}
}

func TestLotsGrowSlowerTheHeavierTheyAre(t *testing.T) {
	last := ^uint64(0)
	for _, drawn := range []uint64{0, 1, 1 << 20, 1 << 62, 1<<63 - 1, 1 << 63, ^uint64(0) - 1, ^uint64(0)} {
		if got := lot(drawn, 1); got > last {
			t.Fatalf("lot of %x is %x, more than of a smaller number", drawn, got)
		} else {
			last = got
		}
	}
	if half := lot(1<<63, 1); half != 1<<48 { // -log2(1/2)
		t.Fatalf("lot of one half is %x", half)
	}
	if lot(1<<40, 4) != lot(1<<40, 1)/4 {
		t.Fatal("the weight does not divide")
	}
}

// mikopbx/Core#998, Wazo: a linear queue cannot be made one, or given another order, while it runs.
func TestMikopbx998StrategyAndOrderChangeWhileCallersWait(t *testing.T) {
	o := team(t, RingAll, Distribution{})
	for _, a := range []tel.AgentID{"a", "b", "c", "d"} {
		o.do(Pause{a, "meeting"})
	}
	o.call("c1", "q")
	o.call("c2", "q")
	o.configure([]QueueSpec{{ID: "q", Strategy: Ordered, Members: []tel.AgentID{"d", "b", "a"}}}, nil)
	o.s.Agents["a"].Paused, o.s.Agents["b"].Paused, o.s.Agents["c"].Paused, o.s.Agents["d"].Paused = false, false, false, false
	o.s.reindex()
	o.do(Tick{})
	got := decisions(o.out)
	if got["c1"] != "d" || got["c2"] != "b" || len(got) != 2 {
		t.Fatalf("offers %v, want d and b: the new order, without who left", got)
	}
}

// freeswitch#1216: with top-down distribution stopped when the last agent of the list was unavailable.
func TestFreeswitch1216DistributionGoesOnWhenTheLastAgentIsUnavailable(t *testing.T) {
	for _, s := range Strategies() {
		o := team(t, s, Distribution{})
		for round := range 3 {
			o.do(Logout{"d"})
			if round == 1 {
				o.do(Pause{"c", "break"})
			}
			o.call(tel.CallID(fmt.Sprint("c", round)), "q")
			if len(o.offers()) == 0 {
				t.Fatalf("%s: nobody rings although agents are free", s)
			}
			of := o.offers()[0]
			o.tell(tel.OfferAnswered{Offer: of.Offer})
			o.tell(tel.TalkEnded{Offer: of.Offer})
			o.wait(time.Minute)
		}
	}
}
