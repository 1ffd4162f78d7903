package stack

import "time"

// Timer values of RFC 3261 section 17.1.1.1 and table 4.
const (
	t1 = 500 * time.Millisecond
	t2 = 4 * time.Second
	t4 = 5 * time.Second
	// giveUp is 64*T1: timers B, F, H, J, L and M.
	giveUp = 64 * t1
	// timerD absorbs repeated final responses over UDP.
	timerD = 32 * time.Second
	// tryingAfter is how long the layer above may think before it is answered 100 for it
	// (RFC 3261 section 17.2.1).
	tryingAfter = 200 * time.Millisecond
)

// role is which of the four machines of RFC 3261 section 17 a transaction runs.
type role uint8

const (
	inviteServer role = iota + 1
	plainServer
	inviteClient
	plainClient
)

// phase is the state of a machine.
type phase uint8

const (
	phaseCalling    phase = iota // client: sent, nothing heard; plain server: nothing answered
	phaseProceeding              // a provisional response passed
	phaseCompleted               // final response passed, repetitions are absorbed
	phaseConfirmed               // INVITE server: the ACK of a refusal came
	phaseAccepted                // INVITE answered 2xx (RFC 6026)
	phaseEnded
)

func (p phase) String() string {
	return [...]string{"calling", "proceeding", "completed", "confirmed", "accepted", "ended"}[p]
}

// event is what a machine is told.
type event uint8

const (
	evStart     event = iota + 1
	evRequest         // server: the request came again
	evAck             // INVITE server: an ACK with the INVITE's branch
	ev1xx             // a provisional response: received by a client, offered to a server
	ev2xx             // a success
	evFinal           // any final response from 300 up
	evRepeat          // timer A, E or G
	evGiveUp          // timer B, F or H
	evLinger          // timer D, I, J, K, L or M
	evTrying          // INVITE server: 200 ms without an answer
	evCancelled       // INVITE client: a CANCEL was sent
	evBroken          // client: the transport refused the message
)

func (e event) String() string {
	return [...]string{
		"", "start", "request", "ack", "1xx", "2xx", "final", "repeat", "give up",
		"linger", "trying", "cancelled", "broken",
	}[e]
}

// action is one thing to do, in the order given.
type action uint8

const (
	actSend       action = iota + 1 // put the offered message on the wire and remember it
	actResend                       // put the remembered message on the wire again
	actSendTrying                   // answer 100
	actSendAck                      // acknowledge a refusal (RFC 3261 section 17.1.1.3)
	actDeliver                      // hand the response, or the ACK, to the layer above
	actTimeout                      // tell the layer above that nobody answered
	actBroken                       // tell the layer above that the transport failed
	actArm                          // start a timer, replacing one of the same name
	actDisarm                       // stop a timer
)

// clock names a timer of one transaction.
type clock uint8

const (
	clockRepeat clock = iota
	clockGiveUp
	clockLinger
	clockTrying
	clocks = iota
)

// event that a timer becomes when it fires.
func (c clock) event() event {
	return [...]event{evRepeat, evGiveUp, evLinger, evTrying}[c]
}

// effect is an action with its timer, where it needs one.
type effect struct {
	do    action
	clock clock
	after time.Duration
}

func arm(c clock, d time.Duration) effect { return effect{do: actArm, clock: c, after: d} }
func disarm(c clock) effect               { return effect{do: actDisarm, clock: c} }

// machine is the state of one transaction, a plain value.
type machine struct {
	role     role
	phase    phase
	reliable bool          // TCP: nothing is repeated
	interval time.Duration // of the repetition that runs
}

// next returns what the machine becomes and what is to be done. An event without meaning in a
// phase changes nothing.
func (m machine) next(e event) (machine, []effect) {
	if m.phase == phaseEnded {
		return m, nil
	}
	switch m.role {
	case inviteServer:
		return m.nextInviteServer(e)
	case plainServer:
		return m.nextPlainServer(e)
	case inviteClient:
		return m.nextInviteClient(e)
	default:
		return m.nextPlainClient(e)
	}
}

// linger leaves the machine in a phase that only absorbs repetitions; over TCP there are none.
func (m machine) linger(p phase, d time.Duration, effects ...effect) (machine, []effect) {
	if d <= 0 {
		m.phase = phaseEnded
		return m, effects
	}
	m.phase = p
	return m, append(effects, arm(clockLinger, d))
}

// unlessReliable is d over UDP and nothing over TCP.
func (m machine) unlessReliable(d time.Duration) time.Duration {
	if m.reliable {
		return 0
	}
	return d
}

// repeat doubles the interval of repetition up to a limit; over TCP nothing is repeated.
func (m machine) repeat(limit time.Duration) (machine, []effect) {
	if m.reliable {
		return m, nil
	}
	m.interval = min(2*m.interval, limit)
	return m, []effect{{do: actResend}, arm(clockRepeat, m.interval)}
}

// nextInviteServer is RFC 3261 figure 7 as corrected by RFC 6026 section 7.1.
func (m machine) nextInviteServer(e event) (machine, []effect) {
	switch m.phase {
	case phaseCalling, phaseProceeding:
		switch e {
		case evStart:
			m.phase = phaseProceeding
			return m, []effect{arm(clockTrying, tryingAfter)}
		case evRequest:
			return m, []effect{{do: actResend}}
		case evTrying:
			return m, []effect{{do: actSendTrying}}
		case ev1xx:
			return m, []effect{disarm(clockTrying), {do: actSend}}
		case ev2xx:
			return m.linger(phaseAccepted, giveUp, disarm(clockTrying), effect{do: actSend})
		case evFinal:
			m.phase = phaseCompleted
			effects := []effect{disarm(clockTrying), {do: actSend}, arm(clockGiveUp, giveUp)}
			if !m.reliable {
				m.interval = t1
				effects = append(effects, arm(clockRepeat, m.interval))
			}
			return m, effects
		}
	case phaseCompleted:
		switch e {
		case evRequest:
			return m, []effect{{do: actResend}}
		case evRepeat:
			return m.repeat(t2)
		case evAck:
			return m.linger(phaseConfirmed, m.unlessReliable(t4), disarm(clockRepeat), disarm(clockGiveUp))
		case evGiveUp:
			m.phase = phaseEnded
			return m, []effect{disarm(clockRepeat)}
		}
	case phaseAccepted:
		switch e {
		case ev2xx: // the layer above repeats its answer until the ACK comes
			return m, []effect{{do: actSend}}
		case evAck:
			return m, []effect{{do: actDeliver}}
		case evLinger:
			m.phase = phaseEnded
		}
	case phaseConfirmed:
		if e == evLinger {
			m.phase = phaseEnded
		}
	}
	return m, nil
}

// nextPlainServer is RFC 3261 figure 8. Nobody waits longer than 64*T1 for the answer to such a
// request, so a transaction that the layer above forgets ends by then.
func (m machine) nextPlainServer(e event) (machine, []effect) {
	switch m.phase {
	case phaseCalling, phaseProceeding:
		switch e {
		case evStart:
			return m, []effect{arm(clockGiveUp, giveUp)}
		case evRequest:
			if m.phase == phaseProceeding {
				return m, []effect{{do: actResend}}
			}
		case ev1xx:
			m.phase = phaseProceeding
			return m, []effect{{do: actSend}}
		case ev2xx, evFinal:
			return m.linger(phaseCompleted, m.unlessReliable(giveUp), disarm(clockGiveUp), effect{do: actSend})
		case evGiveUp:
			m.phase = phaseEnded
		}
	case phaseCompleted:
		switch e {
		case evRequest:
			return m, []effect{{do: actResend}}
		case evLinger:
			m.phase = phaseEnded
		}
	}
	return m, nil
}

// nextInviteClient is RFC 3261 figure 5 as corrected by RFC 6026 section 7.2. Once a provisional
// response came, only the layer above (timer C) or a CANCEL ends the wait.
func (m machine) nextInviteClient(e event) (machine, []effect) {
	switch m.phase {
	case phaseCalling, phaseProceeding:
		switch e {
		case evStart:
			effects := []effect{arm(clockGiveUp, giveUp)}
			if !m.reliable {
				m.interval = t1
				effects = append(effects, arm(clockRepeat, m.interval))
			}
			return m, append(effects, effect{do: actSend})
		case evRepeat:
			if m.phase == phaseCalling {
				return m.repeat(giveUp)
			}
		case ev1xx:
			if m.phase == phaseProceeding {
				return m, []effect{{do: actDeliver}}
			}
			m.phase = phaseProceeding
			return m, []effect{disarm(clockRepeat), disarm(clockGiveUp), {do: actDeliver}}
		case ev2xx:
			return m.linger(phaseAccepted, giveUp, disarm(clockRepeat), disarm(clockGiveUp), effect{do: actDeliver})
		case evFinal:
			return m.linger(phaseCompleted, m.unlessReliable(timerD), disarm(clockRepeat), disarm(clockGiveUp),
				effect{do: actSendAck}, effect{do: actDeliver})
		case evCancelled: // RFC 3261 section 9.1: no answer within 64*T1 counts as cancelled
			return m, []effect{arm(clockGiveUp, giveUp)}
		case evGiveUp:
			m.phase = phaseEnded
			return m, []effect{disarm(clockRepeat), {do: actTimeout}}
		case evBroken:
			m.phase = phaseEnded
			return m, []effect{disarm(clockRepeat), disarm(clockGiveUp), {do: actBroken}}
		}
	case phaseCompleted:
		switch e {
		case evFinal:
			return m, []effect{{do: actSendAck}}
		case evLinger:
			m.phase = phaseEnded
		}
	case phaseAccepted:
		switch e {
		case ev2xx: // repeated, or of another branch of a fork: the layer above acknowledges each
			return m, []effect{{do: actDeliver}}
		case evLinger:
			m.phase = phaseEnded
		}
	}
	return m, nil
}

// nextPlainClient is RFC 3261 figure 6.
func (m machine) nextPlainClient(e event) (machine, []effect) {
	switch m.phase {
	case phaseCalling, phaseProceeding:
		switch e {
		case evStart:
			effects := []effect{arm(clockGiveUp, giveUp)}
			if !m.reliable {
				m.interval = t1
				effects = append(effects, arm(clockRepeat, m.interval))
			}
			return m, append(effects, effect{do: actSend})
		case evRepeat:
			if m.phase == phaseProceeding {
				m.interval = t2
			}
			return m.repeat(t2)
		case ev1xx:
			m.phase = phaseProceeding
			return m, []effect{{do: actDeliver}}
		case ev2xx, evFinal:
			return m.linger(phaseCompleted, m.unlessReliable(t4), disarm(clockRepeat), disarm(clockGiveUp), effect{do: actDeliver})
		case evGiveUp:
			m.phase = phaseEnded
			return m, []effect{disarm(clockRepeat), {do: actTimeout}}
		case evBroken:
			m.phase = phaseEnded
			return m, []effect{disarm(clockRepeat), disarm(clockGiveUp), {do: actBroken}}
		}
	case phaseCompleted:
		if e == evLinger {
			m.phase = phaseEnded
		}
	}
	return m, nil
}
