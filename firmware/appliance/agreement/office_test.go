package agreement

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// wire is the kind of an entry that no journal has: it happened at a telephone.
const wire = "wire"

// entry is one write of a journal, or one change at a telephone, in the order in which they happened.
type entry struct {
	kind, key string
	value     []byte // nil: deleted
	change    string // of the wire
}

// office is calls and queues as a box wires them, with telephones that are played by the test. 201 to 205 are the agents'
// phones; 206 and 207 are colleagues'; the supervisor sits at 208. Queue 400 is "sales", 401 "vip" with a whisper, 402
// "back" with callbacks; *70 parks at 701 or 702; *51 and *52 with an extension listen and whisper.
type office struct {
	t *testing.T
	r *rand.Rand
	x *call.Exchange
	q *acd.ACD

	mu    sync.Mutex
	log   []entry
	legs  map[string]*leg // by reference
	all   []*leg          // in the order in which they were made
	found map[string]bool // by the calls that are back
	n     int
}

var (
	agents = []tel.AgentID{"agent201", "agent202", "agent203", "agent204", "agent205"}
	queues = []plan.QueueSpec{
		{ID: "sales", Members: agents[:4], Ring: 20 * time.Second, WrapUp: 2 * time.Second},
		{ID: "vip", Members: agents[2:], Ring: 20 * time.Second, MaxWait: 40 * time.Second, MaxWaitTo: "queue:sales", Waiting: plan.WaitingSpec{Whisper: "vip"}},
		{ID: "back", Members: agents[3:], Ring: 20 * time.Second, Waiting: plan.WaitingSpec{Callback: plan.CallbackSpec{
			Enabled: true, Key: "1", Attempts: 3, Gap: 10 * time.Second, Expire: time.Hour,
		}}},
	}
)

func newOffice(t *testing.T, r *rand.Rand) *office {
	return &office{t: t, r: r, legs: map[string]*leg{}, found: map[string]bool{}}
}

// opens starts calls and queues with what the journals hold; nil: nothing was ever there.
func (o *office) opens(calls, state map[string][]byte) {
	o.x = call.New(call.Config{
		Log: slog.New(slog.DiscardHandler), Plan: func() call.Plan { return o }, Dialer: o, Journal: o, Clerk: o,
		Queue: func(m tel.ToQueue) bool { return o.q.Tell(m) }, Command: func(tel.AgentID, string, string) {},
		Publish: func(tel.Event) {}, Record: func(tel.CallEnded) {},
		Supervise: func(tel.AgentID, tel.AgentID, tel.QueueID, time.Time) call.Permit {
			return call.Permit{Modes: tel.SupervisionModes(), Follow: true}
		},
	})
	restored := make(chan []tel.Standing, 1)
	cfg := acd.Config{
		Queues: queues, Send: o.x.Deliver, Publish: func(tel.Event) {}, Journal: o, Restored: restored, Kept: state,
	}
	for _, a := range agents {
		cfg.Agents = append(cfg.Agents, plan.AgentSpec{ID: a})
	}
	var err error
	if o.q, err = acd.New(cfg); err != nil {
		o.t.Fatal(err)
	}
	if state != nil {
		standings, errs := o.x.Restore(calls, o)
		if len(errs) > 0 {
			o.t.Fatal(errs)
		}
		o.r.Shuffle(len(standings), func(i, j int) { standings[i], standings[j] = standings[j], standings[i] })
		restored <- standings
	}
	for _, a := range agents {
		o.q.Tell(tel.AgentReachable{Agent: a, Reachable: true})
		if state == nil {
			o.must(o.q.Login(context.Background(), a))
		}
	}
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// dies leaves journals and telephones as they are.
func (o *office) dies() {
	o.must(o.x.Abandon(context.Background()))
	o.q.Close()
}

// after is the office as the next process finds it when the journal of the calls was cut before entry i of the log, and that
// of the queues before entry j. The telephones are as they were before the next write of the calls.
func (o *office) after(i, j int) (next *office, calls, state map[string][]byte) {
	next = newOffice(o.t, o.r)
	calls, state = map[string][]byte{}, map[string][]byte{}
	until := len(o.log)
	for k, e := range o.log {
		if e.kind == call.JournalKind && k >= i {
			until = k
			break
		}
	}
	for k, e := range o.log {
		switch {
		case e.kind == call.JournalKind && k < i:
			put(calls, e)
		case e.kind == acd.HotKind && k < j:
			put(state, e)
		case e.kind == wire && k < until:
			l := next.legs[e.key]
			if l == nil {
				was := o.legs[e.key]
				l = &leg{o: next, id: was.id, ref: was.ref, party: was.party, called: was.called}
				next.legs[l.ref], next.all = l, append(next.all, l)
			}
			l.become(e.change)
		}
	}
	next.log = o.logOf(calls, state)
	return next, calls, state
}

// logOf begins the log of an office with what its journals hold.
func (o *office) logOf(calls, state map[string][]byte) (all []entry) {
	for key, value := range calls {
		all = append(all, entry{kind: call.JournalKind, key: key, value: value})
	}
	for key, value := range state {
		all = append(all, entry{kind: acd.HotKind, key: key, value: value})
	}
	return all
}

func put(m map[string][]byte, e entry) {
	if m[e.key] = e.value; e.value == nil {
		delete(m, e.key)
	}
}

// Put implements the hot journals.
func (o *office) Put(kind, key string, value []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, entry{kind: kind, key: key, value: slices.Clone(value)})
	return nil
}

// Delete implements the hot journals.
func (o *office) Delete(kind, key string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, entry{kind: kind, key: key})
	return nil
}

// written is how much the log holds.
func (o *office) written() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.log)
}

// kept is what a journal holds now.
func (o *office) kept(kind string) map[string][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := map[string][]byte{}
	for _, e := range o.log {
		if e.kind == kind {
			put(m, e)
		}
	}
	return m
}

func (o *office) leg(party string, called bool, events func(call.LegEvent)) *leg {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := tel.NewLegID()
	l := &leg{o: o, id: id, ref: "sip:" + string(id), party: party, called: called, events: events}
	o.legs[l.ref], o.all = l, append(o.all, l)
	o.log = append(o.log, entry{kind: wire, key: l.ref, change: "made"})
	return l
}

// choose is one of the legs for which is holds; nil when there is none.
func (o *office) choose(is func(l *leg) bool) *leg {
	some := o.which(is)
	if len(some) == 0 {
		return nil
	}
	return some[o.r.IntN(len(some))]
}

// which are the legs that are there and for which is holds.
func (o *office) which(is func(l *leg) bool) []*leg {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.all), func(l *leg) bool { return l.over || !is(l) })
}

func rings(l *leg) bool    { return l.called && !l.up }
func customer(l *leg) bool { return !l.called && strings.HasPrefix(l.party, "trunk:") }
func phone(l *leg) bool    { return strings.HasPrefix(l.party, "phone:") && l.up }

// dials has a telephone call the box.
func (o *office) dials(party string, to tel.Number) *leg {
	in := call.Arrival{From: party, Dialed: to}
	if dev, ok := strings.CutPrefix(party, "phone:"); ok {
		in.Device, in.Caller = tel.DeviceID(dev), tel.Number(dev)
	} else {
		o.n++
		in.Caller = tel.Number(fmt.Sprintf("+39333%07d", o.n))
	}
	var l *leg
	if _, err := o.x.Arrive(in, func(events func(call.LegEvent)) call.Leg {
		l = o.leg(party, false, events)
		return l
	}); err != nil {
		o.t.Fatal(err)
	}
	return l
}

// Route implements call.Plan.
func (o *office) Route(_ string, _, n tel.Number, _ time.Time) call.Decision {
	switch s := string(n); {
	case s == "400" || s == "401" || s == "402":
		return call.Decision{Kind: call.ToQueue, Queue: map[string]tel.QueueID{"400": "sales", "401": "vip", "402": "back"}[s], Greeting: []string{}}
	case s == "*70":
		return call.Decision{Kind: call.ToPark, Slots: []tel.Number{"701", "702"}, ParkFor: time.Hour}
	case s == "701" || s == "702":
		return call.Decision{Kind: call.ToSlot, Slots: []tel.Number{n}}
	case strings.HasPrefix(s, "*5"):
		return call.Decision{Kind: call.ToWatch, Watch: call.Watch{Agent: tel.AgentID("agent" + s[3:]), Mode: tel.SupervisionModes()[s[2]-'1']}}
	case strings.HasPrefix(s, "20"):
		return call.Decision{Kind: call.ToDevices, Devices: []tel.DeviceID{tel.DeviceID(n)}}
	default:
		return call.Decision{Kind: call.ToOutside, Attempts: []call.Attempt{{Via: "trunk:tim", Number: n}}}
	}
}

// Resolve implements call.Plan.
func (o *office) Resolve(to, as string, at time.Time) call.Decision {
	kind, what, _ := strings.Cut(to, ":")
	switch kind {
	case "queue":
		return o.Route(as, "", map[string]tel.Number{"sales": "400", "vip": "401", "back": "402"}[what], at)
	case "callback":
		_, n, _ := strings.Cut(what, "/")
		return o.Route(as, "", tel.Number(n), at)
	default:
		return o.Route(as, "", tel.Number(what), at)
	}
}

// Devices implements call.Plan.
func (o *office) Devices(a tel.AgentID) []tel.DeviceID {
	return []tel.DeviceID{tel.DeviceID(strings.TrimPrefix(string(a), "agent"))}
}

// AgentAt implements call.Plan.
func (o *office) AgentAt(d tel.DeviceID) (tel.AgentID, tel.Number, string) {
	if a := tel.AgentID("agent" + d); slices.Contains(agents, a) || d == "208" {
		return a, tel.Number(d), ""
	}
	return "", tel.Number(d), ""
}

// NameOf implements call.Plan, and so do the methods below.
func (o *office) NameOf(tel.Number) string           { return "" }
func (o *office) DoorAt(tel.DeviceID) (rune, bool)   { return 0, false }
func (o *office) Phones(n tel.Number) []tel.DeviceID { return []tel.DeviceID{tel.DeviceID(n)} }
func (o *office) Language() string                   { return "it" }
func (o *office) Zone() string                       { return "Europe/Rome" }

// Spool implements call.Clerk.
func (o *office) Spool(name string) string { return name }

// Do implements call.Clerk: every number may be called back.
func (o *office) Do(_ tel.CallID, e ivr.Effect, answer func(ivr.Event)) {
	if _, ok := e.(ivr.Check); ok {
		answer(ivr.Checked{OK: true})
	}
}

// calls are the states of the calls that are there, by their names, as written down last.
func (o *office) calls() map[tel.CallID]call.State {
	all := map[tel.CallID]call.State{}
	for key, value := range o.kept(call.JournalKind) {
		s, err := call.Restore(value)
		o.must(err)
		all[tel.CallID(key)] = s
	}
	return all
}
