package fxo

import (
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// listener is what the sound of every call passes between the line and the ear: the echo of what the box says is taken
// out, and the last seconds are kept, so that an unknown tone with which the exchange ends calls can be learned. It is
// used by one link at a time; between calls by the owner.
type listener struct {
	echo    *dsp.Echo
	learner dsp.Learner
	gain    dsp.Gain // behind the ear, which judges levels as they are
	gains   bool     // it is wanted
}

func newListener(gains bool) *listener { return &listener{echo: dsp.NewEcho(false), gains: gains} }

func (l *listener) reset() {
	l.echo.Reset()
	l.learner.Reset()
	l.gain.Reset()
}

// learn looks, beside the owner, whether a call that was ended otherwise ended with a tone. It is called when the
// sound is over, and the next call waits for it.
func (m *Modem) learn() {
	m.studying = make(chan struct{})
	done := m.studying
	m.started.Add(1)
	go func() {
		defer m.started.Done()
		defer close(done)
		t, ok := m.listener.learner.Learn()
		if !ok {
			return
		}
		select {
		case m.taught <- t:
		case <-m.ctx.Done():
		}
	}()
}

// taughtTone takes over what a call taught.
func (m *Modem) taughtTone(t dsp.LearnedTone) {
	m.learned.Add(1)
	m.tones = m.tones.After(t)
	m.log.Info("the exchange ended a call with a tone", "hz", t.Hz, "on", t.On, "off", t.Off, "known", len(m.tones.Cadences()) > 0)
	m.ear = newEar(m.cfg.Network, m.tones) // of the next call: the one that is up keeps its own
	if m.cfg.Tones == nil {
		return
	}
	if err := m.cfg.Tones.Save(m.cfg.ID, m.tones); err != nil {
		m.log.Warn("what was learned of the exchange is not kept", "error", err)
	}
}
