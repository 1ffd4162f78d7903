package trunk

import "net/netip"

// From reports that an address is one that this carrier's requests come from.
func (t *Trunk) From(a netip.Addr) bool { return t.from(a) }
