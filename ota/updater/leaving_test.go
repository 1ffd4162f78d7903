package updater_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Between the last look at the calls and the restart lies the time that a disk takes. Who calls for help in it goes on.
func TestACallForHelpAtTheLastMomentStopsTheRestart(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		var helped atomic.Int32
		o.help = func() {
			if helped.Add(1) <= 3 {
				o.promised, o.busy = "", fit.Busy{Calls: 1, Emergency: 1}
			}
		}
		s := o.live(48*time.Hour, func(s remote.State) bool { return helped.Load() == 1 && s.WaitsFor == remote.ForEmergency })
		if len(o.trials) != 0 || s.Phase != slot.Waiting || s.Trouble != slot.None || s.Last != nil {
			t.Fatalf("%+v, %+v", o.trials, s)
		}
		for n := int32(2); n <= 4; n++ {
			hung := time.Now()
			o.with(func() { o.busy = fit.Busy{} })
			o.live(48*time.Hour, func(remote.State) bool { return helped.Load() >= n })
			if time.Since(hung) < time.Minute {
				t.Errorf("it is tried again %v after a call for help", time.Since(hung))
			}
		}
		if s = o.live(time.Hour, ended); s.Last == nil || s.Last.Result != "kept" || len(o.trials) != 1 {
			t.Errorf("%+v, %+v", o.trials, s)
		}
	})
}

// The window is one of the clock on the office's wall, which the exchange knows; a box that moves goes by the new one.
func TestTheWindowIsOneOfTheOfficesZone(t *testing.T) {
	for _, c := range []struct{ zone, then string }{{"America/New_York", ""}, {"Asia/Tokyo", "Europe/Rome"}, {"", "Pacific/Auckland"}, {"Asia/Tokyo", "Middle/Earth"}} {
		in(t, func(t *testing.T, o *office) {
			o.release("2.0.0")
			o.zone, o.busy = c.zone, fit.Busy{Calls: 1}
			o.live(30*time.Hour, nil)
			want := c.zone
			o.with(func() {
				o.busy = fit.Busy{}
				if o.zone = c.then; c.then == "" {
					o.zone = c.zone
				}
			})
			if c.then != "" && c.then != "Middle/Earth" {
				want = c.then
			}
			o.live(48*time.Hour, ended)
			at, err := time.LoadLocation(want)
			if err != nil {
				t.Fatal(err)
			}
			if len(o.trials) != 1 || o.trials[0].at.In(at).Hour() < 2 || o.trials[0].at.In(at).Hour() >= 5 {
				t.Errorf("%q, then %q: %+v", c.zone, c.then, o.trials)
			}
		})
	}
}

// Where somebody is on the phone all night, queues take nobody new near the end of the window, if the owner wants that;
// and not before, nor after.
func TestNearTheEndOfTheWindowQueuesTakeNobodyNew(t *testing.T) {
	for _, minutes := range []int{0, 30} {
		in(t, func(t *testing.T, o *office) {
			o.release("2.0.0")
			o.busy = fit.Busy{Calls: 1}
			o.live(24*time.Hour, func(s remote.State) bool {
				next := s.Settings
				next.Drain = minutes
				return s.Phase == slot.Waiting && o.u.Set(t.Context(), next) == nil
			})
			o.live(48*time.Hour, nil)
			if (len(o.drained) == 0) != (minutes == 0) {
				t.Errorf("with %d minutes queues drained %d times", minutes, len(o.drained))
			}
			last := time.Time{}
			for _, at := range o.drained {
				if at.Hour() != 4 || at.Minute() < 30 {
					t.Fatalf("they drain at %v", at)
				}
				if gap := at.Sub(last); gap > 15*time.Second && gap < time.Hour {
					t.Errorf("they take callers again for a moment, %v after they were told", gap)
				}
				last = at
			}
			if len(o.trials) != 0 {
				t.Errorf("a call was cut: %+v", o.trials)
			}
		})
	}
}

// A hole in its security that has been open for too long is closed although somebody is on the phone, if the owner has
// said so beforehand; and never while somebody calls for help.
func TestARestartEndsCallsOnlyWhereTheOwnerWantsItAndNeverOneForHelp(t *testing.T) {
	for _, c := range []struct {
		allowed bool
		busy    fit.Busy
		tried   bool
	}{
		{false, fit.Busy{Calls: 1}, false},
		{true, fit.Busy{Calls: 1, Waiting: 1}, true},
		{true, fit.Busy{Calls: 2, Emergency: 1}, false},
	} {
		in(t, func(t *testing.T, o *office) {
			o.release("2.0.0", func(m *release.Manifest) {
				m.Severity, m.Deadline = release.Security, o.now().Add(-100*time.Hour)
			})
			o.busy = c.busy
			o.live(24*time.Hour, func(s remote.State) bool {
				next := s.Settings
				next.EndCalls = c.allowed
				return s.Enabled && o.u.Set(t.Context(), next) == nil
			})
			o.live(48*time.Hour, ended)
			if (len(o.trials) == 1) != c.tried {
				t.Errorf("%+v: %+v", c, o.trials)
			}
			for _, w := range o.wishes {
				if w.EndCalls && !c.allowed {
					t.Errorf("%+v: the exchange is told to end calls", c)
				}
			}
		})
	}
}

// A release that is given up may be good enough for who calls for help now: the way back waits for that.
func TestTheWayBackCutsNobodyOffWhoCallsForHelp(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		o.unfit["2.0.0"] = fit.Check{Name: fit.CheckPage, Words: "it does not answer"}
		o.boots = func(try bool) {
			if try {
				o.busy = fit.Busy{Calls: 1, Emergency: 1}
			}
		}
		o.live(48*time.Hour, func(remote.State) bool { return len(o.trials) == 1 })
		if s := o.live(5*time.Minute, ended); s.Last != nil || o.runs() != "2.0.0" {
			t.Fatalf("it went back: %+v", s)
		}
		o.with(func() { o.busy = fit.Busy{Calls: 1} })
		if s := o.live(time.Minute, ended); s.Last == nil || s.Last.Result != "back" || o.runs() != "1.0.0" {
			t.Errorf("it stays: %+v", s)
		}
	})
}

func TestWhereCallsOutliveARestartNothingIsPromised(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.outlive = true
		o.release("2.0.0")
		o.live(48*time.Hour, ended)
		if len(o.wishes) != 0 || len(o.trials) != 1 {
			t.Errorf("it promises %+v, %+v", o.wishes, o.trials)
		}
	})
}
