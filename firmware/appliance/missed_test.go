package appliance

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/web"
)

// A supervisor on the page takes a missed caller off the list; the audit log says who did so, and what was gone
// already is said and not written down.
func TestADismissedCallerIsGoneAndWrittenDown(t *testing.T) {
	b := owing(t)
	joined := time.Now().Add(-time.Minute)
	b.box.ledger.Tell(tel.QueueJoined{Queue: "sales", Call: "m1", Caller: "+390612345678", Name: "Rossi", At: joined})
	b.box.ledger.Tell(tel.QueueLeft{Queue: "sales", Call: "m1", Caller: "+390612345678", Joined: joined, Left: joined.Add(40 * time.Second), Outcome: tel.OutcomeAbandoned})
	order := web.Order{Do: "dismiss", With: "+390612345678", By: "sara", From: "192.168.1.20"}
	for _, want := range []string{"", "missed.gone"} { // the ledger takes what it is told in its order
		if sentence, err := b.box.orderFromPage(t.Context(), order); err != nil || sentence != want {
			t.Errorf("%q, %v, want %q", sentence, err, want)
		}
	}
	if all := b.box.missedCallers(); len(all) != 0 {
		t.Errorf("left: %+v", all)
	}
	if deeds := b.deeds(); !slices.Equal(deeds, []string{"missed_dismissed +390612345678"}) {
		t.Errorf("written down %q", deeds)
	}
}
