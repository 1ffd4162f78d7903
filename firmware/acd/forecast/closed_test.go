package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// erlangC is the probability that a caller must wait in M/M/n with a erlangs of traffic (Erlang 1917).
func erlangC(n int, a float64) float64 {
	b := 1.0 // Erlang B, by its recursion
	for k := 1; k <= n; k++ {
		b = a * b / (float64(k) + a*b)
	}
	rho := a / float64(n)
	return b / (1 - rho*(1-b))
}

// exponential is a curve with a constant hazard.
func exponential(g *grid, mean float64) *curve {
	c := &curve{}
	for i := range c.hazard {
		c.hazard[i] = 1 / mean
	}
	c.integrate(g)
	return c
}

// textbook is M/M/n with n agents, or M/M/n+M when callers have patience, as a world of the engine.
func textbook(n int, rate, mean, patience float64) *world {
	g := newGrid()
	c := &calls{talk: exponential(g, mean), wrap: exponential(g, 1), ring: exponential(g, 1e-6), patience: exponential(g, patience)}
	w := &world{
		grid: g, classes: []class{{calls: c, rate: rate}},
		habits: &habits{calls: []*calls{c}, pause: exponential(g, 1), late: exponential(g, 1), elsewhere: exponential(g, 1)},
	}
	for range n {
		w.bots = append(w.bots, bot{state: tel.AgentReady, caller: -1, until: -1, speed: 1, calls: c, reason: c.wrap, serves: []int32{0}})
		w.opens = append(w.opens, []float64{0})
	}
	return w
}

func TestTheEngineAgreesWithErlangC(t *testing.T) {
	for _, c := range []struct {
		agents int
		load   float64 // per agent
	}{{1, 0.7}, {5, 0.8}, {20, 0.9}, {50, 0.95}} {
		t.Run(fmt.Sprintf("%d agents at %.0f %%", c.agents, 100*c.load), func(t *testing.T) {
			const mean, patient = 180.0, 1e9
			a := c.load * float64(c.agents)
			callers, within := 1.5e6, 0.05
			if testing.Short() {
				callers, within = 2e5, 0.2
			}
			end := callers * mean / a
			w := textbook(c.agents, a/mean, mean, patient)
			r := newRun(w, rand.New(rand.NewPCG(1, uint64(c.agents))), end)
			r.replicate(true)
			waits, delayed, n := 0.0, 0.0, 0.0
			for _, x := range r.line {
				if x.since < end/50 || x.served < 0 {
					continue // warming up, or cut off by the end
				}
				n++
				if d := x.served - x.since; d > 1e-3 { // more than the ring takes
					waits += d
					delayed++
				}
			}
			pw := erlangC(c.agents, a)
			want := pw * mean / (float64(c.agents) - a)
			if got := waits / n; math.Abs(got/want-1) > within {
				t.Errorf("mean wait %.2f s, Erlang C says %.2f", got, want)
			}
			if got := delayed / n; math.Abs(got/pw-1) > within {
				t.Errorf("%.4f of the callers waited, Erlang C says %.4f", got, pw)
			}
			t.Logf("%.0f callers: mean wait %.2f of %.2f s, delayed %.4f of %.4f", n, waits/n, want, delayed/n, pw)
		})
	}
}

// With patience the same engine must lose as many callers as M/M/n+M does (Palm 1957, "Erlang A").
func TestTheEngineAgreesWithErlangA(t *testing.T) {
	const n, mean, patience, load = 8, 180.0, 240.0, 1.1
	rate := load * n / mean
	end := 4e5 / rate
	w := textbook(n, rate, mean, patience)
	r := newRun(w, rand.New(rand.NewPCG(2, 1)), end)
	r.replicate(true)
	lost, all := 0.0, 0.0
	for _, x := range r.line {
		if x.since < end/50 || x.served < 0 {
			continue
		}
		all++
		if x.giveUp <= x.served {
			lost++
		}
	}
	// Stationary distribution of the birth-death process, by its ratios.
	p, sum, mass := 1.0, 1.0, 0.0
	for k := 1; k < 2000; k++ {
		leave := float64(min(k, n)) / mean
		if k > n {
			leave += float64(k-n) / patience
		}
		p *= rate / leave
		sum += p
		if k > n {
			mass += p * float64(k-n)
		}
	}
	want := mass / sum / patience / rate
	if got := lost / all; math.Abs(got/want-1) > 0.03 {
		t.Errorf("%.4f of the callers hung up, Erlang A says %.4f", got, want)
	}
}
