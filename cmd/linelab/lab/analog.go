package lab

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// AnalogLine is the name of the lab's analog line in the demo office.
const AnalogLine = "fxo0"

// analog is the voice modem and the exchange behind it: one call at a time.
type analog struct {
	sim   *fxosim.Sim
	lab   *lab
	voice tone.Generator // of whoever is on the other side; used by the exchange's clock

	mu     sync.Mutex // guards what follows
	ended  chan struct{}
	caller string // who talks on the line, as a phone shows him
	waits  string // who waits meanwhile; empty: nobody
}

func newAnalog(l *lab) (*analog, error) {
	a := &analog{lab: l, voice: tone.Generator{Hz: 600}, ended: make(chan struct{})}
	close(a.ended)
	var err error
	a.sim, err = fxosim.New(fxosim.Config{
		Path:   filepath.Join(l.cfg.Dir, "modem1-fxo"),
		Line:   fxosim.Line{Hum: 60, Noise: 40, Echo: 0.1, EchoDelay: 10, Recall: true},
		Dialed: func(number string) { l.play(func() { a.dialed(number) }) },
		Ended:  a.end,
		Source: func(f *fxosim.Frame) { a.voice.Fill(f[:]) },
	})
	return a, err
}

// begin makes the sign of the end of a new call; ok is false while there is one.
func (a *analog) begin() (ended <-chan struct{}, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.ended:
		a.ended, a.caller, a.waits = make(chan struct{}), "", ""
		return a.ended, true
	default:
		return a.ended, false
	}
}

func (a *analog) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.ended:
	default:
		close(a.ended)
	}
}

// customer is one who calls the number of the land line.
func (a *analog) customer(number string) {
	l := a.lab
	ended, free := a.begin()
	if !free {
		a.second(number)
		return
	}
	a.mu.Lock()
	a.caller = number
	a.mu.Unlock()
	if err := a.sim.Ring(strings.TrimPrefix(number, "+39")); err != nil {
		a.end()
		l.say("customer %s cannot call: %v", number, err)
		return
	}
	l.say("customer %s calls on the analog line", number)
	l.endure(number, ordinary.patience(l), ended, a.hangup)
}

// second is one who calls while the line talks: the exchange lets him wait, once.
func (a *analog) second(number string) {
	a.mu.Lock()
	taken := a.waits != "" || a.caller == ""
	a.mu.Unlock()
	if taken || a.sim.Wait(secondHz) != nil {
		a.lab.say("customer %s finds the analog line busy", number)
		return
	}
	a.mu.Lock()
	a.waits = number
	a.mu.Unlock()
	a.lab.say("customer %s waits on the analog line, whose agent hears it", number)
}

// secondHz is the voice of who waits.
const secondHz = 1150

// waiting is who waits while an agent talks with caller on the line; empty: nobody.
func (a *analog) waiting(caller string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.caller == "" || !strings.HasSuffix(caller, strings.TrimPrefix(a.caller, "+39")) {
		return ""
	}
	return a.waits
}

// hangup is the far end's: the exchange sends the busy tone until the box lets go of the line.
func (a *analog) hangup() {
	if err := a.sim.RemoteHangup(); err != nil && !errors.Is(err, fxosim.ErrNoCall) && !errors.Is(err, fxosim.ErrClosed) {
		a.lab.say("the exchange cannot hang up: %v", err)
	}
}

// dialed is a call of the office on the line.
func (a *analog) dialed(number string) {
	l := a.lab
	ended, _ := a.begin()
	if strings.HasSuffix(number, "0") {
		l.say("%s is busy", number)
		_ = a.sim.RemoteBusy() // over already, when the office has given up
		return
	}
	if !l.pause(l.between(time.Second, 2*time.Second), ended) || a.sim.RemoteAlert() != nil {
		return
	}
	if !l.pause(l.between(2*time.Second, 6*time.Second), ended) || a.sim.RemoteAnswer() != nil {
		return
	}
	l.say("%s answers the office on the analog line", number)
	if l.pause(l.between(15*time.Second, 40*time.Second), ended) {
		a.hangup()
		l.say("%s hangs up", number)
	}
}

// Strike lets a fault befall the line.
func (a *analog) Strike(name, argument string) error {
	if argument != "" {
		return fmt.Errorf("nothing may follow %q", name)
	}
	return a.sim.Strike(name)
}

// Heal ends one.
func (a *analog) Heal(name string) error { return a.sim.Heal(name) }

// HealAll ends all.
func (a *analog) HealAll() error { return a.sim.HealAll() }

// Struck are those that last.
func (a *analog) Struck() []string { return a.sim.Struck() }
