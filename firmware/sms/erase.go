package sms

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// erasedText is why a message of ours to somebody who was erased is not sent any more.
const erasedText = "the recipient was erased"

// Erase forgets the messages from and to whom alias knows another name for, and returns how many. Their changes that
// are not in the history yet keep their place under the alias, without a word of them.
func (b *Box) Erase(alias func(tel.Number, time.Time) (tel.Number, bool), now time.Time) int {
	erased := func(n tel.Number, at time.Time) bool { _, ok := alias(n, at); return ok }
	gone := len(b.s.Recent)
	for _, o := range slices.Clone(b.s.Outbox) {
		switch {
		case !erased(o.To, o.Asked):
		case o.Trying: // what is with the modem cannot be called back
			b.end(o.ID, tel.SMSUncertain, erasedText, now)
		default:
			b.end(o.ID, tel.SMSFailure, erasedText, now)
		}
	}
	waiting := func(w Waiting) bool { return erased(tel.Number(w.From), w.Came) }
	b.s.Parts, b.s.Early = slices.DeleteFunc(b.s.Parts, waiting), slices.DeleteFunc(b.s.Early, waiting)
	b.s.Sent = slices.DeleteFunc(b.s.Sent, func(o Outgoing) bool { return erased(o.To, o.Asked) })
	b.s.Recent = slices.DeleteFunc(b.s.Recent, func(m tel.SMS) bool { return erased(m.To, m.At) || erased(tel.Number(m.From), m.At) })
	for i := range b.s.Untold {
		m := &b.s.Untold[i]
		to, sent := alias(m.To, m.At)
		from, came := alias(tel.Number(m.From), m.At)
		if !sent && !came {
			continue
		}
		if m.Text, m.Raw = "", nil; sent {
			m.To = to
		} else {
			m.From = string(from)
		}
	}
	return gone - len(b.s.Recent)
}
