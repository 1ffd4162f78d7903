package sms

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Limits of what is kept. A day of a busy line fits; a flood does not fill the memory.
const (
	maxParts  = 2000 // received, whose message is not complete
	maxSeen   = 2000 // digests of received PDUs
	maxOutbox = 500
	maxRecent = 200
	maxEarly  = 50 // delivery reports of parts that we do not know yet
)

// Rules are what the owner of the box allows.
type Rules struct {
	Hour, Day int           // parts that one line sends within an hour and a day; 0 = no limit
	HourIn    int           // parts that are taken from one line within an hour; 0 = no limit
	DayIn     int           // likewise within a day
	Wait      time.Duration // for the missing parts of a message
	Try       time.Duration // how long a message of ours is tried
}

// State is all that a Box knows, as one plain value.
type State struct {
	Parts  []Waiting                    `json:"parts,omitempty"`
	Seen   []string                     `json:"seen,omitempty"` // oldest first
	Outbox []Outgoing                   `json:"outbox,omitempty"`
	Sent   []Outgoing                   `json:"sent,omitempty"`   // whose delivery reports may still come, oldest first
	Early  []Waiting                    `json:"early,omitempty"`  // delivery reports that came before the modem said OK
	Recent []tel.SMS                    `json:"recent,omitempty"` // newest last
	Untold []tel.SMS                    `json:"untold,omitempty"` // not in the history journal yet
	Spent  map[tel.LineID]map[int64]int `json:"spent,omitempty"`  // parts sent, by line and minute (Unix time)
	Came   map[tel.LineID]map[int64]int `json:"came,omitempty"`   // parts received, likewise
	Join   byte                         `json:"join"`
}

// Waiting is a part whose message is not complete.
type Waiting struct {
	line.ReceivedPart
	Came time.Time `json:"came"`
}

// Outgoing is a message of ours. Done holds the reference of each part that the network took, -1 where it
// named none, and unsent before.
type Outgoing struct {
	line.OutgoingMessage
	ID      tel.SMSID  `json:"id"`
	Line    tel.LineID `json:"line"`
	Asked   time.Time  `json:"asked"`
	Done    []int      `json:"done"`
	Arrived []bool     `json:"arrived,omitempty"` // by delivery reports
	Trying  bool       `json:"trying,omitempty"`  // a part is with the modem: after a crash nobody knows
	Next    time.Time  `json:"next,omitzero"`     // no try before
	Tries   int        `json:"tries,omitempty"`
	Why     string     `json:"why,omitempty"` // the last try failed
	Ended   time.Time  `json:"ended,omitzero"`
}

const unsent = -2

// Errors of Queue.
var (
	ErrFull  = errors.New("too many messages wait")
	ErrLimit = errors.New("the line has sent as many messages as it may")
)

// Box is the state and its rules. It is not safe for use by several goroutines.
type Box struct {
	s     State
	rules Rules
	ids   func() tel.SMSID
}

// New continues from a state, which may be the zero State. A part that was with a modem when the program
// ended may have been sent: its message is uncertain, and not sent again.
func New(s State, r Rules, ids func() tel.SMSID, now time.Time) *Box {
	b := &Box{s: s.clone(), rules: r, ids: ids}
	for _, o := range slices.Clone(b.s.Outbox) {
		if o.Trying {
			b.end(o.ID, tel.SMSUncertain, "the program ended while it was sent", now)
		}
	}
	return b
}

// SetRules changes the rules.
func (b *Box) SetRules(r Rules) { b.rules = r }

// State is a copy of what the box knows.
func (b *Box) State() State { return b.s.clone() }

func (s State) clone() State {
	s.Parts, s.Seen, s.Early = slices.Clone(s.Parts), slices.Clone(s.Seen), slices.Clone(s.Early)
	s.Outbox, s.Sent = cloneOut(s.Outbox), cloneOut(s.Sent)
	s.Recent, s.Untold = slices.Clone(s.Recent), slices.Clone(s.Untold)
	s.Spent, s.Came = cloneMinutes(s.Spent), cloneMinutes(s.Came)
	return s
}

func cloneOut(all []Outgoing) []Outgoing {
	all = slices.Clone(all)
	for i := range all {
		all[i].Done, all[i].Arrived = slices.Clone(all[i].Done), slices.Clone(all[i].Arrived)
	}
	return all
}

// Recent is the last messages, the newest last, those that wait among them.
func (b *Box) Recent() []tel.SMS { return slices.Clone(b.s.Recent) }

// Untold are the changes that are not known to be in the history journal, oldest first.
func (b *Box) Untold() []tel.SMS { return slices.Clone(b.s.Untold) }

// Told says that the journal has a change.
func (b *Box) Told(m tel.SMS) {
	b.s.Untold = slices.DeleteFunc(b.s.Untold, func(x tel.SMS) bool { return x.ID == m.ID && x.State == m.State })
}

// tell notes a change of a message: for the list, and for who is told.
func (b *Box) tell(m tel.SMS) {
	if m.State != tel.SMSQueued {
		b.s.Untold = append(b.s.Untold, m)
	}
	b.s.Recent = slices.DeleteFunc(b.s.Recent, func(x tel.SMS) bool { return x.ID == m.ID })
	b.s.Recent = append(b.s.Recent, m)
	if n := len(b.s.Recent) - maxRecent; n > 0 {
		b.s.Recent = slices.Delete(b.s.Recent, 0, n)
	}
}

// digest names a received PDU. The same PDU read twice is the same: it holds the centre's time stamp.
func digest(p line.ReceivedPart) string {
	sum := sha256.Sum256([]byte(string(p.Line) + "\x00" + p.Raw))
	return hex.EncodeToString(sum[:12])
}

// Accept takes a received part, which Admit has let in. It reports false for one that is known already.
func (b *Box) Accept(p line.ReceivedPart, now time.Time) bool {
	if p.Kind == line.DeliveryReport {
		return b.report(p, now, now)
	}
	d := digest(p)
	if slices.Contains(b.s.Seen, d) {
		return false
	}
	count(&b.s.Came, p.Line, now)
	b.s.Seen = append(b.s.Seen, d)
	if n := len(b.s.Seen) - maxSeen; n > 0 {
		b.s.Seen = slices.Delete(b.s.Seen, 0, n)
	}
	w := Waiting{p, now}
	if p.Kind != line.TextPart {
		b.tell(tel.SMS{
			ID: tel.SMSID("r" + d), Line: ref(p.Line), From: p.From, State: tel.SMSBroken, Why: p.Why, Raw: []string{p.Raw}, Parts: 1,
			Sent: p.Sent, At: now, Began: now,
		})
		return true
	}
	if p.Parts <= 1 {
		b.deliver([]Waiting{w}, 1, now)
		return true
	}
	if i := b.index(w); i >= 0 {
		if slices.Equal(b.s.Parts[i].Text, w.Text) {
			return true // the centre sent a part twice, under another time stamp
		}
		b.giveUp(w, now) // the sender uses the reference for another message already
	}
	b.s.Parts = append(b.s.Parts, w)
	if all := b.joined(w); len(all) == p.Parts {
		b.take(w)
		b.deliver(all, p.Parts, now)
	}
	for len(b.s.Parts) > maxParts { // a flood of unfinished ones: the oldest is shown as it is
		b.giveUp(b.s.Parts[0], now)
	}
	return true
}

func ref(l tel.LineID) string { return "line:" + string(l) }

// same reports whether two parts belong to one message.
func same(x, y Waiting) bool {
	return x.Line == y.Line && x.From == y.From && x.Join == y.Join && x.Parts == y.Parts
}

// index finds a part of the same message and place, -1 when there is none.
func (b *Box) index(w Waiting) int {
	return slices.IndexFunc(b.s.Parts, func(x Waiting) bool { return same(x, w) && x.Part == w.Part })
}

// joined are the parts of a message in their order.
func (b *Box) joined(w Waiting) []Waiting {
	var all []Waiting
	for _, x := range b.s.Parts {
		if same(x, w) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(x, y Waiting) int { return x.Part - y.Part })
	return all
}

// take removes the parts of a message.
func (b *Box) take(w Waiting) {
	b.s.Parts = slices.DeleteFunc(b.s.Parts, func(x Waiting) bool { return same(x, w) })
}

// gap stands for a part that never came.
const gap = "[...]"

// deliver tells a received message; all are its parts in order, of so many.
func (b *Box) deliver(all []Waiting, of int, now time.Time) {
	m := tel.SMS{
		ID: tel.SMSID("r" + digest(all[0].ReceivedPart)), Line: ref(all[0].Line), From: all[0].From, State: tel.SMSIn,
		Parts: of, Lacks: of - len(all), Sent: all[0].Sent, At: now, Began: all[0].Came,
	}
	var units []uint16
	next := 1
	for _, w := range all {
		for ; next < w.Part; next++ {
			units = append(units, utf16Of(gap)...)
		}
		units = append(units, w.Text...)
		next = w.Part + 1
		if w.Came.Before(m.Began) {
			m.Began = w.Came
		}
	}
	for ; next <= of; next++ {
		units = append(units, utf16Of(gap)...)
	}
	m.Text = textOf(units)
	b.tell(m)
}

func (b *Box) giveUp(w Waiting, now time.Time) {
	all := b.joined(w)
	b.take(w)
	b.deliver(all, w.Parts, now)
}

// Turn lets time pass: messages whose parts do not come are told as they are, ours that are too old fail.
// It returns when to call again, zero for never.
func (b *Box) Turn(now time.Time) (next time.Time) {
	for _, w := range slices.Clone(b.s.Parts) {
		if b.index(w) >= 0 && !now.Before(w.Came.Add(b.rules.Wait)) {
			b.giveUp(w, now)
		}
	}
	for _, o := range slices.Clone(b.s.Outbox) {
		if !o.Trying && !now.Before(o.Asked.Add(b.rules.Try)) {
			why := "it could not be sent in time"
			if o.Why != "" {
				why += ": " + o.Why
			}
			b.end(o.ID, tel.SMSFailure, why, now)
		}
	}
	b.s.Early = slices.DeleteFunc(b.s.Early, func(w Waiting) bool { return now.Sub(w.Came) > earlyWait })
	for len(b.s.Sent) > 0 && !now.Before(b.s.Sent[0].Ended.Add(reportWait)) {
		b.unreported(now)
	}
	forgetMinutes(b.s.Spent, now)
	forgetMinutes(b.s.Came, now)
	soon := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if len(b.s.Sent) > 0 {
		soon(b.s.Sent[0].Ended.Add(reportWait))
	}
	for _, w := range b.s.Parts {
		soon(w.Came.Add(b.rules.Wait))
	}
	for _, o := range b.s.Outbox {
		if !o.Trying {
			soon(o.Asked.Add(b.rules.Try))
			if o.Next.After(now) {
				soon(o.Next)
			}
		}
	}
	return next
}
