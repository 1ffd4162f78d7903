package gsm

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
	answering        // ATA was sent
	dialing          // ATD was sent
	proceeding       // ATD was accepted
	alerting         // the far end rings
	connecting       // the network has connected; the sound is being switched on
	listening        // it says so, and the sound decides whether the far end has answered
	talking          // Connected was told
	ending           // we hang up, rung by rung
	asking           // the network ended a dialled call; the reason is being asked
	settling         // the call is over; its last words may still come
)

var phaseNames = [...]string{
	"idle", "ringing", "incoming", "answering", "dialing", "proceeding", "alerting", "connecting", "listening", "talking", "ending", "asking", "settling",
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
	sound    bool      // the audio was switched on, so that it must be switched off
	alerted  bool      // the far end rang
	voiced   bool      // the first sound of an answered call was judged
	weak     bool      // the one NO CARRIER that may mean a change of network has come
	knock    bool      // a second caller waits
	glare    bool      // RING came while ATD was pending
	doubt    bool      // the ringing may have stopped; a look at the list of calls decides
	since    time.Time // the phase began
	deadline time.Time // the next tick; never zero but in idle
	answered time.Time // the network connected
	id       int       // of the call in the modem's list, 0 = not seen there yet
	rung     int       // of the hang-up ladder
	silent   int       // polls in a row that got no answer
	absent   int       // polls in a row in whose list our call is not
	cause    tel.Cause // of the end that we chose

	owesDial   bool // Dial waits for its outcome
	owesAnswer bool // Answer waits for its outcome
	queued     tel.Number
}

type eventKind uint8

const (
	// Commands of the box.
	evDial eventKind = iota + 1
	evAnswer
	evHangup
	// Answers of the modem to our commands.
	evDialed   // final of ATD
	evAccepted // final of ATA
	evHungUp   // final of a rung
	evList     // answer to AT+CLCC
	evReason   // answer to AT+CEER
	evSoundOn  // the audio switch held
	evSoundOff // the audio switch failed for good
	// Unsolicited.
	evRing
	evCaller
	evCall
	evBegin
	evEnd
	evNoCarrier
	evBusy
	evNoAnswer
	evMissed
	evDigit
	evKnock // a second caller while the line talks
	evHeard // what the sound of a dialled call says
	// Others.
	evFound // calls that were up when the driver started
	evLost  // the modem is gone or restarted
	evTick  // the deadline passed
)

// verdict is how the modem took ATD or ATA.
type verdict uint8

const (
	accepted verdict = iota + 1
	busyTone
	unanswered // NO ANSWER
	dropped    // NO CARRIER
	refused    // ERROR
	noReply
)

type event struct {
	kind    eventKind
	number  tel.Number // evDial, evCaller
	cause   tel.Cause  // evHangup, evReason; evEnd where the modem says why
	heard   heard      // evHeard
	verdict verdict    // evDialed, evAccepted, evHungUp
	calls   []call     // evList, evFound
	call    call       // evCall
	digit   byte       // evDigit
}

type actionKind uint8

const (
	doDial       actionKind = iota + 1 // send ATD
	doAnswer                           // send ATA
	doHangup                           // send the rung of the ladder
	doList                             // send AT+CLCC
	doAskReason                        // send AT+CEER
	doSoundOn                          // switch the audio on, with retries
	doSoundOff                         // switch it off
	doTell                             // send the event to the consumer
	doDialDone                         // Dial returns err
	doAnswerDone                       // Answer returns err
	doReset                            // the modem does not obey: restart it
	doBlameSound                       // the audio did not come up: count it
	doTurnAway                         // send AT+CHLD=0: the second caller gets the busy tone
	doHeardLie                         // the modem says "connected" before the answer: remember it
)

type action struct {
	kind   actionKind
	number tel.Number // doDial
	rung   int        // doHangup
	id     int        // doHangup: the call in the modem's list
	event  line.Event // doTell
	err    error      // doDialDone, doAnswerDone
}

// machine is one transition in progress.
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
	m.learnID(e)
	m.second(e)
	switch s.phase {
	case idle:
		m.whenIdle(e)
	case ringing, incoming:
		m.whenRinging(e)
	case answering:
		m.whenAnswering(e)
	case dialing:
		m.whenDialing(e)
	case proceeding, alerting:
		m.whenProceeding(e)
	case connecting:
		m.whenConnecting(e)
	case listening:
		m.whenListening(e)
	case talking:
		m.whenTalking(e)
	case ending:
		m.whenEnding(e)
	case asking:
		m.whenAsking(e)
	case settling:
		m.whenSettling(e)
	}
	return m.state, m.out
}

// learnID remembers which of the modem's calls is ours.
func (m *machine) learnID(e event) {
	if m.phase == idle || m.phase == settling {
		return
	}
	calls := e.calls
	if e.kind == evCall {
		calls = []call{e.call}
	}
	for _, c := range calls {
		if m.ours(c) && c.stat != statReleased {
			m.id = c.id
		}
	}
}

// ours tells the call of this line from one that knocks.
func (m *machine) ours(c call) bool {
	rings := m.phase == ringing || m.phase == incoming
	return c.inbound == m.inbound && (m.id == 0 || c.id == m.id || c.id == 0) && (rings || c.stat != statWaiting)
}

// second keeps the book of who knocks, and turns away who may not.
func (m *machine) second(e event) {
	if m.phase < connecting || m.phase > talking {
		return
	}
	knocks := false
	switch e.kind {
	case evKnock:
		knocks = true
	case evCall:
		if e.call.stat != statWaiting {
			return
		}
		knocks = true
	case evList:
		for _, c := range e.calls {
			knocks = knocks || c.stat == statWaiting
		}
	default:
		return
	}
	if knocks && !m.is.knock {
		m.do(action{kind: doTurnAway})
		return
	}
	m.knock = knocks
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

func (m *machine) wait(d time.Duration) { m.deadline = m.now.Add(d) }

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

// busy turns away the commands that no phase but idle or incoming takes.
func (m *machine) busy(e event) {
	switch e.kind {
	case evDial:
		m.do(action{kind: doDialDone, err: line.ErrBusy})
	case evAnswer:
		m.do(action{kind: doAnswerDone, err: line.ErrNoCall})
	}
}

// gone closes the call: the one place that sends Ended.
func (m *machine) gone(cause tel.Cause) {
	if m.told {
		m.do(action{kind: doTell, event: line.Event{Kind: line.Ended, Cause: cause, At: m.now}})
	}
	m.dialDone(line.ErrGone)
	m.answerDone(line.ErrGone)
	if m.sound {
		m.do(action{kind: doSoundOff})
	}
	m.state = state{knock: m.knock}
	m.enter(settling, m.t.Settle)
}

// lost ends everything at once: there is no modem to ask.
func (m *machine) lost() {
	cause := tel.CauseInterfaceFailure
	if m.phase == ending {
		cause = m.cause
	}
	m.dialDone(line.ErrDown)
	m.answerDone(line.ErrDown)
	m.sound = false // the switch is gone with the modem
	m.gone(cause)
	m.state = state{}
}

// hangUp climbs on the first rung.
func (m *machine) hangUp(cause tel.Cause) {
	m.cause, m.rung = cause, 0
	m.dialDone(line.ErrGone)
	m.answerDone(line.ErrGone)
	m.enter(ending, m.t.Rung[0])
	m.hangUpNow()
}

func (m *machine) hangUpNow() {
	m.do(action{kind: doHangup, rung: m.rung, id: max(1, m.id)})
}

func (m *machine) whenIdle(e event) {
	switch e.kind {
	case evDial:
		m.startDial(e.number)
	case evRing:
		m.startRinging("")
		m.do(action{kind: doList}) // the list often has the number before +CLIP comes
	case evCaller:
		m.startRinging(e.number)
		m.do(action{kind: doList})
	case evCall:
		m.strayCall(e.call)
	case evFound:
		for _, c := range e.calls {
			if m.phase == idle {
				m.found(c)
			}
		}
	case evList:
		for _, c := range e.calls {
			if m.phase == idle {
				m.strayCall(c)
			}
		}
	case evAnswer:
		m.busy(e)
	}
}

// strayCall is a call in the modem's list while we know of none.
func (m *machine) strayCall(c call) {
	switch c.stat {
	case statIncoming, statWaiting:
		m.startRinging("")
		m.named(c.number)
	case statReleased:
	default:
		// Nobody of ours talks there, and the network counts the minutes.
		m.inbound, m.id = c.inbound, c.id
		m.hangUp(tel.CauseInternalError)
	}
}

func (m *machine) startDial(n tel.Number) {
	m.state = state{number: n, owesDial: true}
	m.enter(dialing, m.t.Command+m.t.Reply)
	m.do(action{kind: doDial, number: n})
}

func (m *machine) startRinging(n tel.Number) {
	m.state = state{inbound: true}
	m.enter(ringing, m.t.Announce)
	m.named(n)
}

// named tells the incoming call as soon as its number is known.
func (m *machine) named(n tel.Number) {
	if m.phase == ringing && n != "" {
		m.number = n
		m.announce()
	}
}

func (m *machine) announce() {
	began := m.since
	m.enter(incoming, m.t.RingGap)
	m.since = began
	m.tell(line.Event{Kind: line.Incoming, Number: m.number})
}

// found takes over a call of an earlier process.
func (m *machine) found(c call) {
	switch c.stat {
	case statIncoming, statWaiting:
		m.startRinging("")
		m.named(c.number)
		if m.phase == ringing {
			m.announce()
		}
		return
	case statReleased:
		return
	}
	m.state = state{number: c.number, inbound: c.inbound, id: c.id}
	m.tell(line.Event{Kind: line.Recovered, Number: c.number, Inbound: c.inbound})
	switch c.stat {
	case statActive, statHeld:
		m.connected()
	default:
		m.enter(proceeding, m.t.Poll)
		m.progress(c.stat)
	}
}

func (m *machine) whenRinging(e event) {
	switch e.kind {
	case evRing:
		m.doubt = false
		switch {
		case m.phase == incoming && m.now.Sub(m.since) > m.t.RingMax:
			m.hangUp(tel.CauseNoAnswer)
		case m.phase == incoming:
			m.wait(m.t.RingGap)
		}
	case evCaller:
		m.named(e.number)
	case evCall:
		m.ringingCall(e.call)
	case evList:
		m.ringingList(e.calls)
	case evBegin:
		m.answeredHere()
	case evMissed, evEnd:
		m.gone(tel.CauseCancelled)
	case evKnock:
		m.named(e.number)
	case evNoCarrier:
		// It may be the last word of the call before this one.
		m.doubt = true
		m.do(action{kind: doList})
	case evAnswer:
		m.owesAnswer = true
		if m.phase == ringing {
			m.answerDone(line.ErrNoCall)
			return
		}
		m.enter(answering, m.t.Command+m.t.Reply)
		m.do(action{kind: doAnswer})
	case evHangup:
		m.hangUp(e.cause)
	case evDial:
		m.busy(e)
	case evTick:
		m.ringingTick()
	}
}

// answeredHere is a call that somebody else answered, at the modem itself: it is ours all the same.
func (m *machine) answeredHere() {
	if m.phase == ringing {
		m.announce()
	}
	m.connected()
}

func (m *machine) ringingCall(c call) {
	if !c.inbound {
		return
	}
	switch c.stat {
	case statIncoming, statWaiting:
		m.named(c.number)
	case statActive:
		m.answeredHere()
	case statReleased:
		m.gone(tel.CauseCancelled)
	}
}

func (m *machine) ringingList(calls []call) {
	for _, c := range calls {
		if c.inbound && c.stat != statReleased {
			if m.doubt {
				m.doubt = false
				m.wait(m.t.RingGap)
			}
			m.ringingCall(c)
			return
		}
	}
	// The list may lag behind the first RING, so an empty one counts only when RING has stopped too.
	if m.doubt {
		m.gone(tel.CauseCancelled)
	}
}

func (m *machine) ringingTick() {
	switch {
	case m.phase == ringing:
		m.announce() // withheld, or a network without caller identity
	case m.now.Sub(m.since) > m.t.RingMax:
		m.hangUp(tel.CauseNoAnswer)
	case m.doubt:
		m.gone(tel.CauseCancelled) // no RING, and the list was not to be had
	default:
		m.doubt = true
		m.wait(m.t.Reply)
		m.do(action{kind: doList})
	}
}

func (m *machine) whenAnswering(e event) {
	switch e.kind {
	case evAccepted:
		m.accepted(e.verdict)
	case evBegin:
		m.answerDone(nil)
		m.connected()
	case evCall:
		m.answeringCall(e.call)
	case evList:
		m.silent = 0
		if len(e.calls) == 0 {
			m.absent++
		}
		for _, c := range e.calls {
			m.absent = 0
			if m.phase == answering {
				m.answeringCall(c)
			}
		}
		if m.phase == answering && m.absent >= 2 {
			m.gone(tel.CauseCancelled)
		}
	case evEnd, evNoCarrier, evMissed:
		m.gone(tel.CauseCancelled) // the caller hung up in the same moment
	case evHangup:
		m.hangUp(e.cause)
	case evTick:
		if m.owesAnswer || m.now.Sub(m.since) > m.t.Command+m.t.AudioOn {
			m.hangUp(tel.CauseTimeout)
			return
		}
		m.wait(m.t.Poll)
		m.do(action{kind: doList}) // BEGIN was lost, or this modem has none
	default:
		m.busy(e)
	}
}

func (m *machine) accepted(v verdict) {
	switch v {
	case accepted:
		m.answerDone(nil)
		m.wait(min(m.t.Poll, m.t.Announce))
	case noReply:
		m.answerDone(line.ErrTimeout)
		m.hangUp(tel.CauseTimeout)
	default:
		m.gone(tel.CauseCancelled)
	}
}

func (m *machine) answeringCall(c call) {
	switch {
	case !c.inbound:
	case c.stat == statActive:
		m.answerDone(nil)
		m.connected()
	case c.stat == statReleased:
		m.gone(tel.CauseCancelled)
	}
}
