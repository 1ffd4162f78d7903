package setup

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/view"
)

var t0 = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

// after is a state after events.
func after(t *testing.T, events ...any) State {
	t.Helper()
	var s State
	for i, e := range events {
		s, _ = Next(s, e, t0.Add(time.Duration(i)*time.Minute))
	}
	return s
}

// all is one event for every step.
func all(make func(Step) any) (events []any) {
	for _, s := range Steps() {
		events = append(events, make(s))
	}
	return events
}

func proved(s Step) any { return Proved{Step: s, By: "anna"} }
func missed(s Step) any { return Missed{Step: s, By: "anna", Sentence: "setup.no"} }
func left(s Step) any   { return Left{Step: s, By: "anna"} }

func TestWhereTheSetUpGoesOn(t *testing.T) {
	for name, x := range map[string]struct {
		events []any
		here   Step
		open   bool
	}{
		"it begins with the first step":              {nil, Welcome, true},
		"then the second":                            {[]any{proved(Welcome)}, You, true},
		"a step may be left out":                     {[]any{proved(Welcome), left(You)}, Place, true},
		"who jumps ahead comes back to the hole":     {[]any{proved(Lines)}, Welcome, true},
		"a failure is no reason to stay":             {[]any{proved(Welcome), missed(You)}, Place, true},
		"later is later":                             {[]any{proved(Welcome), Later{}}, You, false},
		"who goes on has not put it off any more":    {[]any{Later{}, proved(Welcome)}, You, true},
		"after the last one there is the last one":   {all(proved), GoLive, true},
		"at its end it waits for nobody":             {append(all(proved), Finish{}), GoLive, false},
		"without the kit there is no end":            {append(all(left), Finish{}), GoLive, true},
		"an end in spite of everything but the kit":  {append(append(all(missed), proved(Safety)), Finish{}), GoLive, false},
		"a step that there is not changes nothing":   {[]any{proved("moon"), missed("moon"), left("moon")}, Welcome, true},
		"what is said is no step":                    {[]any{Told{Mobile: "+393331112222"}}, Welcome, true},
		"something that is no event changes nothing": {[]any{"hello"}, Welcome, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := after(t, x.events...)
			if s.Here() != x.here || s.Open() != x.open {
				t.Errorf("%s, open %v; want %s, %v", s.Here(), s.Open(), x.here, x.open)
			}
		})
	}
}

func TestWhatIsOwed(t *testing.T) {
	ids := func(s State) (all []string) {
		for _, d := range s.Debts() {
			all = append(all, d.ID)
		}
		return all
	}
	if got := after(t, all(proved)...); len(got.Debts()) != 0 {
		t.Errorf("of a whole set-up: %v", ids(got))
	}
	if got := ids(after(t, all(missed)...)); len(got) != len(Steps())-1 {
		t.Errorf("where everything fails: %v", got)
	}
	s := after(t, append(all(proved), missed(LineTest))...)
	if got := s.Debts(); len(got) != 1 || got[0] != (view.Todo{ID: "setup.linetest", Link: "/setup/7", Severity: view.TodoError}) {
		t.Errorf("a test that fails after it was good: %v", got)
	}
	if s.Marks[LineTest].Sentence != "setup.no" {
		t.Errorf("why: %+v", s.Marks[LineTest])
	}
	if s := after(t, proved(Lines), left(Lines)); s.Marks[Lines].How != Done {
		t.Error("going on without a step that is done makes it undone")
	}
}

// In whatever order people take the steps, and wherever the program is killed: nothing that was kept is lost, only
// the box's own eyes make a step done, and there is no end without the kit.
func TestEveryOrderOfStepsKeepsItsWord(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	for range 2000 {
		var kept []byte
		save := func(s State) (err error) { kept, err = json.Marshal(s); return err }
		s := New(save, State{}, true)
		seen := map[Step]How{}
		for range 60 {
			step := Steps()[r.IntN(len(Steps()))]
			switch r.IntN(7) {
			case 0, 1:
				tell(t, s, Proved{Step: step, By: "anna"})
				seen[step] = Done
			case 2:
				tell(t, s, Missed{Step: step, Sentence: "setup.no"})
				seen[step] = Failed
			case 3:
				tell(t, s, Left{Step: step})
				if seen[step] == "" {
					seen[step] = Skipped
				}
			case 4:
				tell(t, s, Later{})
			case 5:
				sentence := tell(t, s, Finish{})
				if (sentence == "") != (seen[Safety] == Done) {
					t.Fatalf("the end with the kit %q: %q", seen[Safety], sentence)
				}
			case 6: // the program is killed
				var again State
				if kept != nil {
					if err := json.Unmarshal(kept, &again); err != nil {
						t.Fatal(err)
					}
				}
				if !maps.Equal(again.Marks, s.State().Marks) || !again.Finished.Equal(s.State().Finished) || again.PutOff != s.State().PutOff {
					t.Fatalf("kept %+v, was %+v", again, s.State())
				}
				s = New(save, again, true)
			}
			now := s.State()
			for x, how := range seen {
				if now.Marks[x].How != how {
					t.Fatalf("%s is %q, want %q", x, now.Marks[x].How, how)
				}
			}
			if !now.Finished.IsZero() && now.Open() {
				t.Fatal("finished and open")
			}
		}
	}
}

func tell(t *testing.T, s *Setup, event any) string {
	t.Helper()
	sentence, err := s.Tell(event, t0)
	if err != nil {
		t.Fatal(err)
	}
	return sentence
}

func TestAFullDiskChangesNothing(t *testing.T) {
	full := errors.New("no space left on device")
	s := New(func(State) error { return full }, State{}, true)
	if _, err := s.Tell(Proved{Step: Lines}, t0); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if s.State().Marks[Lines].How != "" {
		t.Error("it is done all the same")
	}
}

func TestABoxThatWasSetUpByHandIsLeftAlone(t *testing.T) {
	keep := func(State) error { return nil }
	s := New(keep, State{}, false)
	if s.Waits() || len(s.Debts()) != 0 {
		t.Errorf("waits %v, owes %v", s.Waits(), s.Debts())
	}
	tell(t, s, Proved{Step: Network})
	if !s.Waits() || len(s.Debts()) == 0 {
		t.Error("whoever begins a set-up goes on with it")
	}
	if again := New(keep, s.State(), false); !again.Waits() {
		t.Error("after a restart it is forgotten")
	}
}

func TestAStepIsOwedFromTheEndOfTheSetUpUntilItWorks(t *testing.T) {
	s := New(func(State) error { return nil }, State{}, true)
	for _, x := range []struct {
		event any
		want  bool
	}{{nil, false}, {Left{Step: Lines}, false}, {Missed{Step: Lines}, false}, {Proved{Step: Safety}, false}, {Finish{}, true}, {Proved{Step: Lines}, false}} {
		if x.event != nil {
			tell(t, s, x.event)
		}
		if s.Owes(Lines) != x.want {
			t.Errorf("after %#v it is owed: %v", x.event, !x.want)
		}
	}
}

func TestNumbersNameSteps(t *testing.T) {
	for i, s := range Steps() {
		if at, ok := At(i + 1); !ok || at != s || Number(s) != i+1 {
			t.Errorf("%s is %d, %d is %s", s, Number(s), i+1, at)
		}
	}
	for _, n := range []int{-1, 0, len(Steps()) + 1} {
		if at, ok := At(n); ok {
			t.Errorf("%d is %s", n, at)
		}
	}
	if After(GoLive) != GoLive || After(Welcome) != You {
		t.Error("what comes after")
	}
}
