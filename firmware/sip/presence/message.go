package presence

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	maxMessage   = 1300             // bytes of text (RFC 3428 section 8)
	messageLimit = 25 * time.Second // for the phones; the sender itself waits 32 s
	talking      = 200              // text messages under way in all
)

// talk is the text messages under way.
type talk struct {
	serial uint64
	open   map[uint64]*message
}

// message is one text on its way to the phones of one person.
type message struct {
	tx      Transaction
	waiting int // phones that have not answered
	worst   int // the refusal to pass on when none takes it
	until   time.Time
}

// message takes a text from a phone (RFC 3428). It is answered when a phone has taken it.
func (s *Server) message(tx Transaction, dev tel.DeviceID) *refusal {
	req := tx.Request()
	kind, charset := contentType(req)
	user, ok := userOf(req)
	switch {
	case s.cfg.Send == nil:
		return refuse(sip.StatusMethodNotAllowed, "Method Not Allowed")
	case tagOf(req.To().Params) != "":
		return refuse(sip.StatusCallTransactionDoesNotExists, "Call Does Not Exist")
	case !ok:
		return refuse(sip.StatusNotFound, "Not Found")
	case kind != "text/plain" || charset != "" && charset != "utf-8" && charset != "us-ascii" || encoded(req):
		return refuse(sip.StatusUnsupportedMediaType, "Unsupported Media Type", sip.NewHeader("Accept", "text/plain"))
	case len(req.Body()) > maxMessage:
		return refuse(sip.StatusRequestEntityTooLarge, "Message Too Long")
	case len(req.Body()) == 0 || !utf8.Valid(req.Body()):
		return refuse(sip.StatusBadRequest, "Malformed Text")
	}
	to, status := s.cfg.Send(dev, user)
	if status != 0 {
		return refuse(status, reasonOf(status))
	}
	if !s.inbox.put(func(o *owner) { o.message(tx, dev, to) }, mailboxLimit) {
		return busy()
	}
	return nil
}

// message sends a text to every phone of the recipient that can be reached.
func (o *owner) message(tx Transaction, dev tel.DeviceID, to Recipient) {
	now := time.Now()
	if wait := o.texts.spend(dev, now); wait > 0 {
		o.s.refuse(tx, refuse(sip.StatusTemporarilyUnavailable, "Too Many Messages", retryIn(wait)))
		return
	}
	if len(o.talk.open) >= talking {
		o.s.refuse(tx, busy())
		return
	}
	o.talk.serial++
	id := o.talk.serial
	m := &message{tx: tx, worst: sip.StatusTemporarilyUnavailable, until: now.Add(messageLimit)}
	for _, d := range to.Devices {
		for _, b := range o.s.cfg.Phones.Bindings(d) {
			if !b.Reachable || !o.s.cfg.Stack.Alive(b.Flow) {
				continue
			}
			host := hostPort(o.s.cfg.Stack.Contact(b.Flow))
			req := o.outside(sip.MESSAGE, b, document.URI(string(to.FromNumber), host), to.FromName)
			kind := sip.ContentTypeHeader("text/plain;charset=utf-8")
			req.AppendHeader(&kind)
			req.SetBody(tx.Request().Body())
			inbox := o.s.inbox
			_, err := o.s.cfg.Stack.Request(req, b.Flow, func(r stack.Result) {
				if r.Err == nil && r.Response.IsProvisional() {
					return
				}
				inbox.put(func(o *owner) { o.delivered(id, r) }, 0)
			})
			if err == nil {
				m.waiting++
			}
		}
	}
	if m.waiting == 0 {
		o.s.refuse(tx, refuse(m.worst, reasonOf(m.worst)))
		return
	}
	o.talk.open[id] = m
}

// delivered is what one phone says to a text: the first that takes it answers for all.
func (o *owner) delivered(id uint64, r stack.Result) {
	m := o.talk.open[id]
	if m == nil {
		return
	}
	m.waiting--
	switch {
	case r.Err == nil && r.Response.IsSuccess():
		delete(o.talk.open, id)
		o.s.count.delivered.Add(1)
		o.s.respond(m.tx, sip.NewResponseFromRequest(m.tx.Request(), sip.StatusOK, "OK", nil))
		return
	case errors.Is(r.Err, stack.ErrTimeout):
		m.worst = sip.StatusRequestTimeout
	}
	if m.waiting == 0 {
		o.fail(id, m.worst)
	}
}

func (o *owner) fail(id uint64, status int) {
	m := o.talk.open[id]
	delete(o.talk.open, id)
	o.s.refuse(m.tx, refuse(status, reasonOf(status)))
}

// sweepMessages answers for phones that do not, before the sender gives up.
func (o *owner) sweepMessages() {
	now := time.Now()
	for id, m := range o.talk.open {
		if !m.until.After(now) {
			o.fail(id, sip.StatusRequestTimeout)
		}
	}
}
