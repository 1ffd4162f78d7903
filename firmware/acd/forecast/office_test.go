package forecast_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// This file is a call centre that exists only to judge forecasts. It shares no code with the
// predictor: it has its own matcher, its own clock and habits that the predictor knows nothing of
// (calls that are missed, lunch, people who come late or not at all, bursts, days unlike others).

// trade is one queue of an office: how its callers and its calls are.
type trade struct {
	id        tel.QueueID
	talk      float64 // median, seconds
	spread    float64 // of the logarithm
	long      float64 // share of calls that take three times as long, with a heavier tail
	wrap      float64 // median; 0: none
	fixedWrap bool    // the same for all calls, and known beforehand
	patience  float64 // median
	load      float64 // share of the office's callers
	vip       float64 // share of callers with priority
	foreign   float64 // share of callers who need English
}

// person is one agent of an office.
type person struct {
	id         tel.AgentID
	queues     []int
	english    int
	pace       float64
	start, end float64 // shift, seconds of the day
	lunch      float64 // begins; 0: none
	known      bool    // the end of the shift is in the plan
	tells      bool    // asks for a pause, or goes off duty, while the call still lasts; others when it is over
	anchor     bool    // always comes, and stays until nobody waits
}

// office is one call centre with all that stays the same from day to day.
type office struct {
	trades []trade
	people []person
	load   float64 // offered work per present agent at ordinary times
	humps  [2]float64
	breaks float64 // unannounced, per hour of presence
}

func logNormal(r *rand.Rand, median, sd float64) float64 {
	return median * math.Exp(sd*r.NormFloat64())
}

func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// newOffice draws an office.
func newOffice(r *rand.Rand) *office {
	o := &office{load: between(r, 0.86, 0.99), humps: [2]float64{between(r, 9.5, 11), between(r, 14.5, 16.5)}, breaks: between(r, 0.2, 0.6)}
	for i := range 2 + r.IntN(3) {
		t := trade{
			id: tel.QueueID(fmt.Sprintf("q%d", i)), talk: between(r, 110, 300), spread: between(r, 0.5, 0.9), long: between(r, 0.03, 0.15),
			patience: between(r, 240, 900), load: between(r, 0.5, 1.5), vip: max(0, between(r, -0.08, 0.12)), foreign: max(0, between(r, -0.1, 0.15)),
		}
		switch r.IntN(3) {
		case 0:
			t.wrap, t.fixedWrap = 30, true
		case 1:
			t.wrap = between(r, 20, 70)
		}
		o.trades = append(o.trades, t)
	}
	hands, anchored := make([]float64, len(o.trades)), make([]bool, len(o.trades))
	n := 8 + r.IntN(13)
	for i := range n {
		p := person{id: tel.AgentID(fmt.Sprintf("a%02d", i)), pace: logNormal(r, 1, 0.18), known: r.IntN(2) == 0, tells: r.IntN(2) == 0}
		// The roster follows the work: each queue has somebody all day, the next person goes to
		// the queue that lacks hands most.
		first := 0
		for q := range o.trades {
			if hands[q]/o.trades[q].work() < hands[first]/o.trades[first].work() {
				first = q
			}
		}
		for q := range o.trades {
			if q == first || r.Float64() < 0.35 {
				p.queues = append(p.queues, q)
				hands[q] += 0.3
			}
		}
		hands[first] += 0.7
		if r.Float64() < 0.3 {
			p.english = 1 + r.IntN(2)
		}
		switch r.IntN(4) {
		case 0:
			p.start, p.end = 8*3600, 14*3600
		case 1:
			p.start, p.end = 12*3600, 18*3600
		default:
			p.start, p.end, p.lunch = 9*3600, 18*3600, between(r, 12*3600, 14*3600)
		}
		if !anchored[first] || hands[first] < 2.2 {
			p.start, p.end, p.lunch, p.english = 8*3600, 18*3600, between(r, 12*3600, 14*3600), 2
			p.anchor = !anchored[first]
			anchored[first] = true
		}
		o.people = append(o.people, p)
	}
	return o
}
