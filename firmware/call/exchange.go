package call

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrClosed is returned once the exchange takes no more calls.
var ErrClosed = errors.New("the exchange is closing")

// ErrFull is returned when the box carries as many calls as it may.
var ErrFull = errors.New("too many calls")

// Plan is the configuration of one instant; a call keeps the plan it was born with.
type Plan interface {
	// Route decides where a dialled number goes for a caller at "phone:201", "trunk:tim", "line:gsm0".
	Route(from string, caller, dialed tel.Number, at time.Time) Decision
	// Resolve decides for a destination written in the config, such as "queue:sales", or set by a
	// person, whose rights count then: as is "phone:201", or empty.
	Resolve(to, as string, at time.Time) Decision
	// Devices lists the phones of an agent.
	Devices(a tel.AgentID) []tel.DeviceID
	// Phones lists the phones of an internal number; none for what is not a person's.
	Phones(n tel.Number) []tel.DeviceID
	// NameOf is the phone book's name of an outside number; empty for one that is not in it.
	NameOf(n tel.Number) string
	// DoorAt tells whether a phone is a door's: the key that opens it, and for how long.
	DoorAt(d tel.DeviceID) (key rune, ok bool)
	// AgentAt names the agent who uses a phone; extension and name are what colleagues see.
	AgentAt(d tel.DeviceID) (a tel.AgentID, extension tel.Number, name string)
	// Language of prompts, "it" or "en", and the IANA name of the zone by whose clock times are said.
	Language() string
	Zone() string
}

// HotJournal keeps the last value of each key through a crash of the process.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// JournalKind is the kind under which the hot journal keeps the calls.
const JournalKind = "call"

// Config wires the exchange to its neighbours. All fields but Journal and MaxCalls are needed.
type Config struct {
	Log       *slog.Logger
	Plan      func() Plan // the plan of this instant
	Dialer    Dialer
	Queue     func(tel.ToQueue) bool                          // non-blocking; false: the owner is overloaded
	Door      func(door tel.DeviceID)                         // opens a door; must not block; nil: there is none
	Command   func(agent tel.AgentID, command, reason string) // login, logout, pause, resume, finish_wrap_up; must not block
	Publish   func(tel.Event)                                 // live view; must not block
	Record    func(tel.CallEnded)                             // the call's record; must not block
	Progress  func(call tel.CallID, status int, final bool)   // how far a call is that Click began (RFC 3515); must not block; nil: nobody asks
	Journal   HotJournal                                      // nil: calls do not survive a crash
	Supervise SuperviseFunc                                   // nil: nobody may supervise
	Clerk     Clerk                                           // nil: no script has a mailbox or a code
	Recorder  Recorder                                        // nil: no conversation is recorded
	Rooms     Rooms                                           // nil: there is no conference room
	MaxCalls  int                                             // 0: 1,000
}

// Exchange holds every call of the box.
type Exchange struct {
	cfg Config
	wg  sync.WaitGroup

	mu      sync.Mutex // guards what follows; an actor may be told something with it held, never asked
	calls   map[tel.CallID]*actor
	parked  map[tel.Number]*actor // by place
	dialled map[string]int        // parties that are about to be rung, by how many calls
	places  map[tel.LegID]place
	closed  bool
	promise promise
	completion

	closing chan struct{} // closed with closed: nobody stays for phones that may still ring
}

// New returns an exchange without calls.
func New(cfg Config) *Exchange {
	if cfg.MaxCalls == 0 {
		cfg.MaxCalls = 1000
	}
	return &Exchange{
		cfg: cfg, closing: make(chan struct{}), calls: map[tel.CallID]*actor{}, parked: map[tel.Number]*actor{}, places: map[tel.LegID]place{}, dialled: map[string]int{},
		completion: completion{busy: map[string]tel.Number{}, wishes: map[string]wish{}},
	}
}

// Arrival is a caller at the door: a leg that waits for an answer.
type Arrival struct {
	From   string // "phone:201", "trunk:tim", "line:gsm0"; "stranger:192.168.1.9" for a phone that did not say who it is
	Device tel.DeviceID
	Caller tel.Number
	Name   string
	Dialed tel.Number

	Replaces  string // reference of the leg whose place the caller wants (RFC 3891); empty: Dialed counts
	EarlyOnly bool   // only while that leg rings
	Join      string // reference of a leg whose conversation the caller wants to take part in (RFC 3911); empty: Dialed counts

	Diverted   tel.Number // who forwarded the call on its way to us, the last one; empty: nobody, or withheld
	ForeignCLI bool       // Caller is an Italian number that a carrier abroad presents
	// Forwards is how often the call may be passed on (RFC 7332): 0 = as often as a call of our own,
	// negative = not once more.
	Forwards int
}

// Arrive begins a call. makeLeg is called once with the sink for the leg's events, before the call
// begins, and returns the caller's leg.
func (x *Exchange) Arrive(in Arrival, makeLeg func(events func(LegEvent)) Leg) (tel.CallID, error) {
	plan := x.cfg.Plan()
	s := State{
		Call: tel.NewCallID(), Direction: tel.Inbound, From: in.Caller, FromName: in.Name, To: in.Dialed,
		Language: plan.Language(), Zone: plan.Zone(), Stage: tel.StageRouting, DivertedBy: in.Diverted, Forwards: in.Forwards,
		ForeignCLI: in.ForeignCLI,
	}
	if s.FromName == "" && in.Device == "" {
		s.FromName = plan.NameOf(in.Caller)
	}
	var agent tel.AgentID
	if in.Device != "" {
		var extension tel.Number
		var name string
		agent, extension, name = plan.AgentAt(in.Device)
		s.Direction = tel.Internal
		if extension != "" {
			s.From, s.FromName = extension, name
		}
	}
	d := Decision{Kind: ToReplace, Replaces: in.Replaces, EarlyOnly: in.EarlyOnly}
	switch {
	case in.Join != "":
		d = Decision{Kind: ToWatch, Watch: Watch{Ref: in.Join, Mode: tel.SuperviseBarge}}
	case in.Replaces == "":
		d = plan.Route(in.From, s.From, in.Dialed, time.Now())
	}
	if d.Kind == ToOutside && (in.Device != "" || strings.HasPrefix(in.From, "stranger:")) {
		s.Direction = tel.Outbound
	}
	a := newActor(x, plan, s)
	a.urgent.Store(d.Emergency)
	if err := x.add(a); err != nil {
		return "", err
	}
	sink := a.newSink()
	leg := makeLeg(sink.event)
	a.keep(leg, sink)
	a.state.Caller = LegState{ID: leg.ID(), Party: leg.Party(), Ref: leg.Ref(), Number: s.From, Name: s.FromName, Agent: agent}
	if key, ok := plan.DoorAt(in.Device); ok {
		a.state.Caller.Door = key
	}
	if d.Emergency {
		x.cfg.Publish(tel.EmergencyCalled{Call: s.Call, From: in.From, Name: s.FromName, Number: in.Dialed, At: time.Now()})
	}
	a.tell(Begin{d})
	x.begin(a)
	return s.Call, nil
}

// emergencyRoom is how many calls for help a full box still takes.
const emergencyRoom = 20

func (x *Exchange) add(a *actor) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	room := x.cfg.MaxCalls
	if a.urgent.Load() {
		room += emergencyRoom
	}
	switch {
	case x.closed:
		return ErrClosed
	case len(x.calls) >= room:
		return ErrFull
	}
	if err := x.admit(a.urgent.Load()); err != nil {
		return err
	}
	x.calls[a.state.Call] = a
	x.wg.Add(1) // with the lock: whoever closes afterwards waits for this one, too
	return nil
}

// begin starts the goroutine of a call that was added.
func (x *Exchange) begin(a *actor) {
	go func() {
		defer x.wg.Done()
		a.run()
	}()
}

// remove forgets a call whose goroutine ends.
func (x *Exchange) remove(a *actor) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.calls, a.id)
	for id, p := range x.places {
		if p.owner == a {
			delete(x.places, id)
		}
	}
}

func (x *Exchange) find(id tel.CallID) *actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.calls[id]
}

// Deliver hands a message of the queues' owner to its call; for a call that is gone the owner
// learns so at once.
func (x *Exchange) Deliver(m tel.ToCall) {
	a := x.find(m.For())
	if a != nil && a.tell(m) {
		return
	}
	switch m := m.(type) {
	case tel.Offer:
		if a == nil && m.Callback.ID != "" && x.callCustomer(m) {
			return
		}
		x.cfg.Queue(tel.OfferFailed{Offer: m.Offer, Cause: tel.CauseCancelled})
	case tel.Withdraw: // a call goes only when its phones are quiet, or the limit has passed, or with its process
		x.whenQuiet(x.cfg.Plan(), m.Offer, m.Agent)
	}
}

// Calls lists the calls that exist now.
func (x *Exchange) Calls() []tel.CallID {
	x.mu.Lock()
	defer x.mu.Unlock()
	ids := make([]tel.CallID, 0, len(x.calls))
	for id := range x.calls {
		ids = append(ids, id)
	}
	return ids
}

// Urgent is how many emergency calls exist now.
func (x *Exchange) Urgent() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.urgent()
}

// Restore brings back the calls of the hot journal whose legs survived, and what each says of itself to the queues'
// owner, who must learn it before any message of a call. A call that lost its caller ends with a record; ringing
// attempts are ended, and the queues' owner offers again.
func (x *Exchange) Restore(states map[string][]byte, find Finder) (standings []tel.Standing, errs []error) {
	var all []State
	for _, key := range slices.Sorted(maps.Keys(states)) {
		s, err := Restore(states[key])
		if err != nil {
			errs = append(errs, err)
			if x.cfg.Journal != nil {
				errs = append(errs, x.cfg.Journal.Delete(JournalKind, key))
			}
			continue
		}
		all = append(all, s)
	}
	given := handedOver(all)
	for _, s := range all {
		a := newActor(x, x.cfg.Plan(), s)
		a.urgent.Store(s.Emergency)
		if err := x.add(a); err != nil {
			errs = append(errs, err)
			continue
		}
		a.recover(find, given[s.Call])
		standings = append(standings, a.state.standing())
		a.show() // observers knew only the process that is gone
		x.begin(a)
	}
	return standings, errs
}

// Close refuses new calls, ends those that exist, and waits for them until ctx ends.
func (x *Exchange) Close(ctx context.Context) error {
	x.mu.Lock()
	x.close()
	all := make([]*actor, 0, len(x.calls))
	for _, a := range x.calls {
		all = append(all, a)
	}
	x.mu.Unlock()
	for _, a := range all {
		a.tell(End{tel.CauseNormal})
	}
	return x.wait(ctx)
}

// Abandon stops every actor without touching a leg or the journal, as a crash would; the next
// process takes the calls over from the journal.
func (x *Exchange) Abandon(ctx context.Context) error {
	x.mu.Lock()
	x.close()
	for _, a := range x.calls {
		a.abandon()
	}
	x.mu.Unlock()
	return x.wait(ctx)
}

// close wants mu held.
func (x *Exchange) close() {
	if !x.closed {
		x.closed = true
		close(x.closing)
	}
}

func (x *Exchange) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { x.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
