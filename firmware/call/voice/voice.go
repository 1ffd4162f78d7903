// Package voice is the audio half that every leg has, of whatever technology: it turns the words of
// call.Leg about sound into those of the media engine.
package voice

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Sounds finds what shall be played: "music", a tone ("tone_ringback") or a prompt in a language.
type Sounds interface {
	Find(lang, name string) (media.Sound, error)
}

// Half is the audio of one leg. Embed it in a leg; set it up with Open or Adopt.
type Half struct {
	log    *slog.Logger
	engine *media.Engine
	sounds Sounds
	lang   func() string
	leg    *media.Leg
	party  string
	events func(call.LegEvent)

	stranded func()
}

// Config is what a Half needs.
type Config struct {
	Log      *slog.Logger
	Engine   *media.Engine
	Sounds   Sounds
	Language func() string // of prompts, at the moment they are played
	Party    string
	Events   func(call.LegEvent)
	Stranded func() // of media.Stranded; it must not block; nil: the party never speaks T.38
}

// Open makes the media leg, under a new id unless leg has one.
func Open(cfg Config, leg media.LegConfig) (*Half, error) {
	h := &Half{log: cfg.Log, engine: cfg.Engine, sounds: cfg.Sounds, lang: cfg.Language, party: cfg.Party, events: cfg.Events, stranded: cfg.Stranded}
	if leg.ID == "" {
		leg.ID = tel.NewLegID()
	}
	id := leg.ID
	leg.Events = func(e media.Event) { h.media(id, e) }
	var err error
	if h.leg, err = cfg.Engine.Open(leg); err != nil {
		return nil, fmt.Errorf("audio for %s: %w", cfg.Party, err)
	}
	return h, nil
}

// Adopt takes over a media leg that survived a restart.
func Adopt(cfg Config, leg *media.Leg) (*Half, error) {
	h := &Half{log: cfg.Log, engine: cfg.Engine, sounds: cfg.Sounds, lang: cfg.Language, party: cfg.Party, events: cfg.Events, stranded: cfg.Stranded, leg: leg}
	id := leg.ID()
	if err := leg.Bind(func(e media.Event) { h.media(id, e) }); err != nil {
		return nil, fmt.Errorf("audio for %s: %w", cfg.Party, err)
	}
	return h, nil
}

// media translates the engine's events; it runs on the leg's loop and must not block.
func (h *Half) media(id tel.LegID, e media.Event) {
	switch e := e.(type) {
	case media.Digit:
		h.events(call.LegEvent{Leg: id, Kind: call.LegDigit, Digit: e.Digit})
	case media.Flash:
		h.events(call.LegEvent{Leg: id, Kind: call.LegFlash})
	case media.Machine:
		h.log.Info("a machine is heard", "party", h.party, "tone", e.Tone, "kind", e.Kind)
		h.events(call.LegEvent{Leg: id, Kind: call.LegMachine, Machine: e.Kind})
	case media.Timeout:
		h.events(call.LegEvent{Leg: id, Kind: call.LegSilent})
	case media.Failed:
		h.events(call.LegEvent{Leg: id, Kind: call.LegSilent})
	case media.Stranded:
		if h.stranded != nil {
			h.stranded()
		}
	case media.FirstPacket, media.Latched, media.PlayDone:
	}
}

// Media is the engine's leg, for who negotiates it.
func (h *Half) Media() *media.Leg { return h.leg }

// ID implements call.Leg.
func (h *Half) ID() tel.LegID { return h.leg.ID() }

// Party implements call.Leg.
func (h *Half) Party() string { return h.party }

// Play implements call.Leg. A sound that does not exist is left out and logged; when nothing is
// left, LegPlayed comes at once, so that no caller waits for it.
func (h *Half) Play(s call.Sound) {
	var found []media.Sound
	lang := s.Language
	if lang == "" {
		lang = h.lang()
	}
	for _, name := range s.Names {
		one, err := h.sounds.Find(lang, name)
		if err != nil {
			h.log.Error("sound is missing", "sound", name, "err", err)
			continue
		}
		found = append(found, one)
	}
	var done func()
	if !s.Loop {
		id := h.leg.ID()
		done = func() { h.events(call.LegEvent{Leg: id, Kind: call.LegPlayed}) }
	}
	if len(found) == 0 {
		if done != nil {
			done()
		}
		return
	}
	play := func() error { return h.leg.Play(found, s.Loop, done) }
	if s.Over && !s.Loop {
		play = func() error { return h.leg.Say(found, done) }
	}
	if err := play(); err != nil {
		h.log.Warn("sound is not played", "sounds", s.Names, "err", err)
		if done != nil {
			done()
		}
	}
}

// Hush implements call.Leg.
func (h *Half) Hush() {
	if err := h.leg.Stop(); err != nil {
		h.log.Debug("nothing to hush", "err", err)
	}
}

// Join implements call.Leg. A party that hangs up at the instant of the answer has closed its audio
// already, and its LegEnded is on the way to the call: that is no error.
func (h *Half) Join(other call.Leg) error {
	o, ok := other.(interface{ Media() *media.Leg })
	if !ok {
		return fmt.Errorf("%s and %s have no audio in common", h.party, other.Party())
	}
	err := h.engine.Bridge(h.leg, o.Media())
	if errors.Is(err, media.ErrClosed) {
		h.log.Debug("audio is not joined: a party has left", "party", h.party, "other", other.Party())
		return nil
	}
	return err
}

// Page implements call.Leg.
func (h *Half) Page(to []call.Leg) error {
	var legs []*media.Leg
	for _, l := range to {
		if o, ok := l.(interface{ Media() *media.Leg }); ok {
			legs = append(legs, o.Media())
		}
	}
	if err := h.engine.Page(h.leg, legs...); err != nil && !errors.Is(err, media.ErrClosed) {
		return err
	}
	return nil
}

// Mix implements call.Leg.
func (h *Half) Mix(parties, watchers []call.Leg, gain func(from, to int) float64) error {
	audio := func(all []call.Leg) (legs []*media.Leg) {
		for _, l := range all {
			if o, ok := l.(interface{ Media() *media.Leg }); ok {
				legs = append(legs, o.Media())
			}
		}
		return legs
	}
	if err := h.engine.Mix(audio(parties), audio(watchers), gain); err != nil && !errors.Is(err, media.ErrClosed) {
		return err
	}
	return nil
}

// Part implements call.Leg.
func (h *Half) Part() { h.engine.Unbridge(h.leg) }

// Echo implements call.Leg.
func (h *Half) Echo() {
	if err := h.leg.Echo(); err != nil {
		h.log.Debug("nobody to hear itself", "party", h.party, "err", err)
	}
}

// recordEnd is the media engine's reason in the words of scripts.
func recordEnd(why media.RecordEnd) string {
	switch why {
	case media.RecordStopped:
		return ivr.WhyStopped
	case media.RecordLimit:
		return ivr.WhyMax
	case media.RecordSilence:
		return ivr.WhySilence
	case media.RecordEnded:
		return ivr.WhyLeft
	default:
		return ivr.WhyFailed
	}
}

// Record implements call.Leg.
func (h *Half) Record(path string, longest, silence time.Duration) {
	id := h.leg.ID()
	ended := func(length time.Duration, why string) {
		h.events(call.LegEvent{Leg: id, Kind: call.LegRecorded, Path: path, Length: length, Why: why})
	}
	err := h.leg.Record(media.RecordConfig{
		Path: path, Max: longest, Silence: silence, Done: func(r media.Recorded) { ended(r.Length, recordEnd(r.Why)) },
	})
	if err != nil {
		h.log.Warn("nothing is recorded", "party", h.party, "err", err)
		ended(0, ivr.WhyFailed)
	}
}

// StopRecord implements call.Leg.
func (h *Half) StopRecord() {
	if err := h.leg.StopRecord(); err != nil {
		h.log.Debug("no recording to stop", "party", h.party, "err", err)
	}
}

// Note implements call.Leg.
func (h *Half) Note() tel.LegNote {
	s := h.leg.Stats()
	return tel.LegNote{
		Leg: h.leg.ID(), Party: h.party, Codec: s.Codec, Received: s.Received, Sent: s.Sent, Lost: s.Lost,
		Sound: sound(h.party, s), Machine: s.Machine,
	}
}
