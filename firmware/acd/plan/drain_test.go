package plan

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// refusals are the callers who got no place, with where they were sent.
func (o *office) refusals() (all []tel.QueueLeft) {
	for _, e := range o.events {
		if l, ok := e.(tel.QueueLeft); ok && l.Outcome == tel.OutcomeRefused {
			all = append(all, l)
		}
	}
	return all
}

// While a restart is near, queues take nobody new: new callers are sent on with a record, so that somebody calls them
// back, and whoever waits is served.
func TestQueuesThatDrainSendNewCallersOnAndServeWhoWaits(t *testing.T) {
	queues := q1("a")
	queues[0].FullTo = "voicemail:sales"
	o := staffed(t, queues, "a")
	o.call("busy", "q")
	o.tell(tel.OfferAnswered{Offer: o.one().Offer})
	o.call("waits", "q")
	o.do(Drain{30 * time.Second})
	o.wait(time.Second)
	o.call("new", "q")
	if left := o.refusals(); len(left) != 1 || left[0].Call != "new" || left[0].To != "voicemail:sales" || left[0].Why != whyClosed {
		t.Fatalf("%+v", left)
	}
	o.wait(20 * time.Second)
	o.do(Drain{30 * time.Second}) // said again: it began when it began
	o.tell(tel.Enqueue{Call: "transferred", Queue: "q", EnqueuedAt: t0})
	if w := o.s.Waiting("q"); len(w) != 2 {
		t.Errorf("whoever had a place before it began has lost it: %+v", w)
	}
	o.wait(30 * time.Second) // whoever wanted it has gone
	o.call("later", "q")
	if left := o.refusals(); len(left) != 1 {
		t.Errorf("queues drain for longer than they were told: %+v", left)
	}
	o.do(Drain{time.Hour})
	if got := o.s.Draining.Until.Sub(o.now); got != MaxDrain {
		t.Errorf("they drain for %v", got)
	}
	o.do(Drain{})
	o.call("at last", "q")
	if left := o.refusals(); len(left) != 1 {
		t.Errorf("queues go on draining: %+v", left)
	}
}
