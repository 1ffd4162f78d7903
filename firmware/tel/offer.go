package tel

import (
	"fmt"
	"strings"
	"time"
)

// OfferReason says why an agent rings for a caller, as codes and values: whoever shows it words it.
// String words it for the log.
type OfferReason struct {
	Merit OfferMerit `json:"merit"`
	// Value belongs to the merit: calls today, seconds talked today, or the weight of the lot.
	Value       int    `json:"value,omitempty"`
	By          string `json:"by,omitempty"`           // of MeritAssigned: who decided; empty: nobody is named
	BestSkilled bool   `json:"best_skilled,omitempty"` // the better skill went before the merit
	Free        int    `json:"free,omitempty"`         // free agents who could have taken the caller, this one among them
	Levels      bool   `json:"levels,omitempty"`       // the queue has levels, and Level is the agent's
	Level       int    `json:"level,omitempty"`
	// Passed are the free agents who could not take the caller; More says that there were others.
	Passed []PassedOver `json:"passed,omitempty"`
	More   bool         `json:"more,omitempty"`
}

// OfferMerit is what an agent was chosen for.
type OfferMerit string

// The merits. Those of the strategies first, in the order in which a configuration names them.
const (
	MeritLongestIdle OfferMerit = "longest_idle"
	MeritNextInTurn  OfferMerit = "next_in_turn"
	MeritFewestCalls OfferMerit = "fewest_calls"   // Value: calls today
	MeritLeastTalk   OfferMerit = "least_talk"     // Value: seconds today
	MeritOrder       OfferMerit = "first_in_order" // of the queue's list
	MeritFirstToRing OfferMerit = "first_to_ring"  // of several who ring
	MeritLot         OfferMerit = "lot"            // drawn by chance
	MeritWeightedLot OfferMerit = "weighted_lot"   // Value: the weight
	MeritServedLast  OfferMerit = "served_last"    // served this caller the last time
	MeritRingsAlong  OfferMerit = "rings_along"    // with the first to ring
	MeritAssigned    OfferMerit = "assigned"       // by a supervisor, or picked by the agent
)

// OfferMerits lists every merit.
func OfferMerits() []OfferMerit {
	return []OfferMerit{
		MeritLongestIdle, MeritNextInTurn, MeritFewestCalls, MeritLeastTalk, MeritOrder, MeritFirstToRing, MeritLot, MeritWeightedLot,
		MeritServedLast, MeritRingsAlong, MeritAssigned,
	}
}

// PassedOver is a free agent who could not take the caller.
type PassedOver struct {
	Agent   AgentID `json:"agent"`
	Verdict string  `json:"verdict"` // one of the planner's words, such as skill_too_low
	Skill   string  `json:"skill,omitempty"`
	Has     int     `json:"has,omitempty"`   // level of the skill
	Asked   int     `json:"asked,omitempty"` // level of the skill
	Level   int     `json:"level,omitempty"` // the agent's, where levels decide
	For     AgentID `json:"for,omitempty"`   // whom the caller waits for
}

// String is the reason in English, for a log.
func (r OfferReason) String() string {
	var b strings.Builder
	if r.BestSkilled {
		b.WriteString("best skilled, ")
	}
	b.WriteString(r.merit())
	if r.Merit == MeritRingsAlong || r.Merit == MeritAssigned {
		return b.String()
	}
	fmt.Fprintf(&b, " of %d free", r.Free)
	if r.Levels {
		fmt.Fprintf(&b, ", level %d", r.Level)
	}
	for i, p := range r.Passed {
		b.WriteString([]string{"; not ", ", "}[min(i, 1)])
		b.WriteString(p.String())
	}
	if r.More {
		b.WriteString(", and more")
	}
	return b.String()
}

func (r OfferReason) merit() string {
	switch r.Merit {
	case MeritLongestIdle:
		return "longest idle"
	case MeritNextInTurn:
		return "next in turn"
	case MeritFewestCalls:
		return fmt.Sprintf("fewest calls today (%d)", r.Value)
	case MeritLeastTalk:
		return fmt.Sprintf("least talk today (%v)", time.Duration(r.Value)*time.Second)
	case MeritOrder:
		return "first in order"
	case MeritFirstToRing:
		return "first to ring"
	case MeritLot:
		return "drawn by lot"
	case MeritWeightedLot:
		return fmt.Sprintf("drawn by lot with weight %d", r.Value)
	case MeritServedLast:
		return "served this caller last, first"
	case MeritRingsAlong:
		return "rings along"
	case MeritAssigned:
		if r.By != "" {
			return "assigned by " + r.By
		}
		return "assigned"
	default:
		return string(r.Merit)
	}
}

// String is the agent and the verdict in English, for a log.
func (p PassedOver) String() string {
	text := string(p.Agent) + " " + p.Verdict
	switch {
	case p.Skill != "":
		text += fmt.Sprintf(" (%s %d of %d)", p.Skill, p.Has, p.Asked)
	case strings.HasPrefix(p.Verdict, "level_"):
		text += fmt.Sprintf(" (level %d)", p.Level)
	case p.For != "":
		text += " (" + string(p.For) + ")"
	}
	return text
}
