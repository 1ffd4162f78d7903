package uitest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

// floor gives a page's supervisor one hostile caller and one hostile agent.
func floor(c *web.Config) {
	long := strings.Repeat("Assistenza-", 6)
	caller := page.Caller{
		Call: "w1", Queue: "sales", QueueName: Hostile, Number: "+390612345679", Name: Hostile, Since: time.Now().Add(-time.Minute), Place: 1, Of: 9,
		Due: time.Now(), Needs: []tel.Need{{Skill: long, Level: 5}}, Last: long, From: 2, To: 5,
		Offer:    &page.Offer{Agent: Hostile, At: time.Now(), Why: page.Because(tel.OfferReason{Merit: tel.MeritAssigned, By: long, Free: 3}), Passed: []page.Verdict{{Person: page.Person{Name: Hostile + long}, Says: page.Said{Sentence: "why.shift_over"}}}},
		Verdicts: []page.Verdict{{Person: page.Person{ID: "agent1", Name: Hostile}, Says: page.Said{Sentence: "why.skill_too_low", Args: []any{long, 2, 5}}, Until: time.Now().Add(time.Minute)}},
		Queues:   []page.Choice{{ID: "support", Name: Hostile + long}}, People: []page.Person{{ID: "agent1", Name: Hostile + long}},
	}
	c.Caller = func(context.Context, tel.CallID) (*page.Caller, error) { x := caller; return &x, nil }
	c.Agent = func(context.Context, tel.AgentID) (*page.Agent, error) {
		return &page.Agent{
			ID: "agent1", Desk: page.Desk{Name: Hostile, State: tel.AgentPaused, Since: time.Now(), Reason: Hostile, By: Hostile, Reasons: []string{Hostile}, Queues: []page.DeskQueue{{ID: "sales", Name: Hostile + long, Serving: true}}},
			Others: []page.DeskQueue{{ID: "support", Name: long}}, Skills: []page.Skill{{Name: long, Level: 3}}, Known: []string{long}, Waiting: []page.Caller{caller},
		}, nil
	}
	owed := page.Callback{
		ID: "cb1", Queue: "sales", QueueName: Hostile + long, State: tel.CallbackDialing, Number: "+390612345679", Name: Hostile + long, Agent: Hostile + long,
		Since: time.Now().Add(-time.Hour), Place: 12, Of: 345, Attempts: 2, Next: time.Now(), Promise: time.Now().Add(-time.Minute), Closed: true,
	}
	c.Callbacks = func(context.Context) ([]page.Callback, error) { return []page.Callback{owed}, nil }
	c.Missed = func() []page.Missed {
		return []page.Missed{{QueueName: Hostile + long, MissedChanged: tel.MissedChanged{Number: "+393331234567", Name: Hostile + long, Queue: "sales", Calls: 12, Last: time.Now().Add(-time.Hour), Waited: time.Hour, Why: tel.MissedRefused}}}
	}
	c.Records, c.Zone, c.Recordings = past(), func() *time.Location { return time.UTC }, tapes{}
	pastDays(c)
	c.Order = func(_ context.Context, o web.Order) (string, error) {
		if o.Do == "drop" && o.Callback == "cb1" || o.Do == "move" && o.Call == "w1" && o.With == "support" {
			return "", nil
		}
		return "floor.busy", nil
	}
}

// tapes are recordings with a hostile word wherever one can come from outside.
type tapes struct{}

func (tapes) Parts([]string) []page.Recording {
	began := time.Date(2026, 3, 2, 9, 0, 40, 0, time.UTC)
	return []page.Recording{
		{
			ID: "c1-1", Began: began, Length: 75 * time.Second, Queue: "sales", Parties: []string{Hostile, Hostile}, Purpose: Hostile, Until: began.AddDate(0, 3, 0),
			Gaps: []page.Gap{{From: 10 * time.Second, To: 20 * time.Second, Why: "card"}},
		},
		{ID: "c1-2", Began: began.Add(2 * time.Minute), Length: time.Second, Queue: "sales", Held: true, Cut: true, Lost: 2},
	}
}

func (t tapes) Part(id string) (page.Recording, bool) {
	return t.Parts(nil)[0], id == "c1-1"
}

func (tapes) Sound(string, string, bool) (io.ReadSeekCloser, error) {
	return silence{strings.NewReader("RIFF")}, nil
}

func (tapes) Hold(string, string, bool) error { return nil }

func (tapes) Delete(string, string) error { return nil }

func (tapes) Total() (int, int64) { return 2, 9_600_000 }

func (tapes) Check() {}

func (tapes) Checked() page.Checked {
	return page.Checked{At: time.Date(2026, 3, 2, 9, 0, 40, 0, time.UTC), Files: 2, Wrong: []string{"recording " + Hostile + ": the file was changed"}}
}

type silence struct{ *strings.Reader }

func (silence) Close() error { return nil }

// past are records with a hostile word wherever one can come from outside.
func past() web.Records {
	s, began := &memory.Store{}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // as the address of its story says
	call := tel.CallEnded{
		Call: "c1", Direction: tel.Inbound, From: "+390612345679", To: "+390698765432", In: "trunk:tim", DivertedBy: Hostile, Queue: "sales", Agent: "anna", Recovered: true,
		Started: began, Answered: began.Add(40 * time.Second), Ended: began.Add(10 * time.Minute), Cause: tel.CauseNormal, EndedBy: "caller", Recordings: []tel.Recorded{{ID: "c1-1", Chain: "c1"}},
		Moves: []tel.Move{{At: began.Add(time.Minute), Kind: tel.MoveBlind, By: "phone:201", To: Hostile}}, Media: []tel.LegNote{{Party: "trunk:" + Hostile, Codec: Hostile, Received: 123456, Sound: tel.LegSound{Heard: 2.1, Hears: 3.7, Trouble: tel.SoundBursts, Place: tel.SoundAtCarrier}}}, Machine: tel.MachineModem,
	}
	hidden := tel.CallEnded{Call: "c2", Direction: tel.Inbound, In: "line:gsm0", Queue: "help", Started: began.Add(time.Minute), Ended: began.Add(2 * time.Minute), Cause: tel.CauseNetworkFailure}
	wait := tel.QueueLeft{Queue: "sales", Call: "c1", Caller: call.From, Joined: began, Left: call.Answered, Outcome: tel.OutcomeAnswered, Agent: "anna", Offers: 2, Rang: []tel.AgentID{"bruno", "anna"}, To: Hostile}
	ctx := context.Background()
	_ = s.PutCalls(ctx, store.Call{Pos: 1, CallEnded: call}, store.Call{Pos: 2, CallEnded: hidden}) // memory takes everything
	_ = s.PutWaits(ctx, store.Wait{Pos: 3, QueueLeft: wait})
	_ = s.PutCallbacks(ctx, store.Callback{Pos: 4, CallbackChanged: tel.CallbackChanged{Callback: "cb", Queue: "sales", State: tel.CallbackEnded, Outcome: tel.CallbackReached, Number: "+390612345679", Name: Hostile, Asked: began, Attempts: 2, Agent: "anna"}})
	_ = s.PutMissed(ctx, store.Missed{Pos: 5, MissedChanged: tel.MissedChanged{Number: "+390612345679", Name: Hostile, Queue: "sales", Calls: 3, First: began, Last: began, Why: tel.MissedRefused, Closed: tel.MissedCalledBack, By: "bruno"}})
	return s
}

// aSupervisorDirects goes from the live page to a waiting caller, decides, and is told what was refused;
// looks at the callbacks and drops one; on the way nothing is cut and no name becomes markup.
func aSupervisorDirects(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Attack(time.Now()))
	p := b.Open(t, o.url("?lang=it"), Look{})
	p.Wait(t, isLive)
	p.Eval(t, `document.querySelector("#wait-w1 a").click()`, nil)
	p.Wait(t, `location.pathname === "/waiting/w1" && !!document.getElementById("agent")`)
	whole := func(where string) {
		t.Helper()
		p.Wait(t, `document.readyState === "complete"`) // with its style
		for _, width := range []int{360, 1280} {
			p.Look(t, Look{Width: width, Height: 900})
			var sticks []string
			if p.Eval(t, cut, &sticks); len(sticks) > 0 {
				t.Errorf("%s at %d: cut:\n%s", where, width, strings.Join(sticks, "\n"))
			}
		}
		p.Wait(t, `document.title !== "taken" && !document.querySelector("main img")`)
	}
	whole("the caller")
	p.Eval(t, `document.getElementById("agent").form.requestSubmit()`, nil)
	p.Wait(t, `!!document.querySelector("[role=alert]") && document.querySelector("[role=alert]").innerText.includes("ha una chiamata")`)
	p.Eval(t, `document.querySelector("tbody a").click()`, nil)
	p.Wait(t, `location.pathname === "/agents/agent1" && !!document.getElementById("skill")`)
	whole("the agent")
	p.Eval(t, `location.href = "/callbacks?lang=it"`, nil)
	p.Wait(t, `location.pathname === "/callbacks" && !!document.querySelector("#callback-cb1 a")`)
	whole("the callbacks")
	p.Eval(t, `document.querySelector("#callback-cb1 a").click()`, nil)
	p.Wait(t, `location.pathname === "/callbacks/cb1" && !!document.querySelector("form.desk button")`)
	whole("one that is dropped")
	p.Eval(t, `document.querySelector("form.desk").requestSubmit()`, nil)
	p.Wait(t, `location.pathname === "/callbacks" && !!document.querySelector("#callback-cb1 a")`)
	p.Eval(t, `location.href = "/waiting/w1?lang=it"`, nil)
	p.Wait(t, `location.pathname === "/waiting/w1" && !!document.getElementById("queue")`)
	p.Eval(t, `document.getElementById("queue").form.requestSubmit()`, nil)
	p.Wait(t, isLive+` && location.pathname === "/"`)
	noFaults(t, p, "409")
}
