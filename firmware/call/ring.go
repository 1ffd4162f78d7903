package call

import (
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	ringDirect  = 60 * time.Second // how long a phone rings when nothing else is said
	ringOutside = 3 * time.Minute  // bounds the set-up of an outside call; carriers give up before (RFC 3261 Timer C)
	ringReturn  = 30 * time.Second // how long a transferor is rung whose transfer failed
	grace       = 2 * time.Second  // lets a signalling layer end an attempt by itself before the call's own timer does

	// maxHops bounds forwards and transfers of one call: two phones that forward to each other must not
	// pass a caller around for ever.
	maxHops = 6
)

// ring starts a hunt; every branch that is due begins at once.
func (st *step) ring(r Ring) {
	s := st.s
	r.Branches = slices.Clone(r.Branches)
	for i := range r.Branches {
		r.Branches[i].At = st.now.Add(r.Branches[i].After)
	}
	slices.SortStableFunc(r.Branches, func(a, b Branch) int { return a.At.Compare(b.At) })
	s.Ring, s.LastCause = &r, tel.CauseNone
	st.stage(tel.StageRinging)
	if len(r.Branches) == 0 {
		st.ringFailed()
		return
	}
	st.startDue()
}

// startDue begins the branches whose time has come and sets the clock for the next one.
func (st *step) startDue() {
	s := st.s
	if s.Ring == nil {
		return
	}
	for len(s.Ring.Branches) > 0 && !st.now.Before(s.Ring.Branches[0].At) {
		b := s.Ring.Branches[0]
		s.Ring.Branches = s.Ring.Branches[1:]
		st.start(b)
	}
	if len(s.Ring.Branches) > 0 {
		st.do(DoWake{wakeBranch, s.Ring.Branches[0].At})
	}
}

// hurry starts the next branch at once when nothing rings any more, and brings the later ones
// forward by as much.
func (st *step) hurry() {
	branches := st.s.Ring.Branches
	early := branches[0].At.Sub(st.now)
	for i := range branches {
		branches[i].At = branches[i].At.Add(-max(early, 0))
	}
	st.startDue()
}

func (st *step) start(b Branch) {
	s := st.s
	key, rings := "direct", ringDirect
	if len(b.Attempts) > 0 {
		key, rings = "out", ringOutside
	}
	if s.Tries++; s.Tries > 1 {
		key = fmt.Sprintf("%s%d", key, s.Tries)
	}
	if b.For > 0 {
		rings = b.For
	}
	g := Group{Key: key, Agent: b.Agent, Outside: len(b.Attempts) > 0, Deadline: st.now.Add(rings + grace)}
	if g.Outside {
		g.Vias = b.Attempts[1:]
		s.Groups = append(s.Groups, g)
		st.do(DoDialOut{key, b.Attempts[0]}, DoWake{key, g.Deadline})
		return
	}
	s.Groups = append(s.Groups, g)
	st.do(DoDialDevices{Key: key, Devices: b.Devices, Ring: rings, SkipBusy: b.SkipBusy, Intercom: b.Intercom}, DoWake{key, g.Deadline})
}

func (st *step) dialed(d Dialed) {
	s := st.s
	g := s.group(d.Key)
	if g < 0 { // withdrawn while it was being dialled
		st.lateDialed(d)
		return
	}
	s.Groups[g].Dialing = false
	s.Groups[g].Legs = d.Legs
	for i := range d.Legs {
		if l := &s.Groups[g].Legs[i]; l.Agent == "" {
			l.Agent = s.Groups[g].Agent
		}
	}
	if len(d.Legs) == 0 {
		st.groupFailed(g, d.Cause)
	}
}

// groupFailed ends an attempt of which no leg is left.
func (st *step) groupFailed(g int, c tel.Cause) {
	s := st.s
	group := s.Groups[g]
	if s.Early != "" && slices.ContainsFunc(group.Legs, func(l LegState) bool { return l.ID == s.Early }) {
		s.Early = ""
		st.do(DoPart{s.Caller.ID})
	}
	if group.Outside && (retryable(c) || s.Emergency) && len(group.Vias) > 0 {
		next := group.Vias[0]
		group.Vias, group.Legs, group.Deadline = group.Vias[1:], nil, st.now.Add(ringOutside+grace)
		s.Groups[g] = group
		s.LastCause = telling(s.LastCause, c)
		st.do(DoDialOut{group.Key, next}, DoWake{group.Key, group.Deadline})
		return
	}
	s.Groups = slices.Delete(s.Groups, g, g+1)
	if group.Offer != "" {
		st.tell(tel.OfferFailed{Offer: group.Offer, Cause: c})
		st.backToWaiting()
		return
	}
	s.LastCause = telling(s.LastCause, c)
	switch {
	case s.Page && len(s.Paged) > 0:
	case len(s.Groups) > 0:
	case s.Ring != nil && len(s.Ring.Branches) > 0:
		st.hurry()
	default:
		st.ringFailed()
	}
}

// telling is the cause that a caller should learn when several attempts failed: what a person did
// counts more than what a machine could not do.
func telling(a, b tel.Cause) tel.Cause {
	rank := func(c tel.Cause) int {
		switch c {
		case tel.CauseNone:
			return 0
		case tel.CauseUnreachable:
			return 1
		case tel.CauseNoAnswer:
			return 3
		case tel.CauseBusy:
			return 4
		case tel.CauseRejected:
			return 5
		default:
			return 2
		}
	}
	if rank(b) >= rank(a) {
		return b
	}
	return a
}

// retryable tells whether another line may succeed where this one failed: not when the called
// person was reached and said no. A call that came round would come round again, each time twice as often.
func retryable(c tel.Cause) bool {
	switch c {
	case tel.CauseBusy, tel.CauseNoAnswer, tel.CauseRejected, tel.CauseUnallocated, tel.CauseCancelled, tel.CauseNormal, tel.CauseLoop, tel.CauseAnonymous:
		return false
	default:
		return true
	}
}

// ringFailed follows the fallback of the ring, or gives up with the most telling cause.
func (st *step) ringFailed() {
	s := st.s
	c := s.LastCause
	if c == tel.CauseNone {
		c = tel.CauseUnreachable
	}
	if s.Emergency && s.Ring != nil {
		st.pressOn(c)
		return
	}
	to, why := "", tel.DivertNoAnswer
	if s.Ring != nil {
		switch c {
		case tel.CauseLoop: // who is behind the loop is asked already
		case tel.CauseBusy, tel.CauseRejected:
			to, why = s.Ring.OnBusy, tel.DivertBusy
		case tel.CauseUnreachable:
			to, why = s.Ring.OnUnreachable, tel.DivertUnreachable
		default:
			to = s.Ring.OnNoAnswer
		}
	}
	if to == "" {
		st.refuse(c)
		return
	}
	st.forward(to, s.Ring.As, why)
}

// forward sends the caller on with the rights of who said so.
func (st *step) forward(to, as string, why tel.Diversion) {
	s := st.s
	s.Ring = nil
	if s.Hops++; s.Hops > maxHops {
		st.refuse(tel.CauseCongestion)
		return
	}
	s.As = as
	st.moved(tel.Move{Kind: tel.MoveForward, By: as, To: tel.Number(to), Why: why})
	st.stage(tel.StageRouting)
	st.do(DoResolve{To: to, As: as})
}

// forwarded notes the forwards that the dial plan has followed; each once, however often the program was
// started while it rang.
func (st *step) forwarded(d Decision) {
	for _, m := range d.Forwards {
		known := func(was tel.Move) bool { was.At = time.Time{}; return was == m }
		if !st.s.Recovered || !slices.ContainsFunc(st.s.Moves, known) {
			st.moved(m)
		}
	}
}

// divertedBy is why a party has sent the call to where it is dialled now; empty: it has not.
func (s *State) divertedBy(party string) tel.Diversion {
	for _, m := range slices.Backward(s.Moves) {
		if m.Kind == tel.MoveForward && m.By == party && party != "" {
			return m.Why
		}
	}
	return ""
}

// redirect follows a 302 of a phone: its person's rights count, and the queue's offers are not
// passed on to others.
func (st *step) redirect(leg *LegState, g int, to tel.Number) bool {
	s := st.s
	if s.Groups[g].Offer != "" || s.Groups[g].Outside || s.Ring == nil || s.Hops >= maxHops {
		return false
	}
	s.Hops++
	st.moved(tel.Move{Kind: tel.MoveForward, By: leg.Party, Party: leg.Party, To: to})
	st.do(DoRedirect{Key: s.Groups[g].Key, As: leg.Party, Number: to})
	return true
}

// redirected adds where the phone sent the call to what rings.
func (st *step) redirected(r Redirected) {
	s := st.s
	if s.Ring == nil {
		return
	}
	st.forwarded(r.Decision)
	r.Decision.Forwards = nil
	if r.Decision.Emergency { // with all that goes with it: every line, one taken from others, the alarm
		st.dropAll(tel.CauseCancelled)
		s.Ring = nil
		st.route(r.Decision)
		return
	}
	switch r.Decision.Kind {
	case ToDevices:
		st.start(Branch{Devices: r.Decision.Devices, Agent: r.Decision.Agent})
	case ToOutside:
		st.start(Branch{Attempts: r.Decision.Attempts})
	case ToRing:
		for _, b := range r.Decision.Ring.Branches {
			b.At = st.now.Add(b.After)
			s.Ring.Branches = append(s.Ring.Branches, b)
		}
		slices.SortStableFunc(s.Ring.Branches, func(a, b Branch) int { return a.At.Compare(b.At) })
		s.Ring.OnBusy, s.Ring.OnNoAnswer, s.Ring.OnUnreachable = r.Decision.Ring.OnBusy, r.Decision.Ring.OnNoAnswer, r.Decision.Ring.OnUnreachable
		s.Ring.As = r.Decision.Ring.As
		st.startDue()
	default: // a queue, a menu: when nothing else rings the caller goes there
		if r.Decision.Kind != Refuse && len(s.Groups) <= 1 && len(s.Ring.Branches) == 0 {
			st.dropAll(tel.CauseCancelled)
			s.Ring = nil
			st.route(r.Decision)
			return
		}
	}
	if g := s.group(r.Key); g >= 0 && len(s.Groups[g].Legs) == 0 {
		c := r.Decision.Cause
		if c == tel.CauseNone {
			c = tel.CauseUnreachable
		}
		st.groupFailed(g, c)
	}
}

const (
	freeWithin = 15 * time.Second       // how long a cut line may take to become free
	freeEvery  = 500 * time.Millisecond // how often it is tried
)

// pressOn keeps an emergency call going: when every line is taken one is freed, and all are tried
// until it is.
func (st *step) pressOn(c tel.Cause) {
	s := st.s
	switch {
	case !busyLines(c), !s.FreeBy.IsZero() && st.now.After(s.FreeBy):
		st.refuse(c)
	case s.FreeBy.IsZero():
		s.FreeBy = st.now.Add(freeWithin)
		var vias []string
		for _, a := range s.Lines {
			vias = append(vias, a.Via)
		}
		st.do(DoPreempt{vias})
	default:
		st.do(DoWake{wakePreempt, st.now.Add(freeEvery)})
	}
}

// busyLines tells whether a failure may come from lines that are taken.
func busyLines(c tel.Cause) bool {
	switch c {
	case tel.CauseBusy, tel.CauseCongestion, tel.CauseInterfaceFailure, tel.CauseNetworkFailure, tel.CauseUnreachable, tel.CauseTimeout:
		return true
	default:
		return false
	}
}

// freed tries every line of an emergency call once more.
func (st *step) freed() {
	s := st.s
	if s.FreeBy.IsZero() || s.Ring == nil || len(s.Groups) > 0 {
		return
	}
	st.ring(Ring{Branches: []Branch{{Attempts: s.Lines}}})
}

// drop cancels one attempt without telling the queue, which asked for it.
func (st *step) drop(g int, c tel.Cause) {
	for _, l := range st.s.Groups[g].Legs {
		st.do(DoHangup{l.ID, c})
	}
	st.s.oweGroup(st.s.Groups[g])
	st.s.Groups = slices.Delete(st.s.Groups, g, g+1)
}

func (st *step) dropAll(c tel.Cause) {
	for len(st.s.Groups) > 0 {
		st.drop(0, c)
	}
}
