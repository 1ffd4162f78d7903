package gsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// run is the owner of the line.
func (m *Modem) run() {
	defer close(m.done)
	defer close(m.events)
	m.report()
	m.start()
	for m.ctx.Err() == nil {
		m.turn()
		for len(m.later) > 0 {
			f := m.later[0]
			m.later = m.later[1:]
			f()
		}
		m.arm()
	}
	m.shutDown()
}

// turn waits for one thing and does it.
func (m *Modem) turn() {
	var out chan<- line.Event
	var first line.Event
	if len(m.outbox) > 0 {
		out, first = m.events, m.outbox[0]
	}
	var inbox <-chan item
	var ended <-chan struct{}
	s := m.session.Load()
	if s != nil {
		inbox, ended = s.inbox, s.engine.Done()
	}
	select {
	case <-m.ctx.Done():
	case out <- first:
		m.outbox = m.outbox[1:]
	case r := <-m.requests:
		m.requested(r)
	case u := <-m.up:
		m.broughtUp(u)
	case it := <-inbox:
		m.take(it)
	case <-ended:
		for len(s.inbox) > 0 { // what it said before it went
			m.take(<-s.inbox)
		}
		if m.session.Load() == s {
			m.lose(lineCause(errors.Join(s.engine.Err(), at.ErrStopped)), s.engine.Err())
		}
	case <-m.tick.C:
		m.step(event{kind: evTick})
	case <-m.mailTick.C:
		m.mailStep(sms.Event{Kind: sms.Turned})
	case <-m.serviceTick.C:
		m.serviceDo(m.service.Expired(time.Now()))
	case <-m.health.C:
		m.probe()
	case <-m.retry.C:
		m.start()
	}
}

// arm sets the timer of the call's state machine.
func (m *Modem) arm() {
	if m.st.deadline.IsZero() {
		m.tick.Stop()
		return
	}
	m.tick.Reset(time.Until(m.st.deadline))
}

func (m *Modem) start() {
	if len(m.outbox) > eventBacklog/2 {
		m.retry.Reset(m.timing.Reopen[len(m.timing.Reopen)-1]) // a line whose events nobody takes stays out of service
		return
	}
	m.started.Add(1)
	go m.bring(m.ctx, m.closing)
}

func (m *Modem) broughtUp(u bringUp) {
	if u.session == nil {
		if !errors.Is(u.err, context.Canceled) {
			m.failed(u)
		}
		return
	}
	m.recovery = recovery{}
	m.opens.Add(1)
	m.initDone, m.surveyed, m.ailing = time.Now(), time.Now(), ""
	m.fit(u.session)
	m.network = u.session.network
	m.session.Store(u.session)
	id := u.session.id
	m.log.Info("modem in service", "dialect", u.session.dialect.name, "model", id.model, "firmware", id.firmware)
	m.networkChanged()
	m.step(event{kind: evFound, calls: u.session.found})
	m.mailStep(sms.Event{Kind: sms.Started})
	m.health.Reset(m.timing.Health)
}

// fit takes over what this modem can do.
func (m *Modem) fit(s *session) {
	d := s.dialect
	m.deaf.Store(!s.serial)
	caps := line.Caps{FullDuplex: s.serial, CallerID: true, DTMFDetect: d.keys, AnswerSupervision: line.AnswerReal}
	switch {
	case d.early && !s.serial:
		caps.AnswerSupervision = line.AnswerUnknown
	case d.early, m.lies:
		caps.AnswerSupervision = line.AnswerAssumed
	}
	m.caps.Store(&caps)
	m.clocks.fit(d.sound.block, d.sound.gives)
}

// traits are what the call's state machine must know of the modem.
func (m *Modem) traits() traits {
	is := traits{sound: !m.deaf.Load(), knock: m.cfg.SecondCaller}
	if s := m.session.Load(); s != nil {
		is.doubt, is.weakEnd, is.look = s.dialect.early || m.lies, s.dialect.weakEnd, s.dialect.look
	}
	return is
}

// failed puts a failure on the page, does what the ladder says, and sets the next try.
func (m *Modem) failed(u bringUp) {
	var rung Rung
	var wait time.Duration
	m.recovery, rung, wait = m.recovery.next(trial{u.cause, u.answered, u.ports.Device != "" && m.cfg.Rebind != nil, m.cfg.Supply != nil}, time.Now(), &m.timing)
	if m.recovery.stuck() && (u.cause == tel.LineModemMute || u.cause == tel.LineRestarting) {
		u.cause = tel.LineStuck
	}
	m.setStatus(m.blame(u.cause), u.err)
	m.remedy(rung, u)
	m.retry.Reset(wait)
}

// remedy carries a rung out beside the owner; the next try waits for its end.
func (m *Modem) remedy(rung Rung, u bringUp) {
	if rung == RungNone {
		return
	}
	m.log.Warn("modem does not come into service", "remedy", rung, "cause", u.cause)
	var do func(context.Context) error
	switch rung {
	case RungCommand:
		do = func(ctx context.Context) error { return m.restart(ctx, u) }
	case RungRebind:
		do = func(ctx context.Context) error { return m.cfg.Rebind(ctx, u.ports.Device) }
	case RungPower:
		if m.cfg.PowerCycle != nil {
			do = func(ctx context.Context) error { return m.cfg.PowerCycle(ctx, u.ports.Device) }
		}
	case RungSupply:
		do = func(context.Context) error { return m.cfg.Supply.Cycle(m.ctx) } // it knows itself how long
	}
	if do == nil {
		return
	}
	m.resets.Add(1)
	done := make(chan struct{})
	m.closing = done
	m.started.Add(1)
	go func() {
		defer m.started.Done()
		defer close(done)
		ctx, cancel := context.WithTimeout(m.ctx, m.timing.Command)
		defer cancel()
		if err := do(ctx); err != nil {
			m.log.Warn("remedy failed", "remedy", rung, "error", err)
		}
	}()
}

// restart opens the port for nothing but the modem's own restart command.
func (m *Modem) restart(ctx context.Context, u bringUp) error {
	s, err := m.open(u.ports)
	if err != nil {
		return err
	}
	_, err = s.engine.Do(ctx, at.Command{Text: u.restart, Timeout: m.timing.Reply})
	return errors.Join(err, s.engine.Close())
}

// lose ends the session: the modem has gone, restarted, or must be opened anew.
func (m *Modem) lose(cause tel.LineCause, why error) {
	s := m.session.Swap(nil)
	if s == nil {
		return
	}
	m.losses.Add(1)
	m.health.Stop()
	m.log.Warn("modem out of service", "cause", cause, "error", why)
	m.step(event{kind: evLost})
	m.mailStep(sms.Event{Kind: sms.Lost})
	m.serviceLost()
	m.soundOff(nil)
	m.typed(line.ErrGone)
	m.setStatus(m.blame(cause), why)
	// Everything of the lost device is closed before it is looked for: an open port makes it come back
	// under another number.
	closing := make(chan struct{})
	m.closing = closing
	m.started.Add(1)
	go func() {
		defer m.started.Done()
		defer close(closing)
		_ = s.engine.Close()
	}()
	m.retry.Reset(m.timing.Reopen[0])
}

func (m *Modem) shutDown() {
	if s := m.session.Load(); s != nil {
		if m.st.phase != idle && m.st.phase != settling {
			// The network keeps a call of ours up until it is told.
			ctx, cancel := context.WithTimeout(context.Background(), m.timing.Rung[0])
			_, _ = s.engine.Do(ctx, at.Command{Text: s.dialect.hangup[0], Urgent: true, Timeout: m.timing.Rung[0]})
			cancel()
		}
		m.step(event{kind: evLost})
		m.mailStep(sms.Event{Kind: sms.Lost})
		m.serviceLost()
		m.soundOff(nil)
		m.typed(line.ErrGone)
		_ = s.engine.Close()
		m.session.Store(nil)
	}
	m.started.Wait()
	select {
	case u := <-m.up:
		if u.session != nil {
			_ = u.session.engine.Close()
		}
	default:
	}
	for _, t := range []*time.Timer{m.tick, m.mailTick, m.serviceTick, m.health, m.retry} {
		t.Stop()
	}
	// Who still listens gets the end of the call; who does not is not waited for.
	last := time.NewTimer(farewell)
	defer last.Stop()
	for _, e := range m.outbox {
		select {
		case m.events <- e:
		case <-last.C:
			return
		}
	}
}

// farewell bounds the delivery of the last events at Close.
const farewell = 500 * time.Millisecond

// take handles one item of the session.
func (m *Modem) take(it item) {
	if it.then != nil {
		it.then()
		return
	}
	s := parseSignal(it.line)
	if m.serviceLine(it.line, s.news) || m.pushed(it.line, s.news) {
		return
	}
	switch s.news {
	case newsCall:
		m.step(s.event)
	case newsNetwork, newsSignal:
		m.network.learn([]string{s.text})
		m.networkChanged()
	case newsSIM:
		m.lose(tel.LineNoSIM, fmt.Errorf("modem said %q", it.line))
	case newsRestarted:
		m.lose(tel.LineRestarting, errRestarted)
	case newsBooted:
		// The same words end a normal unlock; much later they mean that the settings are lost.
		if time.Since(m.initDone) > m.timing.BootGrace {
			m.ailing = "the modem has restarted"
			m.care()
		}
	case newsMessage:
		if slot, ok := sms.ParseNotified(it.line); ok {
			m.mailStep(sms.Event{Kind: sms.Notified, Slot: slot})
		}
	case newsUnknown:
		m.unknown.Add(1)
		if kind := kindOf(it.line); len(m.seenNoise) < maxKinds && !m.seenNoise[kind] {
			m.seenNoise[kind] = true
			m.log.Info("modem said something unknown", "kind", kind)
		}
	case newsFlow:
		if m.sound != nil {
			m.sound.held.Store(!s.going)
		}
	case newsPower:
		m.powerFails(it.line)
	case newsBeacon:
		m.beacon(it.line)
	case newsNoise:
	}
}

// powerFails hears that the modem's power is too weak: it warns while it works, or says good-bye.
func (m *Modem) powerFails(l string) {
	m.undervolted = time.Now()
	if strings.Contains(l, "DOWN") {
		m.lose(tel.LineModemPower, fmt.Errorf("modem said %q", l))
		return
	}
	m.log.Warn("modem has too little power", "said", l)
}

// underpowered is how long a modem that goes is taken to have gone for want of power, after it said so.
const underpowered = 5 * time.Minute

// blame names the power where the modem has complained of it before it went.
func (m *Modem) blame(c tel.LineCause) tel.LineCause {
	gone := c == tel.LineNoModem || c == tel.LineModemMute || c == tel.LineRestarting
	if gone && !m.undervolted.IsZero() && time.Since(m.undervolted) < underpowered {
		return tel.LineModemPower
	}
	return c
}

// beacon is a line that the modem repeats for ever, with a value of its own for each start.
func (m *Modem) beacon(l string) {
	s := m.session.Load()
	if s == nil {
		return
	}
	if s.beacon != "" && s.beacon != l {
		m.lose(tel.LineRestarting, errRestarted)
		return
	}
	s.beacon = l
}

var (
	errRestarted = errors.New("the modem has restarted")
	errUnset     = errors.New("the modem has lost its settings")
)

// maxKinds bounds the kinds of unknown line that are logged: garbage has no end of them.
const maxKinds = 64

// kindOf is the part of a line that names it, without numbers of callers.
func kindOf(l string) string {
	for i := range len(l) {
		if c := l[i]; c == ':' || c >= '0' && c <= '9' {
			l = l[:i]
			break
		}
	}
	l = l[:min(len(l), 24)]
	if strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "bytes that are no text" // garbage never looks the same twice
	}
	return l
}

// step moves the call's state machine and does what it says.
func (m *Modem) step(e event) {
	before, knocked := m.st.phase, m.st.knock
	var acts []action
	m.st, acts = next(m.st, e, time.Now(), &m.timing, m.traits())
	for _, a := range acts {
		m.act(a)
	}
	if before != m.st.phase {
		m.log.Debug("call moved", "from", before, "to", m.st.phase)
		m.callsChanged()
		m.care()
		m.mailStep(sms.Event{Kind: sms.Turned})
	} else if knocked != m.st.knock {
		m.callsChanged()
	}
}

// care restarts an ailing modem once the line is free.
func (m *Modem) care() {
	if m.ailing == "" || m.st.phase != idle || m.session.Load() == nil {
		return
	}
	m.later = append(m.later, func() {
		if m.ailing != "" && m.st.phase == idle {
			m.reset(m.ailing)
		}
	})
}

// probe asks an idle modem for a sign of life, and now and then for its radio.
func (m *Modem) probe() {
	s := m.session.Load()
	if s == nil {
		return
	}
	m.health.Reset(m.timing.Health)
	if m.st.phase != idle { // nothing may disturb a call's set-up, and a talking one is polled anyway
		return
	}
	if !s.echoStuck && s.engine.Stats().Echoes > s.echoes {
		s.echoStuck = true // asked about once
		m.doubtSettings(s)
	}
	m.list() // a RING that was lost, or a call that nobody of ours made
	if time.Since(m.surveyed) < m.timing.Survey {
		m.submit(at.Command{Text: "AT"}, func(r at.Reply, err error) {
			if err == nil && r.Final.Code != at.OK && m.session.Load() == s {
				m.lose(tel.LineModemMute, fmt.Errorf("greet the modem: %w", r.Final))
			}
		})
		return
	}
	m.surveyed = time.Now()
	for _, q := range slices.Concat(surveyQuestions, s.dialect.survey) {
		m.submit(at.Command{Text: q.text, Prefix: q.prefix}, func(r at.Reply, err error) {
			if err == nil {
				m.network.learn(r.Lines)
				m.networkChanged()
			}
		})
	}
}

// doubtSettings is called when the modem has begun to repeat our commands: it may have restarted without a
// word. Two settings that differ from those of a start tell.
func (m *Modem) doubtSettings(s *session) {
	for _, q := range []step{{text: "AT+CLIP?", prefix: "+CLIP:"}, {text: "AT+CMEE?", prefix: "+CMEE:"}} {
		m.submit(at.Command{Text: q.text, Prefix: q.prefix}, func(r at.Reply, err error) {
			if err == nil && len(r.Lines) > 0 && field(at.Fields(r.Lines[0]), 0) != "1" && m.session.Load() == s {
				m.lose(tel.LineRestarting, errUnset)
			}
		})
	}
}

// submit sends a command; then runs on the owner when the answer is there.
func (m *Modem) submit(c at.Command, then func(at.Reply, error)) {
	s := m.session.Load()
	if s == nil {
		return // evLost has settled everything
	}
	err := s.engine.Submit(m.ctx, c, func(r at.Reply, err error) {
		s.inbox <- item{then: func() { then(r, err) }} // never full: inboxSize leaves more room than the engine's queue
	})
	if err != nil {
		m.later = append(m.later, func() { then(at.Reply{}, err) })
	}
}

// setStatus publishes a change of the service state.
func (m *Modem) setStatus(cause tel.LineCause, why error) {
	if why != nil && cause != m.status.Cause {
		m.log.Warn("line out of service", "cause", cause, "error", why)
	}
	next := m.status
	next.Up, next.Cause = cause == tel.LineOK, cause
	if !next.Up {
		next.Signal, next.Operator, next.Technology, next.VoLTE = 0, "", "", ""
		m.radio.lost()
	}
	m.publish(next)
}

// volteWords are for tel.LineChanged.
var volteWords = [...]string{line.NotKnown: "", line.Ready: "yes", line.NotReady: "no"}

// signalStep is the change of signal strength that is worth an event, in dB.
const signalStep = 6

func (m *Modem) networkChanged() {
	if m.session.Load() == nil {
		return
	}
	next := m.status
	next.Cause = m.network.service()
	next.Up = next.Cause == tel.LineOK
	switch s := m.session.Load(); {
	case !next.Up:
	case m.deaf.Load():
		next.Cause = tel.LineNoSound // messages pass; a call would be silent
	case contains(s.id.firmware, s.dialect.mutes):
		next.Cause = tel.LineBadFirmware
	}
	next.Operator = m.network.operator
	signal := m.network.signal()
	m.radio.note(signal, time.Now())
	next.Technology, next.VoLTE = string(signal.Technology), volteWords[signal.VoLTE]
	if d := m.network.dBm - next.Signal; d >= signalStep || d <= -signalStep {
		next.Signal = m.network.dBm
	}
	m.publish(next)
}

func (m *Modem) callsChanged() {
	next := m.status
	next.Calls, next.Knocks = 1, m.st.knock
	if m.st.phase == idle || m.st.phase == settling {
		next.Calls = 0
	}
	m.publish(next)
}

func (m *Modem) publish(next tel.LineChanged) {
	if next == m.status {
		return
	}
	turned := next.Up != m.status.Up
	if next.Cause != m.status.Cause {
		next.Since = time.Now()
	}
	m.status = next
	m.report()
	if turned {
		m.mailStep(sms.Event{Kind: sms.Turned}) // what waited for the network goes out
	}
}

func (m *Modem) report() {
	m.emit(line.Event{Kind: line.Status, Status: m.status, At: time.Now()})
}

// reserve is the part of the backlog that is kept for the end of a call and the status that explains it.
const reserve = 8

// emit queues an event. A consumer that takes none is a fault of the line: the call is given up while
// there is still room to say so, and nothing is dropped silently.
func (m *Modem) emit(e line.Event) {
	full := len(m.outbox) >= eventBacklog-reserve
	if full && e.Kind == line.Status {
		// Status is a level and no edge: the newest one replaces the newest that still waits.
		for i := len(m.outbox) - 1; i >= 0; i-- {
			if m.outbox[i].Kind == line.Status {
				m.outbox = append(m.outbox[:i], m.outbox[i+1:]...)
				break
			}
		}
	}
	m.outbox = append(m.outbox, e)
	if full && !m.overflow {
		m.overflow = true
		m.overflows.Add(1)
		m.log.Error("nobody takes the events of this line")
		m.later = append(m.later, func() {
			m.overflow = false
			m.lose(tel.LineRestarting, errors.New("too many events wait"))
		})
	}
}
