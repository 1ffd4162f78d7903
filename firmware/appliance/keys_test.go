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

func TestKeysFollowEveryCallOfAnExtension(t *testing.T) {
	n := shopNumbering(t, "")
	internal := func(s tel.CallStage, a tel.AgentID) tel.Event {
		return tel.CallChanged{Call: "c1", Stage: s, Direction: tel.Internal, From: "201", To: "202", Via: "phone:201", Agent: a}
	}
	queue := func(s tel.CallStage, a tel.AgentID) tel.Event {
		return tel.CallChanged{Call: "c2", Stage: s, Direction: tel.Inbound, From: "+393331234567", To: "+390612345678", Via: "trunk:tim", Queue: "sales", Agent: a}
	}
	offered := tel.QueueOffered{Call: "c2", Queue: "sales", Agent: "anna"}
	out := func(s tel.CallStage) tel.Event {
		return tel.CallChanged{Call: "c3", Stage: s, Direction: tel.Outbound, From: "201", To: "0612345678", Via: "phone:201"}
	}
	type step struct {
		event tel.Event
		want  string // every key that shows something, afterwards
	}
	for name, story := range map[string][]step{
		"a colleague is called": {
			{internal(tel.StageRouting, ""), "201 c1 initiator trying 202 Bruno"},
			{internal(tel.StageRinging, ""), "201 c1 initiator early 202 Bruno; 202 c1 recipient early 201 Anna"},
			{internal(tel.StageTalking, "bruno"), "201 c1 initiator confirmed 202 Bruno; 202 c1 recipient confirmed 201 Anna"},
			{internal(tel.StageEnded, "bruno"), ""},
		},
		"a queue rings an agent who answers": {
			{queue(tel.StageWaiting, ""), ""},
			{offered, "201 c2 recipient early +393331234567 "},
			{tel.QueueLeft{Call: "c2", Agent: "anna", Outcome: tel.OutcomeAnswered}, "201 c2 recipient early +393331234567 "},
			{queue(tel.StageTalking, "anna"), "201 c2 recipient confirmed +393331234567 "},
			{queue(tel.StageEnded, "anna"), ""},
		},
		"a queue rings an agent in vain": {
			{queue(tel.StageRinging, ""), ""},
			{offered, "201 c2 recipient early +393331234567 "},
			{tel.QueueOfferEnded{Call: "c2", Agent: "anna"}, ""},
			{offered, "201 c2 recipient early +393331234567 "},
			{tel.QueueLeft{Call: "c2", Outcome: tel.OutcomeAbandoned}, ""},
			{queue(tel.StageEnded, ""), ""},
		},
		"an offer that comes behind the end of its call leaves nothing": {
			{queue(tel.StageEnded, ""), ""},
			{offered, "201 c2 recipient early  "},
			{tel.QueueLeft{Call: "c2", Outcome: tel.OutcomeAbandoned}, ""},
		},
		"two calls at one extension": {
			{out(tel.StageTalking), "201 c3 initiator confirmed 0612345678 "},
			{queue(tel.StageWaiting, ""), "201 c3 initiator confirmed 0612345678 "},
			{offered, "201 c2 recipient early +393331234567 , c3 initiator confirmed 0612345678 "},
			{out(tel.StageEnded), "201 c2 recipient early +393331234567 "},
		},
		"a caller who listens to the music of a queue is on the phone": {
			{tel.CallChanged{Call: "c4", Stage: tel.StageRinging, Direction: tel.Internal, From: "202", To: "400", Via: "phone:202", Queue: "sales"}, "202 c4 initiator confirmed 400 Vendite"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var k keys
			shown := map[string]string{}
			for i, s := range story {
				k.apply(n, s.event, func(ext string, list []presence.Dialog) {
					var all []string
					for _, d := range list {
						all = append(all, fmt.Sprintf("%s %s %s %s %s", d.ID, d.Direction, d.State, d.RemoteNumber, d.RemoteName))
					}
					if shown[ext] = strings.Join(all, ", "); list == nil {
						delete(shown, ext)
					}
				})
				var got []string
				for _, ext := range slices.Sorted(maps.Keys(shown)) {
					got = append(got, ext+" "+shown[ext])
				}
				if now := strings.Join(got, "; "); now != s.want {
					t.Fatalf("step %d: %q, want %q", i, now, s.want)
				}
			}
			if last := story[len(story)-1]; last.want == "" && len(k.calls)+len(k.active) != 0 {
				t.Errorf("remembered for ever: %v %v", k.calls, k.active)
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
