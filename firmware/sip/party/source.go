package party

import (
	"net/netip"
	"slices"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
)

// Carrier reports that an address is one that a carrier's requests come from.
func (o *Office) Carrier(a netip.Addr) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.ContainsFunc(o.trunks, func(t *trunk.Trunk) bool { return t.From(a) })
}

// Screen answers strangers before anything is kept of them; nil = the request goes on. Carriers need
// no password.
func (o *Office) Screen(req *sip.Request, flow stack.Flow) *stack.Refusal {
	if o.trunkOf(req, flow) != nil || o.open(req, flow) {
		return nil
	}
	return o.cfg.Phones.Screen(req, flow)
}
