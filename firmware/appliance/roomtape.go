package appliance

import (
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/conference"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// roomTapes records conference rooms, beside conversations: it is the chair's Recorder. It runs on the chair's goroutine.
type roomTapes struct {
	t *taping
	c *conferences

	there map[string][]conference.TapeVoice // by part: who is noted in the file as there
}

// roomParty is how a recording names the track of a room.
const roomParty = "conference:"

// roomRule is the rule of a configuration for a room, in the words of rooms.
func roomRule(c *config.Config, id tel.ConferenceID) conference.TapeRule {
	r := c.Recording.RoomRule(id)
	if r == nil || r.Record == config.RecordNever {
		return conference.TapeRule{}
	}
	of := tapeRule(&c.Recording, r)
	return conference.TapeRule{
		Mode: conference.TapeMode(of.Mode), Purpose: of.Purpose, Keep: of.Keep, Notice: of.Notice, OptOut: of.OptOut, OnHold: of.OnHold,
	}
}

// Begin implements chair.Recorder.
func (r *roomTapes) Begin(p conference.Part, voices []conference.TapeVoice, failed func(why string)) {
	legs, _ := r.c.audio(voices)
	if r.t.archive == nil || len(legs) == 0 {
		failed("there is no archive of recordings, or nobody is left")
		return
	}
	about := tape.About{
		ID: p.ID, Chain: p.Chain, Began: p.Began, Purpose: p.Rule.Purpose,
		Tracks: []tape.Track{{Leg: string(p.Room), Party: roomParty + string(p.Room)}},
	}
	if p.Rule.Keep > 0 {
		about.Until = p.Began.Add(p.Rule.Keep)
	}
	r.t.run(about, &running{chain: p.Chain, demanded: p.Rule.Mode == conference.TapeDemand}, failed, func(c media.TapeConfig) (*media.Tape, error) {
		return r.t.b.engine.TapeMix(c, legs[0])
	})
	r.there[p.ID] = nil
}

// Keep implements chair.Recorder.
func (r *roomTapes) Keep(id string, voices []conference.TapeVoice) {
	tp := r.t.of(id)
	was, known := r.there[id]
	if tp == nil || !known { // it has failed, and the room is told so
		delete(r.there, id)
		return
	}
	legs, kept := r.c.audio(voices)
	if err := tp.Keep(legs, kept); err != nil {
		r.c.b.log.Warn("whose voices are recorded of a conference is as before; a party may have gone in this instant", "id", id, "err", err)
	}
	note := func(from, in []conference.TapeVoice, what tape.Presence) {
		for _, v := range from {
			if v.Told && !hasVoice(in, v.Leg) {
				tp.Note(string(v.Leg), v.Party, what)
			}
		}
	}
	note(was, voices, tape.Went)
	note(voices, was, tape.Came)
	r.there[id] = voices
}

// hasVoice reports whether somebody who has been told is among them.
func hasVoice(all []conference.TapeVoice, leg tel.LegID) bool {
	for _, v := range all {
		if v.Leg == leg && v.Told {
			return true
		}
	}
	return false
}

// Pause implements chair.Recorder.
func (r *roomTapes) Pause(id, why string) { r.t.Pause(id, why) }

// End implements chair.Recorder.
func (r *roomTapes) End(id, why string) {
	delete(r.there, id)
	r.t.End(id, why)
}

// Forget implements chair.Recorder.
func (r *roomTapes) Forget(chains []string) { r.t.Forget(chains) }

// audio finds the legs of voices in the media engine, and says which of them are kept.
func (c *conferences) audio(voices []conference.TapeVoice) (legs []*media.Leg, kept []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := map[tel.LegID]call.Leg{}
	for _, l := range c.seats {
		by[l.ID()] = l
	}
	for _, v := range voices {
		if o, ok := by[v.Leg].(interface{ Media() *media.Leg }); ok {
			legs, kept = append(legs, o.Media()), append(kept, v.Kept)
		}
	}
	return legs, kept
}
