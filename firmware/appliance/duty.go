package appliance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// commandLimit bounds an agent's command; the queues answer in microseconds.
const commandLimit = 5 * time.Second

// wrapUpStep is how much longer the after-call work lasts by one press of its key.
const wrapUpStep = 30 * time.Second

// command runs what an agent dialled or pressed. It must not block, so the queues are asked from a
// goroutine that close waits for.
func (b *Box) command(agent tel.AgentID, command, reason string) {
	b.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
		defer cancel()
		err := b.obey(ctx, agent, command, reason)
		if err != nil && !errors.Is(err, plan.ErrNotPaused) && !errors.Is(err, plan.ErrNoWrapUp) {
			b.log.Warn("agent's command was refused", "agent", agent, "command", command, "err", err)
		}
	})
}

// errCommand is returned for a command that does not exist.
var errCommand = errors.New("no such command")

// obey carries out a command of an agent. Reason is of a pause; of a command about one queue it is the
// queue, of a setting the change.
func (b *Box) obey(ctx context.Context, agent tel.AgentID, command, reason string) error {
	switch command {
	case string(dialplan.Login):
		return b.queues.Login(ctx, agent)
	case string(dialplan.LoginHere):
		if err := b.set(ctx, reason); err != nil {
			return err
		}
		return b.queues.Login(ctx, agent)
	case string(dialplan.Logout):
		return b.queues.Logout(ctx, agent)
	case string(dialplan.Pause):
		return b.queues.Pause(ctx, agent, reason)
	case string(dialplan.Resume):
		return b.resume(ctx, agent)
	case "unpause":
		return b.queues.Resume(ctx, agent)
	case string(dialplan.FinishWrapUp):
		return b.queues.FinishWrapUp(ctx, agent)
	case string(dialplan.ExtendWrapUp):
		return b.queues.ExtendWrapUp(ctx, agent, wrapUpStep)
	case string(dialplan.Help), string(dialplan.HelpDone):
		return b.queues.Help(ctx, agent, command == string(dialplan.Help))
	case string(dialplan.Dispose):
		return b.dispose(ctx, agent, reason)
	case string(dialplan.EnterQueue):
		return b.queues.EnterQueue(ctx, agent, tel.QueueID(reason))
	case string(dialplan.LeaveQueue):
		return b.queues.LeaveQueue(ctx, agent, tel.QueueID(reason), "")
	case setCommand:
		return b.set(ctx, reason)
	default:
		return errCommand
	}
}

// duty is what the queues' owner needs to know of an agent's contract.
func duty(a config.Agent) plan.AgentSpec {
	spec := plan.AgentSpec{ID: a.ID, Name: a.Name, WrapUp: a.Work.WrapUp, Capacity: a.Work.Capacity, RingOnInternal: a.Work.RingOnInternal, Skills: a.Skills}
	if a.Work.NoWrapUp {
		spec.WrapUp = -1
	}
	return spec
}

// shiftEnd is when the shift ends of an agent who logged in at a time, by the plan of today.
func (b *Box) shiftEnd(agent tel.AgentID, login time.Time) time.Time {
	n := b.numbering.Load()
	table, ok := n.cfg.Shift(agent)
	if !ok {
		return time.Time{}
	}
	return table.ShiftEnd(login, n.plan.Zone, n.plan.Calendar)
}

// spent writes an interval of an agent's day down: reports are sums over them.
func (b *Box) spent(e tel.AgentInterval) {
	kind, body, err := cdr.EncodeInterval(e)
	if err == nil {
		_, err = b.history.Append(kind, body)
	}
	if err != nil {
		b.log.Warn("an interval of an agent's day is not written", "agent", e.Agent, "err", err)
	}
}

// desk is what an agent sees of the own work.
func (b *Box) desk(ctx context.Context, agent tel.AgentID) (*page.Desk, error) {
	v, err := b.queues.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	names := map[tel.QueueID]string{}
	for _, q := range v.Queues {
		names[q.ID] = q.Name
	}
	for _, a := range v.Agents {
		if a.ID != agent {
			continue
		}
		d := &page.Desk{Name: a.Name, State: a.State, Since: a.Since, Reason: a.Reason, By: a.By, Help: a.Help}
		_, d.Browser = b.browserPhone(agent)
		d.Tape = b.tapeOf(agent, view.Talks(a.State))
		d.Tape.Action = "/me/work"
		for _, r := range b.config().Pauses.Reasons {
			d.Reasons = append(d.Reasons, r.Name)
		}
		if c, err := b.contactOf(v, agent); err == nil {
			d.Dispositions, d.Disposed = b.config().DispositionsOf(c.queue), c.said
		}
		for _, id := range slices.Sorted(slices.Values(slices.Concat(a.Queues, a.Out))) {
			d.Queues = append(d.Queues, page.DeskQueue{ID: id, Name: names[id], Serving: slices.Contains(a.Queues, id)})
		}
		return d, nil
	}
	return nil, nil // nobody of that name answers calls any more
}

// errReason is returned for a reason of a pause that the closed list does not have.
var errReason = errors.New("no such reason of a pause")

// ownCommand carries out what an agent does on the own page: the same that the phone's codes do.
func (b *Box) ownCommand(ctx context.Context, agent tel.AgentID, command, with string) error {
	if wish, ok := tapeWish(command); ok {
		return b.tapeOrder(agent, wish)
	}
	switch dialplan.Action(command) {
	case dialplan.Pause:
		p := b.config().Pauses
		listed := slices.ContainsFunc(p.Reasons, func(r config.PauseReason) bool { return r.Name == with })
		if !listed && (p.Only || len(with) > maxReason) {
			return errReason
		}
	case dialplan.Login, dialplan.Logout, dialplan.Resume, dialplan.FinishWrapUp, dialplan.ExtendWrapUp,
		dialplan.Help, dialplan.HelpDone, dialplan.EnterQueue, dialplan.LeaveQueue, dialplan.Dispose:
	default:
		return errCommand
	}
	return b.obey(ctx, agent, command, with)
}

// maxReason bounds the text of a reason that an agent writes.
const maxReason = 60
