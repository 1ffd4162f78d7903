// Package mdns lets a box be reached by a name in its own network without any server (RFC 6762). It takes a
// name only when nobody has it, and gives it up or takes another when somebody had it first.
package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Name is one that a box wants.
type Name struct {
	Label    string // without .local, in small letters
	Optional bool   // given up when it is taken; else the box takes label-2, label-3 and so on
}

// phase is how far a name has come.
type phase int

const (
	idle     phase = iota // there is no address to speak for
	probing               // asked for, not used yet
	claimed               // ours
	given                 // somebody else's, and optional
	deferred              // lost against somebody who asks for it at the same time: asked for again later
)

type claim struct {
	Name
	label string // in use: with a number behind it after conflicts
	tries int    // labels that were taken
	phase phase
	sent  int // probes, then announcements
	due   time.Time
}

// state is the claims and the address that they are for.
type state struct {
	addr   netip.Addr // invalid: none
	claims []claim
}

// event is what happens.
type event interface{ isEvent() }

type (
	addressed struct{ addr netip.Addr } // the box uses it from here on; invalid: none
	clock     struct{}
	// heard is somebody's answer, or a question with what the asker would say (a probe), about one name.
	heard struct {
		label string
		addr  netip.Addr // that it stands for
		probe bool
	}
	asked struct{ label string } // who has this name?
)

func (addressed) isEvent() {}
func (clock) isEvent()     {}
func (heard) isEvent()     {}
func (asked) isEvent()     {}

// effect is what is to be done.
type effect interface{ isEffect() }

type (
	probe    struct{ label string } // ask whether anybody has the name
	announce struct{ label string } // say that it is ours; also the answer to who asks for it
	goodbye  struct {               // say that it is ours no more
		label string
		addr  netip.Addr
	}
	wake struct{ at time.Time } // a clock event then; takes the place of an earlier one
	told struct {               // for the log
		label string
		what  string
	}
)

func (probe) isEffect()    {}
func (announce) isEffect() {}
func (goodbye) isEffect()  {}
func (wake) isEffect()     {}
func (told) isEffect()     {}

// Times and counts of RFC 6762 sections 8.1 to 8.3.
const (
	probes        = 3
	probeEvery    = 250 * time.Millisecond
	announcements = 2
	announceEvery = time.Second
	deferFor      = time.Second
	// manyTaken is after how many conflicts a box slows down (section 9).
	manyTaken = 15
	slowdown  = 5 * time.Second
)

func begin(names []Name) (s state) {
	for _, n := range names {
		s.claims = append(s.claims, claim{Name: n, label: n.Label})
	}
	return s
}

// next is what an event at a time means. delay is chosen at random up to probeEvery by whoever calls it, so
// that boxes switched on together do not speak together.
func next(s state, now time.Time, delay time.Duration, e event) (state, []effect) {
	s.claims = slices.Clone(s.claims)
	var effects []effect
	switch e := e.(type) {
	case addressed:
		effects = s.address(now.Add(delay), e.addr)
	case clock:
		for i := range s.claims {
			effects = append(effects, s.claims[i].tick(now)...)
		}
	case asked:
		for _, c := range s.claims {
			if c.phase == claimed && c.label == e.label {
				effects = append(effects, announce{c.label})
			}
		}
		return s, effects
	case heard:
		effects = s.hear(now.Add(delay), e)
	}
	if at, ok := s.nextDue(); ok {
		effects = append(effects, wake{at})
	}
	return s, effects
}

// address begins anew: in another network others may have the names.
func (s *state) address(first time.Time, addr netip.Addr) (effects []effect) {
	if addr == s.addr {
		return nil
	}
	for i := range s.claims {
		c := &s.claims[i]
		if c.phase == claimed && s.addr.IsValid() {
			effects = append(effects, goodbye{c.label, s.addr})
		}
		*c = claim{Name: c.Name, label: c.Label}
		if addr.IsValid() {
			c.phase, c.due = probing, first
		}
	}
	s.addr = addr
	return effects
}

// tick does what is due of one name.
func (c *claim) tick(now time.Time) []effect {
	if c.due.IsZero() || now.Before(c.due) {
		return nil
	}
	switch c.phase {
	case deferred:
		c.phase, c.sent = probing, 0
		fallthrough
	case probing:
		if c.sent < probes {
			c.sent++
			c.due = now.Add(probeEvery)
			return []effect{probe{c.label}}
		}
		c.phase, c.sent, c.due = claimed, 1, now.Add(announceEvery)
		return []effect{told{c.label, "ours"}, announce{c.label}}
	case claimed:
		c.sent++
		c.due = now.Add(announceEvery)
		if c.sent >= announcements {
			c.due = time.Time{}
		}
		return []effect{announce{c.label}}
	case idle, given:
	}
	c.due = time.Time{}
	return nil
}

// hear compares what somebody says with what is ours.
func (s *state) hear(again time.Time, h heard) (effects []effect) {
	if h.addr == s.addr || !s.addr.IsValid() {
		return nil // we hear ourselves
	}
	for i := range s.claims {
		c := &s.claims[i]
		if c.label != h.label {
			continue
		}
		switch {
		case c.phase == probing && h.probe:
			// Who asks at the same time: the larger address goes first (section 8.2).
			if s.addr.Less(h.addr) {
				c.phase, c.due = deferred, again.Add(deferFor)
				effects = append(effects, told{c.label, "somebody else asks for it too"})
			}
		case c.phase == claimed && h.probe:
			effects = append(effects, announce{c.label}) // it is ours: defended
		case c.phase == probing || c.phase == deferred || c.phase == claimed:
			effects = append(effects, c.lose(again)...)
		}
	}
	return effects
}

// lose gives a name up to who had it first, and asks for another if it must have one.
func (c *claim) lose(again time.Time) []effect {
	effects := []effect{told{c.label, "taken by somebody else"}}
	if c.Optional {
		c.phase, c.due = given, time.Time{}
		return effects
	}
	c.tries++
	c.label = fmt.Sprintf("%s-%d", c.Label, c.tries+1)
	c.phase, c.sent, c.due = probing, 0, again
	if c.tries >= manyTaken {
		c.due = again.Add(slowdown)
	}
	return effects
}

func (s *state) nextDue() (at time.Time, ok bool) {
	for _, c := range s.claims {
		if !c.due.IsZero() && (!ok || c.due.Before(at)) {
			at, ok = c.due, true
		}
	}
	return at, ok
}

// domain is the name as it is asked for.
func domain(label string) string { return label + ".local." }

// labelOf takes the label out of a name of the form label.local; names are compared without regard to case.
func labelOf(name string) (label string, ok bool) {
	label, ok = strings.CutSuffix(strings.ToLower(name), ".local.")
	return label, ok && label != "" && !strings.Contains(label, ".")
}
