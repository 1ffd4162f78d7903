package gsm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// requested handles a command of the box.
func (m *Modem) requested(r request) {
	switch r.kind {
	case askDial:
		switch {
		case m.session.Load() == nil, !m.status.Up && !r.number.Emergency():
			r.reply <- line.ErrDown
		case m.dialer != nil:
			r.reply <- line.ErrBusy
		default:
			m.dialer = &r
			m.step(event{kind: evDial, number: r.number})
		}
	case askAbandon:
		if m.dialer != nil && m.dialer.reply == r.of.reply {
			m.step(event{kind: evHangup, cause: tel.CauseCancelled})
		}
	case askMessage:
		m.postLetter(r.letter)
	case askService:
		m.askCode(r.question)
	case askForget:
		m.mailStep(sms.Event{Kind: sms.Abandoned, Token: r.letter.token})
	case askAnswer:
		if m.answerer != nil {
			r.reply <- line.ErrBusy
			return
		}
		m.answerer = &r
		m.step(event{kind: evAnswer})
	case askHangup:
		m.step(event{kind: evHangup, cause: r.cause})
		r.reply <- nil
	case askDigits:
		if m.typist != nil {
			r.reply <- line.ErrBusy
			return
		}
		m.typist = &r
		m.typeDigit()
	}
}

// typeDigit sends one digit and, when the modem has taken it, the next.
func (m *Modem) typeDigit() {
	s, r := m.session.Load(), m.typist
	switch {
	case r.digits == "":
		m.typed(nil)
		return
	case s == nil, m.st.phase != talking:
		m.typed(line.ErrNoCall)
		return
	case r.ctx.Err() != nil:
		m.typed(r.ctx.Err())
		return
	}
	m.submit(at.Command{Text: fmt.Sprintf(s.dialect.digits, r.digits[0])}, func(reply at.Reply, err error) {
		if m.typist != r || errors.Is(err, at.ErrStopped) {
			return // settled when the modem went, or goes
		}
		if v := verdictOf(reply, err); v != accepted {
			m.typed(refusal(v))
			return
		}
		r.digits = r.digits[1:]
		m.typeDigit()
	})
}

// typed ends SendDTMF.
func (m *Modem) typed(err error) {
	if m.typist != nil {
		m.typist.reply <- err
		m.typist = nil
	}
}

func refusal(v verdict) error {
	if v == noReply {
		return line.ErrTimeout
	}
	return line.ErrRefused
}

// verdictOf reads how the modem took a command.
func verdictOf(r at.Reply, err error) verdict {
	switch {
	case errors.Is(err, at.ErrPrompt):
		return refused // the command went into a message text and was thrown away
	case err != nil:
		return noReply
	}
	switch r.Final.Code {
	case at.OK, at.Connect:
		return accepted
	case at.Busy:
		return busyTone
	case at.NoAnswer:
		return unanswered
	case at.NoCarrier, at.NoDialtone:
		return dropped
	default:
		return refused
	}
}

// act does one action of the state machine.
func (m *Modem) act(a action) {
	s := m.session.Load()
	switch a.kind {
	case doTell:
		m.tell(a.event)
		return
	case doDialDone:
		if m.dialer != nil {
			m.dialer.reply <- a.err
			m.dialer = nil
		}
		return
	case doAnswerDone:
		if m.answerer != nil {
			m.answerer.reply <- a.err
			m.answerer = nil
		}
		return
	case doBlameSound:
		m.soundFailures.Add(1)
		m.ailing = "the audio port failed"
		return
	case doHeardLie:
		m.heardLie()
		return
	}
	if s == nil {
		return
	}
	switch a.kind {
	case doDial:
		m.log.Info("dialling", "to", a.number.Masked())
		m.submit(at.Command{Text: "ATD" + string(a.number) + ";", Progress: true, Timeout: m.timing.Command}, m.answered(evDialed))
	case doAnswer:
		m.submit(at.Command{Text: "ATA", Progress: true, Urgent: true, Timeout: m.timing.Command}, m.answered(evAccepted))
	case doHangup:
		text := s.dialect.hangup[a.rung]
		if strings.Contains(text, "%d") {
			text = fmt.Sprintf(text, a.id)
		}
		m.submit(at.Command{Text: text, Urgent: true, Timeout: m.timing.Rung[a.rung]}, m.answered(evHungUp))
	case doList:
		m.list()
	case doAskReason:
		m.submit(at.Command{Text: "AT+CEER", Prefix: "+CEER:", Timeout: m.timing.Cause}, func(r at.Reply, err error) {
			if err == nil {
				m.step(event{kind: evReason, cause: causeFromText(r.Lines)})
			}
		})
	case doTurnAway:
		m.submit(at.Command{Text: "AT+CHLD=0"}, func(at.Reply, error) {})
	case doSoundOn:
		m.soundOn(s)
	case doSoundOff:
		m.soundOff(s)
	case doReset:
		m.later = append(m.later, func() { m.reset("the modem did not obey") })
	}
}

func (m *Modem) answered(kind eventKind) func(at.Reply, error) {
	return func(r at.Reply, err error) {
		if errors.Is(err, at.ErrStopped) {
			return // evLost follows and settles it
		}
		m.step(event{kind: kind, verdict: verdictOf(r, err)})
	}
}

func (m *Modem) list() {
	m.submit(at.Command{Text: "AT+CLCC", Prefix: "+CLCC:"}, func(r at.Reply, err error) {
		if err == nil && r.Final.Code == at.OK { // an ERROR is no empty list
			m.step(event{kind: evList, calls: parseCalls(r.Lines)})
		}
	})
}

// tell passes an event of a call on. The audio is valid from before Connected until before Ended.
func (m *Modem) tell(e line.Event) {
	switch e.Kind {
	case line.Connected:
		if m.sound != nil {
			m.sound.live.Store(true)
			m.media.Store(m.sound)
			m.soundBegan = time.Now()
			if m.traits().doubt {
				m.sound.listens.Store(false) // it has said what was asked of it
			}
		}
	case line.Ended:
		m.media.Store(nil)
		if m.sound != nil {
			m.sound.live.Store(false)
		}
	}
	m.emit(e)
}

// soundOn switches the audio on beside the owner: the modem refuses outside a call and for some
// seconds after its start (SIM7600), so the switch is tried again and again.
func (m *Modem) soundOn(s *session) {
	ctx, cancel := context.WithTimeout(m.ctx, m.timing.AudioOn)
	m.soundStop = cancel
	m.soundTry++
	try := m.soundTry
	var tell func(heard) // who called us needs no ear
	if !m.st.inbound {
		tell = m.earOf(s, try)
	}
	m.started.Add(1)
	go func() {
		defer m.started.Done()
		defer cancel()
		snd, err := m.openSound(ctx, s, tell)
		select {
		case s.inbox <- item{then: func() { m.soundReady(try, snd, err) }}:
		case <-s.engine.Done(): // nobody reads that inbox any more
			if snd != nil {
				snd.stop()
			}
		}
	}()
}

func (m *Modem) openSound(ctx context.Context, s *session, tell func(heard)) (*sound, error) {
	port, err := m.openAudio(ctx, s.ports.Audio)
	if err != nil {
		return nil, err
	}
	m.started.Add(1)
	snd := startSound(port, m.clocks, s.dialect.sound.block, tell, func(err error) {
		select {
		case s.inbox <- item{then: func() { m.soundDied(err) }}:
		default: // the owner is flooded and will end the session
		}
	})
	go func() { // the audio never outlives the session, whoever was to take it
		defer m.started.Done()
		select {
		case <-snd.done:
		case <-s.engine.Done():
			snd.stop()
			<-snd.done
		}
	}()
	for try := 0; ; try++ {
		_, err = s.engine.Do(ctx, at.Command{Text: s.dialect.sound.on})
		if err == nil && m.soundHolds(ctx, s) {
			return snd, nil
		}
		if try == 0 {
			m.soundRetries.Add(1)
		}
		if errors.Is(err, at.ErrStopped) || !pause(ctx, m.timing.AudioTry) {
			snd.stop()
			return nil, fmt.Errorf("switch the audio on: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// openAudio waits out the close of the call before, which a stalled port may draw out.
func (m *Modem) openAudio(ctx context.Context, path string) (serialport.Stream, error) {
	for {
		port, err := m.cfg.Bus.OpenAudio(path)
		if err == nil || !errors.Is(err, serialport.ErrInUse) {
			return port, err
		}
		if !pause(ctx, m.timing.AudioTry) {
			return nil, err
		}
	}
}

// soundHolds reads the switch back: an OK alone has been seen without sound.
func (m *Modem) soundHolds(ctx context.Context, s *session) bool {
	q := s.dialect.sound.ask
	if q.text == "" {
		return true
	}
	r, err := s.engine.Do(ctx, at.Command{Text: q.text, Prefix: q.prefix})
	if err != nil || len(r.Lines) == 0 {
		return false
	}
	return field(at.Fields(r.Lines[0]), 0) == "1"
}

func (m *Modem) soundReady(try int, snd *sound, err error) {
	if m.st.phase != connecting || try != m.soundTry {
		if snd != nil {
			snd.stop()
		}
		return
	}
	if err != nil {
		m.log.Warn("no sound on this call", "error", err)
		m.step(event{kind: evSoundOff})
		return
	}
	m.sound = snd
	m.step(event{kind: evSoundOn})
}

// earOf passes on what the sound of a dialled call says.
func (m *Modem) earOf(s *session, try int) func(heard) {
	return func(h heard) {
		select {
		case s.inbox <- item{then: func() {
			if try == m.soundTry && m.sound != nil {
				if m.st.phase == talking {
					m.sound.listens.Store(false) // the first sound of an answered call is the one that counts
				}
				m.step(event{kind: evHeard, heard: h})
			}
		}}:
		default: // the owner is flooded and will end the session
		}
	}
}

// liesBelieved is how many calls must ring after the modem said "connected": one may be an exchange that
// answers first and rings its people then.
const liesBelieved = 2

// heardLie counts a call that rang although the modem had said "connected". From the second on its word is
// not taken any more.
func (m *Modem) heardLie() {
	if m.early.Add(1) == liesBelieved {
		m.lies = true
		m.log.Warn("the modem says connected before the far end answers; its sound decides from now on")
		if s := m.session.Load(); s != nil {
			m.fit(s)
		}
	}
}

func (m *Modem) soundDied(err error) {
	m.log.Warn("audio port died in a call", "error", err)
	m.step(event{kind: evSoundOff})
}

// soundOff ends the audio and judges it; s is nil when the modem has gone.
func (m *Modem) soundOff(s *session) {
	if m.soundStop != nil {
		m.soundStop()
		m.soundStop = nil
	}
	m.media.Store(nil)
	if m.sound != nil {
		m.sound.stop()
		if s != nil && !m.soundBegan.IsZero() && !m.sound.healthy(time.Since(m.soundBegan)) {
			m.soundFailures.Add(1)
			m.ailing = "the audio port had gaps"
		}
		if !m.soundBegan.IsZero() {
			m.soundCalls++
			m.soundOf = m.sound.report()
		}
		m.sound = nil
		m.soundBegan = time.Time{}
	}
	m.soundReported()
	if s != nil {
		if off := s.dialect.sound.off; off != "" {
			m.submit(at.Command{Text: off}, func(at.Reply, error) {})
		}
	}
}

// soundReported puts the health of the sound on the feed. Its counters of a call begin anew with each.
func (m *Modem) soundReported() {
	next := m.status
	next.Sound = m.soundOf
	next.Sound.Calls, next.Sound.Faults, next.Sound.Restarts = m.soundCalls, m.soundFailures.Load(), m.resets.Load()
	m.publish(next)
}

// reset restarts the modem with a new enumeration; only that cures a degraded audio endpoint. The line
// is out of service until it is back.
func (m *Modem) reset(why string) {
	s := m.session.Load()
	if s == nil {
		return
	}
	m.ailing = ""
	m.resets.Add(1)
	m.log.Warn("modem is being restarted", "why", why)
	m.setStatus(tel.LineRestarting, nil)
	m.submit(at.Command{Text: s.dialect.reset, Urgent: true, Timeout: m.timing.Reply}, func(at.Reply, error) {
		if m.session.Load() == s {
			m.lose(tel.LineRestarting, errors.New(why))
		}
	})
}
