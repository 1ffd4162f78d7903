package forecast_test

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var setsFlag = flag.Int("forecast.sets", 1, "sets of held-out offices that the proof judges (soak: 4)")

// The protocol of the proof.
//
// Separation. An office and its days are drawn from a seed whose upper half names the set. Set 0 is for
// tuning: BenchmarkOnTuningOffices measures there whatever shall be chosen, method or constant. The proof
// judges sets 1 and up, which nothing else draws from.
//
// Size. Offices differ much: in some the error is a third of the average's, in a few three quarters, and the
// few with the longest waits weigh most. The standard error of the share is that of a ratio of sums over
// offices, which are independent (Cochran 1977, chapter 6). On tuning offices 88 of them with two judged days
// promised 0.008 to 0.010; the first judged set said 0.015. So one set guards against regressions, and only
// four together (352 offices, make soak) place the share within a hundredth. No set was drawn again.
//
// Bars. The error of all sets judged together is at most half of the average's; a single set may lie above
// by chance. What no forecaster can know decides most of the error, as the oracle shows (oracle_test.go).
// It is asked in few rounds, and a long queue in one of them is many waits of one fate: its bar is wide.
const (
	officesPerSet = 88
	watchedDays   = 8 // only events are seen
	triedDays     = 2 // forecasts are made and calibrated, and not judged
	judgedDays    = 2
	announceEvery = 60.0 // seconds between two forecasts for one caller
	oracleEvery   = 40   // rounds of forecasts
	tuningSet     = 0
)

// bars are the bounds of the proof.
type bars struct {
	predictions    int
	overall, third [2]float64 // coverage
	winkler        float64    // at most this share of the references'
	error, oneSet  float64    // likewise; of all sets, of each
	oracle         float64    // error as a multiple of the oracle's
	below          float64    // of half of the waits, which shall end before the oracle's median: how far off
}

func barsFor(short bool) (offices int, b bars) {
	if short { // a race or a 32-bit run looks for other faults; so few days cannot tell 78 from 76
		return 2, bars{2000, [2]float64{0.70, 0.90}, [2]float64{0.65, 0.95}, 0.95, 0.7, 0.7, 1.5, 0.25}
	}
	return officesPerSet, bars{100000, [2]float64{0.78, 0.82}, [2]float64{0.75, 0.85}, 0.8, 0.5, 0.52, 1.2, 0.05}
}

// prediction is one forecast with what became of it, in seconds.
type prediction struct {
	queue             tel.QueueID
	low, median, high float64
	average           float64 // what the exponential average announced
	join              bool    // the first one of the caller
	at                float64
	wait              float64
	dayLow, dayHigh   float64 // the day's own quantiles
	people            int     // of the office
	oracle            float64 // what the oracle says; negative: it was not asked
}

// judge asks for forecasts and notes the truth.
//
// Who is judged: callers whom nobody could serve at once, when they join and once a minute while they
// wait. A caller who hangs up is judged by the virtual wait: the ghost keeps its place, takes no agent's
// time, and is served when the first agent becomes free who would have taken it. Leaving such callers
// out would be unfair: the longest waits would be missing, and short forecasts would look right.
type judge struct {
	averages map[int]int // by trade, seconds
	today    []*prediction
	all      []*prediction
	asked    int
	unknown  int
	rounds   int
	oracle   int // it is asked in one of so many rounds; 0: never
	never    int // nobody who could serve them came before the end of the day
}

func (j *judge) due(d *day, c *caller) bool {
	return c.waiting && c.ringing < 0 && (c.noted == 0 || d.now >= c.noted+announceEvery)
}

// ask makes forecasts for those who have just joined or have heard none for a minute.
func (j *judge) ask(d *day) {
	if !slices.ContainsFunc(d.line, func(c *caller) bool { return j.due(d, c) }) {
		return
	}
	said := map[tel.CallID]forecast.Forecast{}
	for _, f := range d.learner.Forecast(d.picture()) {
		said[f.Call] = f
	}
	j.rounds++
	var known map[tel.CallID]float64
	if j.oracle > 0 && j.rounds%j.oracle == 0 {
		known = d.imagine(100, rand.New(rand.NewPCG(uint64(j.rounds), 77)))
	}
	for _, c := range d.line {
		if !j.due(d, c) {
			continue
		}
		f := said[c.id]
		join := c.noted == 0
		c.noted = d.now
		j.asked++
		if !f.Known {
			j.unknown++
			continue
		}
		n := &prediction{
			queue: d.trades[c.trade].id, at: d.now, join: join, people: len(d.people),
			low: f.Low.Seconds(), median: f.Median.Seconds(), high: f.High.Seconds(),
			average: announced(j.averages[c.trade], d.now-c.at), oracle: -1,
		}
		if x, ok := known[c.id]; ok {
			n.oracle = x
		}
		c.notes = append(c.notes, n)
		j.today = append(j.today, n)
	}
}

// announced is what Asterisk's app_queue says to a caller who has waited own seconds: whole minutes.
func announced(average int, own float64) float64 {
	return 60 * math.Abs(float64((average+30-int(own))/60))
}

// answered lets the exponential average learn, in whole seconds as app_queue does. It looks at answered
// calls only, whether they had to wait or not, and the newest has a quarter of the weight.
func (j *judge) answered(trade int, wait float64) {
	j.averages[trade] = (3*j.averages[trade] + int(wait)) >> 2
}

// end notes the truth; infinite when nobody ever came.
func (j *judge) end(c *caller, at float64) {
	for _, n := range c.notes {
		n.wait = at - n.at
		if math.IsInf(at, 1) {
			j.never++
			n.wait = forecast.Longest.Seconds()
		}
	}
}

// closeDay gives every prediction the quantiles of what is judged of its queue on its day: a rival
// who has seen the day.
func (j *judge) closeDay() {
	waits := map[tel.QueueID][]float64{}
	for _, n := range j.today {
		waits[n.queue] = append(waits[n.queue], n.wait)
	}
	for _, w := range waits {
		slices.Sort(w)
	}
	for _, n := range j.today {
		w := waits[n.queue]
		n.dayLow, n.dayHigh = w[len(w)/10], w[len(w)*9/10]
	}
	j.all = append(j.all, j.today...)
	j.today = nil
}

// winkler is the interval score of an 80 % interval (Winkler 1972): its width, and ten times by how
// much it was missed.
func winkler(low, high, y float64) float64 {
	const alpha = 0.2
	return high - low + 2/alpha*(max(0, low-y)+max(0, y-high))
}

// verdict sums up predictions: means.
type verdict struct {
	n                   int
	coverage            float64
	winkler, dayWinkler float64
	error, averageError float64
	wait                float64
}

func sum(all []*prediction) verdict {
	v := verdict{n: len(all)}
	k := 1 / float64(len(all))
	for _, n := range all {
		if n.low <= n.wait && n.wait <= n.high {
			v.coverage += k
		}
		v.winkler += k * winkler(n.low, n.high, n.wait)
		v.dayWinkler += k * winkler(n.dayLow, n.dayHigh, n.wait)
		v.error += k * math.Abs(n.median-n.wait)
		v.averageError += k * math.Abs(n.average-n.wait)
		v.wait += k * n.wait
	}
	return v
}

func (v verdict) String() string {
	return fmt.Sprintf("%6d predictions, mean wait %3.0f s: covered %.1f %%, interval score %3.0f of %3.0f (%.2f), error %5.1f of %5.1f s (%.3f)",
		v.n, v.wait, 100*v.coverage, v.winkler, v.dayWinkler, v.winkler/v.dayWinkler, v.error, v.averageError, v.error/v.averageError)
}

// floor compares with the oracle where it was asked: errors as shares of the average's, and how many waits
// ended before the oracle's median.
type floor struct {
	n                   int
	ours, oracle, below float64
}

func floorOf(all []*prediction) (f floor) {
	average := 0.0
	for _, n := range all {
		if n.oracle < 0 {
			continue
		}
		f.n++
		f.ours += math.Abs(n.median - n.wait)
		f.oracle += math.Abs(n.oracle - n.wait)
		average += math.Abs(n.average - n.wait)
		f.below += one(n.wait < n.oracle)
	}
	f.ours, f.oracle, f.below = f.ours/average, f.oracle/average, f.below/float64(f.n)
	return f
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (f floor) String() string {
	return fmt.Sprintf("%6d predictions beside the oracle's: error %.3f of the average's, the oracle's %.3f (ours is %.3f of it); %.1f %% of the waits end before its median",
		f.n, f.ours, f.oracle, f.ours/f.oracle, 100*f.below)
}

// judgement is what became of the predictions for some offices.
type judgement struct {
	offices        []*judge
	all            []*prediction
	asked, unknown int
}

// judgeOffices draws offices of a set and judges each.
func judgeOffices(set uint64, offices int) *judgement {
	g := &judgement{offices: make([]*judge, offices)}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(offices); i = next.Add(1) - 1 {
				g.offices[i] = judgeOffice(set, uint64(i))
			}
		})
	}
	workers.Wait()
	for _, j := range g.offices {
		g.asked, g.unknown = g.asked+j.asked, g.unknown+j.unknown
		g.all = append(g.all, j.all...)
	}
	return g
}

// samplingError is the standard error of the share that our error has of the average's.
func (g *judgement) samplingError() float64 {
	v := sum(g.all)
	squares := 0.0
	for _, j := range g.offices {
		o := sum(j.all)
		squares += sq(float64(o.n) * (o.error - v.error/v.averageError*o.averageError))
	}
	return math.Sqrt(squares) / (v.averageError * float64(v.n))
}

// judgeOffice draws an office, lets a learner watch it and judges it on the days that follow.
func judgeOffice(set, i uint64) *judge {
	seed := set<<32 | i
	o := newOffice(rand.New(rand.NewPCG(seed, 1)))
	l := forecast.NewLearner(seed)
	tried := &judge{averages: map[int]int{}}
	judged := &judge{averages: tried.averages, oracle: oracleEvery}
	date := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for d := range watchedDays + triedDays + judgedDays {
		if date.Weekday() == time.Saturday {
			date = date.AddDate(0, 0, 2)
		}
		j := judged
		switch {
		case d < watchedDays:
			j = nil
		case d < watchedDays+triedDays:
			j = tried
		}
		o.run(rand.New(rand.NewPCG(seed, uint64(1000+d))), date, l, j)
		date = date.AddDate(0, 0, 1)
	}
	return judged
}

func TestTheIntervalKeepsItsPromiseOnHeldOutDays(t *testing.T) {
	offices, bar := barsFor(testing.Short())
	together := &judgement{}
	for set := 1; set <= *setsFlag; set++ {
		t.Run(fmt.Sprint("set ", set), func(t *testing.T) {
			g := judgeOffices(uint64(set), offices)
			for i, j := range g.offices {
				t.Logf("office %2d: %v; unknown %d of %d, never served %d", i, sum(j.all), j.unknown, j.asked, j.never)
			}
			if 50*g.unknown > g.asked {
				t.Errorf("%d of %d callers were told nothing", g.unknown, g.asked)
			}
			g.judge(t, bar)
			together.offices, together.all = append(together.offices, g.offices...), append(together.all, g.all...)
		})
	}
	v, scatter := sum(together.all), together.samplingError()
	t.Logf("together:   %v", v)
	t.Logf("together:   %v", floorOf(together.all))
	t.Logf("together:   standard error of the share of the average's error: %.4f", scatter)
	if share := v.error / v.averageError; !(share <= bar.error) {
		t.Errorf("the error is %.3f of the exponential average's, want %.2f at most", share, bar.error)
	}
	if *setsFlag >= 4 && scatter > 0.01 && !testing.Short() {
		t.Errorf("%d sets place that share within %.4f only", *setsFlag, scatter)
	}
}

func (g *judgement) judge(t *testing.T, bar bars) {
	t.Helper()
	within := func(what string, x float64, lo, hi float64) {
		t.Helper()
		if !(x >= lo && x <= hi) {
			t.Errorf("%s is %.3f, want %.3f to %.3f", what, x, lo, hi)
		}
	}
	v, f, scatter := sum(g.all), floorOf(g.all), g.samplingError()
	t.Logf("all:        %v", v)
	t.Logf("all:        %v", f)
	t.Logf("standard error of the share of the average's error: %.4f", scatter)
	if v.n < bar.predictions {
		t.Errorf("only %d predictions: the bounds would be luck", v.n)
	}
	within("coverage", v.coverage, bar.overall[0], bar.overall[1])
	within("interval score against the day's own quantiles", v.winkler/v.dayWinkler, 0, bar.winkler)
	within("error against the exponential average", v.error/v.averageError, 0, bar.oneSet)
	within("error against the oracle's", f.ours/f.oracle, 0.95, bar.oracle)
	within("share of the waits that end before the oracle's median", f.below, 0.5-bar.below, 0.5+bar.below)
	t.Logf("to 11:      %v", sum(slices.DeleteFunc(slices.Clone(g.all), func(n *prediction) bool { return n.people >= 12 })))
	t.Logf("on joining: %v", sum(slices.DeleteFunc(slices.Clone(g.all), func(n *prediction) bool { return !n.join })))
	slices.SortStableFunc(g.all, func(a, b *prediction) int { return cmp.Compare(a.median, b.median) })
	for k, name := range []string{"shortest", "middle", "longest"} {
		v := sum(g.all[k*len(g.all)/3 : (k+1)*len(g.all)/3])
		t.Logf("%-9s   %v", name, v)
		within("coverage of the "+name+" third", v.coverage, bar.third[0], bar.third[1])
	}
}

// BenchmarkOnTuningOffices measures what the proof judges, on offices that it never judges. A hundredth is
// what a change of a constant can be seen by; the days are the same for each choice.
func BenchmarkOnTuningOffices(b *testing.B) {
	for b.Loop() {
		g := judgeOffices(tuningSet, 72)
		v, f := sum(g.all), floorOf(g.all)
		b.ReportMetric(v.coverage, "covered")
		b.ReportMetric(v.winkler/v.dayWinkler, "interval-score")
		b.ReportMetric(v.error/v.averageError, "error")
		b.ReportMetric(g.samplingError(), "standard-error")
		b.ReportMetric(f.ours/f.oracle, "of-oracle")
		b.ReportMetric(f.oracle, "oracle")
		b.ReportMetric(f.below, "below-oracle")
	}
}
