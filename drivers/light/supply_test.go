package light

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
)

func lit(l *lightsim.Light) bool { return l.Level().Brightness > 0 }

func TestASupplyIsCutForItsTimeAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := lightsim.New("power-gsm0")
		s, err := OpenSupply(func() (lamp.Light, error) { return pin, nil }, 3*time.Second)
		if err != nil || lit(pin) {
			t.Fatalf("%v, cut %v before anything was asked", err, lit(pin))
		}
		var port line.Supply = s
		for range 2 {
			over := make(chan error)
			start := time.Now()
			go func() { over <- port.Cycle(t.Context()) }()
			time.Sleep(3*time.Second - time.Millisecond)
			synctest.Wait()
			if !lit(pin) {
				t.Error("the modem has its supply back too early")
			}
			if err := <-over; err != nil || lit(pin) || time.Since(start) != 3*time.Second {
				t.Errorf("%v, cut %v after %v", err, lit(pin), time.Since(start))
			}
		}
		if err := errors.Join(port.Close(), port.Close()); err != nil {
			t.Error(err)
		}
		if err := port.Cycle(t.Context()); !errors.Is(err, ErrClosed) || lit(pin) {
			t.Errorf("after Close: %v, cut %v", err, lit(pin))
		}
	})
}

func TestAModemHasItsSupplyWhenNobodyWaitsForItsRestartAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := lightsim.New("power-gsm0")
		s, err := OpenSupply(func() (lamp.Light, error) { return pin, nil }, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error)
		go func() { over <- s.Cycle(ctx) }()
		synctest.Wait()
		if !lit(pin) {
			t.Error("the supply was not cut")
		}
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		stop()
		if err := <-over; !errors.Is(err, context.Canceled) || lit(pin) {
			t.Errorf("%v, cut %v", err, lit(pin))
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

func TestAPinThatIsNotThereIsAFaultWithANameAndIsLookedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin, missing := lightsim.New("power-gsm0"), errors.New("no GPIO chip with label \"pinctrl-rp1\"")
		there := false
		s, err := OpenSupply(func() (lamp.Light, error) {
			if !there {
				return nil, missing
			}
			return pin, nil
		}, time.Second)
		if !errors.Is(err, missing) {
			t.Errorf("opened with %v", err)
		}
		if err := s.Cycle(t.Context()); !errors.Is(err, missing) {
			t.Errorf("cut with %v", err)
		}
		there = true
		if err := s.Cycle(t.Context()); err != nil || lit(pin) {
			t.Errorf("%v, cut %v", err, lit(pin))
		}
		if n := len(pin.Transitions()); n != 2 {
			t.Errorf("the pin was changed %d times, want to active and back", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// stubborn is an output that cannot be made dark.
type stubborn struct {
	*lightsim.Light
	dark bool // it can
}

func (l *stubborn) Set(v lamp.Level) error {
	if v.Brightness == 0 && !l.dark {
		return errors.New("input/output error")
	}
	return l.Light.Set(v)
}

func TestASupplyThatDoesNotComeBackIsToldAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		s, err := OpenSupply(func() (lamp.Light, error) {
			opened++
			return &stubborn{Light: lightsim.New("power-gsm0"), dark: opened > 1}, nil
		}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Cycle(t.Context()); err == nil {
			t.Error("a supply that stays away is told as given back")
		}
		if err := s.Cycle(t.Context()); err != nil || opened != 2 {
			t.Errorf("the next try: %v, with the pin taken %d times", err, opened)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
