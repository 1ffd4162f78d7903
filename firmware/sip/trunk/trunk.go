package trunk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Stack is what a trunk needs of the SIP stack; *stack.Stack satisfies it.
type Stack interface {
	Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error)
	Targets(ctx context.Context, uri sip.Uri, transport string) ([]stack.Target, error)
	Penalise(f stack.Flow)
	Succeed(f stack.Flow)
	Contact(f stack.Flow) (host string, port int)
	Advertise(remote netip.Addr, addr netip.AddrPort)
	Mark(to []netip.Prefix, dscp int) (stop func())
	STUN(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error)
	KeepAlive(f stack.Flow, k stack.KeepAlive, lost func()) (stop func())
	WatchAddress(remote netip.AddrPort, every time.Duration, fn func(was, now netip.Addr)) (stop func())
	Alive(f stack.Flow) bool
}

// HotJournal keeps state over a crash of the process; nil in Deps = none.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// KindTrunk is the kind in the hot journal; the key is the trunk's id.
const KindTrunk = "trunk"

// Deps are a trunk's surroundings. Changed is called from the trunk's goroutine, in order, and must
// not block.
type Deps struct {
	Log       *slog.Logger
	Stack     Stack
	Directory Directory // nil = that of the stack
	Journal   HotJournal
	Changed   func(tel.LineChanged)
}

const (
	mailbox     = 64
	resolveTime = 15 * time.Second
	linkCheck   = 5 * time.Second // a TCP connection that is gone takes the carrier's calls with it
)

// Trunk is one carrier. Its methods are safe from any goroutine.
type Trunk struct {
	cfg    Config
	policy policy
	log    *slog.Logger
	stack  Stack
	deps   Deps
	signer signer
	path   path // of the trunk's goroutine

	inbox   chan event
	poke    chan struct{} // the number of calls changed
	gone    chan struct{} // closed when the carrier has been told that we leave
	goneSet sync.Once
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	started atomic.Bool
	panics  atomic.Int64

	telling sync.Mutex // guards retired, and is held while the journal and observers are told something
	retired bool       // neither may hear of this trunk any more

	// mu guards what others read; only the trunk's own goroutine writes standing once it runs.
	mu       sync.Mutex
	standing state
	calls    int
	numbers  map[tel.Number]bool // of Config.Numbers, in the box's form
}

// New checks the config, all mistakes at once, and prepares a trunk; Start lets it live.
func New(cfg Config, deps Deps) (*Trunk, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if deps.Stack == nil {
		panic("trunk: Deps.Stack is needed")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Changed == nil {
		deps.Changed = func(tel.LineChanged) {}
	}
	if deps.Directory == nil {
		deps.Directory = located{deps.Stack}
	}
	ctx, cancel := context.WithCancel(context.Background())
	now := time.Now()
	t := &Trunk{
		cfg: cfg, deps: deps, stack: deps.Stack, log: deps.Log.With("trunk", cfg.ID),
		policy: policy{
			mode: cfg.Mode, qualify: cfg.Qualify, retry: cfg.Retry, realm: cfg.Realm, blind: len(cfg.hops()) == 0, learn: cfg.Seen, trial: cfg.Trial,
		},
		signer: signer{who: cfg.Credentials},
		inbox:  make(chan event, mailbox), poke: make(chan struct{}, 1), gone: make(chan struct{}),
		ctx: ctx, cancel: cancel,
	}
	t.standing = state{
		callID: rand.Text(), tag: rand.Text(), token: "t" + rand.Text(), expires: cfg.Expires,
		cause: tel.LineRegistering, since: now, due: now,
	}
	if cfg.Disabled {
		t.standing.cause, t.standing.due, t.standing.leaving = tel.LineDisabled, time.Time{}, true
	}
	t.SetNumbers(cfg.Numbers)
	if t.cfg.PresentsFromAbroad() {
		t.log.Warn("carrier abroad would present Italian numbers: networks in Italy drop such calls", "country", cfg.Country)
	}
	return t, nil
}

// Restore takes over from the hot journal's kind KindTrunk what an earlier process of this trunk
// left; call it before Start. Without a record of its own the trunk starts afresh.
func (t *Trunk) Restore(states map[string][]byte) error {
	value, ok := states[string(t.cfg.ID)]
	if !ok || t.cfg.Disabled {
		return nil
	}
	rec, err := decode(value)
	if err != nil {
		return fmt.Errorf("trunk %q: %w", t.cfg.ID, err)
	}
	alive := rec.Flow.Remote.IsValid() && t.stack.Alive(rec.Flow)
	t.mu.Lock()
	t.standing = resume(t.policy, t.standing, rec, alive, time.Now())
	s := t.standing
	t.mu.Unlock()
	if s.trial.Remote.IsValid() { // calls that are up go on under the address that the carrier knows
		t.path.prepare(t, s)
	}
	return nil
}

// Succeed makes the trunk the next life of a closed one whose account is the same but not its
// settings; call it before Start. It registers at once, and with the same contact, so that the
// carrier does not ring us twice (RFC 3261 section 10.2.4).
func (t *Trunk) Succeed(closed *Trunk) {
	was := closed.view()
	if t.cfg.Disabled {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.standing.callID, t.standing.tag, t.standing.token = was.callID, was.tag, was.token
	t.standing.cseq = (was.cseq + restartJump) & (1<<31 - 1)
}

// Start lets the trunk register or watch. Call it once.
func (t *Trunk) Start() {
	if !t.started.CompareAndSwap(false, true) {
		return
	}
	t.wg.Go(t.run)
}

// Leave unregisters a trunk that is no longer wanted. Once it has returned, neither the journal nor
// observers hear of the trunk. The channel closes when the carrier has answered, which may be never;
// Close follows.
func (t *Trunk) Leave() <-chan struct{} {
	t.telling.Lock()
	t.retired = true
	t.telling.Unlock()
	if !t.started.Load() {
		t.goneSet.Do(func() { close(t.gone) })
		return t.gone
	}
	t.tell(leave{})
	return t.gone
}

// Close stops the trunk and waits for its goroutines. It does not unregister: calls come in for the
// next process.
func (t *Trunk) Close() {
	t.cancel()
	t.wg.Wait()
}

// ID returns the trunk's id.
func (t *Trunk) ID() tel.TrunkID { return t.cfg.ID }

// Panics counts what was recovered since the start.
func (t *Trunk) Panics() int64 { return t.panics.Load() }

func (t *Trunk) view() state {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.standing
}

// run is the trunk's goroutine.
func (t *Trunk) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer t.path.release(t.stack)
	t.path.mark(t, t.view()) // a carrier that only calls is never tried
	reported := t.report(tel.LineChanged{})
	for {
		s := t.view()
		var alarm <-chan time.Time
		if !s.due.IsZero() {
			wait := time.Until(s.due)
			if s.flow.Transport != "udp" && s.up {
				wait = min(wait, linkCheck)
			}
			timer.Reset(max(wait, 0))
			alarm = timer.C
		}
		select {
		case <-t.ctx.Done():
			return
		case <-t.poke:
		case e := <-t.inbox:
			t.step(e)
		case <-alarm:
			usable := s.flow.Remote.IsValid() && t.stack.Alive(s.flow)
			if time.Until(s.due) <= 0 || s.phase == waiting && !usable {
				t.step(due{usable: usable})
			}
		}
		t.path.follow(t, t.view())
		reported = t.report(reported)
	}
}

// step runs the machine and its effects. A panic ends the attempt, not the trunk.
func (t *Trunk) step(e event) {
	defer func() {
		if p := recover(); p != nil {
			t.panics.Add(1)
			t.log.Error("trunk step panicked", "panic", p, "stack", string(debug.Stack()))
			t.mu.Lock()
			t.standing, _ = t.standing.fail(t.policy, tel.LineUnreachable, 0, time.Now(), mathrand.Float64())
			t.mu.Unlock()
		}
	}()
	s, effects := next(t.policy, t.view(), e, time.Now(), mathrand.Float64())
	t.mu.Lock()
	t.standing = s
	t.mu.Unlock()
	for _, f := range effects {
		t.do(s, f)
	}
}

func (t *Trunk) do(s state, f effect) {
	switch f := f.(type) {
	case save:
		t.save(s)
	case resolve:
		t.resolve(f.attempt)
	case options:
		t.path.prepare(t, s)
		t.send(s, f.attempt, t.optionsRequest(s))
	case register:
		t.path.prepare(t, s)
		req, err := t.registerRequest(s, f.challenge)
		if err != nil {
			// Credentials that cannot answer this challenge are as good as wrong ones.
			t.log.Warn("challenge cannot be answered", "error", err)
			t.tell(replied{f.attempt, reply{status: sip.StatusForbidden}})
			return
		}
		t.send(s, f.attempt, req)
	case did:
		if f.well {
			t.deps.Directory.Worked(f.flow)
		} else {
			t.deps.Directory.Failed(f.flow)
		}
	case left:
		t.goneSet.Do(func() { close(t.gone) })
	}
}

func (t *Trunk) save(s state) {
	t.telling.Lock()
	defer t.telling.Unlock()
	if t.deps.Journal == nil || t.retired {
		return
	}
	value, err := encode(s)
	if err == nil {
		err = t.deps.Journal.Put(KindTrunk, string(t.cfg.ID), value)
	}
	if err != nil {
		t.log.Warn("registration not kept", "error", err)
	}
}

// resolve may wait for a name server, so it has a goroutine; the machine has one such at a time.
func (t *Trunk) resolve(attempt uint64) {
	hops := t.cfg.hops()
	t.wg.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, resolveTime)
		defer cancel()
		targets, err := targetsOf(ctx, t.deps.Directory, hops, t.cfg.Transport)
		if err != nil {
			t.log.Warn("carrier's address not found", "error", err)
		}
		var public netip.AddrPort
		if err == nil && t.cfg.STUN != "" {
			if public, err = t.outside(ctx); err != nil {
				t.log.Warn("public address not found", "stun", t.cfg.STUN, "error", err)
			}
			err = nil // the carrier may be reached all the same
		}
		t.tell(resolved{attempt, targets, public, untrusted(err)})
	})
}

func (t *Trunk) send(s state, attempt uint64, req *sip.Request) {
	_, err := t.stack.Request(req, s.trial, func(res stack.Result) {
		if res.Err == nil && res.Response.StatusCode < 200 {
			return
		}
		r := readReply(res.Response, s.token)
		if res.Err != nil {
			r = reply{untrusted: untrusted(res.Err)}
		}
		t.tell(replied{attempt, r})
	})
	if err != nil {
		t.log.Debug("request not sent", "method", req.Method, "error", err)
		t.tell(replied{attempt, reply{untrusted: untrusted(err)}})
	}
}

// untrusted reports that a server showed a certificate that we do not trust.
func untrusted(err error) bool {
	_, ok := errors.AsType[*stack.UntrustedError](err)
	return ok
}

// Observe tells the trunk how a call over it went, for its health.
func (t *Trunk) Observe(o Outcome) {
	if t.ctx.Err() == nil { // a call may outlive its trunk
		t.tell(called{o})
	}
}

// Reflected tells the trunk that the other end of a flow sees the box at another address than before.
// It does not block.
func (t *Trunk) Reflected(f stack.Flow, at netip.AddrPort) {
	if sameEnd(t.view().flow, f) && t.ctx.Err() == nil {
		t.tell(reflected{at})
	}
}

// Media is what the carrier wants of the audio of its calls.
func (t *Trunk) Media() Media { return t.cfg.Media }

// tell puts an event into the mailbox. At most one answer is awaited at a time; were the mailbox full
// of what calls did, the machine's own deadline stands in for a lost answer.
func (t *Trunk) tell(e event) {
	select {
	case t.inbox <- e:
	default:
		t.log.Error("trunk mailbox full")
	}
}

// report tells observers when the standing or the number of calls changed.
func (t *Trunk) report(last tel.LineChanged) tel.LineChanged {
	now := t.Status()
	if now == last {
		return last
	}
	if now.Up != last.Up || now.Cause != last.Cause {
		t.log.Info("trunk changed", "up", now.Up, "cause", now.Cause)
	}
	t.telling.Lock()
	defer t.telling.Unlock()
	if !t.retired {
		t.deps.Changed(now)
	}
	return now
}

// Status is the trunk's health now.
func (t *Trunk) Status() tel.LineChanged {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.standing
	cause := s.shown()
	if s.up && cause == tel.LineOK && t.cfg.Limit > 0 && t.calls >= t.cfg.Limit {
		cause = tel.LineInUse
	}
	return tel.LineChanged{
		Line: "trunk:" + string(t.cfg.ID), Name: t.cfg.Name, Type: "sip",
		Up: s.up, Cause: cause, Calls: t.calls, Since: s.since, ForeignCLI: t.cfg.PresentsFromAbroad(),
	}
}

// Foreign reports that a caller's number is Italian and the carrier abroad: it may be false.
func (t *Trunk) Foreign(caller tel.Number) bool { return t.cfg.foreign(caller) }

// Acquire takes a place for one call, in or out; false = all are taken. Each true is given back by
// Release.
func (t *Trunk) Acquire() bool {
	t.mu.Lock()
	free := t.cfg.Limit <= 0 || t.calls < t.cfg.Limit
	if free {
		t.calls++
	}
	t.mu.Unlock()
	t.nudge()
	return free
}

// Occupy takes a place whether or not one is free: for calls that a restart found standing, and for
// emergency calls.
func (t *Trunk) Occupy() {
	t.mu.Lock()
	t.calls++
	t.mu.Unlock()
	t.nudge()
}

// Release gives a place back.
func (t *Trunk) Release() {
	t.mu.Lock()
	t.calls = max(t.calls-1, 0)
	t.mu.Unlock()
	t.nudge()
}

func (t *Trunk) nudge() {
	select {
	case t.poke <- struct{}{}:
	default: // one is pending, it will see this change too
	}
}
