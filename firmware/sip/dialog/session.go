package dialog

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	inboxLimit = 64                    // commands that wait for the shard; a hang-up always fits
	inboxRetry = 20 * time.Millisecond // when the shard is full
	eventLimit = 64                    // events kept until Bind
)

// Session is one call over SIP. Its methods may be called from any goroutine and never block; what
// they ask for is done on the shard of the Call-ID, in the order of the calls. A command that the
// phase of the call does not allow ends in an Ignored event.
type Session struct {
	ua       *UA
	log      *slog.Logger
	id       string
	label    string
	callID   string
	incoming bool
	request  *sip.Request // their INVITE, or ours as it was first rendered
	flow     stack.Flow   // of the INVITE
	offer    []byte
	user     string // of our Contact
	mergeKey string
	restored Restored

	// The inbox is filled by any goroutine and emptied by the shard.
	mu      sync.Mutex
	inbox   []func()
	called  bool // the shard will come
	leaving bool // a hang-up is in the inbox, or done

	// The rest belongs to the shard.
	state   core.State
	queue   []core.Event // events raised while one is being handled
	running bool
	sink    func(Event)
	bound   bool
	told    bool    // Ended, the last event
	waiting []Event // told before Bind
	auth    func(*sip.Response, *sip.Request) (sip.Header, error)
	creds   sip.Header          // of our INVITE; its ACK repeats them (section 22.1)
	client  ClientTx            // our INVITE
	reoffer ClientTx            // our re-INVITE
	first   ServerTx            // their INVITE
	theirs  ServerTx            // their re-INVITE or UPDATE
	current ServerTx            // the request that is being handled
	refers  map[uint32]ServerTx // their REFERs that wait for the application, by CSeq
	final   *sip.Response
	timers  map[core.Timer]func()
	cleared func() // due when the peer has nothing of the call any more
	unsent  []delivery

	shown atomic.Pointer[face] // for Match, which runs on any shard
}

// ID names the session; it is our tag and the key in the hot journal.
func (s *Session) ID() string { return s.id }

// Label is what the application called the session, or its ID.
func (s *Session) Label() string { return s.label }

// CallID returns the Call-ID.
func (s *Session) CallID() string { return s.callID }

// Incoming reports whether the peer called.
func (s *Session) Incoming() bool { return s.incoming }

// Request returns the INVITE that opened the call; nil after a restart that found it answered.
// It must not be changed.
func (s *Session) Request() *sip.Request { return s.request }

// Flow returns the path on which the INVITE came or went.
func (s *Session) Flow() stack.Flow { return s.flow }

// ContactPort returns the port of our Contact as it would be now; 0 over a connection, where it says
// nothing: the other end answers on the connection.
func (s *Session) ContactPort() uint16 {
	if s.flow.Transport != "udp" {
		return 0
	}
	_, port := s.ua.cfg.Stack.Contact(s.flow)
	return uint16(port)
}

// RemoteOffer returns the offer in their INVITE, nil when it had none.
func (s *Session) RemoteOffer() []byte { return s.offer }

// Bind sets the sink of the events and gives it those that have waited. Events are delivered on
// the shard, in order; the sink must not block. A nil sink throws them away.
func (s *Session) Bind(sink func(Event)) {
	s.post(func() {
		s.sink, s.bound = sink, true
		waiting := s.waiting
		s.waiting = nil
		for _, e := range waiting {
			s.tell(e)
		}
	})
}

// Authorize sets what answers challenges to later requests, as InviteRequest.Auth does; a restored
// session has lost it, and an incoming one has none.
func (s *Session) Authorize(auth func(*sip.Response, *sip.Request) (sip.Header, error)) {
	s.post(func() { s.auth = auth })
}

// Cleared has fn run on the shard, once and after Ended, when the peer has nothing of the call any more: what we
// cancelled has its final response (RFC 3261 section 9.1), what we hung up its reply, or neither comes. Until
// then a phone may still ring. fn must not block.
func (s *Session) Cleared(fn func()) {
	s.post(func() {
		s.cleared = fn
		s.clear()
	})
}

// clear runs what Cleared has left when its time has come.
func (s *Session) clear() {
	if p := s.state.Phase; s.cleared == nil || p != core.Lingering && p != core.Gone {
		return
	}
	fn := s.cleared
	s.cleared = nil
	fn()
}

// Provisional sends a 101 to 199 response to their INVITE, with early media when sdp is not nil. It
// is repeated each minute (RFC 3261 section 13.3.1.1). It goes out reliably (RFC 3262) when the caller
// requires that, or supports it and sdp is not nil; a caller who then sends no PRACK is answered 504
// after 32 s. sdp is an offer, which EarlyAnswered answers, when the INVITE had none; without a
// reliable way it is left out then.
func (s *Session) Provisional(status int, sdp []byte, headers ...sip.Header) {
	s.command(core.DoProvisional{Status: status, SDP: sdp, Headers: headerLines(headers)})
}

// Accept answers their INVITE with 200 and sdp: the answer to RemoteOffer, or our offer when there
// was none. It is repeated until the ACK comes (Confirmed); without ACK the call is hung up.
// The headers, such as a P-Asserted-Identity, go into the 2xx. It waits for the PRACK of a reliable
// provisional that has carried a description; then sdp is given already and is not sent again.
func (s *Session) Accept(sdp []byte, headers ...sip.Header) {
	s.command(core.DoAccept{SDP: sdp, Headers: headerLines(headers)})
}

// Reject answers their INVITE with a final status of 300 to 699.
func (s *Session) Reject(status int, headers ...sip.Header) {
	s.command(core.DoReject{Status: status, Headers: headerLines(headers)})
}

// Hangup ends the call in whatever phase it is: CANCEL, a rejection or BYE, with the cause as
// Reason. Ended follows at once; what crosses it is cleaned up silently.
func (s *Session) Hangup(cause tel.Cause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return
	}
	s.leaving = true
	s.enqueue(func() { s.feed(core.DoHangup{Cause: cause}) })
}

// Reoffer sends a re-INVITE with a new offer; ReofferDone tells the end.
func (s *Session) Reoffer(sdp []byte) { s.command(core.DoReoffer{SDP: sdp}) }

// Update sends an UPDATE (RFC 3311), in an early dialog too: with an offer once the first exchange
// is complete, or with nil for its headers alone, such as a new P-Asserted-Identity (RFC 4916). In an
// established call with a peer that does not take UPDATE a re-INVITE does the same. ReofferDone tells
// the end of one with an offer, Updated that of one without.
func (s *Session) Update(sdp []byte, headers ...sip.Header) {
	s.command(core.DoUpdate{SDP: sdp, Headers: headerLines(headers)})
}

// AnswerReoffer accepts what Reoffered brought.
func (s *Session) AnswerReoffer(sdp []byte) { s.command(core.DoAnswerReoffer{SDP: sdp}) }

// RejectReoffer refuses what Reoffered brought; the session stays as it was.
func (s *Session) RejectReoffer(status int) { s.command(core.DoRejectReoffer{Status: status}) }

// SendInfo sends an INFO request (RFC 6086).
func (s *Session) SendInfo(contentType string, body []byte) {
	s.command(core.DoInfo{ContentType: contentType, Body: body})
}

func (s *Session) command(e core.Event) { s.post(func() { s.feed(e) }) }

// post has fn run on the shard after everything posted before.
func (s *Session) post(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) >= inboxLimit {
		s.log.Warn("command dropped: the shard does not follow", "waiting", len(s.inbox))
		return
	}
	s.enqueue(fn)
}

// enqueue wants the mutex held.
func (s *Session) enqueue(fn func()) {
	s.inbox = append(s.inbox, fn)
	if s.called {
		return
	}
	s.called = true
	if !s.ua.cfg.Stack.Run(s.callID, s.drain) {
		s.ua.cfg.Stack.After(s.callID, inboxRetry, s.drain)
	}
}

// drain runs on the shard.
func (s *Session) drain() {
	s.mu.Lock()
	list := s.inbox
	s.inbox, s.called = nil, false
	s.mu.Unlock()
	for _, fn := range list {
		s.ua.guard(s, fn)
	}
}

// feed gives the core an event. Effects may raise further events (a request that cannot be sent
// fails at once): they wait until the effects of this one are done.
func (s *Session) feed(e core.Event) {
	s.queue = append(s.queue, e)
	if s.running {
		return
	}
	s.running = true
	defer func() { s.running = false }()
	s.ua.guard(s, s.work)
}

func (s *Session) work() {
	for len(s.queue) > 0 {
		e := s.queue[0]
		s.queue = s.queue[1:]
		var effects []core.Effect
		s.state, effects = core.Next(s.state, e, time.Now())
		s.show()
		for _, effect := range effects {
			s.do(effect)
		}
		s.clear()
	}
	s.queue = nil
	s.forgetRefers()
}

// tell passes a notice to the application, or keeps it until Bind.
func (s *Session) tell(e Event) {
	if s.bound {
		if s.told {
			s.ua.late.Add(1)
		}
		if s.sink != nil {
			s.sink(e)
		}
		if _, last := e.(Ended); last {
			s.told = true
			s.sink = nil // the session lingers for half a minute: the call behind the sink need not
		}
		return
	}
	if len(s.waiting) < eventLimit {
		s.waiting = append(s.waiting, e)
	}
}

// crashed ends a call whose handling has panicked: the peer gets a final word, the application its
// Ended, and the state is forgotten.
func (s *Session) crashed() {
	s.queue, s.running = nil, false
	told := s.state.Cause != tel.CauseNone
	for _, stop := range s.timers {
		stop()
	}
	clear(s.timers)
	s.ua.remove(s)
	// The application's sink may be what panicked: it gets one more chance, not a loop.
	defer func() {
		if v := recover(); v != nil {
			s.ua.panics.Add(1)
			s.log.Error("panic again while ending a dialog")
		}
		s.drop() // last: killed before that, the next process still owes the peer its BYE
	}()
	state, effects := core.Next(s.state, core.DoHangup{Cause: tel.CauseInternalError}, time.Now())
	s.state = state
	for _, effect := range effects {
		switch effect.(type) {
		case core.Respond, core.SendRequest, core.SendCancel:
			s.do(effect)
		}
	}
	if !told {
		s.tell(Ended{Cause: tel.CauseInternalError})
	}
	if fn := s.cleared; fn != nil { // nothing that comes now is told any more
		s.cleared = nil
		fn()
	}
}
