package forecast_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var ten = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

// taught is a learner that has watched an hour of an agent's calls: five seconds of ringing, talks
// around two minutes, wrap-ups around twenty seconds, callers who give up after about five minutes.
func taught(t testing.TB) *forecast.Learner {
	t.Helper()
	l := forecast.NewLearner(7)
	r := rand.New(rand.NewPCG(3, 3))
	now := ten.Add(-9 * time.Hour)
	agent := func(s tel.AgentState, call tel.CallID, reason string, lasts float64) {
		l.Observe(now, tel.AgentChanged{Agent: "teacher", State: s, Call: call, Queue: "sales", Reason: reason, Since: now})
		now = now.Add(time.Duration(lasts * float64(time.Second)))
	}
	for i := range 150 {
		call := tel.CallID(fmt.Sprint("past", i))
		l.Observe(now, tel.QueueJoined{Queue: "sales", Call: call, At: now})
		if i%3 == 0 {
			now = now.Add(time.Duration((200 + 200*r.Float64()) * float64(time.Second)))
			l.Observe(now, tel.QueueLeft{Queue: "sales", Call: call, Left: now, Outcome: tel.OutcomeAbandoned})
			continue
		}
		agent(tel.AgentRinging, call, "", 5)
		l.Observe(now, tel.QueueLeft{Queue: "sales", Call: call, Left: now, Outcome: tel.OutcomeAnswered, Agent: "teacher"})
		agent(tel.AgentTalking, call, "", logNormal(r, 120, 0.5))
		agent(tel.AgentWrapUp, "", "", logNormal(r, 20, 0.3))
		if i%4 == 1 {
			agent(tel.AgentPaused, "", "coffee", logNormal(r, 240, 0.2))
		}
		agent(tel.AgentReady, "", "", 1)
	}
	return l
}

// agent serves sales and support, and has talked for a minute.
func agent(id string, change ...func(*forecast.Agent)) forecast.Agent {
	a := forecast.Agent{
		ID: tel.AgentID(id), State: tel.AgentTalking, Since: ten.Add(-time.Minute), Queue: "sales",
		Serves: []forecast.Serving{{Queue: "sales"}, {Queue: "support"}},
	}
	for _, f := range change {
		f(&a)
	}
	return a
}

func waits(id string, waited time.Duration, change ...func(*forecast.Caller)) forecast.Caller {
	c := forecast.Caller{Call: tel.CallID(id), Queue: "sales", Since: ten.Add(-waited)}
	for _, f := range change {
		f(&c)
	}
	return c
}

func officeWith(agents []forecast.Agent, waiting ...forecast.Caller) forecast.Picture {
	return forecast.Picture{At: ten, Agents: agents, Waiting: waiting}
}

func crew(n int, change ...func(*forecast.Agent)) []forecast.Agent {
	all := make([]forecast.Agent, n)
	for i := range all {
		all[i] = agent(fmt.Sprint("a", i), change...)
	}
	return all
}

func TestNothingIsSaidWhenItWouldBeALie(t *testing.T) {
	state := func(s tel.AgentState) func(*forecast.Agent) { return func(a *forecast.Agent) { a.State = s } }
	english := func(c *forecast.Caller) { c.Needs = []forecast.Need{{Skill: "english", Level: 1}} }
	for _, c := range []struct {
		name    string
		learner *forecast.Learner
		picture forecast.Picture
		known   bool
	}{
		{"a new box has seen no call", forecast.NewLearner(1), officeWith(crew(3), waits("c", 0)), false},
		{"somebody talks and will be free", taught(t), officeWith(crew(3), waits("c", 0)), true},
		{"somebody is back from the pause soon", taught(t), officeWith(crew(1, state(tel.AgentPaused)), waits("c", 0)), true},
		{"no agent at all", taught(t), officeWith(nil, waits("c", 0)), false},
		{"everybody is logged out", taught(t), officeWith(crew(3, state(tel.AgentLoggedOut)), waits("c", 0)), false},
		{"every phone is lost", taught(t), officeWith(crew(3, state(tel.AgentUnreachable)), waits("c", 0)), false},
		{"everybody goes home after this call", taught(t), officeWith(crew(3, func(a *forecast.Agent) { a.Leaves = true }), waits("c", 0)), false},
		{"the shift ends before anybody is free", taught(t), officeWith(crew(3, func(a *forecast.Agent) { a.ShiftEnd = ten }), waits("c", 0)), false},
		{"nobody has the skill", taught(t), officeWith(crew(3), waits("c", 0, english)), false},
		{"nobody serves the queue", taught(t), officeWith(crew(3), waits("c", 0, func(c *forecast.Caller) { c.Queue = "repairs" })), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.learner.Forecast(c.picture)[0]
			if f.Known != c.known {
				t.Errorf("known is %v: %+v", f.Known, f)
			}
			if _, said := f.Announce(); said && !c.known {
				t.Error("it is announced")
			}
			if !c.known && (f.Low != 0 || f.Median != 0 || f.High != 0) {
				t.Errorf("numbers without knowledge: %+v", f)
			}
		})
	}
}

// Each row compares the wait of caller "me" in two pictures.
func TestWhatShortensAWait(t *testing.T) {
	me := func(change ...func(*forecast.Caller)) forecast.Caller { return waits("me", 0, change...) }
	ahead := func(change ...func(*forecast.Caller)) []forecast.Caller {
		var all []forecast.Caller
		for i := range 4 {
			all = append(all, waits(fmt.Sprint("c", i), time.Duration(60-i)*time.Second, change...))
		}
		return all
	}
	with := func(p forecast.Picture, more ...forecast.Caller) forecast.Picture {
		p.Waiting = append(p.Waiting, more...)
		return p
	}
	english := func(c *forecast.Caller) { c.Needs = []forecast.Need{{Skill: "english", Level: 2}} }
	talked := func(d time.Duration) func(*forecast.Agent) {
		return func(a *forecast.Agent) { a.Since = ten.Add(-d) }
	}
	for _, c := range []struct {
		name            string
		shorter, longer forecast.Picture
		least           time.Duration // of the difference of the medians
	}{
		{"being alone instead of fifth", officeWith(crew(2), me()), with(officeWith(crew(2), ahead()...), me()), 2 * time.Minute},
		{"having come earlier", officeWith(crew(2), append(ahead(), waits("me", time.Hour))...), officeWith(crew(2), append(ahead(), me())...), 2 * time.Minute},
		{"priority", with(officeWith(crew(2), ahead()...), me(func(c *forecast.Caller) { c.Priority = 1 })), with(officeWith(crew(2), ahead()...), me()), 2 * time.Minute},
		{
			"a shorter target",
			forecast.Picture{
				At: ten, Queues: []forecast.Queue{{ID: "sales", Target: 5 * time.Minute}, {ID: "support", Target: time.Minute}}, Agents: crew(2),
				Waiting: append(ahead(), me(func(c *forecast.Caller) { c.Queue = "support" })),
			},
			with(officeWith(crew(2), ahead()...), me(func(c *forecast.Caller) { c.Queue = "support" })), 2 * time.Minute,
		},
		{"five agents instead of two", with(officeWith(crew(5), ahead()...), me()), with(officeWith(crew(2), ahead()...), me()), time.Minute},
		{"an agent who has talked long", officeWith(crew(1, talked(3*time.Minute)), me()), officeWith(crew(1, talked(time.Second)), me()), 20 * time.Second},
		{
			"wrap-up instead of talk", officeWith(crew(1, func(a *forecast.Agent) { a.State = tel.AgentWrapUp }), me()),
			officeWith(crew(1, talked(0)), me()), time.Minute,
		},
		{
			"a planned end of wrap-up", officeWith(crew(1, func(a *forecast.Agent) { a.State, a.Since, a.Until = tel.AgentWrapUp, ten, ten.Add(time.Second) }), me()),
			officeWith(crew(1, func(a *forecast.Agent) { a.State, a.Since = tel.AgentWrapUp, ten }), me()), 10 * time.Second,
		},
		{"agents who stay", with(officeWith(crew(3), ahead()...), me()), with(officeWith(append(crew(1), crew(2, func(a *forecast.Agent) { a.Leaves = true })...), ahead()...), me()), time.Minute},
		{
			"agents whose shift goes on", with(officeWith(crew(3), ahead()...), me()),
			with(officeWith(append(crew(1), crew(2, func(a *forecast.Agent) { a.ShiftEnd = ten.Add(time.Second) })...), ahead()...), me()), time.Minute,
		},
		{
			"a pause that comes later than the call", with(officeWith(crew(2), ahead()...), me()),
			with(officeWith(crew(2, func(a *forecast.Agent) { a.Pauses, a.Reason = true, "coffee" }), ahead()...), me()), 30 * time.Second,
		},
		{
			"ringing already", officeWith(crew(1, func(a *forecast.Agent) { a.State, a.Call, a.Since = tel.AgentRinging, "me", ten.Add(-2*time.Second) }), me()),
			officeWith(crew(1), me()), 30 * time.Second,
		},
		{
			"people ahead who may hang up", with(officeWith(crew(1), ahead()...), me()),
			with(officeWith(crew(1), ahead(func(c *forecast.Caller) { c.Callback = true })...), me()), 30 * time.Second,
		},
		{"no special skill", officeWith(append(crew(3), agent("e", func(a *forecast.Agent) { a.Skills = map[string]int{"english": 2} })), me()), officeWith(append(crew(3), agent("e", func(a *forecast.Agent) { a.Skills = map[string]int{"english": 2} })), me(english)), 20 * time.Second},
		{
			"a tier that opens at once", officeWith([]forecast.Agent{agent("a", func(a *forecast.Agent) { a.State = tel.AgentReady })}, me()),
			officeWith([]forecast.Agent{agent("a", func(a *forecast.Agent) {
				a.State, a.Serves = tel.AgentReady, []forecast.Serving{{Queue: "sales", After: 5 * time.Minute}}
			})}, me()), 4*time.Minute + 50*time.Second,
		},
		{
			"having waited for a tier", officeWith([]forecast.Agent{agent("a", func(a *forecast.Agent) {
				a.State, a.Serves = tel.AgentReady, []forecast.Serving{{Queue: "sales", After: 5 * time.Minute}}
			})}, waits("me", 4*time.Minute)),
			officeWith([]forecast.Agent{agent("a", func(a *forecast.Agent) {
				a.State, a.Serves = tel.AgentReady, []forecast.Serving{{Queue: "sales", After: 5 * time.Minute}}
			})}, me()), 3*time.Minute + 50*time.Second,
		},
		{
			"a need that relaxes soon", officeWith([]forecast.Agent{agent("a", func(a *forecast.Agent) { a.State = tel.AgentReady })}, me(func(c *forecast.Caller) {
				c.Needs = []forecast.Need{{Skill: "english", Level: 2, Relax: 30 * time.Second}}
			})),
			officeWith([]forecast.Agent{agent("a", func(a *forecast.Agent) { a.State = tel.AgentReady })}, me(func(c *forecast.Caller) {
				c.Needs = []forecast.Need{{Skill: "english", Level: 2, Relax: 2 * time.Minute}}
			})), 2*time.Minute + 50*time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := mine(t, c.shorter), mine(t, c.longer)
			if !a.Known || !b.Known {
				t.Fatalf("not known: %+v %+v", a, b)
			}
			if b.Median-a.Median < c.least {
				t.Errorf("%v (%v to %v) against %v (%v to %v)", a.Median, a.Low, a.High, b.Median, b.Low, b.High)
			}
		})
	}
}

func mine(t *testing.T, p forecast.Picture) forecast.Forecast {
	t.Helper()
	for _, f := range taught(t).Forecast(p) {
		if f.Call == "me" {
			return f
		}
	}
	t.Fatal("no forecast for me")
	return forecast.Forecast{}
}

// Callers with priority who have not come yet go before those who wait.
func TestAQueueWithManyImportantCallersKeepsTheOthersWaiting(t *testing.T) {
	median := func(vips int) time.Duration {
		l := taught(t)
		for i := range vips {
			at := ten.Add(-time.Duration(vips-i) * 4 * time.Minute)
			call := tel.CallID(fmt.Sprint("vip", i))
			l.Observe(at, tel.QueueJoined{Queue: "sales", Call: call, At: at, Priority: 9})
			l.Observe(at, tel.QueueLeft{Queue: "sales", Call: call, Left: at, Outcome: tel.OutcomeAnswered})
		}
		return l.Forecast(officeWith(crew(1), waits("c", time.Minute), waits("d", 0)))[1].Median
	}
	if quiet, busy := median(0), median(15); busy < quiet+time.Minute {
		t.Errorf("%v without, %v with a caller of priority every four minutes", quiet, busy)
	}
}

// Who always comes at half past ten is expected at ten.
func TestAPersonWithAHabitIsExpected(t *testing.T) {
	median := func(habit bool) time.Duration {
		l := taught(t)
		for d := 7; d > 0 && habit; d-- {
			morning := ten.AddDate(0, 0, -d)
			for _, c := range []struct {
				at    time.Time
				state tel.AgentState
			}{{morning, tel.AgentLoggedOut}, {morning.Add(5 * time.Minute), tel.AgentReady}, {morning.Add(8 * time.Hour), tel.AgentLoggedOut}} {
				l.Observe(c.at, tel.AgentChanged{Agent: "late", State: c.state, Since: c.at})
			}
		}
		var ahead []forecast.Caller
		for i := range 8 {
			ahead = append(ahead, waits(fmt.Sprint("c", i), time.Minute, func(c *forecast.Caller) { c.Callback = true }))
		}
		p := officeWith(append(crew(1), agent("late", func(a *forecast.Agent) { a.State, a.Since = tel.AgentLoggedOut, ten.Add(-16*time.Hour) })), ahead...)
		return l.Forecast(p)[7].Median
	}
	if alone, helped := median(false), median(true); helped > alone*3/4 {
		t.Errorf("%v alone, %v when a colleague is due", alone, helped)
	}
}

func TestEqualInputsGiveEqualForecasts(t *testing.T) {
	once := func() ([]*prediction, []byte) {
		o := newOffice(rand.New(rand.NewPCG(5, 5)))
		l := forecast.NewLearner(3)
		j := &judge{averages: map[int]int{}}
		o.run(rand.New(rand.NewPCG(5, 6)), ten.Truncate(24*time.Hour), l, j)
		b, err := l.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return j.all, b
	}
	a, sa := once()
	b, sb := once()
	if len(a) < 100 || len(a) != len(b) {
		t.Fatalf("%d and %d predictions", len(a), len(b))
	}
	for i := range a {
		if *a[i] != *b[i] {
			t.Fatalf("prediction %d: %+v and %+v", i, *a[i], *b[i])
		}
	}
	if !bytes.Equal(sa, sb) {
		t.Error("what was learned differs")
	}
}

func TestARestartForgetsNothingThatWasLearned(t *testing.T) {
	o := newOffice(rand.New(rand.NewPCG(5, 5)))
	l := forecast.NewLearner(3)
	o.run(rand.New(rand.NewPCG(5, 6)), ten.Truncate(24*time.Hour), l, &judge{averages: map[int]int{}})
	b, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again, err := forecast.Restore(b)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := again.Snapshot(); err != nil || !bytes.Equal(b, c) {
		t.Error("the second snapshot differs", err)
	}
	p := officeWith(crew(3, func(a *forecast.Agent) { a.Queue, a.Serves = "q0", []forecast.Serving{{Queue: "q0"}} }),
		waits("c", time.Minute, func(c *forecast.Caller) { c.Queue = "q0" }))
	if f, g := l.Forecast(p)[0], again.Forecast(p)[0]; f != g || !f.Known {
		t.Errorf("%+v before, %+v after", f, g)
	}
	if len(b) > 200_000 {
		t.Errorf("the snapshot of a small office has %d bytes", len(b))
	}
	t.Logf("%d bytes", len(b))
}

// BenchmarkForecast is a forecast for everybody who waits.
func BenchmarkForecast(b *testing.B) {
	for _, size := range [][3]int{{20, 3, 1}, {20, 3, 30}, {100, 20, 300}, {500, 100, 5000}} {
		b.Run(fmt.Sprintf("%d agents, %d queues, %d waiting", size[0], size[1], size[2]), func(b *testing.B) {
			l := taught(b)
			p := forecast.Picture{At: ten}
			for i := range size[0] {
				p.Agents = append(p.Agents, agent(fmt.Sprint("a", i), func(a *forecast.Agent) {
					a.Queue, a.Serves = tel.QueueID(fmt.Sprint(i%size[1])), nil
					for k := range 3 {
						a.Serves = append(a.Serves, forecast.Serving{Queue: tel.QueueID(fmt.Sprint((i + k) % size[1]))})
					}
				}))
			}
			for i := range size[2] {
				p.Waiting = append(p.Waiting, waits(fmt.Sprint("c", i), time.Duration(i)*time.Second, func(c *forecast.Caller) { c.Queue = tel.QueueID(fmt.Sprint(i % size[1])) }))
			}
			b.ReportAllocs()
			for b.Loop() {
				l.Forecast(p)
			}
		})
	}
}
