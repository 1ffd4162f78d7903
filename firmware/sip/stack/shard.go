package stack

import (
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// workQueue is how many functions wait at a shard for Run.
const workQueue = 4096

// inbound is a message on its way from a reader to a shard.
type inbound struct {
	msg  sip.Message
	flow Flow
}

// shard is the goroutine that owns a share of the calls.
type shard struct {
	stack  *Stack
	net    chan inbound
	work   chan func()
	alarms *alarms
	quit   chan struct{}

	closing sync.RWMutex // held shortly by post, so that nothing is queued after the last drain
	closed  bool

	// mu guards the transactions. The shard holds it for a step of a machine, never for a callback;
	// Respond, Cancel and Request take it from wherever they are called.
	mu      sync.Mutex
	servers map[string]*ServerTx
	clients map[string]*ClientTx

	lingering []*ServerTx // finished ones, oldest first
}

func newShard(s *Stack, queue int) *shard {
	return &shard{
		stack: s, net: make(chan inbound, queue), work: make(chan func(), workQueue),
		alarms: newAlarms(), quit: make(chan struct{}),
		servers: make(map[string]*ServerTx), clients: make(map[string]*ClientTx),
	}
}

func (sh *shard) run() {
	defer sh.stack.shardWG.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var armed time.Time // when timer will fire; re-arming for each message would cost
	for {
		fn, wait := sh.alarms.due(time.Now())
		if fn != nil {
			sh.stack.guard("timer", fn)
			// Messages must not starve while timers are due: look at both.
			select {
			case in := <-sh.net:
				sh.deliver(in)
			default:
			}
			continue
		}
		if wait >= 0 {
			if at := time.Now().Add(wait); !at.Equal(armed) {
				timer.Reset(wait)
				armed = at
			}
		}
		select {
		case in := <-sh.net:
			sh.deliver(in)
		case fn := <-sh.work:
			sh.stack.guard("run", fn)
		case <-sh.alarms.wake:
		case <-timer.C:
			armed = time.Time{}
		case <-sh.quit:
			sh.drain()
			return
		}
	}
}

// drain runs what Run has promised.
func (sh *shard) drain() {
	for {
		select {
		case fn := <-sh.work:
			sh.stack.guard("run", fn)
		default:
			return
		}
	}
}

func (sh *shard) post(fn func()) bool {
	sh.closing.RLock()
	defer sh.closing.RUnlock()
	if sh.closed {
		return false
	}
	select {
	case sh.work <- fn:
		return true
	default:
		return false
	}
}

func (sh *shard) close() {
	sh.closing.Lock()
	closed := sh.closed
	sh.closed = true
	sh.closing.Unlock()
	if !closed {
		close(sh.quit)
	}
}

// deliver hands one message to its transaction or to the layer above.
func (sh *shard) deliver(in inbound) {
	switch msg := in.msg.(type) {
	case *sip.Request:
		sh.stack.guard("request", func() { sh.request(msg, in.flow) })
	case *sip.Response:
		sh.stack.guard("response", func() { sh.response(msg, in.flow) })
	}
}

func (sh *shard) request(req *sip.Request, flow Flow) {
	key, err := serverKey(req)
	if err != nil {
		sh.stack.refuse(req, flow, sip.StatusBadRequest, "Bad Request")
		return
	}
	switch req.Method {
	case sip.ACK:
		sh.ack(key, req, flow)
		return
	case sip.CANCEL:
		sh.cancel(key, req, flow)
		return
	}
	sh.mu.Lock()
	if tx := sh.servers[key]; tx != nil {
		tx.step(evRequest, nil)
		sh.mu.Unlock()
		return
	}
	sh.mu.Unlock()
	if sh.stack.screened(req, flow) {
		return
	}
	sh.mu.Lock()
	if sh.stack.open.Add(1) > sh.stack.room(req, flow) && !sh.makeRoom() { // taken first: shards race for the last places
		sh.stack.open.Add(-1)
		sh.mu.Unlock()
		sh.stack.overload(req, flow)
		return
	}
	tx := sh.newServerTx(key, req, flow)
	tx.step(evStart, nil)
	sh.mu.Unlock()

	h := sh.stack.handler.Load()
	if h == nil {
		return
	}
	if !sh.stack.guard("handler", func() { (*h).Request(tx) }) && !tx.Done() {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusInternalServerError, "Server Internal Error", nil))
	}
}

// room is how many server transactions may be open for this request to begin another. Requests of
// calls that exist have twice as much, so that calls can still end. The last quarter is for sources
// that hold few, so that who floods, from many addresses too, shuts out himself.
func (s *Stack) room(req *sip.Request, flow Flow) int64 {
	limit := int64(s.cfg.MaxTransactions)
	switch {
	case !outsideDialog(req):
		return 2 * limit
	case s.shares.modest(flow.Remote.Addr()):
		return limit
	}
	return limit - limit/4
}

// ack feeds the ACK of a refusal to its transaction; any other ACK is one of a 2xx.
func (sh *shard) ack(key string, req *sip.Request, flow Flow) {
	deliver := true
	sh.mu.Lock()
	if tx := sh.servers[key]; tx != nil {
		deliver = tx.step(evAck, nil)
	}
	sh.mu.Unlock()
	if h := sh.stack.handler.Load(); deliver && h != nil && !sh.stack.isStatelessTag(req.To()) {
		(*h).Ack(req, flow)
	}
}

// cancel answers a CANCEL (RFC 3261 section 9.2) and tells the INVITE's owner once. The answer
// keeps no state: a repeated CANCEL gets the same one. It leaves when the owner has written down that the call is
// over, right before its 487 or when it has said nothing: a CANCEL that is answered does not come again, and were
// this process killed before it is on record, the next one would ring for nobody.
func (sh *shard) cancel(key string, req *sip.Request, flow Flow) {
	sh.mu.Lock()
	tx := sh.servers[key]
	var tell func(*sip.Request)
	tag := ""
	if tx != nil {
		tag = tx.tag
		if !tx.cancelled && tx.m.phase == phaseProceeding {
			tx.cancelled = true
			tx.cancel = req
			tell = tx.onCancel
		}
	}
	answer := sync.OnceFunc(func() { sh.stack.answer(req, flow, sip.StatusOK, "OK", tag) })
	if tell != nil {
		tx.answerCancel = answer
	}
	sh.mu.Unlock()
	if tx == nil {
		sh.stack.refuse(req, flow, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
		return
	}
	if tell != nil {
		sh.stack.guard("cancel", func() { tell(req) })
	}
	answer()
}

func (sh *shard) response(res *sip.Response, flow Flow) {
	key, err := sip.ClientTxKeyMake(res)
	if err != nil {
		sh.stack.count.malformed.Add(1)
		return
	}
	sh.mu.Lock()
	tx := sh.clients[key]
	deliver := false
	if tx != nil {
		deliver = tx.received(res)
	}
	sh.mu.Unlock()
	if tx == nil {
		sh.stack.count.strays.Add(1)
		if h := sh.stack.handler.Load(); h != nil && res.IsSuccess() && res.CSeq().MethodName == sip.INVITE {
			(*h).StrayResponse(res, flow)
		}
		return
	}
	if deliver {
		sh.stack.judge(tx.dest, Result{Response: res})
		sh.stack.learn(tx.Request(), res, tx.dest)
	}
	if deliver && tx.sink != nil {
		tx.sink(Result{Response: res})
	}
}

// lost tells the client transactions of a closed TCP connection that have heard nothing yet: their
// request is not repeated, so waiting for timer B or F would be idle. One that has heard a
// provisional response waits on, since its answer may come on a new connection (RFC 3261 section
// 18.2.2). Last is Stack.sent when the connection had taken its last message: what left later left by a new one.
func (s *Stack) lost(flow Flow, inbound bool, last uint64) {
	for _, sh := range s.shards {
		sh.alarms.set(0, func() { // the caller may hold a shard's mutex
			var broken []*ClientTx
			sh.mu.Lock()
			for _, tx := range sh.clients {
				same := tx.dest == flow || !inbound && tx.dest.Reliable() && tx.dest.Remote == flow.Remote
				if same && tx.sent <= last && tx.m.phase == phaseCalling {
					broken = append(broken, tx)
				}
			}
			sh.mu.Unlock()
			for _, tx := range broken {
				tx.fire(evBroken)
			}
		})
	}
}
