package browser

import (
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// offerAgain is after what time an offer that has led to nothing may be made anew.
const offerAgain = 5 * time.Second

// Offer takes the audio of a page for one of its calls, in the place of what it had, and returns the answer to its
// offer. Errors: ErrNoCall, ErrNotNow, ErrElsewhere, those of webrtc, of the engine and of ctx.
func (p *Phones) Offer(ctx context.Context, dev tel.DeviceID, id tel.LegID, instance, offer string) (answer string, err error) {
	var l *leg
	if err := p.with(dev, id, func(x *leg) error {
		l = x
		switch {
		case x.stage == Ringing:
			return ErrNotNow
		case len(x.f.pages) == 0 || x.f.pages[len(x.f.pages)-1].instance != instance:
			return ErrElsewhere
		}
		x.drop() // its place is needed where all are taken
		x.instance, x.asked = instance, time.Now()
		return nil
	}); err != nil {
		return "", err
	}
	var s Session
	began := make(chan struct{}) // no state is heard before the session is known
	defer close(began)
	rtp, _ := l.Media().Ports()
	s, answer, err = p.cfg.Answer(ctx, offer, rtp, func(now webrtc.State) {
		<-began
		p.turned(l, s, now)
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	defer l.f.tell()
	if err != nil {
		l.instance = ""
		return "", err
	}
	if l.ended || l.instance != instance || l.session != nil { // overtaken
		s.Close()
		return "", ErrNoCall
	}
	l.session, l.state = s, webrtc.Connecting
	l.hush()
	if err := l.configure(); err != nil {
		l.drop()
		return "", err
	}
	return answer, nil
}

// drop ends the audio of the page of before; whoever talks to it is held. It wants mu held.
func (l *leg) drop() {
	if l.session == nil {
		return
	}
	l.session.Close()
	l.session, l.instance = nil, ""
	_ = l.configure() // a leg that is closed is on its way out
	l.missing()
}

// missing holds the other party until the page is back. It wants mu held.
func (l *leg) missing() {
	if l.stage != Talking {
		return
	}
	l.changed()
	if l.limit == nil {
		l.expect(patience, tel.CauseMediaTimeout)
	}
}

// turned follows the connection of a session.
func (p *Phones) turned(l *leg, s Session, now webrtc.State) {
	p.mu.Lock()
	if l.ended || l.session != s || l.state == now {
		p.mu.Unlock()
		return
	}
	l.state = now
	_ = l.configure() // a leg that is closed is on its way out
	arrives := false
	if now == webrtc.Up {
		arrives = l.heard()
	} else {
		l.missing()
	}
	l.f.tell()
	if arrives && !p.closed {
		p.wg.Go(func() { p.arrive(l) })
	}
	p.mu.Unlock()
}

// heard takes a page that is there. A call of its own arrives now. It wants mu held.
func (l *leg) heard() (arrives bool) {
	if l.limit != nil {
		l.limit.Stop()
		l.limit = nil
	}
	first := l.stage == Connecting
	l.stage = Talking
	switch {
	case first && l.kept.Incoming:
		l.kept.Answered, l.kept.Since = true, time.Now()
		l.tell(call.LegEvent{Kind: call.LegAnswered})
	case first:
		arrives = true
	}
	l.changed()
	return arrives
}

// arrive begins the call of a page. The exchange asks the dial plan, and that whether phones can be reached: no
// lock of ours is held.
func (p *Phones) arrive(l *leg) {
	p.mu.Lock()
	in := call.Arrival{From: l.Party(), Device: l.f.dev, Caller: tel.Number(l.f.dev), Dialed: l.kept.Number}
	p.mu.Unlock()
	_, err := p.cfg.Arrive(in, func(events func(call.LegEvent)) call.Leg {
		l.bind(events)
		return l
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.cfg.Log.Warn("call of a page is refused", "party", l.Party(), "err", err)
		l.end(tel.CauseCongestion, false)
	case l.ended: // perhaps before there was a call to be told
		if !l.reported {
			l.reported = true
			l.tell(call.LegEvent{Kind: call.LegEnded, Cause: tel.CauseNormal, Remote: true})
		}
	default:
		l.told = false // what was told before reached nobody
		l.changed()
	}
}

// Shown is a call as its page shows it.
type Shown struct {
	ID       tel.LegID
	Number   tel.Number
	Name     string
	Incoming bool
	Stage    Stage
	Held     bool
	Muted    bool
	Away     bool // its audio is not up, and the other party is held
	Since    time.Time
	Moving   bool // a transfer is under way
	Refused  int  // status of the last transfer, if it failed
}

// Picture is a phone as its pages show it, and what they are to do.
type Picture struct {
	Ready bool // a page is open that may use the microphone
	Calls []Shown
}

// Show is the picture of a phone.
func (p *Phones) Show(dev tel.DeviceID) (s Picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.phones[dev]
	if f == nil {
		return s
	}
	s.Ready = len(f.pages) > 0
	for _, l := range f.legs {
		stage := l.stage
		if stage == Talking && !l.kept.Answered {
			stage = Calling
		}
		s.Calls = append(s.Calls, Shown{
			ID: l.ID(), Number: l.kept.Number, Name: l.kept.Name, Incoming: l.kept.Incoming, Stage: stage, Held: l.kept.Held, Muted: l.kept.Muted,
			Away: l.stage == Talking && !l.up(), Since: l.kept.Since, Moving: l.referring, Refused: l.refused,
		})
	}
	return s
}

// Orders is what one page has to do.
type Orders struct {
	Ring  bool        `json:"ring"`
	Offer []tel.LegID `json:"offer"` // calls for which it is to offer its audio
	Keep  []tel.LegID `json:"keep"`  // calls whose audio is the page's
	Mute  []tel.LegID `json:"mute"`  // calls that are not to hear the microphone
	Other bool        `json:"other"` // another page of the phone has the calls
}

// Orders of a page: the newest one has the calls.
func (p *Phones) Orders(g *Page) Orders {
	o := Orders{Offer: []tel.LegID{}, Keep: []tel.LegID{}, Mute: []tel.LegID{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(g.f.pages, g)
	if o.Other = i != len(g.f.pages)-1; o.Other {
		return o
	}
	for _, l := range g.f.legs {
		mine := l.instance == g.instance
		switch {
		case l.stage == Ringing:
			o.Ring = true
			continue
		case mine && (l.up() || time.Since(l.asked) < offerAgain):
			o.Keep = append(o.Keep, l.ID())
		default:
			o.Offer = append(o.Offer, l.ID())
		}
		if l.kept.Muted || l.kept.Held {
			o.Mute = append(o.Mute, l.ID())
		}
	}
	return o
}
