package trunk

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStack answers as the test says, 10 ms later.
type fakeStack struct {
	mu       sync.Mutex
	dead     bool
	noDNS    bool
	sent     []*sip.Request
	resolved int

	advertised map[netip.Addr]netip.AddrPort
	marks      map[int][]netip.Prefix // what stands, by DSCP
	outside    netip.AddrPort         // what STUN says
	stunErr    error
	kept       stack.Flow // with keep-alives
	every      time.Duration
	lost       func()
	moved      func(was, now netip.Addr)
	answer     func(req *sip.Request) (*sip.Response, error)
}

func (f *fakeStack) Contact(flow stack.Flow) (string, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.advertised[flow.Remote.Addr()]; ok {
		return a.Addr().String(), cmp.Or(int(a.Port()), 5060)
	}
	return "192.168.1.1", 5060
}

func (f *fakeStack) Alive(stack.Flow) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.dead
}

func (f *fakeStack) set(change func(*fakeStack)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// open is what keeps the path open: the flow with keep-alives, their pace, and who is told of its end
// and of a new address of ours.
func (f *fakeStack) open() (kept stack.Flow, every time.Duration, lost func(), moved func(was, now netip.Addr)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept, f.every, f.lost, f.moved
}

func (f *fakeStack) requests() []*sip.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*sip.Request(nil), f.sent...)
}

// registers are the REGISTERs among the requests.
func (f *fakeStack) registers() []*sip.Request {
	return slices.DeleteFunc(f.requests(), func(r *sip.Request) bool { return r.Method != sip.REGISTER })
}

func (f *fakeStack) Advertise(remote netip.Addr, addr netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.advertised == nil {
		f.advertised = map[netip.Addr]netip.AddrPort{}
	}
	if f.advertised[remote] = addr; !addr.Addr().IsValid() {
		delete(f.advertised, remote)
	}
}

func (f *fakeStack) Mark(to []netip.Prefix, dscp int) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.marks == nil {
		f.marks = map[int][]netip.Prefix{}
	}
	f.marks[dscp] = append(f.marks[dscp], to...)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.marks[dscp] = f.marks[dscp][len(to):]; len(f.marks[dscp]) == 0 { // the older one
			delete(f.marks, dscp)
		}
	}
}

func (f *fakeStack) STUN(context.Context, netip.AddrPort) (netip.AddrPort, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outside, f.stunErr
}

func (f *fakeStack) KeepAlive(flow stack.Flow, k stack.KeepAlive, lost func()) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept, f.every, f.lost = flow, k.Every, lost
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.kept = stack.Flow{}
	}
}

func (f *fakeStack) WatchAddress(_ netip.AddrPort, _ time.Duration, fn func(was, now netip.Addr)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moved = fn
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.moved = nil
	}
}

func (*fakeStack) Penalise(stack.Flow) {}
func (*fakeStack) Succeed(stack.Flow)  {}

func (f *fakeStack) Targets(_ context.Context, _ sip.Uri, transport string) ([]stack.Target, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resolved++
	if f.noDNS {
		return nil, errors.New("no such host")
	}
	f.dead = false
	flow := carrier
	flow.Transport = transport
	return []stack.Target{{Flow: flow}}, nil
}

func (f *fakeStack) Request(req *sip.Request, _ stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error) {
	f.mu.Lock()
	f.sent = append(f.sent, req)
	answer := f.answer
	f.mu.Unlock()
	res, err := answer(req)
	if errors.Is(err, stack.ErrTransport) {
		return nil, err
	}
	time.AfterFunc(10*time.Millisecond, func() { sink(stack.Result{Response: res, Err: err}) })
	return nil, nil
}

type fakeJournal struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (j *fakeJournal) Put(_, key string, value []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.values == nil {
		j.values = map[string][]byte{}
	}
	j.values[key] = append([]byte(nil), value...)
	return nil
}

func (j *fakeJournal) Delete(_, key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.values, key)
	return nil
}

func (j *fakeJournal) load() map[string][]byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := map[string][]byte{}
	for k, v := range j.values {
		all[k] = v
	}
	return all
}

// changes records what observers are told.
type changes struct {
	mu  sync.Mutex
	all []tel.LineChanged
}

func (c *changes) add(e tel.LineChanged) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, e)
}

func (c *changes) causes() []tel.LineCause {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []tel.LineCause
	for _, e := range c.all {
		list = append(list, e.Cause)
	}
	return list
}

func account() Config {
	return Config{
		ID: "tim", Name: "TIM", Mode: Register, Domain: "tim.it", User: "0211",
		Credentials: digest.Credentials{Password: digest.NewSecret("hunter2")},
	}
}

// idle is a trunk that is not started.
func idle(t testing.TB, change ...func(*Config)) *Trunk {
	t.Helper()
	return made(t, Deps{Stack: &fakeStack{}}, change...)
}

func made(t testing.TB, deps Deps, change ...func(*Config)) *Trunk {
	t.Helper()
	cfg := account()
	for _, c := range change {
		c(&cfg)
	}
	tr, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}
