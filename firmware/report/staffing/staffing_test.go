package staffing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const aim = 20 * time.Second

// written is Erlang C as it is written in books, with factorials: the share of callers who wait.
func written(n int, a float64) float64 {
	term := func(k int) float64 {
		lg, _ := math.Lgamma(float64(k) + 1)
		return math.Exp(float64(k)*math.Log(a) - lg)
	}
	last := term(n) * float64(n) / (float64(n) - a)
	sum := last
	for k := range n {
		sum += term(k)
	}
	return last / sum
}

func TestErlangCIsThatOfTheBooks(t *testing.T) {
	for _, c := range []struct {
		agents int
		load   float64
	}{{1, 0.5}, {2, 1}, {5, 4}, {10, 8}, {55, 50}, {100, 99}} {
		q := Queue{PerHour: c.load * 20, Handle: 3 * time.Minute}
		if got, want := 1-q.With(c.agents, 0).InTime, written(c.agents, c.load); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d agents at %.1f erlangs: %.6f wait, want %.6f", c.agents, c.load, got, want)
		}
	}
	if got := written(10, 8); math.Abs(got-0.4092) > 5e-5 { // as printed in tables
		t.Errorf("the book itself: %.4f", got)
	}
}

// simulate has callers come and returns what they met: an oracle that knows no formula.
func simulate(q Queue, n int, callers int, seed uint64) (inTime, abandoned, wait []float64) {
	r := rand.New(rand.NewPCG(seed, 1))
	free := make([]float64, n) // when each agent is free, in hours
	now := 0.0
	for i := range callers {
		now += r.ExpFloat64() / q.PerHour
		first := 0
		for k := range free {
			if free[k] < free[first] {
				first = k
			}
		}
		patience := math.Inf(1)
		if q.Patience > 0 {
			patience = r.ExpFloat64() * q.Patience.Hours()
		}
		served := max(free[first], now)
		w := min(served-now, patience)
		gone := served-now > patience
		if !gone {
			free[first] = served + r.ExpFloat64()*q.Handle.Hours()
		}
		if i < callers/20 {
			continue // warming up
		}
		inTime = append(inTime, share(!gone && w <= aim.Hours()))
		abandoned = append(abandoned, share(gone))
		wait = append(wait, w)
	}
	return inTime, abandoned, wait
}

func share(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// interval is the mean with the half-width of its 99 % interval by twenty batch means (Student, 19
// degrees of freedom: 2.861).
func interval(x []float64) (mean, half float64) {
	const batches = 20
	size := len(x) / batches
	var means [batches]float64
	for b := range batches {
		for _, v := range x[b*size : (b+1)*size] {
			means[b] += v / float64(size)
		}
		mean += means[b] / batches
	}
	var squares float64
	for _, m := range means {
		squares += (m - mean) * (m - mean)
	}
	return mean, 2.861 * math.Sqrt(squares/(batches-1)/batches)
}

func TestTheFormulasAgreeWithSimulatedQueues(t *testing.T) {
	callers := 1_200_000
	if testing.Short() {
		callers = 200_000
	}
	for _, rho := range []float64{0.5, 0.7, 0.8} {
		for _, patience := range []time.Duration{0, 2 * time.Minute} {
			for _, seed := range []uint64{1, 2, 3} {
				t.Run(fmt.Sprintf("load %.1f, patience %s, seed %d", rho, patience, seed), func(t *testing.T) {
					const agents = 4
					q := Queue{PerHour: rho * agents * 20, Handle: 3 * time.Minute, Patience: patience}
					inTime, abandoned, wait := simulate(q, agents, callers, seed)
					o := q.With(agents, aim)
					for name, c := range map[string]struct {
						seen []float64
						want float64
					}{"answered in time": {inTime, o.InTime}, "given up": {abandoned, o.Abandoned}, "mean wait": {wait, o.Wait.Hours()}} {
						mean, half := interval(c.seen)
						if math.Abs(mean-c.want) > half+1e-9 {
							t.Errorf("%s: %.5f, simulated %.5f +- %.5f", name, c.want, mean, half)
						}
						if name == "answered in time" && half > 0.02*mean && !testing.Short() {
							t.Errorf("the interval is too wide to judge: %.4f of %.4f", half, mean)
						}
					}
				})
			}
		}
	}
}

func TestMoreAgentsNeverMakeItWorse(t *testing.T) {
	for _, q := range []Queue{
		{PerHour: 3, Handle: time.Minute},
		{PerHour: 40, Handle: 3 * time.Minute},
		{PerHour: 40, Handle: 3 * time.Minute, Patience: time.Minute},
		{PerHour: 900, Handle: 5 * time.Minute, Patience: 90 * time.Second},
		{PerHour: 20000, Handle: 2 * time.Minute, Patience: 3 * time.Minute},
	} {
		last := q.With(0, aim)
		for n := 1; n <= MostAgents; n += 1 + n/10 {
			o := q.With(n, aim)
			for name, v := range map[string]float64{"in time": o.InTime, "given up": o.Abandoned, "busy": o.Occupancy} {
				if math.IsNaN(v) || v < -1e-9 || v > 1+1e-9 {
					t.Fatalf("%+v with %d: %s is %v", q, n, name, v)
				}
			}
			if o.InTime < last.InTime-1e-9 || o.Wait > last.Wait+time.Microsecond || o.Wait < 0 {
				t.Fatalf("%+v: %d agents do worse: %+v after %+v", q, n, o, last)
			}
			last = o
		}
		n, then := q.Need(0.8, aim)
		if then.InTime < 0.8 || n > 1 && q.With(n-1, aim).InTime >= 0.8 {
			t.Errorf("%+v needs %d: %+v", q, n, then)
		}
	}
	if n, o := (Queue{}).Need(0.8, aim); n != 0 || o.InTime != 1 {
		t.Errorf("nobody calls: %d %+v", n, o)
	}
	if n, _ := (Queue{PerHour: 1e6, Handle: time.Hour}).Need(0.8, aim); n != MostAgents {
		t.Errorf("too many for anybody: %d", n)
	}
}

func TestADayIsPlannedFromTheSameWeekdaysBefore(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 4, 20, 0, 0, 0, 0, rome) // a Monday; summer time began on 29 March
	var slots []report.TrafficRow
	row := func(at time.Time, entered int) {
		r := report.TrafficRow{Queue: "sales", From: at.UTC()}
		for range entered {
			r.TakeWait(tel.QueueLeft{Joined: at, Left: at.Add(10 * time.Second), Outcome: tel.OutcomeAnswered})
		}
		r.TakeWork(tel.AgentTalking, time.Duration(entered)*4*time.Minute)
		slots = append(slots, r)
	}
	easterMonday := func(at time.Time) bool { return at.Format(time.DateOnly) == "2026-04-06" }
	for week := 1; week <= 10; week++ { // the tenth is too old
		monday := day.AddDate(0, 0, -7*week)
		if week == 2 { // Easter Monday: few called, and they say nothing of other Mondays
			row(time.Date(monday.Year(), monday.Month(), monday.Day(), 9, 0, 0, 0, rome), 1)
			continue
		}
		row(time.Date(monday.Year(), monday.Month(), monday.Day(), 9, 0, 0, 0, rome), 10)
		row(time.Date(monday.Year(), monday.Month(), monday.Day(), 10, 30, 0, 0, rome), 20+week)
		row(time.Date(monday.Year(), monday.Month(), monday.Day()+1, 9, 0, 0, 0, rome), 50) // Tuesdays say nothing
	}
	row(day.Add(9*time.Hour), 500) // nor does the day itself
	p := Plan(day, Like(day, easterMonday), slots, Aim{Share: 0.8, Within: aim})
	if len(p.Days) != 8 || !p.Days[0].Equal(day.AddDate(0, 0, -63)) || p.Handle != 4*time.Minute || p.Patience != 0 {
		t.Fatalf("%+v", p)
	}
	if len(p.Slots) != 4 {
		t.Fatalf("slots %+v", p.Slots)
	}
	for i, want := range []struct {
		at      string
		callers float64
	}{{"09:00", 10}, {"09:30", 0}, {"10:00", 0}, {"10:30", 20 + (1+3+4+5+6+7+8+9)/8.0}} {
		s := p.Slots[i]
		if s.From.Format("15:04") != want.at || math.Abs(s.Callers-want.callers) > 1e-9 {
			t.Errorf("%d: %+v, want %v", i, s, want)
		}
		if n, _ := (Queue{PerHour: 2 * want.callers, Handle: 4 * time.Minute}).Need(0.8, aim); s.Agents != n {
			t.Errorf("%s needs %d, want %d", want.at, s.Agents, n)
		}
	}
	if p := Plan(day, nil, nil, Aim{Share: 0.8, Within: aim}); len(p.Days) != 0 || len(p.Slots) != 0 || p.Handle != usualHandle {
		t.Errorf("without a past: %+v", p)
	}
}

func TestPatienceIsLearnedFromWhoGaveUp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var all report.Traffic
	for range 4000 {
		due, patience := r.ExpFloat64()*60, r.ExpFloat64()*120 // seconds
		e := tel.QueueLeft{Outcome: tel.OutcomeAnswered, Left: time.Time{}.Add(time.Duration(due * 1e9))}
		if patience < due {
			e.Outcome, e.Left = tel.OutcomeAbandoned, time.Time{}.Add(time.Duration(patience*1e9))
		}
		all.TakeWait(e)
	}
	if got := patience(&all); (got - 2*time.Minute).Abs() > 10*time.Second {
		t.Errorf("patience of %s, want about 2 minutes", got)
	}
}

// A holiday is like the holidays of the year before, a working day like the same weekdays that were none.
func TestDaysAreComparedWithDaysLikeThem(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, text, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, c := range map[string]struct {
		day      string
		holidays []string
		want     []string
	}{
		"an ordinary Monday": {
			"2026-03-02", nil,
			[]string{"2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26", "2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23"},
		},
		"a Tuesday after Epiphany on a Tuesday": {
			"2026-02-03",
			[]string{"2026-01-06"},
			[]string{"2025-12-02", "2025-12-09", "2025-12-16", "2025-12-23", "2025-12-30", "2026-01-13", "2026-01-20", "2026-01-27"},
		},
		"a holiday":                {"2026-12-08", []string{"2026-12-08", "2026-11-01", "2025-12-26", "2025-12-08", "2025-12-06"}, []string{"2025-12-08", "2025-12-26", "2026-11-01"}},
		"the first holiday of all": {"2026-12-08", []string{"2026-12-08"}, nil},
	} {
		var got []string
		for _, at := range Like(day(c.day), func(at time.Time) bool { return slices.Contains(c.holidays, at.Format(time.DateOnly)) }) {
			got = append(got, at.Format(time.DateOnly))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
