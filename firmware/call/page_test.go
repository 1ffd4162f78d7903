package call

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestPaging(t *testing.T) {
	page := Begin{Decision{Kind: ToPage, Devices: []tel.DeviceID{"201", "202", "203"}}}
	follow(t, map[string][]move{
		"who answers hears the caller, who does not is let be, and the caller ends it": {
			{page, "accept dial(page,[201 202 203])"},
			{Dialed{Key: "page", Legs: legs("x", "y", "z")}, ""},
			{LegEvent{Leg: "x", Kind: LegProgress}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "page(caller,[x])"},
			{LegEvent{Leg: "y", Kind: LegAnswered}, "page(caller,[x y])"},
			{LegEvent{Leg: "z", Kind: LegEnded, Cause: tel.CauseBusy}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "page(caller,[y])"},
			{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(y,normal) end(normal,caller)"},
		},
		"the last listener's end is the end": {
			{page, "accept dial(page,[201 202 203])"},
			{Dialed{Key: "page", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "page(caller,[x])"},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(caller,normal) end(normal,box)"},
		},
		"nobody is there": {
			{page, "accept dial(page,[201 202 203])"},
			{Dialed{Key: "page", Cause: tel.CauseUnreachable}, "play(caller,unavailable+goodbye)"},
		},
		"forgotten, it ends by itself": {
			{page, "accept dial(page,[201 202 203])"},
			{Dialed{Key: "page", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "page(caller,[x])"},
			{Wake{wakePage}, "hangup(x,normal) hangup(caller,normal) end(normal,box)"},
		},
	})
}
