package fxo

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// whenSeizing brings a line from on hook to its dial tone.
func (m *machine) whenSeizing(e event) {
	switch e.kind {
	case evRing, evCaller:
		m.met(e.number)
	case evSoundOn:
		m.sounding = true
		if m.glare {
			m.enter(incoming, m.t.RingMax) // off hook already: nobody hears a ring any more
			return
		}
		m.enter(waiting, m.t.DialTone)
		m.do(action{kind: doListen})
	case evRefused:
		m.refuse(tel.CauseInterfaceFailure)
	case evHeard:
		m.toneHeard(e.heard)
	case evCode:
		if e.code == 'R' {
			m.met("")
		}
	case evAnswer:
		if m.glare {
			m.owesAnswer = true
			m.enter(answering, 3*m.t.Reply)
			return
		}
		m.busy(e)
	case evHangup:
		m.hangUp(e.cause)
	case evStream:
		m.refuse(tel.CauseInterfaceFailure)
	case evTick:
		m.toneMissing()
	default:
		m.busy(e)
	}
}

// met is a caller who rang in the moment in which we took the line, and who is connected now.
func (m *machine) met(n tel.Number) {
	m.dialDone(line.ErrBusy)
	if m.glare {
		return
	}
	m.glare, m.inbound, m.number = true, true, n
	m.tell(line.Event{Kind: line.Incoming, Number: n})
	if m.phase == waiting {
		m.enter(incoming, m.t.RingMax)
	}
}

// toneHeard decides by the exchange's first tone.
func (m *machine) toneHeard(h heard) {
	if m.phase != waiting {
		return
	}
	switch h {
	case heardDialTone:
		m.do(action{kind: doAbsolve, fault: tel.LineNoVoltage})
		m.play()
	case heardBusy, heardCongestion, heardGone: // the exchange takes no call from this line now
		m.refuse(tel.CauseCongestion)
	}
}

// toneMissing is a line that does not invite to dial. Somebody in need dials all the same.
func (m *machine) toneMissing() {
	if m.phase == waiting && m.number.Emergency() {
		m.play()
		return
	}
	if m.phase == waiting {
		m.do(action{kind: doBlame, fault: tel.LineNoVoltage})
	}
	m.refuse(tel.CauseNetworkFailure)
}

// refuse ends a call that is not dialled. Who wanted it is told when the line is free for the next one.
func (m *machine) refuse(cause tel.Cause) {
	m.refused = m.owesDial
	m.hangUp(cause)
}

func (m *machine) play() {
	m.dialDone(nil)
	m.enter(dialling, m.t.SetUp)
	m.tell(line.Event{Kind: line.Proceeding})
	m.do(action{kind: doPlay, number: m.number})
}

// whenProceeding follows a dialled call by its sound.
func (m *machine) whenProceeding(e event) {
	switch e.kind {
	case evDialled:
		if m.phase == dialling {
			m.enter(proceeding, m.t.Assume)
			m.do(action{kind: doListen})
		}
	case evHeard:
		if m.phase != dialling {
			m.progress(e.heard)
		}
	case evCode:
		if e.code == 'L' && m.is.polarity && m.phase != dialling {
			m.reversed = true
			m.connected()
		}
	case evHangup:
		m.hangUp(e.cause)
	case evStream:
		m.hangUp(tel.CauseInterfaceFailure)
	case evTick:
		if m.phase == proceeding && !m.is.polarity {
			m.connected() // no tone at all: somebody listens in silence, or a private exchange answers so
			return
		}
		m.hangUp(tel.CauseNoAnswer)
	default:
		m.busy(e)
	}
}

func (m *machine) progress(h heard) {
	switch h {
	case heardRingback:
		if m.phase == proceeding {
			m.enter(alerting, m.t.SetUp)
			m.alerted = true
			m.tell(line.Event{Kind: line.Alerting})
		}
	case heardVoice, heardAnswer:
		if !m.is.polarity { // else it is an announcement, or music in place of a ringback tone
			m.connected()
		}
	case heardBusy, heardGone:
		if m.alerted {
			m.hangUp(tel.CauseRejected) // it rang, and ended before anybody answered
			return
		}
		m.hangUp(tel.CauseBusy)
	case heardCongestion:
		m.hangUp(tel.CauseCongestion)
	case heardInformation:
		m.hangUp(tel.CauseUnallocated)
	}
}

func (m *machine) connected() {
	m.began, m.quiet = m.now, 0
	m.enter(talking, m.t.Longest)
	m.do(action{kind: doAbsolve, fault: tel.LineShared})
	m.do(action{kind: doListen})
	m.tell(line.Event{Kind: line.Connected})
}

// twice is the time in which a second <DLE>b confirms the first: chips repeat it each 3 to 4 s.
const twice = 10 * time.Second

// whenTalking waits for the end, which an analog line tells in many ways and none for sure. What the sound says four
// times over is believed. What the modem says is believed when the sound does not contradict it: chips were found that
// report busy tones and loop drops which never happened.
func (m *machine) whenTalking(e event) {
	switch e.kind {
	case evHangup:
		m.hangUp(e.cause)
	case evHeard:
		m.listen(e.heard)
	case evCode:
		m.coded(e.code)
	case evStream: // the modem hung up by itself, as some do at a loop drop
		m.hangUp(tel.CauseNormal)
	case evFlash:
		m.owesFlash, m.doubt, m.busySaid = true, 0, time.Time{}
		m.enter(flashing, 6*m.t.Reply+m.t.Flash)
		m.do(action{kind: doFlash})
	case evKeys:
		if !m.recall.IsZero() {
			m.keys += e.keys
			m.recall = m.now.Add(m.t.Recall)
			m.resume()
		}
	case evTick:
		switch {
		case !m.recall.IsZero() && !m.now.Before(m.recall): // from here on its tones mean what they mean in any call
			m.recall, m.keys = time.Time{}, 0
			m.do(action{kind: doListen})
			m.resume()
		case m.doubt != 0 && !m.now.Before(m.doubtTo):
			m.hangUp(tel.CauseNormal)
		case m.now.Sub(m.began) >= m.t.Longest:
			m.hangUp(tel.CauseTimeout)
		default:
			m.resume()
		}
	default:
		m.busy(e)
	}
}

// resume waits for the end of the longest call, or of the time in which the exchange may listen to us.
func (m *machine) resume() {
	m.doubt = 0
	m.deadline = m.began.Add(m.t.Longest)
	if !m.recall.IsZero() && m.recall.Before(m.deadline) {
		m.deadline = m.recall
	}
}

// whenFlashing waits until the loop is closed and the sound flows again.
func (m *machine) whenFlashing(e event) {
	switch e.kind {
	case evSoundOn:
		m.flashDone(nil)
		m.phase, m.since, m.quiet = talking, m.now, 0
		m.recall, m.keys = m.now.Add(m.t.Recall), 0
		m.resume()
		m.do(action{kind: doListen})
	case evRefused:
		m.flashDone(line.ErrRefused)
		m.hangUp(tel.CauseInterfaceFailure)
	case evHangup:
		m.hangUp(e.cause)
	case evTick:
		m.flashDone(line.ErrTimeout)
		m.hangUp(tel.CauseTimeout)
	case evFlash:
		m.do(action{kind: doFlashDone, err: line.ErrBusy})
	default: // what the modem says of a loop that we break ourselves says nothing of the far end
		m.busy(e)
	}
}

func (m *machine) listen(h heard) {
	if !m.recall.IsZero() {
		switch h {
		case heardGone: // of a party that the exchange did not find for us: a flash leads back to the first one
			m.do(action{kind: doListen})
			return
		case heardDialTone, heardBusy, heardCongestion:
			m.quiet = 0
			return
		}
	}
	switch h {
	case heardVoice:
		if m.doubt != 0 {
			m.do(action{kind: doCaughtLying, code: m.doubt})
		}
		if !m.busySaid.IsZero() {
			m.do(action{kind: doCaughtLying, code: 'b'})
		}
		m.resume()
		m.busySaid, m.quiet = time.Time{}, 0
	case heardGone, heardDialTone:
		m.hangUp(tel.CauseNormal)
	case heardBusy, heardCongestion:
		m.quiet = 0
		if !m.busySaid.IsZero() && m.now.Sub(m.busySaid) < twice {
			m.hangUp(tel.CauseNormal) // two witnesses
		}
	case heardSilence:
		if m.quiet += 10 * time.Second; m.quiet >= m.t.Silence {
			m.hangUp(tel.CauseMediaTimeout)
		}
	case heardRingback, heardAnswer:
		m.quiet = 0
	}
}

// ownBreak is how late a modem may tell of the loop that we broke ourselves.
const ownBreak = 300 * time.Millisecond

func (m *machine) coded(code byte) {
	if !m.recall.IsZero() && (code == 'b' || m.now.Sub(m.since) < ownBreak) {
		return // a tone of the exchange while it listens to us, or the loop that we broke
	}
	liar := strings.IndexByte(m.is.lies, code) >= 0
	switch code {
	case 'b':
		if !liar && !m.busySaid.IsZero() && m.now.Sub(m.busySaid) < twice {
			m.hangUp(tel.CauseNormal)
			return
		}
		m.busySaid = m.now
		m.do(action{kind: doListenForVoice})
	case 'l', 'L':
		wait := m.t.Doubt
		switch {
		case liar && m.is.polarity && code == 'L': // the exchange is known to tell ends so
			wait *= 5
		case liar:
			return
		}
		m.doubt, m.doubtTo = code, m.now.Add(wait)
		m.deadline = m.doubtTo
		m.do(action{kind: doListenForVoice}) // which contradicts it
	}
}
