package dialog

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Errors of UA.Invite.
var (
	ErrNoOffer  = errors.New("an INVITE needs an offer")
	ErrNoFlow   = errors.New("an INVITE needs a flow to send it on")
	ErrOverload = errors.New("the SIP stack takes no more work now")
	ErrClosed   = errors.New("the user agent is closed")
)

// Config is what a UA needs. Stack and UserAgent are required.
type Config struct {
	Log       *slog.Logger
	Stack     Transport
	Journal   HotJournal // nil = calls do not survive a restart
	UserAgent string

	// SessionExpires is how long a call lives without a refresh (RFC 4028), by our wish: 0 = 30 min,
	// negative = no session timer of ours. MinSE is the least that we take from others, 0 = 90 s.
	SessionExpires, MinSE time.Duration

	// Invite gets each new incoming call, on its shard; it must not block. It usually calls Bind.
	Invite func(*Session)
	// Other is offered each request outside our dialogs but INVITE, on its shard; it must not block.
	// It returns false for what it does not want: that is answered with 405.
	Other func(tx *stack.ServerTx) bool
}

// UA is the box as a SIP user agent. It implements stack.Handler.
type UA struct {
	cfg    Config
	log    *slog.Logger
	ctx    context.Context // ends with Close; for name resolution only
	cancel context.CancelFunc
	wg     sync.WaitGroup
	panics atomic.Int64
	late   atomic.Int64 // events after Ended: faults of the core

	// mu guards the index below; shards add, find and remove sessions of their own Call-IDs.
	mu       sync.RWMutex
	sessions map[string]*Session // by our tag
	merged   map[string]*Session // incoming ones, by what makes an INVITE the same (section 8.2.2.2)
	closed   bool
}

// New returns a user agent; hand it to stack.Serve. It panics when Stack is missing.
func New(cfg Config) *UA {
	if cfg.Stack == nil {
		panic("dialog: Config.Stack is required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "Pronto"
	}
	cfg.MinSE = cmp.Or(cfg.MinSE, core.DefaultMinSE)
	cfg.SessionExpires = cmp.Or(cfg.SessionExpires, core.DefaultExpires)
	ctx, cancel := context.WithCancel(context.Background())
	return &UA{
		cfg: cfg, log: cfg.Log, ctx: ctx, cancel: cancel,
		sessions: make(map[string]*Session), merged: make(map[string]*Session),
	}
}

// wish is the session timer that a new call asks for; 0 = that of Config.
func (ua *UA) wish(expires time.Duration) core.Terms {
	expires = cmp.Or(expires, ua.cfg.SessionExpires)
	if expires > 0 {
		expires = max(expires, ua.cfg.MinSE)
	}
	return core.Terms{Expires: max(expires, 0), Min: ua.cfg.MinSE}
}

// Close stops name resolution and refuses new calls. Calls stay as they are, in the journal too:
// the next process takes them up. The stack is closed by its owner, before or after.
func (ua *UA) Close() {
	ua.mu.Lock()
	ua.closed = true
	ua.mu.Unlock()
	ua.cancel()
	ua.wg.Wait()
}

// Panics counts what was recovered since the start.
func (ua *UA) Panics() int64 { return ua.panics.Load() }

// Len is how many sessions are remembered, those that only linger included.
func (ua *UA) Len() int {
	ua.mu.RLock()
	defer ua.mu.RUnlock()
	return len(ua.sessions)
}

// Address is a party: display name, may be empty, and URI.
type Address struct {
	Display string
	URI     sip.Uri
}

func (a Address) String() string { return without(quote(a.Display), a.URI, nil) }

// quote escapes a display name for the inside of a quoted-string (RFC 3261 section 25.1).
func quote(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', r)
		case r >= ' ' && r != 0x7f:
			out = append(out, r)
		}
	}
	return string(out)
}

// InviteRequest describes an outgoing call.
type InviteRequest struct {
	CallID      string // empty = a random one
	Label       string // by which the application finds the session again after a restart; empty = its ID
	From, To    Address
	Target      sip.Uri      // Request-URI
	Route       []sip.Uri    // preloaded route set, e.g. an outbound proxy
	Flow        stack.Flow   // where to send, e.g. the flow of a phone's registration
	SDP         []byte       // the offer
	Headers     []sip.Header // further headers, e.g. P-Asserted-Identity
	MaxForwards int          // 0 = 70, negative = 0; a call that passes through takes one less (RFC 7332)
	Unreliable  bool         // does not offer 100rel (RFC 3262), for a peer that cannot bear it

	// SessionExpires replaces Config.SessionExpires for this call, for a carrier that wants another
	// interval: 0 = that of Config, negative = none of ours.
	SessionExpires time.Duration

	// Auth answers a 401 or 407, at most once for each challenge. nil refuses: towards phones and
	// strangers no challenge may ever be answered.
	Auth func(res *sip.Response, req *sip.Request) (sip.Header, error)

	Ring   time.Duration // Timer C, 0 = 180 s; refreshed by each 101 to 199
	Events func(Event)   // on the shard, in order; must not block
}

// Invite starts a call. It returns at once; what becomes of it arrives as events, Ended last.
func (ua *UA) Invite(r InviteRequest) (*Session, error) {
	switch {
	case len(r.SDP) == 0:
		return nil, ErrNoOffer
	case !r.Flow.Remote.IsValid():
		return nil, ErrNoFlow
	}
	if r.CallID == "" {
		r.CallID = rand.Text()
	}
	s := ua.newSession(core.State{
		ID: rand.Text(), Label: r.Label, Phase: core.Calling, CallID: r.CallID,
		Local: r.From.String(), Remote: r.To.String(), Flow: coreFlow(r.Flow),
		CSeq: 1, Invite: core.Invite{CSeq: 1}, Ring: r.Ring, LocalSDP: r.SDP, Wish: ua.wish(r.SessionExpires),
	})
	s.user, s.auth, s.sink, s.bound = r.From.URI.User, r.Auth, r.Events, r.Events != nil
	req, err := s.invite(r)
	if err != nil {
		return nil, err
	}
	s.request = req
	if !ua.add(s) {
		return nil, ErrClosed
	}
	if !ua.cfg.Stack.Run(s.callID, func() { s.feed(core.Begin{}) }) {
		ua.remove(s)
		return nil, ErrOverload
	}
	return s, nil
}

// invite renders the INVITE without Via, CSeq and credentials, which change when it is repeated.
func (s *Session) invite(r InviteRequest) (*sip.Request, error) {
	req := sip.NewRequest(sip.INVITE, r.Target)
	for _, uri := range r.Route {
		req.AppendHeader(&sip.RouteHeader{Address: uri})
	}
	if err := s.identify(req, ""); err != nil {
		return nil, err
	}
	s.number(req, 1)
	if r.MaxForwards != 0 {
		*req.MaxForwards() = sip.MaxForwardsHeader(max(r.MaxForwards, 0))
	}
	req.AppendHeader(s.contact())
	req.AppendHeader(sip.NewHeader("Allow", allow))
	options := supported
	if r.Unreliable {
		_, options, _ = strings.Cut(supported, ", ")
	}
	req.AppendHeader(sip.NewHeader("Supported", options))
	for _, h := range r.Headers {
		req.AppendHeader(sip.HeaderClone(h))
	}
	body(req, "application/sdp", r.SDP)
	return req, onOneLine(req)
}

func (ua *UA) newSession(state core.State) *Session {
	return &Session{
		ua: ua, id: state.ID, label: cmp.Or(state.Label, state.ID), callID: state.CallID, incoming: state.Incoming, state: state,
		flow: stackFlow(state.Flow), timers: make(map[core.Timer]func()),
		log: ua.log.With("dialog", state.ID, "call_id", state.CallID),
	}
}

// add puts s into the index; false when the UA is closed.
func (ua *UA) add(s *Session) bool {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if ua.closed {
		return false
	}
	ua.sessions[s.id] = s
	if s.mergeKey != "" {
		ua.merged[s.mergeKey] = s
	}
	return true
}

func (ua *UA) remove(s *Session) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	delete(ua.sessions, s.id)
	if s.mergeKey != "" && ua.merged[s.mergeKey] == s {
		delete(ua.merged, s.mergeKey)
	}
}

// find returns the session with our tag, if it has that Call-ID: a request under another Call-ID
// runs on another shard and must not touch it.
func (ua *UA) find(tag, callID string) *Session {
	ua.mu.RLock()
	defer ua.mu.RUnlock()
	if s := ua.sessions[tag]; s != nil && s.callID == callID {
		return s
	}
	return nil
}

// guard keeps a panic, ours or of the application's sink, inside the call that raised it.
func (ua *UA) guard(s *Session, fn func()) {
	defer func() {
		if v := recover(); v != nil {
			ua.panics.Add(1)
			ua.log.Error("panic in a dialog", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			if s != nil {
				s.crashed()
			}
		}
	}()
	fn()
}

// Ack implements stack.Handler: the ACK of a 2xx of ours.
func (ua *UA) Ack(req *sip.Request, flow stack.Flow) {
	ua.guard(nil, func() {
		if essential(req) != nil {
			return
		}
		s := ua.find(toTag(req), req.CallID().Value())
		if s == nil || !s.state.Knows(fromTag(req)) {
			return
		}
		s.feed(core.GotAck{CSeq: req.CSeq().SeqNo, SDP: sdpOf(req)})
	})
}

// StrayResponse implements stack.Handler: a 2xx to an INVITE that no transaction waits for any
// more. It is heard only if the call is known, so that nobody can make us send to a Contact of his.
func (ua *UA) StrayResponse(res *sip.Response, flow stack.Flow) {
	ua.guard(nil, func() {
		if res.CallID() == nil || res.CSeq() == nil || res.From() == nil || res.To() == nil {
			return
		}
		s := ua.find(fromTag(res), res.CallID().Value())
		if s == nil || res.CSeq().MethodName != sip.INVITE || !res.IsSuccess() {
			return
		}
		s.feed(core.GotSuccess{CSeq: res.CSeq().SeqNo, Peer: s.peerOf(res), SDP: sdpOf(res), Terms: terms(res)})
	})
}
