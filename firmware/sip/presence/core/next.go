// Package core decides what the box does as the notifier of one subscription (RFC 6665 section 4.2).
// It is pure: Next maps a state and an event to a state and effects, and the owner of the
// subscription carries the effects out in their order.
package core

import "time"

// Interval is the least time between two NOTIFY of one subscription that a change causes; what
// changes in between is told by the next one as the last state. A blink of a lamp is not worth more,
// and a queue under load must not flood the phones that watch it.
const Interval = 200 * time.Millisecond

// Settle is how long after a restart the first NOTIFY waits, so that it tells what the rooms that
// start later know, and not that everybody is idle.
const Settle = time.Second

// Jump is added to the CSeq after a restart: what the earlier process sent last may be missing from
// its journal.
const Jump = 1000

// maxRetryAfter bounds how long a watcher may put a NOTIFY off.
const maxRetryAfter = 5 * time.Minute

// Phase is where a subscription stands.
type Phase uint8

// The phases; the zero value is a subscription that has heard no SUBSCRIBE yet.
const (
	New     Phase = iota
	Active        // the watcher is told
	Closing       // the last NOTIFY, with "terminated", is under way or waits
	Ended
)

// Reason is why a subscription ends (RFC 6665 section 4.1.3).
type Reason string

// The reasons that the box has.
const (
	Timeout     Reason = "timeout"     // its time is up, or the watcher gave it up
	Deactivated Reason = "deactivated" // the watcher shall subscribe again at once
	NoResource  Reason = "noresource"  // there is no such number any more
	Rejected    Reason = "rejected"    // the watcher may not watch any more
)

// State is one subscription, a plain value.
type State struct {
	Phase   Phase     `json:"phase"`
	CSeq    uint32    `json:"cseq"`    // of the last NOTIFY
	Heard   uint32    `json:"heard"`   // CSeq of the last SUBSCRIBE
	Version uint32    `json:"version"` // of the next document
	Expires time.Time `json:"expires"`
	Reason  Reason    `json:"reason,omitempty"` // in Closing

	Sent    time.Time `json:"-"` // the last NOTIFY
	Waiting bool      `json:"-"` // the last NOTIFY has no final response yet
	Changed bool      `json:"-"` // there is something to tell
	Urgent  bool      `json:"-"` // it answers a SUBSCRIBE, or is the last word: no Interval
	Retry   time.Time `json:"-"` // nothing is sent before
}

// Event is what happens to a subscription.
type Event interface{ event() }

// Subscribe is a SUBSCRIBE that makes, refreshes (Lasts > 0) or ends (Lasts 0) the subscription, or
// fetches the state once (Lasts 0 as the first).
type Subscribe struct {
	CSeq  uint32
	Lasts time.Duration
}

// Change says that the watched state may differ from what was told.
type Change struct{}

// Wake says that the time of Due has come.
type Wake struct{}

// Terminate ends the subscription from our side.
type Terminate struct{ Reason Reason }

// Answered is a final response to the NOTIFY with that CSeq. RetryAfter is 0 when it names none.
type Answered struct {
	CSeq       uint32
	Status     int
	RetryAfter time.Duration
}

// Lost says that the NOTIFY with that CSeq got no answer, or could not be sent.
type Lost struct{ CSeq uint32 }

// Restored says that the state comes from the journal of an earlier process.
type Restored struct{}

func (Subscribe) event() {}
func (Change) event()    {}
func (Wake) event()      {}
func (Terminate) event() {}
func (Answered) event()  {}
func (Lost) event()      {}
func (Restored) event()  {}

// Effect is one thing to do.
type Effect interface{ effect() }

// Keep writes the new state into the journal.
type Keep struct{}

// Answer answers the SUBSCRIBE of the event: 200 with what it lasts, or a refusal.
type Answer struct {
	Status int
	Lasts  time.Duration
}

// Notify sends the present state. Reason is empty while the subscription is active, then Left is
// what remains of it.
type Notify struct {
	CSeq, Version uint32
	Reason        Reason
	Left          time.Duration
}

// Forget drops the subscription, from the journal too.
type Forget struct{}

func (Keep) effect()   {}
func (Answer) effect() {}
func (Notify) effect() {}
func (Forget) effect() {}

// Next is what becomes of the subscription and what is to be done, in this order. What a NOTIFY or
// an answer depends on is kept before it leaves.
func Next(s State, e Event, now time.Time) (State, []Effect) {
	switch e := e.(type) {
	case Subscribe:
		return s.subscribed(e, now)
	case Answered:
		return s.answered(e, now)
	case Lost:
		if s.Waiting && e.CSeq == s.CSeq {
			return s.ended()
		}
		return s, nil
	case Restored:
		if s.Phase != Active && s.Phase != Closing {
			return s.ended()
		}
		s.CSeq += Jump
		s.Waiting, s.Changed, s.Urgent = false, true, s.Phase == Closing
		s.Retry = now.Add(Settle)
		return s, []Effect{Keep{}}
	}
	if s.Phase == Active {
		switch e := e.(type) {
		case Change:
			s.Changed = true
		case Terminate:
			s = s.closing(e.Reason)
		case Wake:
			if !now.Before(s.Expires) {
				s = s.closing(Timeout)
			}
		}
	}
	return s.flush(now)
}

// subscribed is RFC 6665 section 4.2.1: the answer, and the state at once.
func (s State) subscribed(e Subscribe, now time.Time) (State, []Effect) {
	switch {
	case s.Phase == Closing || s.Phase == Ended:
		return s, []Effect{Answer{Status: 481}}
	case s.Phase == Active && e.CSeq <= s.Heard: // RFC 3261 section 12.2.2
		return s, []Effect{Answer{Status: 500}}
	}
	s.Phase, s.Heard, s.Expires = Active, e.CSeq, now.Add(e.Lasts)
	s.Changed, s.Urgent, s.Retry = true, true, time.Time{}
	if e.Lasts <= 0 {
		s = s.closing(Timeout)
	}
	s, effects := s.flush(now)
	answer := Answer{Status: 200, Lasts: e.Lasts}
	if len(effects) == 0 { // the last NOTIFY is not answered yet
		return s, []Effect{Keep{}, answer}
	}
	return s, append([]Effect{effects[0], answer}, effects[1:]...)
}

func (s State) closing(why Reason) State {
	s.Phase, s.Reason, s.Changed, s.Urgent = Closing, why, true, true
	return s
}

// answered is RFC 6665 section 4.2.2: an error that names no time to try again ends the subscription.
func (s State) answered(e Answered, now time.Time) (State, []Effect) {
	if !s.Waiting || e.CSeq != s.CSeq || e.Status < 200 {
		return s, nil
	}
	s.Waiting = false
	switch {
	case e.Status < 300:
		if s.Phase == Closing && !s.Changed {
			return s.ended()
		}
	case e.RetryAfter <= 0, s.Phase == Closing && !s.Changed, e.Status == 481:
		return s.ended()
	default:
		s.Changed = true
		s.Retry = now.Add(min(e.RetryAfter, maxRetryAfter))
	}
	return s.flush(now)
}

func (s State) ended() (State, []Effect) {
	if s.Phase == Ended {
		return s, nil
	}
	s.Phase, s.Waiting, s.Changed = Ended, false, false
	return s, []Effect{Forget{}}
}

// flush sends what there is to tell, when it may be sent: one NOTIFY at a time, since a repeated one
// must not arrive behind its successor.
func (s State) flush(now time.Time) (State, []Effect) {
	if !s.ready() || now.Before(s.earliest()) {
		return s, nil
	}
	n := Notify{CSeq: s.CSeq + 1, Version: s.Version}
	if s.Phase == Closing {
		n.Reason = s.Reason
	} else {
		n.Left = s.Expires.Sub(now)
	}
	s.CSeq++
	s.Version++
	s.Sent, s.Waiting, s.Changed, s.Urgent = now, true, false, false
	return s, []Effect{Keep{}, n}
}

func (s State) ready() bool {
	return s.Changed && !s.Waiting && (s.Phase == Active || s.Phase == Closing)
}

// earliest is when the next NOTIFY may leave.
func (s State) earliest() time.Time {
	at := s.Retry
	if !s.Urgent && !s.Sent.IsZero() {
		if next := s.Sent.Add(Interval); next.After(at) {
			at = next
		}
	}
	return at
}

// Due is when Wake is wanted next; ok is false when nothing but another event moves the subscription.
func (s State) Due() (at time.Time, ok bool) {
	if s.Phase == Active {
		at, ok = s.Expires, true
	}
	if s.ready() {
		if e := s.earliest(); !ok || e.Before(at) {
			at, ok = e, true
		}
	}
	return at, ok
}
