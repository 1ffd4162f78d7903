package dialog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Restored is what an earlier process left of a call.
type Restored struct {
	Phase      core.Phase
	Live       bool // false: only the protocol's tail is left, nothing more is told
	LocalSDP   []byte
	RemoteSDP  []byte
	SDPVersion uint64 // of the o= line in our last description; the next one must be higher
}

// Restored returns how the journal described the call; the zero value for a call of this process.
func (s *Session) Restored() Restored { return s.restored }

// Restore takes up the dialogs that the hot journal holds under JournalKind, by key. Call it after
// the stack's sockets are open and before Serve, then Bind each session. Established calls go on;
// calls that ring can still be answered, rejected or cancelled; a 2xx that nobody waits for any
// more is acknowledged and hung up. A record that cannot be read is an error of its own; the others
// are not affected. It returns when all are back on their shards. Sessions that are over for the application are
// taken up but not returned, except for our calls that were cancelled and may still ring (ending): Cleared tells
// of their end.
func (ua *UA) Restore(states map[string][]byte) (sessions, ending []*Session, errs []error) {
	for _, key := range slices.Sorted(maps.Keys(states)) {
		s, err := ua.restore(states[key])
		if err != nil {
			errs = append(errs, fmt.Errorf("dialog %q: %w", key, err))
			continue
		}
		switch {
		case s.restored.Live:
			sessions = append(sessions, s)
		case s.restored.Phase == core.Cancelling:
			ending = append(ending, s)
		}
	}
	return sessions, ending, errs
}

var errShard = errors.New("the SIP stack is closing")

func (ua *UA) restore(b []byte) (*Session, error) {
	state, err := core.Decode(b)
	if err != nil {
		return nil, err
	}
	s := ua.newSession(state)
	s.restored = Restored{
		Phase: state.Phase, Live: state.Live(),
		LocalSDP: state.LocalSDP, RemoteSDP: state.RemoteSDP, SDPVersion: state.SDPVersion,
	}
	if err := s.reread(); err != nil {
		return nil, err
	}
	if !ua.add(s) {
		return nil, ErrClosed
	}
	// The INVITE must be back in its transaction before Serve lets a CANCEL for it in, so wait.
	done := make(chan struct{})
	if !ua.cfg.Stack.Run(s.callID, func() { defer close(done); s.feed(core.Restart{}) }) {
		ua.remove(s)
		return nil, errShard
	}
	<-done
	return s, nil
}

// reread gets back from the journalled INVITE what the session holds beside its state.
func (s *Session) reread() error {
	var party sip.Uri
	if _, err := sip.ParseAddressValue(s.state.Local, &party, nil); err != nil {
		return errParty
	}
	s.user = party.User
	if s.state.Invite.Text == "" {
		return nil
	}
	req, err := parseRequest(s.state.Invite.Text)
	if err != nil {
		return fmt.Errorf("INVITE: %w", err)
	}
	s.request = req
	if !s.incoming {
		s.request = bare(req)
		return nil
	}
	s.offer = sdpOf(req)
	s.user = cmp.Or(req.Recipient.User, s.user)
	s.mergeKey = mergeKey(req)
	return nil
}

// bare takes from our INVITE what each repetition gets anew.
func bare(req *sip.Request) *sip.Request {
	req = req.Clone()
	for _, name := range []string{"Via", "Authorization", "Proxy-Authorization", "Session-Expires", "Min-SE"} {
		for req.RemoveHeader(name) {
		}
	}
	return req
}

func parseRequest(text string) (*sip.Request, error) {
	msg, err := sip.ParseMessage([]byte(text))
	if err != nil {
		return nil, err
	}
	req, ok := msg.(*sip.Request)
	if !ok {
		return nil, errors.New("a response stands where the request should")
	}
	if err := essential(req); err != nil && req.Via() != nil {
		return nil, err
	}
	return req, nil
}

// readopt gives an open INVITE back to the transaction layer: This is ours.
func (s *Session) readopt(e core.Readopt) {
	t := e.Txn
	if t == core.This {
		s.readoptOurs(e.Text)
		return
	}
	req, err := parseRequest(e.Text)
	if err != nil {
		s.log.Warn("request of the previous process not read", "err", err)
		return
	}
	if req.Method != sip.INVITE {
		return // an UPDATE is repeated by the peer, and refused as out of order: it tries again
	}
	var last *sip.Response
	switch {
	case t == core.First && s.state.Phase == core.Offered && s.state.Provisional != 0:
		last = s.response(req, s.state.Ringing())
	default:
		if final, ok := s.state.Final(t); ok {
			last = s.response(req, final)
		}
	}
	tx, err := s.ua.cfg.Stack.RestoreServerTx(req, stackFlow(s.state.Flow), last)
	if err != nil {
		s.log.Warn("INVITE of the previous process not taken up", "err", err)
		return
	}
	if t == core.Theirs {
		s.theirs = tx
		return
	}
	s.first = tx
	s.watchCancel(tx)
}

func (s *Session) readoptOurs(text string) {
	req, err := parseRequest(text)
	if err != nil || req.Via() == nil {
		s.log.Warn("INVITE of the previous process cannot be cancelled", "err", err)
		return
	}
	cseq := s.state.Invite.CSeq
	sink := func(r stack.Result) { s.ua.guard(s, func() { s.inviteResult(cseq, req, r) }) }
	tx, err := s.ua.cfg.Stack.RestoreClientTx(req, s.flow, sink)
	if err != nil {
		s.log.Warn("INVITE of the previous process not taken up", "err", err)
		return
	}
	s.client = tx
}
