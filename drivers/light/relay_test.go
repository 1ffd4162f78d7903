package light

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/lamp"
)

func TestARelayIsSwitchedFourTimesASecondAtMostAndEndsWhereItWasWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		out := lightsim.New("siren")
		r := OnRelay(out)
		start := time.Now()
		var last lamp.Level
		for range 2000 {
			last = lamp.Level{Brightness: uint8(random.IntN(2) * 255)}
			if err := r.Set(last); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if out.Level() != last {
			t.Errorf("it shows %+v, wanted was %+v", out.Level(), last)
		}
		all := out.Transitions()
		for i := 1; i < len(all); i++ {
			if d := all[i].At.Sub(all[i-1].At); d < 250*time.Millisecond {
				t.Fatalf("switched twice within %v", d)
			}
		}
		if n := len(all); n < 300 || time.Since(start) < 100*time.Second {
			t.Errorf("only %d switchings in %v: nothing was tried", n, time.Since(start))
		}
		if err := errors.Join(r.Set(lamp.Level{Brightness: 255}), r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if out.Level() != (lamp.Level{}) || !errors.Is(r.Set(last), ErrClosed) {
			t.Errorf("after Close it shows %+v", out.Level())
		}
	})
}

func TestARelayThatCouldNotBeSwitchedLaterSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := lightsim.New("siren")
		r := OnRelay(out)
		lit := lamp.Level{Brightness: 255}
		if err := errors.Join(r.Set(lit), r.Set(lamp.Level{})); err != nil { // the second one comes too soon
			t.Fatal(err)
		}
		broken := errors.New("the cable is out")
		out.Fail(broken)
		time.Sleep(time.Second)
		synctest.Wait()
		if err := r.Set(lamp.Level{}); !errors.Is(err, broken) || out.Level() != lit {
			t.Fatalf("%v, and it shows %+v", err, out.Level())
		}
		out.Fail(nil)
		if err := r.Set(lamp.Level{}); err != nil || out.Level() != (lamp.Level{}) {
			t.Errorf("%v, and it shows %+v", err, out.Level())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
