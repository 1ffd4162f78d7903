package fxo_test

import (
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim/farend"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// kept is a ToneMemory in memory.
type kept struct {
	mu   sync.Mutex
	tone dsp.Learned
}

func (k *kept) Load(tel.LineID) dsp.Learned {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tone
}

func (k *kept) Save(_ tel.LineID, l dsp.Learned) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tone = l
	return nil
}

// An exchange that ends calls with a tone of its own: people hang up when they hear it, and from the third call on the
// line does so by itself, also after a restart.
func TestToneOfTheExchangeIsLearnedFromCallsThatPeopleEnd(t *testing.T) {
	memory := &kept{}
	strange := fxosim.Line{Tones: map[string]fxosim.Cadence{"busy": {Hz: 510, OnOff: []int{300, 650}}}}
	edit := func(s *fxosim.Config, f *fxo.Config) { s.Line, f.Tones = strange, memory }
	far := func(t *testing.T, m *fxo.Modem, far *farend.End) {
		t.Helper()
		far.Speak(700)
		time.Sleep(10 * time.Second)
		far.Speak(0)
		time.Sleep(5 * time.Second) // the far end's tone is no speech: among the last seconds it would be the strongest
		far.SetFaults(func(f *fxosim.Faults) { f.MissingBusy = true })
		if err := far.Hangup(); err != nil {
			t.Fatal(err)
		}
	}
	bubble(t, edit, func(t *testing.T, m *fxo.Modem, end *farend.End) {
		await(t, m, line.Status, inService)
		for range 2 {
			answer(t, m, end)
			far(t, m, end)
			time.Sleep(9 * time.Second)
			if err := m.Hangup(t.Context(), tel.CauseNormal); err != nil {
				t.Fatal(err)
			}
			await(t, m, line.Ended, nil)
			time.Sleep(3 * time.Second)
		}
		answer(t, m, end)
		far(t, m, end)
		began := time.Now()
		await(t, m, line.Ended, nil)
		if d := time.Since(began); d > 6*time.Second {
			t.Errorf("hung up %v after the far end", d)
		}
	})
	if len(memory.Load("fxo0").Cadences()) != 1 {
		t.Fatalf("kept: %+v", memory.Load("fxo0"))
	}
	bubble(t, edit, func(t *testing.T, m *fxo.Modem, end *farend.End) {
		connect(t, m, end)
		far(t, m, end)
		await(t, m, line.Ended, nil)
	})
}

// What the box says comes back from the line's other end, and is taken out of what it hears.
func TestEchoOfTheBoxIsTakenOut(t *testing.T) {
	bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Line = fxosim.Line{Echo: 0.35, EchoDelay: 60} }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		media := connect(t, m, far)
		seed := uint32(1)
		level := func(seconds int) float64 {
			var meter dsp.Meter
			start := time.Now()
			for n := range seconds * 50 {
				time.Sleep(time.Until(start.Add(time.Duration(n) * 20 * time.Millisecond)))
				var f line.Frame
				for i := range f { // noise that swells and fades like speech
					seed = seed*1664525 + 1013904223
					f[i] = int16(int32(seed) >> 18)
					if n/10%3 == 0 {
						f[i] /= 8
					}
				}
				media.WriteFrame(&f)
				if media.ReadFrame(&f); n > (seconds-1)*50 {
					meter.Add(f[:])
				}
			}
			return meter.Level()
		}
		before := level(1)
		after := level(6)
		t.Logf("the echo is heard at %.1f dBm0, after some seconds at %.1f", before, after)
		if after > -45 {
			t.Errorf("the echo is heard at %.1f dBm0", after)
		}
	})
}
