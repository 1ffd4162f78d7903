package report

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestAdherenceTakesNoHalfHourForAnother(t *testing.T) {
	const half = 30 * time.Minute
	for _, c := range []struct {
		name          string
		planned, duty []time.Duration
		want          Adherence
	}{
		{"all as planned", []time.Duration{half, half}, []time.Duration{half, half}, Adherence{2 * half, 2 * half}},
		{"late by ten minutes, and ten minutes longer", []time.Duration{half, half, 0}, []time.Duration{20 * time.Minute, half, 10 * time.Minute}, Adherence{2 * half, 50 * time.Minute}},
		{"not there", []time.Duration{half, half}, []time.Duration{0, 0}, Adherence{2 * half, 0}},
		{"there without a plan", []time.Duration{0}, []time.Duration{half}, Adherence{}},
		{"the plan begins within the half hour", []time.Duration{20 * time.Minute}, []time.Duration{half}, Adherence{20 * time.Minute, 20 * time.Minute}},
		{"a clock that was set back", []time.Duration{half}, []time.Duration{-time.Hour}, Adherence{half, 0}},
	} {
		var a Adherence
		for i := range c.planned {
			a.Take(c.planned[i], c.duty[i])
		}
		if a != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, a, c.want)
		}
		if share, known := a.Share(); known != (c.want.Planned > 0) || known && share != float64(c.want.Kept)/float64(c.want.Planned) {
			t.Errorf("%s: %v, %v", c.name, share, known)
		}
	}
}

// Sums of parts are the sum of the whole, and nobody keeps more than was planned.
func TestAdherenceOfATeamIsTheSumOfItsPeople(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var whole, sum Adherence
	for range 50 {
		var one Adherence
		for range r.IntN(40) {
			planned, duty := time.Duration(r.IntN(31))*time.Minute, time.Duration(r.IntN(31))*time.Minute
			one.Take(planned, duty)
			whole.Take(planned, duty)
		}
		if one.Kept > one.Planned {
			t.Fatalf("%+v", one)
		}
		sum.Add(one)
	}
	if sum != whole {
		t.Errorf("%+v, want %+v", sum, whole)
	}
}
