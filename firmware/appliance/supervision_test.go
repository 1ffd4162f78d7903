package appliance

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWhoMaySuperviseIsSaidByTheConfigurationOfToday(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, rome)
	c := config.Default()
	c.Agents = []config.Agent{{ID: "anna"}, {ID: "bruno"}, {ID: "boss", Supervises: []string{"queue:sales", "agent:bruno"}}}
	c.Supervision.LegalBasis = config.LegalBasis{Kind: config.UnionAgreement, Reference: "7", Date: "2026-01-31", Expires: "2026-12-31", Purposes: []string{"quality"}}
	for name, x := range map[string]struct {
		by, agent tel.AgentID
		queue     tel.QueueID
		at        time.Time
		edit      func(*config.Supervision)
		why       tel.SupervisionEnd
		modes     int
	}{
		"a person of his in any call":             {by: "boss", agent: "bruno", modes: 4},
		"a call of his queue":                     {by: "boss", agent: "anna", queue: "sales", modes: 4},
		"a call of another queue":                 {by: "boss", agent: "anna", queue: "desk", why: tel.SupervisionNotYours},
		"an own call of somebody of his queue":    {by: "boss", agent: "anna", why: tel.SupervisionNotYours},
		"a person who supervises nobody":          {by: "anna", agent: "bruno", queue: "sales", why: tel.SupervisionNotYours},
		"nobody, such as a phone of a place":      {agent: "bruno", queue: "sales", why: tel.SupervisionNotYours},
		"himself":                                 {by: "boss", agent: "boss", queue: "sales", why: tel.SupervisionNotYours},
		"after the last day":                      {by: "boss", agent: "bruno", at: time.Date(2027, 1, 1, 0, 0, 0, 0, rome), why: tel.SupervisionExpired},
		"in the last minute, by the site's clock": {by: "boss", agent: "bruno", at: time.Date(2026, 12, 31, 23, 59, 0, 0, rome), modes: 4},
		"where only listening is allowed":         {by: "boss", agent: "bruno", edit: func(s *config.Supervision) { s.Modes = []string{"listen"} }, modes: 1},
		"without a basis":                         {by: "boss", agent: "bruno", edit: func(s *config.Supervision) { s.LegalBasis = config.LegalBasis{Kind: config.NoBasis} }, why: tel.SupervisionNoBasis},
	} {
		now := c.Clone()
		if x.edit != nil {
			x.edit(&now.Supervision)
		}
		at := noon
		if !x.at.IsZero() {
			at = x.at
		}
		p := permit(&now, x.by, x.agent, x.queue, at)
		if p.Why != x.why || len(p.Modes) != x.modes || !p.Follow || !p.Tone || p.Basis == "" {
			t.Errorf("%s: %+v, want %q and %d modes", name, p, x.why, x.modes)
		}
	}
	none := config.Default()
	if !anySupervisor(&c) || anySupervisor(&none) {
		t.Error("whether anybody supervises is not known")
	}
}

func TestThePresentKnowsWhoIsSupervised(t *testing.T) {
	p := newPresent(time.UTC)
	span := tel.Supervision{Leg: "l1", By: "boss", Agent: "anna", Mode: tel.SuperviseListen}
	p.apply(tel.SupervisionStarted{Supervision: span})
	p.apply(tel.SupervisionStarted{Supervision: tel.Supervision{Leg: "l2", By: "owner", Agent: "anna", Mode: tel.SuperviseListen}})
	p.apply(tel.SupervisionEnded{Supervision: span})
	if !p.supervised("anna") || p.supervised("bruno") {
		t.Error("of two who take part one has left")
	}
	span.Leg = "l2"
	p.apply(tel.SupervisionEnded{Supervision: span})
	if p.supervised("anna") || slices.ContainsFunc(p.snapshot().([]tel.Event), func(e tel.Event) bool { return e.Kind() == "supervision_started" }) {
		t.Error("a supervision that has ended is remembered")
	}
}
