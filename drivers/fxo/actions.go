package fxo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// offHook connects the line to the modem, onHook releases it: the second way is for chips that know no +VLS=0.
const offHook = "AT+VLS=1"

var onHook = [2]string{"AT+VLS=0", "ATH"}

// requested handles a command of the box.
func (m *Modem) requested(r request) {
	switch r.kind {
	case askDial:
		s := m.session.Load()
		switch {
		case s == nil, !s.duplex, !m.status.Up && !r.number.Emergency():
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
		switch {
		case m.typist != nil, m.st.phase == flashing:
			r.reply <- line.ErrBusy
		case m.cfg.Recall == RecallSwitch && !m.st.recall.IsZero() && m.st.keys+len(r.digits) > 1:
			r.reply <- fmt.Errorf("the exchange gets one digit after a flash: %w", line.ErrRefused)
		case m.st.phase != talking || m.sound == nil:
			r.reply <- line.ErrNoCall
		default:
			m.typist = &r
			t, _ := dsp.Digits(r.digits, keyOn, keyOff) // SendDTMF has looked at them
			m.step(event{kind: evKeys, keys: len(r.digits)})
			m.sound.play(t)
		}
	case askFlash:
		if m.flasher != nil || m.typist != nil {
			r.reply <- line.ErrBusy
			return
		}
		m.flasher = &r
		m.step(event{kind: evFlash})
	}
}

// typed ends SendDTMF.
func (m *Modem) typed(err error) {
	if m.typist != nil {
		m.typist.reply <- err
		m.typist = nil
	}
}

// act does one action of the state machine.
func (m *Modem) act(a action) {
	switch a.kind {
	case doTell:
		m.tell(a.event)
	case doDialDone:
		if m.dialer != nil {
			m.dialer.reply <- a.err
			m.dialer = nil
		}
	case doAnswerDone:
		if m.answerer != nil {
			m.answerer.reply <- a.err
			m.answerer = nil
		}
	case doFlash:
		m.flash()
	case doFlashDone:
		if m.flasher != nil {
			m.flasher.reply <- a.err
			m.flasher = nil
		}
	case doSeize:
		m.seize()
	case doPlay:
		m.log.Info("dialling", "to", a.number.Masked())
		t, ok := dsp.Digits(string(a.number.National()), keyOn, keyOff)
		if !ok || m.sound == nil {
			m.later = append(m.later, func() { m.step(event{kind: evStream}) })
			return
		}
		m.sound.play(t)
	case doListen:
		if m.sound != nil {
			m.sound.listen()
		}
	case doListenForVoice:
		if m.sound != nil {
			m.sound.listenForVoice()
		}
	case doSnoop:
		m.snoop()
	case doRelease:
		m.release()
	case doMeasure:
		if s := m.session.Load(); s != nil {
			m.measure(s, func(v int) {
				m.step(event{kind: evMeasured, shared: max(v, -v) >= deadBelow && max(v, -v) < heldBelow})
			})
		}
	case doBlame:
		m.later = append(m.later, func() { m.blame(a.fault) })
	case doAbsolve:
		m.later = append(m.later, func() {
			if m.fault == a.fault {
				m.blame(tel.LineOK)
			}
		})
	case doCaughtLying:
		m.lies.Add(1)
		if strings.IndexByte(m.liesOf, a.code) < 0 {
			m.liesOf += string(rune(a.code))
			m.log.Warn("the modem reports what the sound contradicts; that alone ends no call any more", "event", string(rune(a.code)))
		}
	}
}

// seize goes off hook and switches the sound on, where that is not done yet.
func (m *Modem) seize() {
	if m.sound != nil {
		m.later = append(m.later, func() { m.step(event{kind: evSoundOn}) })
		return
	}
	m.submit(command{text: offHook}, func(r reply, err error) {
		switch {
		case errors.Is(err, errStopped):
		case err != nil || !r.ok():
			m.step(event{kind: evRefused})
		case m.st.phase == seizing || m.st.phase == answering:
			m.stream()
		}
	})
}

// stream switches the sound on.
func (m *Modem) stream() {
	s := m.session.Load()
	if s == nil {
		return
	}
	tell := func(e event) {
		select {
		case s.inbox <- item{then: func() { m.step(e) }}:
		default: // the owner is flooded and will end the session
		}
	}
	if m.studying != nil {
		<-m.studying // some 70 ms of processor time that began when the call before ended
	}
	m.toned = false
	snd := newSound(m.clocks, s.format.coding, m.lead, m.ear, m.listener,
		func(h heard) { tell(event{kind: evHeard, heard: h}) },
		func() {
			select {
			case s.inbox <- item{then: m.played}:
			default:
			}
		})
	m.submit(command{text: "AT+VTR", sound: snd}, func(r reply, err error) {
		switch {
		case errors.Is(err, errStopped):
		case err == nil && r.final.Code == at.Connect:
			m.sound = snd
			m.step(event{kind: evSoundOn})
		default:
			m.failures.Add(1)
			if err == nil { // it cannot what its family can
				s.duplex = false
				m.setCaps(false)
			}
			m.step(event{kind: evRefused})
			m.later = append(m.later, func() { m.setStatus(m.service(), errors.New("the modem refuses both directions at once")) })
		}
	})
}

// played is the end of digits: those of a number, or of SendDTMF.
func (m *Modem) played() {
	if m.st.phase == dialling {
		m.step(event{kind: evDialled})
		return
	}
	m.typed(nil)
}

// release ends the sound and goes on hook.
func (m *Modem) release() {
	m.typed(line.ErrNoCall)
	m.submit(command{}, func(_ reply, err error) {
		if err != nil {
			return // the link has ended and evLost settles it
		}
		m.onHook(0)
	})
}

func (m *Modem) onHook(way int) {
	m.submit(command{text: onHook[way]}, func(r reply, err error) {
		switch {
		case err != nil: // evLost follows
		case r.ok():
			m.soundOff()
			m.step(event{kind: evOnHook})
		case way+1 < len(onHook):
			m.onHook(way + 1)
		default:
			m.lose(faulty(tel.LineModemMute, "the modem does not go on hook: %w", r.final))
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
			m.soundBegan = true
		}
	case line.Ended:
		m.media.Store(nil)
		if m.sound != nil {
			m.sound.stop()
		}
	}
	m.emit(e)
}

// soundOff forgets the sound of a call and keeps what is to be told of it.
func (m *Modem) soundOff() {
	m.media.Store(nil)
	if m.sound == nil {
		return
	}
	m.sound.stop()
	m.lead = max(m.lead, m.sound.leadNow())
	if m.soundBegan {
		if !m.toned && m.session.Load() != nil { // else the link may still be at work
			m.learn()
		}
		m.soundCalls++
		m.soundOf = m.sound.report()
	}
	m.sound, m.soundBegan = nil, false
	next := m.status
	next.Sound = m.soundOf
	next.Sound.Calls, next.Sound.Faults, next.Sound.Restarts = m.soundCalls, m.failures.Load(), m.resets.Load()
	m.publish(next)
}
