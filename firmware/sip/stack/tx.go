package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// transaction is what both sides share: a machine, its timers and the message it repeats. All of it
// is guarded by the shard's mutex.
type transaction struct {
	sh     *shard
	key    string
	callID string
	flow   Flow // where the other side was heard, or is to be reached
	dest   Flow // where we send: RFC 3261 section 18.2.2 may name another port for responses
	m      machine
	last   []byte
	alarms [clocks]*alarm
}

// arm starts a timer of the transaction; fire runs on the shard without the mutex.
func (t *transaction) arm(e effect, fire func(event)) {
	t.sh.alarms.stop(t.alarms[e.clock])
	var a *alarm
	ev := e.clock.event()
	slot := &t.alarms[e.clock]
	a = t.sh.alarms.set(e.after, func() {
		t.sh.mu.Lock()
		current := *slot == a // else it was stopped after it had been taken from the queue
		if current {
			*slot = nil
		}
		t.sh.mu.Unlock()
		if current {
			fire(ev)
		}
	})
	*slot = a
}

func (t *transaction) disarm(c clock) {
	t.sh.alarms.stop(t.alarms[c])
	t.alarms[c] = nil
}

func (t *transaction) disarmAll() {
	for c := range t.alarms {
		t.disarm(clock(c))
	}
}

// send puts bytes on the wire and counts a failure.
func (t *transaction) send(raw []byte, failed func(error)) error {
	if raw == nil {
		return nil
	}
	err := t.sh.stack.transmit(t.dest, raw, failed)
	if err != nil {
		t.sh.stack.count.sendErrors.Add(1)
	}
	return err
}

// ServerTx is a transaction that the other side began. Its methods are safe from any goroutine.
type ServerTx struct {
	transaction
	req       *sip.Request
	tag       string // of our responses, once known
	sendErr   error  // of the last step
	cancelled bool
	cancel    *sip.Request
	onCancel  func(*sip.Request)
	lingers   bool // it is among shard.lingering

	answerCancel func() // answers the CANCEL that is being told; nil: there is none
}

// newServerTx enters a transaction into the shard's table; the mutex is held and Stack.open counts
// it already.
func (sh *shard) newServerTx(key string, req *sip.Request, flow Flow) *ServerTx {
	tx := &ServerTx{req: req}
	tx.transaction = transaction{
		sh: sh, key: key, callID: req.CallID().Value(), flow: flow, dest: replyPath(req.Via(), flow),
		m: machine{role: plainServer, reliable: flow.Reliable()},
	}
	if req.IsInvite() {
		tx.m.role = inviteServer
	}
	sh.servers[key] = tx
	sh.stack.shares.add(flow.Remote.Addr(), 1)
	return tx
}

// Request returns the request as it arrived, its top Via completed with received and rport.
func (tx *ServerTx) Request() *sip.Request { return tx.req }

// Flow returns where the request came from.
func (tx *ServerTx) Flow() Flow { return tx.flow }

// Done reports whether the request has its final response, or can get none any more.
func (tx *ServerTx) Done() bool {
	tx.sh.mu.Lock()
	defer tx.sh.mu.Unlock()
	return !tx.unanswered()
}

func (tx *ServerTx) unanswered() bool {
	return tx.m.phase == phaseCalling || tx.m.phase == phaseProceeding
}

// Respond sends a response and repeats it as RFC 3261 section 17.2 asks; a 2xx to an INVITE is
// repeated by the caller (RFC 6026), who may call Respond with it again for 32 s. It returns ErrDone
// when the request already has another final response, and ErrTransport when the message could not
// be sent; even then a repeated request will be answered with it.
func (tx *ServerTx) Respond(res *sip.Response) error {
	tx.sh.stack.finishResponse(res)
	raw := wire(res)
	tag := ""
	if to := res.To(); to != nil {
		tag, _ = to.Params.Get("tag")
	}
	tx.sh.mu.Lock()
	defer tx.sh.mu.Unlock()
	if tx.answerCancel != nil && !res.IsProvisional() {
		tx.answerCancel()
	}
	if !tx.unanswered() && (tx.m.phase != phaseAccepted || !res.IsSuccess()) {
		return ErrDone
	}
	if tag != "" {
		tx.tag = tag
	}
	tx.sendErr = nil
	tx.step(statusEvent(res.StatusCode), raw)
	return tx.sendErr
}

// OnCancel sets what is called, on the shard, when the other side cancels this INVITE before its
// final response; the owner of the INVITE answers it with 487. The CANCEL itself is answered right before that, or
// when fn returns: what fn writes down is on record when the other side knows that its CANCEL was taken. A CANCEL
// that came before is told at once.
func (tx *ServerTx) OnCancel(fn func(cancel *sip.Request)) {
	tx.sh.mu.Lock()
	tx.onCancel = fn
	cancel := tx.cancel
	tx.sh.mu.Unlock()
	if cancel != nil && fn != nil {
		tx.sh.alarms.set(0, func() { fn(cancel) })
	}
}

// step moves the machine; the mutex is held. It reports whether the event is to be passed to the
// layer above.
func (tx *ServerTx) step(e event, offered []byte) (deliver bool) {
	var effects []effect
	tx.m, effects = tx.m.next(e)
	for _, ef := range effects {
		switch ef.do {
		case actSend:
			tx.last = offered
			if err := tx.send(offered, nil); err != nil {
				tx.sendErr = fmt.Errorf("%w: %w", ErrTransport, err)
			}
		case actResend:
			_ = tx.send(tx.last, nil) // the request will come again, and with it another try
		case actSendTrying:
			if tx.last == nil {
				trying := sip.NewResponseFromRequest(tx.req, sip.StatusTrying, "Trying", nil)
				tx.last = wire(trying)
				_ = tx.send(tx.last, nil)
			}
		case actDeliver:
			deliver = true
		case actArm:
			tx.arm(ef, func(ev event) {
				tx.sh.mu.Lock()
				tx.step(ev, nil)
				tx.sh.mu.Unlock()
			})
		case actDisarm:
			tx.disarm(ef.clock)
		}
	}
	tx.sh.linger(tx)
	tx.end()
	return deliver
}

// end takes a transaction that has ended out of the shard's table. The mutex is held.
func (tx *ServerTx) end() {
	if tx.m.phase == phaseEnded && tx.sh.servers[tx.key] == tx {
		tx.disarmAll()
		delete(tx.sh.servers, tx.key)
		tx.sh.stack.open.Add(-1)
		tx.sh.stack.shares.add(tx.flow.Remote.Addr(), -1)
		tx.sh.forgetEnded()
	}
}

// Result is one response to a request, or the error that ended its transaction: ErrTimeout or
// ErrTransport.
type Result struct {
	Response *sip.Response
	Err      error
}

// ClientTx is a transaction that we began. Its methods are safe from any goroutine.
type ClientTx struct {
	transaction
	req     *sip.Request
	sink    func(Result)
	pending bool // a CANCEL waits for the first provisional response
	headers []sip.Header
	asked   bool   // a CANCEL was sent
	before  bool   // the INVITE is of an earlier process, and may never have left
	sent    uint64 // of Stack.sent, when the request left last
	cause   error  // why the transport failed
	res     *sip.Response
}

// Request returns the request as it was sent, Via included. While it is tried whether the peer takes a
// long one by TCP, the Via is that of UDP.
func (tx *ClientTx) Request() *sip.Request {
	tx.sh.mu.Lock()
	defer tx.sh.mu.Unlock()
	return tx.req
}

// Request sends a request and tells sink every response that the transaction passes up: each
// provisional one, the final one, and for an INVITE each 2xx that follows within 32 s, repeated or
// of another branch of a fork; or the error that ended it. sink runs on the shard of the Call-ID,
// in order, and must not block; called from elsewhere, Request may return after its first result.
// A request that is too long for UDP goes by TCP where the peer speaks it (RFC 3261 section 18.1.1).
// The request gets its Via here, and Max-Forwards, User-Agent and
// Content-Length where missing.
func (s *Stack) Request(req *sip.Request, to Flow, sink func(Result)) (*ClientTx, error) {
	return s.begin(req, to, func(*sip.Request) {}, sink)
}

// Invite is Request for an INVITE that must be cancelled even when this process is killed. leaves is
// told, once and before the first byte is on its way, the request as the other side will see it: its
// Via names the branch and the transport, which are all that RestoreClientTx needs. While it is tried
// whether the peer takes a long one by TCP nothing has left, and leaves is told later. It runs on the
// shard of the Call-ID, where Invite must be called.
func (s *Stack) Invite(req *sip.Request, to Flow, leaves func(*sip.Request), sink func(Result)) (*ClientTx, error) {
	if !req.IsInvite() {
		return nil, fmt.Errorf("%w: %s is no INVITE", ErrRequest, req.Method)
	}
	return s.begin(req, to, leaves, sink)
}

func (s *Stack) begin(req *sip.Request, to Flow, leaves func(*sip.Request), sink func(Result)) (*ClientTx, error) {
	if req.IsAck() || req.IsCancel() {
		return nil, fmt.Errorf("%w: an %s has no transaction of its own", ErrRequest, req.Method)
	}
	if req.CallID() == nil || req.CSeq() == nil || req.From() == nil || req.To() == nil {
		return nil, ErrRequest
	}
	branch := sip.GenerateBranch()
	s.finishRequest(req, to, branch)
	way, raw := to, wire(req)
	if tcp, may := s.byTCP(to, len(raw)); may {
		if !s.Alive(tcp) {
			return s.tryTCP(req, to, tcp, leaves, sink)
		}
		s.finishRequest(req, tcp, branch)
		way, raw = tcp, wire(req)
	}
	leaves(req)
	return s.newClientTx(req, to, sink, func(tx *ClientTx) { tx.start(req, way, raw) })
}

// newClientTx enters a transaction into its shard's table and begins it, under the mutex.
func (s *Stack) newClientTx(req *sip.Request, to Flow, sink func(Result), begin func(*ClientTx)) (*ClientTx, error) {
	key, err := sip.ClientTxKeyMake(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	sh := s.shardOf(req.CallID().Value())
	tx := &ClientTx{req: req, sink: sink}
	tx.transaction = transaction{
		sh: sh, key: key, callID: req.CallID().Value(), flow: to, dest: to,
		m: machine{role: plainClient, reliable: to.Reliable()},
	}
	if req.IsInvite() {
		tx.m.role = inviteClient
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.clients[key] != nil {
		return nil, fmt.Errorf("%w: its branch is in use", ErrRequest)
	}
	sh.clients[key] = tx
	begin(tx)
	return tx, nil
}

// start puts the request, whose Via is complete, on its way; the mutex is held.
func (tx *ClientTx) start(req *sip.Request, way Flow, raw []byte) {
	tx.req, tx.dest, tx.m.reliable = req, way, way.Reliable()
	tx.step(evStart, raw)
}

// received feeds a response to the machine; the mutex is held. It reports whether sink hears it.
func (tx *ClientTx) received(res *sip.Response) (deliver bool) {
	tx.res = res
	deliver = tx.step(statusEvent(res.StatusCode), nil)
	if tx.pending && tx.m.phase == phaseProceeding {
		tx.pending = false
		tx.sendCancel()
	}
	return deliver
}

// step moves the machine; the mutex is held. It reports whether the event is to be passed to sink.
func (tx *ClientTx) step(e event, offered []byte) (deliver bool) {
	var effects []effect
	tx.m, effects = tx.m.next(e)
	for _, ef := range effects {
		switch ef.do {
		case actSend:
			tx.last = offered
			tx.sendOrBreak(offered)
		case actResend:
			tx.sendOrBreak(tx.last)
		case actSendAck:
			_ = tx.send(wire(ackOf(tx.req, tx.res)), nil) // lost ones are asked for again
		case actDeliver:
			deliver = true
		case actTimeout:
			tx.sh.stack.count.timeouts.Add(1)
			tx.fail(ErrTimeout)
		case actBroken:
			tx.fail(transportError(tx.cause))
		case actArm:
			tx.arm(ef, tx.fire)
		case actDisarm:
			tx.disarm(ef.clock)
		}
	}
	if tx.m.phase == phaseEnded && tx.sh.clients[tx.key] == tx {
		tx.disarmAll()
		delete(tx.sh.clients, tx.key)
	}
	return deliver
}

func (tx *ClientTx) fire(e event) {
	tx.sh.mu.Lock()
	tx.step(e, nil)
	tx.sh.mu.Unlock()
}

// sendOrBreak sends; a failure ends the transaction from the shard, never from within this step.
func (tx *ClientTx) sendOrBreak(raw []byte) {
	tx.sent = tx.sh.stack.sent.Add(1)
	broken := func(err error) { tx.sh.alarms.set(0, func() { tx.broken(err) }) }
	if err := tx.send(raw, broken); err != nil {
		broken(err)
	}
}

// broken ends a transaction whose message could not be sent; it runs on the shard.
func (tx *ClientTx) broken(err error) {
	tx.sh.mu.Lock()
	defer tx.sh.mu.Unlock()
	tx.cause = err
	tx.step(evBroken, nil)
}

// transportError is ErrTransport with its cause, if that is known.
func transportError(cause error) error {
	switch {
	case cause == nil:
		return ErrTransport
	case errors.Is(cause, ErrTransport):
		return cause
	}
	return fmt.Errorf("%w: %w", ErrTransport, cause)
}

// fail tells sink the end from the shard, without the mutex.
func (tx *ClientTx) fail(err error) {
	if tx.res == nil || !errors.Is(err, ErrTimeout) { // who was heard once is only slow
		tx.sh.stack.judge(tx.dest, Result{Err: err})
	}
	if tx.sink == nil {
		return
	}
	sink := tx.sink
	tx.sh.alarms.set(0, func() { sink(Result{Err: err}) })
}

// Cancel asks the other side to give up an INVITE (RFC 3261 section 9.1). It waits for the first
// provisional response, as it must; the INVITE then ends with its own final response, a success
// among them if the two crossed, or with ErrTimeout after 32 s of silence. The headers, such as a
// Reason, go into the CANCEL. ErrDone means that there is nothing left to cancel.
func (tx *ClientTx) Cancel(headers ...sip.Header) error {
	tx.sh.mu.Lock()
	defer tx.sh.mu.Unlock()
	if tx.m.role != inviteClient {
		return fmt.Errorf("%w: only an INVITE is cancelled", ErrRequest)
	}
	switch {
	case tx.m.phase == phaseCalling && !tx.asked:
		tx.pending, tx.headers = true, headers
		return nil
	case tx.m.phase == phaseProceeding:
		if !tx.asked {
			tx.headers = headers
			tx.sendCancel()
		}
		return nil
	}
	return ErrDone
}

// sendCancel starts the CANCEL's own transaction; the mutex is held.
func (tx *ClientTx) sendCancel() {
	tx.asked = true
	req := cancelOf(tx.req, tx.headers)
	tx.sh.stack.addUserAgent(req)
	key, err := sip.ClientTxKeyMake(req)
	if err != nil || tx.sh.clients[key] != nil {
		return
	}
	c := &ClientTx{req: req}
	if tx.before && tx.sink != nil { // section 9.2: who has no such INVITE says so, and will never answer it
		c.sink = func(r Result) {
			if r.Err == nil && r.Response.StatusCode == sip.StatusCallTransactionDoesNotExists {
				tx.sink(Result{Err: ErrUnknown})
			}
		}
	}
	c.transaction = transaction{
		sh: tx.sh, key: key, callID: tx.callID, flow: tx.flow, dest: tx.dest,
		m: machine{role: plainClient, reliable: tx.m.reliable},
	}
	tx.sh.clients[key] = c
	c.step(evStart, wire(req))
	tx.step(evCancelled, nil)
}

// RestoreServerTx puts an INVITE of an earlier process back, so that it can be answered, cancelled
// and matched. The request is one that ServerTx.Request returned; last is the last response sent,
// or nil. A last response that was final is sent once more, since nobody knows whether it arrived;
// a provisional one is not.
func (s *Stack) RestoreServerTx(req *sip.Request, flow Flow, last *sip.Response) (*ServerTx, error) {
	if !req.IsInvite() {
		return nil, fmt.Errorf("%w: only an INVITE is restored", ErrRequest)
	}
	if req.CallID() == nil {
		return nil, ErrRequest
	}
	key, err := serverKey(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	sh := s.shardOf(req.CallID().Value())
	sh.mu.Lock()
	if sh.servers[key] != nil {
		sh.mu.Unlock()
		return nil, fmt.Errorf("%w: it is already open", ErrRequest)
	}
	s.open.Add(1)
	tx := sh.newServerTx(key, req, flow)
	tx.step(evStart, nil)
	sh.mu.Unlock()
	if last == nil {
		return tx, nil
	}
	if last.IsProvisional() {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		tx.disarm(clockTrying)
		tx.last = wire(last)
		if to := last.To(); to != nil {
			tx.tag, _ = to.Params.Get("tag")
		}
		return tx, nil
	}
	if err := tx.Respond(last); err != nil && !errors.Is(err, ErrTransport) {
		return nil, err
	}
	return tx, nil
}

// RestoreClientTx puts an INVITE of an earlier process back, so that its answer finds it and it can
// be cancelled. The request is the one that Invite told when it left. Nothing is sent:
// the machine waits as after a provisional response, because repeating an INVITE whose transaction
// has meanwhile ended at the other side would ring a phone for nobody. A final response that was
// missed is repeated by the other side for 32 s.
func (s *Stack) RestoreClientTx(req *sip.Request, flow Flow, sink func(Result)) (*ClientTx, error) {
	if !req.IsInvite() {
		return nil, fmt.Errorf("%w: only an INVITE is restored", ErrRequest)
	}
	if req.CallID() == nil {
		return nil, ErrRequest
	}
	return s.newClientTx(req, flow, sink, func(tx *ClientTx) {
		tx.m.phase, tx.before = phaseProceeding, true
		if via := req.Via(); flow.Transport == "udp" && via != nil && strings.EqualFold(via.Transport, "tcp") {
			tx.dest = s.flowTo("tcp", flow.Remote) // it was too long for UDP
			tx.m.reliable = true
		}
	})
}

// statusEvent is the event that a status code means to a machine.
func statusEvent(status int) event {
	switch {
	case status < 200:
		return ev1xx
	case status < 300:
		return ev2xx
	}
	return evFinal
}
