package gsm_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// serviceBar is the time in which a line has to be in service again after every fault.
const serviceBar = 40 * time.Second

// struckLine lets a fault befall a line and returns how long after its end the next caller is served. A
// fault that lasts is healed after half a minute, unless the modem's restart cures it: that is the driver's
// part.
func struckLine(t testing.TB, d *desk, f gsmsim.Fault, inCall bool) time.Duration {
	t.Helper()
	if !d.until(serviceBar, func() bool { return d.up }) {
		t.Fatalf("never in service: %+v", d.status)
	}
	if inCall {
		if err := d.sim.Ring("+393331234567"); err != nil {
			t.Fatal(err)
		}
		if !d.until(time.Minute, func() bool { return d.answered == 1 }) {
			t.Fatal("the call was not answered")
		}
		time.Sleep(3 * time.Second)
	}
	err := d.sim.Strike(f.Name, "")
	if err != nil && !errors.Is(err, gsmsim.ErrNoCall) {
		t.Fatal(err)
	}
	switch {
	case f.Cured: // the driver has to find out that a restart is due
		time.Sleep(10 * time.Second)
		_ = d.line.Hangup(t.Context(), tel.CauseNormal)
	case f.Lasts:
		time.Sleep(30 * time.Second)
		_ = d.sim.RemoteHangup() // who talked does not do so for ever
		if err := d.sim.Heal(f.Name); err != nil {
			t.Fatal(err)
		}
	case inCall:
		time.Sleep(time.Second)
		_ = d.sim.RemoteHangup()
	}
	return d.served(t, 2*time.Minute)
}

// In the time between the end of a fault and the next caller who is served, a line has to be in service again,
// and the sound has to be good both ways. The lines "figure:" are what make bench-lines prints.
func TestLineIsInServiceAgainWithin40SecondsOfEveryFault(t *testing.T) {
	worst := time.Duration(0)
	for _, f := range gsmsim.Catalogue() {
		var took [2]time.Duration
		for i, when := range []string{"while it is idle", "in a call"} {
			t.Run(f.Name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					took[i] = struckLine(t, newDesk(t, nil), f, i == 1)
					if took[i] > serviceBar {
						t.Errorf("a caller gets through after %v", took[i])
					}
				})
			})
			worst = max(worst, took[i])
		}
		t.Logf("figure: serves again after %-16s %5.1f s while idle, %5.1f s in a call", f.Name, took[0].Seconds(), took[1].Seconds())
	}
	t.Logf("figure: serves again after the worst      %5.1f s (bar %v)", worst.Seconds(), serviceBar)
}

func TestCallerWhomNobodyAnswersIsRefusedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil)
		d.answers.Store(false)
		d.until(serviceBar, func() bool { return d.up })
		if err := d.sim.Ring("+393331234567"); err != nil {
			t.Fatal(err)
		}
		if !d.until(4*time.Minute, func() bool { return d.ended == 1 }) {
			t.Error("it rings for ever")
		}
		if err := d.sim.RemoteHangup(); !errors.Is(err, gsmsim.ErrNoCall) {
			t.Errorf("the network still has the call: %v", err)
		}
	})
}
