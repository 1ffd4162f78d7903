package fxo

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
)

// A hook flash is a break of the loop that an exchange takes for a wish and not for a hang-up: 100 ms in Italy and most
// of Europe, half a second and more in North America. A modem makes it itself (+VTS=!, ITU-T V.253), with a length that
// depends on its country setting, or takes (S29 in units of 10 ms, register U4F of Silicon Labs in ms). Where its own is
// of another length, or not told, the hook is moved by the box.
const ownFlash = "AT+VTS=!"

// flashesItself finds out how long the modem's own flash is.
func (m *Modem) flashesItself(d *dialect, ask func(string) (reply, bool, error)) (bool, error) {
	if d.flash != "" {
		_, taken, err := ask(fmt.Sprintf(d.flash, m.timing.Flash.Milliseconds()))
		return taken, err
	}
	r, _, err := ask("ATS29?")
	return err == nil && m.fits(r.lines), err
}

// fits reads the answer to S29?: 10 ms each.
func (m *Modem) fits(lines []string) bool {
	for _, l := range lines {
		if n, err := strconv.Atoi(strings.TrimSpace(l)); err == nil && n > 0 {
			own := time.Duration(n) * 10 * time.Millisecond
			return 2*own >= m.timing.Flash && 2*own <= 3*m.timing.Flash
		}
	}
	return false
}

// flash ends the sound, breaks the loop and switches the sound on again.
func (m *Modem) flash() {
	m.whileFlashing(command{}, func() {
		s := m.session.Load()
		if s == nil {
			return // evLost has settled everything
		}
		if s.flashes {
			m.whileFlashing(command{text: ownFlash}, m.streamAgain)
			return
		}
		m.whileFlashing(command{text: onHook[0]}, func() { m.breakLoop(s) })
	})
}

// breakLoop waits on hook: longer than it must the exchange would take for a hang-up.
func (m *Modem) breakLoop(s *session) {
	began := time.Now()
	time.AfterFunc(m.timing.Flash, func() {
		select {
		case s.inbox <- item{then: func() {
			if late := time.Since(began); 2*late > 3*m.timing.Flash {
				m.log.Warn("a hook flash was long; the exchange may take it for a hang-up", "took", late)
			}
			m.whileFlashing(command{text: offHook}, m.streamAgain)
		}}:
		default: // the owner is flooded and will end the session
		}
	})
}

// streamAgain goes on with the sound of the call.
func (m *Modem) streamAgain() {
	if m.sound == nil {
		return
	}
	m.sound.again()
	m.whileFlashing(command{text: "AT+VTR", sound: m.sound}, func() { m.step(event{kind: evSoundOn}) })
}

// whileFlashing has the modem do one step of a flash, and goes on if it did and the call is still there.
func (m *Modem) whileFlashing(c command, then func()) {
	if m.st.phase != flashing {
		return
	}
	m.submit(c, func(r reply, err error) {
		switch {
		case errors.Is(err, errStopped), m.st.phase != flashing:
		case err != nil, c.text != "" && !r.ok(), c.sound != nil && r.final.Code != at.Connect:
			m.step(event{kind: evRefused})
		default:
			then()
		}
	})
}
