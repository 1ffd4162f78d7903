package appliance

import (
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// open reports that a phone on the LAN may call a number without saying who it is: an emergency
// number, in any form in which the dial plan knows it.
func (b *Box) open(dialed tel.Number, from netip.Addr) bool {
	n := b.numbering.Load()
	return n.lan(from) && dialplan.Route(n.plan, dialplan.Request{Stranger: true, Dialed: dialed, At: time.Now()}).Action != dialplan.Reject
}
