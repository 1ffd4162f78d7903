package call

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Decision is where a call goes, as the dial plan decided at this instant.
type Decision struct {
	Kind          DecisionKind
	Devices       []tel.DeviceID // ToDevices
	Agent         tel.AgentID    // ToDevices: whose devices they are; AgentCommand: who commands
	Queue         tel.QueueID    // ToQueue
	QueuePriority int
	Attempts      []Attempt // ToOutside, in order of preference
	Emergency     bool
	Command       string    // AgentCommand: login, logout, pause, resume, finish_wrap_up
	Reason        string    // AgentCommand: of a pause
	Cause         tel.Cause // Refuse
}

// Attempt is one way out of the box.
type Attempt struct {
	Via    string     `json:"via"`    // "trunk:tim" or "line:gsm0"
	Number tel.Number `json:"number"` // as that trunk or line shall get it
}

// DecisionKind is the sort of destination.
type DecisionKind uint8

// The kinds of destination.
const (
	Refuse DecisionKind = iota
	ToDevices
	ToQueue
	ToOutside
	AgentCommand
)

// The inputs of the machine beside LegEvent and the queue's messages.
type (
	// Begin starts the call.
	Begin struct{ Decision Decision }
	// Rerouted continues a call that left its queue.
	Rerouted struct{ Decision Decision }
	// Dialed reports the legs that a Dial effect made; none means unreachable.
	Dialed struct {
		Key   string
		Legs  []LegState
		Cause tel.Cause
	}
	// Wake is a timer of a group that fired.
	Wake struct{ Key string }
	// End is a command from outside to end the call.
	End struct{ Cause tel.Cause }
)

// Effect is something the actor must do; each type below is one.
type Effect interface{ effect() }

// The effects.
type (
	DoAlert  struct{ Early bool }
	DoAccept struct{}
	DoHangup struct {
		Leg   tel.LegID
		Cause tel.Cause
	}
	DoPlay struct {
		Leg   tel.LegID
		Sound Sound
	}
	DoHush  struct{ Leg tel.LegID }
	DoJoin  struct{ A, B tel.LegID }
	DoPart  struct{ Leg tel.LegID }
	DoEcho  struct{}
	DoDigit struct {
		From, To tel.LegID
		Digit    rune
	}
	DoDialDevices struct {
		Key     string
		Devices []tel.DeviceID
		Agent   tel.AgentID // when set, its devices are rung
		Ring    time.Duration
	}
	DoDialOut struct {
		Key, Via string
		Number   tel.Number
	}
	DoTellQueue struct{ Message tel.ToQueue }
	DoCommand   struct {
		Agent           tel.AgentID
		Command, Reason string
	}
	DoResolve struct{ To string }
	DoWake    struct {
		Key string
		At  time.Time
	}
	DoEnd struct{ Record tel.CallEnded }
)

func (DoAlert) effect()       {}
func (DoAccept) effect()      {}
func (DoHangup) effect()      {}
func (DoPlay) effect()        {}
func (DoHush) effect()        {}
func (DoJoin) effect()        {}
func (DoPart) effect()        {}
func (DoDigit) effect()       {}
func (DoDialDevices) effect() {}
func (DoDialOut) effect()     {}
func (DoTellQueue) effect()   {}
func (DoCommand) effect()     {}
func (DoResolve) effect()     {}
func (DoWake) effect()        {}
func (DoEnd) effect()         {}

// ringDirect is how long a directly dialled phone rings.
const ringDirect = 60 * time.Second

// ringOutside bounds the set-up of an outside call; carriers give up before (RFC 3261 Timer C).
const ringOutside = 3 * time.Minute

// grace lets a signalling layer end an attempt by itself before the call's own timer does.
const grace = 2 * time.Second

// step is one run of the machine: it collects the effects of one input.
type step struct {
	s   *State
	now time.Time
	out []Effect
}

// Next applies one input to the state and returns what must be done, in order. It is pure: the
// same state, input and instant give the same result.
func Next(s State, in any, now time.Time) (State, []Effect) {
	if s.Stage == tel.StageEnded {
		return s, orphan(in)
	}
	s.Groups = slices.Clone(s.Groups)
	for i := range s.Groups {
		s.Groups[i].Legs = slices.Clone(s.Groups[i].Legs)
	}
	if s.Peer != nil {
		p := *s.Peer
		s.Peer = &p
	}
	st := step{s: &s, now: now}
	switch in := in.(type) {
	case Begin:
		st.begin(in.Decision)
	case Rerouted:
		st.route(in.Decision)
	case Dialed:
		st.dialed(in)
	case LegEvent:
		st.legEvent(in)
	case tel.Offer:
		st.offered(in)
	case tel.Withdraw:
		st.withdrawn(in)
	case tel.Overflow:
		st.overflowed(in)
	case Wake:
		st.woke(in.Key)
	case End:
		st.finish(in.Cause, "box")
	}
	return s, st.out
}

// orphan answers what still arrives for a call that has ended, so that no reservation is left over.
func orphan(in any) []Effect {
	switch in := in.(type) {
	case tel.Offer:
		return []Effect{DoTellQueue{tel.OfferFailed{Offer: in.Offer, Cause: tel.CauseCancelled}}}
	case Dialed:
		var out []Effect
		for _, l := range in.Legs {
			out = append(out, DoHangup{l.ID, tel.CauseCancelled})
		}
		return out
	default:
		return nil
	}
}

func (st *step) do(e ...Effect) { st.out = append(st.out, e...) }

func (st *step) tell(m tel.ToQueue) { st.do(DoTellQueue{m}) }

func (st *step) stage(x tel.CallStage) {
	if st.s.Stage != x {
		st.s.Stage, st.s.Since = x, st.now
	}
}

func (st *step) begin(d Decision) {
	s := st.s
	s.Started, s.Since = st.now, st.now
	if s.CallerIs != "" && d.Kind != AgentCommand && d.Kind != Refuse {
		st.tell(tel.AgentEngaged{Agent: s.CallerIs, Call: s.Call, Internal: s.Direction == tel.Internal})
	}
	st.route(d)
}

// route sends the caller, answered or not, to a destination.
func (st *step) route(d Decision) {
	s := st.s
	switch d.Kind {
	case ToDevices:
		st.stage(tel.StageRinging)
		s.Groups = append(s.Groups, Group{Key: "direct", Agent: d.Agent, Deadline: st.now.Add(ringDirect + grace)})
		st.do(DoDialDevices{Key: "direct", Devices: d.Devices, Ring: ringDirect}, DoWake{"direct", st.now.Add(ringDirect + grace)})
	case ToQueue:
		st.enqueue(d)
	case ToOutside:
		st.stage(tel.StageRinging)
		s.Vias, s.Emergency = slices.Clone(d.Attempts), d.Emergency
		s.LastCause = tel.CauseCongestion
		st.nextVia()
	case AgentCommand:
		st.accept()
		st.stage(tel.StageGreeting)
		s.HangAfter = true
		st.do(DoCommand{d.Agent, d.Command, d.Reason}, DoPlay{s.Caller.ID, Sound{Names: []string{"tone_confirm"}}})
	case Refuse:
		st.refuse(d.Cause)
	}
}

// refuse turns the caller away: by signalling before the answer, by words after it.
func (st *step) refuse(c tel.Cause) {
	s := st.s
	if !s.Caller.Up {
		st.finish(c, "box")
		return
	}
	s.HangAfter, s.LastCause = true, c
	st.stage(tel.StageGreeting)
	st.do(DoPlay{s.Caller.ID, Sound{Names: []string{"unavailable", "goodbye"}}})
}

func (st *step) accept() {
	if !st.s.Caller.Up {
		st.s.Caller.Up = true
		st.do(DoAccept{})
	}
}

func (st *step) enqueue(d Decision) {
	s := st.s
	st.accept()
	s.Queue, s.Priority = d.Queue, d.QueuePriority
	if s.Enqueued.IsZero() {
		s.Enqueued = st.now // kept through overflow: the caller does not lose the place
	}
	st.stage(tel.StageWaiting)
	st.do(DoPlay{s.Caller.ID, Sound{Names: []string{"greeting", "wait"}}})
	st.tell(tel.Enqueue{
		Call: s.Call, Queue: d.Queue, Caller: s.From, Name: s.FromName, Priority: d.QueuePriority, EnqueuedAt: s.Enqueued,
	})
}

// nextVia tries the next outside route, or gives up with the last cause.
func (st *step) nextVia() {
	s := st.s
	if len(s.Vias) == 0 {
		st.refuse(s.LastCause)
		return
	}
	via := s.Vias[0]
	s.Vias = s.Vias[1:]
	deadline := st.now.Add(ringOutside + grace)
	s.Groups = append(s.Groups, Group{Key: "out", Deadline: deadline})
	st.do(DoDialOut{Key: "out", Via: via.Via, Number: via.Number}, DoWake{"out", deadline})
}

func (st *step) offered(o tel.Offer) {
	s := st.s
	if s.Queue != o.Queue || (s.Stage != tel.StageWaiting && s.Stage != tel.StageRinging) || s.group(string(o.Offer)) >= 0 {
		st.tell(tel.OfferFailed{Offer: o.Offer, Cause: tel.CauseCancelled})
		return
	}
	st.stage(tel.StageRinging)
	deadline := st.now.Add(o.Ring + grace)
	s.Groups = append(s.Groups, Group{Key: string(o.Offer), Offer: o.Offer, Agent: o.Agent, Deadline: deadline})
	st.do(DoDialDevices{Key: string(o.Offer), Agent: o.Agent, Ring: o.Ring}, DoWake{string(o.Offer), deadline})
}

func (st *step) withdrawn(w tel.Withdraw) {
	if g := st.s.group(string(w.Offer)); g >= 0 {
		st.drop(g, w.Cause)
		st.backToWaiting()
	}
}

func (st *step) overflowed(o tel.Overflow) {
	s := st.s
	if s.Stage != tel.StageWaiting && s.Stage != tel.StageRinging {
		return
	}
	st.dropAll(tel.CauseCancelled)
	s.Queue = ""
	st.do(DoHush{s.Caller.ID})
	if o.To == "hangup" || o.To == "" {
		st.refuse(tel.CauseCongestion)
		return
	}
	st.stage(tel.StageRouting)
	st.do(DoResolve{o.To})
}

func (st *step) dialed(d Dialed) {
	s := st.s
	g := s.group(d.Key)
	if g < 0 { // withdrawn while it was being dialled
		st.do(orphan(d)...)
		return
	}
	s.Groups[g].Legs = d.Legs
	if len(d.Legs) == 0 {
		st.groupFailed(g, d.Cause)
	}
}

func (st *step) woke(key string) {
	g := st.s.group(key)
	if g < 0 || st.now.Before(st.s.Groups[g].Deadline) {
		return
	}
	for _, l := range st.s.Groups[g].Legs {
		st.do(DoHangup{l.ID, tel.CauseNoAnswer})
	}
	st.groupFailed(g, tel.CauseNoAnswer)
}

// groupFailed ends an attempt of which no leg is left.
func (st *step) groupFailed(g int, c tel.Cause) {
	s := st.s
	group := s.Groups[g]
	s.Groups = slices.Delete(s.Groups, g, g+1)
	if slices.ContainsFunc(group.Legs, func(l LegState) bool { return l.ID == s.Early && s.Early != "" }) {
		s.Early = ""
		st.do(DoPart{s.Caller.ID})
	}
	switch {
	case group.Offer != "":
		st.tell(tel.OfferFailed{Offer: group.Offer, Cause: c})
		st.backToWaiting()
	case group.Key == "out" && retryable(c):
		s.LastCause = c
		st.nextVia()
	case group.Key == "out":
		s.Vias = nil
		st.refuse(c)
	default:
		st.refuse(c)
	}
}

// retryable tells whether another line may succeed where this one failed: not when the called
// person was reached and said no.
func retryable(c tel.Cause) bool {
	switch c {
	case tel.CauseBusy, tel.CauseNoAnswer, tel.CauseRejected, tel.CauseUnallocated, tel.CauseCancelled, tel.CauseNormal:
		return false
	default:
		return true
	}
}

func (st *step) backToWaiting() {
	if st.s.Stage == tel.StageRinging && st.s.Queue != "" && len(st.s.Groups) == 0 {
		st.stage(tel.StageWaiting)
	}
}

// drop cancels one attempt without telling the queue, which asked for it.
func (st *step) drop(g int, c tel.Cause) {
	for _, l := range st.s.Groups[g].Legs {
		st.do(DoHangup{l.ID, c})
	}
	st.s.Groups = slices.Delete(st.s.Groups, g, g+1)
}

func (st *step) dropAll(c tel.Cause) {
	for len(st.s.Groups) > 0 {
		st.drop(0, c)
	}
}
