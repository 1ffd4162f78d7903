package fxo

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// phase is where the one call of the line stands.
type phase uint8

const (
	idle       phase = iota
	ringing          // RING came; the number is awaited before anyone is told
	incoming         // Incoming was told
	ignoring         // the caller was refused and rings on: an analog line cannot turn anybody away
	answering        // off hook for a caller; the sound is being switched on
	seizing          // off hook to dial; the sound is being switched on
	waiting          // for the dial tone
	dialling         // the digits are being played
	proceeding       // the exchange has them
	alerting         // the far end rings
	talking          // Connected was told
	flashing         // a call whose loop is broken for a moment
	ending           // the sound ends, then the hook
	settling         // on hook; the exchange needs a moment
)

var phaseNames = [...]string{
	"idle", "ringing", "incoming", "ignoring", "answering", "seizing", "waiting", "dialling", "proceeding", "alerting", "talking", "flashing", "ending", "settling",
}

func (p phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase_%d", uint8(p))
}

// state is all that the machine knows. The zero value is an idle line.
type state struct {
	phase    phase
	number   tel.Number
	inbound  bool
	told     bool      // an event of this call was sent, so that one Ended is owed
	hooked   bool      // we hold the line, or may
	sounding bool      // the sound is on
	glare    bool      // RING came while the line was being seized: we hold a caller
	alerted  bool      // the far end rang
	since    time.Time // the phase began
	rung     time.Time // the last RING
	deadline time.Time // the next tick; never zero but in idle
	began    time.Time // Connected
	quiet    time.Duration
	doubt    byte      // the <DLE> event that is being doubted, 0 = none
	doubtTo  time.Time // until when
	busySaid time.Time // the modem said b
	cause    tel.Cause // of the end that we chose
	reversed bool      // the battery turned at the answer
	recall   time.Time // until when the exchange may have a register for us after a flash; zero: there was none
	keys     int       // digits that it has got since

	owesDial, owesAnswer, owesFlash bool
	refused                         bool // the call was not dialled, which is said when the line is free
	queued                          tel.Number
	ringAfter                       bool // RING came while the line settled
}

type eventKind uint8

const (
	// Commands of the box.
	evDial eventKind = iota + 1
	evAnswer
	evHangup
	evFlash
	evKeys // SendDTMF plays so many digits
	// What became of our own commands.
	evSoundOn  // off hook, and the sound flows
	evRefused  // the modem refused to go off hook, or to give sound
	evDialled  // the last digit was played
	evOnHook   // the line is released
	evMeasured // the voltage after the ringing stopped
	// What the modem and the line say.
	evRing
	evCaller
	evCode   // a <DLE> event
	evHeard  // what the sound says
	evStream // the sound ended by itself
	evFound  // at start: a stream of an earlier process was there
	evLost   // the modem is gone
	evTick
)

type event struct {
	kind   eventKind
	number tel.Number
	cause  tel.Cause
	code   byte
	keys   int // evKeys
	heard  heard
	shared bool // evMeasured: another telephone holds the line
}

type actionKind uint8

const (
	doSeize          actionKind = iota + 1 // off hook and sound
	doPlay                                 // the digits of number
	doListen                               // the ear begins anew
	doListenForVoice                       // it tells a voice that goes on, too
	doRelease                              // end the sound, on hook
	doTell                                 // send the event
	doDialDone                             // Dial returns err
	doAnswerDone                           // Answer returns err
	doFlash                                // break the loop for a moment, and the sound again
	doFlashDone                            // Flash returns err
	doSnoop                                // listen on hook for the number
	doMeasure                              // the voltage, since the ringing stopped
	doBlame                                // the line has a fault: cause
	doAbsolve                              // the line has shown that it has not
	doCaughtLying                          // the modem reported what the sound contradicts
)

type action struct {
	kind   actionKind
	number tel.Number
	event  line.Event
	err    error
	fault  tel.LineCause
	code   byte // doCaughtLying
}

// traits are what the machine must know of the line.
type traits struct {
	snoops   bool   // the modem tells no number, and may let us hear it
	polarity bool   // the exchange reverses the battery when the far end answers
	meter    bool   // the modem has a voltmeter
	lies     string // the <DLE> events that it was caught reporting without reason: their word alone ends no call
}

type machine struct {
	state
	now time.Time
	t   *Timing
	is  traits
	out []action
}

// next is the whole behaviour of the line: it has no clock, no port and no memory but s.
func next(s state, e event, now time.Time, t *Timing, is traits) (state, []action) {
	m := &machine{state: s, now: now, t: t, is: is}
	if e.kind == evTick && (s.phase == idle || now.Before(s.deadline)) {
		return s, nil
	}
	if e.kind == evLost {
		m.lost()
		return m.state, m.out
	}
	switch s.phase {
	case idle:
		m.whenIdle(e)
	case ringing, incoming:
		m.whenRinging(e)
	case ignoring:
		m.whenIgnoring(e)
	case answering:
		m.whenAnswering(e)
	case seizing, waiting:
		m.whenSeizing(e)
	case dialling, proceeding, alerting:
		m.whenProceeding(e)
	case talking:
		m.whenTalking(e)
	case flashing:
		m.whenFlashing(e)
	case ending:
		m.whenEnding(e)
	case settling:
		m.whenSettling(e)
	}
	return m.state, m.out
}

func (m *machine) do(a action) { m.out = append(m.out, a) }

func (m *machine) tell(ev line.Event) {
	ev.At = m.now
	m.told = true
	m.do(action{kind: doTell, event: ev})
}

func (m *machine) enter(p phase, wait time.Duration) {
	m.phase, m.since = p, m.now
	m.deadline = m.now.Add(wait)
}

func (m *machine) dialDone(err error) {
	if m.owesDial {
		m.owesDial = false
		m.do(action{kind: doDialDone, err: err})
	}
}

func (m *machine) answerDone(err error) {
	if m.owesAnswer {
		m.owesAnswer = false
		m.do(action{kind: doAnswerDone, err: err})
	}
}

func (m *machine) flashDone(err error) {
	if m.owesFlash {
		m.owesFlash = false
		m.do(action{kind: doFlashDone, err: err})
	}
}

// busy turns away the commands that a phase does not take.
func (m *machine) busy(e event) {
	switch e.kind {
	case evDial:
		m.do(action{kind: doDialDone, err: line.ErrBusy})
	case evAnswer:
		m.do(action{kind: doAnswerDone, err: line.ErrNoCall})
	case evFlash:
		m.do(action{kind: doFlashDone, err: line.ErrNoCall})
	}
}

// over closes the call: the one place that sends Ended.
func (m *machine) over(cause tel.Cause) {
	if m.told {
		m.told = false
		m.do(action{kind: doTell, event: line.Event{Kind: line.Ended, Cause: cause, At: m.now}})
	}
	m.dialDone(line.ErrGone)
	m.answerDone(line.ErrGone)
	m.flashDone(line.ErrGone)
}

// hangUp ends the call and releases the line. Whoever ended it, the consumer hears of the end when the line is free,
// and of a line that does not come free by evLost, which the owner makes of a modem that does not obey.
func (m *machine) hangUp(cause tel.Cause) {
	m.cause = cause
	if !m.refused {
		m.dialDone(line.ErrGone)
	}
	m.answerDone(line.ErrGone)
	m.flashDone(line.ErrGone)
	m.enter(ending, m.t.Longest) // the owner bounds it: each of its commands has a time limit
	m.do(action{kind: doRelease})
}

// lost ends everything at once: there is no modem to ask.
func (m *machine) lost() {
	cause := tel.CauseInterfaceFailure
	if m.phase == ending {
		cause = m.cause
	}
	m.dialDone(line.ErrDown)
	m.answerDone(line.ErrDown)
	m.flashDone(line.ErrDown)
	m.over(cause)
	m.state = state{}
}

func (m *machine) whenIdle(e event) {
	switch e.kind {
	case evDial:
		m.startDial(e.number)
	case evRing, evCaller:
		m.startRinging(e.number)
	case evFound:
		m.state = state{hooked: true, inbound: true}
		m.tell(line.Event{Kind: line.Recovered, Inbound: true})
		m.enter(answering, m.t.Reply+m.t.End)
		m.do(action{kind: doSeize})
	default:
		m.busy(e)
	}
}

func (m *machine) startDial(n tel.Number) {
	m.state = state{number: n, owesDial: true, hooked: true}
	m.enter(seizing, 3*m.t.Reply)
	m.do(action{kind: doSeize})
}

func (m *machine) startRinging(n tel.Number) {
	m.state = state{inbound: true, rung: m.now}
	m.do(action{kind: doAbsolve, fault: tel.LineNoVoltage})
	m.enter(ringing, m.t.Announce)
	if m.is.snoops && n == "" {
		m.do(action{kind: doSnoop})
	}
	m.named(n)
}

// named tells the caller as soon as the number is known.
func (m *machine) named(n tel.Number) {
	if m.phase == ringing && n != "" {
		m.number = n
		m.announce()
	}
}

func (m *machine) announce() {
	began := m.since
	m.enter(incoming, m.rung.Add(m.t.RingGap).Sub(m.now))
	m.since = began
	m.tell(line.Event{Kind: line.Incoming, Number: m.number})
}

func (m *machine) whenRinging(e event) {
	if m.hooked {
		m.whenHeld(e)
		return
	}
	switch e.kind {
	case evRing:
		m.rung = m.now
		if m.phase == ringing {
			m.announce() // the number comes before the second ring or not at all
		} else {
			m.deadline = m.now.Add(m.t.RingGap)
		}
	case evCaller:
		m.named(e.number)
		if m.phase == ringing { // withheld, and known to be
			m.announce()
		}
	case evCode:
		if e.code == 'P' || e.code == 'p' {
			m.elsewhere()
		}
	case evAnswer:
		m.owesAnswer = true
		if m.phase == ringing {
			m.answerDone(line.ErrNoCall)
			return
		}
		m.hooked = true
		m.enter(answering, 3*m.t.Reply)
		m.do(action{kind: doSeize})
	case evHangup:
		if m.phase == ringing {
			m.told = false
		}
		m.over(e.cause)
		m.enter(ignoring, m.t.RingGap)
	case evDial, evFlash:
		m.busy(e)
	case evMeasured:
		if e.shared {
			m.elsewhere()
			return
		}
		m.over(tel.CauseCancelled)
		m.state = state{}
	case evTick:
		m.ringingTick()
	}
}

// whenHeld is a caller who was met while we took the line to dial: connected already, and not answered yet.
func (m *machine) whenHeld(e event) {
	switch e.kind {
	case evAnswer:
		m.owesAnswer = true
		m.enter(answering, 3*m.t.Reply)
		m.do(action{kind: doSeize})
	case evHangup:
		m.hangUp(e.cause)
	case evHeard:
		if e.heard == heardGone || e.heard == heardDialTone {
			m.hangUp(tel.CauseCancelled)
		}
	case evStream, evTick:
		m.hangUp(tel.CauseCancelled)
	case evDial, evFlash:
		m.busy(e)
	}
}

// elsewhere is a call that another telephone on the same line has taken.
func (m *machine) elsewhere() {
	m.over(tel.CauseAnsweredElsewhere)
	m.do(action{kind: doBlame, fault: tel.LineShared})
	m.state = state{}
}

func (m *machine) ringingTick() {
	switch {
	case m.phase == ringing:
		m.announce()
	case m.is.meter && m.now.Sub(m.rung) < m.t.RingGap+m.t.Reply:
		m.deadline = m.now.Add(m.t.Reply + m.t.End) // the caller gave up, or another telephone answered
		m.do(action{kind: doMeasure})
	default:
		m.over(tel.CauseCancelled)
		m.state = state{}
	}
}

// whenIgnoring waits until a refused caller rings no more.
func (m *machine) whenIgnoring(e event) {
	switch e.kind {
	case evRing:
		m.deadline = m.now.Add(m.t.RingGap)
	case evTick:
		m.state = state{}
	default:
		m.busy(e)
	}
}

func (m *machine) whenAnswering(e event) {
	switch e.kind {
	case evSoundOn:
		m.sounding = true
		m.answerDone(nil)
		m.connected()
	case evRefused:
		m.answerDone(line.ErrRefused)
		m.hangUp(tel.CauseInterfaceFailure)
	case evHangup:
		m.hangUp(e.cause)
	case evTick:
		m.answerDone(line.ErrTimeout)
		m.hangUp(tel.CauseTimeout)
	default:
		m.busy(e)
	}
}

func (m *machine) whenEnding(e event) {
	switch e.kind {
	case evOnHook:
		if m.refused {
			m.dialDone(line.ErrRefused)
		}
		m.over(m.cause)
		m.state = state{}
		m.enter(settling, m.t.Settle)
	case evRing:
		m.ringAfter = true
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
	case evRing, evCaller:
		m.dialDone(line.ErrBusy)
		m.startRinging(e.number)
	case evTick:
		queued, owes := m.queued, m.owesDial
		m.state = state{}
		if owes {
			m.startDial(queued)
		}
	default:
		m.busy(e)
	}
}
