package config

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const agreed = `
supervision:
  legal_basis: {kind: union_agreement, reference: "7/2026", date: "2026-01-31", expires: "2027-01-31", purposes: [quality, training]}
`

func TestWithoutALegalBasisNobodyMaySupervise(t *testing.T) {
	c := parsed(t, office)
	if c.Supervision.LegalBasis.Kind != NoBasis || len(c.Supervision.Modes) != 4 || !c.Supervision.Follow || !c.Supervision.Tone {
		t.Errorf("defaults: %+v", c.Supervision)
	}
	at := func(day string) time.Time {
		d, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return d.Add(12 * time.Hour)
	}
	if why := c.Supervision.LegalBasis.Holds(at("2026-06-01")); why != tel.SupervisionNoBasis {
		t.Errorf("none: %q", why)
	}
	b := parsed(t, office+agreed).Supervision.LegalBasis
	for day, want := range map[string]tel.SupervisionEnd{
		"2026-01-30": tel.SupervisionExpired, "2026-01-31": "", "2026-06-01": "", "2027-01-31": "", "2027-02-01": tel.SupervisionExpired,
	} {
		if why := b.Holds(at(day)); why != want {
			t.Errorf("on %s: %q, want %q", day, why, want)
		}
	}
	if got := b.String(); got != "union_agreement 7/2026 of 2026-01-31 for quality, training" {
		t.Errorf("on record it is %q", got)
	}
	b.Expires = ""
	if why := b.Holds(at("2099-01-01")); why != "" {
		t.Errorf("without an end: %q", why)
	}
}

func TestASupervisorSupervisesPeopleAndTheCallsOfQueues(t *testing.T) {
	a := Agent{ID: "boss", Supervises: []string{"queue:sales", "agent:bruno"}}
	for _, c := range []struct {
		agent tel.AgentID
		queue tel.QueueID
		want  bool
	}{{"bruno", "", true}, {"bruno", "desk", true}, {"anna", "sales", true}, {"anna", "desk", false}, {"anna", "", false}, {"", "", false}} {
		if got := a.MaySupervise(c.agent, c.queue); got != c.want {
			t.Errorf("%s in a call of %q: %v", c.agent, c.queue, got)
		}
	}
}

func TestWhatIsWrongWithSupervisionIsSaidByItsPath(t *testing.T) {
	for text, want := range map[string][]string{
		`modes: [listen, spy]`:                 {"supervision.modes[1]"},
		`legal_basis: {kind: habit}`:           {"supervision.legal_basis.kind"},
		`legal_basis: {reference: "7"}`:        {"supervision.legal_basis.kind"},
		`legal_basis: {kind: union_agreement}`: {"supervision.legal_basis.reference", "supervision.legal_basis.date", "supervision.legal_basis.purposes"},
		`legal_basis: {kind: union_agreement, reference: "7", date: "31.1.26", purposes: [fun]}`:                              {"supervision.legal_basis.date", "supervision.legal_basis.purposes[0]"},
		`legal_basis: {kind: union_agreement, reference: "7", date: "2026-01-31", expires: never, purposes: [safety]}`:        {"supervision.legal_basis.expires"},
		`legal_basis: {kind: union_agreement, reference: "7", date: "2026-01-31", expires: "2026-01-30", purposes: [safety]}`: {"supervision.legal_basis.expires"},
		`legal_basis: {kind: inspectorate_authorisation, reference: "7", date: "2026-01-31", purposes: [safety]}`:             nil,
		`modes: []`: nil,
	} {
		_, err := Parse([]byte(office + "supervision: {" + text + "}"))
		p, _ := errors.AsType[Problems](err)
		var got []string
		for _, x := range p {
			got = append(got, x.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	c := parsed(t, office)
	c.Agents[0].Supervises = []string{"queue:sales", "queue:none", "agent:anna", "bruno", "agent:bruno"}
	var got []string
	for _, x := range c.Validate() {
		got = append(got, x.Path)
	}
	if want := []string{"agents[0].supervises[1]", "agents[0].supervises[2]", "agents[0].supervises[3]"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// RTP is kept in traces on a legal basis that was made for that, and on no other.
func TestALegalBasisAllowsWhatItWasMadeFor(t *testing.T) {
	day := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	b := LegalBasis{Kind: UnionAgreement, Reference: "7", Date: "2026-01-31", Expires: "2026-12-31", Purposes: []string{"quality", "training"}}
	if b.HoldsFor(Troubleshooting, day) || !b.HoldsFor("quality", day) {
		t.Error("it allows what it does not name, or not what it names")
	}
	b.Purposes = append(b.Purposes, Troubleshooting)
	if !b.HoldsFor(Troubleshooting, day) || b.HoldsFor(Troubleshooting, day.AddDate(1, 0, 0)) || b.HoldsFor(Troubleshooting, day.AddDate(-1, 0, 0)) {
		t.Error("it does not hold in its time, or beyond")
	}
	b.Kind = NoBasis
	if b.HoldsFor(Troubleshooting, day) {
		t.Error("no basis allows something")
	}
	text := office + "supervision: {legal_basis: {kind: union_agreement, reference: \"7\", date: \"2026-01-31\", purposes: [troubleshooting]}}\n"
	if c := parsed(t, text); !c.Supervision.LegalBasis.HoldsFor(Troubleshooting, day) {
		t.Errorf("%+v", c.Supervision)
	}
}
