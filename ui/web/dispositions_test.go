package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
)

// What the agents said is in the report of the days, in the story of the call and in the table of calls; who supervises
// one queue sees that queue's.
func TestWhatCameOfCallsIsToldWhereCallsAre(t *testing.T) {
	s := ofSales(t)
	say := func(pos store.Position, call tel.CallID, queue tel.QueueID, what string) store.Disposition {
		return store.Disposition{Pos: pos, CallDisposed: tel.CallDisposed{Call: call, Queue: queue, Agent: "anna", Disposition: what, At: at.Add(time.Hour)}}
	}
	if err := s.records.PutDispositions(t.Context(), say(7000, "c1", "sales", "Reclamo"), say(7001, "c1", "sales", "Venduto"), say(7002, "x", "sales", "Venduto"), say(7003, "y", "help", hostile)); err != nil {
		t.Fatal(err)
	}
	_, body := s.get("/reports" + theDay + "&lang=en")
	if text := plainText(body); !strings.Contains(text, "Vendite Venduto 2") || !strings.Contains(text, "Aiuto &lt;script&gt;") || strings.Contains(text, "Reclamo") {
		t.Errorf("the report: %s", text)
	}
	w := s.do(ask{method: http.MethodGet, path: "/reports" + theDay + "&lang=en", as: access.Supervisor})
	if text := plainText(w.Body.String()); !strings.Contains(text, "Vendite Venduto 2") || strings.Contains(text, "Aiuto") {
		t.Errorf("of who supervises sales: %s", text)
	}
	if _, body := s.get(aStory + "&lang=en"); !strings.Contains(plainText(body), "Anna: Venduto") {
		t.Errorf("the story: %s", plainText(body))
	}
	if _, body := s.get("/calls.csv" + theDay + "&lang=en&sep=comma"); !strings.Contains(body, ",Disposition\n") || !strings.Contains(body, ",Venduto\n") {
		t.Errorf("the table: %s", body)
	}
	s.records.away = store.ErrUnavailable
	if status, _ := s.get("/calls.csv" + theDay); status != http.StatusServiceUnavailable {
		t.Errorf("without records: %d", status)
	}
}
