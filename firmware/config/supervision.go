package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Supervision is under which conditions the conversations of agents may be listened to, whispered and
// barged into, and taken over. Without a legal basis that holds today nobody may (art. 4 of the
// Italian law 300/1970). Who may is said at the person, by Agent.Supervises. Applied at once, also to
// who listens at the moment.
type Supervision struct {
	LegalBasis LegalBasis `yaml:"legal_basis"`
	Modes      []string   `yaml:"modes"`  // listen, whisper, barge, take_over; default all; [] is none
	Follow     bool       `yaml:"follow"` // who supervises stays with the customer when the agent transfers the call; default true
	Tone       bool       `yaml:"tone"`   // the agent hears two short tones when it begins, besides the lamp; default true
}

// LegalBasis is the ground on which workers may be monitored at a distance.
type LegalBasis struct {
	Kind      string   `yaml:"kind"`               // none (default), union_agreement or inspectorate_authorisation
	Reference string   `yaml:"reference"`          // its number, as in the document; needed unless none
	Date      string   `yaml:"date"`               // of the document, 2026-01-31; it holds from this day on; needed unless none
	Expires   string   `yaml:"expires"`            // the last day on which it holds; default it does not expire
	Purposes  []string `yaml:"purposes,omitempty"` // what it allows monitoring for: quality, training, safety, troubleshooting; at least one unless none
}

// The kinds of legal basis.
const (
	NoBasis                   = "none"
	UnionAgreement            = "union_agreement"
	InspectorateAuthorisation = "inspectorate_authorisation"
)

func defaultSupervision() Supervision {
	s := Supervision{LegalBasis: LegalBasis{Kind: NoBasis}, Follow: true, Tone: true}
	for _, m := range tel.SupervisionModes() {
		s.Modes = append(s.Modes, string(m))
	}
	return s
}

// Holds is empty when the basis allows monitoring on a day, by the clock of t; otherwise it says why
// not.
func (b LegalBasis) Holds(t time.Time) tel.SupervisionEnd {
	if b.Kind == NoBasis || b.Kind == "" {
		return tel.SupervisionNoBasis
	}
	today := t.Format(time.DateOnly)
	if today < b.Date || b.Expires != "" && today > b.Expires {
		return tel.SupervisionExpired
	}
	return ""
}

// Troubleshooting is the purpose of a legal basis that allows RTP to be kept in traces.
const Troubleshooting = "troubleshooting"

// HoldsFor is Holds for one of its purposes: what it was not made for it does not allow (GDPR art. 5(1)(b)).
func (b LegalBasis) HoldsFor(purpose string, t time.Time) bool {
	return b.Holds(t) == "" && slices.Contains(b.Purposes, purpose)
}

// String is the basis as a record keeps it.
func (b LegalBasis) String() string {
	text := b.Kind
	if b.Reference != "" {
		text += " " + b.Reference
	}
	if b.Date != "" {
		text += " of " + b.Date
	}
	if len(b.Purposes) > 0 {
		text += " for " + strings.Join(b.Purposes, ", ")
	}
	return text
}

// MaySupervise reports whether a person supervises another, or the calls of a queue.
func (a *Agent) MaySupervise(other tel.AgentID, queue tel.QueueID) bool {
	return slices.Contains(a.Supervises, "agent:"+string(other)) || queue != "" && slices.Contains(a.Supervises, "queue:"+string(queue))
}

func (v *validator) supervision() {
	s := &v.c.Supervision
	for i, m := range s.Modes {
		if !slices.Contains(tel.SupervisionModes(), tel.SupervisionMode(m)) {
			v.found.add(fmt.Sprintf("supervision.modes[%d]", i), "choice", "%q is not one of listen, whisper, barge, take_over", m)
		}
	}
	v.basis("supervision.legal_basis", &s.LegalBasis)
	for i := range v.c.Agents {
		a := &v.c.Agents[i]
		for k, whom := range a.Supervises {
			path := fmt.Sprintf("agents[%d].supervises[%d]", i, k)
			kind, id, _ := strings.Cut(whom, ":")
			switch {
			case kind != "queue" && kind != "agent" || !v.ids[kind+"/"+id]:
				v.found.add(path, "unknown", "there is no %q; write queue:ID or agent:ID", whom)
			case kind == "agent" && id == string(a.ID):
				v.found.add(path, "self", "nobody supervises himself")
			}
		}
	}
}

func (v *validator) basis(path string, b *LegalBasis) {
	switch b.Kind {
	case NoBasis:
		if b.Reference != "" || b.Date != "" || b.Expires != "" || len(b.Purposes) > 0 {
			v.found.add(path+".kind", "choice", "is none, but a document is named: write union_agreement or inspectorate_authorisation")
		}
		return
	case UnionAgreement, InspectorateAuthorisation:
	default:
		v.found.add(path+".kind", "choice", "%q is not one of none, union_agreement, inspectorate_authorisation", b.Kind)
		return
	}
	if b.Reference == "" || len(b.Reference) > 100 {
		v.found.add(path+".reference", "missing", "needs the number of the document, at most 100 characters")
	}
	if _, err := time.Parse(time.DateOnly, b.Date); err != nil {
		v.found.add(path+".date", "date", "%q is not a day such as 2026-01-31", b.Date)
	}
	if b.Expires != "" {
		if _, err := time.Parse(time.DateOnly, b.Expires); err != nil {
			v.found.add(path+".expires", "date", "%q is not a day such as 2026-01-31", b.Expires)
		} else if b.Expires < b.Date {
			v.found.add(path+".expires", "range", "%s is before the document's own day", b.Expires)
		}
	}
	if len(b.Purposes) == 0 {
		v.found.add(path+".purposes", "missing", "needs at least one of quality, training, safety, troubleshooting")
	}
	for i, p := range b.Purposes {
		if !slices.Contains([]string{"quality", "training", "safety", Troubleshooting}, p) {
			v.found.add(fmt.Sprintf("%s.purposes[%d]", path, i), "choice", "%q is not one of quality, training, safety, troubleshooting", p)
		}
	}
}
