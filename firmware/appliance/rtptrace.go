package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/trace/capture"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// rtpTrace keeps the RTP of calls in memory while the owner permits it, of one phone, trunk or line at a time: all
// packets of every call in which it takes part, from the moment it takes part until it leaves.
type rtpTrace struct {
	b    *Box
	ring *capture.Ring // nil: a box in a test
	wake chan struct{} // holds one token when run has to look
	// clock names the kernel's boot and says how long it has been up.
	clock func() (boot string, up time.Duration)

	one     sync.Mutex // held while a permission begins or ends, so that what is told of it keeps its order
	mu      sync.Mutex // guards all below
	on      *tracePermission
	told    tel.RTPTraceChanged
	forget  time.Time // when what was kept is deleted, after the permission; zero: never, or there is nothing
	parties map[tel.LegID]tel.PartyChanged
	calls   map[tel.CallID]*capture.Call // whose packets are kept now
}

// tracePermission is what the owner has permitted. Its end is a moment of the kernel's count since boot, which neither
// a set clock nor a restart of the program moves; a restart of the machine ends it.
type tracePermission struct {
	V     int           `json:"v"`
	Of    string        `json:"of"` // "phone:201"
	By    string        `json:"by"`
	Why   string        `json:"why"`
	Boot  string        `json:"boot"`
	Begun time.Time     `json:"begun"` // by the clock of then
	Until time.Duration `json:"until"` // since boot
}

// The hot journal's kind and key of a permission, and its version.
const (
	kindRTPTrace    = "rtp_trace"
	keyRTPTrace     = "permission"
	versionRTPTrace = 1
)

const (
	// keepTraces is for how long after a permission what was kept of it can still be taken.
	keepTraces = 24 * time.Hour
	// lookAtTrace is how often it is looked whether what a permission rests on still holds.
	lookAtTrace = 10 * time.Second
	// mostTraceWhy bounds the reason of a permission, in bytes.
	mostTraceWhy = 400
	// drifted is by how much the moment that is shown may be wrong before it is told anew.
	drifted = 2 * time.Second
)

// traceSpans are for how long RTP may be kept.
func traceSpans() []time.Duration {
	return []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}
}

// What a ring of packets may take: a thirty-second part of the board's memory, or of what the program may use.
const (
	leastTrace, mostTrace = 4 << 20, 32 << 20
	traceShare            = 32
)

// traceMemory is how much memory packets may take on this board, in bytes.
func traceMemory() int {
	memory := debug.SetMemoryLimit(-1)
	var st unix.Sysinfo_t
	if unix.Sysinfo(&st) == nil {
		if total := uint64(st.Totalram) * uint64(st.Unit); total < uint64(math.MaxInt64) {
			memory = min(memory, int64(total))
		}
	}
	return int(max(leastTrace, min(mostTrace, memory/traceShare)))
}

func (t *rtpTrace) open(b *Box) {
	t.b, t.ring, t.wake = b, capture.New(capture.Limits{Bytes: traceMemory()}), make(chan struct{}, 1)
	t.clock = bootClock
	t.parties, t.calls = map[tel.LegID]tel.PartyChanged{}, map[tel.CallID]*capture.Call{}
}

// look has run see whether the permission still holds. It does not wait.
func (t *rtpTrace) look() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// restoreRTPTrace takes over a permission of an earlier process, with its end. One that has ended meanwhile, or that
// cannot be read, is none.
func (b *Box) restoreRTPTrace() error {
	t := &b.rtpTrace
	body, ok := b.hot.Load(kindRTPTrace)[keyRTPTrace]
	if !ok {
		return nil
	}
	var p tracePermission
	err := json.Unmarshal(body, &p)
	if err == nil && p.V != versionRTPTrace {
		err = fmt.Errorf("it has version %d, this program knows %d", p.V, versionRTPTrace)
	}
	if err != nil {
		b.log.Error("the permission to keep RTP cannot be read, so that there is none", "err", err)
		t.drop()
		return nil
	}
	boot, up := t.clock()
	if boot == "" || boot != p.Boot || up >= p.Until || !t.holds(&p) {
		t.drop()
		b.noteAccess(access.Note{At: time.Now(), What: access.DeedRTPTraceExpired, Whom: p.Of})
		return nil
	}
	t.begin(&p, p.Until-up)
	return nil
}

// drop takes the permission out of the journal.
func (t *rtpTrace) drop() {
	if err := t.b.hot.Delete(kindRTPTrace, keyRTPTrace); err != nil {
		t.b.log.Error("a permission to keep RTP that has ended stays in the journal: a restart of the program would go on with it until its time is over", "err", err)
	}
}

// basis reports whether the legal basis in force today allows RTP to be kept.
func (t *rtpTrace) basis() bool {
	n := t.b.numbering.Load()
	return n.cfg.Supervision.LegalBasis.HoldsFor(config.Troubleshooting, time.Now().In(n.plan.Zone))
}

// holds reports whether what a permission rests on is still there: the legal basis, and what it is of.
func (t *rtpTrace) holds(p *tracePermission) bool {
	_, there := traceTarget(t.b.config(), p.Of)
	return there && t.basis()
}

// traceTarget is the name of a phone, trunk or line, if there is one.
func traceTarget(c *config.Config, of string) (name string, ok bool) {
	for _, x := range traceTargets(c) {
		if x.ID == of {
			return x.Name, true
		}
	}
	return "", false
}

// permit begins to keep the RTP of a phone, trunk or line.
func (t *rtpTrace) permit(of string, span time.Duration, why string, by settings.By) settings.Refusal {
	why = strings.TrimSpace(why)
	name, there := traceTarget(t.b.config(), of)
	boot, up := t.clock()
	t.one.Lock()
	defer t.one.Unlock()
	t.mu.Lock()
	running := t.on != nil
	t.mu.Unlock()
	switch {
	case !t.basis():
		return settings.Refusal{Sentence: "traces.basis"}
	case !there:
		return settings.Refusal{Sentence: "traces.unknown"}
	case !slices.Contains(traceSpans(), span):
		return settings.Refusal{Sentence: "traces.span"}
	case why == "" || len(why) > mostTraceWhy:
		return settings.Refusal{Sentence: "traces.whyless"}
	case running:
		return settings.Refusal{Sentence: "traces.running"}
	}
	p := &tracePermission{V: versionRTPTrace, Of: of, By: by.User, Why: why, Boot: boot, Begun: time.Now(), Until: up + span}
	t.b.noteAccess(access.Note{At: p.Begun, What: access.DeedRTPTraceOn, User: by.User, Whom: fmt.Sprintf("%s (%s) %v: %s", of, name, span, why), From: by.From})
	if body, err := json.Marshal(p); err != nil {
		t.b.log.Error("a permission to keep RTP ends with this process", "err", err)
	} else if err := t.b.hot.Put(kindRTPTrace, keyRTPTrace, body); err != nil {
		t.b.log.Error("a permission to keep RTP ends with this process", "err", err)
	}
	t.begin(p, span)
	return settings.Refusal{}
}

// begin has a permission take effect, for the rest of its time, also for the calls that are up.
func (t *rtpTrace) begin(p *tracePermission, rest time.Duration) {
	t.mu.Lock()
	t.on, t.forget = p, time.Time{}
	t.ring.Permit(time.Now().Add(rest))
	for call := range t.callsUp() {
		t.apply(call)
	}
	t.mu.Unlock()
	t.tell(rest)
	t.look()
}

// callsUp are the calls that have parties. It is called with mu held.
func (t *rtpTrace) callsUp() map[tel.CallID]bool {
	all := map[tel.CallID]bool{}
	for _, p := range t.parties {
		all[p.Call] = true
	}
	return all
}

// stop ends the permission, before its time.
func (t *rtpTrace) stop(by settings.By) {
	t.end(access.Note{What: access.DeedRTPTraceOff, User: by.User, From: by.From})
}

// end ends the permission, if there is one, and notes how.
func (t *rtpTrace) end(how access.Note) {
	t.one.Lock()
	defer t.one.Unlock()
	t.mu.Lock()
	p := t.on
	if p == nil {
		t.mu.Unlock()
		return
	}
	t.ring.Stop()
	t.on, t.forget = nil, time.Now().Add(keepTraces)
	for call := range t.calls {
		t.apply(call)
	}
	t.mu.Unlock()
	t.drop()
	how.At, how.Whom = time.Now(), p.Of
	t.b.noteAccess(how)
	t.tell(0)
	t.look()
}

// tell publishes what holds, for so long from now on.
func (t *rtpTrace) tell(rest time.Duration) {
	n := t.b.numbering.Load()
	t.mu.Lock()
	e := tel.RTPTraceChanged{Of: t.told.Of, Name: t.told.Name}
	if p := t.on; p != nil {
		e = tel.RTPTraceChanged{On: true, Of: p.Of, By: p.By, Since: p.Begun, Until: time.Now().Add(rest).Truncate(time.Second).In(n.plan.Zone)}
		e.Name, _ = traceTarget(&n.cfg, p.Of)
		if device, ok := strings.CutPrefix(p.Of, "phone:"); ok {
			if agent, _, _ := n.AgentAt(tel.DeviceID(device)); agent != "" {
				e.Agents = []tel.AgentID{agent}
			}
		}
	}
	t.told = e
	t.mu.Unlock()
	t.b.publish(e)
}

// party follows who takes part in which call.
func (t *rtpTrace) party(e tel.PartyChanged) {
	if t.ring == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was, known := t.parties[e.Leg]
	switch {
	case e.Phase != tel.PartyGone:
		t.parties[e.Leg] = e
		if known && was.Call != e.Call {
			t.b.engine.Trace(e.Leg, nil)
			t.apply(was.Call)
		}
	case known && was.Call == e.Call: // else another call has it already
		delete(t.parties, e.Leg)
		t.b.engine.Trace(e.Leg, nil)
	}
	t.apply(e.Call)
}

// apply has the packets of a call kept, or not. It is called with mu held.
func (t *rtpTrace) apply(call tel.CallID) {
	if t.on == nil && t.calls[call] == nil {
		return // nothing is permitted: who comes and goes in a call costs no search
	}
	var legs []tel.LegID
	wanted := false
	for leg, p := range t.parties {
		if p.Call == call {
			legs = append(legs, leg)
			wanted = wanted || t.on != nil && p.Party == t.on.Of
		}
	}
	c := t.calls[call]
	switch {
	case wanted && c == nil:
		c = t.ring.Call(call)
		t.calls[call] = c
		t.pause(call, c)
	case !wanted && c == nil:
		return
	case !wanted:
		c.End()
		delete(t.calls, call)
		c = nil
	}
	for _, leg := range legs {
		t.b.engine.Trace(leg, c)
	}
}

// judgePauses covers the sound of calls whose recording is paused for a card number.
func (t *rtpTrace) judgePauses() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for call, c := range t.calls {
		t.pause(call, c)
	}
}

func (t *rtpTrace) pause(call tel.CallID, c *capture.Call) {
	calls, all := t.b.taping.silenced()
	c.Pause(all || calls[call])
}

// run ends a permission whose time is over or that rests on nothing any more, and deletes what was kept.
func (t *rtpTrace) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-timer.C:
		}
		timer.Reset(t.judge())
	}
}

// judge does what is due and says when to look again.
func (t *rtpTrace) judge() (next time.Duration) {
	t.mu.Lock()
	p, forget, told := t.on, t.forget, t.told
	t.mu.Unlock()
	boot, up := t.clock()
	switch {
	case p == nil && forget.IsZero():
		return keepTraces
	case p == nil && t.basis() && time.Now().Before(forget):
		return min(time.Until(forget), lookAtTrace)
	case p == nil:
		t.forgetAll()
		return keepTraces
	case boot != p.Boot || up >= p.Until || !t.holds(p):
		t.end(access.Note{What: access.DeedRTPTraceExpired})
		return 0
	}
	rest := p.Until - up
	if name, _ := traceTarget(t.b.config(), p.Of); name != told.Name || time.Until(told.Until.Add(-rest)).Abs() > drifted {
		t.tell(rest)
	}
	return min(rest, lookAtTrace)
}

// forgetAll deletes what is kept.
func (t *rtpTrace) forgetAll() (calls int) {
	t.mu.Lock()
	if t.on == nil {
		t.forget = time.Time{}
	}
	t.mu.Unlock()
	return t.ring.Forget(func(tel.CallID) bool { return true })
}

// forgetTraces forgets the SIP messages and the RTP of the calls of erased persons. A call of which no message is
// remembered any more, and nobody can tell whose it was, loses its RTP too.
func (b *Box) forgetTraces(l erasure.List) {
	if b.trace == nil {
		return
	}
	m := l.Match()
	gone, known := b.trace.Forget(func(text []byte) bool { return m.In(text, time.Time{}) })
	b.rtpTrace.ring.Forget(func(call tel.CallID) bool { return gone[call] || !known[call] })
}

// ourAddress is the one of ours that leads to a remote one, for captures: sockets of audio listen on all.
func (b *Box) ourAddress(remote netip.AddrPort) netip.Addr {
	if bind := b.config().Media.Bind; bind.IsValid() && !bind.IsUnspecified() {
		return bind
	}
	if b.opts.Route != nil {
		return b.opts.Route(remote)
	}
	return stack.RouteTo(remote).Unmap()
}
