package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// regulars is an office in which b has served the caller +39021 a moment ago.
func regulars(t *testing.T, d Distribution) *office {
	t.Helper()
	o := team(t, LongestIdle, d)
	o.do(Pause{"a", "break"})
	o.tell(tel.Enqueue{Call: "before", Queue: "q", Caller: "+39021", EnqueuedAt: o.now})
	of := o.one()
	if of.Agent != "b" {
		t.Fatalf("%s rings, want b", of.Agent)
	}
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.do(Resume{"a"})
	o.wait(time.Minute)
	return o
}

func (o *office) again() {
	o.tell(tel.Enqueue{Call: "again", Queue: "q", Caller: "+39021", EnqueuedAt: o.now})
}

func TestACallerIsGivenTheAgentOfTheLastTime(t *testing.T) {
	d := Distribution{Sticky: 24 * time.Hour, StickyWait: 20 * time.Second}
	for name, c := range map[string]struct {
		happens func(o *office)
		rings   []tel.AgentID // at once
		later   []tel.AgentID // when the wait for the agent is over
	}{
		"who is free rings, though others are idle longer": {func(*office) {}, []tel.AgentID{"b"}, []tel.AgentID{"b"}},
		"who talks is waited for":                          {func(o *office) { o.tell(tel.AgentEngaged{Agent: "b", Call: "x"}) }, nil, []tel.AgentID{"a"}},
		"who is paused is not waited for":                  {func(o *office) { o.do(Pause{"b", "lunch"}) }, []tel.AgentID{"a"}, []tel.AgentID{"a"}},
		"who has gone home is not waited for":              {func(o *office) { o.do(Logout{"b"}) }, []tel.AgentID{"a"}, []tel.AgentID{"a"}},
		"who will not be free in time is not waited for": {func(o *office) {
			o.s.Agents["b"].WrapUntil = o.now.Add(21 * time.Second)
			o.s.reindex()
		}, []tel.AgentID{"a"}, []tel.AgentID{"a"}},
		"after the time that it is remembered anybody rings": {func(o *office) { o.wait(24 * time.Hour) }, []tel.AgentID{"a"}, []tel.AgentID{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := regulars(t, d)
			c.happens(o)
			o.again()
			o.wantRinging("again", c.rings...)
			for _, id := range o.s.Entries["again"].Offers {
				o.tell(tel.OfferRinging{Offer: id})
			}
			if len(c.rings) == 0 {
				o.wait(20*time.Second - 1)
				o.wantRinging("again")
				o.wait(1)
			}
			o.wantRinging("again", c.later...)
		})
	}
}

func TestAnAgentWhoIsWaitedForRingsWhenFreeAndWhoRefusesIsNotWaitedFor(t *testing.T) {
	o := regulars(t, Distribution{Sticky: time.Hour, StickyWait: time.Minute})
	o.tell(tel.AgentEngaged{Agent: "b", Call: "x"})
	o.again()
	o.wait(5 * time.Second)
	o.tell(tel.AgentDisengaged{Agent: "b", Call: "x"})
	o.wantRinging("again", "b")
	o.tell(tel.OfferFailed{Offer: o.s.Entries["again"].Offers[0], Cause: tel.CauseRejected})
	o.wantRinging("again", "a")
}

func TestWaitingForOneAgentHoldsUpNobodyElse(t *testing.T) {
	o := regulars(t, Distribution{Sticky: time.Hour, StickyWait: time.Minute})
	o.tell(tel.AgentEngaged{Agent: "b", Call: "x"})
	o.again()
	o.call("stranger", "q")
	o.wantRinging("again")
	o.wantRinging("stranger", "a")
	o.call("second", "q")
	o.wantRinging("second", "c")
}

func TestWithoutAWaitTheAgentOfTheLastTimeIsOnlyPreferred(t *testing.T) {
	o := regulars(t, Distribution{Sticky: time.Hour})
	o.tell(tel.AgentEngaged{Agent: "b", Call: "x"})
	o.again()
	o.wantRinging("again", "a")
}

func TestEveryMemberOfTheQueueIsExplainedToTheCaller(t *testing.T) {
	s := NewState()
	spec := QueueSpec{ID: "q", Distribution: Distribution{
		Needs: anEnglish5, Relax: []Relax{{After: time.Hour, Level: 2}},
		Grades: map[tel.AgentID]Grade{"level": {Level: 2}, "passed": {Level: 1}},
		Levels: []LevelRule{{UpTo: 0}, {After: time.Hour, From: 2, UpTo: 2}},
	}}
	e := &Entry{Call: "c", Queue: "q", EnqueuedAt: t0, Offers: []tel.OfferID{"o"}}
	e.refuse("said-no", Refusal{Until: t0.Add(8 * time.Second)})
	s.Offers["o"] = &Offer{ID: "o", Call: "c", Queue: "q", Agent: "rings", Phase: Ringing, Deadline: t0.Add(time.Minute)}
	at := t0.Add(10 * time.Minute)
	want := map[tel.AgentID]string{}
	for _, c := range []struct {
		id   tel.AgentID
		fact func(a *Agent)
		want string
	}{
		{"away", func(a *Agent) { a.ShiftOver = true }, "shift_over"},
		{"free", func(*Agent) {}, "eligible"},
		{"home", func(a *Agent) { a.LoggedIn = false }, "logged_out"},
		{"level", func(*Agent) {}, "level_not_open (level 2) 50m0s"},
		{"lunch", func(a *Agent) { a.Paused, a.Reason = true, "lunch" }, "paused (lunch)"},
		{"passed", func(*Agent) {}, "level_not_open (level 1)"},
		{"rests", func(a *Agent) { a.RestUntil = at.Add(time.Second) }, "phone_failed 1s"},
		{"rings", func(a *Agent) { a.Offer, a.Alerted = "o", true }, "rings_for_this_caller"},
		{"said-no", func(*Agent) { e.refuse("said-no", Refusal{Until: at.Add(8 * time.Second)}) }, "refused_this_caller 8s"},
		{"skill", func(a *Agent) { a.Spec.Skills["english"] = 2 }, "skill_too_low (english 2 of 5) 50m0s"},
		{"talks", func(a *Agent) { a.Engaged = []Engagement{{Call: "x"}} }, "talking"},
		{"unplugged", func(a *Agent) { a.Reachable = false }, "unreachable"},
		{"wraps", func(a *Agent) { a.WrapUntil = at.Add(time.Minute) }, "wrap_up 1m0s"},
	} {
		spec.Members = append(spec.Members, c.id)
		a := &Agent{Spec: AgentSpec{ID: c.id, Skills: map[string]int{"english": 7}}, LoggedIn: true, Reachable: true}
		c.fact(a)
		s.Agents[c.id], want[c.id] = a, c.want
	}
	s.Queues["q"], s.Entries["c"] = &Queue{Spec: spec.Defaults()}, e
	s.reindex()
	explained := func(at time.Time) map[tel.AgentID]string {
		got := map[tel.AgentID]string{}
		for _, x := range s.Explain("c", at) {
			got[x.Agent] = strings.TrimPrefix(x.String(), string(x.Agent)+" ")
			if !x.Until.IsZero() {
				got[x.Agent] += " " + x.Until.Sub(at).String()
			}
		}
		return got
	}
	got := explained(at)
	for m := range want {
		if got[m] != want[m] {
			t.Errorf("%s: %q, want %q", m, got[m], want[m])
		}
	}
	if late := explained(t0.Add(time.Hour)); late["passed"] != "level_passed (level 1)" || late["skill"] != "level_passed (level 0)" {
		t.Errorf("an hour later: %v", late)
	}
	if s.Explain("nobody", at) != nil {
		t.Error("a call that does not wait was explained")
	}
}

func TestACallerWhoWaitsForOneAgentIsExplainedSo(t *testing.T) {
	o := regulars(t, Distribution{Sticky: time.Hour, StickyWait: time.Minute})
	o.tell(tel.AgentEngaged{Agent: "b", Call: "x"})
	o.again()
	for _, x := range o.s.Explain("again", o.now) {
		want := "waits_for_last_agent (b)"
		if x.Agent == "b" {
			want = "talking"
		}
		if got := strings.TrimPrefix(x.String(), string(x.Agent)+" "); got != want {
			t.Errorf("%s: %s, want %s", x.Agent, got, want)
		}
	}
}

func TestAnOfferSaysWhyThisAgentAndWhyNotTheOthers(t *testing.T) {
	why := func(o *office) (last string) {
		for _, e := range o.events {
			if of, ok := e.(tel.QueueOffered); ok {
				last = of.Why.String()
			}
		}
		return last
	}
	for name, c := range map[string]struct {
		strategy Strategy
		d        Distribution
		skills   map[tel.AgentID]map[string]int
		want     string
	}{
		"the longest idle": {LongestIdle, Distribution{}, nil, "longest idle of 4 free"},
		"who lacks the skill is named": {
			LongestIdle,
			Distribution{Needs: anEnglish5},
			map[tel.AgentID]map[string]int{"a": {"english": 4}, "b": {"english": 5}, "c": {"english": 5}},
			"longest idle of 2 free; not a skill_too_low (english 4 of 5), d skill_too_low (english 0 of 5)",
		},
		"the best skilled": {
			Ordered,
			Distribution{Needs: anEnglish5, BestSkilled: true},
			map[tel.AgentID]map[string]int{"a": {"english": 5}, "b": {"english": 6}, "c": {"english": 5}, "d": {"english": 5}},
			"best skilled, first in order of 4 free",
		},
		"the level": {
			FewestCalls,
			Distribution{Grades: map[tel.AgentID]Grade{"d": {Level: 3}}, Levels: []LevelRule{{UpTo: 1}}},
			nil,
			"fewest calls today (0) of 3 free, level 0; not d level_not_open (level 3)",
		},
		"chance": {WeightedRandom, Distribution{Grades: map[tel.AgentID]Grade{"a": {Weight: 3}, "b": {Weight: 3}, "c": {Weight: 3}, "d": {Weight: 3}}}, nil, "drawn by lot with weight 3 of 4 free"},
	} {
		t.Run(name, func(t *testing.T) {
			o := team(t, c.strategy, Distribution{})
			o.configure([]QueueSpec{{ID: "q", Strategy: c.strategy, Members: []tel.AgentID{"a", "b", "c", "d"}, Distribution: c.d}}, c.skills)
			o.call("c", "q")
			if got := why(o); got != c.want {
				t.Fatalf("%q, want %q", got, c.want)
			}
		})
	}
	o := regulars(t, Distribution{Sticky: time.Hour})
	o.again()
	if got := why(o); got != "served this caller last, first of 4 free" {
		t.Fatal(got)
	}
}
