package appliance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/sip/presence"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func shopNumbering(t *testing.T, extra string) *numbering {
	t.Helper()
	c, err := config.Parse([]byte(shop + extra))
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNumbering(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestKeysFollowEveryLegOfAnExtensionAndEveryPlace(t *testing.T) {
	n := shopNumbering(t, "")
	leg := func(id tel.LegID, party string, phase tel.PartyPhase, remote tel.Number) tel.Event {
		return tel.PartyChanged{Call: "c1", Leg: id, Party: party, Ref: "sip:" + string(id), Phase: phase, Remote: remote, Initiator: phase == tel.PartyDialing}
	}
	type step struct {
		event tel.Event
		want  string // every key that shows something, afterwards
	}
	for name, story := range map[string][]step{
		"a colleague is called, with names and the dialog that can be taken": {
			{leg("a", "phone:201", tel.PartyDialing, "202"), "201 a initiator early 202 Bruno call-a"},
			{leg("b", "phone:202", tel.PartyRinging, "201"), "201 a initiator early 202 Bruno call-a; 202 b recipient early 201 Anna call-b"},
			{leg("b", "phone:202", tel.PartyTalking, "201"), "201 a initiator early 202 Bruno call-a; 202 b recipient confirmed 201 Anna call-b"},
			{leg("b", "phone:202", tel.PartyHeld, "201"), "201 a initiator early 202 Bruno call-a; 202 b recipient confirmed 201 Anna call-b"},
			{leg("a", "phone:201", tel.PartyGone, ""), "202 b recipient confirmed 201 Anna call-b"},
			{leg("b", "phone:202", tel.PartyGone, ""), ""},
		},
		"two calls at one extension": {
			{leg("a", "phone:201", tel.PartyTalking, "0612345678"), "201 a recipient confirmed 0612345678  call-a"},
			{leg("b", "phone:201", tel.PartyRinging, "+393331234567"), "201 a recipient confirmed 0612345678  call-a, b recipient early +393331234567  call-b"},
			{leg("a", "phone:201", tel.PartyGone, ""), "201 b recipient early +393331234567  call-b"},
			{leg("b", "phone:201", tel.PartyGone, ""), ""},
		},
		"a line is nobody's key": {
			{leg("a", "trunk:tim", tel.PartyTalking, "201"), ""},
		},
		"a parked call lights its place until it is fetched": {
			{tel.CallChanged{Call: "c2", Stage: tel.StageParked, From: "+393331234567", Slot: "701"}, "701 c2 recipient confirmed +393331234567  "},
			{tel.CallChanged{Call: "c2", Stage: tel.StageTalking, From: "+393331234567"}, ""},
		},
		"a caller who gives up frees the place": {
			{tel.CallChanged{Call: "c2", Stage: tel.StageParked, From: "201", Slot: "701"}, "701 c2 recipient confirmed 201 Anna "},
			{tel.CallChanged{Call: "c2", Stage: tel.StageEnded, From: "201"}, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var k keys
			shown := map[string]string{}
			tell := func(ext string, list []presence.Dialog) {
				var all []string
				for _, d := range list {
					all = append(all, fmt.Sprintf("%s %s %s %s %s %s", d.ID, d.Direction, d.State, d.RemoteNumber, d.RemoteName, d.CallID))
				}
				if shown[ext] = strings.Join(all, ", "); len(list) == 0 {
					delete(shown, ext)
				}
			}
			of := func(ref string) (string, string, string) { return "call-" + strings.TrimPrefix(ref, "sip:"), "l", "r" }
			for i, s := range story {
				switch e := s.event.(type) {
				case tel.PartyChanged:
					k.party(n, e, of, tell)
				case tel.CallChanged:
					k.parked(n, e, tell)
				}
				var got []string
				for _, ext := range slices.Sorted(maps.Keys(shown)) {
					got = append(got, ext+" "+shown[ext])
				}
				if now := strings.Join(got, "; "); now != s.want {
					t.Fatalf("step %d: %q, want %q", i, now, s.want)
				}
			}
			if last := story[len(story)-1]; last.want == "" && len(k.parties)+len(k.shown)+len(k.slots) != 0 {
				t.Errorf("remembered for ever: %v %v %v", k.parties, k.shown, k.slots)
			}
		})
	}
}

func TestWhoMayWatchWhat(t *testing.T) {
	open, closed := shopNumbering(t, ""), shopNumbering(t, "presence: {watchers: [\"202\"], messages: false}\n")
	for _, c := range []struct {
		n        *numbering
		watcher  tel.DeviceID
		p        presence.Package
		user     string
		resource string
		status   int
	}{
		{open, "201", presence.Dialogs, "202", "202", 0},
		{open, "201", presence.Dialogs, "400", "400", 0},
		{open, "201", presence.Dialogs, "*41", "*41@anna", 0},
		{open, "202", presence.Dialogs, "*41", "*41@bruno", 0},
		{closed, "201", presence.Dialogs, "*42", "*42@anna", 0},
		{open, "201", presence.Presences, "400", "", 404},
		{open, "201", presence.Dialogs, "999", "", 404},
		{open, "201", presence.Presences, "203", "203", 0},
		{open, "201", presence.Messages, "201", "201", 0},
		{open, "201", presence.Messages, "202", "", 403},
		{open, "201", presence.Registrations, "201", "201", 0},
		{open, "201", presence.Registrations, "202", "", 403},
		{open, "removed", presence.Dialogs, "201", "", 403},
		{closed, "201", presence.Dialogs, "202", "", 403},
		{closed, "201", presence.Dialogs, "201", "201", 0},
		{closed, "201", presence.Messages, "201", "201", 0},
		{closed, "202", presence.Dialogs, "201", "201", 0},
	} {
		resource, status := c.n.watch(c.watcher, c.p, c.user)
		if status != c.status || status == 0 && resource != c.resource {
			t.Errorf("%s of %s for %s: %q, %d, want %q, %d", c.p, c.user, c.watcher, resource, status, c.resource, c.status)
		}
	}
	if to, status := open.recipient("201", "202"); status != 0 || len(to.Devices) != 1 || to.FromNumber != "201" || to.FromName != "Anna" {
		t.Errorf("a text to a colleague: %+v, %d", to, status)
	}
	for user, want := range map[string]int{"400": 480, "+393331234567": 404, "112": 404, "*41": 404} {
		if _, status := open.recipient("201", user); status != want {
			t.Errorf("a text to %s: %d, want %d", user, status, want)
		}
	}
	if _, status := closed.recipient("201", "202"); status != 403 {
		t.Errorf("a text where there are none: %d", status)
	}
}

func TestPresenceIsTheStateThatTheLampShows(t *testing.T) {
	for _, s := range tel.AgentStates() {
		p := presenceOf(tel.AgentChanged{State: s, Reason: "lunch"}, "en")
		if p.Open != (s == tel.AgentReady) || (p.Note == "") != (s == tel.AgentReady) {
			t.Errorf("%s: %+v", s, p)
		}
		if it := presenceOf(tel.AgentChanged{State: s}, "it"); (it.Note == "") != (p.Note == "") {
			t.Errorf("%s has no Italian words", s)
		}
	}
	if p := presenceOf(tel.AgentChanged{State: tel.AgentPaused, Reason: "7"}, "it"); p.Note != "In pausa: 7" {
		t.Errorf("%+v", p)
	}
}
