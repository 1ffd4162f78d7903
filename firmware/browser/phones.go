// Package browser makes call legs of phones that are a page in a browser. A phone rings while a page of its person
// is open; who answers or dials there has the page offer its audio (firmware/media/webrtc), and a page that is loaded anew offers
// again, while the other party waits with music.
//
// Begin with phones.go (what the page and the calls use), then leg.go (a leg and what ends it), audio.go (offers),
// state.go (what survives a kill).
package browser

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors that the page words.
var (
	ErrNoCall    = errors.New("there is no such call at this phone")
	ErrNoPage    = errors.New("no page of this phone is ready to talk")
	ErrBusy      = errors.New("this phone has as many calls as it can have")
	ErrClosed    = errors.New("the phones of browsers are closed")
	ErrNotNow    = errors.New("the call is not in a state for that")
	ErrTooMany   = errors.New("this phone is open in too many pages")
	ErrElsewhere = errors.New("another page of this phone has taken over")
)

const (
	mostCalls = 2 // one is talked to, one waits
	mostPages = 4 // of one phone

	// A page that is loaded anew, or whose network is away for 5 s, is back within grace; until then it still counts.
	grace = 6 * time.Second
	// patience is how long a party is held for a page that does not come back.
	patience = 30 * time.Second
	// offerBy is how long a page may take to have its audio up, the question for the microphone included.
	offerBy = 20 * time.Second
)

// Session is the audio of one page; *webrtc.Session satisfies it.
type Session interface {
	Media() sdp.Media
	Mute(on bool)
	Close()
}

// HotJournal keeps the last value of each (kind, key) over a kill of the process; nil keeps nothing.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// Config wires the phones to their neighbours.
type Config struct {
	Log      *slog.Logger
	Engine   *media.Engine
	Sounds   voice.Sounds
	Language func() string
	Journal  HotJournal
	// Answer takes an offer of a page for the audio at a port of the engine.
	Answer func(ctx context.Context, offer string, port uint16, changed func(webrtc.State)) (Session, string, error)
	Arrive func(in call.Arrival, makeLeg func(func(call.LegEvent)) call.Leg) (tel.CallID, error)
	// Changed is told when a phone can be reached or no longer; it is called without any lock of ours.
	Changed func(tel.DeviceID)
}

// Phones owns the phones of all browsers.
type Phones struct {
	cfg Config
	wg  sync.WaitGroup // of calls that arrive

	mu     sync.Mutex // guards what follows; events of legs are told with it held, never asked
	phones map[tel.DeviceID]*phone
	kept   map[tel.LegID]kept // of an earlier process, until Find or Forget
	closed bool
}

// phone is that of one person.
type phone struct {
	dev   tel.DeviceID
	pages []*Page // that are open, the newest last
	leave *time.Timer
	gone  bool // no page for longer than grace
	legs  []*leg

	watchers map[chan struct{}]struct{}
}

// New returns phones that nobody has opened.
func New(cfg Config) *Phones {
	return &Phones{cfg: cfg, phones: map[tel.DeviceID]*phone{}, kept: map[tel.LegID]kept{}}
}

// phone wants mu held.
func (p *Phones) phone(dev tel.DeviceID) *phone {
	f := p.phones[dev]
	if f == nil {
		f = &phone{dev: dev, gone: true, watchers: map[chan struct{}]struct{}{}}
		p.phones[dev] = f
	}
	return f
}

// Page is one page of a phone that is ready: it may use the microphone.
type Page struct {
	f        *phone
	instance string
	news     chan struct{}
}

// News has an element when the calls of the phone may have changed.
func (g *Page) News() <-chan struct{} { return g.news }

// Attach notes that a page is ready, under a name that it has made for itself. Detach must follow.
// Errors: ErrTooMany, ErrClosed.
func (p *Phones) Attach(dev tel.DeviceID, instance string) (*Page, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	f := p.phone(dev)
	if len(f.pages) >= mostPages {
		p.mu.Unlock()
		return nil, ErrTooMany
	}
	g := &Page{f: f, instance: instance, news: make(chan struct{}, 1)}
	f.pages = append(f.pages, g)
	came := f.gone
	f.gone = false
	if f.leave != nil {
		f.leave.Stop()
		f.leave = nil
	}
	f.tell()
	p.mu.Unlock()
	if came {
		p.cfg.Changed(dev)
	}
	return g, nil
}

// Detach notes that a page has closed, or lost its connection.
func (p *Phones) Detach(g *Page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := g.f
	f.pages = slices.DeleteFunc(f.pages, func(x *Page) bool { return x == g })
	f.tell()
	if len(f.pages) > 0 || p.closed || f.gone || f.leave != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(grace, func() { p.left(f, &timer) })
	f.leave = timer
}

// left takes a phone out of reach whose last page has not come back.
func (p *Phones) left(f *phone, timer **time.Timer) {
	p.mu.Lock()
	if f.leave == nil || f.leave != *timer || p.closed {
		p.mu.Unlock()
		return
	}
	f.leave, f.gone = nil, true
	for _, l := range slices.Clone(f.legs) {
		if l.stage == Ringing {
			l.end(tel.CauseUnreachable, true)
		}
	}
	p.mu.Unlock()
	p.cfg.Changed(f.dev)
}

// tell has the pages look. It wants mu held.
func (f *phone) tell() {
	poke := func(news chan struct{}) {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	for _, g := range f.pages {
		poke(g.news)
	}
	for w := range f.watchers {
		poke(w)
	}
}

// Watch gives whoever shows a phone an element when its picture may have changed, until stop is called.
func (p *Phones) Watch(dev tel.DeviceID) (changed <-chan struct{}, stop func()) {
	news := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.phone(dev)
	f.watchers[news] = struct{}{}
	return news, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(f.watchers, news)
	}
}

// Reachable reports whether a page of a phone is open, or was a moment ago.
func (p *Phones) Reachable(dev tel.DeviceID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.phones[dev]
	return f != nil && !f.gone
}

// DialDevice implements part of call.Dialer: it rings at the page.
func (p *Phones) DialDevice(dev tel.DeviceID, out call.Outgoing, events func(call.LegEvent)) ([]call.Leg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.phones[dev]
	if f == nil || f.gone || p.closed {
		return nil, nil
	}
	l, err := p.newLeg(f, kept{Version: stateVersion, Device: dev, Number: out.From, Name: out.FromName, Incoming: true, Since: time.Now()}, "")
	if err != nil {
		return nil, err
	}
	l.bind(events)
	if len(f.legs) > mostCalls {
		l.end(tel.CauseBusy, true)
		return []call.Leg{l}, nil
	}
	l.stage = Ringing
	l.tell(call.LegEvent{Kind: call.LegProgress})
	if out.Intercom {
		l.connect()
	}
	f.tell()
	return []call.Leg{l}, nil
}

// Dial begins a call of a page, which is to offer its audio: the call arrives when that is up, so that nothing
// is said before somebody hears. Errors: ErrNoPage, ErrBusy, ErrClosed.
func (p *Phones) Dial(dev tel.DeviceID, to tel.Number) (tel.LegID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.phones[dev]
	switch {
	case p.closed:
		return "", ErrClosed
	case f == nil || len(f.pages) == 0:
		return "", ErrNoPage
	case len(f.legs) >= mostCalls:
		return "", ErrBusy
	}
	l, err := p.newLeg(f, kept{Version: stateVersion, Device: dev, Number: to, Since: time.Now()}, "")
	if err != nil {
		return "", err
	}
	f.holdOthers(l)
	l.connect()
	f.tell()
	return l.ID(), nil
}

// holdOthers holds every call that is talked to but one. It wants mu held.
func (f *phone) holdOthers(but *leg) {
	for _, l := range f.legs {
		if l != but && l.stage == Talking && !l.kept.Held {
			l.kept.Held = true
			l.changed()
		}
	}
}

// with does something to a call of a phone and has its pages look.
func (p *Phones) with(dev tel.DeviceID, id tel.LegID, do func(*leg) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.phones[dev]
	if f == nil {
		return ErrNoCall
	}
	i := slices.IndexFunc(f.legs, func(l *leg) bool { return l.ID() == id })
	if i < 0 {
		return ErrNoCall
	}
	defer f.tell()
	return do(f.legs[i])
}

// Pick answers a call that rings: the page is to offer its audio, and what it talked to is held.
func (p *Phones) Pick(dev tel.DeviceID, id tel.LegID) error {
	return p.with(dev, id, func(l *leg) error {
		if l.stage != Ringing {
			return ErrNotNow
		}
		l.f.holdOthers(l)
		l.connect()
		return nil
	})
}

// End hangs a call up, or refuses it while it rings.
func (p *Phones) End(dev tel.DeviceID, id tel.LegID) error {
	return p.with(dev, id, func(l *leg) error {
		cause := tel.CauseNormal
		if l.kept.Incoming && l.stage != Talking {
			cause = tel.CauseRejected
		}
		l.end(cause, true)
		return nil
	})
}

// Hold holds a call, or takes it up again, whereupon the others are held.
func (p *Phones) Hold(dev tel.DeviceID, id tel.LegID, held bool) error {
	return p.with(dev, id, func(l *leg) error {
		if l.stage != Talking {
			return ErrNotNow
		}
		if !held {
			l.f.holdOthers(l)
		}
		l.kept.Held = held
		l.changed()
		return nil
	})
}

// Mute keeps what the page's microphone hears from the other party.
func (p *Phones) Mute(dev tel.DeviceID, id tel.LegID, muted bool) error {
	return p.with(dev, id, func(l *leg) error {
		if l.stage != Talking {
			return ErrNotNow
		}
		l.kept.Muted = muted
		l.changed()
		l.hush()
		return nil
	})
}

// Press sends keys to the other party.
func (p *Phones) Press(dev tel.DeviceID, id tel.LegID, digits string) error {
	return p.with(dev, id, func(l *leg) error {
		if l.stage != Talking {
			return ErrNotNow
		}
		for _, d := range digits {
			l.tell(call.LegEvent{Kind: call.LegDigit, Digit: d, Beside: true})
		}
		return nil
	})
}

// Flash presses R: the exchange of an analog line, or of a gateway's, turns to this end.
func (p *Phones) Flash(dev tel.DeviceID, id tel.LegID) error {
	return p.with(dev, id, func(l *leg) error {
		if l.stage != Talking {
			return ErrNotNow
		}
		l.tell(call.LegEvent{Kind: call.LegFlash, Beside: true})
		return nil
	})
}

// Transfer sends the other party to a number, or, where to is empty, into the other call of the phone.
func (p *Phones) Transfer(dev tel.DeviceID, id tel.LegID, to tel.Number) error {
	return p.with(dev, id, func(l *leg) error {
		e := call.LegEvent{Kind: call.LegRefer, To: to}
		if to == "" {
			i := slices.IndexFunc(l.f.legs, func(x *leg) bool { return x != l && x.stage == Talking })
			if i < 0 {
				return ErrNotNow
			}
			e.Replaces = l.f.legs[i].Ref()
		}
		if l.stage != Talking || l.referring {
			return ErrNotNow
		}
		l.referring, l.refused = true, 0
		l.tell(e)
		return nil
	})
}

// Close ends every call that is not an exchange's, and all audio; calls that are up stay in the journal.
func (p *Phones) Close() {
	p.mu.Lock()
	p.closed = true
	for _, f := range p.phones {
		if f.leave != nil {
			f.leave.Stop()
		}
		for _, l := range f.legs {
			l.halt()
		}
	}
	p.mu.Unlock()
	p.wg.Wait()
}
