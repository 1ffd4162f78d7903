package starts

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// life is what becomes of one start.
type life int

const (
	stuck    life = iota // hangs, or loses its power, before the exchange is ready
	cut                  // loses its power after that
	hopeless             // is ready, and given up
	fine                 // stays well
)

// live returns the count after a start, and whether the recovery system started instead.
func live(c Count, l life) (Count, bool) {
	c, recover := c.Begun()
	if recover || l == stuck {
		return c, recover
	}
	switch c = c.Ready(); l {
	case hopeless:
		c = c.GaveUp()
	case fine:
		c = c.Well()
	case stuck, cut:
	}
	return c, false
}

func TestTheRecoverySystemStartsAfterThreeStartsThatCameToNothing(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lives []life
		want  string // R: recovery, s: slot
	}{
		{"that hang before the exchange is ready", []life{stuck, stuck, stuck, fine, fine}, "sssRs"},
		{"that are given up each time", []life{hopeless, hopeless, hopeless, fine}, "sssR"},
		{"of both kinds", []life{hopeless, stuck, hopeless, stuck, fine, fine}, "ssssRs"},
		{"not when one between went well", []life{stuck, stuck, fine, stuck, stuck, fine}, "ssssss"},
		{"not by power cuts while it works", []life{cut, cut, cut, cut, cut}, "sssss"},
		{"and is left for one try each", []life{stuck, stuck, stuck, stuck, stuck, stuck, fine, fine, fine}, "sssRsRsss"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Count
			got := ""
			for _, l := range tc.lives {
				var recover bool
				if c, recover = live(c, l); recover {
					got += "R"
				} else {
					got += "s"
				}
			}
			if got != tc.want {
				t.Errorf("started %s, want %s", got, tc.want)
			}
		})
	}
}

// Whatever happens: the recovery system never starts twice in a row, never right after a start that went
// well, and always when three starts in a row hang.
func TestTheCountHoldsForEveryCourseOfEvents(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 9))
		var c Count
		hung, last, wasRecovery := 0, fine, false
		for range 60 {
			l := life(r.IntN(4))
			next, recover := live(c, l)
			switch {
			case recover && (wasRecovery || last == fine):
				t.Fatalf("seed %d: recovery from %+v", seed, c)
			case !recover && hung >= Most && !wasRecovery:
				t.Fatalf("seed %d: %d starts hung, and no recovery from %+v", seed, hung, c)
			}
			if recover {
				hung = 0
			} else {
				last = l
				if hung++; l != stuck {
					hung = 0
				}
			}
			c, wasRecovery = next, recover
		}
	}
}

// A box of two slots, neither of which works: each has its starts, and then the recovery system comes, not the first
// one again.
func TestTheOtherSlotHasItsStartsBeforeTheRecoverySystemComes(t *testing.T) {
	for _, tc := range []struct {
		name string
		b    life // of the other slot
		want string
	}{
		{"neither works", stuck, "aaa>bbbRbRbR"},
		{"the other one works", fine, "aaa>bbbbbb"},
		{"the other one is given up each time", hopeless, "aaa>bbbRbbbR"},
	} {
		var c Count
		got, slot := "", "a"
		for len(got) < len(tc.want) {
			next, over := c.Begun()
			switch {
			case over && !c.Fell:
				c, slot, got = c.Fall(), "b", got+">"
				continue
			case over:
				c, got = next, got+"R"
				continue
			}
			got += slot
			c = next
			if slot == "a" {
				continue // stuck
			}
			switch tc.b {
			case fine:
				c = c.Ready().Well()
			case hopeless:
				c = c.Ready().GaveUp()
			case stuck, cut:
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestADamagedCountKeepsNoBoxFromStarting(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	if c, err := Load(at); err != nil || c != (Count{}) {
		t.Errorf("of no file: %+v, %v", c, err)
	}
	want := Count{Unready: 2, GivenUp: 1}
	if err := Save(at, want); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(at); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	if err := os.WriteFile(at, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(at); err == nil || c != (Count{}) {
		t.Errorf("of a damaged file: %+v, %v", c, err)
	}
}
