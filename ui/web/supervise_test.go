package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestASupervisorChoosesByAFormAndIsToldWhyNot(t *testing.T) {
	type wish struct {
		by, agent tel.AgentID
		mode      tel.SupervisionMode
	}
	var got []wish
	refusal := ""
	h := New(Config{
		Log: slog.New(slog.DiscardHandler), Language: "it",
		Supervise: func(by, agent tel.AgentID, mode tel.SupervisionMode) string {
			got = append(got, wish{by, agent, mode})
			return refusal
		},
		Refusal: func(lang, key string) ([]byte, error) { return []byte(lang + " " + key), nil },
	})
	post := func(form string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://pronto.local/supervise", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const form = "by=boss&agent=anna&mode=whisper&lang=en"
	if w := post(form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/?lang=en" {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	if len(got) != 1 || got[0] != (wish{"boss", "anna", tel.SuperviseWhisper}) {
		t.Errorf("asked for %v", got)
	}
	refusal = "supervise.no_basis"
	if w := post(form); w.Code != http.StatusForbidden || w.Body.String() != "en supervise.no_basis" {
		t.Errorf("refused: %d %q", w.Code, w.Body)
	}
	asked := len(got)
	for name, w := range map[string]*httptest.ResponseRecorder{
		"a mode that does not exist": post("by=boss&agent=anna&mode=record"),
		"nothing":                    post(""),
		"a form without an end":      post("by=" + strings.Repeat("x", maxForm)),
		"a form of another site":     post(form, "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"),
	} {
		if w.Code != http.StatusBadRequest && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if len(got) != asked {
		t.Errorf("a bad form was carried out: %v", got[asked:])
	}
	h = New(Config{Log: slog.New(slog.DiscardHandler)})
	if w := post(form); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("where nobody supervises: %d", w.Code)
	}
}
