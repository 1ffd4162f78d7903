package fxo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim/farend"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// flashed has the line flash, and wants the exchange to have recognised it.
func flashed(t *testing.T, m *fxo.Modem, far *farend.End) {
	t.Helper()
	if err := m.Flash(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-far.Recalls():
	case <-time.After(time.Second):
		t.Fatal("the exchange recognised no flash")
	}
}

// hears wants the box to hear a tone of hz within three seconds.
func hears(t *testing.T, media line.Media, hz float64) {
	t.Helper()
	var f line.Frame
	var last [4 * line.FrameSamples]int16
	for range 150 {
		time.Sleep(20 * time.Millisecond) // the clock of who calls Media
		media.ReadFrame(&f)
		copy(last[:], last[line.FrameSamples:])
		copy(last[len(last)-line.FrameSamples:], f[:])
		if level := dsp.Level(last[:]); level > -30 && dsp.ToneLevel(last[:], hz) > level-2 {
			return
		}
	}
	t.Errorf("%v Hz are not heard", hz)
}

// A second caller is taken with R and 2, and left again, whatever modem makes the flash.
func TestSecondCallerIsTakenByAFlash(t *testing.T) {
	const first, second = 700.0, 1150.0
	for _, c := range []struct {
		name string
		edit func(*fxosim.Config, *fxo.Config)
	}{
		{"Conexant, whose own flash is Italian", nil},
		{"Silicon Labs, which is told how long", func(s *fxosim.Config, _ *fxo.Config) { s.Family = fxosim.SiliconLabs() }},
		{"a modem whose own flash is an American one", func(s *fxosim.Config, _ *fxo.Config) { s.Family = american() }},
		{"a modem without a flash", func(s *fxosim.Config, _ *fxo.Config) {
			s.Family = fxosim.Conexant()
			s.Family.Flash = 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.edit, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				far.Speak(first)
				media := connect(t, m, far)
				hears(t, media, first)
				if err := far.Wait(second); err != nil {
					t.Fatal(err)
				}
				flashed(t, m, far)
				hears(t, media, 425)
				if err := m.SendDTMF(t.Context(), "2"); err != nil {
					t.Fatal(err)
				}
				hears(t, media, second)
				time.Sleep(time.Minute) // the exchange's register is closed, and its tones end calls again
				flashed(t, m, far)
				if err := m.SendDTMF(t.Context(), "1"); err != nil {
					t.Fatal(err)
				}
				hears(t, media, first)
				far.Speak(0)
				time.Sleep(30 * time.Second)
				hangsUp(t, m, far)
			})
		})
	}
}

func american() fxosim.Family {
	f := fxosim.Conexant()
	f.Flash = 600
	return f
}

// What an agent may cost is decided by the box: behind a flash an exchange would dial whatever it is told.
func TestOneDigitFollowsAFlashUnlessTheLineIsForMore(t *testing.T) {
	for _, c := range []struct {
		name string
		rule fxo.Recall
		more error
	}{
		{"a line with a second caller", fxo.RecallSwitch, line.ErrRefused},
		{"Centrex", fxo.RecallDial, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(_ *fxosim.Config, f *fxo.Config) { f.Recall = c.rule }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				connect(t, m, far)
				flashed(t, m, far)
				if err := m.SendDTMF(t.Context(), "899"); !errors.Is(err, c.more) {
					t.Errorf("three digits at once: %v", err)
				}
				if err := m.SendDTMF(t.Context(), "8"); c.more != nil && err != nil {
					t.Errorf("the first digit: %v", err)
				}
				if err := m.SendDTMF(t.Context(), "9"); !errors.Is(err, c.more) {
					t.Errorf("another digit: %v", err)
				}
				flashed(t, m, far) // back, from the congestion tone
				talks(t, answerOf(t, m), far)
				hangsUp(t, m, far)
			})
		})
	}
}

func answerOf(t *testing.T, m *fxo.Modem) line.Media {
	t.Helper()
	media, err := m.Media()
	if err != nil {
		t.Fatal(err)
	}
	return media
}

// Somebody who flashes without need loses nothing but a moment, and the line is not held for ever.
func TestExchangeThatIsAskedForNothingEndsTheCall(t *testing.T) {
	bubble(t, nil, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		connect(t, m, far)
		flashed(t, m, far) // and nobody dials: the exchange's tone goes on
		began := time.Now()
		e := await(t, m, line.Ended, nil)
		if took := time.Since(began); took < 19*time.Second || took > 40*time.Second {
			t.Errorf("ended as %v after %v", e.Cause, took)
		}
		if far.OffHook() {
			t.Error("the line is still held")
		}
	})
}

func TestFlashOfALineThatHasNoneSaysSo(t *testing.T) {
	bubble(t, func(_ *fxosim.Config, f *fxo.Config) { f.Recall = fxo.RecallOff }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		media := connect(t, m, far)
		if err := m.Flash(t.Context()); !errors.Is(err, line.ErrNoSupport) || m.Caps().Flash {
			t.Errorf("flash: %v, %+v", err, m.Caps())
		}
		talks(t, media, far)
	})
}

// A flash that fails leaves no line behind that nobody hears.
func TestModemThatDoesNotComeBackFromAFlashFreesTheLine(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*fxosim.Faults)
	}{
		{"it does not seize the line again", func(f *fxosim.Faults) { f.RefuseDial = true }},
		{"it gives no sound again", func(f *fxosim.Faults) { f.NoDuplex = true }},
		{"it falls silent", func(f *fxosim.Faults) { f.Mute = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Family = american() }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				connect(t, m, far)
				far.SetFaults(c.fault)
				if err := m.Flash(t.Context()); err == nil {
					t.Error("no word of it")
				}
				await(t, m, line.Ended, nil)
				far.SetFaults(func(f *fxosim.Faults) { *f = fxosim.Faults{} })
				if !m.Caps().FullDuplex {
					return // it cannot what its family can
				}
				await(t, m, line.Status, inService)
			})
		})
	}
}
