package forecast_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The oracle knows what no predictor can: every distribution by which the office was drawn, the bursts
// and the length of the calls of this day before they have shown, who is ill, what each agent intends to
// do after the call, every habit. It does not know what chance has still to decide. What it errs is the
// floor under every forecast.

// imagine plays the rest of the day many times and gives the median of each caller's wait.
func (d *day) imagine(times int, r *rand.Rand) map[tel.CallID]float64 {
	waits := map[tel.CallID][]float64{}
	for range times {
		f := d.fork(r)
		left := len(f.line)
		f.served = func(c *caller, at float64) {
			if c.imagined {
				waits[c.id] = append(waits[c.id], at-d.now)
				left--
			}
		}
		f.play(func() bool { return left == 0 })
		for _, c := range f.line {
			if c.imagined {
				waits[c.id] = append(waits[c.id], math.Inf(1))
			}
		}
	}
	medians := map[tel.CallID]float64{}
	for id, w := range waits {
		slices.Sort(w)
		medians[id] = min(7200, (w[(len(w)-1)/2]+w[len(w)/2])/2)
	}
	return medians
}

// fork is the day as it stands with everything drawn anew that chance has still to decide.
func (d *day) fork(r *rand.Rand) *day {
	f := &day{office: d.office, r: r, start: d.start, now: d.now, factor: d.factor, volume: d.volume, bursts: d.bursts}
	copies := map[*caller]*caller{}
	for _, c := range d.line {
		if !c.waiting {
			continue // a ghost takes nobody's time
		}
		n := *c
		n.notes, n.imagined = nil, true
		copies[c] = &n
		f.line = append(f.line, &n)
		if c.ringing < 0 {
			t := &d.trades[c.trade]
			f.in(restOf(r, d.now-c.at, share{1, t.patience, 0.9}), func() { f.hangUp(&n) })
		}
	}
	for _, w := range d.crew {
		n := *w
		n.want = slices.Clone(w.want)
		if w.call != nil {
			if n.call = copies[w.call]; n.call == nil {
				c := *w.call
				n.call = &c
			}
		}
		f.crew = append(f.crew, &n)
	}
	for _, w := range f.crew {
		f.goOn(w)
	}
	for i, t := range f.trades {
		if t.vip > 0 {
			f.nextImportant(i)
		}
	}
	f.at(opening+60*math.Ceil((d.now-opening)/60), f.tick)
	return f
}

// goOn draws what a worker will do.
func (d *day) goOn(w *worker) {
	passed := d.now - w.since
	stamp := w.stamp
	later := func(delay float64, do func()) {
		d.in(delay, func() {
			if w.stamp == stamp {
				do()
			}
		})
	}
	switch w.state {
	case tel.AgentLoggedOut:
		if !w.gone {
			d.mayCome(w)
		}
		return
	case tel.AgentRinging:
		c := w.call
		answers := 0.97 * math.Exp(-max(0, passed-2)/3)
		if passed < 15 && d.r.Float64()*(answers+0.03) < 0.03 {
			d.misses(w, c, 15-passed)
		} else {
			later(max(0, 2-passed)+3*d.r.ExpFloat64(), func() {
				if w.call == c && c.waiting {
					d.answer(w, c)
				}
			})
		}
	case tel.AgentTalking:
		t := &d.trades[w.trade]
		k := w.pace * d.factor[w.trade]
		x := restOf(d.r, passed, share{1 - t.long, t.talk * k, t.spread}, share{t.long, 3 * t.talk * k, t.spread + 0.2})
		later(min(x, 3*3600-passed), func() { d.wrapUp(w, t) })
	case tel.AgentWrapUp:
		t := &d.trades[w.trade]
		x := w.until - d.now
		if !t.fixedWrap {
			x = restOf(d.r, passed, share{1, t.wrap, 0.6})
		}
		later(x, func() { d.settle(w) })
	case tel.AgentPaused:
		x := 0.0
		switch w.reason {
		case "lunch":
			x = restOf(d.r, passed, share{1, 2400, 0.15})
		case "break":
			x = restOf(d.r, passed, share{1, 330, 0.6})
		case "missed":
			x = restOf(d.r, passed, share{1, 200, 0.5})
		default:
			x = between(d.r, max(1200, passed), 3600) - passed
		}
		later(x, func() { d.settle(w) })
	}
	if !w.late {
		d.plan(w, w.came)
		d.nextBreak(w)
	}
}

// mayCome draws whether and when somebody comes who is not there.
func (d *day) mayCome(w *worker) {
	ill, late, inTime := 0.05, 0.25, 0.75
	if w.anchor {
		ill = 0
	}
	after := d.now - w.start
	if after >= 0 {
		inTime = 0
		late *= math.Exp(-after / 700)
	}
	u := d.r.Float64() * (ill + (1-ill)*(late+inTime))
	if u < ill {
		return
	}
	start := w.start
	if u < ill+(1-ill)*late {
		start = max(d.now, w.start) + d.r.ExpFloat64()*700
	}
	d.at(start, func() { d.comes(w) })
	d.plan(w, start)
}

// nextImportant lets callers come who overtake those who wait; nobody else can matter to them.
func (d *day) nextImportant(trade int) {
	t := &d.trades[trade]
	at := d.now
	for {
		at += d.r.ExpFloat64() / (mostCallers * t.vip)
		if at > closing {
			return
		}
		if d.r.Float64() < d.rate(trade, at)/mostCallers {
			break
		}
	}
	d.at(at, func() {
		d.enter(trade, 5)
		d.nextImportant(trade)
	})
}

// share is a part of a mixture of log-normal durations.
type share struct{ weight, median, sd float64 }

// restOf draws what remains, after passed seconds, of a duration drawn from the mixture.
func restOf(r *rand.Rand, passed float64, of ...share) float64 {
	upper := func(s share) float64 {
		if passed <= 0 {
			return 1
		}
		return math.Erfc(math.Log(passed/s.median)/s.sd/math.Sqrt2) / 2
	}
	total := 0.0
	for _, s := range of {
		total += s.weight * upper(s)
	}
	u := r.Float64() * total
	pick := of[len(of)-1]
	for _, s := range of {
		if u -= s.weight * upper(s); u < 0 {
			pick = s
			break
		}
	}
	p := (1 - r.Float64()) * upper(pick) // of lasting longer than the drawn duration
	return max(0, pick.median*math.Exp(pick.sd*math.Sqrt2*math.Erfcinv(2*p))-passed)
}
