package gsm

import (
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func (m *machine) whenDialing(e event) {
	switch e.kind {
	case evDialed:
		m.dialed(e.verdict)
	case evRing, evCaller:
		m.glare = true
	case evCall:
		if e.call.inbound {
			m.glare = m.glare || e.call.stat == statIncoming || e.call.stat == statWaiting
			return
		}
		if e.call.stat == statReleased {
			return // the final of ATD says it better
		}
		m.proceed()
		m.progress(e.call.stat)
	case evBegin:
		m.proceed()
		m.connected()
	case evHangup:
		m.hangUp(e.cause)
	case evTick:
		m.dialDone(line.ErrTimeout)
		m.hangUp(tel.CauseTimeout)
	default:
		m.busy(e)
	}
}

// proceed is the moment from which the call exists for the consumer.
func (m *machine) proceed() {
	m.dialDone(nil)
	m.enter(proceeding, m.t.Poll)
	m.tell(line.Event{Kind: line.Proceeding})
}

func (m *machine) dialed(v verdict) {
	switch v {
	case accepted:
		m.proceed()
	case busyTone:
		m.proceed()
		m.gone(tel.CauseBusy)
	case unanswered:
		m.proceed()
		m.gone(tel.CauseNoAnswer)
	case dropped:
		if m.glare {
			m.yield()
			return
		}
		m.proceed()
		m.ask()
	case noReply:
		m.dialDone(line.ErrTimeout)
		m.hangUp(tel.CauseTimeout)
	default:
		if m.glare {
			m.yield()
			return
		}
		m.dialDone(line.ErrRefused)
		m.gone(tel.CauseNone) // nothing was told, so nothing will be
	}
}

// yield lets an incoming call win over a dial that met it.
func (m *machine) yield() {
	m.dialDone(line.ErrBusy)
	m.startRinging("")
	m.do(action{kind: doList})
}
