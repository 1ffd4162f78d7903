package gsm_test

import (
	"errors"
	"fmt"
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

func TestLineIsInServiceAgainWithin40SecondsOfEveryFault(t *testing.T) {
	for _, f := range gsmsim.Catalogue() {
		for _, inCall := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s in a call %v", f.Name, inCall), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDesk(t, nil)
					took := struckLine(t, d, f, inCall)
					t.Logf("%v", took)
					if took > serviceBar {
						t.Errorf("a caller gets through after %v", took)
					}
				})
			})
		}
	}
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
