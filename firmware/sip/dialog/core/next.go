package core

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Next returns the state after e and what must be done, in order. It is the whole machine: s is
// not changed, and the same s, e and now give the same result.
func Next(s State, e Event, now time.Time) (State, []Effect) {
	m := &machine{s: s, now: now}
	switch e := e.(type) {
	case Begin:
		m.begin(e)
	case Restart:
		m.restart()
	case GotProvisional:
		m.provisional(e)
	case GotSuccess:
		m.success(e)
	case GotFailure:
		m.failure(e)
	case GotNothing:
		m.nothing(e)
	case GotAck:
		m.ack(e)
	case GotCancel:
		m.cancelled(e)
	case GotRequest:
		m.request(e)
	case GotNotify:
		m.gotNotify(e)
	case GotRefer:
		m.gotRefer(e)
	case GotReply:
		m.reply(e)
	case Fired:
		m.fired(e.Timer)
	default:
		m.command(e)
	}
	return m.finish()
}

// machine is one step of Next in the making.
type machine struct {
	s     State
	now   time.Time
	out   []Effect
	dirty bool // the journal must know before anything leaves
}

// finish puts the Save before every message.
func (m *machine) finish() (State, []Effect) {
	if m.dirty && m.s.Phase != Gone {
		m.out = slices.Insert(m.out, 0, Effect(Save{}))
	}
	return m.s, m.out
}

func (m *machine) do(e ...Effect) { m.out = append(m.out, e...) }

// tell passes a notice on as long as the application has the call: nothing follows Ended.
func (m *machine) tell(n Notice) {
	if m.s.Cause == tel.CauseNone {
		m.do(Tell{n})
	}
}

// identify tells who the peer says is there, when that is news.
func (m *machine) identify(who []string) {
	if len(who) == 0 || slices.Equal(who, m.s.Who) || !m.s.Live() {
		return
	}
	m.s.Who = who
	m.dirty = true
	m.tell(Identified{Headers: who})
}

// ended is the only place that tells Ended; it does so once.
func (m *machine) ended(cause tel.Cause, remote bool) {
	if m.s.Cause != tel.CauseNone {
		return
	}
	if cause == tel.CauseNone {
		cause = tel.CauseNormal
	}
	m.tell(Ended{Cause: cause, Remote: remote})
	m.s.Cause = cause
	m.dirty = true
}

func (m *machine) arm(t Timer, d time.Duration) {
	at := Deadline{Timer: t, At: m.now.Add(d).Round(0).UTC()}
	list := slices.Clone(m.s.Deadlines)
	if i := slices.IndexFunc(list, func(d Deadline) bool { return d.Timer == t }); i >= 0 {
		list[i] = at
	} else {
		list = append(list, at)
	}
	m.s.Deadlines = list
	m.do(Arm{t, d})
}

// rearm takes up a timer of an earlier process.
func (m *machine) rearm(t Timer, full time.Duration) {
	d, ok := m.s.Until(t, m.now, full)
	if !ok {
		d = full
	}
	m.arm(t, d)
}

func (m *machine) disarm(timers ...Timer) {
	for _, t := range timers {
		if m.unarmed(t) {
			m.do(Disarm{t})
		}
	}
}

// unarmed takes t off the list and reports whether it was there.
func (m *machine) unarmed(t Timer) bool {
	i := slices.IndexFunc(m.s.Deadlines, func(d Deadline) bool { return d.Timer == t })
	if i < 0 {
		return false
	}
	left := slices.Delete(slices.Clone(m.s.Deadlines), i, i+1)
	if len(left) == 0 {
		left = nil
	}
	m.s.Deadlines = left
	return true
}

// disarmAll stops what serves the call; the subscriptions of a transfer outlive it.
func (m *machine) disarmAll() {
	var left []Deadline
	for _, d := range m.s.Deadlines {
		if d.Timer == TimerRefer || d.Timer == TimerReferTo {
			left = append(left, d)
			continue
		}
		m.do(Disarm{d.Timer})
	}
	m.s.Deadlines = left
}

// begin is the birth of a call; the application knows of it already.
func (m *machine) begin(e Begin) {
	if m.s.Ring <= 0 {
		m.s.Ring = DefaultRing
		if m.s.Incoming {
			m.s.Ring = RingLimit
		}
	}
	if m.s.Phase == Offered {
		m.s.Reliable.RSeq = e.Dice % (1 << 16) // RFC 3262 section 3: unpredictable, with room to count
		m.dirty = true
		m.arm(TimerLimit, m.s.Ring)
		return
	}
	m.setLocal(m.s.LocalSDP)
	m.do(SendInvite{})
	m.arm(TimerC, m.s.Ring)
}

// end closes the call for both sides: nothing of ours is on its way.
func (m *machine) end(cause tel.Cause, remote bool) {
	m.dropExchange()
	m.ended(cause, remote)
	m.linger()
}

// linger keeps just enough to answer late messages, for as long as the network can hold them. The journal keeps it
// too: the end is on record before anything tells the peer of it, so that no later process takes the call for one
// that stands, and what the peer may have missed (our refusal, the 200 to its BYE) is said again.
func (m *machine) linger() {
	m.disarmAll()
	s := &m.s
	s.Phase = Lingering
	if s.Refusal.Status == 0 {
		s.Invite.Text = ""
	}
	s.LocalSDP, s.RemoteSDP, s.Forks, s.Exchange = nil, nil, nil, Exchange{}
	s.Reliable, s.Headers, s.Who, s.Expiry, s.Handover = Reliable{}, nil, nil, Expiry{}, Handover{}
	m.arm(TimerLinger, Life)
	m.dirty = true
}

// refuse answers their INVITE with a failure, which the next process repeats if this one dies: nobody knows then
// whether it arrived, and a caller who has had a provisional asks no more.
func (m *machine) refuse(p Reply, cause tel.Cause, remote bool) {
	m.s.Refusal = p
	m.do(m.s.refused())
	m.end(cause, remote)
}

// bye hangs up an established call (section 15.1.1).
func (m *machine) bye(cause tel.Cause) {
	m.dropExchange()
	m.ended(cause, false)
	m.disarmAll()
	m.s.Phase = Ending
	m.sendBye()
}

func (m *machine) sendBye() {
	m.s.CSeq++
	m.s.ByeCSeq = m.s.CSeq
	m.dirty = true
	m.do(SendRequest{Method: "BYE", CSeq: m.s.CSeq, Peer: m.s.Peer, Cause: m.s.Cause})
	m.arm(TimerBye, Life)
}

// fired runs the timer t. A timer that is not armed has been overtaken by a message.
func (m *machine) fired(t Timer) {
	if !m.unarmed(t) {
		return
	}
	switch t {
	case TimerC:
		m.giveUp(tel.CauseNoAnswer)
	case TimerCancel, TimerBye:
		m.linger()
	case TimerRefresh:
		m.ringOn()
	case TimerPrack:
		m.unacknowledged()
	case TimerSession:
		m.refresh()
	case TimerExpire:
		m.bye(tel.CauseTimeout)
	case TimerLimit:
		m.refuse(Reply{Status: 480}, tel.CauseNoAnswer, false)
	case TimerResend:
		m.resend()
	case TimerAck:
		m.bye(tel.CauseTimeout) // section 13.3.1.4: no ACK came, the session must not stay
	case TimerAnswer:
		m.rejectReoffer(488)
	case TimerReoffer:
		m.reofferLate()
	case TimerGlare:
		m.offer(m.s.Exchange)
	case TimerHandover:
		m.handedOver(408)
	case TimerReferTo:
		m.refersForgotten()
	case TimerRefer:
		m.refersExpired()
	case TimerLinger:
		if len(m.s.Referrals) > 0 { // bounded by TimerRefer
			m.arm(TimerLinger, Life)
			return
		}
		m.s.Phase = Gone
		m.do(Drop{}, Close{})
	}
}

// command runs a wish of the application.
func (m *machine) command(e Event) {
	s := &m.s
	switch e := e.(type) {
	case DoProvisional:
		if s.Phase != Offered || e.Status <= 100 || e.Status >= 200 || s.Reliable.accepting() {
			m.ignore("provisional")
			return
		}
		m.ring(Reply(e))
	case DoAccept:
		if s.Phase != Offered || len(e.SDP)+len(s.LocalSDP) == 0 || s.Reliable.accepting() {
			m.ignore("accept")
			return
		}
		m.accept(Reply{Status: 200, SDP: e.SDP, Headers: e.Headers})
	case DoReject:
		if s.Phase != Offered || e.Status < 300 || e.Status > 699 {
			m.ignore("reject")
			return
		}
		m.refuse(Reply{Status: e.Status, Headers: e.Headers}, tel.CauseFromSIP(e.Status), false)
		m.do(Drop{}) // a challenge, or a stranger: many may come, and none of them is worth memory for half a minute
	case DoHangup:
		m.hangup(e.Cause)
	case DoReoffer:
		m.reoffer(e.SDP)
	case DoUpdate:
		m.update(e)
	case DoRefer:
		m.handOver(e)
	case DoAnswerRefer:
		m.answerRefer(e.ID, e.Status)
	case DoNotifyRefer:
		m.notifyRefer(e.ID, e.Progress)
	case DoAnswerReoffer:
		if !s.Live() || s.Exchange.Turn != TurnTheirs || len(e.SDP) == 0 {
			m.ignore("answer reoffer")
			return
		}
		m.answerReoffer(e.SDP)
	case DoRejectReoffer:
		if !s.Live() || s.Exchange.Turn != TurnTheirs || e.Status < 300 || e.Status > 699 {
			m.ignore("reject reoffer")
			return
		}
		m.rejectReoffer(e.Status)
	case DoInfo:
		if s.Phase != Up {
			m.ignore("info")
			return
		}
		s.CSeq++
		m.dirty = true
		m.do(SendRequest{Method: "INFO", CSeq: s.CSeq, Peer: s.Peer, ContentType: e.ContentType, Body: e.Body})
	}
}

func (m *machine) ignore(command string) {
	m.tell(Ignored{Command: command, Phase: m.s.Phase.String()})
}

func (m *machine) hangup(cause tel.Cause) {
	if !m.s.Live() {
		return // the application hung up what has just ended: nothing to say
	}
	if cause == tel.CauseNone {
		cause = tel.CauseNormal
	}
	switch m.s.Phase {
	case Calling, Ringing:
		m.giveUp(cause)
	case Offered:
		m.refuse(Reply{Status: cause.SIPStatus()}, cause, false)
	case Accepted:
		m.s.HangupAtAck = true
		m.ended(cause, false)
	case Up:
		m.bye(cause)
	}
}
