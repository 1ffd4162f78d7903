package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestACallerWhomNobodyCanEverServeIsSentOnWithTheReason(t *testing.T) {
	english := func(o *office) { o.needy("c1", anEnglish5...) }
	anybody := func(o *office) { o.needy("c1") }
	skilled := map[tel.AgentID]map[string]int{"b": {"english": 5}}
	members := []tel.AgentID{"a", "b"}
	for name, c := range map[string]struct {
		queue   QueueSpec
		joins   func(o *office)
		then    func(o *office)
		why     string
		outcome tel.QueueOutcome
	}{
		"a queue without members":                {QueueSpec{}, anybody, nil, "no_members", tel.OutcomeRefused},
		"a skill that nobody has":                {QueueSpec{Members: []tel.AgentID{"a"}}, english, nil, "no_skill", tel.OutcomeRefused},
		"a skill that somebody has":              {QueueSpec{Members: members}, english, nil, "", ""},
		"a level that nobody reaches":            {QueueSpec{Members: members}, func(o *office) { o.needy("c1", tel.Need{Skill: "english", Level: 6}) }, nil, "no_skill", tel.OutcomeRefused},
		"a skill that is given up after a while": {QueueSpec{Members: []tel.AgentID{"a"}, Distribution: Distribution{Relax: []Relax{{After: time.Hour}}}}, english, nil, "", ""},
		"who has the skill is away":              {QueueSpec{Members: members}, english, func(o *office) { o.do(Logout{"b"}) }, "", ""},
		"who has the skill pauses in this queue": {QueueSpec{Members: members}, english, func(o *office) { o.do(LeaveQueue{"b", "q", "mail"}) }, "", ""},
		"the skill is taken from who had it": {QueueSpec{Members: members}, english, func(o *office) {
			o.configure([]QueueSpec{{ID: "q", Members: members, Distribution: Distribution{NoSkillTo: "ext:9"}}}, nil)
		}, "no_skill", tel.OutcomeWithdrawn},
		"who has the skill is no member any more": {QueueSpec{Members: members}, english, func(o *office) {
			o.configure([]QueueSpec{{ID: "q", Members: []tel.AgentID{"a"}, Distribution: Distribution{NoSkillTo: "ext:9"}}}, skilled)
		}, "no_skill", tel.OutcomeWithdrawn},
		"the last member is taken away": {QueueSpec{Members: members}, anybody, func(o *office) {
			o.configure([]QueueSpec{{ID: "q", Distribution: Distribution{NoSkillTo: "ext:9"}}}, nil)
		}, "no_members", tel.OutcomeWithdrawn},
		"who had been lent is taken back": {QueueSpec{Members: []tel.AgentID{"a"}}, func(o *office) {
			o.do(AddMember{"b", "q", "carla"})
			english(o)
		}, func(o *office) { o.do(RemoveMember{"b", "q", "carla"}) }, "no_skill", tel.OutcomeWithdrawn},
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, []QueueSpec{{ID: "q", Members: members}}, members...)
			c.queue.ID, c.queue.NoSkillTo = "q", "ext:9"
			o.configure([]QueueSpec{c.queue}, skilled)
			for _, m := range members {
				o.do(Pause{m, "so that nobody rings"})
			}
			c.joins(o)
			if c.then != nil {
				c.then(o)
			}
			var got tel.QueueLeft
			for _, l := range o.left() {
				got = l
			}
			if got.Why != c.why || got.Outcome != c.outcome || (c.why == "") != (o.s.Entries["c1"] != nil) {
				t.Fatalf("record %+v, waiting %v", got, o.s.Entries["c1"])
			}
			if m := sent[tel.Overflow](o); c.why != "" && (len(m) == 0 || m[len(m)-1] != tel.Overflow{Call: "c1", To: "ext:9", Why: c.why}) {
				t.Fatalf("the call was told %+v", m)
			}
		})
	}
}

func TestFaultyRulesAreRefusedAllAtOnceAndChangeNothing(t *testing.T) {
	o := team(t, LongestIdle, Distribution{})
	before, _ := o.s.Snapshot()
	many := make([]tel.Need, MaxNeeds+1)
	rules := make([]LevelRule, maxRules+1)
	o.do(Configure{[]QueueSpec{QueueSpec{
		ID: "q", Strategy: "leastest", Members: []tel.AgentID{"a"}, Distribution: Distribution{
			Target: 2 * time.Hour, Weight: 101, Step: time.Millisecond, Soon: -1, Sticky: -1, StickyWait: 2 * time.Hour, LevelsAbove: -1,
			Grades: map[tel.AgentID]Grade{"ghost": {Level: 100, Weight: -1}}, Needs: many,
			Levels: append([]LevelRule{{After: 5, From: 3, UpTo: 2}, {After: 5, UpTo: 100}}, rules...),
			Relax:  []Relax{{After: -1, Level: 10}, {After: -2, Level: 11}},
		},
	}.Defaults()}, []AgentSpec{{ID: "a", Skills: map[string]int{"": 3, "x": 11}}}})
	r, refused := o.out[0].(Refuse)
	if after, _ := o.s.Snapshot(); !refused || string(after) != string(before) {
		t.Fatal("accepted, or the state changed")
	}
	for _, want := range []string{
		`unknown strategy "leastest"`, "target 2h", "weight 101", "step 1ms", "soon -1ns", "sticky -1ns", "sticky_wait 2h", "levels_above -1",
		`"ghost" is no member`, "level of ghost 100", "weight of ghost -1", "more than 16 skills", `""`, "more than 20 rules", "levels[0]: levels 3 to 2",
		"levels[1]: after 5ns", "levels[1]: levels 0 to 100", "relax[0]: level 10", "relax[0]: after -1ns", "relax[1]: after -2ns", `agents[0].skills: "" at level 3`, `"x" at level 11`,
	} {
		if !strings.Contains(r.Err.Error(), want) {
			t.Errorf("not reported: %s\n%v", want, r.Err)
		}
	}
}

func TestAnAgentOfADeletedQueueEndsTheCallAndServesTheOthers(t *testing.T) {
	o := staffed(t, []QueueSpec{
		{ID: "gone", Members: []tel.AgentID{"a"}, Distribution: Distribution{Sticky: time.Hour}}, {ID: "q", Strategy: FewestCalls, Members: []tel.AgentID{"a"}},
	}, "a")
	o.call("c1", "gone")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.configure([]QueueSpec{{ID: "q", Strategy: FewestCalls, Members: []tel.AgentID{"a"}, Distribution: Distribution{Sticky: time.Hour}}}, nil)
	o.wait(time.Minute)
	o.wantState("a", tel.AgentTalking)
	o.call("c2", "q")
	o.tell(tel.TalkEnded{Offer: of.Offer})
	if next := o.one(); next.Call != "c2" || next.Agent != "a" {
		t.Fatalf("offer %+v", next)
	}
	if got := o.s.Today("a", o.now); got.Calls != 1 || got.Talk != time.Minute {
		t.Fatalf("the day's work %+v", got)
	}
}

func TestAClockThatJumpsByADayMovesNoRuleAndNoFigure(t *testing.T) {
	for _, by := range []time.Duration{24 * time.Hour, -24 * time.Hour, 40 * 365 * 24 * time.Hour} {
		t.Run(fmt.Sprint(by), func(t *testing.T) {
			o := team(t, ProgressiveRing, Distribution{
				Step: 10 * time.Second, Grades: map[tel.AgentID]Grade{"d": {Level: 1}}, Levels: []LevelRule{{After: 30 * time.Second, UpTo: 1}},
				Sticky: time.Hour, StickyWait: 20 * time.Second,
			})
			o.served(time.Minute)
			o.s.Queues["q"].Spec.Ring = time.Minute
			o.call("c", "q")
			joined := o.now
			rings := func(after time.Duration) int {
				o.wait(joined.Add(after).Sub(o.now))
				for _, id := range o.s.Entries["c"].Offers {
					o.tell(tel.OfferRinging{Offer: id})
				}
				return len(o.ringing("c"))
			}
			if got := rings(5 * time.Second); got != 1 {
				t.Fatalf("%d ring, want the agent of the last time", got)
			}
			joined = joined.Add(by)
			o.now = o.now.Add(by)
			o.do(ClockMoved{by})
			if got := o.s.Today("a", o.now); got.Calls != 1 || got.Talk != time.Minute {
				t.Fatalf("the day's work is %+v after the jump", got)
			}
			for _, c := range []struct {
				after time.Duration
				rings int
			}{
				{20*time.Second - 1, 1}, // waited for alone
				{20 * time.Second, 3},   // the third step
				{30*time.Second - 1, 3},
				{30 * time.Second, 4}, // the level opens with the fourth
			} {
				if got := rings(c.after); got != c.rings {
					t.Fatalf("after %v of wait %d ring, want %d", c.after, got, c.rings)
				}
			}
		})
	}
}
