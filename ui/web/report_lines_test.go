package web

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
)

// An owner whose carrier takes no second call sees that callers of the shop are fine and calls out are refused.
func TestTheReportSaysWhatEachLineCarried(t *testing.T) {
	s := office(t)
	use := func(line string, out bool, minutes int, cause tel.Cause) tel.LineUse {
		u := tel.LineUse{Line: line, Out: out, From: at, To: at.Add(time.Duration(minutes) * time.Minute), Cause: cause}
		if cause == tel.CauseNormal {
			u.Answered = at.Add(10 * time.Second)
		}
		return u
	}
	err := s.records.PutCalls(t.Context(), store.Call{Pos: 5000, CallEnded: tel.CallEnded{Call: "lines", Started: at, Ended: at.Add(time.Hour), Lines: []tel.LineUse{
		use("trunk:tim", false, 5, tel.CauseNormal), use("trunk:tim", true, 0, tel.CauseCongestion), use("trunk:tim", true, 1, tel.CauseBusy), use("line:gsm0", true, 70, tel.CauseNormal),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	_, body := s.get("/reports" + theDay + "&lang=en")
	text := plainText(body)
	for _, row := range []string{"Cellulare 1 0 1 1 0 1:09:50 1:11:00", "TIM 2 2 2 0 1 6:50 8:40"} {
		if !strings.Contains(text, row) {
			t.Errorf("the page lacks %q: %s", row, text)
		}
	}
	_, body = s.get("/reports/lines.csv" + theDay + "&lang=en&sep=comma&step=whole")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v %q", err, rows)
	}
	if got, want := strings.Join(rows[0][1:], "|"), "Line|Calls in|Answered in|Calls out|Answered out|busy|no free line|Talk (s)|In use (s)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := strings.Join(rows[3][1:], "|"), "TIM|2|2|2|0|1|1|410|520"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if status, _ := s.get("/reports/lines.csv?from=x"); status != http.StatusBadRequest {
		t.Errorf("a day that is none: %d", status)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/reports/lines.csv" + theDay, as: access.Agent}); w.Code != http.StatusForbidden {
		t.Errorf("an agent: %d", w.Code)
	}
}

// Who supervises some queues sees nothing of lines, which carry the calls of all.
func TestLinesAreNotOfWhoSupervisesSomeQueues(t *testing.T) {
	s := ofSales(t)
	if w := s.do(ask{method: http.MethodGet, path: "/reports/lines.csv" + theDay, as: access.Supervisor}); w.Code != http.StatusForbidden {
		t.Errorf("the table: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/reports" + theDay + "&lang=en", as: access.Supervisor}); strings.Contains(w.Body.String(), "/reports/lines.csv") {
		t.Error("the page shows lines")
	}
}
