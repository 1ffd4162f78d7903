package appliance

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

const twoFloors = `
agents:
  - {id: anna, name: Anna, extension: "201", login: true, skills: {english: 7}}
  - {id: bruno, name: Bruno, extension: "202", login: true}
  - {id: carla, name: Carla, extension: "203"}
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna, bruno], distribution: {needs: {english: 3}}}
  - {id: help, name: Aiuto, number: "401", agents: [bruno]}
pauses: {only: true, reasons: [{code: "1", name: Pranzo}]}
`

func TestEveryVerdictAndEveryRefusalHasItsWordsInBothLanguages(t *testing.T) {
	var sentences []string
	for _, v := range plan.Verdicts() {
		sentences = append(sentences, "why."+string(v))
	}
	for _, err := range []error{
		plan.ErrNoCaller, plan.ErrUnknownCallback, plan.ErrUnknownAgent, plan.ErrUnknownQueue, plan.ErrSameQueue, plan.ErrLoggedOut, plan.ErrUnreachable, plan.ErrBusy,
		plan.ErrNotMember, plan.ErrConfig, errReason, errCommand,
	} {
		s, fault := refusedOrder(err)
		if fault != nil {
			t.Errorf("%v is no refusal", err)
		}
		sentences = append(sentences, s)
	}
	if _, fault := refusedOrder(journal.ErrClosed); fault == nil {
		t.Error("a fault of ours is told as a refusal")
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sentences {
			if !cat.Has(s) {
				t.Errorf("%s lacks %q", lang, s)
			}
		}
	}
}

func TestAWaitingCallerIsExplainedOnThePage(t *testing.T) {
	b := start(t, twoFloors)
	ctx := t.Context()
	b.box.queues.Tell(tel.AgentReachable{Agent: "bruno", Reachable: true})
	b.box.queues.Tell(tel.Enqueue{Call: "c1", Queue: "sales", Caller: "+39061", Name: "Rossi", EnqueuedAt: time.Now().Add(-time.Minute)})
	b.box.queues.Tell(tel.Enqueue{Call: "c2", Queue: "sales", EnqueuedAt: time.Now()})
	c, err := b.box.waitingCaller(ctx, "c2")
	if err != nil || c == nil {
		t.Fatalf("%+v, %v", c, err)
	}
	if c.Queue != "sales" || c.QueueName != "Vendite" || c.Place != 2 || c.Of != 2 || !c.Due.After(c.Since) || len(c.Needs) != 1 || c.Needs[0].Skill != "english" {
		t.Errorf("the caller: %+v", c)
	}
	if len(c.Queues) != 1 || c.Queues[0].ID != "help" || len(c.People) != 2 || c.People[1].Name != "Bruno" || c.Offer != nil {
		t.Errorf("what can be chosen: %+v", c)
	}
	if len(c.Verdicts) != 2 || c.Verdicts[0].Name != "Anna" || c.Verdicts[0].Says.Sentence != "state.unreachable" || c.Verdicts[1].Says.Sentence != "why.skill_too_low" {
		t.Fatalf("verdicts %+v", c.Verdicts)
	}
	if got := c.Verdicts[1].Says.Args; !slices.Equal(got, []any{"english", 0, 3}) {
		t.Errorf("of Bruno: %v", got)
	}
	b.box.queues.Tell(tel.AgentReachable{Agent: "anna", Reachable: true}) // and rings for the first
	if c, err = b.box.waitingCaller(ctx, "c1"); err != nil || c.Offer == nil || c.Offer.Agent != "Anna" || len(c.Offer.Why) == 0 || len(c.Offer.Passed) != 1 || c.Offer.Passed[0].Name != "Bruno" || c.Offer.Passed[0].Says.Sentence != "why.skill_too_low" {
		t.Errorf("who rings: %+v, %v", c.Offer, err)
	}
	b.box.queues.Tell(tel.CallerGone{Call: "c1"})
	if c, err = b.box.waitingCaller(ctx, "c1"); c != nil || err != nil {
		t.Errorf("of who has hung up: %+v, %v", c, err)
	}
	if _, known := b.box.offered.of("c1"); known {
		t.Error("the offer is remembered after the caller")
	}
}

// What a supervisor decides holds, is shown with the name of who decided it, and stands in the audit log;
// what is refused does not.
func TestASupervisorsDecisionsAreCarriedOutAndWrittenDown(t *testing.T) {
	b := start(t, twoFloors)
	ctx := t.Context()
	b.box.queues.Tell(tel.Enqueue{Call: "c1", Queue: "sales", EnqueuedAt: time.Now()})
	agent := func() *page.Agent {
		a, err := b.box.agentPage(ctx, "anna")
		if err != nil || a == nil {
			t.Fatalf("%+v, %v", a, err)
		}
		return a
	}
	if a := agent(); len(a.Waiting) != 1 || !slices.Equal(a.Known, []string{"english"}) || len(a.Others) != 1 || a.Others[0].ID != "help" || len(a.Desk.Reasons) != 1 {
		t.Errorf("the page: %+v", a)
	}
	serves := func(a *page.Agent, id tel.QueueID) bool {
		return slices.ContainsFunc(a.Desk.Queues, func(q page.DeskQueue) bool { return q.ID == id && q.Serving })
	}
	for _, c := range []struct {
		order    web.Order
		sentence string
		is       func(*page.Agent) bool
	}{
		{web.Order{Do: "assign", Call: "c1", Agent: "anna"}, "floor.unreachable", nil},
		{web.Order{Do: "assign", Call: "c9", Agent: "anna"}, "floor.gone", nil},
		{web.Order{Do: "move", Call: "c1", With: "sales"}, "floor.same_queue", nil},
		{web.Order{Do: "move", Call: "c1", With: "help"}, "", func(a *page.Agent) bool { return len(a.Waiting) == 0 }}, // its call brings it to the other queue
		{web.Order{Do: "pause", Agent: "anna", With: "Pranzo"}, "", func(a *page.Agent) bool {
			return a.Desk.State == tel.AgentPaused && a.Desk.Reason == "Pranzo" && a.Desk.By == "sara"
		}},
		{web.Order{Do: "pause", Agent: "anna", With: "a reason of my own"}, "form.unread", func(a *page.Agent) bool { return a.Desk.Reason == "Pranzo" }},
		{web.Order{Do: "remove", Agent: "anna", With: "sales"}, "", func(a *page.Agent) bool { return !serves(a, "sales") }},
		{web.Order{Do: "remove", Agent: "carla", With: "help"}, "floor.not_member", nil},
		{web.Order{Do: "add", Agent: "anna", With: "sales"}, "", func(a *page.Agent) bool { return serves(a, "sales") }},
		{web.Order{Do: "add", Agent: "anna", With: "help"}, "", func(a *page.Agent) bool { return serves(a, "help") && len(a.Others) == 0 }},
		{web.Order{Do: "add", Agent: "anna", With: "nowhere"}, "floor.no_queue", nil},
		{web.Order{Do: "skill", Agent: "anna", With: "greek", Level: 2}, "", func(a *page.Agent) bool {
			return slices.Equal(a.Skills, []page.Skill{{Name: "english", Level: 7}, {Name: "greek", Level: 2}})
		}},
		{web.Order{Do: "skill", Agent: "anna", With: "english"}, "", func(a *page.Agent) bool { return len(a.Skills) == 1 && a.Skills[0].Name == "greek" }},
		{web.Order{Do: "skill", Agent: "anna", With: "english", Level: 11}, "form.unread", func(a *page.Agent) bool { return len(a.Skills) == 1 }},
		{web.Order{Do: "skill", Agent: "nobody", With: "english", Level: 1}, "floor.no_agent", nil},
		{web.Order{Do: "logout", Agent: "anna"}, "", func(a *page.Agent) bool { return a.Desk.State == tel.AgentLoggedOut && a.Desk.By == "sara" }},
		{web.Order{Do: "promote", Agent: "anna"}, "form.unread", nil},
	} {
		c.order.By, c.order.From = "sara", "192.168.1.20"
		sentence, err := b.box.orderFromPage(ctx, c.order)
		if err != nil || sentence != c.sentence {
			t.Errorf("%+v: %q, %v, want %q", c.order, sentence, err, c.sentence)
		}
		if a := agent(); c.is != nil && !c.is(a) {
			t.Errorf("after %+v: %+v", c.order, a)
		}
	}
	want := []string{
		"caller_moved c1 help", "agent_paused anna", "agent_taken_out_of_queue anna sales", "agent_put_in_queue anna sales", "agent_put_in_queue anna help",
		"agent_skill_set anna greek", "agent_skill_set anna english", "agent_logged_out anna",
	}
	if deeds := b.deeds(); !slices.Equal(deeds, want) {
		t.Errorf("written down %q, want %q", deeds, want)
	}
	if a, err := b.box.agentPage(ctx, "nobody"); a != nil || err != nil {
		t.Errorf("of nobody: %+v, %v", a, err)
	}
}

// deeds is what the audit log says was decided; who is not sara at her desk is named.
func (b *bench) deeds() (deeds []string) {
	b.t.Helper()
	if err := b.box.history.Read(0, func(r journal.Record) error {
		if r.Kind == (tel.PageAccessed{}).Kind() {
			var e tel.PageAccessed
			if err := json.Unmarshal(r.Body, &e); err != nil || e.At.IsZero() {
				b.t.Errorf("%s: %v", r.Body, err)
			}
			if e.User != "sara" || e.From != "192.168.1.20" {
				e.Whom += " by " + e.User
			}
			deeds = append(deeds, e.What+" "+e.Whom)
		}
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	return deeds
}
