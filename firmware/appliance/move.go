package appliance

import (
	"context"
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// The watch over our own addresses.
const (
	moveLook = time.Second           // between two looks
	movePace = 50 * time.Millisecond // between two re-INVITEs: 20 a second
)

// placed has the stack find our addresses, and the trunks hear where carriers see us.
func (b *Box) placed(c stack.Config) stack.Config {
	c.Route = b.opts.Route
	c.Reflected = b.reflected
	return c
}

// reflected registers anew at a carrier that sees us at another address than before. The port of a
// connection says nothing: each has its own.
func (b *Box) reflected(f stack.Flow, was, now netip.AddrPort) {
	if !was.IsValid() || f.Transport != "udp" && was.Addr() == now.Addr() || b.office == nil {
		return
	}
	b.log.Info("we are seen at another address", "from", f.Remote, "was", was, "now", now)
	b.office.Reflected(f, now)
}

// watchAddresses has every call follow us when the address changes that its other end sends to: the
// box's own after a change of the network, or the public one that a trunk has learned.
func (b *Box) watchAddresses(ctx context.Context) {
	look := time.NewTicker(moveLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		for leg, to := range b.office.Displaced() {
			leg.Moved(to)
			select {
			case <-ctx.Done():
				return
			case <-time.After(movePace):
			}
		}
	}
}
