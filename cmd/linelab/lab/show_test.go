package lab

import (
	"context"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// demo has what the demo office has, with times ten times as short: a queue that asks for skills, calls back and
// sends on, and at 205 somebody who may listen.
var demo = pbxtest.Setup{
	Agents: 5, LoggedIn: 4, Analog: true,
	Queue: `max_wait: 3s, overflow: "queue:help", waiting: {callback: {key: "1"}}, ` +
		`distribution: {languages: {en: {english: 7}}, relax: [{after: 2s, level: 0}]}}` + "\n" +
		`  - {id: help, name: Help, number: "401", agents: [agent204]`,
	Skills:     map[int]string{201: "english: 8"},
	Supervises: map[int]string{205: "queue:sales, queue:help"},
	Numbers:    `"+390612345679": "menu:day"`,
	Extra: `
menus:
  - {id: day, name: Day, greeting: [greeting], keys: {"1": "queue:sales", "8": "language:en"}, timeout_to: "queue:sales"}
supervision:
  legal_basis: {kind: union_agreement, reference: "7/2026", date: "2026-01-31", purposes: [quality, training]}
`,
}

// What the demo office is there to show happens by itself: somebody who looks at the page or at prontoctl's
// status sees each of it within the first minutes.
func TestTheDemoOfficeShowsSkillsCallbacksOverflowAndSomebodyWhoListens(t *testing.T) {
	o, bench := play(t, demo, 1)
	sara := o.SignIn("agent205")
	status := func() string {
		out, err := exec.CommandContext(t.Context(), filepath.Join(bench.Programs(), "prontoctl"), "status", "-var", o.Dir).CombinedOutput()
		if err != nil {
			t.Fatalf("prontoctl status: %v\n%s", err, out)
		}
		return string(out)
	}
	wanted := map[string]struct{ page, status *regexp.Regexp }{
		"a skill":            {regexp.MustCompile(`asks for english, level 7`), regexp.MustCompile(`asks for english 7`)},
		"a callback":         {regexp.MustCompile(`<li id="callback-cb`), regexp.MustCompile(`is to be called back`)},
		"overflow":           {regexp.MustCompile(`<dt>Sent on</dt><dd>[1-9]`), regexp.MustCompile(`[1-9][0-9]* sent on`)},
		"somebody listening": {regexp.MustCompile(`Agent 205 is listening`), regexp.MustCompile(`listen: Agent 205`)},
	}
	seen := map[string]bool{}
	for deadline := time.Now().Add(time.Minute); len(seen) < 2*len(wanted); time.Sleep(50 * time.Millisecond) {
		_, page := sara.Get("/?lang=en")
		said := status()
		for what, w := range wanted {
			if w.page.MatchString(page) {
				seen[what+" on the page"] = true
			}
			if w.status.MatchString(said) {
				seen[what+" in the status"] = true
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("only seen: %v\n%s", slices.Sorted(maps.Keys(seen)), said)
		}
	}
	called := reached(t, o)
	if called.Queue != "sales" || called.Agent == "" || !called.At.After(called.Asked) {
		t.Errorf("called back: %+v", called)
	}
}

// reached waits until a customer has been called back and talks, and returns the record.
func reached(t *testing.T, o *pbxtest.Office) store.Callback {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		page, err := o.Records.ListCallbacks(context.Background(), store.CallbackQuery{Outcome: tel.CallbackReached})
		if err == nil && len(page.Items) > 0 {
			return page.Items[0]
		}
	}
	t.Fatal("nobody was called back")
	return store.Callback{}
}
