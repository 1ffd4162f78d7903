package gsm

import (
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// whenListening follows a dialled call whose modem said "connected" and is not believed: it says so with
// the network's first sound. The ear decides; a key that the far end presses decides as well.
func (m *machine) whenListening(e event) {
	switch e.kind {
	case evHeard:
		m.heard(e.heard)
	case evDigit:
		m.answeredByEar()
		m.tell(line.Event{Kind: line.Digit, Digit: e.digit})
	case evEnd:
		m.over(e.cause)
	case evNoCarrier:
		m.ask()
	case evBusy:
		m.gone(tel.CauseBusy)
	case evNoAnswer:
		m.gone(tel.CauseNoAnswer)
	case evCall:
		if m.ours(e.call) && e.call.stat == statReleased {
			m.ask()
		}
	case evList:
		m.listed(e.calls, m.ask)
	case evSoundOff:
		m.do(action{kind: doBlameSound})
		m.hangUp(tel.CauseInterfaceFailure)
	case evHangup:
		m.hangUp(e.cause)
	case evTick:
		if m.now.Sub(m.answered) > m.t.SetUp {
			m.hangUp(tel.CauseNoAnswer)
			return
		}
		m.poll()
	default:
		m.busy(e)
	}
}

func (m *machine) heard(h heard) {
	switch h {
	case heardRingback:
		if !m.alerted {
			m.alerted = true
			m.tell(line.Event{Kind: line.Alerting})
		}
	case heardBusy:
		m.hangUp(tel.CauseBusy)
	case heardCongestion:
		m.hangUp(tel.CauseCongestion)
	case heardVoice, heardNothing:
		m.answeredByEar()
	}
}

// answeredByEar is the answer: the modem's own came before it.
func (m *machine) answeredByEar() {
	m.answered = m.now
	m.talk()
}
