package forecast

import "math"

// The interval spans eight of ten waits: one of ten is shorter, one of ten longer.
const (
	lowLevel  = 0.1
	highLevel = 0.9
)

// regimes are ranges of the predicted median; each has its own errors. Upper ends in seconds.
var regimes = [...]float64{20, 45, 90, 180, 360, 720, math.Inf(1)}

func regimeOf(median float64) int {
	for i, end := range regimes {
		if median < end {
			return i
		}
	}
	return len(regimes) - 1
}

// Scores are kept as counts in steps; what lies outside counts at the ends.
const (
	scoreMax  = 8.0
	scoreStep = 0.05
	scores    = 321 // 2*scoreMax/scoreStep + 1
)

// residuals are the scores of past predictions, the newest counting most. A score is where the true
// wait lay in the interval that the simulation gave: -1 at its lower end, 0 at its median, 1 at its
// upper end, measured in logarithms.
type residuals struct {
	Count [scores]float64 `json:"count"`
	Sum   float64         `json:"sum"`
}

func (r *residuals) add(score, keep float64) {
	for i := range r.Count {
		r.Count[i] *= keep
	}
	i := int(math.Round((max(-scoreMax, min(score, scoreMax)) + scoreMax) / scoreStep))
	r.Count[i]++
	r.Sum = r.Sum*keep + 1
}

// regime is what calibration knows of one range of waits.
type regime struct {
	Residuals residuals `json:"residuals"`
	// Low and High correct the levels (adaptive conformal inference): each miss moves them.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// calibration corrects the simulation's quantiles by how far off they were.
type calibration struct {
	All     residuals            `json:"all"`
	Regimes [len(regimes)]regime `json:"regimes"`
}

const (
	allKeep    = 0.9995
	regimeKeep = 0.998
	leanOnAll  = 40.0 // predictions: weight of all regimes in one
	leanOnSim  = 30.0 // predictions: weight of the simulation's own quantiles in all regimes
	// leanOnMedian is the weight of the simulation's own median. It is rarely off, and correcting it
	// by what few waits showed costs more than it gains.
	leanOnMedian = 1000.0
	adaptStep    = 0.004 // of the levels, per miss
)

// A raw forecast is kept as quantiles at equally spaced scores: 0 is the median, 1 the 0.9 quantile,
// others as in a normal distribution.
const (
	rawMax    = 2.0 // the 0.995 quantile
	rawStep   = 0.25
	rawMiddle = 8
	rawPoints = 2*rawMiddle + 1
	leastStep = 0.01 // between two quantiles, so that each wait has one score
)

// raw is what the simulation said of one wait: quantiles on the scale of logarithms.
type raw [rawPoints]float64

// scale maps seconds to the scale of the quantiles. Five seconds keep short waits from looming large.
func scale(x float64) float64 { return math.Log(x + 5) }

func unscale(x float64) float64 { return max(0, math.Exp(x)-5) }

// median in seconds.
func (q *raw) median() float64 { return unscale(q[rawMiddle]) }

// newRaw takes the quantiles of sorted waits, in seconds.
func newRaw(waits []float64, levels *[rawPoints]float64) raw {
	var q raw
	for i, level := range levels {
		p := level*float64(len(waits)) - 0.5
		k := max(0, min(int(p), len(waits)-2))
		f := max(0, min(p-float64(k), 1))
		q[i] = scale(waits[k] + f*(waits[k+1]-waits[k]))
	}
	for i := rawMiddle + 1; i < rawPoints; i++ {
		q[i] = max(q[i], q[i-1]+leastStep)
	}
	for i := rawMiddle - 1; i >= 0; i-- {
		q[i] = min(q[i], q[i+1]-leastStep)
	}
	return q
}

// score is where the true wait of y seconds lay. Outside of the quantiles the scale goes on as it was
// over the outer half of its side.
func (q *raw) score(y float64) float64 {
	x := scale(y)
	switch {
	case x >= q[rawPoints-1]:
		return rawMax + (x-q[rawPoints-1])/q.above()
	case x <= q[0]:
		return -rawMax - (q[0]-x)/q.below()
	}
	i := 0
	for x > q[i+1] {
		i++
	}
	return (float64(i-rawMiddle) + (x-q[i])/(q[i+1]-q[i])) * rawStep
}

// at is the wait at a score, in seconds.
func (q *raw) at(score float64) float64 {
	switch {
	case score >= rawMax:
		return unscale(q[rawPoints-1] + (score-rawMax)*q.above())
	case score <= -rawMax:
		return unscale(q[0] + (score+rawMax)*q.below())
	}
	p := score/rawStep + rawMiddle
	i := min(int(p), rawPoints-2)
	return unscale(q[i] + (p-float64(i))*(q[i+1]-q[i]))
}

// above and below are how far one unit of score goes at the ends.
func (q *raw) above() float64 {
	return max(0.1, (q[rawPoints-1]-q[rawMiddle+4])/(rawMax-4*rawStep))
}

func (q *raw) below() float64 { return max(0.1, (q[rawMiddle-4]-q[0])/(rawMax-4*rawStep)) }

// correction is what calibration makes of one regime: the scores at which the interval's ends and
// its median lie.
type correction struct{ low, median, high float64 }

// correction of the regime; presumed is that of newPresumed.
func (c *calibration) correction(regime int, presumed *[scores]float64) correction {
	r := &c.Regimes[regime]
	return correction{
		low:    c.quantile(r, max(0.005, min(lowLevel+r.Low, 0.4)), presumed),
		median: c.quantile(r, 0.5, presumed) * r.Residuals.Sum / (r.Residuals.Sum + leanOnMedian),
		high:   c.quantile(r, max(0.6, min(highLevel+r.High, 0.995)), presumed),
	}
}

// apply returns the interval and the median after calibration.
func (k correction) apply(q *raw) (low, median, high float64) {
	low, median, high = q.at(k.low), q.at(k.median), q.at(k.high)
	return min(low, median), median, max(high, median)
}

// learn takes note of the true wait y of a prediction, and of the interval that was given.
func (c *calibration) learn(q *raw, low, high, y float64) {
	s := q.score(y)
	r := &c.Regimes[regimeOf(q.median())]
	c.All.add(s, allKeep)
	r.Residuals.add(s, regimeKeep)
	r.Low = max(-0.095, min(r.Low-adaptStep*(one(y < low)-lowLevel), 0.3))
	r.High = max(-0.3, min(r.High+adaptStep*(one(y > high)-(1-highLevel)), 0.095))
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// quantile of the scores in a regime.
func (c *calibration) quantile(r *regime, level float64, presumed *[scores]float64) float64 {
	wAll := leanOnAll / (c.All.Sum + leanOnSim)
	total := level * (r.Residuals.Sum + leanOnAll)
	sum := 0.0
	for i := range c.All.Count {
		n := r.Residuals.Count[i] + wAll*(c.All.Count[i]+leanOnSim*presumed[i])
		if sum+n >= total && n > 0 {
			return float64(i)*scoreStep - scoreMax + ((total-sum)/n-0.5)*scoreStep
		}
		sum += n
	}
	return scoreMax
}

// newPresumed is the share of each score if the simulation were right and the scores normal.
func newPresumed() *[scores]float64 {
	var p [scores]float64
	for i := range p {
		x := float64(i)*scoreStep - scoreMax
		p[i] = levelOf(x+scoreStep/2) - levelOf(x-scoreStep/2)
	}
	return &p
}

// levelOf is the share of waits below a score.
func levelOf(score float64) float64 {
	const z = 1.2815515655446004 // the 0.9 quantile of the normal distribution
	return 0.5 * math.Erfc(-score*z/math.Sqrt2)
}

func newLevels() *[rawPoints]float64 {
	var l [rawPoints]float64
	for i := range l {
		l[i] = levelOf(float64(i-rawMiddle) * rawStep)
	}
	return &l
}
