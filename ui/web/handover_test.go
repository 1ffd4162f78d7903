package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
)

func TestTheHandoverReportIsAPageAndAFile(t *testing.T) {
	s := office(t)
	for _, lang := range []string{"it", "en"} {
		_, body := s.get("/handover?lang=" + lang)
		look(t, lang, "handover", body)
	}
	w := s.do(ask{method: http.MethodGet, path: "/handover.pdf?lang=it", as: access.Installer})
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/pdf" || !strings.HasPrefix(w.Body.String(), "%PDF-") || !strings.Contains(w.Header().Get("Content-Disposition"), ".pdf") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if got := s.deeds(); len(got) != 1 || got[0] != access.DeedHandover {
		t.Errorf("the audit log says %v", got)
	}
}
