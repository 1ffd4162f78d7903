package conference

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ears is what the calls and the mixer were told, by which the machine is judged from outside.
type ears struct {
	seated map[tel.CallID]bool
	music  map[tel.CallID]bool
	mixed  map[tel.LegID]bool // heard or not
}

func (e *ears) take(t *testing.T, out []Effect) {
	t.Helper()
	for _, x := range out {
		switch x := x.(type) {
		case Mix:
			e.mixed = map[tel.LegID]bool{}
			for _, v := range x.Voices {
				if _, twice := e.mixed[v.Leg]; twice {
					t.Fatalf("leg %s is mixed twice", v.Leg)
				}
				e.mixed[v.Leg] = v.Heard
			}
		case Tell:
			switch m := x.Message.(type) {
			case tel.Seated:
				e.seated[m.Call] = true
			case tel.SeatRefused:
				if e.seated[m.Call] {
					t.Fatalf("%s has a seat and is refused", m.Call)
				}
			case tel.SeatEnded:
				if !e.seated[m.Call] {
					t.Fatalf("%s had no seat to lose", m.Call)
				}
				delete(e.seated, m.Call)
				delete(e.music, m.Call)
			case tel.ConferenceSays:
				if !e.seated[m.Call] && !m.Loop {
					t.Fatalf("%s is told %v before it has a seat", m.Call, m.Names)
				}
				switch {
				case m.Loop:
					e.music[m.Call] = true
				case len(m.Names) == 0:
					delete(e.music, m.Call)
				}
			}
		}
	}
}

// judge holds the promises of a room after any input.
func (e *ears) judge(t *testing.T, s *State) {
	t.Helper()
	present := 0
	for i := range s.Members {
		m := &s.Members[i]
		if !e.seated[m.Call] && !m.Away {
			t.Fatalf("%s is a member without having been told", m.Call)
		}
		if m.Away {
			continue
		}
		present++
		heard, there := e.mixed[m.Leg]
		if !there {
			t.Fatalf("%s is not mixed", m.Call)
		}
		if want := !m.Muted && !m.Held && (!s.Spec.Await || s.Opened); heard != want {
			t.Fatalf("%s heard: %v, want %v (%+v)", m.Call, heard, want, m)
		}
		if want := !s.Spec.NoMusic && !m.Held && (len(s.Members) == 1 || s.Spec.Await && !s.Opened); e.music[m.Call] != want && !m.Held {
			t.Fatalf("%s hears music: %v, want %v", m.Call, e.music[m.Call], want)
		}
	}
	if len(e.mixed) != present {
		t.Fatalf("%d are mixed, %d are there", len(e.mixed), present)
	}
	for call := range e.seated {
		if s.member(call) == nil {
			t.Fatalf("%s believes that it has a seat", call)
		}
	}
	if len(s.Members) > MaxParties {
		t.Fatalf("%d members", len(s.Members))
	}
	if len(s.Members) == 0 && (s.Locked || s.Opened || !s.Since.IsZero()) {
		t.Fatalf("an empty room remembers: %+v", s)
	}
}

func TestNoOrderOfEventsLeavesAMemberUnheardUnaskedOrInARoomThatDoesNotKnowIt(t *testing.T) {
	rounds := 800
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		spec := func() Spec {
			b := func() bool { return r.IntN(2) == 0 }
			return Spec{ID: "hall", Limit: 2 + r.IntN(5), Await: b(), EndAfter: b(), Tones: b(), Silent: b(), NoMusic: b()}
		}
		s, e := State{Spec: spec()}, ears{map[tel.CallID]bool{}, map[tel.CallID]bool{}, map[tel.LegID]bool{}}
		now := noon
		for step := range 60 {
			now = now.Add(time.Second)
			call := tel.CallID(rune('a' + r.IntN(7)))
			before := s.Members
			kept := append([]Member(nil), before...)
			var in any
			switch r.IntN(12) {
			case 0, 1, 2, 3:
				x := tel.EnterConference{Call: call, Leg: tel.LegID(fmt.Sprint(call, r.IntN(2))), Leader: r.IntN(3) == 0}
				if was := s.member(call); was != nil && was.Leg != x.Leg {
					delete(e.music, call) // another leg hears nothing yet
				}
				in = x
			case 4, 5:
				in = gone(call)
				delete(e.seated, call)
				delete(e.music, call)
			case 6:
				in = holds(call, r.IntN(2) == 0)
				if h := in.(tel.ConferenceHeld); h.Held && s.member(call) != nil {
					delete(e.music, call)
				}
			case 7, 8, 9:
				in = tel.ConferenceKey{Call: call, Key: rune("*6*1*3*5*0#*9"[r.IntN(13)])}
			case 10:
				in = Order{Wishes()[r.IntN(len(Wishes()))], call}
			case 11:
				switch r.IntN(3) {
				case 0:
					next := spec()
					in = Configured{&next}
				case 1:
					in = Returned{}
				default: // the process is killed: some calls do not come back
					b, err := s.Snapshot()
					if err != nil {
						t.Fatal(err)
					}
					if s, err = Restore(b); err != nil {
						t.Fatal(err)
					}
					e.mixed, e.music = map[tel.LegID]bool{}, map[tel.CallID]bool{}
					all := append([]Member(nil), s.Members...)
					for _, m := range all {
						if r.IntN(3) == 0 {
							delete(e.seated, m.Call)
							continue
						}
						var out []Effect
						s, out = Next(s, tel.EnterConference{Call: m.Call, Leg: m.Leg, Again: true}, now)
						e.take(t, out)
						s, out = Next(s, holds(m.Call, m.Held), now)
						e.take(t, out)
					}
					in = Returned{}
				}
			}
			var out []Effect
			s, out = Next(s, in, now)
			if !reflect.DeepEqual(before, kept) {
				t.Fatalf("seed %d, step %d: %+v changed the state that it was given", seed, step, in)
			}
			e.take(t, out)
			e.judge(t, &s)
		}
	}
}

func FuzzRestoreTakesNothingThatIsNoRoom(f *testing.F) {
	s := State{Spec: Spec{ID: "hall", Limit: 3}}
	s, _ = Next(s, leads("l"), noon)
	b, err := s.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"v":1,"spec":{"id":"x","limit":-1},"members":[{"call":"a"},{"call":"a"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Restore(b)
		if err != nil {
			return
		}
		e := ears{map[tel.CallID]bool{}, map[tel.CallID]bool{}, map[tel.LegID]bool{}}
		var out []Effect
		for _, m := range s.Members {
			if m.Leg != "" {
				s, out = Next(s, tel.EnterConference{Call: m.Call, Leg: tel.LegID("of " + m.Call), Again: true}, noon)
				e.take(t, out)
			}
		}
		s, out = Next(s, Returned{}, noon)
		e.take(t, out)
		for _, m := range s.Members {
			if m.Away {
				t.Errorf("%s is away for ever", m.Call)
			}
		}
	})
}

func TestWhoGuessesCodesIsKeptOutForLongerAndLonger(t *testing.T) {
	var g Guard
	now := noon
	for i, until := range []time.Duration{0, 0, time.Minute, 2 * time.Minute, 4 * time.Minute} {
		g.Wrong("333", now)
		if got := g.Closed("333", now); got != (until > 0) {
			t.Errorf("%d wrong codes: closed %v", i+1, got)
		}
		if until > 0 && (!g.Closed("333", now.Add(until-1)) || g.Closed("333", now.Add(until))) {
			t.Errorf("%d wrong codes: not closed for %v: %+v", i+1, until, g.Guessers["333"])
		}
		now = now.Add(until)
	}
	if g.Closed("334", now) {
		t.Error("another caller pays for it")
	}
	for range 20 {
		g.Wrong("333", now)
	}
	if got := g.Guessers["333"].Until.Sub(now); got != time.Hour {
		t.Errorf("the longest pause is %v", got)
	}
	b, err := g.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = RestoreGuard(b); err != nil || !g.Closed("333", now) {
		t.Errorf("a restart opens the door: %v", err)
	}
	g.Right("333")
	if g.Closed("333", now) {
		t.Error("who knows the code is still kept out")
	}
	for i := range 3 * maxGuessers {
		g.Wrong(fmt.Sprint(i), now.Add(time.Duration(i)*time.Second))
	}
	if len(g.Guessers) > maxGuessers || g.Guessers[fmt.Sprint(3*maxGuessers-1)].Tries != 1 {
		t.Errorf("%d guessers are remembered, the last %+v", len(g.Guessers), g.Guessers[fmt.Sprint(3*maxGuessers-1)])
	}
	g.Wrong("late", now.Add(3*memory))
	if len(g.Guessers) != 1 {
		t.Errorf("days later %d are remembered", len(g.Guessers))
	}
	for _, bad := range []string{"", "{}", `{"v":9}`} {
		if _, err := RestoreGuard([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
