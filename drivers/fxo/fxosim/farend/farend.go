// Package farend is a simulated analog line as the contract of a telephone line wants to see it.
package farend

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

// remembered is how much the other party remembers, in samples: ten seconds.
const remembered = 80000

// End is the far end of one simulated line.
type End struct {
	*fxosim.Sim
	dialed  chan string
	pressed chan byte
	recalls chan struct{}
	hz      atomic.Uint64 // float bits
	voice   atomic.Pointer[func(*fxosim.Frame)]
	random  *rand.Rand

	mu    sync.Mutex
	heard []int16
}

var (
	_ linetest.FarEnd   = (*End)(nil)
	_ linetest.Recaller = (*End)(nil)
)

// New starts a modem of cfg, whose Dialed, Digit, Source and Sink become those of the far end.
func New(cfg fxosim.Config) (*End, error) {
	e := &End{dialed: make(chan string, 8), pressed: make(chan byte, 64), recalls: make(chan struct{}, 8), random: rand.New(rand.NewPCG(1, 2))}
	tone := linetest.Tone{}
	cfg.Dialed = func(n string) { e.dialed <- n }
	cfg.Digit = func(d byte) { e.pressed <- d }
	cfg.Recall = func() { e.recalls <- struct{}{} }
	cfg.Source = func(f *fxosim.Frame) {
		if voice := e.voice.Load(); voice != nil {
			(*voice)(f)
			return
		}
		tone.Hz = math.Float64frombits(e.hz.Load())
		tone.Fill(f)
	}
	cfg.Sink = func(f *fxosim.Frame) {
		e.mu.Lock()
		e.heard = append(e.heard, f[:]...)
		e.heard = e.heard[max(0, len(e.heard)-remembered):]
		e.mu.Unlock()
	}
	var err error
	e.Sim, err = fxosim.New(cfg)
	return e, err
}

// Alert lets the dialled party ring.
func (e *End) Alert() error { return e.RemoteAlert() }

// Answer lets it answer.
func (e *End) Answer() error { return e.RemoteAnswer() }

// Busy lets it be busy.
func (e *End) Busy() error { return e.RemoteBusy() }

// Reject lets it decline.
func (e *End) Reject() error { return e.RemoteBusy() }

// Hangup lets it hang up.
func (e *End) Hangup() error { return e.RemoteHangup() }

// Press lets it press a key.
func (e *End) Press(d byte) error { return e.RemoteDTMF(d) }

// Dialed gives the numbers that the line dialled.
func (e *End) Dialed() <-chan string { return e.dialed }

// Recalls tells of each hook flash.
func (e *End) Recalls() <-chan struct{} { return e.recalls }

// Pressed gives the digits that the line sent.
func (e *End) Pressed() <-chan byte { return e.pressed }

// Speak lets the other party say a tone from now on; 0 is silence.
func (e *End) Speak(hz float64) { e.hz.Store(math.Float64bits(hz)) }

// Voice lets the other party say what f fills in, in place of a tone; f is called on the simulation's clock.
func (e *End) Voice(f func(*fxosim.Frame)) { e.voice.Store(&f) }

// Mute lets the modem answer nothing.
func (e *End) Mute(on bool) { e.SetFaults(func(f *fxosim.Faults) { f.Mute = on }) }

// RefuseDial lets the modem refuse to seize the line.
func (e *End) RefuseDial(on bool) { e.SetFaults(func(f *fxosim.Faults) { f.RefuseDial = on }) }

// Garbage is 200 random bytes on the one port of the modem.
func (e *End) Garbage() error {
	b := make([]byte, 200)
	for i := range b {
		b[i] = byte(e.random.IntN(256))
	}
	return e.Say(string(b) + "\r\n")
}

// Heard is the last n samples that the other party heard, fewer when it heard no more.
func (e *End) Heard(n int) []int16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]int16(nil), e.heard[max(0, len(e.heard)-n):]...)
}

// Forget lets Heard start anew.
func (e *End) Forget() {
	e.mu.Lock()
	e.heard = nil
	e.mu.Unlock()
}
