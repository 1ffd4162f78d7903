package party

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestAForwardedCallTellsItsCarrierWhoForwardedItAndWhy(t *testing.T) {
	for _, c := range []struct {
		name   string
		from   tel.Number
		person tel.Number
		why    tel.Diversion
		want   trunk.Outgoing
	}{
		{"a caller of the house", "201", "202", tel.DivertAlways, trunk.Outgoing{From: "201"}},
		{"always", "+390698765432", "202", tel.DivertAlways, trunk.Outgoing{From: "+390698765432", Diverting: "202", Why: "unconditional"}},
		{"busy", "+390698765432", "202", tel.DivertBusy, trunk.Outgoing{From: "+390698765432", Diverting: "202", Why: "user-busy"}},
		{"no answer", "+390698765432", "202", tel.DivertNoAnswer, trunk.Outgoing{From: "+390698765432", Diverting: "202", Why: "no-answer"}},
		{"unreachable", "+390698765432", "202", tel.DivertUnreachable, trunk.Outgoing{From: "+390698765432", Diverting: "202", Why: "unavailable"}},
		{"do not disturb", "+390698765432", "202", tel.DivertDoNotDisturb, trunk.Outgoing{From: "+390698765432", Diverting: "202", Why: "do-not-disturb"}},
		{"a transfer", "+390698765432", "202", "", trunk.Outgoing{From: "+390698765432", Diverting: "202"}},
	} {
		c.want.To = "3331234567"
		out := call.Outgoing{From: c.from, Diverted: c.why, Attempt: call.Attempt{Person: c.person}}
		if got := outgoing("3331234567", out); got.Diverting != c.want.Diverting || got.Why != c.want.Why && c.want.Diverting != "" || got.From != c.want.From || got.To != c.want.To {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
