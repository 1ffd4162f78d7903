package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const branched = `
menus:
  - {id: main, greeting: [greeting], keys: {"1": "queue:sales", "2": "menu:second", "9": repeat}}
  - {id: second, greeting: [wait], keys: {"*": "menu:main", "8": "language:en"}, timeout_to: "menu:third"}
  - {id: third, greeting: [wait], keys: {"1": "ext:201"}}
  - {id: lonely, greeting: [wait], keys: {"1": "ext:201"}}
  - {id: round, greeting: [wait], keys: {"1": "menu:round", "2": "menu:about", "3": hangup}}
  - {id: about, greeting: [wait], keys: {"1": "menu:round"}}
  - {id: open, greeting: [wait], dial: true}
  - {id: told, greeting: [wait], keys: {"1": "say:closed"}}
  - {id: full, greeting: [wait], keys: {"1": "ext:201"}}
hours:
  - {id: shop, open: ["mon-fri 09:00-13:00"], then: "menu:main", closed: "say:closed"}
`

func branchedOffice(t *testing.T) Config {
	t.Helper()
	c := parsed(t, office+branched)
	c.Trunks = append(c.Trunks, Trunk{ID: "tim", In: map[tel.Number]string{"+390612345678": "hours:shop", "*": "menu:third"}})
	c.Queues[0].Waiting.FullTo = "menu:full"
	return c
}

func TestEveryDestinationKnowsTheNumbersThatLeadToIt(t *testing.T) {
	c := branchedOffice(t)
	ways := c.Ways()
	number, rest := Way{"trunk:tim", "+390612345678"}, Way{"trunk:tim", "*"}
	for to, want := range map[string][]Way{
		"hours:shop": {number}, "menu:main": {number}, "menu:second": {number}, "menu:third": {number, rest}, "say:closed": {number},
		"menu:lonely": nil, "menu:round": nil, "menu:full": {number, {"trunk:tim", "0612345678"}, {Via: "line:gsm0"}, {}},
	} {
		got := ways[to]
		for _, all := range [][]Way{got, want} {
			slices.SortFunc(all, func(a, b Way) int { return strings.Compare(a.Via+string(a.Number), b.Via+string(b.Number)) })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is reached by %v, want %v", to, got, want)
		}
	}
}

func TestAMenuFromWhichNobodyIsReachedIsADeadEnd(t *testing.T) {
	c := branchedOffice(t)
	for id, want := range map[string]bool{
		"main": false, "second": false, "third": false, "lonely": false, "round": true, "about": true, "open": false, "told": false, "none": true,
	} {
		if got := c.DeadEnd(id); got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
}
