package appliance

import (
	"errors"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// supervise implements call.SuperviseFunc by the configuration of today, whatever the call was born
// with: a basis that has ended ends what it allowed.
func (b *Box) supervise(by, agent tel.AgentID, queue tel.QueueID, at time.Time) call.Permit {
	n := b.numbering.Load()
	return permit(&n.cfg, by, agent, queue, at.In(n.plan.Zone))
}

// permit is what the configuration allows a person at an instant, by the clock of the site.
func permit(c *config.Config, by, agent tel.AgentID, queue tel.QueueID, at time.Time) call.Permit {
	s := &c.Supervision
	p := call.Permit{Basis: s.LegalBasis.String(), Follow: s.Follow, Tone: s.Tone}
	if p.Why = s.LegalBasis.Holds(at); p.Why != "" {
		return p
	}
	i := slices.IndexFunc(c.Agents, func(a config.Agent) bool { return a.ID == by && by != "" })
	if i < 0 || by == agent || !c.Agents[i].MaySupervise(agent, queue) {
		p.Why = tel.SupervisionNotYours
		return p
	}
	for _, m := range s.Modes {
		p.Modes = append(p.Modes, tel.SupervisionMode(m))
	}
	return p
}

// anySupervisor reports whether anybody supervises others.
func anySupervisor(c *config.Config) bool {
	return slices.ContainsFunc(c.Agents, func(a config.Agent) bool { return len(a.Supervises) > 0 })
}

// superviseFromPage rings a supervisor's phone. It returns the sentence that says why not.
func (b *Box) superviseFromPage(by, agent tel.AgentID, mode tel.SupervisionMode) string {
	n := b.numbering.Load()
	var device tel.DeviceID
	for _, d := range n.Devices(by) {
		if reachable(b, []tel.DeviceID{d}) {
			device = d
			break
		}
	}
	err := b.calls.Watch(call.Watch{Agent: agent, Mode: mode}, by, device)
	switch refused, ok := errors.AsType[call.RefusedError](err); {
	case ok:
		return "supervise." + string(refused.Why)
	case errors.Is(err, call.ErrNoPhone):
		return "supervise.no_phone"
	case err != nil:
		b.log.Info("nobody is supervised", "by", by, "of", agent, "err", err)
		return "supervise.no_call"
	default:
		return ""
	}
}
