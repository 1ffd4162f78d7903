package media

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// errNoMix is returned for a tape of a mix in which the leg is not.
var errNoMix = errors.New("the leg is in no mix")

// TapeMix keeps, as one track, what is said in the mix that a leg is in, until End or until everybody has left it. Of
// each leg of the mix nothing is kept before Keep names it. It does not wait for the disk. A tape that the mix had ends.
// The sound is that of G.711 A-law, as the parties hear it.
func (e *Engine) TapeMix(cfg TapeConfig, of *Leg) (*Tape, error) {
	t, done, err := e.newTape(cfg, 1)
	if err != nil {
		return nil, err
	}
	defer done()
	tp := t.newTap(0)
	err = of.ask(func(l *loop) error {
		c := of.conference
		if c == nil {
			return errNoMix
		}
		c.untap(l.now)
		return c.listen(tp)
	})
	if err != nil { // nobody else knows the tap
		tp.hand(true)
		return nil, fmt.Errorf("record the mix of leg %s: %w", of.id, err)
	}
	return t, nil
}

// Keep says whose voices are kept of a mix from now on: of the legs that are in it those for which kept is true. It is to
// be called anew after each Mix that brings somebody in.
func (t *Tape) Keep(legs []*Leg, kept []bool) error {
	if len(legs) == 0 {
		return errNoMix
	}
	return legs[0].ask(func(l *loop) error {
		c := legs[0].conference
		if c == nil || c.tap == nil || c.tap.tape != t {
			return errNoMix
		}
		for i := range c.seats {
			s := &c.seats[i]
			at := slices.Index(legs, s.leg)
			gain := 0.0
			if s.kept = at >= 0 && kept[at]; s.kept {
				gain = 1
			} else {
				c.fallsSilent(s, l.clock.beat)
			}
			c.mixer.SetGain(s.place, c.ear, gain)
		}
		return nil
	})
}

// Note writes down that a party of a mix came or went.
func (t *Tape) Note(leg, party string, what tape.Presence) {
	t.mark(tape.Mark{Leg: leg, Party: party, What: what})
}

// grow makes places for so many parties, and for the tap.
func (c *conference) grow(parties int) {
	if c.tap != nil {
		parties++
	}
	c.mixer.Grow(parties)
}

// listen gives the tap a place, at which nobody is heard and which hears nobody yet.
func (c *conference) listen(tp *tap) error {
	c.mixer.Grow(len(c.seats) + 1)
	ear, ok := c.mixer.Join()
	if !ok {
		return ErrNobody
	}
	c.tap, c.ear = tp, ear
	for i := range c.seats {
		c.seats[i].kept, c.seats[i].since = false, 0
		c.mixer.SetGain(c.seats[i].place, ear, 0)
	}
	return nil
}

// untap ends what is kept of the mix. It runs on the mix's loop, or after it.
func (c *conference) untap(now time.Duration) {
	if c.tap == nil {
		return
	}
	for i := range c.seats {
		c.fallsSilent(&c.seats[i], now)
	}
	c.tap.tape.left(now)
	c.tap.hand(true)
	c.mixer.Leave(c.ear)
	c.tap = nil
}

// keep gives the tap what is said in this tick.
func (c *conference) keep(l *loop) {
	t := c.tap
	switch {
	case t == nil:
		return
	case t.tape.ended.Load():
		c.untap(l.clock.beat)
		return
	case t.on():
		c.mixer.Hear(c.ear, &l.clock.heard)
		t.sealed(l.clock.aLaw(&l.clock.heard), l.clock.beat)
	}
	if t.chunk != nil && l.clock.beat-t.opened >= longestChunk {
		t.hand(false)
	}
}

// sealed keeps 20 ms of a mix in A-law.
func (t *tap) sealed(b []byte, now time.Duration) {
	if room := t.room(len(b), now); room != nil {
		t.head(room, codec.PCMA, 0, uint32(samples(now)), len(b), now)
		copy(room[tapHead:], b)
	}
}

// speaks notes, for the tap, that somebody who is kept begins to speak.
func (c *conference) speaks(s *seat, now time.Duration) {
	if c.tap != nil && s.kept && s.since == 0 && c.tap.on() {
		s.since = now
	}
}

// fallsSilent notes, for the tap, from when to when somebody has spoken.
func (c *conference) fallsSilent(s *seat, now time.Duration) {
	if s.since == 0 {
		return
	}
	since := s.since
	s.since = 0
	if c.tap == nil {
		return
	}
	t := c.tap.tape
	at := func(d time.Duration) uint32 { return uint32(max(0, min(tapeMax, samples(d-t.begun)))) }
	t.note(tape.Mark{Leg: string(s.leg.id), What: tape.Spoke, Since: at(since), At: at(now)})
}
