package call

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var worldsFlag = flag.Int("call.worlds", 20000, "random worlds of the property test (soak: 1000000)")

// world plays a random world against the machine and keeps the books that must balance.
type world struct {
	r         *rand.Rand
	s         State
	live      map[tel.LegID]bool // legs that exist at the far side
	n         int
	ended     int
	forgotten int                    // ended without a record
	offers    map[tel.OfferID]string // open, failed, answered, withdrawn
	rings     rings
	talking   tel.OfferID
	accepted  tel.OfferID // the last one
	engaged   map[tel.AgentID]int
	refers    map[tel.LegID]bool // accepted wishes that wait for their final NOTIFY
	slots     map[tel.Number]bool
	adopt     tel.LegID // offered to the call and not yet answered for
	given     tel.LegID // offered to another call by this one
	gone      bool
	late      []Dialed    // still to be reported
	reports   []DoReport  // to who clicked for the call
	along     []tel.LegID // who would go with what is offered to the other call
	lines     lineBook
}

func newWorld(seed, stream uint64) *world {
	w := &world{
		r: rand.New(rand.NewPCG(seed, stream)), s: incoming(), live: map[tel.LegID]bool{"caller": true}, offers: map[tel.OfferID]string{},
		engaged: map[tel.AgentID]int{}, refers: map[tel.LegID]bool{}, slots: map[tel.Number]bool{},
		rings: newRings(), lines: lineBook{open: map[tel.LegID]tel.LineUse{}},
	}
	w.s.Told = sipTrying
	return w
}

func (w *world) name(prefix string) string { w.n++; return fmt.Sprint(prefix, w.n) }

// somewhere is what the dial plan may answer.
func (w *world) somewhere() Decision {
	devices := []tel.DeviceID{"1"}
	switch w.r.IntN(13) {
	case 11:
		return Decision{Kind: ToPage, Devices: devices}
	case 8:
		return menu()
	case 9:
		return deposit()
	case 10:
		return Decision{Kind: ToEcho}
	case 0:
		return Decision{Kind: Refuse, Cause: tel.CauseForbidden}
	case 1:
		return Decision{Kind: ToPark, Slots: []tel.Number{"701", "702"}, ParkFor: 10 * time.Second}
	case 2:
		return Decision{Kind: ToRing, Ring: Ring{
			Branches: []Branch{{Devices: devices}, {Devices: devices, After: 5 * time.Second}, {Attempts: []Attempt{{Via: "trunk:t", Number: "1"}, {Via: "line:g", Number: "2"}}, After: 7 * time.Second}},
			OnBusy:   "x", OnNoAnswer: "y", As: "phone:1",
		}}
	case 3:
		return Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:t", Number: "1"}, {Via: "line:g", Number: "2"}}, Emergency: w.r.IntN(4) == 0}
	case 12:
		return Decision{Kind: ToWatch, Watch: Watch{Agent: "anna", Mode: tel.SuperviseListen}}
	case 4:
		return Decision{Kind: ToDevices, Devices: devices, Agent: "bruno"}
	case 5:
		return Decision{Kind: ToPickup, Pickup: devices}
	default:
		return Decision{Kind: ToQueue, Queue: "desk"}
	}
}

func (w *world) apply(t *testing.T, in any, at time.Time) {
	t.Helper()
	var out []Effect
	before := w.s
	w.rings.given(w, in)
	w.s, out = Next(w.s, in, at)
	for _, e := range out {
		switch e := e.(type) {
		case DoDialDevices:
			d := Dialed{Key: e.Key, Cause: tel.CauseUnreachable}
			for range w.r.IntN(3) {
				w.n++
				id := tel.LegID(fmt.Sprint("leg", w.n))
				d.Legs = append(d.Legs, LegState{ID: id, Party: "phone:1", Ref: string(id)})
			}
			w.rings.dialing[tel.OfferID(e.Key)] = true
			if e.Agent != "" && w.r.IntN(8) == 0 { // the phones are found a moment later
				w.late = append(w.late, d)
				continue
			}
			w.apply(t, w.made(d), at)
		case DoDialOut:
			d := Dialed{Key: e.Key, Via: e.Via, Cause: tel.CauseCongestion}
			if w.r.IntN(2) == 0 {
				id := tel.LegID(w.name("leg"))
				w.live[id] = true
				d.Legs = []LegState{{ID: id, Party: e.Via, Ref: string(id), Out: true}}
				w.lines.open[id] = tel.LineUse{Line: e.Via, From: at}
			} else {
				w.lines.done = append(w.lines.done, tel.LineUse{Line: e.Via, From: at, To: at})
			}
			w.apply(t, d, at)
		case DoResolve:
			w.apply(t, Rerouted{w.somewhere()}, at)
		case DoRoute:
			w.apply(t, Rerouted{w.somewhere()}, at)
		case DoRedirect:
			w.apply(t, Redirected{e.Key, w.somewhere()}, at)
		case DoPark:
			slot := tel.Number("")
			for _, free := range e.Slots {
				if !w.slots[free] && slot == "" {
					slot = free
				}
			}
			w.slots[slot] = slot != ""
			w.apply(t, ParkedAt{slot}, at)
		case DoUnpark:
			if !w.slots[e.Slot] {
				t.Fatalf("place %q is given back and was not taken, by %T in %+v", e.Slot, in, before)
			}
			w.slots[e.Slot] = false
		case DoHandOver:
			w.given, w.along = e.Leg.ID, nil
			for _, l := range e.Watchers {
				w.along = append(w.along, l.ID)
			}
		case DoTakeAlong:
			for _, id := range e.Legs {
				w.live[id] = true
			}
		case DoMix:
			w.mixed(t, e)
		case DoReview:
			w.apply(t, w.review(), at)
		case DoTake:
			if e.Leg != w.adopt {
				t.Fatalf("leg %q is taken, offered was %q", e.Leg, w.adopt)
			}
			w.live[e.Leg], w.adopt = true, ""
		case DoDecline:
			w.adopt = ""
		case DoAnswerRefer:
			if e.Status < 300 {
				w.refers[e.Leg] = true
			}
			if !w.live[e.Leg] {
				t.Fatalf("a REFER of %q, which is gone, is answered", e.Leg)
			}
		case DoReport:
			w.reports = append(w.reports, e)
		case DoNotifyRefer:
			if !w.refers[e.Leg] {
				t.Fatalf("leg %q is notified of a transfer that it did not ask for or knows the end of, by %T in %+v", e.Leg, in, before)
			}
			if e.Final {
				delete(w.refers, e.Leg)
			}
		case DoPreempt:
			w.apply(t, Freed{}, at)
		case DoHangup:
			if w.s.Peer != nil && w.s.Peer.ID == e.Leg && w.s.Stage == tel.StageTalking {
				t.Fatalf("the winner is hung up by %T in %+v", in, before)
			}
			if w.refers[e.Leg] {
				t.Fatalf("leg %q is hung up before it knows how its transfer went, by %T in %+v", e.Leg, in, before)
			}
			delete(w.live, e.Leg)
		case DoTellQueue:
			w.told(t, e.Message)
		case DoForget:
			w.forgotten++
		case DoEnd:
			w.ended++
			w.lines.ended(t, w.live, e.Record, at)
		}
	}
	w.lines.left(w.live, at)
}

func (w *world) told(t *testing.T, m tel.ToQueue) {
	switch m := m.(type) {
	case tel.OfferFailed:
		if w.offers[m.Offer] != "open" {
			t.Fatalf("offer %s failed after it was %q", m.Offer, w.offers[m.Offer])
		}
		w.offers[m.Offer] = "failed"
	case tel.OfferSettled:
		w.rings.settled(t, m.Offer)
	case tel.OfferAccepted:
		if w.offers[m.Offer] != "open" {
			t.Fatalf("offer %s accepted after it was %q", m.Offer, w.offers[m.Offer])
		}
		w.accepted = m.Offer
	case tel.CallbackMissed:
		if w.offers[m.Offer] != "open" || w.accepted != m.Offer {
			t.Fatalf("the customer of %s was missed after it was %q", m.Offer, w.offers[m.Offer])
		}
		w.offers[m.Offer] = "missed"
	case tel.OfferAnswered:
		if w.offers[m.Offer] != "open" || w.talking != "" {
			t.Fatalf("offer %s answered after it was %q, talking %q", m.Offer, w.offers[m.Offer], w.talking)
		}
		w.offers[m.Offer] = "answered"
		w.talking = m.Offer
	case tel.TalkEnded:
		if w.talking != m.Offer {
			t.Fatalf("talk of %s ended, talking was %q", m.Offer, w.talking)
		}
		w.talking = ""
	case tel.AgentEngaged:
		if w.engaged[m.Agent]++; w.engaged[m.Agent] > 2 {
			t.Fatalf("agent %s is engaged %d times", m.Agent, w.engaged[m.Agent])
		}
	case tel.AgentDisengaged:
		if w.engaged[m.Agent]--; w.engaged[m.Agent] < 0 {
			t.Fatalf("agent %s is let go and was not engaged", m.Agent)
		}
	case tel.CallerGone:
		w.gone = true
	}
}

func TestRandomWorldsLeaveNothingBehind(t *testing.T) {
	rounds := *worldsFlag
	if testing.Short() {
		rounds = 4000
	}
	for seed := range uint64(rounds) {
		w := newWorld(seed, 1)
		at := noon
		w.apply(t, Begin{w.first()}, at)
		for range 60 {
			at = at.Add(time.Duration(w.r.IntN(5000)) * time.Millisecond)
			w.apply(t, w.random(at), at)
			w.supervised(t, seed)
		}
		w.settle(t, at)
		w.apply(t, End{tel.CauseNormal}, at)
		w.quieten(t, at)
		w.apply(t, tel.Offer{Offer: w.open("late"), Call: "c1", Queue: "sales"}, at)
		switch {
		case slices.IndexFunc(w.reports, func(r DoReport) bool { return r.Final }) != len(w.reports)-1 || len(w.reports) == 0:
			t.Fatalf("seed %d: who clicked for the call is told %v", seed, w.reports)
		case w.ended != 1:
			t.Fatalf("seed %d: %d records for one call", seed, w.ended)
		case len(w.live) != 0:
			t.Fatalf("seed %d: legs left up: %v", seed, w.live)
		case slices.ContainsFunc(slices.Collect(maps.Values(w.engaged)), func(n int) bool { return n != 0 }):
			t.Fatalf("seed %d: agents left engaged: %v", seed, w.engaged)
		case slices.Contains(slices.Collect(maps.Values(w.slots)), true) && w.slots["701"]:
			t.Fatalf("seed %d: a place is left taken: %v", seed, w.slots)
		case len(w.refers) != 0:
			t.Fatalf("seed %d: a transferor never learns how its transfer went: %v", seed, w.refers)
		case w.talking != "":
			t.Fatalf("seed %d: the queue thinks that %s still talks", seed, w.talking)
		case w.offers["late"] != "failed":
			t.Fatalf("seed %d: an offer after the end is %q", seed, w.offers["late"])
		}
	}
}

// first is where a call begins.
func (w *world) first() Decision {
	if w.r.IntN(2) == 0 {
		return Decision{Kind: ToQueue, Queue: "sales"}
	}
	return w.somewhere()
}

// settle answers for the leg that was offered to another call.
func (w *world) settle(t *testing.T, at time.Time) {
	id := w.given
	if id == "" {
		return
	}
	w.given = ""
	h := HandedOver{Leg: id, Into: "c2", OK: w.r.IntN(2) == 0, Cause: tel.CauseUnallocated}
	if !w.live[id] {
		h.OK = false
	}
	if h.OK {
		h.Along = w.along
	}
	if h.OK && (w.s.Moving != nil && w.s.Moving.Attended || w.s.Stage == tel.StageRouting) {
		delete(w.live, id) // the other call has it
		for _, l := range h.Along {
			delete(w.live, l)
		}
	}
	w.apply(t, h, at)
}

func (w *world) open(id tel.OfferID) tel.OfferID { w.offers[id] = "open"; return id }

// closeOffers is what the queue does with its own when it lets a caller go.
func (w *world) closeOffers() {
	for o, is := range w.offers {
		if is == "open" {
			w.offers[o] = "withdrawn"
		}
	}
}

func (w *world) random(at time.Time) any {
	pick := func() tel.LegID {
		ids := append(slices.Sorted(maps.Keys(w.live)), "stranger")
		return ids[w.r.IntN(len(ids))]
	}
	if w.given != "" && w.r.IntN(3) > 0 {
		id := w.given
		w.given = ""
		return HandedOver{Leg: id, Cause: tel.CauseUnallocated}
	}
	if len(w.late) > 0 && w.r.IntN(2) == 0 {
		d := w.late[0]
		w.late = w.late[1:]
		return w.made(d)
	}
	if leg := w.rings.ends(w); leg != "" && w.r.IntN(4) == 0 {
		return LegEvent{Leg: leg, Kind: LegQuiet}
	}
	switch w.r.IntN(27) {
	case 19:
		return LegEvent{Leg: pick(), Kind: LegPlayed}
	case 20:
		return tel.Announce{Call: "c1", Position: w.r.IntN(3), WaitTo: w.r.IntN(2), Callback: []rune{0, '1'}[w.r.IntN(2)]}
	case 21:
		return tel.AskCallback{Call: "c1"}
	case 22:
		if w.s.Script != nil && w.r.IntN(2) == 0 {
			return Scripted{ivr.Checked{OK: w.r.IntN(3) > 0}}
		}
		ok := w.r.IntN(2) == 0 && w.s.waits() && w.s.Callback == nil
		if ok {
			w.closeOffers()
		}
		return tel.CallbackAnswered{Call: "c1", OK: ok}
	case 23, 24:
		return w.watch()
	case 25:
		return Remode{By: tel.AgentID(fmt.Sprint("boss", w.r.IntN(3))), Mode: tel.SupervisionModes()[w.r.IntN(4)]}
	case 26:
		return Review{}
	case 12, 13:
		return LegEvent{Leg: pick(), Kind: LegRefer, To: "5"}
	case 14:
		return LegEvent{Leg: pick(), Kind: LegRefer, Replaces: "sip:far"}
	case 15:
		w.adopt = tel.LegID(w.name("new"))
		a := Adopt{Leg: LegState{ID: w.adopt, Party: "phone:9", Ref: string(w.adopt), Up: w.r.IntN(2) == 0, Agent: "carla"}}
		for range w.r.IntN(3) {
			w.n++
			a.Watchers = append(a.Watchers, Watcher{LegState: LegState{ID: tel.LegID(w.name("far")), Party: "phone:8", Up: true, Agent: tel.AgentID(fmt.Sprint("far", w.n))}, Now: tel.Supervision{Agent: "anna", Mode: tel.SuperviseListen}, Follow: true})
		}
		switch w.r.IntN(3) {
		case 0:
			a.Target.Ref = string(pick())
		case 1:
			a.Target.Slot = "701"
		default:
			a.Target.Ringing = []tel.DeviceID{"1"}
		}
		return a
	case 16:
		keys := []string{wakeBranch, wakePark, wakePreempt, wakeHandOver, wakeTest}
		if w.s.Script != nil {
			keys = append(keys, wakeScript+strconv.Itoa(w.s.Script.Timer))
		}
		return Wake{keys[w.r.IntN(len(keys))]}
	case 17:
		if w.s.Script != nil && w.s.Script.Recording != "" {
			return LegEvent{Leg: "caller", Kind: LegRecorded, Path: w.s.Script.Recording + ".wav", Length: time.Duration(w.r.IntN(5)) * time.Second, Why: ivr.WhySilence}
		}
		return LegEvent{Leg: "caller", Kind: LegPlayed}
	case 18:
		return LegEvent{Leg: "caller", Kind: LegDigit, Digit: rune('0' + w.r.IntN(3))}
	case 0, 1, 2:
		w.n++
		o := tel.Offer{Offer: w.open(tel.OfferID(fmt.Sprint("o", w.n))), Call: "c1", Queue: w.s.Queue, Agent: "anna", Ring: 10 * time.Second}
		if w.r.IntN(2) == 0 {
			o.Whisper.Prompt = "sales"
		}
		return o
	case 3:
		return LegEvent{Leg: pick(), Kind: LegProgress}
	case 4:
		return LegEvent{Leg: pick(), Kind: LegAnswered}
	case 5, 6:
		id := pick()
		delete(w.live, id)
		delete(w.refers, id)
		e := LegEvent{Leg: id, Kind: LegEnded, Cause: tel.CauseBusy, Remote: w.r.IntN(4) > 0}
		if e.Remote {
			w.rings.over(id)
		}
		if w.r.IntN(3) == 0 {
			e.Redirect = "333"
		}
		return e
	case 7:
		for _, o := range slices.Sorted(maps.Keys(w.offers)) {
			// One that has failed may be asked for too: the two messages cross.
			if is := w.offers[o]; is == "open" || is == "failed" && w.r.IntN(3) == 0 {
				if is == "open" {
					w.offers[o] = "withdrawn"
				}
				return tel.Withdraw{Offer: o, Call: "c1", Cause: tel.CauseNoAnswer}
			}
		}
		return LegEvent{Leg: "caller", Kind: LegPlayed}
	case 8:
		return LegEvent{Leg: pick(), Kind: LegHeld, Held: w.r.IntN(2) == 0}
	case 9:
		if w.r.IntN(4) > 0 {
			if w.r.IntN(4) == 0 {
				return LegEvent{Leg: pick(), Kind: LegMachine, Machine: tel.MachineModem}
			}
			return LegEvent{Leg: pick(), Kind: LegDigit, Digit: '5'}
		}
		if w.s.Callback != nil { // has no caller to send on
			return nil
		}
		w.closeOffers()
		return tel.Overflow{Call: "c1", To: "queue:desk", Why: "max_wait"}
	default:
		if len(w.s.Groups) > 0 {
			return Wake{w.s.Groups[0].Key}
		}
		return LegEvent{Leg: "caller", Kind: LegSilent}
	}
}
