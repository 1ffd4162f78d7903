package gsm_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// eachModel runs f in virtual time with a line of every family, in service.
func eachModel(t *testing.T, edit func(*gsmsim.Config, *gsm.Config), f func(t *testing.T, d *desk)) {
	models := map[string]string{"SIM7600": "SIMCOM_SIM7600E-H"}
	for name, m := range families {
		models[name] = m.model
	}
	for name, kind := range models {
		t.Run(name, bubble(func(t *testing.T) {
			d := newDesk(t, func(s *gsmsim.Config, g *gsm.Config) {
				if s.Model = kind; edit != nil {
					edit(s, g)
				}
			})
			if !d.until(serviceBar, func() bool { return d.up }) {
				t.Fatalf("never in service: %+v", d.status)
			}
			f(t, d)
		}))
	}
}

// loses lets every unsolicited line be lost from now on.
func (d *desk) loses() {
	d.sim.SetFaults(func(f *gsmsim.Faults) { f.LosePrefix = gsmsim.All })
}

func TestACallerWhoseRINGIsLostIsFoundInTheListOfCalls(t *testing.T) {
	eachModel(t, nil, func(t *testing.T, d *desk) {
		d.loses()
		start := time.Now()
		if err := d.sim.Ring("+393331234567"); err != nil {
			t.Fatal(err)
		}
		if !d.until(time.Minute, func() bool { return d.begun == 1 }) {
			t.Fatal("the caller is not noticed")
		}
		if took := time.Since(start); took > 7*time.Second {
			t.Errorf("the caller is noticed after %v", took)
		}
		if !d.until(time.Minute, func() bool { return d.answered == 1 }) {
			t.Error("the caller is not answered")
		}
	})
}

func TestACallWhoseEndIsLostIsNoZombie(t *testing.T) {
	eachModel(t, nil, func(t *testing.T, d *desk) {
		if err := d.sim.Ring("+393331234567"); err != nil {
			t.Fatal(err)
		}
		if !d.until(time.Minute, func() bool { return d.answered == 1 }) {
			t.Fatal("the caller is not answered")
		}
		d.loses()
		start := time.Now()
		if err := d.sim.RemoteHangup(); err != nil {
			t.Fatal(err)
		}
		if !d.until(time.Minute, func() bool { return d.ended == 1 }) {
			t.Fatal("the call goes on for ever")
		}
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("the end is noticed after %v", took)
		}
	})
}

func TestACallerIsHeardWhenAnotherProgramHasRenamedRING(t *testing.T) {
	eachModel(t, nil, func(t *testing.T, d *desk) {
		if err := d.sim.Meddle("+CRC", "1"); err != nil { // as ModemManager does
			t.Fatal(err)
		}
		start := time.Now()
		if err := d.sim.Ring(""); err != nil {
			t.Fatal(err)
		}
		if !d.until(time.Minute, func() bool { return d.begun == 1 }) || time.Since(start) > 2*time.Second {
			t.Errorf("the caller is noticed after %v", time.Since(start))
		}
		_ = d.sim.RemoteHangup()
		d.until(time.Minute, func() bool { return d.ended == 1 })
	})
}

func TestARestartThatTheModemDoesNotTellIsNoticedByItsEcho(t *testing.T) {
	eachModel(t, nil, func(t *testing.T, d *desk) {
		before := d.sim.Settings()
		d.loses()
		if err := d.sim.Restart(); err != nil {
			t.Fatal(err)
		}
		if !d.until(20*time.Second, func() bool { return !d.up }) {
			t.Fatal("nobody noticed")
		}
		if !d.until(serviceBar, func() bool { return d.up }) {
			t.Fatalf("never again in service: %+v", d.status)
		}
		if after := d.sim.Settings(); !maps.Equal(before, after) {
			t.Errorf("before %v\nafter  %v", before, after)
		}
	})
}

func TestAUSBModemIsKeptAwakeEachTimeItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		woken := make(chan string, 8)
		d := newDesk(t, func(_ *gsmsim.Config, g *gsm.Config) {
			g.Locate = func() ([]gsm.Ports, error) { return []gsm.Ports{{Command: "at", Audio: "pcm", Device: "1-1.2"}}, nil }
			g.Awake = func(device string) error { woken <- device; return nil }
		})
		for n := range 2 {
			if !d.until(serviceBar, func() bool { return d.up }) {
				t.Fatalf("never in service: %+v", d.status)
			}
			if got := len(woken); got != n+1 {
				t.Errorf("it was woken %d times in %d stays", got, n+1)
			}
			if err := d.sim.Replug(); err != nil {
				t.Fatal(err)
			}
			d.until(serviceBar, func() bool { return !d.up })
		}
	})
}

func TestFirmwareThatIsKnownForSilentCallsIsNamedAndServesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Firmware = "LE20B06SIM7600M22" })
		if !d.until(serviceBar, func() bool { return d.up }) {
			t.Fatalf("never in service: %+v", d.status)
		}
		if d.status.Cause != tel.LineBadFirmware {
			t.Errorf("the page says %q", d.status.Cause)
		}
		if h := d.line.Health(); h.Firmware != "LE20B06SIM7600M22" {
			t.Errorf("the support bundle says %q", h.Firmware)
		}
		if took := d.served(t, time.Minute); took > 10*time.Second {
			t.Errorf("a caller waits %v", took)
		}
	})
}

// Fifty calls in a row, in both directions: what is left of one must not be the fault of another.
func TestFiftyCallsLeaveNothingBehind(t *testing.T) {
	eachModel(t, nil, func(t *testing.T, d *desk) {
		for n := 1; n <= 50; n += 2 {
			if err := d.sim.Ring("+393331234567"); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
			if !d.until(time.Minute, func() bool { return d.answered == uint64(n) }) {
				t.Fatalf("call %d is not answered", n)
			}
			if err := d.sim.RemoteHangup(); err != nil {
				t.Fatal(err)
			}
			if !d.until(time.Minute, func() bool { return d.ended == n }) {
				t.Fatalf("call %d does not end", n)
			}
			if err := d.line.Dial(t.Context(), "0612345678"); err != nil {
				t.Fatalf("call %d: %v", n+1, err)
			}
			time.Sleep(time.Second)
			if err := d.sim.RemoteAnswer(); err != nil {
				t.Fatalf("call %d: %v", n+1, err)
			}
			if !d.until(time.Minute, func() bool { return d.answered == uint64(n)+1 }) {
				t.Fatalf("call %d is not connected", n+1)
			}
			if err := d.line.Hangup(t.Context(), tel.CauseNormal); err != nil {
				t.Fatal(err)
			}
			if !d.until(time.Minute, func() bool { return d.ended == n+1 }) {
				t.Fatalf("call %d does not end", n+1)
			}
		}
		if _, err := d.line.Media(); err == nil {
			t.Error("a call's sound is left")
		}
		if h := d.line.Health(); h.Resets != 0 || h.Losses != 0 || h.SoundFailures != 0 || h.UnknownLines != 0 {
			t.Errorf("health %+v", h)
		}
		if d.begun != 50 || d.ended != 50 {
			t.Errorf("%d began, %d ended", d.begun, d.ended)
		}
	})
}
