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
	Sum   float64              `json:"sum"`
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
	leanOnAll  = 40.0  // predictions: weight of all regimes in one
	leanOnSim  = 30.0  // predictions: weight of the simulation's own quantiles in all regimes
	adaptStep  = 0.004 // of the levels, per miss
)

// raw is what the simulation said of one wait: quantiles in seconds.
type raw struct {
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

// scale maps seconds to the scale of the scores. Five seconds keep short waits from looming large.
func scale(x float64) float64 { return math.Log(x + 5) }

func unscale(x float64) float64 { return max(0, math.Exp(x)-5) }

const leastSpread = 0.05

// score is where the true wait y lay.
func (q raw) score(y float64) float64 {
	m := scale(q.Median)
	if d := scale(y) - m; d >= 0 {
		return d / max(scale(q.High)-m, leastSpread)
	} else {
		return d / max(m-scale(q.Low), leastSpread)
	}
}

// at is the wait at a score.
func (q raw) at(score float64) float64 {
	m := scale(q.Median)
	if score >= 0 {
		return unscale(m + score*max(scale(q.High)-m, leastSpread))
	}
	return unscale(m + score*max(m-scale(q.Low), leastSpread))
}

// correction is what calibration makes of one regime: the scores at which the interval's ends and
// its median lie.
type correction struct{ low, median, high float64 }

// correction of the regime; presumed is that of newPresumed.
func (c *calibration) correction(regime int, presumed *[scores]float64) correction {
	r := &c.Regimes[regime]
	return correction{
		low:    c.quantile(r, max(0.005, min(lowLevel+r.Low, 0.4)), presumed),
		median: c.quantile(r, 0.5, presumed),
		high:   c.quantile(r, max(0.6, min(highLevel+r.High, 0.995)), presumed),
	}
}

// apply returns the interval and the median after calibration.
func (k correction) apply(q raw) (low, median, high float64) {
	low, median, high = q.at(k.low), q.at(k.median), q.at(k.high)
	return min(low, median), median, max(high, median)
}

// learn takes note of the true wait y of a prediction, and of the interval that was given.
func (c *calibration) learn(q raw, low, high, y float64) {
	s := q.score(y)
	r := &c.Regimes[regimeOf(q.Median)]
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
	const z = 1.2815515655446004 // the 0.9 quantile of the normal distribution
	cdf := func(x float64) float64 { return 0.5 * math.Erfc(-x*z/math.Sqrt2) }
	var p [scores]float64
	for i := range p {
		x := float64(i)*scoreStep - scoreMax
		p[i] = cdf(x+scoreStep/2) - cdf(x-scoreStep/2)
	}
	return &p
}
