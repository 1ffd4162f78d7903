package forecast_test

import (
	"math"
"fmt"
"github.com/pronto-pbx/pronto/firmware/tel"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
)

// prediction is one forecast with what became of it, in seconds.
type prediction struct {
	low, median, high float64
	reference         float64 // what the exponential average would have announced
	ref2              float64
	atJoin            bool
	trade             int
	made              float64
	c                 *caller
ahead, free, paused, out int
	wait              float64
	dayLow, dayHigh   float64 // the day's own quantiles
	ended             bool
}

// judge collects predictions and their truth.
type judge struct {
	average []float64 // by trade
	today   []*prediction
	all     []*prediction
	unknown int
	asked   int
	never   int
}

const announceEvery = 60

// ask makes forecasts for those who have just joined or have heard none for a minute.
func (j *judge) ask(d *day) {
	due := slices.ContainsFunc(d.line, func(c *caller) bool { return j.due(d, c) })
	if !due {
		return
	}
	p := d.picture()
	j.asked++
	said := d.learner.Forecast(p)
	by := map[string]forecast.Forecast{}
	for _, f := range said {
		by[string(f.Call)] = f
	}
	for _, c := range d.line {
		if !j.due(d, c) {
			continue
		}
		f := by[string(c.id)]
		join := len(c.notes) == 0
		c.noted = d.now
		if !f.Known {
			j.unknown++
			continue
		}
		for len(j.average) < len(d.trades) {
			j.average = append(j.average, 0)
		}
		n := &prediction{
			low: f.Low.Seconds(), median: f.Median.Seconds(), high: f.High.Seconds(), atJoin: join, c: c, ahead: slices.Index(d.line, c), trade: c.trade, made: d.now,
			reference: 60 * math.Abs(math.Trunc((j.average[c.trade]+30-(d.now-c.at))/60)), ref2: math.Abs(j.average[c.trade] - (d.now - c.at)),
		}
		for _, w := range d.crew { if d.may(w, c) { switch w.state { case tel.AgentPaused: n.paused++; case tel.AgentLoggedOut: n.out++; default: n.free++ } } }
		c.notes = append(c.notes, n)
		j.today = append(j.today, n)
	}
}

func (j *judge) due(d *day, c *caller) bool {
	return c.waiting && c.ringing < 0 && (c.noted == 0 || d.now >= c.noted+announceEvery)
}

// answered lets the reference learn, which looks at answered calls only: firmware of Asterisk 22
// keeps three quarters of the old average (reference semantics, row 29).
func (j *judge) answered(trade int, wait float64) {
	for len(j.average) <= trade {
		j.average = append(j.average, 0)
	}
	j.average[trade] = (3*j.average[trade] + wait) / 4
}

// end notes the truth; infinite when nobody ever came.
func (j *judge) end(_ *day, c *caller, at float64) {
	for _, n := range c.notes {
		n.wait, n.ended = at-n.made, true
		if math.IsInf(at, 1) {
			j.never++
			n.wait = forecast.Longest.Seconds()
		}
	}
}

// closeDay gives every prediction the quantiles of its queue's day.
func (j *judge) closeDay() {
	by := map[int][]float64{}
	for _, n := range j.today {
		by[n.trade] = append(by[n.trade], n.wait)
	}
	for _, w := range by {
		slices.Sort(w)
	}
	for _, n := range j.today {
		w := by[n.trade]
		n.dayLow, n.dayHigh = w[len(w)/10], w[len(w)*9/10]
	}
	j.all = append(j.all, j.today...)
	j.today = nil
}

func winkler(low, high, y float64) float64 {
	const alpha = 0.2
	return high - low + 2/alpha*max(0, low-y) + 2/alpha*max(0, y-high)
}

// verdict sums up predictions.
type verdict struct {
	n                       int
	coverage                float64
	low, high               float64 // share of misses
	winkler, dayWinkler     float64
	mae, referenceMAE, ref2 float64
	wait                    float64
}

func sum(all []*prediction) verdict {
	var v verdict
	for _, n := range all {
		v.n++
		if n.wait < n.low {
			v.low++
		} else if n.wait > n.high {
			v.high++
		} else {
			v.coverage++
		}
		v.winkler += winkler(n.low, n.high, n.wait)
		v.dayWinkler += winkler(n.dayLow, n.dayHigh, n.wait)
		v.mae += math.Abs(n.median - n.wait)
		v.ref2 += math.Abs(n.ref2 - n.wait)
		v.referenceMAE += math.Abs(n.reference - n.wait)
		v.wait += n.wait
	}
	k := float64(v.n)
	for _, x := range []*float64{&v.coverage, &v.low, &v.high, &v.winkler, &v.dayWinkler, &v.mae, &v.referenceMAE, &v.ref2, &v.wait} {
		*x /= k
	}
	return v
}

func TestExplore(t *testing.T) {
	var all []*prediction
	days := 4; base := uint64(100); if s := os.Getenv("BASE"); s != "" { b, _ := strconv.Atoi(s); base = uint64(b) }
	if s := os.Getenv("DAYS"); s != "" {
		days, _ = strconv.Atoi(s)
	}
	for o := range uint64(8) {
		r := rand.New(rand.NewPCG(base+o, 1))
		of := newOffice(r)
		l := forecast.NewLearner(1)
		warm := &judge{}
		date := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		j := &judge{}
		const learn = 10
		for d := range learn + days {
			if date.Weekday() == time.Saturday {
				date = date.AddDate(0, 0, 2)
			}
			dr := rand.New(rand.NewPCG(base+o, uint64(1000+d)))
			if d < learn-3 {
				of.run(dr, date, l, nil)
			} else if d < learn {
				of.run(dr, date, l, warm)
				j.average = warm.average
			} else {
				of.run(dr, date, l, j)
			}
			date = date.AddDate(0, 0, 1)
		}
		v := sum(j.all)
		t.Logf("office %d: trades %d people %d asked %d unknown %d never %d: n %d cov %.3f low %.3f high %.3f W %.0f/%.0f=%.2f MAE %.0f/%.0f(%.0f)=%.2f wait %.0f", o, len(of.trades), len(of.people), j.asked, j.unknown, j.never, v.n, v.coverage, v.low, v.high, v.winkler, v.dayWinkler, v.winkler/v.dayWinkler, v.mae, v.referenceMAE, v.ref2, v.mae/v.referenceMAE, v.wait)
		if f := os.Getenv("CSV"); f != "" { fh, _ := os.OpenFile(f, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); for _, n := range j.all { fmt.Fprintf(fh, "%d,%s,%d,%.0f,%d,%d,%d,%d,%d,%d,%.1f,%.1f,%.1f,%.1f,%t\n", o, n.c.id, n.trade, n.made, n.c.english, n.c.priority, n.ahead, n.free, n.paused, n.out, n.low, n.median, n.high, n.wait, n.atJoin) }; fh.Close() }
		if os.Getenv("WORST") != "" {
			w := slices.Clone(j.all)
			slices.SortFunc(w, func(a, b *prediction) int {
				return int(winkler(b.low, b.high, b.wait) - winkler(a.low, a.high, a.wait))
			})
			for i := 0; i < 400 && i < len(w); i += 20 {
				n := w[i]
				t.Logf("   trade %d %s at %.2fh en %d prio %d ahead %d: said %.0f %.0f %.0f was %.0f", n.trade, n.c.id, n.made/3600, n.c.english, n.c.priority, n.ahead, n.low, n.median, n.high, n.wait)
			}
		}
		all = append(all, j.all...)
	}
	p := func(name string, all []*prediction) {
		v := sum(all)
		t.Logf("%-10s n %d cov %.3f low %.3f high %.3f W %.0f/%.0f=%.2f MAE %.0f/%.0f(%.0f)=%.2f wait %.0f", name, v.n, v.coverage, v.low, v.high, v.winkler, v.dayWinkler, v.winkler/v.dayWinkler, v.mae, v.referenceMAE, v.ref2, v.mae/v.referenceMAE, v.wait)
	}
	p("all", all)
	p("join", slices.DeleteFunc(slices.Clone(all), func(n *prediction) bool { return !n.atJoin }))
	slices.SortFunc(all, func(a, b *prediction) int { return int(math.Copysign(1, a.median-b.median)) })
	for k := range 3 {
		p("tercile", all[k*len(all)/3:(k+1)*len(all)/3])
	}
}
