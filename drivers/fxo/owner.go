package fxo

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		if m.st.deadline.IsZero() {
			m.tick.Stop()
		} else {
			m.tick.Reset(time.Until(m.st.deadline))
		}
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
		inbox, ended = s.inbox, s.link.done
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
			m.lose(s.link.err)
		}
	case t := <-m.taught:
		m.taughtTone(t)
	case <-m.tick.C:
		m.step(event{kind: evTick})
	case <-m.health.C:
		m.probe()
	case <-m.retry.C:
		m.start()
	}
}

func (m *Modem) start() {
	if len(m.outbox) > eventBacklog/2 {
		m.retry.Reset(m.timing.Reopen[len(m.timing.Reopen)-1]) // a line whose events nobody takes stays out of service
		return
	}
	m.started.Add(1)
	go m.bring(m.ctx, m.closing, m.opens.Load() == 0 && m.recovery == (recovery{}))
}

func (m *Modem) broughtUp(u bringUp) {
	if u.session == nil {
		if !errors.Is(u.err, context.Canceled) {
			m.failed(u)
		}
		return
	}
	s := u.session
	m.recovery = recovery{}
	m.opens.Add(1)
	m.session.Store(s)
	m.lead = max(m.lead, s.dialect.lead)
	m.low, m.fault, m.liesOf = 0, tel.LineOK, ""
	m.setCaps(s.duplex)
	m.log.Info("modem in service", "dialect", s.dialect.name, "says", s.said, "sound", s.format.coding, "both_ways", s.duplex)
	m.setStatus(m.service(), nil)
	if s.found && s.duplex {
		m.step(event{kind: evFound})
	}
	m.probe()
}

// service is what the line is good for, while its modem works.
func (m *Modem) service() tel.LineCause {
	if s := m.session.Load(); s != nil && !s.duplex {
		return tel.LineHalfDuplex
	}
	return m.fault
}

// failed puts a failure on the page, does what the ladder says, and sets the next try.
func (m *Modem) failed(u bringUp) {
	onUSB := u.port.Device != ""
	var r rung
	var wait time.Duration
	m.recovery, r, wait = m.recovery.next(trial{u.cause, onUSB && m.cfg.Rebind != nil, onUSB && m.cfg.PowerCycle != nil, m.cfg.Supply != nil}, time.Now(), &m.timing)
	if m.recovery.alarmed && u.cause == tel.LineModemMute {
		u.cause = tel.LineStuck
	}
	m.setStatus(u.cause, u.err)
	m.remedy(r, u)
	m.retry.Reset(wait)
}

// remedy carries a rung out beside the owner; the next try waits for its end.
func (m *Modem) remedy(r rung, u bringUp) {
	var do func(context.Context) error
	switch r {
	case rungRebind:
		do = func(ctx context.Context) error { return m.cfg.Rebind(ctx, u.port.Device) }
	case rungPower:
		do = func(ctx context.Context) error { return m.cfg.PowerCycle(ctx, u.port.Device) }
	case rungSupply:
		do = m.cfg.Supply.Cycle
	default:
		return
	}
	m.log.Warn("modem does not come into service", "remedy", r, "cause", u.cause)
	m.resets.Add(1)
	done := make(chan struct{})
	m.closing = done
	m.started.Add(1)
	go func() {
		defer m.started.Done()
		defer close(done)
		if err := do(m.ctx); err != nil {
			m.log.Warn("remedy failed", "remedy", r, "error", err)
		}
	}()
}

// lose ends the session: the modem has gone, or must be opened anew.
func (m *Modem) lose(why error) {
	s := m.session.Swap(nil)
	if s == nil {
		return
	}
	m.losses.Add(1)
	m.snooping = false
	m.health.Stop()
	if cause := lineCause(why); cause == tel.LineAudioFault {
		m.failures.Add(1)
	}
	m.step(event{kind: evLost})
	m.soundOff()
	m.typed(line.ErrGone)
	m.setStatus(lineCause(why), why)
	closing := make(chan struct{})
	m.closing = closing
	m.started.Add(1)
	go func() {
		defer m.started.Done()
		defer close(closing)
		s.link.close()
	}()
	m.retry.Reset(m.timing.Reopen[0])
}

// goodbye bounds what is said to a modem at Close.
const goodbye = 2 * time.Second

func (m *Modem) shutDown() {
	if s := m.session.Load(); s != nil {
		if m.st.hooked { // the exchange keeps a call of ours up until it is told
			ctx, cancel := context.WithTimeout(context.Background(), goodbye)
			_, _ = s.link.do(ctx, command{})
			_, _ = s.link.do(ctx, command{text: onHook[0], timeout: goodbye / 2})
			cancel()
		}
		m.step(event{kind: evLost})
		m.toned = true // nothing more is learned
		m.soundOff()
		m.typed(line.ErrGone)
		s.link.close()
		m.session.Store(nil)
	}
	m.started.Wait()
	select {
	case u := <-m.up:
		if u.session != nil {
			u.session.link.close()
		}
	default:
	}
	for _, t := range []*time.Timer{m.tick, m.health, m.retry} {
		t.Stop()
	}
	last := time.NewTimer(500 * time.Millisecond) // who still listens gets the end of the call
	defer last.Stop()
	for _, e := range m.outbox {
		select {
		case m.events <- e:
		case <-last.C:
			return
		}
	}
}

// take handles one item of the session.
func (m *Modem) take(it item) {
	switch n := it.news; {
	case it.then != nil:
		it.then()
	case n.ended:
		m.log.Info("the modem ended the sound by itself")
		m.step(event{kind: evStream})
	case n.event != 0:
		m.code(n.event)
	case n.line == "RING", n.line == "+CRING: VOICE":
		m.step(event{kind: evRing})
	default:
		if id, ok := parseCallerID(n.line); ok {
			if id.known {
				m.step(event{kind: evCaller, number: id.number})
			}
			return
		}
		m.log.Debug("modem said something", "line", n.line[:min(len(n.line), 24)])
	}
}

// code is a <DLE> event.
func (m *Modem) code(c byte) {
	switch c {
	case 'R':
		m.step(event{kind: evRing})
	case 'K': // a busy tone too, with some
		m.step(event{kind: evCode, code: 'b'})
	case 'u', 'o':
		m.complaints.Add(1)
	default:
		m.step(event{kind: evCode, code: c})
	}
}

// step moves the call's state machine and does what it says.
func (m *Modem) step(e event) {
	before := m.st.phase
	m.toned = m.toned || e.kind == evHeard && e.heard == heardGone
	var acts []action
	m.st, acts = next(m.st, e, time.Now(), &m.timing, m.traits())
	m.snooped() // first: the line is taken in command state only
	for _, a := range acts {
		m.act(a)
	}
	if before != m.st.phase {
		m.log.Debug("call moved", "from", before, "to", m.st.phase)
		next := m.status
		next.Calls = 1
		if m.st.phase == idle || m.st.phase == settling || m.st.phase == ignoring {
			next.Calls = 0
		}
		m.publish(next)
	}
}

func (m *Modem) traits() traits {
	is := traits{polarity: m.cfg.Polarity, lies: m.liesOf}
	if s := m.session.Load(); s != nil {
		is.meter, is.snoops = s.dialect.volts != "", s.snoops
	}
	return is
}

// submit sends a command; then runs on the owner when the answer is there.
func (m *Modem) submit(c command, then func(reply, error)) {
	s := m.session.Load()
	if s == nil {
		return // evLost has settled everything
	}
	err := s.link.submit(c, func(r reply, err error) {
		s.inbox <- item{then: func() { then(r, err) }} // never full: inboxSize leaves more room than the link's queue
	})
	if err != nil {
		m.later = append(m.later, func() { then(reply{}, err) })
	}
}

// The voltages that tell a line's state on hook (ETSI ES 203 021): a free line has some 48 V, one that another
// telephone holds less than 20, one that is not connected none.
const (
	deadBelow = 3  // V
	heldBelow = 20 // V
)

// probe looks at an idle modem: a sign of life, and the voltage where it can tell.
func (m *Modem) probe() {
	s := m.session.Load()
	if s == nil {
		return
	}
	m.health.Reset(m.timing.Health)
	if m.st.phase != idle {
		return
	}
	if s.dialect.volts == "" {
		m.submit(command{text: "AT"}, func(reply, error) {}) // silence ends the link
		return
	}
	m.measure(s, func(v int) {
		if m.st.phase != idle {
			return
		}
		fault := tel.LineOK
		switch size := max(v, -v); {
		case size < deadBelow:
			fault = tel.LineNoVoltage
		case size < heldBelow:
			if m.low++; m.low < 2 {
				return // a look may fall into the exchange's own switching
			}
			fault = tel.LineOffHook
		case v < 0:
			fault = tel.LineReversed
		}
		if fault != tel.LineOffHook {
			m.low = 0
		}
		if fault == tel.LineOK && m.fault == tel.LineShared {
			return // known by the last call, not by the voltage
		}
		m.blame(fault)
	})
}

// measure asks for the voltage and calls then on the owner, where it was told.
func (m *Modem) measure(s *session, then func(volts int)) {
	m.submit(command{text: s.dialect.volts, plain: true}, func(r reply, err error) {
		if v, ok := parseVolts(r.lines, s.dialect.signed); ok && err == nil {
			m.volts.Store(int64(max(v, -v)))
			then(v)
		}
	})
}

// blame puts a fault of the line, not of its modem, on the page.
func (m *Modem) blame(fault tel.LineCause) {
	if m.fault == fault {
		return
	}
	m.fault = fault
	var why error
	if fault != tel.LineOK {
		why = fmt.Errorf("the line itself: %s", fault)
	}
	m.setStatus(m.service(), why)
}

// works reports whether calls are possible in spite of a cause. A line without a voltmeter that gave no dial tone may
// give one the next time.
func (m *Modem) works(cause tel.LineCause) bool {
	switch cause {
	case tel.LineOK, tel.LineReversed, tel.LineShared:
		return true
	case tel.LineNoVoltage:
		s := m.session.Load()
		return s != nil && s.duplex && s.dialect.volts == ""
	}
	return false
}

// setStatus publishes a change of the service state.
func (m *Modem) setStatus(cause tel.LineCause, why error) {
	if why != nil && cause != m.status.Cause {
		m.log.Warn("line has a fault", "cause", cause, "error", why)
	}
	next := m.status
	next.Up, next.Cause = m.works(cause), cause
	m.publish(next)
}

func (m *Modem) publish(next tel.LineChanged) {
	if next == m.status {
		return
	}
	if next.Cause != m.status.Cause {
		next.Since = time.Now()
	}
	m.status = next
	m.report()
}

func (m *Modem) report() {
	m.emit(line.Event{Kind: line.Status, Status: m.status, At: time.Now()})
}

// emit queues an event. A consumer that takes none is a fault of the line: the call is given up while there is still
// room to say so, and nothing is dropped silently.
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
			m.lose(errFlood)
		})
	}
}
