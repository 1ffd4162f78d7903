package stack

import (
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// RequestAny sends a request that begins no dialog of calls (REGISTER, OPTIONS, MESSAGE, SUBSCRIBE)
// to the first of several targets, and to the next when one cannot be reached, answers 503, or is
// silent for patience (RFC 3263 section 4.3). Each try is a new transaction. sink hears, on the
// shard of the Call-ID, what the last try brought, and which target that was; provisional responses
// of every try. An INVITE is refused with ErrRequest: a silent server may still ring somebody, so
// each try of a call is a call of its own.
func (s *Stack) RequestAny(req *sip.Request, targets []Target, patience time.Duration, sink func(Result, Target)) error {
	switch {
	case len(targets) == 0:
		return fmt.Errorf("%w: there is no target", ErrTransport)
	case req.IsInvite():
		return fmt.Errorf("%w: an INVITE is tried by its own layer", ErrRequest)
	case req.CallID() == nil:
		return ErrRequest
	}
	a := &attempt{s: s, req: req, targets: targets, patience: patience, sink: sink}
	if !s.Run(req.CallID().Value(), a.begin) {
		return ErrClosed
	}
	return nil
}

// attempt is one try of RequestAny. Everything of it runs on the shard of the Call-ID.
type attempt struct {
	s        *Stack
	req      *sip.Request
	targets  []Target // this try's and the later ones
	patience time.Duration
	sink     func(Result, Target)
	over     bool // this try counts no more
	stop     func()
}

func (a *attempt) begin() {
	if len(a.targets) > 1 && a.patience > 0 {
		a.stop = a.s.After(a.req.CallID().Value(), a.patience, func() {
			if !a.over {
				a.s.Penalise(a.targets[0].Flow)
				a.failed(Result{Err: ErrTimeout})
			}
		})
	}
	if _, err := a.s.Request(a.req.Clone(), a.targets[0].Flow, a.heard); err != nil {
		a.failed(Result{Err: err})
	}
}

func (a *attempt) heard(r Result) {
	switch {
	case a.over: // late
	case r.Err != nil, r.Response.StatusCode == sip.StatusServiceUnavailable:
		a.failed(r)
	case r.Response.IsProvisional():
		a.sink(r, a.targets[0])
	default:
		a.end()
		a.sink(r, a.targets[0])
	}
}

func (a *attempt) failed(r Result) {
	a.end()
	if len(a.targets) == 1 {
		a.sink(r, a.targets[0])
		return
	}
	next := &attempt{s: a.s, req: a.req, targets: a.targets[1:], patience: a.patience, sink: a.sink}
	next.begin()
}

func (a *attempt) end() {
	a.over = true
	if a.stop != nil {
		a.stop()
	}
}
