package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Speech is what a waiting caller was told.
type Speech struct {
	Began    time.Time `json:"began,omitzero"`     // the last announcement of any kind
	Until    time.Time `json:"until,omitzero"`     // one is being spoken, until then at the latest; zero: silence
	Position int       `json:"position,omitempty"` // told last
	Told     time.Time `json:"told,omitzero"`      // when
	Messages int       `json:"messages,omitempty"` // told so far
	Message  bool      `json:"message,omitempty"`  // what is being spoken is one
	Ended    time.Time `json:"ended,omitzero"`     // the last message
	Callback bool      `json:"callback,omitempty"` // the callback was offered
}

// position is the caller's place in the queue, 1 for who is next. Callbacks count: they are served in
// their turn.
func (q *Queue) position(e *Entry) int {
	i, ok := slices.BinarySearchFunc(q.waiting, e, byTurn)
	if !ok {
		return 0
	}
	return i + 1
}

// nextSpeech is when the caller is told something next, or an announcement must have ended; the zero
// time when nothing is to be said.
func (s *State) nextSpeech(e *Entry) time.Time {
	q := s.Queues[e.Queue]
	if q == nil || e.Callback != "" {
		return time.Time{}
	}
	if !e.Speech.Until.IsZero() {
		return e.Speech.Until
	}
	if !e.Greeted || len(e.Offers) > 0 { // an agent's phone rings: the answer would cut it off
		return time.Time{}
	}
	var first time.Time
	for _, at := range [3]time.Time{q.positionDue(e), q.messageDue(e), q.callbackDue(e)} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		return first
	}
	if gap := e.Speech.Began.Add(announceGap); !e.Speech.Began.IsZero() && first.Before(gap) {
		return gap
	}
	return first
}

// positionDue is when the place is told, the gap left aside.
func (q *Queue) positionDue(e *Entry) time.Time {
	a := &q.Spec.Waiting.Announce
	if !a.Position && !a.Wait {
		return time.Time{}
	}
	at := q.position(e)
	if at == 0 || at == 1 && !a.Head || a.Limit > 0 && at > a.Limit && !a.MoreThan {
		return time.Time{}
	}
	switch sp := &e.Speech; {
	case sp.Told.IsZero():
		return e.Arrived.Add(a.After)
	case a.OnlyUp && at >= sp.Position:
		return time.Time{}
	case at != sp.Position && !(a.Limit > 0 && at > a.Limit && sp.Position > a.Limit):
		return sp.Told // as soon as the gap allows
	case a.Every > 0:
		return sp.Told.Add(a.Every)
	}
	return time.Time{}
}

// messageDue is when the next message is told: a while after the one before has ended.
func (q *Queue) messageDue(e *Entry) time.Time {
	a := &q.Spec.Waiting.Announce
	if len(a.Messages) == 0 {
		return time.Time{}
	}
	if e.Speech.Ended.IsZero() {
		return e.Arrived.Add(a.MessageEvery)
	}
	return e.Speech.Ended.Add(a.MessageEvery)
}

// callbackDue is when the caller is told how to be called back: once.
func (q *Queue) callbackDue(e *Entry) time.Time {
	c := &q.Spec.Waiting.Callback
	if !c.Enabled || c.After <= 0 || e.Speech.Callback {
		return time.Time{}
	}
	return e.Arrived.Add(c.After)
}

// speak tells the caller what is due. The place and the offer of a callback go into one announcement.
func (s *step) speak(e *Entry) {
	q, sp := s.Queues[e.Queue], &e.Speech
	s.touchEntry(e)
	if !sp.Until.IsZero() { // the call never said that it was over
		s.spoken(e)
		return
	}
	m, due := tel.Announce{Call: e.Call}, func(at time.Time) bool { return !at.IsZero() && !at.After(s.now) }
	if due(q.positionDue(e)) {
		s.tellPosition(e, &m)
	}
	if due(q.callbackDue(e)) {
		m.Callback = rune(q.Spec.Waiting.Callback.Key[0])
		sp.Callback = true
	}
	if m == (tel.Announce{Call: e.Call}) && due(q.messageDue(e)) {
		m.Message = s.message(e)
		sp.Message = true
	}
	sp.Began, sp.Until = s.now, s.now.Add(announceFor)
	s.send(m)
}

func (s *step) tellPosition(e *Entry, m *tel.Announce) {
	q := s.Queues[e.Queue]
	a, at := &q.Spec.Waiting.Announce, q.position(e)
	e.Speech.Told, e.Speech.Position = s.now, at
	m.Estimate = a.Wait
	switch {
	case !a.Position:
	case a.Limit > 0 && at > a.Limit:
		m.MoreThan = a.Limit
	default:
		m.Position = at
	}
}

// message picks the next message: in order, or at random, but never the same twice in a row.
func (s *step) message(e *Entry) string {
	all := s.Queues[e.Queue].Spec.Waiting.Announce.Messages
	sp := &e.Speech
	if s.Queues[e.Queue].Spec.Waiting.Announce.Random && len(all) > 1 {
		last := sp.Messages % len(all)
		sp.Messages = (last + 1 + int(s.seed%uint64(len(all)-1))) % len(all)
		return all[sp.Messages]
	}
	sp.Messages++
	return all[(sp.Messages-1)%len(all)]
}

func (s *step) announced(m tel.Announced) {
	if e := s.caller(m.Call); e != nil && !e.Speech.Until.IsZero() {
		s.touchEntry(e)
		s.spoken(e)
	}
}

// spoken ends an announcement.
func (s *step) spoken(e *Entry) {
	sp := &e.Speech
	if sp.Message {
		sp.Ended = s.now
	}
	sp.Until, sp.Message = time.Time{}, false
	s.armAnnounce(e)
}

// armAnnounce sets the timer of the caller's next announcement unless it is set already.
func (s *State) armAnnounce(e *Entry) {
	at := s.nextSpeech(e)
	if at.IsZero() || at.Equal(e.armed) || !e.armed.IsZero() && e.armed.Before(at) {
		return // an earlier timer finds its cause moved and sets the later one
	}
	e.armed = at
	s.timers.push(timer{at: at, what: announceDue, id: string(e.Call)})
}

// moved notes that places in a queue have changed; reposition sets the announcements that follow.
func (s *step) moved(q *Queue) {
	if (q.Spec.Waiting.Announce.Position || q.Spec.Waiting.Announce.Wait) && !slices.Contains(s.shifted, q) {
		s.shifted = append(s.shifted, q)
	}
}

func (s *step) reposition() {
	for _, q := range s.shifted {
		if s.Queues[q.Spec.ID] != q {
			continue
		}
		for _, e := range q.waiting {
			s.armAnnounce(e)
		}
	}
}
