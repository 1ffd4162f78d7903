package plan

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var anEnglish5 = []tel.Need{{Skill: "english", Level: 5}}

// needy lets a caller join who asks for skills.
func (o *office) needy(id tel.CallID, needs ...tel.Need) {
	o.tell(tel.Enqueue{Call: id, Queue: "q", Caller: "0212345678", Needs: needs, EnqueuedAt: o.now})
}

// ringing lists the agents who ring for a caller.
func (o *office) ringing(call tel.CallID) []tel.AgentID {
	var all []tel.AgentID
	if e := o.s.Entries[call]; e != nil {
		for _, id := range e.Offers {
			all = append(all, o.s.Offers[id].Agent)
		}
	}
	slices.Sort(all)
	return all
}

func (o *office) wantRinging(call tel.CallID, want ...tel.AgentID) {
	o.t.Helper()
	if got := o.ringing(call); !slices.Equal(got, want) {
		o.t.Fatalf("after %v %v ring for %s, want %v", o.now.Sub(t0), got, call, want)
	}
}

func TestASkillIsAskedForLessAndLessAtTheExactSecond(t *testing.T) {
	o := team(t, LongestIdle, Distribution{})
	o.configure([]QueueSpec{{
		ID: "q", Members: []tel.AgentID{"a", "b", "c"}, Distribution: Distribution{
			Relax: []Relax{{After: 20 * time.Second, Level: 3}, {After: 40 * time.Second, Level: 0}},
		},
	}}, map[tel.AgentID]map[string]int{"b": {"english": 3}, "c": {"english": 9}})
	o.do(Pause{"c", "break"})
	o.needy("c1", anEnglish5...)
	o.wantRinging("c1")
	o.wait(20*time.Second - 1)
	o.wantRinging("c1")
	o.wait(1)
	o.wantRinging("c1", "b")
	o.tell(tel.OfferFailed{Offer: o.s.Entries["c1"].Offers[0], Cause: tel.CauseRejected})
	o.do(Pause{"b", "break"})
	o.wait(20*time.Second - 1)
	o.wantRinging("c1")
	o.wait(1)
	o.wantRinging("c1", "a")
}

func TestTheNeedsOfTheQueueAndOfTheCallBothCount(t *testing.T) {
	o := team(t, LongestIdle, Distribution{})
	o.configure([]QueueSpec{{
		ID: "q", Members: []tel.AgentID{"a", "b", "c"}, Distribution: Distribution{Needs: []tel.Need{{Skill: "billing", Level: 2}, {Skill: "english", Level: 3}}},
	}}, map[tel.AgentID]map[string]int{
		"a": {"english": 10}, "b": {"billing": 2, "english": 4}, "c": {"billing": 2, "english": 5},
	})
	o.needy("c1", anEnglish5...)
	o.wantRinging("c1", "c")
	o.needy("c2", tel.Need{Skill: "english", Level: 1})
	o.wantRinging("c2", "b")
}

func TestTheBestSkilledGoBeforeTheStrategy(t *testing.T) {
	for best, want := range map[bool]tel.AgentID{false: "a", true: "c"} {
		o := team(t, LongestIdle, Distribution{})
		o.configure([]QueueSpec{{
			ID: "q", Members: []tel.AgentID{"a", "b", "c", "d"}, Distribution: Distribution{BestSkilled: best},
		}}, map[tel.AgentID]map[string]int{"a": {"english": 6}, "b": {"english": 7}, "c": {"english": 9}, "d": {"english": 9}})
		o.needy("c1", anEnglish5...)
		o.wantRinging("c1", want) // c and d are equals: longest idle
	}
}

func TestASkillChangedWhileTheCallerWaitsCountsAtOnce(t *testing.T) {
	o := team(t, LongestIdle, Distribution{})
	queue := QueueSpec{ID: "q", Members: []tel.AgentID{"a", "b"}}
	o.configure([]QueueSpec{queue}, map[tel.AgentID]map[string]int{"b": {"english": 5}})
	o.do(Pause{"b", "break"})
	o.needy("c1", anEnglish5...)
	o.wantRinging("c1")
	o.configure([]QueueSpec{queue}, map[tel.AgentID]map[string]int{"a": {"english": 5}, "b": {"english": 5}})
	o.wantRinging("c1", "a")
}

// asterisk#1561: a queue of greater weight took agents whom its own penalties kept from its callers, and
// the callers of the other queue starved beside free agents.
func TestAsterisk1561WeightsAndPenaltiesStarveNobody(t *testing.T) {
	o := staffed(t, []QueueSpec{
		{ID: "heavy", Members: []tel.AgentID{"a", "x"}, Distribution: Distribution{
			Weight: 100, Grades: map[tel.AgentID]Grade{"x": {Level: 5}}, Levels: []LevelRule{{UpTo: 1}},
		}},
		{ID: "light", Members: []tel.AgentID{"x"}},
	}, "a", "x")
	o.call("h0", "heavy")
	o.tell(tel.OfferAnswered{Offer: o.one().Offer}) // a talks, and counts as present
	for _, c := range []tel.CallID{"h1", "h2", "h3"} {
		o.call(c, "heavy")
		o.wantRinging(c) // x is outside of the levels for them
	}
	o.call("l1", "light")
	o.wantRinging("l1", "x")
}

func TestLevelsOpenAtTheExactSecondOfThisCallersWait(t *testing.T) {
	o := team(t, LongestIdle, Distribution{
		Grades: map[tel.AgentID]Grade{"b": {Level: 1}, "c": {Level: 2}, "d": {Level: 3}},
		Levels: []LevelRule{{After: 10 * time.Second, UpTo: 1}, {After: 30 * time.Second, From: 2, UpTo: 2}},
	})
	o.do(Pause{"c", "break"}) // who was idle longer than d, so that levels alone can choose
	o.call("busy", "q")
	o.tell(tel.OfferAnswered{Offer: o.one().Offer}) // a talks
	o.call("first", "q")
	o.wantRinging("first")
	o.wait(5 * time.Second)
	o.call("second", "q")
	o.wait(5*time.Second - 1)
	o.wantRinging("first")
	o.wait(1)
	o.wantRinging("first", "b")
	o.wait(5 * time.Second)
	o.wantRinging("second") // its level is open, and b rings elsewhere
	o.do(Resume{"c"})
	o.wait(10 * time.Second)
	o.wantRinging("second")
	o.wait(9 * time.Second)
	rings := slices.Clone(o.s.Entries["first"].Offers)
	o.tell(tel.CallerGone{Call: "first"})
	for _, id := range rings {
		o.tell(tel.OfferSettled{Offer: id})
	}
	o.wantRinging("second", "b")
	o.do(Pause{"b", "break"})
	o.wait(time.Second)
	o.wantRinging("second", "c")
}

func TestALevelWithoutAnybodyPresentOpensTheNextAtOnce(t *testing.T) {
	open := func(t *testing.T) *office {
		return team(t, LongestIdle, Distribution{
			Grades: map[tel.AgentID]Grade{"b": {Level: 1}, "c": {Level: 3}, "d": {Level: 3}}, Soon: time.Minute,
			Levels: []LevelRule{{After: time.Hour, UpTo: 3}},
		})
	}
	for name, c := range map[string]struct {
		happens func(o *office)
		rings   []tel.AgentID
	}{
		"who is paused is not present":     {func(o *office) { o.do(Pause{"a", "break"}) }, []tel.AgentID{"b"}},
		"who is logged out is not present": {func(o *office) { o.do(Logout{"a"}) }, []tel.AgentID{"b"}},
		"who has no phone is not present":  {func(o *office) { o.tell(tel.AgentReachable{Agent: "a"}) }, []tel.AgentID{"b"}},
		"levels without people are passed": {func(o *office) { o.do(Pause{"a", "break"}); o.do(Logout{"b"}) }, []tel.AgentID{"c"}},
		"who talks is present": {func(o *office) {
			o.tell(tel.AgentEngaged{Agent: "a", Call: "x"})
		}, nil},
		"who wraps up for less than the limit is present": {func(o *office) {
			o.s.Agents["a"].WrapUntil = o.now.Add(time.Minute)
			o.s.reindex()
		}, nil},
		"who wraps up for longer is not": {func(o *office) {
			o.s.Agents["a"].WrapUntil = o.now.Add(time.Minute + 1)
			o.s.reindex()
		}, []tel.AgentID{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			c.happens(o)
			o.call("c1", "q")
			o.wantRinging("c1", c.rings...)
		})
	}
	o := open(t)
	o.call("busy", "q") // a rings, talks, and pauses while a caller waits
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.call("c1", "q")
	o.wantRinging("c1")
	o.do(Pause{"a", "lunch"})
	o.wantRinging("c1", "b")
}

func TestALevelWhoseAgentsLackTheSkillCountsAsEmpty(t *testing.T) {
	o := team(t, LongestIdle, Distribution{})
	o.configure([]QueueSpec{{ID: "q", Members: []tel.AgentID{"a", "b"}, Distribution: Distribution{
		Grades: map[tel.AgentID]Grade{"b": {Level: 1}}, Levels: []LevelRule{{UpTo: 0}},
	}}}, map[tel.AgentID]map[string]int{"b": {"english": 5}})
	o.needy("english", anEnglish5...)
	o.wantRinging("english", "b")
	o.call("any", "q")
	o.wantRinging("any", "a")
}

func TestLevelsAreNotLookedAtWhileFewArePresent(t *testing.T) {
	o := team(t, LongestIdle, Distribution{
		Grades: map[tel.AgentID]Grade{"a": {Level: 1}, "b": {Level: 1}, "c": {Level: 0}, "d": {Level: 0}}, LevelsAbove: 3,
		Levels: []LevelRule{{UpTo: 0}},
	})
	o.call("c1", "q")
	o.wantRinging("c1", "c") // four are present
	o.do(Pause{"d", "break"})
	o.call("c2", "q") // three configured or not: three are present
	o.wantRinging("c2", "a")
}

func TestLevelsAreReadAnewWhileTheCallerWaits(t *testing.T) {
	o := team(t, LongestIdle, Distribution{Grades: map[tel.AgentID]Grade{"b": {Level: 1}}, Levels: []LevelRule{{After: time.Hour, UpTo: 1}}})
	o.configure([]QueueSpec{{ID: "q", Members: []tel.AgentID{"a", "b"}, Distribution: o.s.Queues["q"].Spec.Distribution}}, nil)
	o.call("busy", "q")
	o.tell(tel.OfferAnswered{Offer: o.one().Offer})
	o.call("c1", "q")
	d := o.s.Queues["q"].Spec.clone()
	d.Levels = []LevelRule{{After: 20 * time.Second, UpTo: 1}}
	o.configure([]QueueSpec{{ID: "q", Members: []tel.AgentID{"a", "b"}, Distribution: d}}, nil)
	o.wait(20*time.Second - 1)
	o.wantRinging("c1")
	o.wait(1)
	o.wantRinging("c1", "b")
}

func TestBetweenQueuesGoesFirstWhoIsDueFirst(t *testing.T) {
	for name, c := range map[string]struct {
		heavy Distribution
		gap   time.Duration // from the light queue's caller to the heavy one's
		want  tel.CallID
	}{
		"equal queues go by time":                                {Distribution{}, time.Second, "light"},
		"a shorter target goes before, by the difference":        {Distribution{Target: 10 * time.Second}, 9 * time.Second, "heavy"},
		"and not by more":                                        {Distribution{Target: 10 * time.Second}, 11 * time.Second, "light"},
		"a weight divides the target":                            {Distribution{Weight: 20}, 18 * time.Second, "heavy"},
		"the greatest weight overtakes by no more than a target": {Distribution{Weight: 100}, 20 * time.Second, "light"},
		"a longer target waits":                                  {Distribution{Target: time.Minute}, -30 * time.Second, "light"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, []QueueSpec{
				{ID: "light", Members: []tel.AgentID{"a"}},
				{ID: "heavy", Members: []tel.AgentID{"a"}, Distribution: c.heavy},
			}, "a")
			o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
			o.wait(time.Minute)
			at := o.now
			o.tell(tel.Enqueue{Call: "light", Queue: "light", EnqueuedAt: at.Add(-30 * time.Second)})
			o.tell(tel.Enqueue{Call: "heavy", Queue: "heavy", EnqueuedAt: at.Add(c.gap - 30*time.Second)})
			o.do(Login{"a"})
			if of := o.one(); of.Call != c.want {
				t.Fatalf("%s was served first", of.Call)
			}
		})
	}
}

func TestAnEmergencyQueueGoesBeforeAVIPAndBothBeforeEveryWeight(t *testing.T) {
	o := newOffice(t, []QueueSpec{
		{ID: "q", Members: []tel.AgentID{"a"}, Distribution: Distribution{Weight: 100}},
		{ID: "late", Members: []tel.AgentID{"a"}, Distribution: Distribution{Target: time.Hour}},
	}, "a")
	o.call("old", "q")
	o.wait(10 * time.Minute)
	o.tell(tel.Enqueue{Call: "vip", Queue: "late", Priority: tel.PriorityVIP, EnqueuedAt: o.now})
	o.wait(time.Minute)
	o.tell(tel.Enqueue{Call: "112", Queue: "late", Priority: 2 * tel.PriorityVIP, EnqueuedAt: o.now})
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.do(Login{"a"})
	for _, want := range []tel.CallID{"112", "vip", "old"} {
		of := o.one()
		if of.Call != want {
			t.Fatalf("%s was served, want %s", of.Call, want)
		}
		o.tell(tel.OfferAnswered{Offer: of.Offer})
		o.tell(tel.TalkEnded{Offer: of.Offer})
	}
}

func TestATargetChangedWhileCallersWaitSortsThemAnew(t *testing.T) {
	queues := func(target time.Duration) []QueueSpec {
		return []QueueSpec{
			{ID: "one", Members: []tel.AgentID{"a"}},
			{ID: "two", Members: []tel.AgentID{"a"}, Distribution: Distribution{Target: target}},
		}
	}
	o := newOffice(t, queues(20*time.Second), "a")
	o.call("first", "one")
	o.wait(5 * time.Second)
	o.call("second", "two")
	o.configure(queues(10*time.Second), nil)
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.do(Login{"a"})
	if of := o.one(); of.Call != "second" {
		t.Fatalf("%s was served first", of.Call)
	}
}

func TestSkillsAndLevelsSurviveARestart(t *testing.T) {
	o := team(t, FewestCalls, Distribution{Sticky: time.Hour, Needs: anEnglish5, Levels: []LevelRule{{After: time.Second, UpTo: 2}}})
	o.do(SetZone{"Europe/Rome"})
	kept := map[string][]byte{}
	for _, k := range o.s.Keys() {
		kept[k.String()], _, _ = o.s.Entity(k)
	}
	s, errs := RestoreEntities(kept)
	a, _ := s.Snapshot()
	b, _ := o.s.Snapshot()
	if len(errs) > 0 || string(a) != string(b) || s.zone.String() != "Europe/Rome" {
		t.Fatalf("%v\n%s\n%s", errs, a, b)
	}
}

// A state that a program without skills and levels wrote is read, and means the same.
func TestTheStateOfAnEarlierProgramIsRead(t *testing.T) {
	old := `{"v":1,"seq":3,"queues":[{"spec":{"id":"q","strategy":"round_robin","members":["a","b"],"ring":15000000000,"backoff":10000000000},"last":"a"}],` +
		`"agents":[{"spec":{"id":"a"},"logged_in":true,"reachable":true,"shown":{"state":"ready"}},{"spec":{"id":"b"},"logged_in":true,"reachable":true,"shown":{"state":"ready"}}],` +
		`"entries":[{"call":"c2","queue":"q","enqueued_at":"2026-03-02T09:00:01Z","arrived":"2026-03-02T09:00:01Z"},` +
		`{"call":"c1","queue":"q","enqueued_at":"2026-03-02T09:00:00Z","arrived":"2026-03-02T09:00:00Z"}],"offers":[]}`
	s, err := Restore([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	_, out := Next(s, Tick{}, t0.Add(time.Minute), 1)
	if got := decisions(out); !maps.Equal(got, map[tel.CallID]tel.AgentID{"c1": "b", "c2": "a"}) {
		t.Fatalf("offers %v", got)
	}
}

// For a caller whose skill nobody has who is there, the queue is as good as empty.
func TestACallerWhoseSkillNobodyPresentHasLeavesAfterTheGrace(t *testing.T) {
	grace := func(q QueueSpec) QueueSpec {
		q.ID, q.Members, q.LeaveEmpty, q.EmptyGrace, q.EmptyTo = "q", []tel.AgentID{"a", "b"}, true, 30*time.Second, "ext:9"
		return q
	}
	for name, c := range map[string]struct {
		queue   QueueSpec
		happens func(o *office)
		leaves  bool
	}{
		"who has it is logged out":                   {QueueSpec{}, func(o *office) { o.do(Logout{"b"}) }, true},
		"who has it comes back in time":              {QueueSpec{}, func(o *office) { o.do(Logout{"b"}); o.wait(20 * time.Second); o.do(Login{"b"}) }, false},
		"who has it serves another queue now":        {QueueSpec{}, func(o *office) { o.do(LeaveQueue{"b", "q", "mail"}) }, true},
		"who has it talks":                           {QueueSpec{}, func(o *office) { o.tell(tel.AgentEngaged{Agent: "b", Call: "x"}) }, false},
		"another learns it":                          {QueueSpec{}, func(o *office) { o.do(Logout{"b"}); o.do(SetSkills{"a", map[string]int{"english": 5}, "carla"}) }, false},
		"it will be given up, and somebody is there": {QueueSpec{Distribution: Distribution{Relax: []Relax{{After: time.Hour}}}}, func(o *office) { o.do(Logout{"b"}) }, false},
		"the queue itself asks for it":               {QueueSpec{Distribution: Distribution{Needs: anEnglish5}}, func(o *office) { o.do(Logout{"b"}) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := team(t, LongestIdle, Distribution{})
			o.configure([]QueueSpec{grace(c.queue)}, map[tel.AgentID]map[string]int{"b": {"english": 5}})
			o.tell(tel.AgentEngaged{Agent: "a", Call: "y"}) // present all the time
			o.tell(tel.AgentEngaged{Agent: "b", Call: "z"})
			o.needy("c1", anEnglish5...)
			c.happens(o)
			o.wait(30*time.Second - 1)
			if len(o.left()) > 0 {
				t.Fatalf("left before the grace was over: %+v", o.left())
			}
			o.wait(1)
			left := o.left()
			if (len(left) == 1) != c.leaves || c.leaves && (left[0].Outcome != tel.OutcomeEmpty || left[0].Why != "no_skill" || left[0].To != "ext:9") {
				t.Fatalf("records %+v", left)
			}
		})
	}
}
