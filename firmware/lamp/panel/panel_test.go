package panel

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	level lamp.Level
}

func (f *fakeLight) ID() tel.LampID { return f.id }

func (f *fakeLight) Set(l lamp.Level) error {
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

func (f *fakeLight) last() lamp.Level {
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
		p := New(Config{Lights: []Assignment{{l, ofAgent("anna")}}, Publish: n.publish})
		defer p.Close()
		synctest.Wait()
		if w := l.writes(); len(w) != 1 || w[0].level != (lamp.Level{}) {
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
			pattern := lamp.Usual().Of(lamp.OfAgent(state))
			if len(pattern) > 1 && (w[0].level.Brightness > 0) == (before.Brightness > 0) {
				t.Fatalf("round %d: %v begins looking like what was there (%+v)", round, state, before)
			}
			if !slices.ContainsFunc(pattern, func(s lamp.Step) bool { return s.Level == w[0].level }) {
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
		p := New(Config{Lights: []Assignment{{l, ofAgent("anna")}}})
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
			if x.at.Sub(want).Abs() > lamp.Frame || (x.level.Brightness > 0) != (i%2 == 0) {
				t.Fatalf("write %d: %+v at %v, want at %v", i, x.level, x.at.Sub(began), want.Sub(began))
			}
		}
	})
}

func TestASteadyLightIsRefreshedEachFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLight{id: "desk1"}
		p := New(Config{Lights: []Assignment{{l, ofAgent("anna")}}})
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
		p := New(Config{Lights: []Assignment{{bad, ofAgent("anna")}, {good, ofAgent("bruno")}}, Publish: n.publish})
		defer p.Close()
		synctest.Wait()
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
		p := New(Config{Lights: []Assignment{{l, ofAgent("anna")}}, Publish: n.publish})
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
			as = append(as, Assignment{l, ofAgent(tel.AgentID(fmt.Sprint(i)))})
		}
		p := New(Config{Lights: as})
		for i, a := range as {
			p.Show(tel.AgentID(a.Subject.ID), tel.AgentStates()[i])
		}
		p.Show("nobody", tel.AgentTalking)
		time.Sleep(3 * time.Second)
		p.Close()
		p.Close()
		for _, l := range lights {
			if l.last() != (lamp.Level{}) || !l.closed {
				t.Fatalf("lamp %s is left at %+v, closed %v", l.id, l.last(), l.closed)
			}
		}
	})
}

func TestTheLampTestShowsEveryColourOnEveryLampAndGivesThemBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, spare := &fakeLight{id: "a"}, &fakeLight{id: "spare"}
		p := New(Config{Lights: []Assignment{{a, ofAgent("anna")}, {spare, lamp.Subject{}}}, Full: 100})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		time.Sleep(1234 * time.Millisecond)
		synctest.Wait()
		p.Test()
		for _, want := range []lamp.Level{
			{Brightness: 100, R: 255}, {Brightness: 100, G: 255}, {Brightness: 100, B: 255}, {Brightness: 100, R: 255, G: 255, B: 255},
		} {
			time.Sleep(500 * time.Millisecond)
			synctest.Wait()
			if a.last() != want || spare.last() != want {
				t.Fatalf("%+v and %+v, want %+v", a.last(), spare.last(), want)
			}
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		if a.last() != (lamp.Level{Brightness: 100, R: 255}) || spare.last() != (lamp.Level{}) {
			t.Fatalf("afterwards %+v and %+v", a.last(), spare.last())
		}
	})
}

// A lamp that shows a state of minutes ago lies; of all of them "free" is the worst.
func TestLampsOfAProgramThatDoesNotAnswerItselfShowTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, spare, n := &fakeLight{id: "a"}, &fakeLight{id: "spare"}, &notes{}
		p := New(Config{Lights: []Assignment{{a, ofAgent("anna")}, {spare, lamp.Subject{}}}, Silence: 10 * time.Second, Publish: n.publish})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		for range 5 {
			time.Sleep(9 * time.Second)
			synctest.Wait()
			if a.last() != (lamp.Level{Brightness: 255, R: 255}) {
				t.Fatalf("while it answers: %+v", a.last())
			}
			p.Alive()
			synctest.Wait()
		}
		time.Sleep(10 * time.Second) // to the moment
		synctest.Wait()
		if a.last() != (lamp.Level{}) {
			t.Fatalf("10 s after the last answer: %+v", a.last())
		}
		had := len(a.writes())
		time.Sleep(time.Minute)
		synctest.Wait()
		flashes := 0
		for _, w := range a.writes()[had:] {
			if w.level == (lamp.Level{Brightness: 255, R: 255, G: 255, B: 255}) {
				flashes++
			} else if w.level.Brightness > 0 {
				t.Fatalf("shows %+v", w.level)
			}
		}
		if flashes != 12 {
			t.Errorf("%d flashes in a minute, want one each 5 s", flashes)
		}
		all := n.list()
		if last := all[len(all)-1]; last.Says != "failure" || last.Lamp != "a" {
			t.Errorf("told last %+v", last)
		}
		for _, w := range spare.writes() {
			if w.level.Brightness > 0 {
				t.Errorf("the lamp of nobody shows %+v", w.level)
			}
		}
		p.Alive()
		synctest.Wait()
		if a.last() != (lamp.Level{Brightness: 255, R: 255}) {
			t.Errorf("when it answers again: %+v", a.last())
		}
	})
}

func TestAllLampsBlinkTogetherWheneverTheirStatesBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*fakeLight
		var as []Assignment
		for i := range 5 {
			id := fmt.Sprint(i)
			all = append(all, &fakeLight{id: tel.LampID(id)})
			as = append(as, Assignment{all[i], ofAgent(tel.AgentID(id))})
		}
		p := New(Config{Lights: as})
		defer p.Close()
		for i := range all {
			time.Sleep(time.Duration(137+211*i) * time.Millisecond)
			p.Show(tel.AgentID(fmt.Sprint(i)), tel.AgentWrapUp)
		}
		time.Sleep(4 * time.Second) // in which the last one joins
		synctest.Wait()
		changed := 0
		last := all[0].last()
		for range 500 {
			time.Sleep(lamp.Frame)
			synctest.Wait()
			if now := all[0].last(); now != last {
				last = now
				changed++
			}
			for i, l := range all {
				if l.last() != all[0].last() {
					t.Fatalf("lamp %d shows %+v, the first %+v", i, l.last(), all[0].last())
				}
			}
		}
		if changed != 10 {
			t.Errorf("%d changes in 10 s, want one a second", changed)
		}
	})
}

func TestALampFollowsItsQueueAndTheOfficeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := lamp.Subject{Kind: lamp.Queue, ID: "sales"}
		lens := func(l lamp.Lens) lamp.Subject { return lamp.Subject{Kind: lamp.Queue, ID: "sales", Lens: l} }
		one, g, a, r := &fakeLight{id: "one"}, &fakeLight{id: "g"}, &fakeLight{id: "a"}, &fakeLight{id: "r"}
		n := &notes{}
		p := New(Config{Lights: []Assignment{{one, of}, {g, lens(lamp.Green)}, {a, lens(lamp.Amber)}, {r, lens(lamp.Red)}}, Publish: n.publish})
		defer p.Close()
		lit := func(l *fakeLight) bool { return l.last().Brightness > 0 }
		synctest.Wait()
		if lit(g) || lit(one) {
			t.Fatal("lit before anything is known")
		}
		p.ShowQueue("sales", time.Time{}, 20*time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		if !lit(g) || lit(a) || lit(r) {
			t.Fatalf("nobody waits: %v %v %v", lit(g), lit(a), lit(r))
		}
		p.ShowQueue("sales", time.Now(), 20*time.Second)
		time.Sleep(20*time.Second - time.Nanosecond)
		synctest.Wait()
		if lit(g) || !lit(a) || lit(r) || !lit(one) {
			t.Fatalf("somebody waits: %v %v %v %v", lit(g), lit(a), lit(r), lit(one))
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if lit(g) || lit(a) || !lit(r) || lit(one) {
			t.Fatalf("at the target: %v %v %v, and the blinking one %v", lit(g), lit(a), lit(r), lit(one))
		}
		p.ShowQueue("sales", time.Time{}, 20*time.Second)
		synctest.Wait()
		if !lit(g) || lit(a) || lit(r) {
			t.Fatalf("nobody waits any more: %v %v %v", lit(g), lit(a), lit(r))
		}
		var said []string
		for _, e := range n.list() {
			if e.Lamp == "one" {
				said = append(said, e.Says)
			}
		}
		if want := []string{"dark", "queue_calm", "queue_waits", "queue_late", "queue_calm"}; !slices.Equal(said, want) {
			t.Errorf("told %q, want %q", said, want)
		}
	})
}

func TestALampFollowsALineAndTheBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s, n := &fakeLight{id: "l"}, &fakeLight{id: "s"}, &notes{}
		p := New(Config{Lights: []Assignment{{l, lamp.Subject{Kind: lamp.Line, ID: "trunk:tim"}}, {s, lamp.Subject{Kind: lamp.System}}}, Publish: n.publish})
		defer p.Close()
		synctest.Wait()
		p.ShowLine(tel.LineChanged{Line: "trunk:tim", Up: true, Calls: 1})
		p.ShowLine(tel.LineChanged{Line: "trunk:other", Cause: tel.LineRefused})
		p.ShowSystem(true)
		synctest.Wait()
		if l.last() != (lamp.Level{Brightness: 255, R: 255}) || s.last() != (lamp.Level{Brightness: 255, R: 255}) {
			t.Fatalf("in use %+v, trouble %+v", l.last(), s.last())
		}
		p.ShowLine(tel.LineChanged{Line: "trunk:tim", Cause: tel.LineUnreachable})
		synctest.Wait()
		all := n.list()
		if last := all[len(all)-1]; last.Lamp != "l" || last.Says != "line_fault" || last.Shows != "trunk:tim" {
			t.Errorf("told last %+v", last)
		}
	})
}

func TestTheLampOfADeskFollowsWhoSitsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, n := &fakeLight{id: "d"}, &notes{}
		p := New(Config{Lights: []Assignment{{d, lamp.Subject{Kind: lamp.Desk, ID: "301"}}}, Publish: n.publish})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		p.Show("bruno", tel.AgentPaused)
		synctest.Wait()
		if d.last() != (lamp.Level{}) {
			t.Fatalf("an empty desk shows %+v", d.last())
		}
		for _, c := range []struct {
			who   tel.AgentID
			level lamp.Level
		}{{"anna", lamp.Level{Brightness: 255, R: 255}}, {"bruno", lamp.Level{}}, {"anna", lamp.Level{Brightness: 255, R: 255}}, {"", lamp.Level{}}} {
			p.Seat("301", c.who)
			synctest.Wait()
			if all := n.list(); d.last() != c.level || all[len(all)-1].Agent != c.who {
				t.Fatalf("%q sits there: %+v, told %+v", c.who, d.last(), all[len(all)-1])
			}
		}
	})
}

func TestTheLampsAreDimmedAtNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLight{id: "l"}
		now := time.Now().UTC()
		from := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute()+1)*time.Minute
		p := New(Config{Lights: []Assignment{{l, ofAgent("anna")}}, Night: lamp.Night{From: from, To: from + time.Hour, Percent: 10, Zone: time.UTC}})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		synctest.Wait()
		if l.last() != (lamp.Level{Brightness: 255, R: 255}) {
			t.Fatalf("by day %+v", l.last())
		}
		time.Sleep(66 * time.Second) // one refresh into the night
		synctest.Wait()
		if l.last() != (lamp.Level{Brightness: 25, R: 255}) {
			t.Errorf("at night %+v", l.last())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if l.last() != (lamp.Level{Brightness: 255, R: 255}) {
			t.Errorf("in the morning %+v", l.last())
		}
	})
}

func TestALampThatIsLookedForBlinksAndThenShowsItsAgentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anna, bruno := &fakeLight{id: "l1"}, &fakeLight{id: "l2"}
		p := New(Config{Lights: []Assignment{{anna, ofAgent("anna")}, {bruno, ofAgent("bruno")}}})
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
		white := lamp.Level{Brightness: 255, R: 255, G: 255, B: 255}
		seen := map[lamp.Level]bool{}
		for range 50 {
			time.Sleep(lamp.Frame)
			synctest.Wait()
			seen[anna.last()] = true
			if bruno.last() != steady {
				t.Fatalf("the other one shows %v", bruno.last())
			}
		}
		if !seen[white] || !seen[lamp.Level{}] || len(seen) != 2 {
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
		p := New(Config{Lights: []Assignment{{anna, ofAgent("anna")}, {spare, lamp.Subject{}}}})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		synctest.Wait()
		p.Alarm(10 * time.Second)
		synctest.Wait()
		red := lamp.Level{Brightness: 255, R: 255}
		if anna.last() != red || spare.last() != red {
			t.Fatalf("at the alarm: %+v and %+v", anna.last(), spare.last())
		}
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		p.Show("anna", tel.AgentReady) // the call ends meanwhile
		synctest.Wait()
		if anna.last() != (lamp.Level{}) || spare.last() != (lamp.Level{}) {
			t.Errorf("700 ms later: %+v and %+v, want the gap of the alarm", anna.last(), spare.last())
		}
		time.Sleep(15 * time.Second) // the flash of "ready" comes each four
		synctest.Wait()
		if spare.last() != (lamp.Level{}) {
			t.Errorf("a lamp of nobody shows %+v after the alarm", spare.last())
		}
		seen := 0
		for _, w := range anna.writes() {
			if w.level == (lamp.Level{Brightness: 255, G: 255, B: 120}) {
				seen++
			}
		}
		if seen == 0 {
			t.Error("the lamp never shows that Anna is ready")
		}
	})
}
