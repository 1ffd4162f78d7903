package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/conference"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// roomReels is a recorder of rooms that keeps books, per part and leg.
type roomReels struct {
	mu      sync.Mutex
	running map[string]*roomReel
	over    map[string]*roomReel
	forgot  []string
}

type roomReel struct {
	conference.Part
	voices []conference.TapeVoice
	paused bool
	since  time.Time
	there  map[tel.LegID]time.Duration // told, and so on the record
	failed func(string)
}

func (r *roomReels) Begin(p conference.Part, voices []conference.TapeVoice, failed func(string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[p.ID] = &roomReel{Part: p, voices: voices, since: time.Now(), there: map[tel.LegID]time.Duration{}, failed: failed}
}

// pass is called with mu held.
func (x *roomReel) pass() {
	for _, v := range x.voices {
		if v.Told {
			x.there[v.Leg] += time.Since(x.since)
		}
	}
	x.since = time.Now()
}

func (r *roomReels) of(id string, do func(x *roomReel)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.running[id]; x != nil {
		x.pass()
		do(x)
	}
}

func (r *roomReels) Keep(id string, voices []conference.TapeVoice) {
	r.of(id, func(x *roomReel) { x.voices = voices })
}

func (r *roomReels) Pause(id, why string) { r.of(id, func(x *roomReel) { x.paused = why != "" }) }

func (r *roomReels) End(id, _ string) {
	r.of(id, func(x *roomReel) { r.over[id] = x; delete(r.running, id) })
}

func (r *roomReels) Forget(chains []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgot = append(r.forgot, chains...)
}

// lookIntoRoom fails unless those who are in the room, two or more, are on the record of one part, and nobody else is.
func (k *books) lookIntoRoom(t *testing.T, r *roomReels, what string) {
	t.Helper()
	synctest.Wait()
	k.o.hall.mu.Lock()
	var in, active []tel.CallID
	for _, m := range k.o.hall.shown.Members {
		in = append(in, m.Call)
		if !m.Held {
			active = append(active, m.Call)
		}
	}
	legs := map[tel.LegID]bool{}
	for _, c := range in {
		legs[k.o.hall.legs[c].ID()] = true
	}
	k.o.hall.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if want := len(in) > 1; len(r.running) > 1 || want != (len(r.running) == 1) {
		t.Fatalf("after %s %d are in the room and %d parts run", what, len(in), len(r.running))
	}
	for id, x := range r.running {
		if x.paused != (len(active) < 2) {
			t.Fatalf("after %s %s is paused: %v, %d talk", what, id, x.paused, len(active))
		}
		if len(x.voices) != len(legs) {
			t.Fatalf("after %s %d voices of %d are on the record", what, len(x.voices), len(legs))
		}
		for _, v := range x.voices {
			if !v.Told || !legs[v.Leg] {
				t.Fatalf("after %s %+v is on the record, in the room are %v", what, v, legs)
			}
		}
	}
}

// balanceRooms compares what was recorded of each leg in rooms with the records of the calls: each names every second of
// it once.
func (k *books) balanceRooms(t *testing.T, r *roomReels) {
	t.Helper()
	type one struct {
		part string
		leg  tel.LegID
	}
	named := map[one]time.Duration{}
	for _, rec := range k.o.records {
		for _, p := range rec.Recordings {
			x := r.over[p.ID]
			if x == nil {
				continue // of a conversation
			}
			if p.To.IsZero() || p.Chain != x.Chain || len(p.Legs) != 1 {
				t.Errorf("the record names %+v of %+v", p, x.Part)
			}
			named[one{p.ID, p.Legs[0]}] += p.To.Sub(p.From)
		}
	}
	chains := map[string]int{}
	for id, x := range r.over {
		chains[x.Chain]++
		for leg, d := range x.there {
			if got := named[one{id, leg}]; got != d {
				t.Errorf("%s was on the record of %s for %v, the records of calls say %v", leg, id, d, got)
			}
			delete(named, one{id, leg})
		}
	}
	for o, d := range named {
		if d > 0 {
			t.Errorf("a record says that %s was on %s for %v, which was not so", o.leg, o.part, d)
		}
	}
	if len(r.running) > 0 {
		t.Errorf("%d parts run behind the end of every call", len(r.running))
	}
}

// Whatever is transferred into rooms, held, taken over by others and hung up in whatever order: while two are in
// a room all of them are on the record of one part, and the records of their calls name every second of it, once; what two
// say to each other outside of it is recorded as ever.
func TestWhateverHappensInRoomsEverySecondOfItIsOnTheRecordsOfTheCalls(t *testing.T) {
	rounds := uint64(100)
	if testing.Short() {
		rounds = 20
	}
	parts, crossed := 0, 0
	for seed := range rounds {
		o := &office{t: t}
		o.run(fmt.Sprint("seed ", seed), func(o *office) {
			t := o.t
			calls, rooms := newReels(always), &roomReels{running: map[string]*roomReel{}, over: map[string]*roomReel{}}
			o.recorder, o.rooms = calls, rooms
			spec := conference.Spec{Limit: 4, Tape: conference.TapeRule{Mode: conference.TapeAlways}}
			o.openHall(spec)
			defer o.hall.chair.Close()
			k := &books{o: o, r: calls, heard: map[string]time.Duration{}, random: rand.New(rand.NewPCG(seed, 5)), rooms: rooms}
			for range 60 {
				what := k.actInRoom()
				k.look(t, what)
				k.lookIntoRoom(t, rooms, what)
			}
			for _, l := range slices.Clone(o.all) {
				if !l.over() {
					l.hangsUp()
				}
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			o.hall.chair.Close()
			k.balance(t)
			k.balanceRooms(t, rooms)
			parts += len(rooms.over)
			for _, rec := range o.records {
				if len(rec.Recordings) > 1 && rooms.over[rec.Recordings[0].ID] == nil && rooms.over[rec.Recordings[len(rec.Recordings)-1].ID] != nil {
					crossed++
				}
			}
		})
	}
	if parts < int(rounds) || crossed == 0 {
		t.Errorf("%d parts of rooms in %d rounds, %d calls that came there out of a conversation: it proves little", parts, rounds, crossed)
	}
}

// actInRoom does something that phones do, often with the room.
func (k *books) actInRoom() string {
	o, r := k.o, k.random
	o.mu.Lock()
	live := slices.DeleteFunc(slices.Clone(o.all), (*fakeLeg).over)
	o.mu.Unlock()
	switch n := r.IntN(14); {
	case n == 0:
		o.dial("phone:"+fmt.Sprint(201+r.IntN(5)), "800")
		return "a phone dials the room"
	case n == 1:
		o.dial("trunk:tim", "800")
		return "a caller comes into the room"
	case n == 2 && len(live) > 0:
		live[r.IntN(len(live))].says(LegEvent{Kind: LegRefer, To: "800"})
		return "a transfer into the room"
	case n == 3 && len(live) > 0:
		live[r.IntN(len(live))].says(LegEvent{Kind: LegHeld, Held: r.IntN(2) == 0})
		return "a hold"
	case n == 4 && len(live) > 0:
		live[r.IntN(len(live))].hangsUp()
		return "a hang-up"
	default:
		return k.act(r.IntN(10))
	}
}
