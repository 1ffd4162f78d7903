package appliance

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/nat"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// The watch over our own addresses.
const (
	moveLook = time.Second           // between two looks
	movePace = 50 * time.Millisecond // between two re-INVITEs: 20 a second

	findingReview = time.Minute
	findingLife   = time.Hour // after which a fault of the network that shows no more counts as mended
)

// placed has the stack find our addresses, the trunks hear where carriers see us, and people of routers
// that change what we say.
func (b *Box) placed(c stack.Config) stack.Config {
	c.Route = b.opts.Route
	c.Reflected = b.reflected
	c.Finding = func(f nat.Finding) { b.showFindings([]nat.Finding{f}) }
	return c
}

// reflected registers anew at a carrier that sees us at another address than before. The port of a
// connection says nothing: each has its own.
func (b *Box) reflected(f stack.Flow, was, now netip.AddrPort) {
	b.seenAt(f, now)
	if !was.IsValid() || f.Transport != "udp" && was.Addr() == now.Addr() || b.office == nil {
		return
	}
	b.log.Info("we are seen at another address", "from", f.Remote, "was", was, "now", now)
	b.office.Reflected(f, now)
}

// watchAddresses has every call follow us when the address changes that its other end sends to: the
// box's own after a change of the network, or the public one that a trunk has learned.
func (b *Box) watchAddresses(ctx context.Context) {
	look, review := time.NewTicker(moveLook), time.NewTicker(findingReview)
	defer look.Stop()
	defer review.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-review.C:
			b.showFindings(b.stack.Findings())
			continue
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

// showFindings says on the page whether a router that changes SIP was seen lately; the stack's log has
// the evidence in words.
func (b *Box) showFindings(all []nat.Finding) {
	var latest nat.Finding
	for _, f := range all {
		if f.Name == nat.SIPALG && f.At.After(latest.At) {
			latest = f
		}
	}
	if latest.Name == "" || time.Since(latest.At) > findingLife {
		b.report("sip_alg", true, "")
		return
	}
	b.report("sip_alg", false, fmt.Sprintf("on the way to %s %s became %q, was %q", latest.Remote.Addr(), latest.Where, latest.Got, latest.Sent))
}
