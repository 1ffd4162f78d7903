package forecast

import (
	"iter"
	"slices"
	"time"
)

const (
	maxSessions = 3  // per day: morning, afternoon, evening
	maxDays     = 12 // remembered of an agent
	fewDays     = 2  // make no habit yet
	longPause   = 20 * time.Minute
	noShow      = 4 * time.Hour // who is so late does not come
)

// workday is when an agent was there on one day, in seconds from its midnight. A shift that runs past
// midnight ends after 86,400.
type workday struct {
	Date time.Time            `json:"date"` // midnight; zero: none
	In   [maxSessions]float64 `json:"in"`
	Out  [maxSessions]float64 `json:"out"`  // 0: still there
	N    int                  `json:"n"`    // sessions begun
	Long float64              `json:"long"` // when the first pause of at least twenty minutes began; 0: none
	For  float64              `json:"for"`  // how long it was, in seconds
}

func midnight(at time.Time) time.Time {
	y, m, d := at.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, at.Location())
}

// since is the time of day of at, seen from the beginning of the workday.
func (w *workday) since(at time.Time) float64 { return at.Sub(w.Date).Seconds() }

// loggedIn begins a session and returns how much later than usual it is; ok is false when nothing is
// usual.
func (a *agentMemory) loggedIn(at time.Time) (late float64, ok bool) {
	if date := midnight(at); !a.Today.Date.Equal(date) {
		if a.Today.N > 0 {
			if len(a.Days) == maxDays {
				a.Days = slices.Delete(a.Days, 0, 1)
			}
			a.Days = append(a.Days, a.Today)
		}
		a.Today = workday{Date: date}
	}
	if a.Today.N == maxSessions {
		return 0, false
	}
	usual, ok := a.usualIn(at)
	x := a.Today.since(at)
	a.Today.In[a.Today.N] = x
	a.Today.N++
	return max(0, x-usual), ok
}

func (a *agentMemory) loggedOut(at time.Time) {
	if n := a.Today.N; n > 0 {
		a.Today.Out[n-1] = max(0, a.Today.since(at))
	}
}

// paused takes note of a long pause.
func (a *agentMemory) paused(from time.Time, x float64) {
	if a.Today.N > 0 && a.Today.Long == 0 && x >= longPause.Seconds() {
		a.Today.Long, a.Today.For = max(0, a.Today.since(from)), x
	}
}

// begun is the number of sessions begun on the day of at.
func (a *agentMemory) begun(at time.Time) int {
	if !a.Today.Date.Equal(midnight(at)) {
		return 0
	}
	return a.Today.N
}

// like yields the days of the same kind as at.
func (a *agentMemory) like(at time.Time) iter.Seq[*workday] {
	return func(yield func(*workday) bool) {
		kind, _ := slotOf(at)
		for i := range a.Days {
			if k, _ := slotOf(a.Days[i].Date); k == kind && !yield(&a.Days[i]) {
				return
			}
		}
		if a.Today.N > 0 && !a.Today.Date.Equal(midnight(at)) {
			if k, _ := slotOf(a.Today.Date); k == kind {
				yield(&a.Today)
			}
		}
	}
}

// usualIn is when the agent's next session of the day usually begins, in seconds of the day.
func (a *agentMemory) usualIn(at time.Time) (x float64, ok bool) {
	n, days := a.begun(at), 0
	if n >= maxSessions {
		return 0, false
	}
	var seen [maxDays + 1]float64
	in := seen[:0]
	for d := range a.like(at) {
		days++
		if d.N > n {
			in = append(in, d.In[n])
		}
	}
	if len(in) < fewDays || 2*len(in) < days {
		return 0, false
	}
	slices.Sort(in)
	return in[len(in)/2], true
}

// ends lists when the session in progress (or, if out, the next one) ended on days like this, as far
// as they lie in the future; in seconds from at.
func (a *agentMemory) ends(at time.Time, out bool) []float64 {
	n, now := a.begun(at)-1, at.Sub(midnight(at)).Seconds()
	if out {
		n++
	}
	var ends []float64
	if n < 0 || n >= maxSessions {
		return nil
	}
	days := 0
	for d := range a.like(at) {
		days++
		if d.N > n && d.Out[n] > now {
			ends = append(ends, d.Out[n]-now)
		}
	}
	if days < fewDays {
		return nil
	}
	return ends
}

// longBreak is a long pause to come: when, from the picture on, and how long.
type longBreak struct{ at, length float64 }

// breaks lists the long pauses of days like this; a day without one gives one that never comes.
func (a *agentMemory) breaks(at time.Time) []longBreak {
	if a.begun(at) > 0 && a.Today.Long > 0 {
		return nil
	}
	now := at.Sub(midnight(at)).Seconds()
	days := 0
	for range a.like(at) {
		days++
	}
	if days < fewDays {
		return nil
	}
	breaks := make([]longBreak, 0, days)
	for d := range a.like(at) {
		switch {
		case d.Long == 0:
			breaks = append(breaks, longBreak{never, 0})
		case d.Long > now:
			breaks = append(breaks, longBreak{d.Long - now, d.For})
		case now-d.Long < 3600 && days > fewDays:
			breaks = append(breaks, longBreak{0, d.For}) // overdue: after this call
		}
	}
	return breaks
}
