package fxo_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim/farend"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const caller = "0551234567"

func causeIs(c tel.LineCause) func(line.Event) bool {
	return func(e line.Event) bool { return e.Status.Cause == c }
}

// connect brings a caller to Connected.
func connect(t *testing.T, m *fxo.Modem, far *farend.End) line.Media {
	t.Helper()
	await(t, m, line.Status, inService)
	return answer(t, m, far)
}

func answer(t *testing.T, m *fxo.Modem, far *farend.End) line.Media {
	t.Helper()
	if err := far.Ring(caller); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Incoming, nil)
	if err := m.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Connected, nil)
	media, err := m.Media()
	if err != nil {
		t.Fatal(err)
	}
	return media
}

// hangsUp has the far end hang up, and wants the line to see it.
func hangsUp(t *testing.T, m *fxo.Modem, far *farend.End) {
	t.Helper()
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	if e := await(t, m, line.Ended, nil); e.Cause != tel.CauseNormal {
		t.Errorf("ended as %v", e.Cause)
	}
	if far.OffHook() {
		t.Error("the line is still held")
	}
}

// talks lets both ends hear each other.
func talks(t *testing.T, media line.Media, far *farend.End) {
	t.Helper()
	if err := linetest.BothWays(media, far); err != nil {
		t.Error(err)
	}
}

func TestFaultOfTheLineIsNamedAndGoesAway(t *testing.T) {
	for _, c := range []struct {
		name   string
		family fxosim.Family
		fault  func(f *fxosim.Faults, on bool)
		cause  tel.LineCause
		up     bool
	}{
		{"no voltage", fxosim.Conexant(), func(f *fxosim.Faults, on bool) { f.NoVoltage = on }, tel.LineNoVoltage, false},
		{"no voltage, told by a register", fxosim.SiliconLabs(), func(f *fxosim.Faults, on bool) { f.NoVoltage = on }, tel.LineNoVoltage, false},
		{"another telephone is off its hook", fxosim.Conexant(), func(f *fxosim.Faults, on bool) { f.StuckOffHook = on }, tel.LineOffHook, false},
		{"the wires are exchanged", fxosim.SiliconLabs(), func(f *fxosim.Faults, on bool) { f.Reversed = on }, tel.LineReversed, true},
		{"the modem answers nothing", fxosim.Conexant(), func(f *fxosim.Faults, on bool) { f.Mute = on }, tel.LineModemMute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Family = c.family }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				await(t, m, line.Status, inService)
				far.SetFaults(func(f *fxosim.Faults) { c.fault(f, true) })
				if e := await(t, m, line.Status, causeIs(c.cause)); e.Status.Up != c.up {
					t.Errorf("up is %v", e.Status.Up)
				}
				if !c.up {
					if err := m.Dial(t.Context(), "0612345678"); !errors.Is(err, line.ErrDown) {
						t.Errorf("dial: %v", err)
					}
				}
				far.SetFaults(func(f *fxosim.Faults) { c.fault(f, false) })
				await(t, m, line.Status, causeIs(tel.LineOK))
				talks(t, answer(t, m, far), far)
				hangsUp(t, m, far)
			})
		})
	}
}

// The modem itself is the wrong one: the page says so, and the port is left to others.
func TestModemThatCannotServeIsNamedAndItsPortFreed(t *testing.T) {
	for _, c := range []struct {
		name   string
		family fxosim.Family
		chip   string
		cause  tel.LineCause
		holds  bool // it stays open: it may tell of rings
	}{
		{"data and fax only", fxosim.DataOnly(), "", tel.LineNoVoice, false},
		{"another chip than configured", fxosim.SiliconLabs(), "CX93001", tel.LineOtherModem, false},
		{"USR, which plays or listens", fxosim.USR5637(), "", tel.LineHalfDuplex, true},
		{"Rockwell, before V.253", fxosim.Rockwell(), "", tel.LineHalfDuplex, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var bus *wire.Bus
			bubble(t, func(s *fxosim.Config, f *fxo.Config) {
				s.Family, f.Chip, bus = c.family, c.chip, f.Bus.(*wire.Bus)
			}, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				if e := await(t, m, line.Status, causeIs(c.cause)); e.Status.Up {
					t.Error("in service")
				}
				if err := m.Dial(t.Context(), "0612345678"); !errors.Is(err, line.ErrDown) {
					t.Errorf("dial: %v", err)
				}
				synctest.Wait()
				port, err := bus.OpenCommand("modem0")
				if errors.Is(err, serialport.ErrInUse) != c.holds {
					t.Errorf("another program opens the port: %v", err)
				}
				if err == nil {
					_ = port.Close()
				}
				if c.holds != !m.Caps().FullDuplex {
					t.Errorf("caps %+v", m.Caps())
				}
				if c.holds {
					return
				}
				if err := errors.Join(far.Unplug(), far.SetFamily(fxosim.Conexant()), far.Plug()); err != nil {
					t.Fatal(err)
				}
				await(t, m, line.Status, inService) // the right one, in the same socket
			})
		})
	}
}

func TestCallThatAnotherTelephoneAnswersEndsAsThat(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*fxosim.Config, *fxo.Config)
	}{
		{"the modem tells of it", nil},
		{"only the voltage tells", func(s *fxosim.Config, _ *fxo.Config) { s.Family = fxosim.SiliconLabs(); s.Family.Class8 = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.edit, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				await(t, m, line.Status, inService)
				far.SetFaults(func(f *fxosim.Faults) { f.Shared = true })
				if err := far.Ring(caller); err != nil {
					t.Fatal(err)
				}
				await(t, m, line.Incoming, nil)
				if e := await(t, m, line.Ended, nil); e.Cause != tel.CauseAnsweredElsewhere {
					t.Errorf("ended as %v", e.Cause)
				}
				if e := await(t, m, line.Status, causeIs(tel.LineShared)); !e.Status.Up {
					t.Error("out of service")
				}
				if err := far.Hangup(); err != nil {
					t.Fatal(err)
				}
				far.SetFaults(func(f *fxosim.Faults) { f.Shared = false })
				answer(t, m, far)
				await(t, m, line.Status, causeIs(tel.LineOK)) // this one was ours
			})
		})
	}
}

func TestStreamCutInsideADLEPairIsAFaultOfTheSound(t *testing.T) {
	bubble(t, nil, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		connect(t, m, far)
		far.SetFaults(func(f *fxosim.Faults) { f.CutInPair = true })
		if e := await(t, m, line.Ended, nil); e.Cause != tel.CauseInterfaceFailure {
			t.Errorf("ended as %v", e.Cause)
		}
		await(t, m, line.Status, causeIs(tel.LineAudioFault))
		far.SetFaults(func(f *fxosim.Faults) { f.CutInPair = false })
		await(t, m, line.Status, inService)
		if far.OffHook() {
			t.Error("the line is still held")
		}
		talks(t, answer(t, m, far), far)
		hangsUp(t, m, far)
	})
}

// What the modem gets wrong ends no call, and the end of the call is seen all the same.
func TestCallOutlivesTheQuirksOfItsModem(t *testing.T) {
	for _, c := range []struct {
		name string
		f    fxosim.Faults
	}{
		{"it never reports the busy tone", fxosim.Faults{MissingBusy: true}},
		{"it reports what never happened", fxosim.Faults{Spurious: true}},
		{"it loses sound and says so", fxosim.Faults{Underruns: true}},
		{"its bytes come one by one", fxosim.Faults{Split: true}},
		{"damage looks like the end of the sound", fxosim.Faults{FalseEnd: true}},
		{"it does not hear the first two ways to end the sound", fxosim.Faults{DeafEnds: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				media := connect(t, m, far)
				far.SetFaults(func(f *fxosim.Faults) { *f = c.f })
				far.Speak(700)
				time.Sleep(time.Minute)
				for len(m.Events()) > 0 {
					if e := <-m.Events(); e.Kind == line.Ended {
						t.Fatalf("the call ended as %v; health %+v", e.Cause, m.Health())
					}
				}
				talks(t, media, far)
				hangsUp(t, m, far)
			})
		})
	}
}

func TestLeadGrowsUntilTheModemRunsDryNoMore(t *testing.T) {
	bubble(t, func(s *fxosim.Config, _ *fxo.Config) {
		s.Family.Queue = 0
		s.Family = fxosim.Conexant()
		s.Family.Queue = 400
	},
		func(t *testing.T, m *fxo.Modem, far *farend.End) {
			media := connect(t, m, far)
			far.SetFaults(func(f *fxosim.Faults) { f.Underruns = true })
			time.Sleep(20 * time.Second)
			far.SetFaults(func(f *fxosim.Faults) { f.Underruns = false })
			time.Sleep(time.Second)
			talks(t, media, far)
			if m.Health().Complaints == 0 {
				t.Error("no complaint was counted")
			}
		})
}

func TestNumberComesInEveryForm(t *testing.T) {
	for _, c := range []struct {
		name, number string
		f            fxosim.Faults
		want         tel.Number
	}{
		{"formatted", caller, fxosim.Faults{}, "+39" + caller},
		{"in hexadecimal", caller, fxosim.Faults{RawID: true}, "+39" + caller},
		{"withheld, in hexadecimal", "", fxosim.Faults{RawID: true}, ""},
		{"not at all", caller, fxosim.Faults{NoID: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				await(t, m, line.Status, inService)
				far.SetFaults(func(f *fxosim.Faults) { *f = c.f })
				if err := far.Ring(c.number); err != nil {
					t.Fatal(err)
				}
				if e := await(t, m, line.Incoming, nil); e.Number != c.want {
					t.Errorf("number %q", e.Number)
				}
			})
		})
	}
}

func TestLineWithoutADialToneRefusesAndSaysWhy(t *testing.T) {
	mute := fxosim.Conexant()
	mute.Volts, mute.Answers["+FMI?"], mute.Answers["+GMI"], mute.Answers["+GMR"], mute.Answers["+FMR?"], mute.Answers["I3"] = nil, "ACME", "ACME", "1", "1", "ACME"
	bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Family = mute }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		await(t, m, line.Status, inService)
		far.SetFaults(func(f *fxosim.Faults) { f.NoVoltage = true })
		if err := m.Dial(t.Context(), "0612345678"); !errors.Is(err, line.ErrRefused) {
			t.Errorf("dial: %v", err)
		}
		if e := await(t, m, line.Status, causeIs(tel.LineNoVoltage)); !e.Status.Up {
			t.Error("without a voltmeter only the next call can tell that the line is back")
		}
		if far.OffHook() {
			t.Error("the line is still held")
		}
		far.SetFaults(func(f *fxosim.Faults) { f.NoVoltage = false })
		time.Sleep(2 * time.Second)
		if err := m.Dial(t.Context(), "0612345678"); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Status, causeIs(tel.LineOK))
	})
}

func TestEmergencyCallIsDialledWithoutADialTone(t *testing.T) {
	bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Line.DialDelay = 60000 }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		await(t, m, line.Status, inService)
		if err := m.Dial(t.Context(), "112"); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Proceeding, nil)
		if n := <-far.Dialed(); n != "112" {
			t.Errorf("dialled %q", n)
		}
	})
}

// An exchange that says nothing at all when the far end goes: only its silence tells.
func TestSilentFarEndIsGoneInTheEnd(t *testing.T) {
	bubble(t, func(s *fxosim.Config, f *fxo.Config) {
		s.Line.Supervision, f.Timing.Silence = fxosim.BySilence, time.Minute
	},
		func(t *testing.T, m *fxo.Modem, far *farend.End) {
			connect(t, m, far)
			far.Speak(700)
			time.Sleep(5 * time.Minute)
			began := time.Now()
			if err := far.Hangup(); err != nil {
				t.Fatal(err)
			}
			e := await(t, m, line.Ended, nil)
			if d := time.Since(began); e.Cause != tel.CauseMediaTimeout || d < 50*time.Second || d > 80*time.Second {
				t.Errorf("ended as %v after %v", e.Cause, d)
			}
		})
}

// A process that was killed leaves the modem off hook with its sound on: the next one takes the call up.
func TestCallOfAnEarlierProcessGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &wire.Bus{}
		far, err := farend.New(fxosim.Config{Port: func() (serialport.Stream, error) { return bus.Plug("modem0"), nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = far.Close() }()
		before, err := bus.OpenCommand("modem0")
		if err != nil {
			t.Fatal(err)
		}
		if err := far.Ring(caller); err != nil {
			t.Fatal(err)
		}
		if _, err := before.Write([]byte("AT+FCLASS=8;+VLS=1;+VTR\r")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_ = before.Close()
		m, err := fxo.Open(fxo.Config{ID: "fxo0", Bus: bus, Locate: fxo.AtPath("modem0")})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		await(t, m, line.Recovered, nil)
		await(t, m, line.Connected, nil)
		media, err := m.Media()
		if err != nil {
			t.Fatal(err)
		}
		talks(t, media, far)
		hangsUp(t, m, far)
	})
}

// A line that one cannot hear well is a line all the same.
func TestEndIsHeardOnABadLine(t *testing.T) {
	for _, c := range []struct {
		name string
		l    fxosim.Line
	}{
		{"hum", fxosim.Line{Hum: 600}},
		{"noise", fxosim.Line{Noise: 250}},
		{"echo", fxosim.Line{Echo: 0.3, EchoDelay: 40}},
		{"a far end that is too loud", fxosim.Line{Drive: 4}},
		{"tones a little off", fxosim.Line{Tones: map[string]fxosim.Cadence{"busy": {Hz: 432, OnOff: []int{480, 520}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Line = c.l }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				connect(t, m, far)
				far.Speak(700)
				time.Sleep(time.Minute)
				far.Speak(0)
				hangsUp(t, m, far)
			})
		})
	}
}

// Clocks that differ: nothing is lost, nothing piles up.
func TestClockErrorCostsNoFrame(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: minutes of sound")
	}
	for _, ppm := range []float64{-200, 200} {
		bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.PPM = ppm }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
			media := connect(t, m, far)
			far.Speak(700)
			var f line.Frame
			tone := linetest.Tone{Hz: 1004}
			start := time.Now()
			turn := func(from, to int) {
				for n := from; n < to; n++ {
					time.Sleep(time.Until(start.Add(time.Duration(n) * 20 * time.Millisecond)))
					media.ReadFrame(&f)
					tone.Fill(&f)
					media.WriteFrame(&f)
				}
			}
			turn(0, 60*50)
			before := media.Stats()
			turn(60*50, 6*60*50)
			after := media.Stats()
			if n := after.Underruns - before.Underruns; n != 0 || after.Overruns != before.Overruns {
				t.Errorf("%v ppm: %d frames missing, %d dropped", ppm, n, after.Overruns-before.Overruns)
			}
			if d := after.Delay - before.Delay; d > 20*time.Millisecond || d < -20*time.Millisecond {
				t.Errorf("%v ppm: the delay went from %v to %v", ppm, before.Delay, after.Delay)
			}
			if m.Health().Complaints > 1 {
				t.Errorf("%v ppm: the modem ran dry %d times", ppm, m.Health().Complaints)
			}
		})
	}
}

func TestOpenNeedsALineAndItsPort(t *testing.T) {
	for _, c := range []fxo.Config{{}, {ID: "fxo0"}} {
		if _, err := fxo.Open(c); err == nil {
			t.Errorf("%+v opened", c)
		}
	}
}
