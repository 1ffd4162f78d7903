package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Difference is a decision that comes out otherwise than it is recorded.
type Difference struct {
	Decision int       // its place among those that were made again, from 1
	At       time.Time // when it was made
	Event    string    // the kind of what was decided about
	Call     tel.CallID
	Caller   tel.Number // of Call, where the state knows it
	Recorded string     // the first effect that differs, as it was recorded; empty: there was none
	Decided  string     // and as it was decided now
	Why      string     // of an agent who rings now or rang then, why this one
}

// String says it in English, for a console.
func (d Difference) String() string {
	who := ""
	if d.Call != "" {
		who = fmt.Sprintf(", call %s", d.Call)
	}
	if d.Caller != "" {
		who += fmt.Sprintf(" from %s", d.Caller)
	}
	line := fmt.Sprintf("%s, decision %d (%s)%s\n  recorded: %s\n  decided:  %s", d.At.Format("2006-01-02 15:04:05.000 MST"), d.Decision, d.Event, who, orNothing(d.Recorded), orNothing(d.Decided))
	if d.Why != "" {
		line += "\n  because:  " + d.Why
	}
	return line
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Check decides a journal again, record by record. Its zero value is ready.
type Check struct {
	Most int // differences that are kept; 0: one

	Decisions   int          // that were made again
	Passed      int          // that could not be: before the first whole state, or after a gap
	Different   int          // of those made again
	Differences []Difference // the first of them
	Unreadable  int          // records that make no sense

	state  plan.State
	parts  stateReader
	begun  bool
	number uint64
}

// State is where the queues stand after the last record that was taken.
func (c *Check) State() *plan.State { return &c.state }

// Take decides one record again; kinds that are not the queues' are passed over. After a difference, and after a
// gap, it goes on with the next whole state: what follows from a difference is none of its own. Errors as of
// ReadDecision; the record is passed over then.
func (c *Check) Take(kind string, body []byte) error {
	var err error
	switch kind {
	case KindState:
		err = c.takeState(body)
	case KindDecision:
		err = c.takeDecision(body)
	}
	if err != nil {
		c.Unreadable++
		c.begun = false // whatever follows may follow from it
	}
	return err
}

func (c *Check) takeState(body []byte) error {
	s, whole, err := c.parts.take(body)
	if err != nil || !whole {
		return err
	}
	c.state, c.begun, c.number = s, true, 0
	return nil
}

func (c *Check) takeDecision(body []byte) error {
	d, e, err := ReadDecision(body)
	if err != nil {
		return err
	}
	if gap := c.number != 0 && d.N != 0 && d.N != c.number+1; gap {
		c.begun = false
	}
	c.number = d.N
	if !c.begun {
		c.Passed++
		return nil
	}
	c.Decisions++
	var effects []plan.Effect
	c.state, effects = plan.Next(c.state, e, d.At, d.Seed)
	decided, err := json.Marshal(effects)
	if err != nil {
		return err
	}
	if bytes.Equal(decided, d.Effects) {
		return nil
	}
	c.Different++
	c.begun = false
	if len(c.Differences) < max(1, c.Most) {
		c.Differences = append(c.Differences, c.differ(d, e, effects))
	}
	return nil
}

// differ finds the first effect that differs.
func (c *Check) differ(d Decision, e plan.Event, effects []plan.Effect) Difference {
	x := Difference{Decision: c.Decisions, At: d.At, Event: d.Kind, Call: callOf(e)}
	var recorded []json.RawMessage
	if err := json.Unmarshal(d.Effects, &recorded); err != nil {
		recorded = []json.RawMessage{d.Effects}
	}
	for i := range max(len(recorded), len(effects)) {
		var was, is []byte
		if i < len(recorded) {
			was = recorded[i]
		}
		if i < len(effects) {
			is, _ = json.Marshal(effects[i]) // encoded above
		}
		if bytes.Equal(was, is) {
			continue
		}
		x.Recorded, x.Decided = string(was), string(is)
		x.explain(was, is)
		break
	}
	if x.Caller == "" {
		if entry := c.state.Entries[x.Call]; entry != nil {
			x.Caller = entry.Caller
		}
	}
	return x
}

// explain takes the call, the caller and the reason out of the effects.
func (d *Difference) explain(was, is []byte) {
	var why []string
	for _, side := range []struct {
		name string
		body []byte
	}{{"recorded", was}, {"decided", is}} {
		var x struct {
			Body struct {
				Call        tel.CallID
				Caller      tel.Number
				Agent       tel.AgentID
				Because     tel.OfferReason
				Queue       tel.QueueID
				Outcome, To string
			}
		}
		if json.Unmarshal(side.body, &x) != nil {
			continue
		}
		if d.Call == "" {
			d.Call = x.Body.Call
		}
		if d.Caller == "" {
			d.Caller = x.Body.Caller
		}
		if x.Body.Because.Merit != "" {
			why = append(why, fmt.Sprintf("%s %s: %s", side.name, x.Body.Agent, x.Body.Because))
		}
	}
	for i, w := range why {
		if i > 0 {
			d.Why += "; "
		}
		d.Why += w
	}
}

// callOf is the call that an event is about; empty: about none, or only its offer is named.
func callOf(e plan.Event) tel.CallID {
	told, ok := e.(plan.Told)
	if !ok {
		return ""
	}
	switch m := told.Message.(type) {
	case tel.Enqueue:
		return m.Call
	case tel.CallerGone:
		return m.Call
	case tel.CallerKey:
		return m.Call
	case tel.CallerGreeted:
		return m.Call
	case tel.CallerNamed:
		return m.Call
	case tel.Announced:
		return m.Call
	case tel.WantCallback:
		return m.Call
	default:
		return ""
	}
}

// agentOf is the agent whom an event is about; empty: none.
func agentOf(e plan.Event) tel.AgentID {
	switch e := e.(type) {
	case plan.Login:
		return e.Agent
	case plan.Logout:
		return e.Agent
	case plan.Pause:
		return e.Agent
	case plan.Resume:
		return e.Agent
	case plan.FinishWrapUp:
		return e.Agent
	case plan.ExtendWrapUp:
		return e.Agent
	case plan.ForcePause:
		return e.Agent
	case plan.ForceLogout:
		return e.Agent
	case plan.Shift:
		return e.Agent
	case plan.Assign:
		return e.Agent
	case plan.Told:
		switch m := e.Message.(type) {
		case tel.AgentReachable:
			return m.Agent
		case tel.AgentEngaged:
			return m.Agent
		case tel.AgentDisengaged:
			return m.Agent
		case tel.AgentHeld:
			return m.Agent
		}
	}
	return ""
}

// offerOf is the offer that an event answers; empty: none.
func offerOf(e plan.Event) tel.OfferID {
	told, ok := e.(plan.Told)
	if !ok {
		return ""
	}
	switch m := told.Message.(type) {
	case tel.OfferRinging:
		return m.Offer
	case tel.OfferFailed:
		return m.Offer
	case tel.OfferSettled:
		return m.Offer
	case tel.OfferAnswered:
		return m.Offer
	case tel.OfferAccepted:
		return m.Offer
	case tel.TalkEnded:
		return m.Offer
	case tel.CallbackMissed:
		return m.Offer
	default:
		return ""
	}
}

// about is the same answer to another offer.
func about(e plan.Event, o tel.OfferID) plan.Event {
	told, ok := e.(plan.Told)
	if !ok {
		return e
	}
	switch m := told.Message.(type) {
	case tel.OfferRinging:
		m.Offer = o
		told.Message = m
	case tel.OfferFailed:
		m.Offer = o
		told.Message = m
	case tel.OfferSettled:
		m.Offer = o
		told.Message = m
	case tel.OfferAnswered:
		m.Offer = o
		told.Message = m
	case tel.OfferAccepted:
		m.Offer = o
		told.Message = m
	case tel.TalkEnded:
		m.Offer = o
		told.Message = m
	case tel.CallbackMissed:
		m.Offer = o
		told.Message = m
	}
	return told
}

// sortedKeys are the keys of a map in order.
func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
