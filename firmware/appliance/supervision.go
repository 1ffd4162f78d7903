package appliance

import (
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

// supervised follows who is supervised, for lamps: an agent is while one supervision runs.
func (b *Box) supervised(e tel.Event) {
	switch e := e.(type) {
	case tel.SupervisionStarted:
		b.lamps.watch(e.Agent, b.present.supervised(e.Agent))
	case tel.SupervisionEnded:
		b.lamps.watch(e.Agent, b.present.supervised(e.Agent))
	}
}
