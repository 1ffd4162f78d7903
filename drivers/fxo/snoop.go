package fxo

import (
	"errors"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// stream is what a link does with the sound of its modem. The link's goroutine calls it.
type stream interface {
	take(p []byte)                     // what the modem sent, its shield taken off
	give(port serialport.Stream) error // what it is owed
	underrun()                         // it ran dry
	stop()
}

// receiveEnds are the ways to end a stream that the modem only sends (V.253 section 9, and what others were found to want).
var receiveEnds = []string{"\x10\x1b", "\x10!", "\x10\x03", "\x10^"}

// snoop listens on hook for the number that the exchange sends between two rings, for a modem that does not tell it: as
// data (V.23, Bell 202) or as keys. Whether a modem hears anything on hook is its own to say; most do not.
type snoop struct {
	coding       coding
	odd, payload []byte
	pcm          []int16
	fsk          dsp.CallerFSK
	dtmf         dsp.CallerDTMF
	told         func(number tel.Number) // empty: withheld, and known to be
}

func (s *snoop) take(p []byte) {
	s.payload = append(append(s.payload[:0], s.odd...), p...)
	var left int
	s.pcm, left = s.coding.expand(s.pcm[:0], s.payload)
	s.odd = append(s.odd[:0], s.payload[len(s.payload)-left:]...)
	if m := s.fsk.Process(s.pcm); m != nil {
		if id, err := dsp.ParseCallerID(m); err == nil {
			s.told(presented(id.Number))
		}
	}
	if id, ok := s.dtmf.Process(s.pcm); ok {
		s.told(presented(id.Number))
	}
}

func (s *snoop) give(serialport.Stream) error { return nil }
func (s *snoop) underrun()                    {}
func (s *snoop) stop()                        {}

// snoop switches the sound of the ringing line on, where the modem gives it.
func (m *Modem) snoop() {
	s := m.session.Load()
	if s == nil || m.snooping {
		return
	}
	ears := &snoop{coding: s.format.coding, told: func(n tel.Number) {
		select {
		case s.inbox <- item{then: func() { m.step(event{kind: evCaller, number: n}) }}:
		default: // the owner is flooded and will end the session
		}
	}}
	m.snooping = true
	m.submit(command{text: "AT+VRX", sound: ears}, func(r reply, err error) {
		if errors.Is(err, errStopped) || err == nil && r.final.Code == at.Connect {
			return
		}
		m.snooping, s.snoops = false, false
		m.log.Info("the modem neither tells who calls nor lets anybody hear it")
	})
}

// snooped ends it as soon as the call is told, or over.
func (m *Modem) snooped() {
	if m.snooping && m.st.phase != ringing {
		m.snooping = false
		m.submit(command{}, func(reply, error) {})
	}
}
