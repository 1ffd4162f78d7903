package forecast

import (
	"math"
	"math/rand/v2"
)

// Durations are kept in bins that widen by a factor of 2^(1/3): the first is [0, 1 s), the last ends
// after four and a half hours. What lasts longer counts there.
const (
	bins      = 43
	perOctave = 3

	thirdOfOctave     = 1.2599210498948732 // 2^(1/3)
	twoThirdsOfOctave = 1.5874010519681996
)

// lifetable is what is known of one kind of duration (talk, wrap-up, patience, a break): for each
// bin, how many ended in it and how long all together stood the risk of ending in it. An interval
// that was cut off (a caller who was answered did not run out of patience) adds risk and no end, so
// it never biases the rest: the actuarial estimator of a hazard (Kaplan and Meier 1958, in bins).
// Old observations fade, so the table follows an office that changes.
type lifetable struct {
	Ends [bins]float64 `json:"ends"`
	Risk [bins]float64 `json:"risk"` // seconds
	N    float64       `json:"n"`    // ends, faded
	Log  float64       `json:"log"`  // sum of the logarithms of whole durations, faded
}

// edge is the lower end of a bin in seconds.
func edge(i int) float64 {
	if i <= 0 {
		return 0
	}
	return math.Exp2(float64(i-1) / perOctave)
}

// bin is the bin that holds x seconds. It reads the octave from the exponent: a logarithm would be a
// tenth of a forecast's cost.
func bin(x float64) int {
	if !(x >= 1) {
		return 0
	}
	b := math.Float64bits(x)
	i := 1 + perOctave*int(b>>52-1023)
	switch f := math.Float64frombits(b&(1<<52-1) | 1023<<52); {
	case f >= twoThirdsOfOctave:
		i += 2
	case f >= thirdOfOctave:
		i++
	}
	return min(i, bins-1)
}

// add learns one duration of x seconds; ended is false when it was cut off. keep is the weight that
// older observations retain.
func (t *lifetable) add(x float64, ended bool, keep float64) {
	if !(x >= 0) {
		return // a clock that went back
	}
	x = min(x, edge(bins))
	last := bin(x)
	for i := range t.Risk {
		t.Ends[i] *= keep
		t.Risk[i] *= keep
		if i < last {
			t.Risk[i] += edge(i+1) - edge(i)
		}
	}
	t.N *= keep
	t.Log *= keep
	t.Risk[last] += x - edge(last)
	if ended {
		t.Ends[last]++
		t.N++
		t.Log += math.Log(max(x, 1))
	}
}

// meanLog is the mean logarithm of the durations, with one observation of a minute as a beginning.
func (t *lifetable) meanLog() float64 { return (t.Log + math.Log(60)) / (t.N + 1) }

// with returns the table filled up to n ends with what other knows.
func (t *lifetable) with(other *lifetable, n float64) lifetable {
	m := *t
	if m.N >= n || other.N <= 0 {
		return m
	}
	w := min(1, (n-m.N)/other.N)
	for i := range m.Ends {
		m.Ends[i] += w * other.Ends[i]
		m.Risk[i] += w * other.Risk[i]
	}
	m.N += w * other.N
	m.Log += w * other.Log
	return m
}

// curve is a lifetable made ready for drawing: the hazard is constant within a bin.
type curve struct {
	hazard [bins]float64     // per second
	cum    [bins + 1]float64 // integrated to the lower end of each bin
}

// Smoothing of a curve: hazards in logarithmic time vary slowly, so thin bins lean on their
// neighbours and the tail, where nothing was seen, continues what came before it.
const (
	smoothWidth = 2.0 // bins
	leanEnds    = 2.0 // weight of the neighbours, in ends
	leanAll     = 0.3 // weight of the whole table, in ends
)

// curve prepares the table; mean is what to believe of an empty one, in seconds.
func (t *lifetable) curve(g *grid, mean float64) *curve {
	var risk [bins]float64 // in logarithmic time
	ends, all := 1.0, 0.0
	for i := range risk {
		risk[i] = t.Risk[i] / g.middle[i]
		ends += t.Ends[i]
		all += risk[i] + math.Exp(-g.middle[i]/mean)*(g.edge[i+1]-g.edge[i])/g.middle[i]
	}
	c := &curve{}
	for i := range c.hazard {
		e, r := leanAll*ends/all, leanAll
		for j := max(0, i-reach); j <= min(bins-1, i+reach); j++ {
			k := g.near[max(i-j, j-i)]
			e += k * t.Ends[j]
			r += k * risk[j]
		}
		prior := e / r / g.middle[i]
		c.hazard[i] = max((t.Ends[i]+leanEnds)/(t.Risk[i]+leanEnds/max(prior, 1e-9)), 1e-7)
	}
	c.integrate(g)
	return c
}

func (c *curve) integrate(g *grid) {
	for i, h := range c.hazard {
		c.cum[i+1] = c.cum[i] + h*(g.edge[i+1]-g.edge[i])
	}
}

const reach = 6 // bins that smoothing looks at on each side

// grid holds what the loops would otherwise compute again and again.
type grid struct {
	edge   [bins + 1]float64 // lower ends of the bins
	middle [bins]float64
	near   [reach + 1]float64 // weight of a neighbour in smoothing
}

func newGrid() *grid {
	g := &grid{}
	for i := range g.edge {
		g.edge[i] = edge(i)
	}
	for i := range g.middle {
		g.middle[i] = (g.edge[i] + g.edge[i+1]) / 2
	}
	for i := range g.near {
		d := float64(i) / smoothWidth
		g.near[i] = math.Exp(-d * d / 2)
	}
	return g
}

// draw draws a whole duration in seconds.
func (c *curve) draw(g *grid, rng *rand.Rand) float64 { return c.at(g, rng.ExpFloat64()) }

// rest draws what remains of a duration that has lasted for x seconds.
func (c *curve) rest(g *grid, x float64, rng *rand.Rand) float64 {
	return c.restAt(g, x, rng.ExpFloat64())
}

// restAt is what remains when the integrated hazard has grown by h.
func (c *curve) restAt(g *grid, x, h float64) float64 {
	i := bin(x)
	return max(0, c.at(g, c.cum[i]+(x-g.edge[i])*c.hazard[i]+h)-x)
}

// at is the duration at which the integrated hazard reaches h.
func (c *curve) at(g *grid, h float64) float64 {
	lo, hi := 0, bins-1
	for lo < hi {
		m := int(uint(lo+hi+1) >> 1)
		if c.cum[m] <= h {
			lo = m
		} else {
			hi = m - 1
		}
	}
	return g.edge[lo] + (h-c.cum[lo])/c.hazard[lo]
}
