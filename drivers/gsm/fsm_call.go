package gsm

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxSilentPolls is how many looks at the list of calls may stay unanswered before a modem counts as gone.
const maxSilentPolls = 3

// absentPolls is how many lists without our call end it: one may be read in the middle of a change.
const absentPolls = 2

func (m *machine) whenProceeding(e event) {
	switch e.kind {
	case evCall:
		if !e.call.inbound {
			m.progress(e.call.stat)
		}
	case evList:
		m.listed(e.calls, m.ask)
	case evBegin:
		m.connected()
	case evBusy:
		m.gone(tel.CauseBusy)
	case evNoAnswer:
		m.gone(tel.CauseNoAnswer)
	case evEnd:
		m.over(e.cause)
	case evNoCarrier:
		if !m.weak && m.now.Sub(m.since) < m.is.weakEnd {
			m.weak = true // it may be the change of network; the list knows
			m.wait(m.t.Settle)
			return
		}
		m.ask()
	case evHangup:
		m.hangUp(e.cause)
	case evTick:
		switch {
		case m.now.Sub(m.since) > m.t.SetUp:
			m.hangUp(tel.CauseNoAnswer)
		case !m.weak && m.now.Sub(m.since) < m.is.weakEnd:
			m.wait(m.t.Poll) // a look would disturb this modem's change of network
		default:
			m.poll()
		}
	default:
		m.busy(e)
	}
}

// progress follows a dialled call in the modem's list.
func (m *machine) progress(s callStat) {
	switch s {
	case statAlerting:
		if m.phase == proceeding {
			began, due := m.since, m.deadline
			m.enter(alerting, 0)
			m.since, m.deadline = began, due
			m.alerted = true
			m.tell(line.Event{Kind: line.Alerting})
		}
	case statActive, statHeld:
		m.connected()
	case statReleased:
		m.ask()
	}
}

// over ends a dialled call whose modem says why; one that does not is asked.
func (m *machine) over(why tel.Cause) {
	if why == tel.CauseNone {
		m.ask()
		return
	}
	m.gone(why)
}

// poll looks at the list of calls; a modem that answers no look at all is gone.
func (m *machine) poll() {
	m.silent++
	if m.silent > maxSilentPolls {
		m.gone(tel.CauseInterfaceFailure)
		m.do(action{kind: doReset})
		return
	}
	m.wait(m.look())
	m.do(action{kind: doList})
}

// look is the time between two looks at the list of calls.
func (m *machine) look() time.Duration {
	if m.is.look > 0 {
		return min(m.is.look, m.t.Poll)
	}
	return m.t.Poll
}

// listed joins the modem's list with what its unsolicited lines said. The list wins, after two equal looks.
func (m *machine) listed(calls []call, missing func()) {
	m.silent = 0
	for _, c := range calls {
		if m.ours(c) && c.stat != statReleased {
			m.absent = 0
			if m.phase == proceeding || m.phase == alerting {
				m.progress(c.stat)
			}
			return
		}
	}
	m.absent++
	if m.absent >= absentPolls {
		missing()
		return
	}
	m.wait(min(m.t.Poll, time.Second))
}

// ask wants to know why the network ended a dialled call.
func (m *machine) ask() {
	m.enter(asking, m.t.Cause)
	m.do(action{kind: doAskReason})
}

func (m *machine) whenAsking(e event) {
	switch e.kind {
	case evReason:
		m.gone(m.reason(e.cause))
	case evBusy:
		m.gone(tel.CauseBusy)
	case evNoAnswer:
		m.gone(tel.CauseNoAnswer)
	case evTick, evHangup:
		m.gone(m.reason(tel.CauseNone))
	case evRing:
		m.gone(m.reason(tel.CauseNone))
		m.whenSettling(e)
	default:
		m.busy(e)
	}
}

func (m *machine) reason(said tel.Cause) tel.Cause {
	switch {
	case said != tel.CauseNone:
		return said
	case m.alerted:
		return tel.CauseRejected // it rang, and ended before anybody answered
	default:
		return tel.CauseNetworkFailure
	}
}

// connected is the network's word that both ends talk. The consumer hears of it when sound passes too:
// a greeting played earlier would lose its first words.
func (m *machine) connected() {
	m.answered = m.now
	m.answerDone(nil)
	m.silent, m.absent = 0, 0
	if !m.is.sound {
		m.talk()
		return
	}
	m.sound = true
	m.enter(connecting, m.t.AudioOn)
	m.do(action{kind: doSoundOn})
}

func (m *machine) talk() {
	m.enter(talking, m.look())
	m.told = true
	m.do(action{kind: doTell, event: line.Event{Kind: line.Connected, At: m.answered}})
}

func (m *machine) whenConnecting(e event) {
	switch e.kind {
	case evSoundOn:
		if m.is.doubt && !m.inbound {
			m.enter(listening, m.look())
			return
		}
		m.talk()
	case evSoundOff, evTick:
		m.do(action{kind: doBlameSound})
		m.hangUp(tel.CauseInterfaceFailure)
	case evHangup:
		m.hangUp(e.cause)
	case evEnd, evNoCarrier, evBusy, evNoAnswer:
		m.gone(tel.CauseNormal)
	case evCall:
		m.released(e.call)
	case evList:
		m.listed(e.calls, func() { m.gone(tel.CauseNormal) })
	default:
		m.busy(e)
	}
}

func (m *machine) released(c call) {
	if m.ours(c) && c.stat == statReleased {
		m.gone(tel.CauseNormal)
	}
}

func (m *machine) whenTalking(e event) {
	switch e.kind {
	case evDigit:
		m.tell(line.Event{Kind: line.Digit, Digit: e.digit})
	case evHeard:
		if e.heard == heardRingback && !m.inbound && !m.is.doubt && !m.voiced {
			m.do(action{kind: doHeardLie}) // of an answered call, as we were told
		}
		m.voiced = true
	case evHangup:
		m.hangUp(e.cause)
	case evEnd, evNoCarrier, evBusy, evNoAnswer:
		m.gone(tel.CauseNormal)
	case evCall:
		m.released(e.call)
	case evList:
		m.listed(e.calls, func() { m.gone(tel.CauseNormal) })
	case evSoundOff:
		m.do(action{kind: doBlameSound}) // the audio port died: nobody hears anybody
		m.hangUp(tel.CauseInterfaceFailure)
	case evTick:
		m.poll()
	default:
		m.busy(e)
	}
}

func (m *machine) whenEnding(e event) {
	switch e.kind {
	case evEnd, evNoCarrier, evMissed:
		m.gone(m.cause)
	case evCall:
		if m.ours(e.call) && e.call.stat == statReleased {
			m.gone(m.cause)
		}
	case evHungUp:
		if e.verdict == accepted {
			m.do(action{kind: doList}) // OK is a promise; the empty list is the proof
		}
	case evList:
		for _, c := range e.calls {
			if m.ours(c) && c.stat != statReleased {
				return
			}
		}
		m.gone(m.cause)
	case evTick:
		m.rung++
		if m.rung >= len(m.t.Rung) {
			m.gone(m.cause)
			m.do(action{kind: doReset})
			return
		}
		m.wait(m.t.Rung[m.rung])
		m.hangUpNow()
	default:
		m.busy(e)
	}
}

func (m *machine) whenSettling(e event) {
	switch e.kind {
	case evDial:
		if m.owesDial {
			m.busy(e)
			return
		}
		m.owesDial, m.queued = true, e.number
	case evHangup:
		m.dialDone(line.ErrGone)
		m.queued = ""
	case evRing:
		m.dialDone(line.ErrBusy)
		m.state = state{}
		m.whenIdle(e)
	case evCall:
		if e.call.stat == statIncoming || e.call.stat == statWaiting {
			m.dialDone(line.ErrBusy)
			m.state = state{}
			m.whenIdle(e)
		}
	case evNoCarrier, evTick:
		// NO CARRIER is the last word that a call has.
		queued, owes, knock := m.queued, m.owesDial, m.knock
		m.state = state{}
		if knock {
			m.do(action{kind: doList}) // who knocked rings from now on, and RING may be lost
		}
		if owes {
			m.startDial(queued)
		}
	default:
		m.busy(e)
	}
}
