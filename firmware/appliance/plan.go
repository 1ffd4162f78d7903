package appliance

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// numbering is a configuration as calls see it. It never changes: a call keeps the one it was born
// with.
type numbering struct {
	cfg        config.Config
	plan       dialplan.Plan
	priorities map[tel.QueueID]int
	needs      map[tel.QueueID]map[string][]tel.Need // by the caller's language
	agents     map[tel.AgentID]config.Agent
	accounts   map[string]registrar.Account
	md5        bool                  // one phone knows no better digest
	names      map[tel.Number]string // the phone book
	doors      map[tel.DeviceID]rune // the keys that open them
	b          *Box                  // whose people and mailboxes it is about; nil while a configuration is only tried
}

func newNumbering(c config.Config) (*numbering, error) {
	n := &numbering{
		cfg: c, plan: c.DialPlan(), priorities: map[tel.QueueID]int{}, needs: map[tel.QueueID]map[string][]tel.Need{},
		agents: map[tel.AgentID]config.Agent{}, accounts: map[string]registrar.Account{},
		names: map[tel.Number]string{}, doors: map[tel.DeviceID]rune{},
	}
	for _, x := range c.Contacts {
		n.names[bookKey(x.Number)] = x.Name
	}
	for _, p := range c.Phones {
		if p.Door != nil {
			n.doors[p.ID] = rune(p.Door.Key[0])
		}
		n.accounts[string(p.ID)] = account(p, c.SIP)
		n.md5 = n.md5 || p.MD5
	}
	for _, a := range c.Agents {
		n.agents[a.ID] = a
	}
	var ids []tel.QueueID
	for _, q := range c.Queues {
		n.priorities[q.ID] = q.Priority
		n.needs[q.ID] = needsByLanguage(q)
		ids = append(ids, q.ID)
	}
	if err := n.plan.Validate(ids); err != nil {
		return nil, fmt.Errorf("dial plan: %w", err)
	}
	return n, nil
}

func account(p config.Phone, c config.SIP) registrar.Account {
	realm := c.Realm
	a := registrar.Account{
		Device: p.ID, AllowMD5: p.MD5, AnyNetwork: p.AnyNetwork, MaxBindings: c.Registrations.PerPhone,
		HA1: map[digest.Algorithm]string{digest.SHA256: digest.HA1(digest.SHA256, string(p.ID), realm, string(p.Password))},
	}
	if p.MD5 {
		a.HA1[digest.MD5] = digest.HA1(digest.MD5, string(p.ID), realm, string(p.Password))
	}
	return a
}

// lan reports whether an address is in a network where weak phones may register.
func (n *numbering) lan(a netip.Addr) bool {
	return slices.ContainsFunc(n.cfg.SIP.LAN, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// callPlan is the numbering that a call was born with. Only who uses which phone is looked up anew:
// the queues offer to the people of today.
type callPlan struct {
	*numbering
	today func() *numbering
}

// Devices implements call.Plan.
func (p callPlan) Devices(a tel.AgentID) []tel.DeviceID { return p.today().Devices(a) }

// AgentAt implements call.Plan.
func (p callPlan) AgentAt(d tel.DeviceID) (tel.AgentID, tel.Number, string) {
	return p.today().AgentAt(d)
}

func (b *Box) plan() call.Plan { return callPlan{b.numbering.Load(), b.numbering.Load} }

// Language implements call.Plan.
func (n *numbering) Language() string { return n.cfg.Box.Language }

// Zone implements call.Plan.
func (n *numbering) Zone() string { return n.cfg.Box.Timezone }

// specs is a configuration as the queues' owner sees it.
func specs(c *config.Config) ([]plan.QueueSpec, []plan.AgentSpec) {
	var queues []plan.QueueSpec
	for _, q := range c.Queues {
		spec := plan.QueueSpec{
			ID: q.ID, Name: q.Name, Strategy: plan.Strategy(q.Strategy), Members: q.Agents, Ring: q.Ring, WrapUp: q.WrapUp,
			MaxWait: q.MaxWait, MaxWaitTo: q.Overflow, MaxLength: q.MaxLength,
			AutoPause: q.Missed.After, AutoLogout: q.Missed.Logout,
		}
		waiting(&spec, &q)
		distribution(&spec, &q)
		queues = append(queues, spec)
	}
	var agents []plan.AgentSpec
	for _, a := range c.Agents {
		agents = append(agents, duty(a))
	}
	return queues, agents
}
