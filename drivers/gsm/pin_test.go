package gsm_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestEveryFamilyTriesItsPINOnceAndNeverTheLastTime(t *testing.T) {
	models := map[string]string{"SIM7600": "SIMCOM_SIM7600E-H"}
	for name, f := range families {
		models[name] = f.model
	}
	for name, kind := range models {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pins := &pinMemory{tried: map[string]bool{}}
				wrong := func(pin string) func(*gsmsim.Config, *gsm.Config) {
					return func(s *gsmsim.Config, g *gsm.Config) { s.Model, s.PIN, g.PIN, g.PINs = kind, "4711", pin, pins }
				}
				d := newDesk(t, wrong("0000"))
				if !d.until(serviceBar, func() bool { return d.status.Cause == tel.LineWrongPIN }) {
					t.Fatalf("the page says %q", d.status.Cause)
				}
				for range 5 { // neither a crash of the modem nor hours of waiting is a reason for another try
					if err := d.sim.Restart(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
				}
				if left := d.sim.PINTries(); left != 2 || pins.count() != 1 {
					t.Errorf("%d tries are left after %d", left, pins.count())
				}
				if d.status.Cause != tel.LineWrongPIN {
					t.Errorf("the page says %q", d.status.Cause)
				}
			})
		})
	}
}

func TestTheLastTryIsLeftToAPerson(t *testing.T) {
	for left := range 4 {
		t.Run(fmt.Sprintf("%d left", left), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pins := &pinMemory{tried: map[string]bool{}}
				d := newDesk(t, func(s *gsmsim.Config, g *gsm.Config) {
					s.PIN, s.PINTries, g.PIN, g.PINs = "4711", left, "4711", pins
					if left == 0 {
						s.PINTries = -1 // locked
					}
				})
				want := map[int]tel.LineCause{0: tel.LineSIMPUK, 1: tel.LineWrongPIN, 2: tel.LineOK, 3: tel.LineOK}[left]
				if !d.until(time.Minute, func() bool { return d.status.Cause == want }) {
					t.Errorf("the page says %q, want %q", d.status.Cause, want)
				}
				time.Sleep(time.Hour)
				if tried := pins.count() > 0; tried != (left >= 2) {
					t.Errorf("tried: %v", tried)
				}
			})
		})
	}
}

func TestAPINThatIsTriedBelongsToTheSIMInWhateverModem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pins := &pinMemory{tried: map[string]bool{}}
		for _, imei := range []string{"860000000000001", "860000000000002"} {
			d := newDesk(t, func(s *gsmsim.Config, g *gsm.Config) { s.IMEI, s.PIN, g.PIN, g.PINs = imei, "4711", "0000", pins })
			if !d.until(serviceBar, func() bool { return d.status.Cause == tel.LineWrongPIN }) {
				t.Errorf("the page says %q", d.status.Cause)
			}
		}
		if pins.count() != 1 {
			t.Errorf("the SIM's PIN was tried %d times", pins.count())
		}
	})
}
