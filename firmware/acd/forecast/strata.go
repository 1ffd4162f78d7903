package forecast

import (
	"math"
	"math/rand/v2"
)

// strata spread the draws that every replication makes: what remains of each agent's work and of each
// caller's patience. In a hundred replications each is drawn once from every hundredth part of its
// distribution, in an order of its own (Latin hypercube: McKay, Beckman and Conover 1979). So the medians
// scatter as those of half as many more replications would, at a tenth more of the time.
type strata struct {
	order []uint16 // [draw][replication]: the part of the distribution
	times int      // replications; 0: draws are not spread
	round int      // the replication that runs
}

// shuffle gives each of the draws a new order for times replications.
func (s *strata) shuffle(draws, times int, rng *rand.Rand) {
	s.times, s.round = times, 0
	s.order = make([]uint16, draws*times)
	for at := 0; at < len(s.order); at += times {
		p := s.order[at : at+times]
		for i := range p {
			j := rng.IntN(i + 1)
			p[i] = p[j]
			p[j] = uint16(i)
		}
	}
}

// exp draws number draw of this replication from the exponential distribution with mean 1.
func (s *strata) exp(draw int, rng *rand.Rand) float64 {
	if s.times == 0 {
		return rng.ExpFloat64()
	}
	return -math.Log1p(-(float64(s.order[draw*s.times+s.round]) + rng.Float64()) / float64(s.times))
}
