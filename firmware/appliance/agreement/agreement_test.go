package agreement

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var (
	daysFlag = flag.Int("agreement.days", 300, "random days of the property test (soak: 20000)")
	dayFlag  = flag.Uint64("agreement.day", 0, "only the day of this seed; 0: all")
)

// found are days of longer runs that have shown a fault: a talk whose begin the call had lost, and a supervisor to whom the
// call was transferred that the supervisor's other telephone listened to.
var found = []uint64{13179, 12355}

// Wherever the two journals are cut around something that happens, each on its own, calls and queues agree after the restart:
// who is on the line in a call is on the line in the queues, and nobody else; who waits has the place of the first arrival;
// nobody whose telephone was there is hung up on; and the day can be finished.
func TestCallsAndQueuesAgreeWhereverTheirJournalsAreCut(t *testing.T) {
	days := uint64(*daysFlag)
	if testing.Short() {
		days /= 4
	}
	cuts, apart := 0, 0
	for _, seed := range found {
		for range 3 { // who is served first is not in the seed
			if *dayFlag == 0 && seed > days && !t.Failed() {
				day(t, seed)
			}
		}
	}
	for seed := uint64(1); seed <= days; seed++ {
		if *dayFlag != 0 {
			seed, days = *dayFlag, *dayFlag
		}
		n, differ := day(t, seed)
		cuts, apart = cuts+n, apart+differ
	}
	if t.Logf("%d cuts, %d of which left the queues apart from the calls", cuts, apart); apart < cuts/10 {
		t.Error("too few to show anything")
	}
}

// cutsADay is how often a day is cut, each time anew.
const cutsADay = 6

// day plays a day up to something that happens, and ends it once for each cut around that.
func day(t *testing.T, seed uint64) (cuts, apart int) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 0))
		o := newOffice(t, r)
		o.opens(nil, nil)
		for range 10 + r.IntN(50) {
			o.happens()
			synctest.Wait()
		}
		from := o.written()
		for range 1 + r.IntN(3) {
			o.happens()
		}
		synctest.Wait()
		o.dies()
		for range cutsADay {
			i, j := from+r.IntN(len(o.log)-from+1), from+r.IntN(len(o.log)-from+1)
			next, calls, state := o.after(i, j)
			cuts++
			if next.comesBack(calls, state, fmt.Sprintf("day %d, calls cut at %d, queues at %d of %d to %d", seed, i, j, from, len(o.log))) {
				apart++
			}
			if t.Failed() {
				return
			}
		}
	})
	return cuts, apart
}

// comesBack starts the next process, judges it and finishes its day. It tells whether queues and calls were apart.
func (o *office) comesBack(calls, state map[string][]byte, at string) (apart bool) {
	defer func() {
		if o.t.Failed() {
			o.t.Log(at)
			for _, b := range calls {
				o.t.Logf("%s", b)
			}
		}
	}()
	lost := o.mustStay(calls)
	apart = o.areApart(calls, state)
	o.opens(calls, state)
	o.mu.Lock()
	for _, l := range o.all { // what no call claims is ended
		if !l.over && !o.found[l.ref] {
			l.become("over by the box")
		}
	}
	o.mu.Unlock()
	defer func() {
		o.must(o.x.Close(context.Background()))
		o.q.Close()
	}()
	o.settles()
	for ref, who := range lost {
		if _, over := o.legs[ref].is(); over {
			o.t.Errorf("%s is hung up on: %s, found %v", who, o.legs[ref].why, o.found[ref])
		}
	}
	o.agree()
	if !o.t.Failed() {
		o.finishes()
	}
	return apart
}

// settles waits until every question of the restart is answered, and has every call write down how it stands.
func (o *office) settles() {
	time.Sleep(tel.SettleWithin + time.Millisecond)
	synctest.Wait()
	for _, id := range o.x.Calls() {
		o.x.Deliver(tel.Announce{Call: id})
	}
	synctest.Wait()
}

// mustStay are the customers whose calls had everybody on the line when the process died, by their references.
func (o *office) mustStay(calls map[string][]byte) map[string]string {
	all, leaving := map[string]string{}, map[string]bool{}
	here := func(l *call.LegState) bool {
		at := o.legs[l.Ref]
		return at != nil && !at.over
	}
	for id, b := range calls {
		s, err := call.Restore(b)
		o.must(err)
		agreed := s.Stage == tel.StageMenu && !s.Waiting // on a callback: only the goodbye was to come
		for _, l := range []*call.LegState{&s.Caller, s.Peer} {
			switch {
			case l == nil || l.ID == "" || !strings.HasPrefix(l.Party, "trunk:"):
			case s.HangAfter || agreed || !here(&s.Caller) || s.Peer != nil && !here(s.Peer):
				leaving[l.Ref] = true
			default:
				all[l.Ref] = fmt.Sprintf("%s of %s (%s)", l.Number, id, s.Stage)
			}
		}
	}
	for ref := range leaving { // one may be on the way into a call that ends
		delete(all, ref)
	}
	return all
}

// onLine are the offers that a call is on the line for, or rings for, in a word each.
func onLine(s call.State) map[tel.OfferID]string {
	all := map[tel.OfferID]string{}
	for _, g := range s.Groups {
		if g.Offer != "" {
			all[g.Offer] = "rings"
		}
	}
	if s.Accepted != nil {
		all[s.Accepted.Offer] = "accepted"
	}
	for _, l := range []*call.LegState{&s.Caller, s.Peer} {
		switch {
		case l == nil || l.Offer == "":
		case s.Callback != nil && !s.Callback.Reached:
			all[l.Offer] = "accepted"
		default:
			all[l.Offer] = "talks"
		}
	}
	return all
}

// areApart tells whether what the two journals hold contradicts itself.
func (o *office) areApart(calls, state map[string][]byte) bool {
	s, _ := plan.RestoreEntities(maps.Clone(state))
	var all []call.State
	for _, b := range calls {
		c, err := call.Restore(b)
		o.must(err)
		all = append(all, c)
	}
	return len(differences(all, &s)) > 0
}

// agree compares the calls with the queues.
func (o *office) agree() {
	s, errs := plan.RestoreEntities(o.kept(acd.HotKind))
	if len(errs) > 0 {
		o.t.Fatal(errs)
	}
	calls, there := o.calls(), o.x.Calls()
	for id := range calls {
		if !slices.Contains(there, id) {
			o.t.Errorf("%s is in the journal and is no call", id)
		}
	}
	for _, d := range differences(slices.Collect(maps.Values(calls)), &s) {
		o.t.Error(d)
	}
	v, err := o.q.Snapshot(context.Background())
	o.must(err)
	for _, q := range v.Queues {
		for i, w := range q.Waiting {
			if i > 0 && w.Since.Before(q.Waiting[i-1].Since) && w.Priority == q.Waiting[i-1].Priority {
				o.t.Errorf("%s came %v and stands in %s behind who came %v", w.Call, w.Since, q.ID, q.Waiting[i-1].Since)
			}
		}
	}
	for _, a := range v.Agents {
		at := s.Agents[a.ID]
		switch a.State {
		case tel.AgentRinging, tel.AgentReserved:
			if s.Offers[at.Offer] == nil {
				o.t.Errorf("%s is %s for nobody", a.ID, a.State)
			}
		case tel.AgentTalking, tel.AgentHold, tel.AgentInternal, tel.AgentOutbound:
			if s.Offers[at.Offer] == nil && len(at.Engaged) == 0 {
				o.t.Errorf("%s is %s with nobody", a.ID, a.State)
			}
		default:
		}
		if at.Settling != "" {
			o.t.Errorf("%s settles and nothing rings", a.ID)
		}
	}
}

// differences are what calls and queues do not have in common, in words.
func differences(calls []call.State, s *plan.State) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	waits, on := map[tel.CallID]bool{}, map[string]bool{}
	held := map[tel.OfferID]bool{}
	for _, c := range calls {
		if c.Waiting && c.Callback == nil {
			waits[c.Call] = true
			switch e := s.Entries[c.Call]; {
			case e == nil:
				say("%s waits in %s and has no place", c.Call, c.Queue)
			case e.Queue != c.Queue || !e.EnqueuedAt.Equal(c.Enqueued):
				say("%s waits in %s since %v, the queues say %s since %v", c.Call, c.Queue, c.Enqueued, e.Queue, e.EnqueuedAt)
			}
		}
		for id, how := range onLine(c) {
			held[id] = true
			switch o := s.Offers[id]; {
			case o == nil || o.Phase == plan.Void:
				say("%s %s in %s, and there is no such offer", id, how, c.Call)
			case o.Call != c.Call || how != map[plan.Phase]string{plan.Reserved: "rings", plan.Ringing: "rings", plan.Accepted: "accepted", plan.Talking: "talks"}[o.Phase]:
				say("%s %s in %s, the queues say %s of %s", id, how, c.Call, o.Phase, o.Call)
			}
		}
		for _, l := range conversing(c) {
			if l.Engaged {
				on[string(l.Agent)+" in "+string(c.Call)] = true
			}
		}
	}
	for id, e := range s.Entries {
		if e.Callback == "" && !waits[id] {
			say("%s has a place in %s and does not wait", id, e.Queue)
		}
	}
	for id, o := range s.Offers {
		if o.Phase != plan.Void && !held[id] {
			say("%s is %s of %s by %s in the queues, and in no call", id, o.Phase, o.Call, o.Agent)
		}
	}
	for id, a := range s.Agents {
		for _, e := range a.Engaged {
			if at := string(id) + " in " + string(e.Call); !on[at] {
				say("%s by the queues alone", at)
			} else {
				delete(on, at)
			}
		}
	}
	for at := range on {
		say("%s by the call alone", at)
	}
	slices.Sort(all)
	return all
}

func conversing(c call.State) []call.LegState {
	all := []call.LegState{c.Caller}
	if c.Peer != nil {
		all = append(all, *c.Peer)
	}
	for _, w := range c.Watchers {
		all = append(all, w.LegState)
	}
	return all
}

// finishes lets everybody come to work and every caller be served, and then everybody hang up: nothing is left.
func (o *office) finishes() {
	ctx := context.Background()
	atWork := func() {
		for _, a := range agents {
			o.must(o.q.Login(ctx, a))
			_ = o.q.Resume(ctx, a) // who is not paused is told so
		}
	}
	atWork()
	for n := 0; ; n++ {
		s, _ := plan.RestoreEntities(o.kept(acd.HotKind))
		if len(s.Entries) == 0 && len(s.Callbacks) == 0 {
			break
		}
		if n > 60 {
			o.t.Errorf("callers starve: %d wait, %d are to be called back", len(s.Entries), len(s.Callbacks))
			return
		}
		atWork()
		for _, l := range o.which(rings) {
			l.answers()
		}
		time.Sleep(time.Second)
		for _, l := range o.which(phone) {
			l.says(call.LegEvent{Kind: call.LegPlayed}) // the whisper
		}
		time.Sleep(time.Second)
		for _, l := range o.which(rings) { // customers who are called back
			l.answers()
		}
		time.Sleep(4 * time.Second)
		for _, l := range o.which(phone) {
			l.hangsUp(tel.CauseNormal)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
	}
	for _, l := range o.which(func(*leg) bool { return true }) {
		l.hangsUp(tel.CauseNormal)
	}
	time.Sleep(time.Minute) // after-call work and rests
	synctest.Wait()
	s, _ := plan.RestoreEntities(o.kept(acd.HotKind))
	for id := range s.Offers {
		o.t.Errorf("offer %+v is left", s.Offers[id])
	}
	for id, a := range s.Agents {
		if a.State() != tel.AgentReady {
			o.t.Errorf("%s is %s at the end: %+v", id, a.State(), a)
		}
	}
	if left := o.x.Calls(); len(left) > 0 {
		o.t.Errorf("%d calls are left", len(left))
	}
}
