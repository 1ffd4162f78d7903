package party

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestOneCallerToOneNumberWaitsSoManyTimesAtMost(t *testing.T) {
	for name, c := range map[string]struct {
		caller tel.Number
		limit  int
	}{"a caller with a number": {"+393331234567", maxRounds}, "callers without": {"", maxHiddenRounds}} {
		var r rounds
		in := call.Arrival{From: "trunk:tim", Caller: c.caller, Dialed: "+390612345678"}
		var leaves []func()
		for range c.limit {
			leave, ok := r.enter(in)
			if !ok {
				t.Fatalf("%s: refused after %d", name, len(leaves))
			}
			leaves = append(leaves, leave)
		}
		if _, ok := r.enter(in); ok {
			t.Errorf("%s: one too many is let in", name)
		}
		for what, other := range map[string]call.Arrival{
			"another number":      {From: in.From, Caller: in.Caller, Dialed: "+390612345679"},
			"another trunk":       {From: "trunk:wind", Caller: in.Caller, Dialed: in.Dialed},
			"another caller":      {From: in.From, Caller: "+393339999999", Dialed: in.Dialed},
			"a phone of our own":  {From: "phone:201", Device: "201", Caller: in.Caller, Dialed: in.Dialed},
			"and the phone again": {From: "phone:201", Device: "201", Caller: in.Caller, Dialed: in.Dialed},
		} {
			leave, ok := r.enter(other)
			if !ok {
				t.Fatalf("%s: %s is refused", name, what)
			}
			leave()
		}
		leaves[0]()
		leaves[0]()
		if _, ok := r.enter(in); !ok {
			t.Errorf("%s: a free place is not given", name)
		}
		if _, ok := r.enter(in); ok {
			t.Errorf("%s: one place was given twice", name)
		}
		for _, leave := range leaves[1:] {
			leave()
		}
		if r.open[round{in.From, string(in.Caller), string(in.Dialed)}] != 1 || len(r.open) != 1 {
			t.Errorf("%s: %v is left", name, r.open)
		}
	}
}
