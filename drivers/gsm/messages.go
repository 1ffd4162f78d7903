package gsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/firmware/line"
)

var _ line.Messages = (*Modem)(nil)

// letter is one part of a message on its way out.
type letter struct {
	token uint64 // given by the owner
	pdu   sms.PDU
	more  bool
	done  chan letterDone // buffered
}

type letterDone struct {
	reference int
	err       error
}

// Parts implements line.Messages.
func (m *Modem) Parts(msg line.OutgoingMessage) (int, error) {
	pdus, err := sms.Compose(msg)
	return len(pdus), err
}

// Ready implements line.Messages.
func (m *Modem) Ready() bool { return m.ready.Load() }

// SendPart implements line.Messages.
func (m *Modem) SendPart(ctx context.Context, msg line.OutgoingMessage, part int) (int, error) {
	pdus, err := sms.Compose(msg)
	if err != nil {
		return -1, err
	}
	if part < 0 || part >= len(pdus) {
		return -1, fmt.Errorf("%w: part %d of %d", line.ErrUnsendable, part, len(pdus))
	}
	l := &letter{pdu: pdus[part], more: part+1 < len(pdus), done: make(chan letterDone, 1)}
	if err := m.post(ctx, request{kind: askMessage, ctx: ctx, letter: l}); err != nil {
		return -1, err
	}
	select {
	case d := <-l.done:
		return d.reference, d.err
	case <-m.done:
		return l.atClose()
	case <-ctx.Done():
	}
	// Whether it was sent is the owner's to say: the modem may have it in this very moment.
	select {
	case m.requests <- request{kind: askForget, letter: l}:
	case <-m.done:
	}
	select {
	case d := <-l.done:
		if errors.Is(d.err, line.ErrTimeout) {
			d.err = ctx.Err()
		}
		return d.reference, d.err
	case <-m.done:
		return l.atClose()
	}
}

// atClose is the outcome when the line was closed: settled by the owner, or never begun.
func (l *letter) atClose() (int, error) {
	select {
	case d := <-l.done:
		return d.reference, d.err
	default:
		return -1, line.ErrDown
	}
}

func (m *Modem) postLetter(l *letter) {
	m.lastLetter++
	l.token = m.lastLetter
	m.letters[l.token] = l
	m.mailStep(sms.Event{Kind: sms.Send, Outgoing: sms.Outgoing{Token: l.token, PDU: l.pdu, More: l.more}})
}

// mailRoom is what the call leaves to messages: received ones are fetched also while two people talk, our
// own wait for the end, because a hang-up would have to wait for the network's answer.
func (m *Modem) mailRoom() sms.Room {
	if m.session.Load() == nil {
		return sms.Room{}
	}
	free := m.st.phase == idle && m.ailing == "" && !m.asking()
	return sms.Room{Read: m.cfg.Inbox != nil && (free || m.st.phase == talking), Send: free && m.status.Up}
}

// mailStep moves the messages' state machine and does what it says.
func (m *Modem) mailStep(e sms.Event) {
	m.mailPlan = sms.Plan{
		Memories: memories, Sweep: m.timing.Sweep, Rest: m.timing.Rest, Command: m.timing.Reply, Network: m.timing.Network,
	}
	var effects []sms.Effect
	room := m.mailRoom()
	m.mail, effects = sms.Next(m.mail, e, time.Now(), room, &m.mailPlan)
	m.ready.Store(room.Send && m.mail.Up)
	for _, f := range effects {
		m.mailDo(f)
	}
	m.beginService()
	if m.mail.Deadline.IsZero() {
		m.mailTick.Stop()
	} else {
		m.mailTick.Reset(time.Until(m.mail.Deadline))
	}
}

func (m *Modem) mailDo(f sms.Effect) {
	switch f.Kind {
	case sms.Ask:
		m.submit(at.Command{
			Text: f.Command.Text, Body: f.Command.Body, Prefix: f.Command.Prefix, Plain: f.Command.Plain, Timeout: f.Command.Timeout,
		}, m.mailAnswered)
	case sms.Commit:
		m.commit(f.Part)
	case sms.Deliver:
		if m.cfg.Inbox != nil {
			f.Part.Line = m.cfg.ID
			m.cfg.Inbox.Accept(f.Part, func(error) {}) // it is stored nowhere, so nothing can offer it again
		}
	case sms.Sent:
		if l := m.letters[f.Token]; l != nil {
			delete(m.letters, f.Token)
			l.done <- letterDone{f.Reference, f.Err}
		}
	case sms.Storage:
		if m.cfg.Inbox != nil && f.Memory != "SR" {
			m.cfg.Inbox.Storage(m.cfg.ID, f.Used, f.Total)
		}
	}
}

func (m *Modem) mailAnswered(r at.Reply, err error) {
	a := sms.Answer{Code: -1, Lines: r.Lines}
	switch {
	case err != nil:
		a.Silent, a.Given, a.Aborted = true, errors.Is(err, at.ErrTextGiven), errors.Is(err, at.ErrAborted)
	case r.Final.Code == at.OK:
		a.OK = true
	case r.Final.Code == at.CMSError, r.Final.Code == at.CMEError:
		a.Code = r.Final.Number
	}
	m.mailStep(sms.Event{Kind: sms.Replied, Answer: a})
}

// commit hands one part to the Inbox. Its answer comes back through the session that it belongs to, so
// that a modem which was changed meanwhile deletes nothing.
func (m *Modem) commit(p line.ReceivedPart) {
	s := m.session.Load()
	if s == nil {
		return
	}
	p.Line = m.cfg.ID
	m.cfg.Inbox.Accept(p, func(err error) {
		select {
		case s.inbox <- item{then: func() {
			if m.session.Load() == s {
				m.mailStep(sms.Event{Kind: sms.Committed, Err: err})
			}
		}}:
		case <-s.engine.Done():
		}
	})
}

// pushed takes a delivery report that the modem does not store: +CDS and, in the next line, its PDU.
func (m *Modem) pushed(l string, n news) bool {
	if n == newsReport {
		m.reportLen, m.reportDue = sms.ParsePushed(l)
		return true
	}
	if !m.reportDue || n != newsUnknown || !sms.LooksLikePDU(l) {
		return false
	}
	m.reportDue = false
	m.mailStep(sms.Event{Kind: sms.Pushed, Raw: l, Octets: m.reportLen})
	return true
}
