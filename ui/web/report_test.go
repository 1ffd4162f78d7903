package web

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
)

func (a *archive) Traffic(ctx context.Context, q store.ReportQuery) ([]report.TrafficRow, error) {
	if a.away != nil {
		return nil, a.away
	}
	return a.Store.Traffic(ctx, q)
}

// theDay is the query of the day of the filed office.
const theDay = "?from=2026-03-02&to=2026-03-02"

// busy fills the day: in sales ten callers answered after 5, 10, ... 50 s, four lost after 30 s, one of them at once, one
// refused; in help one. People of the team have worked.
func busy(t *testing.T, s *site, people ...tel.AgentID) {
	t.Helper()
	var waits []store.Wait
	wait := func(queue tel.QueueID, took time.Duration, outcome tel.QueueOutcome, short bool) {
		n := len(waits)
		waits = append(waits, store.Wait{Pos: store.Position(1000 + n), QueueLeft: tel.QueueLeft{
			Queue: queue, Call: tel.CallID(fmt.Sprintf("b%d", n)), Joined: at.Add(2 * time.Hour), Left: at.Add(2*time.Hour + took), Outcome: outcome, Short: short, Stage: tel.AbandonRinging,
		}})
	}
	for i := range 10 {
		wait("sales", time.Duration(i+1)*5*time.Second, tel.OutcomeAnswered, false)
	}
	for i := range 4 {
		wait("sales", 30*time.Second, tel.OutcomeAbandoned, i == 0)
	}
	wait("sales", 0, tel.OutcomeRefused, false)
	wait("help", 7*time.Second, tel.OutcomeAnswered, false)
	var intervals []store.Interval
	for i, p := range people {
		pos := store.Position(2000 + 10*i)
		intervals = append(intervals,
			storetest.Interval(pos, p, tel.AgentReady, "", at, time.Hour), storetest.Interval(pos+1, p, tel.AgentTalking, "sales", at.Add(time.Hour), 30*time.Minute),
			storetest.Interval(pos+2, p, tel.AgentPaused, "", at.Add(90*time.Minute), time.Hour))
	}
	if err := errors.Join(s.records.PutWaits(t.Context(), waits...), s.records.PutIntervals(t.Context(), intervals...)); err != nil {
		t.Fatal(err)
	}
}

// plainText is what a page says, without its markup.
func plainText(body string) string {
	var b strings.Builder
	in := false
	for _, r := range body {
		switch {
		case r == '<':
			in = true
			b.WriteByte(' ')
		case r == '>':
			in = false
		case !in:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestAReportCountsEachCallerOnce(t *testing.T) {
	s := office(t)
	busy(t, s)
	_, body := s.get("/reports" + theDay + "&queue=sales&lang=en")
	text := plainText(body)
	// With the filed office: one more answered after 20 s, one more lost after an hour.
	for _, want := range []string{
		"16 callers joined, 11 were answered; within 20 seconds: 33 %.", "Answered 11", "Gave up 5", "Callers 16", "Gave up: 4 while a phone rang; 1 of them at once.",
		"never given a place, because the queue was full, closed or had nobody: 1.",
		"(callers − gave up at once) 33 %", "who was lost does not count (Asterisk: SL) 45 %", "(Asterisk: SL2) 31 %", "the strictest 31 %",
		"2026-03-02 16 11 4 33 % 0:27 1:00:00",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	_, body = s.get("/reports" + theDay + "&lang=en&within=60&step=hour")
	text = plainText(body)
	for _, want := range []string{"By queue", "Vendite 16 11 4 73 %", "Aiuto 2 1 0 50 %", "2026-03-02 10:00 CET 1 1 0 100 % 0:20", "2026-03-02 12:00 CET 15 11 3"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if _, body := s.get("/reports?from=2026-02-01&to=2026-02-02&lang=en"); !strings.Contains(body, "Nobody called a queue in these days") {
		t.Errorf("days without calls: %s", plainText(body))
	}
}

func TestNobodysWorkIsShownByNameWithoutALegalBasis(t *testing.T) {
	for name, c := range map[string]struct {
		people    []tel.AgentID
		basis     config.LegalBasis
		want, not []string
	}{
		"too few to hide among":     {[]tel.AgentID{"anna", "bruno", "carla", "dario"}, config.LegalBasis{Kind: config.NoBasis}, []string{"Only 4 people were on duty", "art. 4"}, []string{"Anna 1", "together"}},
		"a team":                    {[]tel.AgentID{"anna", "bruno", "carla", "dario", "elena"}, config.LegalBasis{Kind: config.NoBasis}, []string{"All 5 together 1 12:30:00 2:30:00 0:00 0:00 5:00:00 33 %"}, []string{"Anna 1", "Only"}},
		"an agreement":              {[]tel.AgentID{"anna"}, config.LegalBasis{Kind: config.UnionAgreement, Reference: "7", Date: "2026-01-01", Purposes: []string{"quality"}}, []string{"Anna 1 2:30:00 30:00 0:00 0:00 1:00:00 33 %"}, []string{"art. 4", "together"}},
		"an agreement that is over": {[]tel.AgentID{"anna"}, config.LegalBasis{Kind: config.UnionAgreement, Reference: "7", Date: "2020-01-01", Expires: "2020-12-31", Purposes: []string{"quality"}}, []string{"Only 1 people", "art. 4"}, []string{"Anna 1"}},
		"nobody on duty":            {nil, config.LegalBasis{Kind: config.NoBasis}, []string{"Nobody was on duty"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := office(t)
			busy(t, s, c.people...)
			s.apply(func(cfg *config.Config) { cfg.Supervision.LegalBasis = c.basis })
			_, body := s.get("/reports" + theDay + "&lang=en")
			text := plainText(body)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in %s", want, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%q is in %s", not, text)
				}
			}
		})
	}
}

// Anna was to work four hours and was on duty for two and a half of them; somebody else never came.
func TestHowFarShiftsWereKeptIsShownBesideItsDefinition(t *testing.T) {
	s := office(t)
	busy(t, s, "anna")
	s.apply(func(cfg *config.Config) {
		cfg.Supervision.LegalBasis = config.LegalBasis{Kind: config.UnionAgreement, Reference: "7", Date: "2026-01-01", Purposes: []string{"quality"}}
		for i := range cfg.Agents[:2] {
			cfg.Agents[i].Work.Shift = []string{"mon-fri 09:00-13:00"}
		}
	})
	c := s.config.Settings.Current()
	if c.Agents[0].ID != "anna" {
		t.Fatalf("the first agent is %s", c.Agents[0].ID)
	}
	_, body := s.get("/reports" + theDay + "&lang=en")
	text := plainText(body)
	for _, want := range []string{"Anna 1 2:30:00 30:00 0:00 0:00 1:00:00 33 % 63 %", agentName(c, c.Agents[1].ID) + " 0 0:00 0:00 0:00 0:00 0:00 – 0 %", "As planned is the planned time that was spent on duty"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	_, body = s.get("/reports?from=2026-03-02&to=2026-04-30&lang=en")
	if text := plainText(body); !strings.Contains(text, "Anna 1 2:30:00 30:00 0:00 0:00 1:00:00 33 % –") {
		t.Errorf("of two months: %s", text)
	}
	_, body = s.get("/reports?from=2026-02-28&to=2026-03-01&lang=en") // a weekend
	if text := plainText(body); strings.Contains(text, "Anna 0") {
		t.Errorf("of a weekend: %s", text)
	}
}

// Four callers with numbers were answered: one calls again the same evening, one after three days, one after a season.
func TestWhoCallsAgainWasNotServedAtTheFirstContact(t *testing.T) {
	s := office(t)
	const day = 24 * time.Hour
	wait := func(n int, caller tel.Number, after time.Duration) store.Wait {
		joined := at.AddDate(0, 0, 18).Add(after)
		return store.Wait{Pos: store.Position(3000 + n), QueueLeft: tel.QueueLeft{
			Queue: "help", Call: tel.CallID(fmt.Sprintf("r%d", n)), Caller: caller, Joined: joined, Left: joined.Add(10 * time.Second), Outcome: tel.OutcomeAnswered, Agent: "anna",
		}}
	}
	if err := s.records.PutWaits(t.Context(), wait(7, "+393330000003", 90*day), wait(5, "+393330000002", 3*day), wait(1, "+393330000001", 0), wait(2, "+393330000002", time.Minute),
		wait(3, "+393330000003", 2*time.Minute), wait(4, "+393330000004", 3*time.Minute), wait(6, "+393330000001", 6*time.Hour), wait(8, "", 0)); err != nil {
		t.Fatal(err)
	}
	_, body := s.get("/reports?from=2026-03-20&to=2026-03-20&queue=help&lang=en")
	text := plainText(body)
	for _, want := range []string{"again within a day / answered callers with a number; of the last day it is not known yet 80 %", "the same within 7 days; of the last 7 days it is not known yet 60 %", "the last 30 days it is not known yet 60 %"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

func TestASupervisorSeesTheFiguresOfTheOwnQueuesOnly(t *testing.T) {
	s := ofSales(t)
	busy(t, s, "anna", "bruno", "carla", "dario", "elena")
	for _, query := range []string{"", "&queue=help", "&queue=sales"} {
		w := s.do(ask{method: http.MethodGet, path: "/reports" + theDay + query + "&lang=en", as: access.Supervisor})
		text := plainText(w.Body.String())
		if w.Code != http.StatusOK || !strings.Contains(text, "16 callers joined") || strings.Contains(text, "Aiuto") || strings.Contains(text, "together") {
			t.Errorf("%q: %d %s", query, w.Code, text)
		}
	}
	w := s.do(ask{method: http.MethodGet, path: "/reports.csv" + theDay, as: access.Supervisor})
	if strings.Contains(w.Body.String(), "Aiuto") || !strings.Contains(w.Body.String(), "Vendite") {
		t.Errorf("the table: %s", w.Body)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/reports.csv" + theDay + "&queue=help", as: access.Supervisor}); w.Code != http.StatusBadRequest {
		t.Errorf("the table of another's queue: %d", w.Code)
	}
	for _, role := range []access.Role{access.Agent, access.Reader} {
		if w := s.do(ask{method: http.MethodGet, path: "/reports" + theDay, as: role}); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", role, w.Code)
		}
	}
}

func TestAReportIsATable(t *testing.T) {
	s := office(t)
	busy(t, s)
	_, body := s.get("/reports.csv" + theDay + "&lang=en&sep=comma&step=whole")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v %q", err, rows)
	}
	i := slices.IndexFunc(rows, func(r []string) bool { return r[1] == "Vendite" })
	got := map[string]string{}
	for k, head := range rows[0] {
		got[head] = rows[i][k]
	}
	for head, want := range map[string]string{"Callers": "16", "Answered": "11", "Gave up": "5", "No place given": "1", "Gave up at once": "1", "Answered within 20 s": "5", "Waits of the answered, seconds": "295", "Longest wait": "3600"} {
		if got[head] != want {
			t.Errorf("%s: %q, want %q", head, got[head], want)
		}
	}
	if _, body := s.get("/reports.csv" + theDay + "&lang=it&sep=semicolon"); !strings.HasPrefix(body, "\ufeff") || !strings.Contains(body, ";Chiamanti;") {
		t.Errorf("the Italian table: %q", body)
	}
}

func TestWhatMakesNoSenseOfAReportIsSaidAndTheRestShown(t *testing.T) {
	s := office(t)
	busy(t, s)
	for query, want := range map[string]string{
		"?from=never&lang=en":                            "A day is wrong",
		"?from=2026-03-02&to=2026-03-02&queue=x&lang=en": "",
		"?from=0001-01-01&lang=en":                       "Three years at most",
		"?step=fortnight&lang=en":                        "",
		"?within=-1&lang=en":                             "",
		"?within=abc&lang=en":                            "",
		"?from=" + strings.Repeat("9", 400):              "",
		"?from=2026-03-02%00&queue=%3Cscript%3E&lang=en": "",
	} {
		status, body := s.get("/reports" + query)
		if status != http.StatusOK || !strings.Contains(body, `class="wrong" role="alert"`) || strings.Contains(body, "<script>") || strings.Contains(body, "⟦") {
			t.Errorf("%s: %d %s", query, status, plainText(body))
		}
		if want == "Three years at most" && !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", query, want)
		}
		if status, _ := s.get("/reports.csv" + query); status != http.StatusBadRequest {
			t.Errorf("the table of %s: %d", query, status)
		}
	}
	s.records.away = fmt.Errorf("%w: it is being opened", store.ErrUnavailable)
	if status, body := s.get("/reports" + theDay + "&lang=en"); status != http.StatusServiceUnavailable || !strings.Contains(body, "it is being opened") {
		t.Errorf("without records: %d %s", status, plainText(body))
	}
	if status, _ := s.get("/reports.csv" + theDay); status != http.StatusServiceUnavailable {
		t.Errorf("the table without records: %d", status)
	}
	s.records.away = fmt.Errorf("%w: 5001 rows", store.ErrTooLarge)
	if status, body := s.get("/reports" + theDay + "&lang=en"); status != http.StatusUnprocessableEntity || !strings.Contains(body, "too many rows") {
		t.Errorf("too much: %d %s", status, plainText(body))
	}
}

// Whatever a report can name has its words, in both languages.
func TestEveryFigureHasItsWords(t *testing.T) {
	var row page.ReportRow
	for _, f := range slices.Concat(row.Levels(), row.Figures(), row.Contacts()) {
		for _, key := range []string{f.Key, f.Key + ".is"} {
			for _, lang := range i18n.Languages() {
				if cat, err := i18n.Load(lang); err != nil || !cat.Has(key) {
					t.Errorf("%s: %s %v", lang, key, err)
				}
			}
		}
	}
	keys := []string{}
	for _, o := range []tel.QueueOutcome{
		tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeCallback, tel.OutcomeWithdrawn, tel.OutcomeFailed, tel.OutcomeRefused, tel.OutcomeOverflow,
	} {
		keys = append(keys, "report.outcome."+string(o))
	}
	for _, a := range []tel.AbandonStage{tel.AbandonGreeting, tel.AbandonWaiting, tel.AbandonRinging, tel.AbandonWhisper} {
		keys = append(keys, "report.stage."+string(a))
	}
	for _, step := range report.Steps() {
		keys = append(keys, "report.step."+string(step))
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if !cat.Has(key) {
				t.Errorf("%s: no words for %s", lang, key)
			}
		}
	}
}

func TestReportsLookAsReviewed(t *testing.T) {
	s := office(t)
	busy(t, s, "anna", "bruno")
	for _, lang := range []string{"it", "en"} {
		for name, query := range map[string]string{"report": theDay, "report-empty": "?from=2026-02-01&to=2026-02-02"} {
			t.Run(lang+" "+name, func(t *testing.T) {
				reviewed(t, lang+"-"+name, func() ([]byte, error) {
					_, body := s.get("/reports" + query + "&lang=" + lang)
					return []byte(body), nil
				})
			})
		}
	}
}
