package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// rerun is a day of 100 callers, of whom ten more are answered with the change.
func (s *site) rerun(_ context.Context, ask WhatIf) (page.Rerun, string, error) {
	s.asked = append(s.asked, ask)
	if s.unran == "broken" {
		return page.Rerun{}, "", errors.New("the journal is gone")
	}
	day := func(answered int) (t report.Traffic) {
		joined := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		for i := range 100 {
			left := tel.QueueLeft{Queue: ask.Queue, Joined: joined, Left: joined.Add(15 * time.Second), Outcome: tel.OutcomeAnswered}
			if i >= answered {
				left.Left, left.Outcome = joined.Add(40*time.Second), tel.OutcomeAbandoned
			}
			t.TakeWait(left)
		}
		return t
	}
	return page.Rerun{Was: day(70), Is: day(80), WasBusy: 0.9, IsBusy: 0.75, Exact: true, Patience: 30}, s.unran, nil
}

func TestAPastDayIsShownAsItWasAndAsItWouldHaveBeen(t *testing.T) {
	s := office(t)
	_, body := s.get("/reports/whatif?day=2026-03-02&queue=sales&agents=1&strategy=ring_all&wrapup=30&run=1&lang=en")
	text := plainText(body)
	for _, want := range []string{
		"As it was With the change", "Callers 100 100", "Answered 70 80", "70 % 80 %", "run again without a change, this day comes out as it was",
		"estimated from the 30 who gave up", "The box knows the days from 2026-02-23 on.", "90 % 75 %",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if len(s.asked) != 1 || s.asked[0].Queue != "sales" || s.asked[0].Agents != 1 || s.asked[0].Strategy != "ring_all" || *s.asked[0].WrapUp != 30*time.Second ||
		!s.asked[0].Day.Equal(time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)) { // midnight in Rome
		t.Errorf("asked %+v", s.asked)
	}
}

func TestADayIsRunAgainOnlyWhenAskedFor(t *testing.T) {
	s := office(t)
	if status, _ := s.get("/reports/whatif?day=2026-03-02&queue=sales&lang=en"); status != http.StatusOK || len(s.asked) > 0 {
		t.Errorf("%d, asked %+v", status, s.asked)
	}
	for _, query := range []string{"?day=x", "?day=9999-01-01", "?queue=none", "?agents=99", "?within=x", "?strategy=%3Cscript%3E", "?wrapup=-1", "?wrapup=9999999"} {
		if status, body := s.get("/reports/whatif" + query + "&run=1&lang=en"); status != http.StatusOK || !strings.Contains(body, `class="wrong" role="alert"`) || strings.Contains(body, "<script>") || strings.Contains(body, "⟦") {
			t.Errorf("%s: %d %s", query, status, plainText(body))
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("what makes no sense was run: %+v", s.asked)
	}
}

func TestWhyADayIsNotRunAgainIsSaid(t *testing.T) {
	for sentence, want := range map[string]int{
		"whatif.busy": http.StatusUnprocessableEntity, "whatif.unknown_day": http.StatusUnprocessableEntity, "whatif.impossible": http.StatusUnprocessableEntity, "broken": http.StatusServiceUnavailable,
	} {
		for _, lang := range []string{"it", "en"} {
			s := office(t)
			s.unran = sentence
			status, body := s.get("/reports/whatif?day=2026-03-02&queue=sales&run=1&lang=" + lang)
			if status != want || !strings.Contains(body, `role="alert"`) || strings.Contains(body, "⟦") {
				t.Errorf("%s: %d %s", sentence, status, plainText(body))
			}
		}
	}
}

func TestASupervisorAsksAboutTheOwnQueuesOnly(t *testing.T) {
	of := ofSales(t)
	w := of.do(ask{method: http.MethodGet, path: "/reports/whatif?day=2026-03-02&queue=help&run=1&lang=en", as: access.Supervisor})
	if strings.Contains(w.Body.String(), "Aiuto") || !strings.Contains(w.Body.String(), "Vendite") || len(of.asked) > 0 {
		t.Errorf("asked %+v: %s", of.asked, plainText(w.Body.String()))
	}
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		t.Run(lang, func(t *testing.T) {
			reviewed(t, lang+"-whatif", func() ([]byte, error) {
				_, body := s.get("/reports/whatif?day=2026-03-02&queue=sales&agents=1&run=1&lang=" + lang)
				return []byte(body), nil
			})
		})
	}
}

// queueLog says what was asked for.
func (s *site) queueLog(_ context.Context, from, to time.Time, anonymous bool) ([]byte, error) {
	if s.unran == "broken" {
		return nil, errors.New("the journal is gone")
	}
	return fmt.Appendf(nil, "%s %s %v\n", from.UTC().Format(time.DateTime), to.UTC().Format(time.DateTime), anonymous), nil
}

func TestAQueueLogIsOfTheDaysOfAReport(t *testing.T) {
	s := office(t)
	if status, body := s.get("/reports/queue_log?from=2026-03-02&to=2026-03-03&lang=en"); status != http.StatusOK || body != "2026-03-01 23:00:00 2026-03-03 23:00:00 true\n" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := s.get("/reports/queue_log?from=x&lang=en"); status != http.StatusBadRequest {
		t.Errorf("a day that is none: %d", status)
	}
	s.unran = "broken"
	if status, _ := s.get("/reports/queue_log?lang=en"); status != http.StatusServiceUnavailable {
		t.Errorf("without a journal: %d", status)
	}
	of := ofSales(t)
	if w := of.do(ask{method: http.MethodGet, path: "/reports/queue_log?lang=en", as: access.Supervisor}); w.Code != http.StatusForbidden {
		t.Errorf("a supervisor of one queue has the file of all: %d", w.Code)
	}
}
