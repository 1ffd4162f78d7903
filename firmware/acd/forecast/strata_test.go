package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// In one set of replications each draw comes once from each part of the distribution, whatever the others do.
func TestEachPartOfADistributionIsDrawnOnce(t *testing.T) {
	const draws, times = 7, 100
	rng := rand.New(rand.NewPCG(1, 2))
	var s strata
	s.shuffle(draws, times, rng)
	orders := map[uint16]bool{}
	for d := range draws {
		var drawn [times]float64
		for s.round = range times {
			drawn[s.round] = s.exp(d, rng)
		}
		orders[s.order[d*times]<<8|s.order[d*times+1]] = true
		slices.Sort(drawn[:])
		for k, x := range drawn {
			if p := -math.Expm1(-x); p < float64(k)/times || p > float64(k+1)/times {
				t.Fatalf("draw %d: %f is not from part %d", d, p, k)
			}
		}
	}
	if len(orders) < draws-1 {
		t.Error("the draws follow each other in one order")
	}
}
