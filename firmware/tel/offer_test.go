package tel

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestAReasonOfAnOfferReadsAsASentenceOfTheLog(t *testing.T) {
	passed := []PassedOver{{Agent: "b", Verdict: "skill_too_low", Skill: "english", Has: 2, Asked: 5}, {Agent: "c", Verdict: "level_not_open", Level: 2}, {Agent: "d", Verdict: "waits_for_last_agent", For: "e"}, {Agent: "f", Verdict: "refused_this_caller"}}
	for want, r := range map[string]OfferReason{
		"longest idle of 1 free":                   {Merit: MeritLongestIdle, Free: 1},
		"best skilled, next in turn of 2 free":     {Merit: MeritNextInTurn, BestSkilled: true, Free: 2},
		"fewest calls today (3) of 2 free":         {Merit: MeritFewestCalls, Value: 3, Free: 2},
		"least talk today (1m35s) of 2 free":       {Merit: MeritLeastTalk, Value: 95, Free: 2},
		"first in order of 2 free, level 0":        {Merit: MeritOrder, Free: 2, Levels: true},
		"first to ring of 2 free, level 4":         {Merit: MeritFirstToRing, Free: 2, Levels: true, Level: 4},
		"drawn by lot of 2 free":                   {Merit: MeritLot, Free: 2},
		"drawn by lot with weight 6 of 2 free":     {Merit: MeritWeightedLot, Value: 6, Free: 2},
		"served this caller last, first of 1 free": {Merit: MeritServedLast, Free: 1},

		"rings along":       {Merit: MeritRingsAlong},
		"assigned":          {Merit: MeritAssigned},
		"assigned by carla": {Merit: MeritAssigned, By: "carla"},

		"longest idle of 1 free; not b skill_too_low (english 2 of 5), c level_not_open (level 2), d waits_for_last_agent (e), f refused_this_caller, and more": {Merit: MeritLongestIdle, Free: 1, Passed: passed, More: true},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		text, err := json.Marshal(QueueOffered{Call: "c", Why: r})
		if err != nil {
			t.Fatal(err)
		}
		var back QueueOffered
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back.Why, r) {
			t.Errorf("%s: %+v, %v", text, back.Why, err)
		}
	}
}

// A record of before reasons had codes has a sentence under "why"; it is read without its reason.
func TestAnOfferOfAnOlderProgramIsStillRead(t *testing.T) {
	var e QueueOffered
	if err := json.Unmarshal([]byte(`{"queue":"q","call":"c","offer":"o","agent":"a","at":"2026-01-01T00:00:00Z","why":"longest idle of 1 free"}`), &e); err != nil || e.Agent != "a" || e.Why.Merit != "" {
		t.Errorf("%+v, %v", e, err)
	}
}
