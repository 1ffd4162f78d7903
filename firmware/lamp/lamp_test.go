package lamp

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// looks are the patterns by name: those of the states, the alarm, the one of who is supervised and the one of a lamp that is looked for.
func looks() map[string]Pattern {
	all := map[string]Pattern{"alarm": AlarmPattern(255), "help": HelpPattern(255), "watched": WatchedPattern(255), "find": FindPattern(255)}
	for _, s := range tel.AgentStates() {
		all[s.String()] = PatternFor(s, 255)
	}
	return all
}

// sequence is what an eye that sees no colour and no brightness sees, frame by frame.
func sequence(p Pattern, from, length time.Duration) []bool {
	var seq []bool
	for t := from; t < from+length; t += Frame {
		l, _ := p.At(t)
		seq = append(seq, l.Brightness > 0)
	}
	return seq
}

func TestThePatternAloneNamesTheState(t *testing.T) {
	// Whenever the eye begins to look: every phase of one state against every phase of the other.
	const look = 10 * time.Second
	patterns := looks()
	names := slices.Sorted(maps.Keys(patterns))
	if len(names) != 15 {
		t.Fatalf("%d patterns, they were designed for 11 states, the call for help, supervision, the alarm and a lamp that is looked for", len(names))
	}
	for i, a := range names {
		whole := sequence(patterns[a], 0, look+patterns[a].Period())
		for _, b := range names[i+1:] {
			other := sequence(patterns[b], 0, look+patterns[b].Period())
			n := int(look / Frame)
			for x := 0; x+n <= len(whole); x++ {
				for y := 0; y+n <= len(other); y++ {
					if slices.Equal(whole[x:x+n], other[y:y+n]) {
						t.Fatalf("%v from frame %d looks like %v from frame %d", a, x, b, y)
					}
				}
			}
		}
	}
}

func TestNothingBlinksFasterThanTwoAndAHalfTimesASecond(t *testing.T) {
	for s, pattern := range looks() {
		last, lit := -time.Hour, true
		for i, on := range sequence(pattern, 0, 20*time.Second) {
			at := time.Duration(i) * Frame
			if on && !lit {
				if at-last < 400*time.Millisecond {
					t.Errorf("%v turns on %v after it last did", s, at-last)
				}
				last = at
			}
			lit = on
		}
		for _, step := range pattern {
			if step.For%Frame != 0 || step.For < 2*Frame {
				t.Errorf("%v has a step of %v", s, step.For)
			}
		}
	}
}

func TestThePatternsAreThoseOfTheStateTable(t *testing.T) {
	for _, c := range []struct {
		state   tel.AgentState
		period  time.Duration
		flashes int // per period
		lit     time.Duration
	}{
		{tel.AgentReady, 4 * time.Second, 1, 60 * time.Millisecond},
		{tel.AgentRinging, 500 * time.Millisecond, 1, 260 * time.Millisecond},
		{tel.AgentWrapUp, 2 * time.Second, 1, time.Second},
		{tel.AgentPaused, 3 * time.Second, 2, 280 * time.Millisecond},
		{tel.AgentUnreachable, 5 * time.Second, 3, 360 * time.Millisecond},
		{tel.AgentInternal, 2 * time.Second, 1, 1900 * time.Millisecond},
		{tel.AgentOutbound, 2 * time.Second, 2, 1800 * time.Millisecond},
		{tel.AgentHold, 2 * time.Second, 1, 1500 * time.Millisecond},
		{tel.AgentReserved, time.Second, 1, 500 * time.Millisecond},
	} {
		p := PatternFor(c.state, 255)
		flashes, lit := 0, time.Duration(0)
		for i, s := range p {
			if s.Level.Brightness > 0 {
				lit += s.For
				if p[(i+len(p)-1)%len(p)].Level.Brightness == 0 {
					flashes++
				}
			}
		}
		if p.Period() != c.period || flashes != c.flashes || lit != c.lit {
			t.Errorf("%v: %d flashes, lit %v of %v; want %d, %v of %v", c.state, flashes, lit, p.Period(), c.flashes, c.lit, c.period)
		}
	}
	if l, lasts := PatternFor(tel.AgentTalking, 255).At(time.Hour); l.Brightness != 255 || lasts >= 0 {
		t.Errorf("talking is not steady: %+v %v", l, lasts)
	}
	if l, _ := PatternFor(tel.AgentInternal, 255).At(0); l.Brightness != 102 {
		t.Errorf("internal is at %d, want 40 %%", l.Brightness)
	}
	if l, _ := PatternFor(tel.AgentInternal, 1).At(0); l.Brightness == 0 {
		t.Error("the darkest night factor turns a lit lamp off")
	}
}

// fakeLight records what is written and fails on demand.
type fakeLight struct {
	mu     sync.Mutex
	id     tel.LampID
	err    error
	panics bool
	sets   []write
	closed bool
}

type write struct {
	at    time.Time
	level Level
}

func (f *fakeLight) ID() tel.LampID { return f.id }

func (f *fakeLight) Set(l Level) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sets = append(f.sets, write{time.Now(), l})
	if f.panics {
		panic("driver bug")
	}
	return f.err
}

func (f *fakeLight) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *fakeLight) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeLight) writes() []write {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sets)
}

func (f *fakeLight) last() Level {
	w := f.writes()
	return w[len(w)-1].level
}

type notes struct {
	mu  sync.Mutex
	all []tel.LampChanged
}

func (n *notes) publish(e tel.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, e.(tel.LampChanged))
}

func (n *notes) list() []tel.LampChanged {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

func TestAChangeOfStateReachesTheLightWithin100ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLight{id: "desk1"}
		n := &notes{}
		p := NewPanel(Config{Lights: []Assignment{{l, "anna"}}, Publish: n.publish})
		defer p.Close()
		synctest.Wait()
		if w := l.writes(); len(w) != 1 || w[0].level != (Level{}) {
			t.Fatalf("at the start: %+v, want one explicit off", w)
		}
		states := tel.AgentStates()
		for round := range 200 {
			// At odd moments of the pattern before.
			time.Sleep(time.Duration(1+round*37%1999) * time.Millisecond)
			synctest.Wait()
			before := l.last()
			state := states[(round*5+1)%len(states)]
			told, had := time.Now(), len(l.writes())
			p.Show("anna", state)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			w := l.writes()[had:]
			if len(w) == 0 {
				t.Fatalf("round %d: nothing written for %v", round, state)
			}
			if d := w[0].at.Sub(told); d > 100*time.Millisecond {
				t.Fatalf("round %d: written after %v", round, d)
			}
			pattern := PatternFor(state, 255)
			if len(pattern) > 1 && (w[0].level.Brightness > 0) == (before.Brightness > 0) {
				t.Fatalf("round %d: %v begins looking like what was there (%+v)", round, state, before)
			}
			if !slices.ContainsFunc(pattern, func(s Step) bool { return s.Level == w[0].level }) {
				t.Fatalf("round %d: %+v is no level of %v", round, w[0].level, state)
			}
		}
		if got := n.list(); len(got) != 201 || got[200].Lamp != "desk1" || got[200].Agent != "anna" || got[200].Fault {
			t.Fatalf("%d lamp events, last %+v", len(got), got[len(got)-1])
		}
	})
}

func TestAPatternIsWrittenOnlyOnItsEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLight{id: "desk1"}
		p := NewPanel(Config{Lights: []Assignment{{l, "anna"}}})
		defer p.Close()
		p.Show("anna", tel.AgentReady)
		synctest.Wait()
		start := len(l.writes())
		began := time.Now()
		time.Sleep(40 * time.Second)
		synctest.Wait()
		w := l.writes()[start-1:]
		if len(w) < 20 || len(w) > 22 {
			t.Fatalf("%d writes in 40 s, want two each 4 s", len(w))
		}
		for i, x := range w {
			want := began.Add(time.Duration(i/2) * 4 * time.Second).Add(time.Duration(i%2) * 60 * time.Millisecond)
			if x.at.Sub(want).Abs() > Frame || (x.level.Brightness > 0) != (i%2 == 0) {
				t.Fatalf("write %d: %+v at %v, want at %v", i, x.level, x.at.Sub(began), want.Sub(began))
			}
		}
	})
}

func TestASteadyLightIsRefreshedEachFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLight{id: "desk1"}
		p := NewPanel(Config{Lights: []Assignment{{l, "anna"}}})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		synctest.Wait()
		n := len(l.writes())
		time.Sleep(51 * time.Second)
		synctest.Wait()
		if got := len(l.writes()) - n; got != 10 {
			t.Fatalf("%d refreshes in 51 s, want 10", got)
		}
	})
}

func TestABrokenLightIsRetriedAndReportedOnceAndCostsTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := &fakeLight{id: "bad", err: errors.New("no such device")}, &fakeLight{id: "good", panics: false}
		n := &notes{}
		p := NewPanel(Config{Lights: []Assignment{{bad, "anna"}, {good, "bruno"}}, Publish: n.publish})
		defer p.Close()
		p.Show("anna", tel.AgentRinging)
		p.Show("bruno", tel.AgentTalking)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if tries := len(bad.writes()); tries < 5 || tries > 8 {
			t.Fatalf("%d tries in 10 s, want a doubling pause", tries)
		}
		if good.last().Brightness != 255 {
			t.Fatal("the good light suffers")
		}
		faults := 0
		for _, e := range n.list() {
			if e.Lamp == "bad" && e.Fault {
				faults++
			}
		}
		if faults != 2 { // one for the fault, one for the change to ringing
			t.Fatalf("%d fault events: %+v", faults, n.list())
		}
		bad.fail(nil)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		last := n.list()[len(n.list())-1]
		if last.Lamp != "bad" || last.Fault || last.State != tel.AgentRinging {
			t.Fatalf("last event %+v, want the recovery", last)
		}
		before := len(bad.writes())
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(bad.writes()) - before; got < 3 {
			t.Fatalf("a recovered light blinks %d times a second", got)
		}
	})
}

func TestADriverThatPanicsIsABrokenLight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLight{id: "x", panics: true}
		n := &notes{}
		p := NewPanel(Config{Lights: []Assignment{{l, "anna"}}, Publish: n.publish})
		synctest.Wait()
		if got := n.list(); len(got) != 1 || !got[0].Fault {
			t.Fatalf("events %+v", got)
		}
		p.Close()
		if !l.closed {
			t.Fatal("not released")
		}
	})
}

func TestCloseLeavesEveryLightOffAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lights []*fakeLight
		var as []Assignment
		for i := range 8 {
			l := &fakeLight{id: tel.LampID(fmt.Sprint(i))}
			lights = append(lights, l)
			as = append(as, Assignment{l, tel.AgentID(fmt.Sprint(i))})
		}
		p := NewPanel(Config{Lights: as})
		for i, a := range as {
			p.Show(a.Agent, tel.AgentStates()[i])
		}
		p.Show("nobody", tel.AgentTalking)
		time.Sleep(3 * time.Second)
		p.Close()
		p.Close()
		for _, l := range lights {
			if l.last() != (Level{}) || !l.closed {
				t.Fatalf("lamp %s is left at %+v, closed %v", l.id, l.last(), l.closed)
			}
		}
	})
}

func TestTheLampTestShowsEveryLampAndYieldsToAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fakeLight{id: "a"}, &fakeLight{id: "b"}
		p := NewPanel(Config{Lights: []Assignment{{a, "anna"}, {b, "bruno"}}, Test: time.Second, Full: 100})
		defer p.Close()
		time.Sleep(500 * time.Millisecond)
		p.Show("bruno", tel.AgentRinging)
		synctest.Wait()
		if a.last() != (Level{100, 255, 255, 255}) || b.last() != (Level{}) {
			t.Fatalf("a %+v, b %+v", a.last(), b.last())
		}
		time.Sleep(501 * time.Millisecond)
		synctest.Wait()
		if a.last() != (Level{}) {
			t.Fatalf("after the test a shows %+v", a.last())
		}
	})
}

func TestThePolicyIsPureThoughThePanelLivesBesideIt(t *testing.T) {
	for _, file := range []string{"policy.go", "light.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil || path != "time" && path != "github.com/pronto-pbx/pronto/firmware/tel" {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

func TestALampThatIsLookedForBlinksAndThenShowsItsAgentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anna, bruno := &fakeLight{id: "l1"}, &fakeLight{id: "l2"}
		p := NewPanel(Config{Lights: []Assignment{{anna, "anna"}, {bruno, "bruno"}}})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		p.Show("bruno", tel.AgentTalking)
		synctest.Wait()
		steady := anna.last()
		if p.Find("l9", time.Second) {
			t.Error("a lamp that there is not is found")
		}
		if !p.Find("l1", 10*time.Second) {
			t.Fatal("it is not found")
		}
		synctest.Wait()
		white := Level{Brightness: 255, R: 255, G: 255, B: 255}
		seen := map[Level]bool{}
		for range 50 {
			time.Sleep(Frame)
			synctest.Wait()
			seen[anna.last()] = true
			if bruno.last() != steady {
				t.Fatalf("the other one shows %v", bruno.last())
			}
		}
		if !seen[white] || !seen[Level{}] || len(seen) != 2 {
			t.Errorf("it shows %v", seen)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if anna.last() != steady {
			t.Errorf("afterwards %v", anna.last())
		}
	})
}

func TestTheAlarmTakesEveryLampAndGivesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anna, spare := &fakeLight{id: "desk1"}, &fakeLight{id: "desk2"}
		p := NewPanel(Config{Lights: []Assignment{{anna, "anna"}, {spare, ""}}})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		synctest.Wait()
		p.Alarm(10 * time.Second)
		synctest.Wait()
		red := Level{Brightness: 255, R: 255}
		if anna.last() != red || spare.last() != red {
			t.Fatalf("at the alarm: %+v and %+v", anna.last(), spare.last())
		}
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		p.Show("anna", tel.AgentReady) // the call ends meanwhile
		synctest.Wait()
		if anna.last() != (Level{}) || spare.last() != (Level{}) {
			t.Errorf("700 ms later: %+v and %+v, want the gap of the alarm", anna.last(), spare.last())
		}
		time.Sleep(15 * time.Second) // the flash of "ready" comes each four
		synctest.Wait()
		if spare.last() != (Level{}) {
			t.Errorf("a lamp of nobody shows %+v after the alarm", spare.last())
		}
		seen := 0
		for _, w := range anna.writes() {
			if w.level == (Level{Brightness: 255, G: 255}) {
				seen++
			}
		}
		if seen == 0 {
			t.Error("the lamp never shows that Anna is ready")
		}
	})
}
