package gsm

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/drivers/gsm/ussd"
	"github.com/pronto-pbx/pronto/firmware/line"
)

var _ line.ServiceCodes = (*Modem)(nil)

// question is a service code on its way.
type question struct {
	code   string
	answer chan ussd.Outcome // buffered
}

// AskService implements line.ServiceCodes.
func (m *Modem) AskService(ctx context.Context, code string) (string, error) {
	if _, err := ussd.Command(code, ussd.Plain); err != nil {
		return "", err
	}
	q := &question{code: code, answer: make(chan ussd.Outcome, 1)}
	if err := m.post(ctx, request{kind: askService, ctx: ctx, question: q}); err != nil {
		return "", err
	}
	select {
	case o := <-q.answer:
		return o.Text, o.Err
	case <-m.done:
		return "", line.ErrDown
	case <-ctx.Done(): // the session ends by itself
		return "", ctx.Err()
	}
}

// asking reports whether a session is open or about to be: then no message is sent or fetched, so that a
// text of the network with line breaks meets no answer of the modem.
func (m *Modem) asking() bool { return m.question != nil }

// askCode takes a question when the line is free.
func (m *Modem) askCode(q *question) {
	switch {
	case m.session.Load() == nil, !m.status.Up:
		q.answer <- ussd.Outcome{Err: line.ErrDown}
	case m.st.phase != idle, m.asking():
		q.answer <- ussd.Outcome{Err: line.ErrBusy}
	default:
		m.question = q
		m.mailStep(sms.Event{Kind: sms.Turned}) // which ends with beginService
	}
}

// beginService begins the session of a question once no command about messages is under way.
func (m *Modem) beginService() {
	q, s := m.question, m.session.Load()
	if q == nil || m.service.Asked || s == nil || !m.mail.Resting() {
		return
	}
	text, err := ussd.Command(q.code, s.dialect.ussd)
	if m.st.phase != idle {
		err = line.ErrBusy // a call came first
	}
	if err != nil {
		m.question = nil
		q.answer <- ussd.Outcome{Err: err}
		return
	}
	m.service = ussd.Ask(time.Now(), m.timing.Network)
	m.serviceTick.Reset(m.timing.Network)
	m.submit(at.Command{Text: text}, func(r at.Reply, err error) {
		if errors.Is(err, at.ErrStopped) {
			return // serviceLost follows and settles it
		}
		if v := verdictOf(r, err); v != accepted && m.question == q {
			m.serviceDo(m.service.Refused(refusal(v)))
		}
	})
}

// serviceDo takes a step of the session.
func (m *Modem) serviceDo(s ussd.State, a ussd.Action) {
	m.service = s
	if !s.Asked {
		m.serviceTick.Stop()
	}
	if a.Cancel {
		m.submit(at.Command{Text: ussd.Cancel}, func(at.Reply, error) {})
	}
	if a.Outcome != nil && m.question != nil {
		m.question.answer <- *a.Outcome
		m.question = nil
	}
	if a.Notice != "" && m.cfg.Inbox != nil {
		m.cfg.Inbox.Notice(m.cfg.ID, a.Notice)
	}
	m.mailStep(sms.Event{Kind: sms.Turned})
}

// maxPieces bounds a +CUSD whose text has line breaks.
const maxPieces = 12

// serviceLine gathers +CUSD, whose text may go on in the next lines; it reports whether the line was its.
func (m *Modem) serviceLine(l string, n news) bool {
	switch {
	case n == newsService:
		m.pieces = []string{l}
	case len(m.pieces) > 0 && n == newsUnknown:
		m.pieces = append(m.pieces, l)
	default:
		return false
	}
	whole := strings.Join(m.pieces, "\n")
	if ussd.Open(whole) && len(m.pieces) < maxPieces {
		return true
	}
	m.pieces = nil
	s := m.session.Load()
	if s == nil {
		return true
	}
	if r, ok := ussd.Parse(whole, s.dialect.ussd); ok {
		m.serviceDo(m.service.Heard(r))
	}
	return true
}

// serviceLost ends a session with its modem.
func (m *Modem) serviceLost() {
	m.pieces = nil
	if q := m.question; q != nil {
		m.question = nil
		q.answer <- ussd.Outcome{Err: line.ErrDown}
	}
	m.serviceDo(m.service.Refused(line.ErrDown))
}
