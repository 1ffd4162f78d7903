package media

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/mix"
)

// ErrNobody is returned for a mix without parties and watchers, or with more than two parties.
var ErrNobody = errors.New("a mix has one or two parties, or watchers")

// maxSeats bounds who takes part in one mix.
const maxSeats = mix.MaxParties

// primeTicks is how long a bridge that is widened goes on relaying while the jitter buffers of its
// parties fill: whose packets do not come by then is silent.
const primeTicks = 15

// conference mixes the voices of legs of one loop on the 20 ms clock. It belongs to that loop.
type conference struct {
	mixer  *mix.Mixer
	seats  []seat
	number int64 // of the tick whose voices are summed
	tap    *tap  // keeps what is said; nil: nobody does
	ear    mix.Party
}

// seat is a leg's place in a conference.
type seat struct {
	leg   *Leg
	place mix.Party
	kept  bool          // the tap hears it
	since time.Duration // it speaks, for the tap; 0: it does not
}

// Mix widens the conversation of one or two parties to those who watch it: each hears every other
// as loud as gain says, from and to being indexes of parties followed by watchers; 1 is as spoken, 0
// not at all, 4 (+12 dB) the most. Keys pass between the two parties as in a bridge. Who took part in
// an earlier mix of these parties and is not named any more hears nothing from now on.
//
// A bridge that becomes a mix goes on relaying until its jitter buffers have filled, so that no
// packet is missing; Bridge of the two parties makes it a relay again. Bridge, Unbridge, Page, Echo
// and Close take a leg out of the mix, the others go on. Legs that cannot take part are named in the
// error; the mix stands without them.
func (e *Engine) Mix(parties, watchers []*Leg, gain func(from, to int) float64) error {
	all := slices.Concat(parties, watchers)
	if len(parties) > 2 || len(all) == 0 || len(all) > maxSeats {
		return fmt.Errorf("%w: %d and %d", ErrNobody, len(parties), len(watchers))
	}
	e.routing.Lock()
	defer e.routing.Unlock()
	if len(parties) == 2 {
		if parties[0] == parties[1] {
			return ErrSelfBridge
		}
		if err := e.gather(parties[0], parties[1]); err != nil {
			return fmt.Errorf("mix %s with %s: %w", parties[0].id, parties[1].id, err)
		}
	}
	host := all[0]
	if len(parties) < 2 {
		host = hostOf(all)
	}
	home := host.loop()
	absent := make([]error, len(all))
	for i, g := range all {
		if g.loop() != home {
			absent[i] = e.bring(host, g, home)
		}
	}
	err := host.ask(func(l *loop) error {
		for i, g := range all {
			switch {
			case absent[i] != nil:
			case g.closed || g.loop() != l:
				absent[i] = ErrClosed
			case slices.Contains(all[:i], g):
				absent[i] = ErrSelfBridge
			}
		}
		l.confer(parties, all, absent, gain)
		return nil
	})
	for i, why := range absent {
		if why != nil {
			absent[i] = fmt.Errorf("mix leg %s: %w", all[i].id, why)
		}
	}
	return errors.Join(append(absent, err)...)
}

// hostOf finds the leg to whose loop the others come: one of a mix, of one that is recorded before all. A mix does not
// change its loop, and what is kept of it would end, as when somebody comes back to a room after those behind it.
func hostOf(all []*Leg) *Leg {
	host, home := all[0], all[0].loop()
	if !slices.ContainsFunc(all, func(g *Leg) bool { return g.loop() != home }) {
		return host
	}
	best := 0
	for _, g := range all {
		rank := 0
		_ = g.ask(func(*loop) error { // who is gone is in no mix
			rank = g.conference.rank()
			return nil
		})
		if rank > best {
			host, best = g, rank
		}
	}
	return host
}

// rank is how much would be lost with a mix.
func (c *conference) rank() int {
	switch {
	case c == nil:
		return 0
	case c.tap == nil:
		return 1
	}
	return 2
}

// confer seats all who are not absent in one conference.
func (l *loop) confer(parties, all []*Leg, absent []error, gain func(from, to int) float64) {
	var c *conference
	for i, g := range all {
		if absent[i] == nil && g.conference.rank() > c.rank() {
			c = g.conference
		}
	}
	if c == nil {
		c = &conference{mixer: mix.New(len(all)), number: -1}
	}
	c.grow(len(all))
	if len(parties) == 2 && absent[0] == nil && absent[1] == nil && parties[0].peer != parties[1] {
		l.pair(parties[0], parties[1])
	}
	for _, s := range slices.Clone(c.seats) {
		if !slices.Contains(all, s.leg) {
			l.leave(s.leg)
		}
	}
	for i, g := range all {
		if absent[i] != nil {
			continue
		}
		paired := len(parties) == 2 && i < 2
		if !paired && g.peer != nil || g.pager != nil || g.audience != nil || g.echo {
			l.unbridge(g)
		}
		if g.conference == c {
			continue
		}
		l.leave(g)
		l.enter(c, g, paired)
		if i >= len(parties) {
			l.hush(g) // a watcher hears who it watches, and no ringback of before
		}
	}
	for i, from := range all {
		for j, to := range all {
			if i != j && absent[i] == nil && absent[j] == nil {
				c.mixer.SetGain(from.seat(), to.seat(), gain(i, j))
			}
		}
	}
}

// pair makes two legs the parties of a conversation whose sound is mixed.
func (l *loop) pair(a, b *Leg) {
	for _, x := range [...]*Leg{a, b} {
		if x.peer != nil || x.pager != nil || x.audience != nil || x.echo {
			l.unbridge(x)
		}
	}
	a.peer, b.peer = b, a
	l.hush(a)
	l.hush(b)
	l.changed(a)
	l.changed(b)
}

// enter gives a leg a seat. A party that is relayed at the moment goes on being so until what it
// shall hear is ready.
func (l *loop) enter(c *conference, g *Leg, paired bool) {
	place, ok := c.mixer.Join()
	if !ok { // who left has given the place back, and Mix has counted
		l.engine.trouble.note("a seat in a mix", errors.New("all are taken"))
		return
	}
	c.seats = append(c.seats, seat{leg: g, place: place})
	g.conference = c
	if c.tap != nil { // until Keep says so
		c.mixer.SetGain(place, c.ear, 0)
	}
	g.priming = 0
	if paired && g.fast {
		g.priming = primeTicks
	} else {
		g.fast = false
		g.out.src = source{}
		g.voice.reset()
	}
	l.schedule(g)
}

// leave takes a leg out of its conference; it hears nothing then, unless it is bridged.
func (l *loop) leave(g *Leg) {
	c := g.conference
	if c == nil {
		return
	}
	c.mixer.Leave(g.seat())
	for i := range c.seats {
		if s := &c.seats[i]; s.leg == g {
			c.fallsSilent(s, l.clock.beat)
		}
	}
	c.seats = slices.DeleteFunc(c.seats, func(s seat) bool { return s.leg == g })
	if len(c.seats) == 0 {
		c.untap(l.clock.beat)
	}
	g.conference, g.fast, g.priming = nil, false, 0
	g.out.src = source{}
	g.voice.reset()
	l.rest(g, false)
	l.schedule(g)
}

// seat is the leg's place in its conference.
func (g *Leg) seat() mix.Party {
	if g.conference != nil {
		for _, s := range g.conference.seats {
			if s.leg == g {
				return s.place
			}
		}
	}
	return -1 // nobody's: the mixer does nothing for it
}

// sum gathers, once in a tick, what everybody says.
func (c *conference) sum(l *loop) {
	number := l.clock.number
	if c.number == number {
		return
	}
	c.number = number
	c.mixer.Next()
	for i := range c.seats {
		s := &c.seats[i]
		if v := &s.leg.voice; v.has {
			c.mixer.Put(s.place, &v.frame)
			if number%speechTicks == 0 && voiced(&v.frame) {
				s.leg.spoke.Store(number)
				c.speaks(s, l.clock.beat)
			}
		}
		if s.since > 0 && number-s.leg.spoke.Load() > speechHold {
			c.fallsSilent(s, l.clock.beat)
		}
	}
	c.mixer.Sum()
	c.keep(l)
}

const (
	// speechTicks is how often it is listened whether somebody speaks, speechHold for how many ticks after that it
	// counts: people pause between words.
	speechTicks = 5
	speechHold  = 40
	// speechLevel is the mean square above which sound is speech: about -35 dBm0, over the noise of an office and
	// below who speaks softly.
	speechLevel = 85_000
)

// voiced reports whether a frame holds speech.
func voiced(f *mix.Frame) bool {
	var sum int64
	for _, s := range f {
		sum += int64(s) * int64(s)
	}
	return sum > speechLevel*mix.FrameSamples
}

// Speaks reports whether the leg says something, or did a moment ago, in the mix that it is in. It may be called from
// any goroutine.
func (g *Leg) Speaks() bool {
	spoke := g.spoke.Load()
	return spoke > 0 && int64(g.engine.now()/tick)-spoke <= speechHold
}

// relays reports whether the leg is still spoken to by relay, because the jitter buffer of its peer
// has not filled yet.
func (g *Leg) relays() bool {
	if g.priming == 0 {
		return false
	}
	p := g.peer
	if p != nil && p.events.active {
		return true // half a key press by relay and the rest by other means would be two
	}
	if g.priming--; g.priming > 0 && p != nil && (p.voice.ring == nil || !p.voice.ring.Playing()) {
		return true
	}
	g.priming, g.fast = 0, false
	g.out.src = source{}
	return false
}

// sayMix sends what the leg hears of all others.
func (l *loop) sayMix(g *Leg) {
	c := g.conference
	if g.relays() {
		return
	}
	c.mixer.Hear(g.seat(), &l.clock.heard)
	if g.line != nil {
		g.line.WriteFrame(&l.clock.heard)
		return
	}
	if g.configured {
		l.say(g, g.encode(l, &l.clock.heard))
	}
}

// share lets a conference hear a packet, and the peer that is still relayed to.
func (l *loop) share(g *Leg, p *packet, event bool) {
	if event {
		g.voice.skip(p)
	} else {
		g.voice.push(g, p, l.now)
	}
	if to := g.peer; to != nil && to.fast {
		l.relay(g, to, p, event)
	}
}
