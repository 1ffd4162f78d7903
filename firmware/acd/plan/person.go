package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Agent is one person. Its fields are facts, and State derives from them what the person does, so
// that no combination of events can leave a state that contradicts the facts.
type Agent struct {
	Spec      AgentSpec    `json:"spec"`
	LoggedIn  bool         `json:"logged_in,omitempty"`
	LoginAt   time.Time    `json:"login_at,omitzero"`   // of the shift that runs
	Reachable bool         `json:"reachable,omitempty"` // at least one phone is registered
	Silent    bool         `json:"silent,omitempty"`    // not reachable: no registered phone answers
	Paused    bool         `json:"paused,omitempty"`
	Reason    string       `json:"reason,omitempty"`   // of the pause, or of the logout
	By        string       `json:"by,omitempty"`       // who did it, if not the agent
	Help      bool         `json:"help,omitempty"`     // asks for a supervisor
	Offer     tel.OfferID  `json:"offer,omitempty"`    // the one offer or queue call that holds the agent
	Alerted   bool         `json:"alerted,omitempty"`  // a phone rings for Offer
	Talking   bool         `json:"talking,omitempty"`  // Offer was answered
	Accepted  bool         `json:"accepted,omitempty"` // Offer was picked up, and nobody is connected yet
	Held      bool         `json:"held,omitempty"`     // and its caller is on hold
	Engaged   []Engagement `json:"engaged,omitempty"`  // calls that came from no queue
	WrapUntil time.Time    `json:"wrap_until,omitzero"`
	WrapQueue tel.QueueID  `json:"wrap_queue,omitempty"`
	WrapCall  tel.CallID   `json:"wrap_call,omitempty"`
	// WrapOwed is after-call work that has not begun: the agent left the queue's call by a transfer and
	// talks on with the colleague.
	WrapOwed  time.Duration `json:"wrap_owed,omitempty"`
	RestUntil time.Time     `json:"rest_until,omitzero"` // no offers after a failed one
	// Settling is the offer that was withdrawn last: a phone may still ring for it, so nobody else is offered
	// until the call says that none does, or until SettleBy.
	Settling tel.OfferID `json:"settling,omitempty"`
	SettleBy time.Time   `json:"settle_by,omitzero"`
	Next     *Assign     `json:"next,omitempty"` // assigned while settling: rung after it
	// IdleSince orders agents: the end of the last wrap-up or outside call, or the login. Pausing
	// and internal calls do not move it, so nobody dodges a call by pausing for a second.
	IdleSince time.Time `json:"idle_since,omitzero"`
	Misses    int       `json:"misses,omitempty"` // offers not taken in a row, for auto-pause
	Fails     int       `json:"fails,omitempty"`  // failed offers in a row, for the rest between them
	// ShiftUntil is an hour on the wall: it does not move with a clock that is set.
	ShiftUntil time.Time `json:"shift_until,omitzero"`
	ShiftOver  bool      `json:"shift_over,omitempty"` // logs out when the work in hand is done
	// Skilled is the configured skills while a supervisor's are in force, until the next login.
	Skilled  map[string]int `json:"skilled,omitempty"`
	SkillsBy string         `json:"skills_by,omitempty"`
	Removed  bool           `json:"removed,omitempty"` // no longer configured; leaves when the call ends and all is quiet
	Shown    Shown          `json:"shown"`
	Work     *Work          `json:"work,omitempty"` // of the last day on which there was any

	isFree, isPresent bool // as entered in the queues' indexes
}

// Engagement is a call of an agent that did not come from a queue.
type Engagement struct {
	Call     tel.CallID `json:"call"`
	Internal bool       `json:"internal,omitempty"` // with a colleague
	Outbound bool       `json:"outbound,omitempty"` // the agent called the outside
	Held     bool       `json:"held,omitempty"`     // the agent has put the other on hold
}

// state is what the agent does in this call.
func (e Engagement) state() tel.AgentState {
	switch {
	case e.Held:
		return tel.AgentHold
	case e.Internal:
		return tel.AgentInternal
	case e.Outbound:
		return tel.AgentOutbound
	default:
		return tel.AgentTalking
	}
}

// Shown is what observers were told last about an agent.
type Shown struct {
	State  tel.AgentState `json:"state"`
	Since  time.Time      `json:"since,omitzero"`
	Call   tel.CallID     `json:"call,omitempty"`
	Queue  tel.QueueID    `json:"queue,omitempty"`
	Reason string         `json:"reason,omitempty"`
	By     string         `json:"by,omitempty"`
	Until  time.Time      `json:"until,omitzero"`
	Help   bool           `json:"help,omitempty"`
}

// interval is the part of it that makes one interval of the agent's day: a longer wrap-up or a call
// for help goes on in the same one.
func (s Shown) interval() Shown {
	s.Since, s.Until, s.By, s.Help = time.Time{}, time.Time{}, "", false
	return s
}

// State derives what the agent is doing. A call outranks everything else: a person who logged out
// or paused while talking is talking. Of several calls the one that is not on hold counts, of those
// a customer's before one to the outside before a colleague's.
func (a *Agent) State() tel.AgentState {
	if s, _ := a.doing(); s != tel.AgentReady {
		return s
	}
	switch {
	case a.Offer != "" && a.Alerted:
		return tel.AgentRinging
	case a.Offer != "":
		return tel.AgentReserved
	case !a.LoggedIn:
		return tel.AgentLoggedOut
	case !a.WrapUntil.IsZero():
		return tel.AgentWrapUp
	case a.Paused:
		return tel.AgentPaused
	case !a.Reachable:
		return tel.AgentUnreachable
	default:
		return tel.AgentReady
	}
}

// doing is what the agent does in a conversation, and in which engagement; none for the call of the
// offer. It is AgentReady without a conversation.
func (a *Agent) doing() (s tel.AgentState, in *Engagement) {
	s = tel.AgentReady
	if a.Offer != "" && a.onLine() {
		s = tel.AgentTalking
		if a.Held {
			s = tel.AgentHold
		}
	}
	for i := range a.Engaged {
		if e := a.Engaged[i].state(); rank(e) > rank(s) {
			s, in = e, &a.Engaged[i]
		}
	}
	return s, in
}

// rank orders what an agent does in several calls at once.
func rank(s tel.AgentState) int {
	switch s {
	case tel.AgentTalking:
		return 4
	case tel.AgentOutbound:
		return 3
	case tel.AgentInternal:
		return 2
	case tel.AgentHold:
		return 1
	default:
		return 0
	}
}

// onLine says that the agent has picked up for a queue.
func (a *Agent) onLine() bool { return a.Talking || a.Accepted }

// Load counts the work in hand that leaves no room for a caller of a queue.
func (a *Agent) Load() int {
	n := 0
	if a.Offer != "" {
		n++
	}
	for _, e := range a.Engaged {
		if !e.Internal || !a.Spec.RingOnInternal {
			n++
		}
	}
	return n
}

// full says that the agent takes no more work at once.
func (a *Agent) full() bool { return a.Load() >= max(a.Spec.Capacity, 1) }

// free says that the agent can be offered a caller now.
func (a *Agent) free() bool {
	return a.busy() == "" && a.RestUntil.IsZero() && a.Settling == "" && !a.Removed
}

// busy says why no caller may be offered to the agent, "" when one may.
func (a *Agent) busy() Verdict {
	switch {
	case a.Offer != "", a.full():
		return Verdict(a.State().String())
	case !a.LoggedIn:
		return Verdict(tel.AgentLoggedOut.String())
	case !a.WrapUntil.IsZero(), a.WrapOwed > 0:
		return Verdict(tel.AgentWrapUp.String())
	case a.Paused:
		return Verdict(tel.AgentPaused.String())
	case a.ShiftOver:
		return GoingHome
	case !a.Reachable && a.Silent:
		return PhoneSilent
	case !a.Reachable:
		return Verdict(tel.AgentUnreachable.String())
	default:
		return ""
	}
}

// present says that the agent will be able to take a caller without doing anything about it:
// talking and after-call work end by themselves, pauses and logouts do not.
func (a *Agent) present() bool {
	return a.LoggedIn && a.Reachable && !a.Paused && !a.ShiftOver && !a.Removed
}

// After is what the agent will be when the work in hand is done: ready, paused for the reason, or logged
// out. Who has no work in hand is that already.
func (a *Agent) After() (state tel.AgentState, reason string) {
	switch {
	case !a.LoggedIn, a.ShiftOver, a.Removed:
		return tel.AgentLoggedOut, ""
	case a.Paused:
		return tel.AgentPaused, a.Reason
	default:
		return tel.AgentReady, ""
	}
}

// holds says that a call keeps the agent.
func (a *Agent) holds() bool { return a.Offer != "" || len(a.Engaged) > 0 }

// show derives what observers shall see.
func (s *step) show(a *Agent) Shown {
	show := Shown{State: a.State(), Help: a.Help}
	o := s.Offers[a.Offer]
	switch show.State {
	case tel.AgentTalking, tel.AgentInternal, tel.AgentOutbound, tel.AgentHold:
		if _, in := a.doing(); in != nil {
			show.Call = in.Call
		} else if o != nil {
			show.Call, show.Queue = o.Call, o.Queue
		}
	case tel.AgentReserved, tel.AgentRinging:
		if o != nil {
			show.Call, show.Queue = o.Call, o.Queue
		}
	case tel.AgentWrapUp:
		show.Call, show.Queue, show.Until = a.WrapCall, a.WrapQueue, a.WrapUntil
	case tel.AgentPaused, tel.AgentLoggedOut:
		show.Reason, show.By = a.Reason, a.By
	case tel.AgentUnreachable:
		if a.Silent {
			show.Reason = ReasonSilent
		}
	case tel.AgentReady:
	}
	return show
}

// report publishes what observers see differently now, once per agent and step, and each interval of
// an agent's day once it has ended.
func (s *step) report() {
	var ids []string
	for k := range s.keys {
		if k.Kind == "agent" {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		a := s.Agents[tel.AgentID(id)]
		if a == nil {
			continue
		}
		gone := a.Removed && !a.holds() && a.Settling == "" // who comes back may not be rung where something still rings
		if gone {
			delete(s.Agents, a.Spec.ID)
		}
		was, show := a.Shown, s.show(a)
		show.Since = was.Since
		if other := show.interval() != was.interval(); other || gone || was.Since.IsZero() {
			s.spent(a, was)
			show.Since = s.now
		}
		if show == was || gone && show.interval() == was.interval() {
			continue
		}
		a.Shown = show
		s.publish(changed(a))
	}
}

// spent publishes an interval that ended.
func (s *step) spent(a *Agent, was Shown) {
	if was.Since.IsZero() {
		return // nobody knows when it began
	}
	s.publish(tel.AgentInterval{
		Agent: a.Spec.ID, State: was.State, Call: was.Call, Queue: was.Queue, Reason: was.Reason, From: was.Since, To: s.now,
	})
}

// changed is what observers are told about an agent.
func changed(a *Agent) tel.AgentChanged {
	return tel.AgentChanged{
		Agent: a.Spec.ID, Name: a.Spec.Name, State: a.Shown.State, Since: a.Shown.Since, Call: a.Shown.Call, Queue: a.Shown.Queue,
		Reason: a.Shown.Reason, By: a.Shown.By, Until: a.Shown.Until, Help: a.Shown.Help,
	}
}
