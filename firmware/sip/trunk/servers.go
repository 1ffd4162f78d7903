package trunk

import (
	"context"
	"errors"
	"slices"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Directory knows where a carrier's host is: the flows to it, the best first (RFC 3263). Failed and
// Worked tell it how a flow did, so that it can put one that fails behind the others for a while.
// Its methods may be called from any goroutine.
type Directory interface {
	Targets(ctx context.Context, host sip.Uri, transport string) ([]stack.Flow, error)
	Failed(stack.Flow)
	Worked(stack.Flow)
}

// located is the directory of the SIP stack: DNS and its penalty box.
type located struct{ stack Stack }

// Targets implements Directory.
func (l located) Targets(ctx context.Context, host sip.Uri, transport string) ([]stack.Flow, error) {
	targets, err := l.stack.Targets(ctx, host, transport)
	if err != nil {
		return nil, err
	}
	flows := make([]stack.Flow, len(targets))
	for i, t := range targets {
		flows[i] = t.Flow
	}
	return flows, nil
}

// Failed implements Directory.
func (l located) Failed(f stack.Flow) { l.stack.Penalise(f) }

// Worked implements Directory.
func (l located) Worked(f stack.Flow) { l.stack.Succeed(f) }

const maxTargets = 16 // of one carrier that are tried

// targetsOf asks for every hop, in their order. A hop that is not found is no error while another
// one is.
func targetsOf(ctx context.Context, d Directory, hops []sip.Uri, transport string) ([]stack.Flow, error) {
	var all []stack.Flow
	var errs []error
	for _, hop := range hops {
		flows, err := d.Targets(ctx, hop, transport)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, f := range flows {
			if len(all) < maxTargets && !slices.ContainsFunc(all, func(have stack.Flow) bool { return sameEnd(have, f) }) {
				all = append(all, f)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.Join(errs...)
	}
	return all, nil
}

// sameEnd reports that two flows lead to the same server.
func sameEnd(a, b stack.Flow) bool { return a.Transport == b.Transport && a.Remote == b.Remote }
