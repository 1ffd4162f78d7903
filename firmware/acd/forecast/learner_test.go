package forecast

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // Rome, wherever the test runs

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// A ghost is served by the agent who would have taken the caller. Each row starts with "early", who was
// told a forecast and hung up after 10 s, and "late" behind; agents a and b talk, c has no skill.
func TestGhostsTellHowLongAWaitWouldHaveBeen(t *testing.T) {
	type step struct {
		after time.Duration
		event tel.Event
	}
	state := func(agent string, s tel.AgentState, call string) tel.Event {
		return tel.AgentChanged{Agent: tel.AgentID(agent), State: s, Call: tel.CallID(call), Queue: "sales"}
	}
	for _, c := range []struct {
		name  string
		steps []step
		waits []float64 // learned, in seconds
	}{
		{"nobody becomes free", nil, nil},
		{"an agent rings for the caller behind", []step{{40 * time.Second, state("a", tel.AgentRinging, "late")}}, []float64{40}},
		{"an agent becomes free and nobody waits", []step{
			{20 * time.Second, tel.QueueLeft{Queue: "sales", Call: "late", Outcome: tel.OutcomeFailed}}, {30 * time.Second, state("a", tel.AgentReady, "")},
		}, []float64{30}},
		{"an agent without the skill becomes free", []step{{30 * time.Second, state("c", tel.AgentReady, "")}}, nil},
		{"an answer that no ringing preceded", []step{{50 * time.Second, tel.QueueLeft{Queue: "sales", Call: "late", Outcome: tel.OutcomeAnswered, Agent: "b"}}}, []float64{50, 50}},
		{"the caller comes back", []step{
			{20 * time.Second, tel.QueueJoined{Queue: "sales", Call: "early", At: noon}}, {30 * time.Second, state("a", tel.AgentRinging, "late")},
		}, nil},
		{"three hours pass", []step{{3 * time.Hour, state("b", tel.AgentPaused, "")}, {3*time.Hour + time.Minute, state("a", tel.AgentRinging, "late")}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := NewLearner(1)
			for i := range 30 {
				l.memory.talked("sales", "a", 100+float64(i), noon)
			}
			english := []Need{{Skill: "english", Level: 1}}
			p := Picture{At: noon}
			for _, id := range []tel.AgentID{"a", "b", "c"} {
				a := Agent{ID: id, State: tel.AgentTalking, Since: noon, Queue: "sales", Serves: []Serving{{Queue: "sales"}}}
				if id != "c" {
					a.Skills = map[string]int{"english": 1}
				}
				p.Agents = append(p.Agents, a)
				l.Observe(noon, tel.AgentChanged{Agent: id, State: tel.AgentTalking, Queue: "sales"})
			}
			for i, id := range []tel.CallID{"early", "late"} {
				since := noon.Add(time.Duration(i-2) * time.Second)
				l.Observe(noon, tel.QueueJoined{Queue: "sales", Call: id, At: since})
				p.Waiting = append(p.Waiting, Caller{Call: id, Queue: "sales", Since: since, Needs: english})
			}
			if f := l.Forecast(p); !f[0].Known || !f[1].Known {
				t.Fatalf("no forecasts: %+v", f)
			}
			l.Observe(noon.Add(10*time.Second), tel.QueueLeft{Queue: "sales", Call: "early", Outcome: tel.OutcomeAbandoned})
			was := l.memory.Calibration.All
			var notes []raw
			for _, s := range l.line {
				for _, n := range s.notes {
					notes = append(notes, n.raw)
				}
			}
			for _, s := range c.steps {
				l.Observe(noon.Add(s.after), s.event)
			}
			for i, y := range c.waits {
				was.add(notes[i].score(y), allKeep)
			}
			if l.memory.Calibration.All != was {
				t.Errorf("learned something else than waits of %v", c.waits)
			}
		})
	}
}

// The truth is twice as long and twice as spread as the simulation says; later it changes.
func TestCalibrationKeepsThePromiseOfASimulationThatIsWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	presumed, levels := newPresumed(), newLevels()
	var c calibration
	sample := make([]float64, 100)
	for _, truth := range []struct{ factor, spread float64 }{{2, 1}, {0.7, 0.3}} {
		covered, n := 0.0, 0.0
		for i := range 6000 {
			median := 60 * math.Exp(0.8*r.NormFloat64())
			for k := range sample { // evenly spread quantiles of a log-normal distribution
				sample[k] = median * math.Exp(0.5*1.28155*scoreAt((float64(k)+0.5)/100))
			}
			q := newRaw(sample, levels)
			low, _, high := c.correction(regimeOf(q.median()), presumed).apply(&q)
			y := median * truth.factor * math.Exp(truth.spread*r.NormFloat64())
			if i >= 2000 {
				n++
				covered += one(y >= low && y <= high)
			}
			c.learn(&q, low, high, y)
		}
		if covered /= n; covered < 0.78 || covered > 0.82 {
			t.Errorf("waits of %v times the forecast, spread %v: covered %.3f", truth.factor, truth.spread, covered)
		}
	}
}

// scoreAt is the inverse of levelOf.
func scoreAt(level float64) float64 {
	lo, hi := -6.0, 6.0
	for range 60 {
		if m := (lo + hi) / 2; levelOf(m) < level {
			lo = m
		} else {
			hi = m
		}
	}
	return lo
}

func TestAScoreAndItsWaitAreInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	levels := newLevels()
	for range 500 {
		sample := make([]float64, 100)
		for k := range sample {
			sample[k] = math.Exp(6 * r.Float64())
			if k%3 == 0 {
				sample[k] = 50 // a step, as a planned end of wrap-up makes it
			}
		}
		slices.Sort(sample)
		q := newRaw(sample, levels)
		for range 20 {
			y := math.Exp(9 * r.Float64())
			if got := q.at(q.score(y)); math.Abs(got/y-1) > 1e-6 {
				t.Fatalf("%.3f s has score %.3f, which is %.3f s", y, q.score(y), got)
			}
		}
	}
}

// Half of the durations are cut off at random, as patience is by answers: the rest must not be biased.
func TestALifetableIsNotFooledByWhatWasCutOff(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var table lifetable
	truth := func() float64 { return 300 * math.Exp(0.7*r.NormFloat64()) }
	for range 100000 {
		x, cut := truth(), r.ExpFloat64()*600
		table.add(min(x, cut), x <= cut, 1)
	}
	g := newGrid()
	c := table.curve(g, 60)
	for _, elapsed := range []float64{0, 60, 400, 800} {
		var got, want []float64
		for len(want) < 20000 {
			if x := truth(); x > elapsed {
				want = append(want, x-elapsed)
			}
			if len(got) < 20000 {
				got = append(got, c.rest(g, elapsed, r))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		for _, p := range []int{2000, 10000, 16000} {
			if math.Abs(got[p]/want[p]-1) > 0.1 {
				t.Errorf("after %.0f s, quantile %d: %.0f s left, want %.0f", elapsed, p/200, got[p], want[p])
			}
		}
	}
}

func TestEveryDurationHasItsBin(t *testing.T) {
	for i := range bins {
		lo, hi := edge(i), math.Nextafter(edge(i+1), 0)
		if bin(lo*(1+1e-12)) != i || bin(hi*(1-1e-12)) != i {
			t.Errorf("bin %d, %v to %v: found in %d and %d", i, lo, hi, bin(lo*(1+1e-12)), bin(hi*(1-1e-12)))
		}
	}
	for x, want := range map[float64]int{-1: 0, 0: 0, 1e9: bins - 1, math.Inf(1): bins - 1} {
		if bin(x) != want {
			t.Errorf("%v s in bin %d", x, bin(x))
		}
	}
	if bin(math.NaN()) != 0 {
		t.Error("no number has a bin")
	}
}

// In October one hour comes twice, in March one is missing, and a clock may jump anywhere.
func TestAClockThatJumpsCostsNothing(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	l := NewLearner(1)
	i := 0
	day := func(from time.Time, step time.Duration, n int) {
		for k := range n {
			now := from.Add(time.Duration(k) * step)
			i++
			call := tel.CallID(fmt.Sprint(i))
			l.Observe(now, tel.QueueJoined{Queue: "q", Call: call, At: now})
			l.Observe(now, tel.AgentChanged{Agent: "a", State: tel.AgentStates()[i%8], Since: now, Queue: "q", Call: call})
			l.Observe(now, tel.QueueLeft{Queue: "q", Call: call, Outcome: tel.OutcomeAnswered, Agent: "a"})
		}
	}
	october := time.Date(2026, 10, 25, 0, 10, 0, 0, rome)
	day(october, 7*time.Minute, 60)
	day(time.Date(2026, 3, 29, 0, 10, 0, 0, rome), 7*time.Minute, 60)
	day(october.AddDate(0, 0, 1), -13*time.Minute, 200)
	day(october.AddDate(50, 0, 0), time.Minute, 20)
	day(time.Time{}, time.Minute, 20)
	if err := l.memory.check(); err != nil {
		t.Error(err)
	}
	a := l.memory.Queues["q"].Arrivals[0]
	if n := a.Recent; n < 1 || n > 25 {
		t.Errorf("%v recent callers after the last jump", n)
	}
}

func TestMemoryHasAnEnd(t *testing.T) {
	l := NewLearner(1)
	for i := range 3 * maxAgents {
		now := noon.Add(time.Duration(i) * time.Second)
		q := tel.QueueID(fmt.Sprint("q", i))
		l.Observe(now, tel.QueueJoined{Queue: q, Call: tel.CallID(q), At: now, Priority: i})
		l.memory.talked(q, tel.AgentID(q), 60, now)
		l.memory.paused("a", fmt.Sprint("reason", i), now, 60, true)
		l.memory.arrived("busy", i, now)
	}
	m := &l.memory
	if len(m.Queues) > maxQueues || len(m.Agents) > maxAgents || len(m.Reasons) > maxReasons || len(m.Queues["busy"].Arrivals) > maxPriorities || len(l.line) > maxLine {
		t.Errorf("%d queues, %d agents, %d reasons, %d in line", len(m.Queues), len(m.Agents), len(m.Reasons), len(l.line))
	}
	newest := tel.QueueID(fmt.Sprint("q", 3*maxAgents-1))
	if m.Queues[newest] == nil || m.Queues["q0"] != nil {
		t.Error("the queue used last must stay and the one used first must go")
	}
}

func TestASnapshotThatCannotBeIsRefused(t *testing.T) {
	good, err := NewLearner(1).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"a newer version", `"v":1`, `"v":2`, ErrVersion.Error()},
		{"no JSON", `"v":1`, `"v":`, "read waiting times"},
		{"a negative count", `"log_ins":{"events":[0,`, `"log_ins":{"events":[-1,`, "log-ins: impossible counts"},
		{"an endless risk", `"pause":{"ends":[0,`, `"pause":{"ends":[1e300,`, "pause: impossible counts"},
		{"scores that do not add up", `"calibration":{"all":{"count":[0,`, `"calibration":{"all":{"count":[7,`, "calibration"},
		{"an empty queue", `"seed":1`, `"seed":1,"queues":{"q":null}`, "queue q is empty"},
		{"a workday of nine sessions", `"seed":1`, `"seed":1,"agents":{"a":{"today":{"n":9}}}`, "agent a: impossible workday"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(string(good), c.from, c.to, 1)
			if bad == string(good) {
				t.Fatalf("the snapshot has no %s", c.from)
			}
			if _, err := Restore([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Restore([]byte(`{"v":9}`)); !errors.Is(err, ErrVersion) {
		t.Errorf("error %v", err)
	}
}

// FuzzRestore: whatever is accepted can be used and written again.
func FuzzRestore(f *testing.F) {
	l := NewLearner(1)
	l.memory.talked("q", "a", 60, noon)
	l.memory.arrived("q", 1, noon)
	l.memory.paused("a", "lunch", noon, 3000, true)
	b, err := l.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"v":1,"agents":{"a":{"days":[{"n":3}]}},"all":{"talk":{"n":50}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Restore(b)
		if err != nil {
			return
		}
		sane(t, l.Forecast(Picture{At: noon, Agents: []Agent{
			{ID: "a", State: tel.AgentTalking, Since: noon, Queue: "q", Serves: []Serving{{Queue: "q"}}},
			{ID: "b", State: tel.AgentLoggedOut, Serves: []Serving{{Queue: "q"}}},
		}, Waiting: []Caller{{Call: "c", Queue: "q", Since: noon}}}))
		if _, err := l.Snapshot(); err != nil {
			t.Errorf("restored, and cannot be written: %v", err)
		}
	})
}

func sane(t *testing.T, all []Forecast) {
	t.Helper()
	for _, f := range all {
		if f.Low < 0 || f.Low > f.Median || f.Median > f.High || f.High > Longest || (!f.Known && f.High != 0) {
			t.Errorf("impossible forecast %+v", f)
		}
	}
}

// FuzzOffice plays any sequence of events and pictures, also such as no office would give. What is
// learned stays possible, and forecasts stay in order.
func FuzzOffice(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	r := rand.New(rand.NewPCG(6, 6))
	long := make([]byte, 3000)
	for i := range long {
		long[i] = byte(r.Uint32())
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		l := NewLearner(1)
		for range 25 {
			l.memory.talked("q0", "a0", 60, noon)
		}
		now := noon
		for next := 0; next+4 <= len(b); next += 4 {
			x, y, z := int(b[next+1]), int(b[next+2]), int(b[next+3])
			now = now.Add(time.Duration(z*z-40) * time.Second / 4)
			queue, call, agent := tel.QueueID(fmt.Sprint("q", x%3)), tel.CallID(fmt.Sprint("c", y%16)), tel.AgentID(fmt.Sprint("a", x%4))
			switch b[next] % 5 {
			case 0:
				l.Observe(now, tel.QueueJoined{Queue: queue, Call: call, At: now.Add(-time.Duration(z) * time.Second), Priority: z % 3})
			case 1:
				outcomes := []tel.QueueOutcome{tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeOverflow, tel.OutcomeRefused, tel.OutcomeFailed}
				l.Observe(now, tel.QueueLeft{Queue: queue, Call: call, Agent: agent, Outcome: outcomes[z%5]})
			case 2, 3:
				l.Observe(now, tel.AgentChanged{Agent: agent, State: tel.AgentState(y % 9), Queue: queue, Call: call, Since: now, Reason: fmt.Sprint(z % 3)})
			case 4:
				sane(t, l.Forecast(anyPicture(rand.New(rand.NewPCG(uint64(x), uint64(y))), now)))
			}
		}
		if err := l.memory.check(); err != nil {
			t.Error(err)
		}
	})
}

func anyPicture(r *rand.Rand, now time.Time) Picture {
	p := Picture{At: now, Queues: []Queue{{ID: "q1", Target: time.Duration(r.IntN(100)-20) * time.Second}}}
	ago := func() time.Time { return now.Add(time.Duration(r.IntN(2000)-1900) * time.Second) }
	queue := func() tel.QueueID { return tel.QueueID(fmt.Sprint("q", r.IntN(4))) }
	for i := range r.IntN(5) {
		a := Agent{ID: tel.AgentID(fmt.Sprint("a", i)), State: tel.AgentState(r.IntN(9)), Queue: queue(), Call: tel.CallID(fmt.Sprint("c", r.IntN(16))), Leaves: r.IntN(4) == 0}
		if r.IntN(4) > 0 {
			a.Since = ago()
		}
		if r.IntN(4) == 0 {
			a.Until, a.ShiftEnd, a.Reason = ago().Add(time.Hour), ago().Add(time.Hour), fmt.Sprint(r.IntN(3))
		}
		for range r.IntN(4) {
			a.Serves = append(a.Serves, Serving{queue(), time.Duration(r.IntN(3)*r.IntN(60)-10) * time.Second})
		}
		p.Agents = append(p.Agents, a)
	}
	for range r.IntN(12) {
		c := Caller{Call: tel.CallID(fmt.Sprint("c", r.IntN(16))), Queue: queue(), Priority: r.IntN(3), Since: ago(), Callback: r.IntN(5) == 0}
		if r.IntN(3) == 0 {
			c.Needs = []Need{{"x", r.IntN(3) - 1, time.Duration(r.IntN(3)) * 20 * time.Second}}
		}
		p.Waiting = append(p.Waiting, c)
	}
	return p
}

// The state is one plain value: what JSON keeps is all there is.
func TestWhatIsLearnedIsOnePlainValue(t *testing.T) {
	l := NewLearner(1)
	l.memory.talked("q", "a", 60, noon)
	l.memory.arrived("q", 1, noon)
	b, err := json.Marshal(l.memory)
	if err != nil {
		t.Fatal(err)
	}
	var m memory
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if *m.Queues["q"].Arrivals[1] != *l.memory.Queues["q"].Arrivals[1] || m.Queues["q"].Talk != l.memory.Queues["q"].Talk || m.All.Talk != l.memory.All.Talk {
		t.Error("something was lost")
	}
}
