package slot

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

func clone(s State) State {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var c State
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	return c
}

// world is a box on which the machine's effects are done, and that loses power when it likes.
type world struct {
	draw  *rand.Rand
	now   time.Time
	s     State // in memory
	kept  State // on the disk
	facts Facts
	holds map[int]string // slot -> version that would start; "": none would
	work  Effect         // what the owner is at; "": nothing
	calm  bool           // nothing fails any more
	tried map[string]int // version and issue -> trials
	bad   string         // the version that is never fit
	err   error
	trace []string
}

func newWorld(seed uint64) *world {
	return &world{
		draw: rand.New(rand.NewPCG(seed, 7)), now: noon, facts: inA, holds: map[int]string{SlotA: "1.0.0", SlotB: ""},
		tried: map[string]int{}, bad: []string{"", "2.0.0"}[seed%2],
	}
}

func (w *world) wrong(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *world) tell(e Event) {
	if w.err != nil {
		return
	}
	w.trace = append(w.trace, fmt.Sprintf("%T%+v", e, e))
	was := clone(w.s)
	s, effects := Next(w.s, e)
	if !reflect.DeepEqual(clone(s), clone(clone(s))) {
		w.wrong("%+v does not come back", s)
	}
	if s.Epoch < was.Epoch || s.Epoch > was.Epoch && s.Phase != Kept {
		w.wrong("the epoch became %d in phase %s", s.Epoch, s.Phase)
	}
	if was.Last != nil && !was.Last.Seen && s.Last == nil {
		w.wrong("a reason was lost unseen")
	}
	w.s, w.kept = s, clone(s)
	for _, x := range effects {
		if !w.calm && w.draw.IntN(12) == 0 {
			w.cut() // between two effects
			return
		}
		w.do(x)
	}
}

func (w *world) do(x Effect) {
	s := w.s
	into := func() {
		if s.Slot == w.facts.Running {
			w.wrong("%s in the slot that runs", x)
		}
	}
	switch x {
	case Stop:
		w.work = ""
	case Discard:
	case Invalidate:
		into()
		w.holds[s.Slot] = ""
	case Write:
		into()
		w.holds[s.Slot] = ""
		w.work = x
	case Check:
		into()
		w.work = x
	case Fetch, Examine:
		w.work = x
	case Try:
		into()
		if w.holds[s.Slot] != s.Want.Version {
			w.wrong("%q would be started for %s", w.holds[s.Slot], s.Want.Version)
			return
		}
		if _, barred := s.Against(s.Want); barred {
			w.wrong("%s is barred", s.Want.Version)
		}
		if !w.calm && w.draw.IntN(4) == 0 {
			w.tell(Failed{CodeSlots, "no answer", w.now})
			return
		}
		if !w.calm && w.draw.IntN(4) == 0 {
			w.tell(Disturbed{})
			return
		}
		w.tried[s.Want.Version+s.Want.Issue]++
		w.facts.Last = Trial{s.Want.Version, s.Slot, w.now, TrialAsked, "", ""}
		if !w.calm && w.draw.IntN(4) == 0 {
			w.boot(w.facts.Running, false) // the cut came before the restart
			return
		}
		w.boot(s.Slot, true)
	case Keep:
		if !w.facts.Trying || s.Verdict != nil {
			w.wrong("kept what is not on trial, or was given up")
		}
		if s.Want.Version == w.bad {
			w.wrong("kept what is unfit")
		}
		if !w.calm && w.draw.IntN(4) == 0 {
			w.tell(Unchanged{"the sector"})
			return
		}
		w.facts.Trying, w.facts.Chosen, w.facts.Last.Outcome = false, w.facts.Running, TrialKept
		if !w.calm && w.draw.IntN(4) == 0 {
			w.boot(w.facts.Running, false)
			return
		}
		w.tell(Committed{w.now})
	case Return:
		if s.Verdict == nil {
			w.wrong("the way back has no reason")
		}
		w.facts.Last.Outcome, w.facts.Last.Why = TrialBack, s.Verdict.Code
		w.boot(w.facts.Other(), false)
	}
}

// boot starts a slot, and the program in it.
func (w *world) boot(slot int, trying bool) {
	w.facts.Running, w.facts.Trying, w.work = slot, trying, ""
	if w.holds[slot] == "" {
		w.wrong("slot %d does not start", slot)
		return
	}
	w.now = w.now.Add(time.Minute)
	w.s = clone(w.kept)
	w.tell(Started{w.facts, w.now})
}

// cut is a loss of power, or a kill of the program alone, which the slots do not notice.
func (w *world) cut() {
	if w.draw.IntN(2) == 0 {
		w.s, w.work = clone(w.kept), ""
		w.tell(Started{w.facts, w.now})
		return
	}
	if w.draw.IntN(10) == 0 {
		w.kept = State{Epoch: w.kept.Epoch, Last: w.kept.Last} // it was unreadable; these two are remembered twice
	}
	if w.facts.Trying {
		w.boot(w.facts.Other(), false)
		return
	}
	w.boot(w.facts.Running, false)
}

// step lets one thing happen.
func (w *world) step() {
	w.now = w.now.Add(time.Minute)
	if w.calm {
		w.on()
		return
	}
	switch w.draw.IntN(14) {
	case 0:
		w.cut()
	case 1:
		w.tell(Withdrawn{w.now})
	case 2:
		r := []Release{two, three}[w.draw.IntN(2)]
		r.Asked = w.draw.IntN(4) == 0
		w.offer(r)
	case 3:
		w.tell(Seen{})
	case 4:
		if w.work != "" && w.work != Examine {
			w.work = ""
			w.tell(Failed{[]Code{CodeNetwork, CodeHash, CodeFull, CodeDiffers, CodeLarge}[w.draw.IntN(5)], "x", w.now})
		}
	default:
		w.on()
	}
}

func (w *world) offer(r Release) {
	if r.Version == w.holds[w.facts.Running] {
		return // the owner offers nothing that runs
	}
	if _, barred := w.s.Against(r); barred && r.Asked {
		w.tried[r.Version+r.Issue] = 0
	}
	w.tell(Offered{r, w.facts})
}

// on ends what the owner is at, as it should.
func (w *world) on() {
	x := w.work
	w.work = ""
	switch {
	case x == Fetch:
		w.tell(Fetched{})
	case x == Write:
		w.tell(Written{[]byte{1}})
	case x == Check:
		w.holds[w.s.Slot] = w.s.Want.Version
		w.tell(Checked{})
	case x == Examine:
		w.tell(Judged{w.s.Want.Version != w.bad, "fit_call", "x"})
	case !w.s.Retry.IsZero():
		w.tell(Again{})
	case w.s.Phase == Waiting:
		w.tell(Quiet{})
	case w.calm && !w.s.Busy():
		w.offer(three)
	}
}

// Whatever fails and whenever the power goes: nothing is written into what runs, nothing unproved or barred is
// started, nothing unfit is kept; and when nothing fails any more the box comes to the newest release.
func TestNoOrderOfEventsHarmsABox(t *testing.T) {
	trials, kept := 0, 0
	for seed := range uint64(250) {
		w := newWorld(seed)
		w.tell(Started{w.facts, w.now})
		for range 120 {
			w.step()
		}
		w.calm = true
		for range 60 {
			w.step()
		}
		barred := slices.ContainsFunc(w.s.Barred, func(b Bar) bool { return b.Version == three.Version })
		if !barred && w.holds[w.facts.Running] != three.Version {
			w.wrong("it never came to the newest: %+v, %v", w.s, w.holds)
		}
		if w.err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, w.err, w.trace[max(0, len(w.trace)-12):])
		}
		for _, n := range w.tried {
			trials += n
		}
		if w.s.Last != nil && w.s.Last.Result == Kept {
			kept++
		}
	}
	if trials < 250 || kept < 80 {
		t.Errorf("%d trials and %d kept prove little", trials, kept)
	}
	t.Logf("250 boxes: %d trials, %d ended with a release that was kept", trials, kept)
}

func FuzzNext(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, seed uint64, bytes []byte) {
		w := newWorld(seed)
		w.tell(Started{w.facts, w.now})
		for _, b := range bytes[:min(len(bytes), 300)] {
			w.draw = rand.New(rand.NewPCG(uint64(b), seed))
			w.step()
		}
		if w.err != nil {
			t.Fatal(w.err)
		}
	})
}

func FuzzStateOfAnyContentGoesOn(f *testing.F) {
	text, _ := json.Marshal(at(Trying))
	f.Add(text, 2, true)
	f.Fuzz(func(t *testing.T, text []byte, running int, trying bool) {
		var s State
		if json.Unmarshal(text, &s) != nil {
			return
		}
		facts := Facts{Running: SlotA + running&1, Trying: trying}
		s, effects := Next(s, Started{facts, noon})
		if (slices.Contains(effects, Write) || slices.Contains(effects, Invalidate)) && s.Slot == facts.Running {
			t.Fatalf("%+v writes into what runs", s)
		}
	})
}
