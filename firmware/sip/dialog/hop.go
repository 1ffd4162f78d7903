package dialog

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

const (
	resolveWithin = 5 * time.Second
	unsentLimit   = 16 // messages that wait for a name to be resolved
)

// delivery is a message that waits until it is known where to send it.
type delivery struct {
	hop  sip.Uri
	send func(stack.Flow)
}

// deliver sends a message of the dialog with p to its next hop. Almost always that is the flow of
// the call, at once. Otherwise the hop is resolved outside the shard, and what follows waits, so
// that a BYE never overtakes its ACK.
func (s *Session) deliver(req *sip.Request, p core.Peer, send func(stack.Flow)) {
	hop := req.Recipient
	if r := req.Route(); r != nil {
		hop = r.Address
	}
	flow := stackFlow(s.state.Flow)
	if len(s.unsent) == 0 && keepsFlow(hop, flow) && s.ua.cfg.Stack.Alive(flow) {
		send(flow)
		return
	}
	if len(s.unsent) >= unsentLimit {
		s.log.Warn("message dropped: too many wait for a name")
		return
	}
	s.unsent = append(s.unsent, delivery{hop, send})
	if len(s.unsent) == 1 {
		s.resolve(hop)
	}
}

// keepsFlow decides between the next hop that the dialog names and the flow on which the peer is
// known to be. A phone behind NAT names an address that only its own network knows, so a private
// address never beats a flow that works; a public one does (a carrier may answer from elsewhere).
func keepsFlow(hop sip.Uri, flow stack.Flow) bool {
	host, err := netip.ParseAddr(strings.Trim(hop.Host, "[]"))
	if err != nil {
		return true // a name: the flow came from resolving it, or from its owner
	}
	known := flow.Remote.Addr().Unmap()
	switch host = host.Unmap(); {
	case host == known:
		// The same host by another port is a NAT over TCP and a second socket over UDP.
		return flow.Transport != "udp" || !host.IsLoopback() || port(hop) == int(flow.Remote.Port())
	case host.IsPrivate(), host.IsUnspecified(), host.IsLinkLocalUnicast():
		return true
	default:
		return host.IsLoopback() && !known.IsLoopback()
	}
}

func port(u sip.Uri) int {
	if u.Port == 0 {
		return 5060
	}
	return u.Port
}

// resolve looks the hop up in a goroutine that Close waits for.
func (s *Session) resolve(hop sip.Uri) {
	transport := s.state.Flow.Transport
	if t, ok := hop.UriParams.Get("transport"); ok {
		transport = strings.ToLower(t)
	}
	if !s.ua.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, resolveWithin)
		defer cancel()
		flow, err := s.ua.cfg.Stack.Resolve(ctx, hop, transport)
		s.resolved(flow, err)
	}) {
		s.unsent = nil
	}
}

// resolved hands the result to the shard; a full shard is asked again.
func (s *Session) resolved(flow stack.Flow, err error) {
	done := func() { s.ua.guard(s, func() { s.flush(flow, err) }) }
	if !s.ua.cfg.Stack.Run(s.callID, done) {
		s.ua.cfg.Stack.After(s.callID, inboxRetry, done)
	}
}

// flush sends the first message that waits, and those behind it as far as the way is known. A hop
// that cannot be resolved leaves the flow of the call as the last chance.
func (s *Session) flush(flow stack.Flow, err error) {
	if err != nil {
		s.log.Warn("next hop not resolved", "err", err)
		flow = stackFlow(s.state.Flow)
	}
	for len(s.unsent) > 0 {
		d := s.unsent[0]
		d.send(flow)
		s.unsent = s.unsent[1:]
		if len(s.unsent) > 0 && s.unsent[0].hop.String() != d.hop.String() {
			s.resolve(s.unsent[0].hop)
			return
		}
	}
	s.unsent = nil
}

// spawn runs fn in a goroutine that ends with Close; false when the UA is closed.
func (ua *UA) spawn(fn func(context.Context)) bool {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if ua.closed {
		return false
	}
	ua.wg.Go(func() { ua.guard(nil, func() { fn(ua.ctx) }) })
	return true
}
