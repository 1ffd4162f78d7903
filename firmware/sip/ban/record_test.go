package ban

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever a source does, in whatever order: it is banned exactly when the rules say so, counted
// here anew and in the plainest way, and for exactly the time of its step.
func TestAnySequenceOfOffencesBansExactlyWhenTheRulesSay(t *testing.T) {
	p := Policy{Tries: 4, Window: 5 * time.Minute, Names: 3}.withDefaults()
	for seed := range uint64(400) {
		dice := rand.New(rand.NewPCG(seed, 1))
		now := time.Unix(1_700_000_000, 0)
		var r record
		var guesses []time.Time
		asked := map[uint64]time.Time{}
		bans, until := 0, time.Time{}
		for step := range 400 {
			now = now.Add(time.Duration(dice.Int64N(int64([]time.Duration{time.Second, time.Minute, 4 * time.Hour}[dice.IntN(3)]))))
			e := event{offence: []Offence{Guess, Guess, Guess, Search, Search, Scanner}[dice.IntN(6)], name: dice.Uint64N(20), at: now}
			if e.offence == Scanner && dice.IntN(20) > 0 {
				e = event{proved: true, name: dice.Uint64N(20), at: now}
			}
			want := false
			if !until.After(now) {
				want = ruled(p, &guesses, asked, e)
			}
			before := r
			var began bool
			if r, began = next(r, e, p, p.Far); began != want {
				t.Fatalf("seed %d, step %d: %+v after %+v: began %v, want %v", seed, step, e, before, began, want)
			}
			if began {
				if !until.IsZero() && now.Sub(until) >= forgiven {
					bans = 0
				}
				until = now.Add(length(p.Far, bans))
				bans++
				guesses, asked = nil, map[uint64]time.Time{}
			}
			if !r.until.Equal(until) || r.bans != bans {
				t.Fatalf("seed %d, step %d: until %v, ban %d, want %v, %d", seed, step, r.until, r.bans, until, bans)
			}
			if len(r.guesses) >= p.Tries || len(r.asked) >= atOnce*p.Names {
				t.Fatalf("seed %d, step %d: the record grows: %+v", seed, step, r)
			}
		}
	}
}

// ruled counts one event of a source that is not banned and says whether a ban begins.
func ruled(p Policy, guesses *[]time.Time, asked map[uint64]time.Time, e event) bool {
	recent := func(t time.Time) bool { return e.at.Sub(t) < p.Window }
	if e.proved {
		delete(asked, e.name)
		return false
	}
	switch e.offence {
	case Guess:
		*guesses = append(*guesses, e.at)
		n := 0
		for _, g := range *guesses {
			if recent(g) {
				n++
			}
		}
		return n >= p.Tries
	case Search:
		for name, at := range asked {
			if !recent(at) {
				delete(asked, name)
			}
		}
		if _, known := asked[e.name]; !known {
			asked[e.name] = e.at
		}
		old := 0
		for _, at := range asked {
			if e.at.Sub(at) >= unanswered {
				old++
			}
		}
		return old >= p.Names || len(asked) >= atOnce*p.Names
	}
	return true // an attack program
}
