package media

import (
	"errors"
	"fmt"
	"slices"
)

// Page lets every leg of to hear from, one way, in the place of whatever each heard before; from hears
// nobody. Unbridge or Bridge of a listener ends it for that one, of from for all, as does Close. Legs
// that cannot listen are named in the error, the others hear.
func (e *Engine) Page(from *Leg, to ...*Leg) error {
	e.routing.Lock()
	defer e.routing.Unlock()
	var errs []error
	listeners := make([]*Leg, 0, len(to))
	home := from.loop()
	for _, g := range to {
		if err := e.bring(from, g, home); err != nil {
			errs = append(errs, fmt.Errorf("page leg %s: %w", g.id, err))
			continue
		}
		listeners = append(listeners, g)
	}
	err := from.ask(func(l *loop) error {
		l.unbridge(from)
		for _, g := range listeners {
			if g.closed || g.loop() != l {
				errs = append(errs, fmt.Errorf("page leg %s: %w", g.id, ErrClosed))
				continue
			}
			l.unbridge(g)
			l.hush(g)
			g.pager = from
			from.audience = append(from.audience, g)
			l.changed(g)
		}
		l.changed(from)
		l.repage(from)
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// bring moves a listener to the loop of who speaks.
func (e *Engine) bring(from, g *Leg, home *loop) error {
	if from == g {
		return ErrSelfBridge
	}
	if g.loop() == home {
		return nil
	}
	return g.ask(func(l *loop) error {
		l.unbridge(g)
		return l.move(g, home)
	})
}

// unpage ends what a leg has to do with pages, as speaker or as listener.
func (l *loop) unpage(g *Leg) {
	for _, x := range g.audience {
		l.unhear(x)
	}
	if g.audience != nil {
		g.audience = nil
		g.voice.reset()
		l.schedule(g)
	}
	if p := g.pager; p != nil {
		p.audience = slices.DeleteFunc(p.audience, func(x *Leg) bool { return x == g })
		l.unhear(g)
		l.repage(p)
	}
}

// unhear leaves a listener in silence.
func (l *loop) unhear(x *Leg) {
	x.pager, x.fast = nil, false
	x.out.src = source{}
	x.voice.reset()
	l.schedule(x)
	l.changed(x)
}

// repage chooses each listener's path after any change of either side.
func (l *loop) repage(from *Leg) {
	if from.audience == nil {
		return
	}
	for _, x := range from.audience {
		x.fast = unclocked(from, x)
		x.out.src = source{}
		x.voice.reset()
		l.schedule(x)
	}
	from.voice.reset()
	l.schedule(from)
}

// heardSlowly reports whether anybody hears the leg by way of the clock.
func (g *Leg) heardSlowly() bool {
	return g.conference != nil || g.peer != nil && !g.fast || slices.ContainsFunc(g.audience, func(x *Leg) bool { return !x.fast })
}

// ear is whom the leg hears: its peer, or who pages it.
func (g *Leg) ear() *Leg {
	if g.pager != nil {
		return g.pager
	}
	return g.peer
}

// fanOut sends one packet of sound to all who listen. Each gets a copy, because a relay rewrites what
// it sends.
func (l *loop) fanOut(g *Leg, p *packet) {
	slow := false
	for _, x := range g.audience {
		if !x.fast {
			slow = true
			continue
		}
		var q packet
		if q.parse(l.copied[:copy(l.copied[:], p.bytes)]) {
			l.relay(g, x, &q, false)
		}
	}
	if slow {
		g.voice.push(g, p, l.now)
	}
}
