package acd

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Login makes the agent available in the queues chosen last, and notes when the shift ends. It is no
// error when the agent is logged in already.
func (a *ACD) Login(ctx context.Context, agent tel.AgentID) error {
	if err := a.command(ctx, plan.Login{Agent: agent}); err != nil || a.cfg.ShiftEnd == nil {
		return err
	}
	return a.post(ctx, letter{reply: make(chan error, 1), ask: func(s *plan.State, _ time.Time) { a.shiftOf(s.Agents[agent]) }})
}

// Logout takes the agent out of all queues; a conversation goes on.
func (a *ACD) Logout(ctx context.Context, agent tel.AgentID) error {
	return a.command(ctx, plan.Logout{Agent: agent})
}

// Pause stops offers, or changes the reason of a pause. Errors: plan.ErrLoggedOut.
func (a *ACD) Pause(ctx context.Context, agent tel.AgentID, reason string) error {
	return a.command(ctx, plan.Pause{Agent: agent, Reason: reason})
}

// Resume ends a pause. Errors: plan.ErrNotPaused.
func (a *ACD) Resume(ctx context.Context, agent tel.AgentID) error {
	return a.command(ctx, plan.Resume{Agent: agent})
}

// FinishWrapUp ends the after-call work now. Errors: plan.ErrNoWrapUp.
func (a *ACD) FinishWrapUp(ctx context.Context, agent tel.AgentID) error {
	return a.command(ctx, plan.FinishWrapUp{Agent: agent})
}

// ExtendWrapUp makes the after-call work longer. Errors: plan.ErrNoWrapUp, plan.ErrExtension.
func (a *ACD) ExtendWrapUp(ctx context.Context, agent tel.AgentID, by time.Duration) error {
	return a.command(ctx, plan.ExtendWrapUp{Agent: agent, By: by})
}

// Help raises or lowers the flag by which an agent asks for a supervisor; it changes nothing in what
// the agent does. Errors: plan.ErrLoggedOut.
func (a *ACD) Help(ctx context.Context, agent tel.AgentID, on bool) error {
	return a.command(ctx, plan.Help{Agent: agent, On: on})
}

// Serve chooses the queues that the agent serves, of those where the agent is a member; none named
// are all. The choice holds until the next one, through logouts and changes of the configuration.
// Errors: plan.ErrUnknownQueue, plan.ErrNotMember.
func (a *ACD) Serve(ctx context.Context, agent tel.AgentID, queues ...tel.QueueID) error {
	return a.command(ctx, plan.Serve{Agent: agent, Queues: queues})
}

// EnterQueue has the agent serve a queue again. Errors: plan.ErrUnknownQueue, plan.ErrNotMember,
// plan.ErrTakenOut.
func (a *ACD) EnterQueue(ctx context.Context, agent tel.AgentID, queue tel.QueueID) error {
	return a.command(ctx, plan.EnterQueue{Agent: agent, Queue: queue})
}

// LeaveQueue pauses the agent in one queue only. Errors: plan.ErrUnknownQueue, plan.ErrNotMember.
func (a *ACD) LeaveQueue(ctx context.Context, agent tel.AgentID, queue tel.QueueID, reason string) error {
	return a.command(ctx, plan.LeaveQueue{Agent: agent, Queue: queue, Reason: reason})
}

// ForcePause pauses an agent on a supervisor's word; by names the supervisor. The agent may end the
// pause. Errors: plan.ErrLoggedOut.
func (a *ACD) ForcePause(ctx context.Context, agent tel.AgentID, reason, by string) error {
	return a.command(ctx, plan.ForcePause{Agent: agent, Reason: reason, By: by})
}

// ForceLogout logs an agent out on a supervisor's word; a conversation goes on.
func (a *ACD) ForceLogout(ctx context.Context, agent tel.AgentID, by string) error {
	return a.command(ctx, plan.ForceLogout{Agent: agent, By: by})
}

// AddMember has an agent serve a queue, configured for it or not, until RemoveMember. Errors:
// plan.ErrUnknownQueue.
func (a *ACD) AddMember(ctx context.Context, agent tel.AgentID, queue tel.QueueID, by string) error {
	return a.command(ctx, plan.AddMember{Agent: agent, Queue: queue, By: by})
}

// RemoveMember takes an agent out of a queue until AddMember; a ring from it ends, a conversation goes
// on. Errors: plan.ErrUnknownQueue, plan.ErrNotMember.
func (a *ACD) RemoveMember(ctx context.Context, agent tel.AgentID, queue tel.QueueID, by string) error {
	return a.command(ctx, plan.RemoveMember{Agent: agent, Queue: queue, By: by})
}

// SetSkills gives an agent other skills than the configuration until the next login; nil are the
// configured ones again. Errors: plan.ErrConfig for a level that does not exist.
func (a *ACD) SetSkills(ctx context.Context, agent tel.AgentID, skills map[string]int, by string) error {
	return a.command(ctx, plan.SetSkills{Agent: agent, Skills: skills, By: by})
}

// Move sends a waiting caller to another queue with the time waited. Errors: plan.ErrNoCaller,
// plan.ErrUnknownQueue, plan.ErrSameQueue.
func (a *ACD) Move(ctx context.Context, call tel.CallID, queue tel.QueueID, by string) error {
	return a.command(ctx, plan.Move{Call: call, Queue: queue, By: by})
}

// Assign rings exactly one agent for a waiting caller, before everybody else: a supervisor's decision,
// or an agent's own pick. When that agent does not take the call, the caller waits on in the old place.
// Errors: plan.ErrNoCaller, plan.ErrLoggedOut, plan.ErrUnreachable, plan.ErrBusy.
func (a *ACD) Assign(ctx context.Context, call tel.CallID, agent tel.AgentID, by string) error {
	return a.command(ctx, plan.Assign{Call: call, Agent: agent, By: by})
}

// Reschedule asks anew when the shifts of those who are logged in end.
func (a *ACD) Reschedule(ctx context.Context) error {
	return a.post(ctx, letter{reply: make(chan error, 1), ask: func(*plan.State, time.Time) { a.shifts() }})
}

// shifts notes the end of every shift that runs. It belongs to the owner's goroutine.
func (a *ACD) shifts() {
	for _, k := range a.state.Keys() {
		if k.Kind == "agent" {
			a.shiftOf(a.state.Agents[tel.AgentID(k.ID)])
		}
	}
}

func (a *ACD) shiftOf(p *plan.Agent) {
	if p == nil || !p.LoggedIn || p.ShiftOver || a.cfg.ShiftEnd == nil {
		return
	}
	if end := a.cfg.ShiftEnd(p.Spec.ID, p.LoginAt).Round(0).UTC(); !end.Equal(p.ShiftUntil) {
		_ = a.step(plan.Shift{Agent: p.Spec.ID, Until: end}) // cannot be refused: the agent is logged in
	}
}

// Update replaces queues and agents while calls run. Errors: plan.ErrConfig; nothing changes then.
func (a *ACD) Update(ctx context.Context, queues []plan.QueueSpec, agents []plan.AgentSpec) error {
	return a.command(ctx, plan.Configure{Queues: withDefaults(queues), Agents: agents})
}

// SetZone names the clock by which days begin, as IANA does.
func (a *ACD) SetZone(ctx context.Context, zone string) error {
	return a.command(ctx, plan.SetZone{Zone: zone})
}

// Drain has no queue take new callers for a while, 0: they take them again.
func (a *ACD) Drain(ctx context.Context, lasts time.Duration) error {
	return a.command(ctx, plan.Drain{For: lasts})
}
