package lab

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// mobile is the modem and the network behind it: one call at a time.
type mobile struct {
	*gsmsim.Sim
	lab   *lab
	voice tone.Generator // of whoever is on the other side; used by the audio clock

	mu    sync.Mutex // guards ended
	ended chan struct{}
}

func newMobile(l *lab) (*mobile, error) {
	m := &mobile{lab: l, voice: tone.Generator{Hz: 520}}
	m.ended = make(chan struct{})
	close(m.ended)
	var err error
	m.Sim, err = gsmsim.New(gsmsim.Config{
		Command: filepath.Join(l.cfg.Dir, "modem0-at"), Audio: filepath.Join(l.cfg.Dir, "modem0-pcm"),
		RingEvery: 5 * time.Second,
		Dialed:    func(number string) { l.play(func() { m.dialed(number) }) },
		Ended:     m.end,
		Messaged:  l.answered, ReportTime: time.Second,
		Service: l.service, ServiceTime: time.Second,
		Source: func(f *[gsmsim.FrameSamples]int16) { m.voice.Fill(f[:]) },
	})
	return m, err
}

// begin makes the sign of the end of a new call; ok is false while there is one.
func (m *mobile) begin() (ended <-chan struct{}, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.ended:
		m.ended = make(chan struct{})
		return m.ended, true
	default:
		return m.ended, false
	}
}

func (m *mobile) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.ended:
	default:
		close(m.ended)
	}
}

// customer is one who calls the SIM's number.
func (m *mobile) customer(number string) {
	l := m.lab
	ended, free := m.begin()
	if !free {
		l.say("customer %s finds the mobile line busy", number)
		return
	}
	if err := m.Ring(number); err != nil {
		m.end()
		l.say("customer %s cannot call: %v", number, err)
		return
	}
	l.say("customer %s calls through the modem", number)
	l.endure(number, ordinary.patience(l), ended, m.hangup)
}

func (m *mobile) hangup() {
	if err := m.RemoteHangup(); err != nil && !errors.Is(err, gsmsim.ErrNoCall) && !errors.Is(err, gsmsim.ErrClosed) {
		m.lab.say("the mobile network cannot hang up: %v", err)
	}
}

// dialed is a call of the office through the modem.
func (m *mobile) dialed(number string) {
	l := m.lab
	ended, _ := m.begin()
	if strings.HasSuffix(number, "0") {
		l.say("%s is busy", number)
		_ = m.RemoteBusy() // over already, when the office has given up
		return
	}
	if !l.pause(l.between(time.Second, 2*time.Second), ended) || m.RemoteAlert() != nil {
		return
	}
	if !l.pause(l.between(2*time.Second, 6*time.Second), ended) || m.RemoteAnswer() != nil {
		return
	}
	l.say("%s answers the office on the mobile network", number)
	if l.pause(l.between(15*time.Second, 40*time.Second), ended) {
		m.hangup()
		l.say("%s hangs up", number)
	}
}
