package sms

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// reportWait is how long after sending a delivery report is looked for: centres try for days.
const reportWait = 7 * 24 * time.Hour

// earlyWait is how long a report waits for the part that it is about: until the last part is sent.
const earlyWait = time.Hour

// pauses lie between the tries of a message that was refused for a while.
var pauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// Queue takes a message of ours, of so many parts. The limit of the line is asked now: what is taken is
// also sent. ErrFull and ErrLimit.
func (b *Box) Queue(l tel.LineID, to tel.Number, text string, parts int, now time.Time) (tel.SMS, error) {
	if len(b.s.Outbox) >= maxOutbox {
		return tel.SMS{}, ErrFull
	}
	waiting := 0
	for _, o := range b.s.Outbox {
		if o.Line == l {
			waiting += len(o.Done) - o.taken()
		}
	}
	if err := b.maySend(l, waiting+parts, now); err != nil {
		return tel.SMS{}, err
	}
	b.s.Join++
	o := Outgoing{
		OutgoingMessage: line.OutgoingMessage{To: to, Text: text, Join: b.s.Join, Report: true},
		ID:              b.ids(), Line: l, Asked: now, Done: slices.Repeat([]int{unsent}, parts), Arrived: make([]bool, parts),
	}
	b.s.Outbox = append(b.s.Outbox, o)
	m := o.sms(tel.SMSQueued, "", now)
	b.tell(m)
	return m, nil
}

func (o *Outgoing) taken() (n int) {
	for _, d := range o.Done {
		if d != unsent {
			n++
		}
	}
	return n
}

func (o *Outgoing) sms(state tel.SMSState, why string, now time.Time) tel.SMS {
	return tel.SMS{
		ID: o.ID, Line: ref(o.Line), To: o.To, Text: o.Text, State: state, Why: why, Parts: len(o.Done), At: now, Began: o.Asked,
	}
}

// Job is one part to be handed to a line.
type Job struct {
	ID   tel.SMSID
	Line tel.LineID
	line.OutgoingMessage
	Part int
}

// Next chooses the next part for a line: messages in the order in which they were asked for, each whole
// before the next. The caller keeps the State on the disk before it hands the part to the line.
func (b *Box) Next(l tel.LineID, now time.Time) (Job, bool) {
	for i := range b.s.Outbox {
		o := &b.s.Outbox[i]
		switch {
		case o.Line != l:
		case o.Trying:
			return Job{}, false
		case o.Next.After(now):
		default:
			o.Trying = true
			return Job{ID: o.ID, Line: l, OutgoingMessage: o.OutgoingMessage, Part: slices.Index(o.Done, unsent)}, true
		}
	}
	return Job{}, false
}

// Lines are those for which a message waits that may be tried now.
func (b *Box) Lines(now time.Time) (all []tel.LineID) {
	for _, o := range b.s.Outbox {
		if !o.Trying && !o.Next.After(now) && !slices.Contains(all, o.Line) {
			all = append(all, o.Line)
		}
	}
	return all
}

// Withdraw takes back a Next whose part was not handed over.
func (b *Box) Withdraw(id tel.SMSID) {
	if o := b.find(id); o != nil {
		o.Trying = false
	}
}

// Cancel forgets a message that could not be kept, and that no line has.
func (b *Box) Cancel(id tel.SMSID) {
	if o := b.find(id); o == nil || o.Trying {
		return
	}
	b.s.Outbox = slices.DeleteFunc(b.s.Outbox, func(o Outgoing) bool { return o.ID == id })
	b.s.Recent = slices.DeleteFunc(b.s.Recent, func(m tel.SMS) bool { return m.ID == id })
}

func (b *Box) find(id tel.SMSID) *Outgoing {
	if i := slices.IndexFunc(b.s.Outbox, func(o Outgoing) bool { return o.ID == id }); i >= 0 {
		return &b.s.Outbox[i]
	}
	return nil
}

// Done takes the outcome of a Job, as line.Messages gives it.
func (b *Box) Done(j Job, reference int, err error, now time.Time) {
	o := b.find(j.ID)
	if o == nil || !o.Trying || j.Part >= len(o.Done) {
		return
	}
	o.Trying = false
	var refused *line.RefusedMessage
	switch {
	case err == nil:
		o.Done[j.Part], o.Tries, o.Why = max(-1, reference), 0, ""
		count(&b.s.Spent, o.Line, now)
		if o.taken() == len(o.Done) {
			b.end(o.ID, tel.SMSOut, "", now)
		}
	case errors.Is(err, line.ErrUncertain):
		count(&b.s.Spent, o.Line, now)
		b.end(o.ID, tel.SMSUncertain, err.Error(), now)
	case errors.As(err, &refused) && !refused.Temporary, errors.Is(err, line.ErrUnsendable), errors.Is(err, line.ErrTooLong),
		errors.Is(err, line.ErrNoSupport):
		b.end(o.ID, tel.SMSFailure, err.Error(), now)
	case errors.Is(err, line.ErrBusy): // a call came first; whoever asks again waits until the line is ready
	default:
		o.Why, o.Next = err.Error(), now.Add(pauses[min(o.Tries, len(pauses)-1)])
		o.Tries++
	}
}

// LineUp lets messages that waited for a line be tried at once.
func (b *Box) LineUp(l tel.LineID) {
	for i := range b.s.Outbox {
		if b.s.Outbox[i].Line == l {
			b.s.Outbox[i].Next = time.Time{}
		}
	}
}

// end takes a message out of the outbox.
func (b *Box) end(id tel.SMSID, state tel.SMSState, why string, now time.Time) {
	i := slices.IndexFunc(b.s.Outbox, func(o Outgoing) bool { return o.ID == id })
	o := b.s.Outbox[i]
	b.s.Outbox = slices.Delete(b.s.Outbox, i, i+1)
	if n := o.taken(); state == tel.SMSFailure && n > 0 {
		why = fmt.Sprintf("%s (%d of %d parts were sent)", why, n, len(o.Done))
	}
	b.tell(o.sms(state, why, now))
	if state == tel.SMSFailure {
		return
	}
	o.Trying, o.Ended = false, now
	b.s.Sent = append(b.s.Sent, o)
	for len(b.s.Sent) > maxOutbox {
		b.unreported(now)
	}
	early := b.s.Early
	b.s.Early = nil
	for _, w := range early {
		b.report(w.ReceivedPart, w.Came, now)
	}
}

// unreported settles the oldest message of which the network has not said everything.
func (b *Box) unreported(now time.Time) {
	o := b.s.Sent[0]
	b.s.Sent = slices.Delete(b.s.Sent, 0, 1)
	if o.taken() < len(o.Done) {
		return // it is uncertain, and stays so
	}
	arrived := 0
	for _, a := range o.Arrived {
		if a {
			arrived++
		}
	}
	b.tell(o.sms(tel.SMSUnreported, fmt.Sprintf("the network reported on %d of %d parts", arrived, len(o.Done)), now))
}

// report takes a delivery report. It belongs to the newest part with its reference that went to its
// recipient through its line; a report that comes before the modem has said OK is kept.
func (b *Box) report(p line.ReceivedPart, came, now time.Time) bool {
	if p.Delivery == line.StillTrying {
		return true
	}
	for i := len(b.s.Sent) - 1; i >= 0; i-- {
		o := &b.s.Sent[i]
		part := o.reported(p)
		if part < 0 {
			continue
		}
		if p.Delivery == line.Undeliverable {
			b.tell(o.sms(tel.SMSLost, fmt.Sprintf("the network gave up (status %#02x)", p.Code), now))
			b.s.Sent = slices.Delete(b.s.Sent, i, i+1)
			return true
		}
		o.Arrived[part] = true
		if !slices.Contains(o.Arrived, false) {
			b.tell(o.sms(tel.SMSArrived, "", now))
			b.s.Sent = slices.Delete(b.s.Sent, i, i+1)
		}
		return true
	}
	b.s.Early = append(b.s.Early, Waiting{p, came})
	if n := len(b.s.Early) - maxEarly; n > 0 {
		b.s.Early = slices.Delete(b.s.Early, 0, n)
	}
	return true
}

// reported is the part that a report is about, -1 for none. Of a part whose reference nobody knows the
// recipient decides.
func (o *Outgoing) reported(p line.ReceivedPart) int {
	if o.Line != p.Line || !sameNumber(o.To, tel.Number(p.From)) {
		return -1
	}
	unknown := -1
	for i, ref := range o.Done {
		switch {
		case o.Arrived[i]:
		case ref == int(p.Reference):
			return i
		case ref < 0 && unknown < 0:
			unknown = i
		}
	}
	return unknown
}

// sameNumber compares a number as we dialled it with one as the network writes it.
func sameNumber(a, b tel.Number) bool {
	if x, ok := a.E164(); ok {
		a = x
	}
	if x, ok := b.E164(); ok {
		b = x
	}
	return a.Digits() == b.Digits()
}

func utf16Of(s string) []uint16 { return utf16.Encode([]rune(s)) }

func textOf(units []uint16) string { return string(utf16.Decode(units)) }
