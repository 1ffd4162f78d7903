package dialog

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// world is a network and a clock in which everything happens in one goroutine and in an order that
// the seed decides. It runs inside synctest, so that time.Now tells its time.
type world struct {
	t     testing.TB
	r     *rand.Rand
	mu    sync.Mutex // for what a resolving goroutine posts
	queue jobs
	seq   int
	nodes map[netip.AddrPort]*node
	loss  float64
	delay func() time.Duration // nil = 1 ms
	drop  func(from, to *node, msg sip.Message) bool
	log   []string // every message that was put on the wire
	all   []sip.Message
}

type job struct {
	at  time.Time
	seq int
	fn  func()
}
type jobs []job

func (q jobs) Len() int { return len(q) }
func (q jobs) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q jobs) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *jobs) Push(x any)   { *q = append(*q, x.(job)) }
func (q *jobs) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// inWorld runs fn in a bubble of fake time.
func inWorld(t *testing.T, seed uint64, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(&world{t: t, r: rand.New(rand.NewPCG(seed, 1)), nodes: map[netip.AddrPort]*node{}})
	})
}

func (w *world) after(d time.Duration, fn func()) (stop func()) {
	stopped := false
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	heap.Push(&w.queue, job{time.Now().Add(d), w.seq, func() {
		if !stopped {
			fn()
		}
	}})
	return func() { stopped = true }
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	end := time.Now().Add(d)
	for {
		w.mu.Lock()
		if len(w.queue) == 0 || w.queue[0].at.After(end) {
			w.mu.Unlock()
			time.Sleep(time.Until(end))
			synctest.Wait()
			w.mu.Lock()
			more := len(w.queue) > 0 && !w.queue[0].at.After(end)
			w.mu.Unlock()
			if more {
				continue
			}
			return
		}
		j := heap.Pop(&w.queue).(job)
		w.mu.Unlock()
		time.Sleep(time.Until(j.at))
		j.fn()
	}
}

// count says how many messages on the wire contain all words, e.g. "BYE" or "200 INVITE".
func (w *world) count(from, what string) int {
	n := 0
	for _, line := range w.log {
		if strings.HasPrefix(line, from+" ") && strings.HasSuffix(line, " "+what) {
			n++
		}
	}
	return n
}

// node is one user agent with a small but honest transaction layer: it repeats, absorbs and gives
// up as RFC 3261 section 17 says.
type node struct {
	w       *world
	name    string
	addr    netip.AddrPort
	ua      *UA
	servers map[string]*fakeServer
	clients map[string]*fakeClient
	dead    bool
	refuse  bool // every Request fails at once
	inline  bool // Run does not wait for the world: it stands still during Restore
	others  []string
	ending  []*Session // that Restore has found cancelled
}

func (w *world) node(name, addr string, cfg Config) *node {
	n := &node{
		w: w, name: name, addr: netip.MustParseAddrPort(addr),
		servers: map[string]*fakeServer{}, clients: map[string]*fakeClient{},
	}
	cfg.Stack = n
	n.ua = New(cfg)
	w.nodes[n.addr] = n
	return n
}

// flow is the path from n to other.
func (n *node) flow(other *node) stack.Flow {
	return stack.Flow{Transport: "udp", Local: n.addr, Remote: other.addr}
}

func (n *node) Run(_ string, fn func()) bool {
	if n.inline {
		fn()
		return true
	}
	n.After("", 0, fn)
	return true
}

func (n *node) After(_ string, d time.Duration, fn func()) func() {
	return n.w.after(d, func() {
		if !n.dead {
			fn()
		}
	})
}

func (n *node) Resolve(_ context.Context, uri sip.Uri, transport string) (stack.Flow, error) {
	addr, err := netip.ParseAddr(uri.Host)
	if err != nil {
		return stack.Flow{}, err
	}
	return stack.Flow{Transport: transport, Local: n.addr, Remote: netip.AddrPortFrom(addr, uint16(port(uri)))}, nil
}

func (n *node) Contact(stack.Flow) (string, int) { return n.addr.Addr().String(), int(n.addr.Port()) }
func (n *node) Alive(stack.Flow) bool            { return true }

// wire sends msg as text; what arrives has been parsed again.
func (n *node) wire(msg sip.Message, to netip.AddrPort) {
	w := n.w
	line := n.name + " " + msg.CSeq().MethodName.String()
	if res, ok := msg.(*sip.Response); ok {
		line = fmt.Sprintf("%s %d %s", n.name, res.StatusCode, msg.CSeq().MethodName)
	} else if req := msg.(*sip.Request); req.Method == sip.CANCEL || req.Method == sip.BYE {
		line = n.name + " " + string(req.Method)
	}
	w.log = append(w.log, line)
	w.all = append(w.all, msg)
	text := msg.String()
	dest := w.nodes[to]
	if dest == nil || w.r.Float64() < w.loss || w.drop != nil && w.drop(n, dest, msg) {
		return
	}
	d := time.Millisecond
	if w.delay != nil {
		d = w.delay()
	}
	w.after(d, func() {
		if dest.dead {
			return
		}
		got, err := sip.ParseMessage([]byte(text))
		if err != nil {
			w.t.Errorf("%s sent what cannot be parsed: %v\n%s", n.name, err, text)
			return
		}
		dest.receive(got, dest.flow(n))
	})
}

func branch(m sip.Message, method sip.RequestMethod) string {
	return m.Via().Params.GetOr("branch", "") + " " + string(method)
}

func (n *node) via(req *sip.Request, branch string) {
	req.PrependHeader(&sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: n.addr.Addr().String(), Port: int(n.addr.Port()),
		Params: sip.HeaderParams{{K: "branch", V: branch}},
	})
}

func (n *node) receive(msg sip.Message, flow stack.Flow) {
	switch m := msg.(type) {
	case *sip.Response:
		if c := n.clients[branch(m, m.CSeq().MethodName)]; c != nil {
			c.response(m)
			return
		}
		n.ua.StrayResponse(m, flow)
	case *sip.Request:
		n.request(m, flow)
	}
}

func (n *node) request(req *sip.Request, flow stack.Flow) {
	if req.Method == sip.ACK {
		if s := n.servers[branch(req, sip.INVITE)]; s != nil {
			s.acked = true
			return
		}
		n.ua.Ack(req, flow)
		return
	}
	key := branch(req, req.Method)
	if s := n.servers[key]; s != nil {
		if s.last != nil {
			n.wire(s.last, flow.Remote)
		}
		return
	}
	s := &fakeServer{n: n, req: req, flow: flow}
	n.servers[key] = s
	if req.Method == sip.CANCEL {
		if s.cancelled(n.servers[branch(req, sip.INVITE)]) {
			return
		}
	}
	if req.Method == sip.INVITE {
		n.wire(response(req, 100, ""), flow.Remote)
	}
	n.ua.receive(s, func() bool {
		n.others = append(n.others, string(req.Method))
		return false
	})
}

func (n *node) Send(msg sip.Message, to stack.Flow) error {
	if req, ok := msg.(*sip.Request); ok {
		n.via(req, sip.GenerateBranch())
	}
	n.wire(msg, to.Remote)
	return nil
}

type fakeServer struct {
	n        *node
	req      *sip.Request
	flow     stack.Flow
	last     *sip.Response
	final    bool
	acked    bool
	onCancel func(*sip.Request)

	answerCancel func() // as of stack.ServerTx: the CANCEL is answered right before the INVITE's final response
}

func (s *fakeServer) Request() *sip.Request          { return s.req }
func (s *fakeServer) Flow() stack.Flow               { return s.flow }
func (s *fakeServer) OnCancel(fn func(*sip.Request)) { s.onCancel = fn }

func (s *fakeServer) Respond(res *sip.Response) error {
	if s.final {
		s.n.w.t.Errorf("%s: %d to %s after a final response", s.n.name, res.StatusCode, s.req.Method)
		return stack.ErrDone
	}
	if s.answerCancel != nil && res.StatusCode >= 200 {
		s.answerCancel()
	}
	s.last = res
	s.n.wire(res, s.flow.Remote)
	if res.StatusCode < 200 {
		return nil
	}
	s.final = true
	key := branch(s.req, s.req.Method)
	if s.req.Method == sip.INVITE && res.StatusCode >= 300 {
		s.again(core.T1)
	}
	if s.req.Method == sip.INVITE && res.IsSuccess() {
		s.last = nil // RFC 6026: repetitions are absorbed, the 2xx is repeated from above
	}
	s.n.After("", core.Life, func() { delete(s.n.servers, key) })
	return nil
}

func (s *fakeServer) again(d time.Duration) {
	s.n.After("", d, func() {
		if !s.acked && s.n.servers[branch(s.req, s.req.Method)] == s {
			s.n.wire(s.last, s.flow.Remote)
			s.again(min(2*d, core.T2))
		}
	})
}

// cancelled matches a CANCEL with its INVITE.
func (s *fakeServer) cancelled(invite *fakeServer) bool {
	if invite == nil {
		return false
	}
	answer := sync.OnceFunc(func() { _ = s.Respond(response(s.req, 200, "x")) })
	if !invite.final && invite.onCancel != nil {
		invite.answerCancel = answer
		invite.onCancel(s.req)
	}
	answer()
	return true
}

func (n *node) RestoreServerTx(req *sip.Request, flow stack.Flow, last *sip.Response) (ServerTx, error) {
	s := &fakeServer{n: n, req: req, flow: flow}
	n.servers[branch(req, req.Method)] = s
	if last != nil && last.StatusCode >= 200 {
		return s, s.Respond(last)
	}
	s.last = last
	return s, nil
}

type fakeClient struct {
	n        *node
	req      *sip.Request
	flow     stack.Flow
	sink     func(stack.Result)
	heard    bool // a provisional came
	final    bool
	rejected bool
	asked    bool
	toCancel bool
	headers  []sip.Header
}

var errRefused = errors.New("refused by the test")

func (n *node) Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (ClientTx, error) {
	return n.Invite(req, to, func(*sip.Request) {}, sink)
}

func (n *node) Invite(req *sip.Request, to stack.Flow, leaves func(*sip.Request), sink func(stack.Result)) (ClientTx, error) {
	if n.refuse {
		return nil, errRefused
	}
	n.via(req, sip.GenerateBranch())
	leaves(req)
	c := &fakeClient{n: n, req: req, flow: to, sink: sink}
	n.clients[branch(req, req.Method)] = c
	n.wire(req, to.Remote)
	c.again(core.T1, time.Now().Add(core.Life))
	return c, nil
}

func (n *node) RestoreClientTx(req *sip.Request, flow stack.Flow, sink func(stack.Result)) (ClientTx, error) {
	c := &fakeClient{n: n, req: req, flow: flow, sink: sink, heard: true}
	n.clients[branch(req, req.Method)] = c
	return c, nil
}

func (c *fakeClient) again(d time.Duration, until time.Time) {
	c.n.After("", d, func() {
		switch {
		case c.final || c.heard && c.req.Method == sip.INVITE:
		case !time.Now().Before(until):
			c.final = true
			c.sink(stack.Result{Err: stack.ErrTimeout})
		default:
			c.n.wire(c.req, c.flow.Remote)
			if d *= 2; c.req.Method != sip.INVITE {
				d = min(d, core.T2)
			}
			c.again(min(d, time.Until(until)), until)
		}
	})
}

func (c *fakeClient) Cancel(h ...sip.Header) error {
	switch {
	case c.final:
		return stack.ErrDone
	case !c.heard:
		c.toCancel, c.headers = true, h
	case !c.asked:
		c.asked = true
		cancel := sip.NewRequest(sip.CANCEL, c.req.Recipient)
		for _, h := range []sip.Header{c.req.From(), c.req.To(), c.req.CallID()} {
			cancel.AppendHeader(sip.HeaderClone(h))
		}
		cancel.AppendHeader(&sip.CSeqHeader{SeqNo: c.req.CSeq().SeqNo, MethodName: sip.CANCEL})
		for _, h := range h {
			cancel.AppendHeader(h)
		}
		cancel.SetBody(nil)
		cancel.PrependHeader(c.req.Via().Clone())
		t := &fakeClient{n: c.n, req: cancel, flow: c.flow, sink: func(stack.Result) {}}
		c.n.clients[branch(cancel, sip.CANCEL)] = t
		c.n.wire(cancel, c.flow.Remote)
		t.again(core.T1, time.Now().Add(core.Life))
		c.n.After("", core.Life, func() {
			if !c.final {
				c.final = true
				c.sink(stack.Result{Err: stack.ErrTimeout})
			}
		})
	}
	return nil
}

func (c *fakeClient) response(res *sip.Response) {
	invite := c.req.Method == sip.INVITE
	switch {
	case res.IsProvisional():
		if c.final {
			return
		}
		c.heard = true
		if c.toCancel {
			c.toCancel = false
			_ = c.Cancel(c.headers...)
		}
		c.sink(stack.Result{Response: res})
	case invite && res.IsSuccess():
		if c.rejected {
			c.n.ua.StrayResponse(res, c.flow)
			return
		}
		c.final = true
		c.sink(stack.Result{Response: res})
	case invite:
		ack := sip.NewRequest(sip.ACK, c.req.Recipient)
		ack.AppendHeader(c.req.Via().Clone())
		for _, h := range []sip.Header{c.req.From(), res.To(), c.req.CallID()} {
			ack.AppendHeader(sip.HeaderClone(h))
		}
		ack.AppendHeader(&sip.CSeqHeader{SeqNo: c.req.CSeq().SeqNo, MethodName: sip.ACK})
		ack.SetBody(nil)
		c.n.wire(ack, c.flow.Remote)
		if c.final {
			return
		}
		c.final, c.rejected = true, true
		c.sink(stack.Result{Response: res})
	default:
		if !c.final {
			c.final = true
			c.sink(stack.Result{Response: res})
		}
	}
}

// journal is a hot journal in memory; it keeps what a killed process would leave.
type journal struct{ kept map[string][]byte }

func newJournal() *journal { return &journal{kept: map[string][]byte{}} }

func (j *journal) Put(kind, key string, value []byte) error {
	if kind != JournalKind {
		return errors.New("wrong kind")
	}
	j.kept[key] = slices.Clone(value)
	return nil
}

func (j *journal) Delete(_, key string) error {
	delete(j.kept, key)
	return nil
}
