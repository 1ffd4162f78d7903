package config

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const twoShops = `
agents:
  - {id: anna, extension: "201"}
  - {id: bruno, extension: "202"}
queues:
  - {id: sales, number: "400", agents: [anna], ring: 15s}
  - {id: help, number: "401", agents: [bruno]}
web: {plain_http: false, tls_listen: "0.0.0.0:443"}
`

func TestADraftIsCheckedWithItsDefaults(t *testing.T) {
	c := parsed(t, twoShops)
	c.Queues = append(c.Queues, Queue{ID: "new", Number: "402", Agents: c.Queues[0].Agents}) // without a word on how to ring
	if p := c.Check(); len(p) != 0 {
		t.Errorf("a good draft: %v", p)
	}
	if c.Queues[2].Ring != 0 {
		t.Error("the draft itself was filled in")
	}
	c.Queues[2].Number = "400"
	if p := c.Check(); len(p) != 1 || p[0].Path != "queues[2].number" || p[0].Code != "duplicate" {
		t.Errorf("a number that is taken: %v", p)
	}
}

func TestAChangeBelongsToAThing(t *testing.T) {
	for path, want := range map[string]string{
		"queues[sales].ring": "queues[sales]", "queues[sales]": "queues[sales]", "queues": "queues", "web.plain_http": "web",
		"routes[0].via": "routes", "dialling.codes[echo]": "dialling", "trunks[tim].in[*]": "trunks[tim]", "": "", "queues[": "queues", "no[such]": "no",
	} {
		if got := Thing(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestOneThingIsTakenBackAndTheOthersStay(t *testing.T) {
	old := parsed(t, twoShops)
	for name, c := range map[string]struct {
		thing string
		edit  func(*Config)
		stays string // of the changes of edit
	}{
		"a changed queue":      {"queues[sales]", func(c *Config) { c.Queues[0].Ring *= 2; c.Queues[1].Ring *= 3 }, "queues[help].ring"},
		"a removed queue":      {"queues[help]", func(c *Config) { c.Queues = c.Queues[:1]; c.Queues[0].Ring *= 2 }, "queues[sales].ring"},
		"an added person":      {"agents[carla]", func(c *Config) { c.Agents = append(c.Agents, Agent{ID: "carla", Extension: "203"}); c.Box.Name = "x" }, "box.name"},
		"a field of the first": {"web", func(c *Config) { c.Web.PlainHTTP = true; c.Box.Name = "x" }, "box.name"},
	} {
		now := old.Clone()
		c.edit(&now)
		if err := now.TakeBack(&old, c.thing); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := Diff(old, now); len(left) != 1 || left[0].Path != c.stays {
			t.Errorf("%s: what differs after it is %v, want %s", name, left, c.stays)
		}
	}
	for _, thing := range []string{"queues[none]", "none", "none[x]", "routes[0]", "[]", ""} {
		now := old.Clone()
		if err := now.TakeBack(&old, thing); err == nil || len(Diff(old, now)) > 0 {
			t.Errorf("%q was taken back: %v", thing, err)
		}
	}
}

func TestWhatIsTakenBackSharesNothingWithThePast(t *testing.T) {
	old := parsed(t, twoShops)
	now := old.Clone()
	now.Queues = nil
	if err := now.TakeBack(&old, "queues[sales]"); err != nil {
		t.Fatal(err)
	}
	now.Queues[0].Agents[0] = "mallory"
	if old.Queues[0].Agents[0] != "anna" {
		t.Error("a version of the past was changed")
	}
}

// Whatever was changed in whatever order: taking every thing back leaves nothing but the order of lists.
func TestTakingEveryThingBackLeavesNothing(t *testing.T) {
	old := parsed(t, twoShops)
	for seed := range uint64(500) {
		dice := rand.New(rand.NewPCG(seed, 1))
		now := old.Clone()
		for range dice.IntN(6) {
			switch dice.IntN(5) {
			case 0:
				now.Queues = now.Queues[:dice.IntN(len(now.Queues)+1)]
			case 1:
				now.Agents = append(now.Agents, Agent{ID: tel.AgentID(fmt.Sprint("x", len(now.Agents))), Extension: "299"})
			case 2:
				now.Box.Name += "!"
			case 3:
				now.Web.PlainHTTP = !now.Web.PlainHTTP
			case 4:
				for i := range now.Queues {
					now.Queues[i].Priority++
				}
			}
		}
		for _, c := range Diff(old, now) {
			if c.Kind == Moved {
				continue
			}
			if err := now.TakeBack(&old, Thing(c.Path)); err != nil {
				t.Fatalf("seed %d: %v: %v", seed, c, err)
			}
		}
		for _, c := range Diff(old, now) {
			if c.Kind != Moved {
				t.Fatalf("seed %d: %v is left", seed, c)
			}
		}
	}
}
