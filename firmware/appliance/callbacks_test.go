package appliance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

// owing runs a box whose queue owes three calls: to one who has a place behind a caller, to one who was not
// reached and rests, and to one of a queue that calls nobody at this hour.
func owing(t *testing.T) *bench {
	now := time.Now().UTC()
	another := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}[(now.Weekday()+3)%7]
	b := start(t, fmt.Sprintf(`
agents:
  - {id: anna, name: Anna, extension: "201"}
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna], waiting: {callback: {key: "1", promise: 2h}}}
  - {id: desk, name: Banco, number: "401", agents: [anna], waiting: {callback: {key: "1", hours: another}}}
hours: [{id: another, name: Another day, open: ["%s 09:00-18:00"], then: "queue:sales"}]
`, another))
	owed := func(id tel.CallbackID, queue tel.QueueID, number tel.Number, since time.Duration) tel.CallbackChanged {
		return tel.CallbackChanged{
			Callback: id, Queue: queue, State: tel.CallbackWaiting, Number: number, Name: "Rossi " + string(id), EnqueuedAt: now.Add(-since),
			Asked: now.Add(-since), Promise: now.Add(2*time.Hour - since), Expires: now.Add(time.Hour),
		}
	}
	rests := owed("cb2", "sales", "+393331234562", time.Hour)
	rests.State, rests.Attempts, rests.Next = tel.CallbackResting, 2, now.Add(10*time.Minute)
	b.box.queues.Tell(tel.Enqueue{Call: "c1", Queue: "sales", Caller: "+39061234567", EnqueuedAt: now.Add(-2 * time.Hour)})
	err := b.box.queues.Recall(t.Context(), []tel.CallbackChanged{
		owed("cb1", "sales", "+393331234561", time.Minute), rests, owed("cb3", "desk", "+393331234563", time.Minute),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("the desk is known to be closed today", func() bool {
		all, err := b.box.callbacks(t.Context())
		return err == nil && len(all) == 3 && all[0].Closed
	})
	return b
}

func TestWhoIsOwedACallIsListedWithPlaceAttemptsAndPromise(t *testing.T) {
	b := owing(t)
	all, err := b.box.callbacks(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	closed, rests, waits := all[0], all[1], all[2] // by queue, the oldest place first
	if closed.ID != "cb3" || closed.QueueName != "Banco" || !closed.Closed || closed.Place != 0 {
		t.Errorf("outside of the hours: %+v", closed)
	}
	if rests.ID != "cb2" || rests.State != tel.CallbackResting || rests.Attempts != 2 || rests.Next.IsZero() || rests.Place != 0 {
		t.Errorf("resting: %+v", rests)
	}
	if waits.ID != "cb1" || waits.State != tel.CallbackWaiting || waits.Place != 2 || waits.Of != 2 || waits.Promise.IsZero() || waits.Number != "+393331234561" || waits.Since.IsZero() {
		t.Errorf("in the queue: %+v", waits)
	}
}

// A supervisor on the page and the person at the console take callbacks off the list. The audit log names
// both; what was gone already is said and not written down.
func TestADroppedCallbackIsGoneAndWrittenDown(t *testing.T) {
	b := owing(t)
	order := web.Order{Do: "drop", Callback: "cb1", By: "sara", From: "192.168.1.20"}
	for _, want := range []string{"", "callbacks.gone"} {
		if sentence, err := b.box.orderFromPage(t.Context(), order); err != nil || sentence != want {
			t.Errorf("%q, %v, want %q", sentence, err, want)
		}
	}
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		b.box.commands().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w
	}
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if w := ask(http.MethodDelete, "/callbacks/cb2"); w.Code != want {
			t.Errorf("DELETE: %d %s, want %d", w.Code, w.Body, want)
		}
	}
	var left []page.Callback
	if w := ask(http.MethodGet, "/callbacks"); json.Unmarshal(w.Body.Bytes(), &left) != nil || len(left) != 1 || left[0].ID != "cb3" {
		t.Errorf("left: %s", w.Body)
	}
	if deeds, want := b.deeds(), []string{"callback_dropped cb1", "callback_dropped cb2 by prontoctl"}; !slices.Equal(deeds, want) {
		t.Errorf("written down %q, want %q", deeds, want)
	}
}

// A forecast of the wait stands on the caller's page as long as the caller waits.
func TestTheCallersPageHasTheForecastOfThatCaller(t *testing.T) {
	p := newPresent(time.UTC)
	f := floor{View: acd.View{Queues: []acd.QueueView{{ID: "sales", Waiting: []acd.CallerView{{Call: "c1"}, {Call: "c2"}}}}}}
	seen := func() string {
		var all []string
		for _, c := range f.callers(p.expected) {
			all = append(all, fmt.Sprintf("%s %d to %d", c.Call, c.From, c.To))
		}
		return strings.Join(all, ", ")
	}
	for _, x := range []struct {
		event tel.Event
		want  string
	}{
		{tel.QueueJoined{Queue: "sales", Call: "c1"}, "c1 0 to 0, c2 0 to 0"},
		{tel.WaitExpected{Queue: "sales", Call: "c1", From: 2, To: 5}, "c1 2 to 5, c2 0 to 0"},
		{tel.WaitExpected{Queue: "sales", Call: "c1"}, "c1 0 to 0, c2 0 to 0"},
		{tel.WaitExpected{Queue: "sales", Call: "c1", From: 3}, "c1 3 to 0, c2 0 to 0"},
		{tel.QueueLeft{Queue: "sales", Call: "c1"}, "c1 0 to 0, c2 0 to 0"},
	} {
		p.apply(x.event)
		if got := seen(); got != x.want {
			t.Errorf("after %+v: %s, want %s", x.event, got, x.want)
		}
	}
}
