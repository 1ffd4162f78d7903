package party

import (
	"strings"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// referred hands the party's wish for a transfer to the call (RFC 3515, RFC 5589). A wish that names
// neither a number nor a call of ours is refused at once.
func (l *leg) referred(r dialog.Referred) {
	e := call.LegEvent{Kind: call.LegRefer}
	if r.Replaces != nil {
		s, ok := l.o.ua.Held(*r.Replaces)
		if !ok {
			l.session().AnswerRefer(r.ID, 481)
			return
		}
		e.Replaces = refPrefix + s.Label()
	} else {
		n, err := dialog.NumberOf(r.ReferTo)
		if err != nil {
			l.session().AnswerRefer(r.ID, 400)
			return
		}
		e.To = n
	}
	l.mu.Lock()
	l.asked = r.ID
	l.mu.Unlock()
	l.tell(e)
}

// AnswerRefer implements call.Referrer.
func (l *leg) AnswerRefer(status int) {
	l.mu.Lock()
	id := l.asked
	if status < 300 {
		l.taken = id
	}
	l.mu.Unlock()
	l.session().AnswerRefer(id, status)
}

// NotifyRefer implements call.Referrer.
func (l *leg) NotifyRefer(status int, final bool) {
	l.mu.Lock()
	id := l.taken
	l.mu.Unlock()
	l.session().NotifyRefer(id, status, "", final)
}

// redirected is where a phone sends the call instead (RFC 3261 section 8.1.3.4): the first of its
// contacts that is a number. Carriers do not decide where our calls go.
func (l *leg) redirected(r dialog.Rejected) tel.Number {
	if r.Status < 300 || r.Status > 399 || !l.isPhone() {
		return ""
	}
	for _, c := range r.Contacts {
		if n, err := dialog.NumberOf(c); err == nil {
			return n
		}
	}
	return ""
}

// Dialog names the SIP dialog of a leg of this package: its Call-ID and both tags, ours first. It is
// empty for other legs and for one that has no dialog yet.
func (o *Office) Dialog(ref string) (callID, local, remote string) {
	if id, ok := strings.CutPrefix(ref, refPrefix); ok {
		return o.ua.Tags(o.sessionOf(id))
	}
	return "", "", ""
}
