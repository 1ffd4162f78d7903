package browser

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// refPrefix marks a leg of this package in a call's snapshot; the leg's id follows.
const refPrefix = "browser:"

// Stage is where a call of a page is.
type Stage string

// The stages.
const (
	Ringing    Stage = "ringing"    // at the page
	Connecting Stage = "connecting" // the page is to offer its audio
	Calling    Stage = "calling"    // the other party is rung; only as it is shown
	Talking    Stage = "talking"
)

// leg is a call.Leg whose party is a page.
type leg struct {
	*voice.Half
	p    *Phones
	f    *phone
	sink atomic.Pointer[func(call.LegEvent)]

	// Below: guarded by Phones.mu.
	kept      kept
	stage     Stage
	session   Session
	state     webrtc.State
	instance  string    // of the page whose audio session is
	asked     time.Time // when that page has offered
	told      bool      // that the party is held
	limit     *time.Timer
	ended     bool
	reported  bool // the end, to the call
	quiet     bool // the call wants to know when it rings no more
	referring bool // a transfer is under way
	refused   int  // status of the last one that failed
}

// newLeg opens the audio of a call. It wants mu held.
func (p *Phones) newLeg(f *phone, k kept, id tel.LegID) (*leg, error) {
	l := &leg{p: p, f: f, kept: k, stage: Connecting, quiet: k.Incoming}
	half, err := voice.Open(p.voice(l), media.LegConfig{ID: id, Lock: true})
	if err != nil {
		return nil, err
	}
	l.Half = half
	if err := l.configure(); err != nil {
		half.Media().Close()
		return nil, err
	}
	f.legs = append(f.legs, l)
	l.save()
	return l, nil
}

func (p *Phones) voice(l *leg) voice.Config {
	return voice.Config{
		Log: p.cfg.Log, Engine: p.cfg.Engine, Sounds: p.cfg.Sounds, Language: p.cfg.Language,
		Party: "phone:" + string(l.f.dev), Events: l.tell,
	}
}

func (l *leg) bind(events func(call.LegEvent)) { l.sink.Store(&events) }

// tell hands an event to the call; before there is one nobody wants it.
func (l *leg) tell(e call.LegEvent) {
	if sink := l.sink.Load(); sink != nil {
		e.Leg = l.ID()
		(*sink)(e)
	}
}

// silent is how a leg is configured whose page is not there.
var silent = sdp.Media{Codec: codec.PCMA, SendPT: 8, RecvPT: 8, Ptime: 20, Direction: sdp.Inactive}

// hush has the session follow the mute. It wants mu held.
func (l *leg) hush() {
	if l.session != nil {
		l.session.Mute(l.kept.Muted)
	}
}

// configure has the engine's leg follow the session and the loss of the page. It wants mu held.
func (l *leg) configure() error {
	m := silent
	if l.session != nil {
		m = l.session.Media()
		if l.state == webrtc.Lost || l.state == webrtc.Gone {
			m.Direction = sdp.Inactive
		}
	}
	return l.Media().Configure(m)
}

// connect waits for the page's audio, for so long. It wants mu held.
func (l *leg) connect() {
	l.stage = Connecting
	l.expect(offerBy, tel.CauseUnreachable)
}

// expect ends the leg unless the audio is up in time. It wants mu held.
func (l *leg) expect(within time.Duration, c tel.Cause) {
	if l.limit != nil {
		l.limit.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(within, func() {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		if l.limit == timer && !l.up() {
			l.end(c, true)
		}
	})
	l.limit = timer
}

// up reports whether the page is heard. It wants mu held.
func (l *leg) up() bool { return l.session != nil && l.state == webrtc.Up }

// changed tells the call whether its party is away, and keeps that. It wants mu held.
func (l *leg) changed() {
	l.save()
	if l.stage != Talking {
		return
	}
	if away := l.kept.Held || !l.up(); away != l.told {
		l.told = away
		l.tell(call.LegEvent{Kind: call.LegHeld, Held: away})
	}
}

// end ends the leg, once. It wants mu held.
func (l *leg) end(c tel.Cause, remote bool) {
	if l.ended {
		return
	}
	l.halt()
	l.ended = true
	l.f.legs = slices.DeleteFunc(l.f.legs, func(x *leg) bool { return x == l })
	l.Media().Close()
	l.forget()
	l.reported = l.sink.Load() != nil
	l.tell(call.LegEvent{Kind: call.LegEnded, Cause: c, Remote: remote})
	if l.quiet { // a page rings no longer than it is told to
		l.tell(call.LegEvent{Kind: call.LegQuiet})
	}
	l.f.tell()
}

// halt stops what runs for the leg. It wants mu held.
func (l *leg) halt() {
	if l.limit != nil {
		l.limit.Stop()
		l.limit = nil
	}
	if l.session != nil {
		l.session.Close()
		l.session = nil
	}
}

// Ref implements call.Leg.
func (l *leg) Ref() string { return refPrefix + string(l.ID()) }

// Alert implements call.Leg: the page is connected before its call begins, and hears the tone.
func (l *leg) Alert(bool) {}

// Accept implements call.Leg.
func (l *leg) Accept() {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if !l.kept.Answered {
		l.kept.Answered, l.kept.Since = true, time.Now()
		l.save()
		l.f.tell()
	}
}

// Hangup implements call.Leg.
func (l *leg) Hangup(why tel.Cause) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.end(why, false)
}

// SendDTMF implements call.Leg.
func (l *leg) SendDTMF(digits string) {
	if err := l.Media().SendDTMF(digits); err != nil {
		l.p.cfg.Log.Debug("digits cannot be sent to a page", "party", l.Party(), "err", err)
	}
}

// PassesDTMF implements call.Leg.
func (l *leg) PassesDTMF() bool { return true }

// AnswerRefer implements call.Referrer.
func (l *leg) AnswerRefer(status int) {
	if status >= 300 {
		l.NotifyRefer(status, true)
	}
}

// NotifyRefer implements call.Referrer.
func (l *leg) NotifyRefer(status int, final bool) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if !final {
		return
	}
	l.referring = false
	if status >= 300 {
		l.refused = status
	}
	l.f.tell()
}
