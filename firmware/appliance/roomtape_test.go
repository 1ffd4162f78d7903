package appliance

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/conference/chair"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const tapedRoom = shop + `
conferences: [{id: hall, name: Sala, number: "88", quiet: true}]
recording:
  purposes: [{id: minutes, name: Verbali, days: 30}]
  rules: [{id: rooms, record: always, purpose: minutes, conferences: [hall]}]
`

// recordedNow waits until the records of so many calls that are up would name a part.
func (b *bench) recordedNow(calls int) {
	b.t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) { // the notice takes some seconds
		c := b.box.present.conference("hall")
		if len(c.Members) == calls && c.Recording == "on" {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d are to be recorded: %+v", calls, c)
		}
	}
}

// mixOf fails unless some third of a second of a recording holds all of some tones, on its left.
func (b *bench) mixOf(id string, hz ...int) {
	b.t.Helper()
	p, err := b.box.taping.archive.Listen(id, "sara", record.Heard)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	const window = 2400
	best := errors.New("it is empty")
	pcm := make([]int16, 2*window)
	for at := 0; at+window <= p.Samples(); at += 400 {
		p.Read(pcm, at)
		var side []int16
		for i := range window {
			side = append(side, pcm[2*i])
		}
		var wrong []error
		for _, f := range hz {
			if l := tone.Level(side, f); l < -30 {
				wrong = append(wrong, fmt.Errorf("%d Hz at %.1f dB", f, l))
			}
		}
		if best = errors.Join(wrong...); best == nil {
			return
		}
	}
	b.t.Errorf("%s: %v", id, best)
}

// A room is recorded as one mix of all who are in it, also of who comes later; each call's record names the part, and the
// file tells who was there and who spoke.
func TestARoomIsRecordedAsTheMixOfThoseInItAndTellsWhoSpoke(t *testing.T) {
	b := start(t, tapedRoom)
	anna, _ := b.talker("201", 440)
	bruno, _ := b.talker("202", 620)
	carla, _ := b.talker("203", 980)
	dial := func(p *peer.Peer) *peer.Call {
		c, err := p.Dial(peer.Outgoing{To: "88"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := dial(anna)
	b.eventually("Anna is in the room", func() bool { return len(b.box.present.conference("hall").Members) == 1 })
	second := dial(bruno)
	b.recordedNow(2)
	hears(b, "Anna", first, 620)
	third := dial(carla)
	b.eventually("Carla is recorded too", func() bool {
		b.box.taping.mu.Lock()
		defer b.box.taping.mu.Unlock()
		return len(b.box.taping.running) == 1 && len(b.box.present.conference("hall").Members) == 3
	})
	if parts := b.parts(); len(parts) != 0 {
		t.Errorf("who comes later ends a part: %+v", parts)
	}
	time.Sleep(6 * time.Second) // the notice, and a few words
	for _, c := range []*peer.Call{first, second, third} {
		c.Hangup()
	}
	b.eventually("the part has ended", func() bool { return len(b.parts()) == 1 })
	part := b.parts()[0]
	if len(part.Tracks) != 1 || part.Tracks[0].Party != "conference:hall" || part.Purpose != "minutes" || part.Until.Sub(part.Began) != 30*24*time.Hour || part.Lost > 0 {
		t.Errorf("%+v", part)
	}
	b.mixOf(part.ID, 440, 620, 980)
	legs := map[string]bool{}
	var records []tel.CallEnded
	b.eventually("three records are written", func() bool {
		records = nil
		(&subscription{bench: b}).ended(func(e tel.CallEnded) bool { records = append(records, e); return false })
		return len(records) >= 3
	})
	for _, r := range records {
		if len(r.Recordings) != 1 || r.Recordings[0].ID != part.ID || r.Recordings[0].Chain != part.Chain || !r.Recordings[0].To.After(r.Recordings[0].From) {
			t.Fatalf("the record of %s names %+v, the archive %s", r.Call, r.Recordings, part.ID)
		}
		legs[string(r.Recordings[0].Legs[0])] = true
	}
	shown, ok := (&listening{archive: b.box.taping.archive}).Part(part.ID)
	if !ok || len(shown.Voices) != 3 {
		t.Fatalf("%+v", shown)
	}
	play, err := b.box.taping.archive.Again(part.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = play.Close() }()
	for _, v := range play.Voices {
		if !legs[v.Leg] || len(v.Spoke) == 0 || v.There.To <= v.There.From || !strings.HasPrefix(v.Party, "phone:") {
			t.Errorf("who was there: %+v, of the legs %v", v, legs)
		}
	}
	if r, err := b.box.taping.archive.Verify(t.Context()); err != nil || len(r.Wrong) > 0 || r.Files != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Who calls from outside is told before it is on the record, refuses with a key, and nothing is left; all go on talking.
func TestACallerInARoomRefusesAndNothingIsLeft(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	a.apply(func(c *config.Config) {
		c.Conferences = []config.Conference{{ID: "hall", Name: "Sala", Number: "88", Limit: 5, PIN: "2468", Quiet: true}}
		c.Trunks[0].In[ourNumber] = "conference:hall"
		c.Recording.Purposes = []config.Purpose{{ID: "minutes", Days: 1}}
		c.Recording.Rules = []config.RecordingRule{{ID: "rooms", Record: config.RecordAlways, Purpose: "minutes", Conferences: []tel.ConferenceID{"hall"}}}
	})
	anna, _ := a.talker("203", 440)
	mine, err := anna.Dial(peer.Outgoing{To: "88"})
	if err != nil {
		t.Fatal(err)
	}
	into := func(c *peer.Call, n int) {
		t.Helper()
		for end := time.Now().Add(40 * time.Second); len(a.box.present.conference("hall").Members) < n; time.Sleep(20 * time.Millisecond) {
			if c.Audio().Packets() > 25 {
				c.Audio().Press("2468#")
				c.Audio().Forget()
			}
			if time.Now().After(end) {
				t.Fatalf("%d are not in the room: %+v", n, a.box.present.conference("hall"))
			}
		}
	}
	into(mine, 1)
	c := a.into(ourNumber)
	into(c, 2)
	a.recordedNow(2)
	a.eventually("both have heard the notice to its end", func() bool {
		return strings.Count(string(a.box.hot.Load(chair.JournalKind)["hall"]), `"taped":true`) == 2
	})
	if n, _ := a.box.taping.archive.Total(); n != 1 {
		t.Fatalf("%d recordings", n)
	}
	c.Audio().Press("9")
	a.eventually("nothing is left of it", func() bool {
		return a.box.present.conference("hall").Recording == "" && len(a.box.taping.archive.List(func(record.Recording) bool { return true })) == 0
	})
	hears(a.bench, "the caller, who talks on", c, 440)
	c.Hangup()
	mine.Hangup()
	var all []tel.CallEnded
	a.eventually("both records are written", func() bool {
		all = nil
		a.ended(func(e tel.CallEnded) bool { all = append(all, e); return false })
		return len(all) >= 2
	})
	for _, r := range all {
		if len(r.Recordings) != 1 || r.Recordings[0].Why != call.TapeOptOut {
			t.Errorf("%s: %+v", r.Call, r.Recordings)
		}
	}
	if d := a.deeds(); !slices.ContainsFunc(d, func(x string) bool { return strings.HasPrefix(x, "recording_opted_out") }) {
		t.Errorf("the audit log says %v", d)
	}
}
