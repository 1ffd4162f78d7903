package replay

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// busyDay is one on which agents are short.
func busyDay(t *testing.T) *Story {
	s := newShop(t, 77, 6)
	s.busy = 4 * time.Minute
	s.open()
	s.comes(400, 5*time.Hour)
	s.run(8 * time.Hour)
	return s.story(morning, morning.Add(24*time.Hour))
}

func with(t *testing.T, s *Story, c Change) Figures {
	t.Helper()
	c.Queue = "support"
	f, err := s.Rerun(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestADayWithOneAgentMoreIsBetterAndWithOneFewerWorse(t *testing.T) {
	s := busyDay(t)
	was := s.Recorded.Queues["support"]
	more, fewer := with(t, s, Change{Agents: 1}), with(t, s, Change{Agents: -1})
	for name, f := range map[string]Figures{"more": more, "fewer": fewer} {
		if got, want := f.Queues["support"].Entered()+f.Queues["support"].Of(tel.OutcomeRefused), 100; got < want {
			t.Errorf("%s: only %d entered", name, got)
		}
	}
	t.Logf("lost %d as it was, %d with one more, %d with one fewer", was.Of(tel.OutcomeAbandoned), more.Queues["support"].Of(tel.OutcomeAbandoned), fewer.Queues["support"].Of(tel.OutcomeAbandoned))
	if more.Queues["support"].Of(tel.OutcomeAbandoned) >= was.Of(tel.OutcomeAbandoned) {
		t.Error("as many hang up with one agent more")
	}
	if fewer.Queues["support"].Of(tel.OutcomeAbandoned) <= was.Of(tel.OutcomeAbandoned) {
		t.Error("as few hang up with one agent fewer")
	}
	if more.Queues["support"].SpeedOfAnswer() >= was.SpeedOfAnswer() {
		t.Error("callers wait as long with one agent more")
	}
}

// What the calls said at a restart is of the talks of that day, and of no other.
func TestARestartCutsNobodyInADayThatWentOtherwise(t *testing.T) {
	s := newShop(t, 77, 6)
	s.busy = 4 * time.Minute
	s.open()
	s.comes(400, 5*time.Hour)
	at := 2 * time.Hour
	for s.run(at); len(s.s.Waiting("support")) < 3 || len(s.s.Waiting("support")[0].Offers) == 0; at += time.Second {
		s.run(at)
	}
	s.whole()
	s.n = 0
	restart := s.begin.Add(s.now)
	s.do(plan.Reconcile{Calls: s.standings()})
	s.run(8 * time.Hour)
	story := s.story(morning, morning.Add(24*time.Hour))
	for name, f := range map[string]Figures{"as it was": story.Recorded, "with one more": with(t, story, Change{Agents: 1}), "with one fewer": with(t, story, Change{Agents: -1})} {
		cut, answered := 0, 0
		for _, q := range f.Queues {
			cut, answered = cut+q.Of(tel.OutcomeFailed), answered+q.Of(tel.OutcomeAnswered)
		}
		if cut > 0 || answered < 100 {
			t.Errorf("%s: %d waits were cut, %d answered", name, cut, answered)
		}
		for _, e := range f.Intervals {
			if e.State == tel.AgentTalking && e.To.Equal(restart) {
				t.Errorf("%s: %s is cut off by the restart", name, e.Agent)
			}
		}
	}
}

func TestAnAgentWhoIsAddedWorksAndOneWhoIsAbsentDoesNot(t *testing.T) {
	s := busyDay(t)
	talks := func(f Figures, agent tel.AgentID) (sum time.Duration) {
		for _, e := range f.Intervals {
			if e.Agent == agent && e.State == tel.AgentTalking {
				sum += e.To.Sub(e.From)
			}
		}
		return sum
	}
	if d := talks(with(t, s, Change{Agents: 1}), extra(0)); d < 30*time.Minute {
		t.Errorf("the added agent talked for %v", d)
	}
	out, err := s.absent(Change{Queue: "support", Agents: -1})
	if err != nil || len(out) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	f := with(t, s, Change{Agents: -1})
	for id := range out {
		if talks(s.Recorded, id) == 0 || talks(f, id) != 0 {
			t.Errorf("%s talked for %v, and absent for %v", id, talks(s.Recorded, id), talks(f, id))
		}
	}
}

func TestAnotherWrapUpAndAnotherStrategyTakeEffect(t *testing.T) {
	s := busyDay(t)
	none, long := time.Duration(0), 2*time.Minute
	a, b := with(t, s, Change{WrapUp: &none}).Queues["support"], with(t, s, Change{WrapUp: &long}).Queues["support"]
	if a.Wrapped != 0 || b.Wrapped <= s.Recorded.Queues["support"].Wrapped {
		t.Errorf("after-call work of %v, %v and %v", a.Wrapped, s.Recorded.Queues["support"].Wrapped, b.Wrapped)
	}
	if a.SpeedOfAnswer() >= b.SpeedOfAnswer() {
		t.Errorf("callers wait %v without after-call work and %v with a long one", a.SpeedOfAnswer(), b.SpeedOfAnswer())
	}
	all := with(t, s, Change{Strategy: plan.RingAll})
	offers := func(f Figures) (n int) {
		for _, w := range f.Waits {
			if w.Queue == "support" {
				n += w.Offers
			}
		}
		return n
	}
	if offers(all) <= offers(s.Recorded) {
		t.Errorf("%d offers when all phones ring, %d before", offers(all), offers(s.Recorded))
	}
}

func TestARerunDrawsTheSameAgain(t *testing.T) {
	s := busyDay(t)
	same(t, with(t, s, Change{Agents: 1}), with(t, s, Change{Agents: 1}))
}

func TestWhatCannotBeChangedIsSaid(t *testing.T) {
	s := busyDay(t)
	tooLong := 48 * time.Hour
	for name, c := range map[string]struct {
		change Change
		want   error
	}{
		"a queue that did not exist":      {Change{Queue: "nowhere", Agents: 1}, ErrNoQueue},
		"too many agents":                 {Change{Queue: "support", Agents: 99}, ErrChange},
		"fewer agents than there were":    {Change{Queue: "support", Agents: -5}, ErrChange},
		"a strategy that nobody knows":    {Change{Queue: "support", Strategy: "astrology"}, ErrChange},
		"after-call work without an end ": {Change{Queue: "support", WrapUp: &tooLong}, ErrChange},
	} {
		if _, err := s.Rerun(t.Context(), c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Rerun(gone, Change{}); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait for it: %v", err)
	}
}

func TestADayThatTheJournalDoesNotHoldIsSaid(t *testing.T) {
	s := newShop(t, 3, 4)
	s.open()
	s.comes(20, time.Hour)
	s.run(2 * time.Hour)
	for name, c := range map[string]struct {
		journal []entry
		from    time.Time
	}{
		"a day before":                        {s.journal, morning.AddDate(0, 0, -1)},
		"a journal whose beginning is gone":   {s.journal[5:], morning},
		"a day after":                         {s.journal, morning.AddDate(0, 0, 1)},
		"a journal with a gap before the day": {append(append([]entry{}, s.journal[:8]...), s.journal[12:]...), morning.Add(time.Hour)},
	} {
		r := NewReader(c.from, c.from.Add(24*time.Hour))
		if name == "a day before" {
			r = NewReader(c.from, c.from.Add(20*time.Hour))
		}
		for _, e := range c.journal {
			_ = r.Take(e.kind, e.body)
		}
		if _, err := r.Story(); !errors.Is(err, ErrNoState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The estimate of a small hospital, by hand: 2, 3+, 4, 5+, 6 (a plus is who was still there) leave
// 4/5, 4/5 * 2/3 and nothing.
func TestPatienceIsTheEstimateOfKaplanAndMeier(t *testing.T) {
	var p patience
	for _, x := range []struct {
		s    time.Duration
		gave bool
	}{{4, true}, {2, true}, {5, false}, {6, true}, {3, false}} {
		p.take(x.s*time.Second, x.gave)
	}
	p.fit()
	for i, want := range []float64{0.8, 0.8 * 2 / 3, 0} {
		if math.Abs(p.remain[i]-want) > 1e-9 {
			t.Errorf("after %v %.4f stay, want %.4f", p.gave[i], p.remain[i], want)
		}
	}
	for _, c := range []struct {
		known time.Duration
		lot   float64
		want  time.Duration
	}{
		{0, 0.1, 2 * time.Second},
		{0, 0.3, 4 * time.Second},
		{0, 0.9, 6 * time.Second},
		{3 * time.Second, 0.2, 4 * time.Second},
		{4 * time.Second, 0, 6 * time.Second},
	} {
		if d, ok := p.beyond(c.known, c.lot); !ok || d != c.want {
			t.Errorf("who has stayed %v, by a lot of %v: %v", c.known, c.lot, d)
		}
	}
	if d, ok := p.beyond(time.Minute, 0.5); !ok || d <= time.Minute {
		t.Errorf("who has stayed longer than anybody: %v, %v", d, ok)
	}
	var none *patience
	if _, ok := none.beyond(0, 0.5); ok {
		t.Error("callers of a queue that nobody knows give up")
	}
}

// A large day is run again in seconds: see the figure, the bar is for a person who waits for it.
func BenchmarkADayOf5000Calls(b *testing.B) {
	t := &testing.T{}
	s := newShop(t, 5, 40)
	s.busy = 3 * time.Minute
	s.open()
	s.comes(5000, 9*time.Hour)
	s.run(12 * time.Hour)
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			s.story(morning, morning.Add(24*time.Hour))
		}
	})
	story := s.story(morning, morning.Add(24*time.Hour))
	b.Run("rerun", func(b *testing.B) {
		for b.Loop() {
			if _, err := story.Rerun(b.Context(), Change{Queue: "support", Agents: 1}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(len(s.journal)), "records")
}
