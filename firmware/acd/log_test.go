package acd

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTheLogSaysWhyAnAgentRingsAndWhyACallerIsSentOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := newHouse(), &bytes.Buffer{}
		cfg := h.config()
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		cfg.Agents[1].Skills = map[string]int{"english": 6}
		cfg.Queues[0].NoSkillTo = "ext:9"
		a := open(t, cfg)
		defer a.Close()
		for _, id := range []tel.AgentID{"anna", "bruno"} {
			tell(t, a, tel.AgentReachable{Agent: id, Reachable: true})
			do(t, a.Login(t.Context(), id))
		}
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", Needs: []tel.Need{{Skill: "english", Level: 5}}, EnqueuedAt: time.Now()})
		tell(t, a, tel.Enqueue{Call: "c2", Queue: "q", Needs: []tel.Need{{Skill: "greek", Level: 1}}, EnqueuedAt: time.Now()})
		tell(t, a, tel.AgentReachable{Agent: "anna", Silent: true})
		for _, want := range []string{
			`level=WARN msg="an agent's phone is registered and does not answer" agent=anna`,
			`msg="agent rings" queue=q call=c1 agent=bruno why="longest idle of 1 free; not anna skill_too_low (english 0 of 5)"`,
			`msg="caller is sent on" queue=q call=c2 outcome=refused why=no_skill to=ext:9`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s\n%s", want, log)
			}
		}
		v, err := a.Snapshot(t.Context())
		do(t, err)
		if w := v.Queues[0].Waiting; len(w) != 1 || w[0].Needs[0].Level != 5 || !w[0].Due.Equal(w[0].Since.Add(20*time.Second)) {
			t.Errorf("the waiting caller is shown as %+v", w)
		}
		list, err := a.Explain(t.Context(), "c1")
		do(t, err)
		if len(list) != 2 || list[0].Verdict != plan.PhoneSilent || list[1].Verdict != plan.TookCall {
			t.Errorf("explained as %v", list)
		}
	})
}

func TestTheDaysOfTheQueuesBeginByTheClockOfTheSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		cfg := h.config()
		cfg.Zone = "Europe/Rome"
		a := open(t, cfg)
		v, err := a.Snapshot(t.Context())
		do(t, err)
		do(t, a.SetZone(t.Context(), "Asia/Tokyo"))
		now, err := a.Snapshot(t.Context())
		do(t, err)
		a.Close()
		if v.Zone != "Europe/Rome" || now.Zone != "Asia/Tokyo" {
			t.Errorf("zones %q and %q", v.Zone, now.Zone)
		}
		kept := map[string][]byte{}
		for k, b := range h.hot {
			kept[k] = b
		}
		cfg.Kept, cfg.Zone = kept, "Asia/Tokyo"
		before := len(h.history)
		again := open(t, cfg)
		defer again.Close()
		now, err = again.Snapshot(t.Context())
		do(t, err)
		for _, r := range h.history[before:] {
			if strings.Contains(string(r.Body), `"set_zone"`) {
				t.Error("a zone that is known is set again")
			}
		}
		if now.Zone != "Asia/Tokyo" {
			t.Errorf("after a restart the zone is %q", now.Zone)
		}
	})
}
