package party

import (
	"net/netip"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
)

// Carrier reports that an address is one that a carrier's requests come from.
func (o *Office) Carrier(a netip.Addr) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.ContainsFunc(o.trunks, func(t *trunk.Trunk) bool { return t.From(a) })
}
