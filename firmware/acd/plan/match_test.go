package plan

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// bigOffice has 500 agents, 100 queues of 25 members and 5,000 waiting callers, everybody busy. A rich
// one uses everything that the distribution knows: skills with timed relaxation, levels over time,
// weights, targets, sticky agents and every strategy.
func bigOffice(tb testing.TB, rich bool) (State, *rand.Rand) {
	r := rand.New(rand.NewPCG(1, 2))
	var agents []AgentSpec
	for i := range 500 {
		agents = append(agents, AgentSpec{ID: tel.AgentID(fmt.Sprintf("a%03d", i))})
		if rich {
			agents[i].Skills = someSkills(r)
		}
	}
	var queues []QueueSpec
	for i := range 100 {
		q := QueueSpec{ID: tel.QueueID(fmt.Sprintf("q%02d", i)), WrapUp: 5 * time.Second, MaxWait: time.Hour}.Defaults()
		q.Strategy = []Strategy{LongestIdle, RoundRobin, LongestIdle, LongestIdle}[i%4]
		for _, k := range r.Perm(500)[:25] {
			q.Members = append(q.Members, agents[k].ID)
		}
		if rich {
			q.Strategy = Strategies()[i%len(Strategies())]
			q.Distribution = richDistribution(r, q.Members)
		}
		queues = append(queues, q)
	}
	s, _ := Next(NewState(), Configure{queues, agents}, t0, 0)
	for i := range 5000 {
		q := queues[r.IntN(100)].ID
		s, _ = Next(s, Told{tel.Enqueue{Call: tel.CallID(fmt.Sprintf("c%05d", i)), Queue: q, EnqueuedAt: t0, Needs: richNeeds(r, rich), Caller: caller(i)}}, t0.Add(time.Duration(i)*time.Millisecond), 0)
	}
	for _, a := range agents {
		s, _ = Next(s, Told{tel.AgentReachable{Agent: a.ID, Reachable: true}}, t0.Add(6*time.Second), 0)
		s, _ = Next(s, Login{a.ID}, t0.Add(6*time.Second), 0)
	}
	if len(s.Entries) != 5000 || len(s.Offers) < 300 {
		tb.Fatalf("%d waiting, %d offers", len(s.Entries), len(s.Offers))
	}
	return s, r
}

func caller(i int) tel.Number { return tel.Number(fmt.Sprintf("02%07d", i%20000)) }

// richNeeds is a language that every third caller asks for.
func richNeeds(r *rand.Rand, rich bool) []tel.Need {
	if !rich || r.IntN(3) > 0 {
		return nil
	}
	return []tel.Need{{Skill: languages[r.IntN(3)], Level: 1 + r.IntN(MaxSkill)}}
}

func richDistribution(r *rand.Rand, members []tel.AgentID) Distribution {
	d := Distribution{
		Target: time.Duration(1+r.IntN(6)) * 10 * time.Second, Weight: 1 + r.IntN(4), Grades: map[tel.AgentID]Grade{},
		Levels:      []LevelRule{{UpTo: 0}, {After: 30 * time.Second, UpTo: 1}, {After: time.Minute, UpTo: 2}},
		Relax:       []Relax{{After: 20 * time.Second, Level: 6}, {After: 40 * time.Second, Level: 3}, {After: 2 * time.Minute, Level: 0}},
		BestSkilled: r.IntN(2) == 0, LevelsAbove: 2, Sticky: 24 * time.Hour, StickyWait: 20 * time.Second,
	}
	for _, m := range members {
		d.Grades[m] = Grade{Level: r.IntN(3), Weight: 1 + r.IntN(5)}
	}
	return d
}

// BenchmarkDecision runs a full office: answers, ends, wrap-ups, declines, hang-ups and arrivals,
// and prints the 99th percentile of one decision and the slowest one with the effects that it had. The
// office has everybody log in at once, so the slowest ones are those in which hundreds of rings or leases
// end in one instant: hundreds of decisions in one.
func BenchmarkDecision(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchDecision(b, false, false) })
	b.Run("skills and levels", func(b *testing.B) { benchDecision(b, true, false) })
	b.Run("places announced", func(b *testing.B) { benchDecision(b, false, true) })
}

func benchDecision(b *testing.B, rich, announced bool) {
	s, r := bigOffice(b, rich)
	if announced { // every change of a place is told to everybody behind it, as soon as the gap allows
		for _, q := range s.queues {
			q.Spec.Waiting.Announce = AnnounceSpec{Position: true, Every: 30 * time.Second, Head: true}
		}
		for _, e := range s.Entries {
			e.Greeted = true
		}
		s.reindex()
	}
	now := t0.Add(10 * time.Second)
	calls := 5000
	offers := sorted(s.Offers)
	took, spent := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
	slowest, effects := time.Duration(0), 0
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		now = now.Add(time.Duration(r.IntN(40)) * time.Millisecond)
		var e Event = Tick{}
		i := 0
		if len(offers) > 0 {
			i = r.IntN(len(offers))
		}
		switch o := s.Offers[offers[i]]; {
		case o == nil:
			offers = slices.Delete(offers, i, i+1)
		case o.Phase == Talking:
			e = Told{tel.TalkEnded{Offer: o.ID}}
		case o.Phase == Void:
		case r.IntN(4) == 0:
			e = Told{tel.OfferFailed{Offer: o.ID, Cause: tel.CauseRejected}}
		default:
			e = Told{tel.OfferAnswered{Offer: o.ID}}
		}
		if len(s.Entries) < 5000 {
			calls++
			e = Told{tel.Enqueue{Call: tel.CallID(fmt.Sprintf("c%05d", calls)), Queue: tel.QueueID(fmt.Sprintf("q%02d", r.IntN(100))), EnqueuedAt: now, Needs: richNeeds(r, rich), Caller: caller(calls)}}
		}
		start, busy := time.Now(), processor(b)
		var out []Effect
		s, out = Next(s, e, now, 0)
		took, spent = append(took, time.Since(start)), append(spent, processor(b)-busy)
		if d := spent[len(spent)-1]; d > slowest {
			slowest, effects = d, len(out)
		}
		for _, x := range out {
			if send, ok := x.(Send); ok {
				if m, ok := send.Message.(tel.Offer); ok {
					offers = append(offers, m.Offer)
				}
			}
		}
	}
	b.StopTimer()
	slices.Sort(took)
	slices.Sort(spent)
	b.ReportMetric(float64(spent[len(spent)*99/100].Microseconds()), "p99-cpu-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
	b.ReportMetric(float64(slowest.Microseconds()), "max-cpu-µs")
	b.ReportMetric(float64(effects), "its-effects")
	b.ReportMetric(float64(len(s.Entries)), "waiting")
	b.ReportMetric(float64(s.nfree), "free")
}

// processor is the time that this thread has spent on a processor: unlike the clock on the wall it does
// not count what other programs of the machine did meanwhile.
func processor(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// BenchmarkOneEntity is the cost of one incremental snapshot record.
func BenchmarkOneEntity(b *testing.B) {
	s, _ := bigOffice(b, false)
	k := s.Keys()[150]
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Entity(k); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	o := NewState()
	b, _ := o.Snapshot()
	f.Add(b)
	f.Add([]byte(`{"v":1,"offers":[{"id":"o1","phase":"ringing","agent":"a"}],"agents":[{"spec":{"id":"a"},"offer":"o1"}]}`))
	f.Add([]byte(`{"v":1,"queues":[{"spec":{"id":"q","members":["ghost","ghost"],"strategy":"round_robin","ring":-5}}],"entries":[{"call":"c","queue":"q"}]}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Restore(b)
		if err != nil {
			return
		}
		// Whatever was read, running on must not panic, and a valid configuration makes it whole.
		spec := QueueSpec{ID: "q", Members: []tel.AgentID{"a"}}.Defaults()
		now := t0
		for _, e := range []Event{
			Configure{[]QueueSpec{spec}, []AgentSpec{{ID: "a"}}},
			Reconcile{},
			Told{tel.AgentReachable{Agent: "a", Reachable: true}},
			Login{"a"},
			Told{tel.Enqueue{Call: "new", Queue: "q"}},
			Tick{},
		} {
			s, _ = Next(s, e, now, 1)
			now = now.Add(time.Minute)
		}
		if _, err := s.Snapshot(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestASnapshotOfANewerVersionIsRefused(t *testing.T) {
	if _, err := Restore([]byte(`{"v":99}`)); err == nil {
		t.Fatal("accepted")
	}
	_, errs := RestoreEntities(map[string][]byte{"agent/a": []byte(`{"v":2}`), "queue/q": []byte(`{`)})
	if len(errs) != 2 {
		t.Fatalf("%d errors, want one for each record", len(errs))
	}
}

func TestAKillBetweenTwoRecordsLeavesNoContradiction(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.call("c1", "q")
	o.call("c2", "q")
	kept := func() map[string][]byte {
		m := map[string][]byte{}
		for _, k := range o.s.Keys() {
			m[k.String()], _, _ = o.s.Entity(k)
		}
		return m
	}
	before := kept()
	o.tell(tel.OfferAnswered{Offer: o.one().Offer})
	after := kept()
	keys := append([]Key{}, o.s.Touched()...)
	for n := range 1 << len(keys) { // any subset of the records was written
		m := map[string][]byte{}
		for k, v := range before {
			m[k] = v
		}
		for i, k := range keys {
			if n&(1<<i) == 0 {
				continue
			}
			if v, ok := after[k.String()]; ok {
				m[k.String()] = v
			} else {
				delete(m, k.String())
			}
		}
		s, errs := RestoreEntities(m)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		w := &world{t: t, s: s, now: o.now, shown: map[tel.AgentID]tel.AgentState{}}
		for id, a := range s.Agents {
			w.shown[id] = a.State()
		}
		w.checkReferences()
	}
}

func TestEveryEventReadsBackWhatItWrote(t *testing.T) {
	for _, e := range []Event{
		Told{tel.CallerGone{Call: "c", Cause: tel.CauseBusy}},
		Pause{"a", "break"},
		ExtendWrapUp{"a", time.Second},
		ClockMoved{-time.Hour},
		Reconcile{Live: []tel.CallID{"x"}},
		Logout{"a"},
		SetZone{"Europe/Rome"},
		Drain{time.Minute},
		Told{tel.Enqueue{Call: "c", Queue: "q", Needs: anEnglish5, EnqueuedAt: t0}},
		Resume{"a"},
		FinishWrapUp{"a"},
		Tick{},
		Told{tel.AgentHeld{Agent: "a", Call: "c", Held: true}},
		Told{tel.AgentEngaged{Agent: "a", Call: "c", Outbound: true}},
		Help{"a", true},
		Serve{"a", []tel.QueueID{"q"}},
		EnterQueue{"a", "q"},
		LeaveQueue{"a", "q", "mail"},
		Shift{"a", t0},
		ForcePause{"a", "meeting", "carla"},
		ForceLogout{"a", "carla"},
		AddMember{"a", "q", "carla"},
		RemoveMember{"a", "q", "carla"},
		Move{"c", "q", "carla"},
		SetSkills{"a", map[string]int{"german": 7}, "carla"},
		Assign{"c", "a", "carla"},
		Told{tel.CallerKey{Call: "c", Key: '#'}},
		Told{tel.CallerGreeted{Call: "c"}},
		Told{tel.CallerNamed{Call: "c", Caller: "0212345678", Name: "Rossi"}},
		Told{tel.Announced{Call: "c"}},
		Told{tel.OfferAccepted{Offer: "o"}},
		Told{tel.OfferSettled{Offer: "o"}},
		Told{tel.WantCallback{Call: "c", Number: "+393331234567"}},
		Told{tel.CallbackMissed{Offer: "o", Cause: tel.CauseBusy}},
		Hours{"q", true},
		Recall{Callbacks: []tel.CallbackChanged{{Callback: "cb", Number: "+393331234567", Asked: t0}}},
		DropCallback{"cb"},
		Erase{[]Alias{{"+393331234567", "#*0000000001"}}},
	} {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeEvent(e.Kind(), b)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
			t.Fatalf("%s: got %v, %v", e.Kind(), got, err)
		}
	}
	if _, err := DecodeEvent("no_such", nil); err == nil {
		t.Fatal("an unknown event was accepted")
	}
}
