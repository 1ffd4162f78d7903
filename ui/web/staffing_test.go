package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
)

// mondays fills eight Mondays before 2026-03-02 with thirty callers of sales from ten o'clock.
func mondays(t *testing.T, s *site) {
	t.Helper()
	var waits []store.Wait
	for week := 1; week <= 8; week++ {
		for i := range 30 {
			joined := time.Date(2026, 3, 2, 9, i, 0, 0, time.UTC).AddDate(0, 0, -7*week) // ten in Rome
			waits = append(waits, store.Wait{Pos: store.Position(len(waits) + 5000), QueueLeft: tel.QueueLeft{
				Queue: "sales", Call: tel.CallID(fmt.Sprintf("m%d", len(waits))), Joined: joined, Left: joined.Add(5 * time.Second), Outcome: tel.OutcomeAnswered,
			}})
		}
	}
	if err := s.records.PutWaits(t.Context(), waits...); err != nil {
		t.Fatal(err)
	}
}

func TestAPlanSaysHowManyPeopleAQueueNeeds(t *testing.T) {
	s := office(t)
	mondays(t, s)
	_, body := s.get("/reports/staffing?day=2026-03-02&queue=sales&lang=en")
	text := plainText(body)
	for _, want := range []string{ // 60 an hour of 3 minutes: 3 erlangs
		"5 people at the busiest", "Expected from these days: 2026-01-05, 2026-01-12,", "2026-02-23.", "A caller takes 3:00", "Hardly anybody has given up",
		"10:00 30.0 5 81 % 0 % 0:21 60 %",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if _, body := s.get("/reports/staffing?day=2026-03-02&queue=sales&target=95&within=10&lang=en"); !strings.Contains(plainText(body), "7 people at the busiest") {
		t.Errorf("a higher aim: %s", plainText(body))
	}
	if _, body := s.get("/reports/staffing?day=2026-03-03&queue=sales&lang=en"); !strings.Contains(body, "nothing is known of the day") {
		t.Errorf("a day without a past: %s", plainText(body))
	}
	christmas := office(t)
	var waits []store.Wait
	for i := range 20 {
		joined := time.Date(2025, 12, 25, 9, i, 0, 0, time.UTC)
		waits = append(waits, store.Wait{Pos: store.Position(7000 + i), QueueLeft: tel.QueueLeft{Queue: "sales", Call: tel.CallID(fmt.Sprintf("x%d", i)), Joined: joined, Left: joined.Add(5 * time.Second), Outcome: tel.OutcomeAnswered}})
	}
	if err := christmas.records.PutWaits(t.Context(), waits...); err != nil {
		t.Fatal(err)
	}
	_, body = christmas.get("/reports/staffing?day=2026-12-25&queue=sales&lang=en")
	if text := plainText(body); !strings.Contains(text, "Natale is a holiday") || !strings.Contains(text, "Expected from these days: 2025-12-25.") || !strings.Contains(text, "10:00 20.0") {
		t.Errorf("a holiday: %s", text)
	}
	for _, query := range []string{"?day=x", "?day=9999-01-01", "?day=0001-01-01", "?queue=none", "?target=200", "?within=x", "?queue=%3Cscript%3E"} {
		if status, body := s.get("/reports/staffing" + query + "&lang=en"); status != http.StatusOK || !strings.Contains(body, `class="wrong" role="alert"`) || strings.Contains(body, "<script>") || strings.Contains(body, "⟦") {
			t.Errorf("%s: %d %s", query, status, plainText(body))
		}
	}
	s.records.away = store.ErrUnavailable
	if status, _ := s.get("/reports/staffing?lang=en"); status != http.StatusServiceUnavailable {
		t.Errorf("without records: %d", status)
	}
	of := ofSales(t)
	mondays(t, of)
	if w := of.do(ask{method: http.MethodGet, path: "/reports/staffing?queue=help&lang=en", as: access.Supervisor}); strings.Contains(w.Body.String(), "Aiuto") || !strings.Contains(w.Body.String(), "Vendite") {
		t.Errorf("a supervisor of sales plans %s", plainText(w.Body.String()))
	}
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		mondays(t, s)
		t.Run(lang, func(t *testing.T) {
			reviewed(t, lang+"-staffing", func() ([]byte, error) {
				_, body := s.get("/reports/staffing?day=2026-03-02&queue=sales&lang=" + lang)
				return []byte(body), nil
			})
		})
	}
}
