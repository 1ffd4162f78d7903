package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Wherever something is said: what does not exist is a mistake of that field, before anything is applied.
func TestWhatCannotBeSaidIsAMistakeOfItsField(t *testing.T) {
	_, err := Parse([]byte(strings.Replace(office, "language: it", `language: it, emergency_test: "say:pizza"`, 1) + `
prompts: {list: [{id: holidays, number: "1"}]}
menus:
  - {id: one, greeting: [greeting, holidays, "prompt:lost", tone_beep], keys: {"1": "say:holiday", "2": "say:holidays", "3": "say:closed"}, timeout_to: "say:", invalid_to: "say:nothing"}
hours:
  - {id: shop, open: ["mon-fri 09:00-13:00"], then: "ext:201", closed: "say:shut", holiday: "say:holidays"}
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Path+" "+p.Code)
	}
	slices.Sort(got)
	want := []string{
		"box.emergency_test sentence", "hours[0].closed sentence", "menus[0].greeting[1] sentence", "menus[0].greeting[2] unknown", "menus[0].greeting[3] sentence",
		"menus[0].invalid_to sentence", "menus[0].keys[1] sentence", "menus[0].timeout_to destination",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestEverySentenceStandsInOneGroup(t *testing.T) {
	seen := map[string]string{}
	for _, g := range Sentences() {
		for _, name := range g.Names {
			if other := seen[name]; other != "" {
				t.Errorf("%s is in %s and in %s", name, other, g.Key)
			}
			seen[name] = g.Key
		}
	}
	if len(seen) < 250 || !IsSentence("greeting") || IsSentence("holiday") || IsSentence("") {
		t.Errorf("%d sentences", len(seen))
	}
}
