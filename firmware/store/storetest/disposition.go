package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// dispositions: the last word about a call counts, once, in its queue and half hour.
func dispositions(t *testing.T, s store.Records) {
	say := func(pos store.Position, call tel.CallID, agent tel.AgentID, queue tel.QueueID, what string, after time.Duration) store.Disposition {
		return store.Disposition{Pos: pos, CallDisposed: tel.CallDisposed{Call: call, Queue: queue, Agent: agent, Disposition: what, At: Day.Add(after)}}
	}
	first := say(1, "c1", "anna", "sales", "Venduto", time.Minute)
	corrected := say(5, "c1", "anna", "sales", "Reclamo", 40*time.Minute) // in another half hour
	must(t, s.PutDispositions(t.Context(), first, say(2, "c2", "anna", "sales", "Venduto", 2*time.Minute), say(3, "c3", "bruno", "help", "Venduto", 3*time.Minute)))
	must(t, s.PutDispositions(t.Context(), say(4, "c1", "bruno", "sales", "Venduto", 5*time.Minute))) // the colleague to whom the call went on
	must(t, s.PutDispositions(t.Context(), corrected))
	must(t, s.PutDispositions(t.Context(), first, corrected)) // again, as after a crash
	q := store.ReportQuery{From: Day, To: Day.Add(time.Hour), Step: report.HalfHour, Zone: "Europe/Rome"}
	rows, err := s.DispositionSums(t.Context(), q)
	must(t, err)
	count := func(queue tel.QueueID, from time.Time, what string, n int) report.DispositionRow {
		return report.DispositionRow{Queue: queue, From: from, Dispositions: report.Dispositions{Calls: map[string]int{what: n}}}
	}
	sameRows(t, rows, []report.DispositionRow{count("help", Day, "Venduto", 1), count("sales", Day, "Venduto", 2), count("sales", Day.Add(30*time.Minute), "Reclamo", 1)})
	q.Queues = []tel.QueueID{"help"}
	rows, err = s.DispositionSums(t.Context(), q)
	must(t, err)
	sameRows(t, rows, []report.DispositionRow{count("help", Day, "Venduto", 1)})
	page, err := s.ListDispositions(t.Context(), store.DispositionQuery{Call: "c1"})
	must(t, err)
	if len(page.Items) != 2 || page.Items[0] != corrected || page.Items[1].Agent != "bruno" {
		t.Errorf("of the call: %+v", page.Items)
	}
	if _, err := s.ListDispositions(t.Context(), store.DispositionQuery{Span: store.Span{Cursor: "?"}}); !errors.Is(err, store.ErrQuery) {
		t.Errorf("a bad cursor: %v", err)
	}
	if _, err := s.DispositionSums(t.Context(), store.ReportQuery{Step: "fortnight", Zone: "UTC"}); !errors.Is(err, store.ErrQuery) {
		t.Errorf("a bad step: %v", err)
	}
}
