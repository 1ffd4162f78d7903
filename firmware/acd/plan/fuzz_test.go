package plan

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan/brute"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// FuzzDistribution gives the planner any rules that it accepts, from their JSON, and lets three callers and
// three agents live by them: whatever the rules, the solver agrees, nobody idles beside a caller who
// may have that agent, and a caller whom somebody can ever serve is served in the end.
func FuzzDistribution(f *testing.F) {
	for _, rules := range []string{
		`{}`,
		`{"target":5000000000,"weight":7,"grades":{"b":{"level":2},"c":{"level":1,"weight":9}},"levels":[{"after":3000000000,"up_to":1}],"levels_above":1}`,
		`{"needs":[{"skill":"x","level":4}],"relax":[{"after":2000000000,"level":2},{"after":9000000000,"level":0}],"best_skilled":true}`,
		`{"sticky":3600000000000,"sticky_wait":20000000000,"levels":[{"after":0,"from":3,"up_to":5},{"after":1000000000,"up_to":0}],"soon":1000000000}`,
	} {
		for i := range Strategies() {
			f.Add([]byte(rules), uint8(i), uint8(7), uint8(1))
		}
	}
	f.Fuzz(func(t *testing.T, rules []byte, strategy, skill, need uint8) {
		spec := QueueSpec{ID: "q", Strategy: Strategies()[int(strategy)%len(Strategies())], Members: []tel.AgentID{"a", "b", "c"}}
		if json.Unmarshal(rules, &spec.Distribution) != nil {
			return
		}
		spec = spec.Defaults()
		agents := []AgentSpec{{ID: "a"}, {ID: "b", Skills: map[string]int{"x": int(skill)}}, {ID: "c", Skills: map[string]int{"x": 3, "y": 3}}}
		if Validate([]QueueSpec{spec}, agents) != nil {
			return
		}
		w := newWorld(t, 1)
		w.do(Configure{[]QueueSpec{spec}, agents})
		for _, id := range []tel.AgentID{"a", "b", "c"} {
			w.do(Told{tel.AgentReachable{Agent: id, Reachable: true}})
			w.do(Login{id})
		}
		for i, call := range []tel.CallID{"c1", "c2", "c3"} {
			w.do(Told{tel.Enqueue{Call: call, Queue: "q", Caller: "+39021", Needs: []tel.Need{{Skill: "x", Level: int(need) * i}}, EnqueuedAt: w.now.Add(-time.Duration(need) * time.Second)}})
		}
		for range 40 {
			for _, id := range sorted(w.s.Offers) {
				if o := w.s.Offers[id]; o != nil && o.Phase == Talking {
					w.do(Told{tel.TalkEnded{Offer: id}})
				} else if o != nil {
					w.do(Told{tel.OfferAnswered{Offer: id}})
				}
			}
			w.advance(97 * time.Minute)
		}
		b := seat(&w.s, w.now, 0, func(*Entry) bool { return true })
		for c := range b.Callers {
			for a := range b.Agents {
				b.Agents[a].Free = true
			}
			if b.Solve([]int{c})[0] != brute.None {
				t.Fatalf("%s was never served", b.callers[c])
			}
		}
	})
}
