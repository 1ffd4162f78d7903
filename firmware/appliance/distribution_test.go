package appliance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestThePlannerKnowsExactlyTheStrategiesOfTheConfiguration(t *testing.T) {
	var names []string
	for _, s := range plan.Strategies() {
		names = append(names, string(s))
	}
	if !reflect.DeepEqual(names, config.Strategies()) {
		t.Fatalf("the planner has %v, the configuration %v", names, config.Strategies())
	}
}

// twoLanguages is the example of the configuration's own tests, with a caller who always passes.
func twoLanguages(t *testing.T) config.Config {
	t.Helper()
	text, err := os.ReadFile("../config/testdata/distribution.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "trunks: [{id: tim, server: 127.0.0.1:5070, match: [127.0.0.1/32], in: {\"*\": \"queue:sales\"}}]\ndialling: {vip: [\"+39333*\"]}\n"...)
	c, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheDistributionReachesThePlannerWhole(t *testing.T) {
	c := twoLanguages(t)
	queues, agents := specs(&c)
	for i := range queues {
		queues[i] = queues[i].Defaults() // as their owner does
	}
	if err := plan.Validate(queues, agents); err != nil {
		t.Fatal(err)
	}
	want := plan.Distribution{
		Target: 15 * time.Second, Weight: 2, Step: 10 * time.Second,
		Grades: map[tel.AgentID]plan.Grade{"carla": {Level: 1, Weight: 1}},
		Levels: []plan.LevelRule{{After: 30 * time.Second, UpTo: 1}, {After: 2 * time.Minute, From: 1, UpTo: 1}}, LevelsAbove: 1, Soon: time.Minute,
		Needs: []tel.Need{{Skill: "sales", Level: 4}}, Relax: []plan.Relax{{After: 20 * time.Second, Level: 3}, {After: time.Minute}}, BestSkilled: true,
		Sticky: 168 * time.Hour, StickyWait: 20 * time.Second, NoSkillTo: "hangup",
	}
	if !reflect.DeepEqual(queues[0].Distribution, want) {
		t.Errorf("%+v\nwant\n%+v", queues[0].Distribution, want)
	}
	if !reflect.DeepEqual(agents[0].Skills, map[string]int{"sales": 8, "english": 7}) {
		t.Errorf("skills %v", agents[0].Skills)
	}
}

func TestACallTakesItsLanguagesNeedsAndAVIPsPriorityIntoTheQueue(t *testing.T) {
	n, err := newNumbering(twoLanguages(t))
	if err != nil {
		t.Fatal(err)
	}
	for caller, priority := range map[tel.Number]int{"+393331234567": tel.PriorityVIP, "+390612345678": 0} {
		d := n.Route("trunk:tim", caller, "0512345678", time.Now())
		if d.Kind != call.ToQueue || d.QueuePriority != priority || !reflect.DeepEqual(d.Needs, map[string][]tel.Need{"en": {{Skill: "english", Level: 6}}}) {
			t.Errorf("%s: %+v", caller, d)
		}
	}
	if d := n.Resolve("queue:prizes", "", time.Now()); d.QueuePriority <= tel.PriorityVIP {
		t.Errorf("an urgent queue has priority %d, below a VIP's", d.QueuePriority)
	}
}

func TestTheConsoleIsToldWhyNobodyRings(t *testing.T) {
	b := start(t, strings.Replace(shop, "agents: [anna], ring: 15s", "agents: [anna], ring: 15s, distribution: {target: 10s}", 1))
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		b.box.commands().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if w := ask("/waiting/nobody"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "does not wait") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	b.box.queues.Tell(tel.Enqueue{Call: "c1", Queue: "sales", EnqueuedAt: time.Now()})
	b.eventually("the caller waits", func() bool { return ask("/waiting/c1").Code == http.StatusOK })
	var list []plan.Explanation
	if err := json.NewDecoder(bytes.NewReader(ask("/waiting/c1").Body.Bytes())).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Agent != "anna" || list[0].Verdict != "logged_out" {
		t.Errorf("%+v", list)
	}
}

func TestAChangedTimeZoneBeginsTheDaysOfTheQueuesElsewhere(t *testing.T) {
	b := start(t, shop)
	text := strings.Replace(shop, "box: {name: Bottega}", "box: {name: Bottega, timezone: Asia/Tokyo}", 1)
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	was := b.box.config()
	if _, err := (queueRoom{b.box}).Commit(t.Context(), was, &c); err != nil {
		t.Fatal(err)
	}
	if v, err := b.box.queues.Snapshot(t.Context()); err != nil || v.Zone != "Asia/Tokyo" || was.Box.Timezone != "Europe/Rome" {
		t.Fatalf("days begin by the clock of %q, they did of %q (%v)", v.Zone, was.Box.Timezone, err)
	}
}
