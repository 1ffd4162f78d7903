package appliance

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/conference"
	"github.com/pronto-pbx/pronto/firmware/conference/chair"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

// conferences joins the calls with the conference rooms: it is the exchange's Rooms, and lends the rooms the sound of
// their members.
type conferences struct {
	b     *Box
	chair *chair.Chair

	mu    sync.Mutex // guards seats
	seats map[tel.CallID]call.Leg
}

// openConferences makes the rooms, and takes over those of an earlier process.
func (b *Box) openConferences() error {
	c := &b.conferences
	c.seats = map[tel.CallID]call.Leg{}
	c.chair = chair.New(chair.Config{
		Log: b.log.With("room", "conferences"), Rooms: conferenceRooms(b.config()), Journal: b.hot,
		Recorder: &roomTapes{t: &b.taping, c: c, there: map[string][]conference.TapeVoice{}},
		Send:     func(m tel.ToCall) { b.calls.Deliver(m) }, Mix: c.mix, Speaks: c.speaks, Publish: b.publish,
		Kept: b.hot.Load(chair.JournalKind), Guard: b.hot.Load(chair.GuardKind),
	})
	return nil
}

// conferenceRooms are the rooms of a configuration.
func conferenceRooms(c *config.Config) (all []chair.Room) {
	for _, x := range c.Conferences {
		all = append(all, chair.Room{
			Spec: conference.Spec{
				ID: x.ID, Name: x.Name, Limit: x.Limit, Await: x.Await, EndAfter: x.EndAfter, Tones: !x.Quiet, Silent: x.Muted, NoMusic: x.NoMusic,
				Tape: roomRule(c, x.ID),
			},
			PIN: string(x.PIN), LeaderPIN: string(x.LeaderPIN),
		})
	}
	return all
}

// Enter implements call.Rooms.
func (c *conferences) Enter(m tel.EnterConference, leg call.Leg) bool {
	c.mu.Lock()
	c.seats[m.Call] = leg
	c.mu.Unlock()
	if c.chair.Tell(m) {
		return true
	}
	c.forget(m.Call)
	return false
}

// Tell implements call.Rooms.
func (c *conferences) Tell(m tel.ToConference) bool {
	if left, ok := m.(tel.LeaveConference); ok {
		c.forget(left.Call)
	}
	return c.chair.Tell(m)
}

func (c *conferences) forget(id tel.CallID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seats, id)
}

// legs finds the legs of a room that are still there, and says which of them are heard.
func (c *conferences) legs(voices []conference.Voice) (all []call.Leg, heard []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := map[tel.LegID]call.Leg{}
	for _, l := range c.seats {
		by[l.ID()] = l
	}
	for _, v := range voices {
		if l, ok := by[v.Leg]; ok {
			all, heard = append(all, l), append(heard, v.Heard)
		}
	}
	return all, heard
}

// mix lets the members of a room hear each other.
func (c *conferences) mix(room tel.ConferenceID, voices []conference.Voice) {
	all, heard := c.legs(voices)
	if len(all) == 0 {
		return
	}
	gain := func(from, _ int) float64 {
		if heard[from] {
			return 1
		}
		return 0
	}
	if err := all[0].Mix(nil, all, gain); err != nil {
		c.b.log.Warn("a conference is not mixed; a party may have gone in this instant", "room", room, "err", err)
	}
}

// speaks reports whether a member says something at this moment.
func (c *conferences) speaks(id tel.LegID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.seats {
		if audio, ok := l.(interface{ Media() *media.Leg }); ok && l.ID() == id {
			return audio.Media().Speaks()
		}
	}
	return false
}

// conference is the script that lets a caller into a room; false for a room that is not configured.
func (n *numbering) conference(id tel.ConferenceID) (*ivr.Conference, bool) {
	for _, x := range n.cfg.Conferences {
		if x.ID != id {
			continue
		}
		s := &ivr.Conference{Room: string(id), Ask: x.PIN != "" || x.LeaderPIN != "", Intro: []string{"conference_welcome"}}
		if x.PIN == "" {
			s.Intro = append(s.Intro, "conference_hash")
		}
		return s, true
	}
	return nil, false
}

// opensConference checks a code at the door of a room. Of is the room and who asks.
func (b *Box) opensConference(of, code string, reply func(ivr.Event)) {
	room, caller, _ := strings.Cut(of, "/")
	b.conferences.chair.Check(tel.ConferenceID(room), caller, code, func(ok, leader bool) {
		if ok {
			reply(ivr.Let{Leader: leader})
			return
		}
		reply(ivr.Checked{})
	})
}

// closeConferences ends the owner of the rooms; what is on goes over to the next process.
func (b *Box) closeConferences() {
	if c := b.conferences.chair; c != nil {
		c.Close()
	}
}

// conferencesReturned lets the rooms go on with those of the earlier process whose calls are back.
func (b *Box) conferencesReturned() { b.conferences.chair.Returned() }

// leadConference carries out what a supervisor has decided about a conference.
func (b *Box) leadConference(ctx context.Context, o web.Order) (deed access.Deed, whom string, err error) {
	wish := conference.Wish(o.Wish)
	if !slices.Contains(conference.Wishes(), wish) {
		return "", "", errCommand
	}
	whom = strings.TrimSpace(o.With + " " + o.Wish + " " + string(o.Call))
	return access.DeedConference, whom, b.conferences.chair.Order(ctx, tel.ConferenceID(o.With), conference.Order{What: wish, Call: o.Call})
}

// conferencePages are the conference rooms with who is in them, for the page.
func (b *Box) conferencePages() (all []page.Conference) {
	for _, x := range b.config().Conferences {
		c := page.Conference{Title: cmp.Or(x.Name, string(x.ID)), Number: x.Number, Limit: x.Limit, Codes: x.PIN != "" || x.LeaderPIN != ""}
		c.ConferenceChanged = b.present.conference(x.ID)
		for i := range c.Members {
			c.Members[i].Since = within(c.Members[i].Since, b.location())
		}
		all = append(all, c)
	}
	return all
}

// conference is the last word about a conference room.
func (p *present) conference(id tel.ConferenceID) tel.ConferenceChanged {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.last["conference/"+string(id)].(tel.ConferenceChanged)
	if !ok {
		return tel.ConferenceChanged{Conference: id}
	}
	e.Members = slices.Clone(e.Members)
	return e
}
