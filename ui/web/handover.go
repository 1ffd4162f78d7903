package web

import (
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/handover"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
)

// report is the report of this moment.
func (s *server) report(v *visit) page.Handover {
	h := s.Handover(v.Context())
	h.Reader, h.Box, h.By = s.reader(v), s.Name(), v.user.Name
	h.Reader.Path = "/handover"
	return h
}

func (s *server) handover(w http.ResponseWriter, v *visit) {
	html, err := s.pages[v.lang].Handover(s.report(v), time.Now())
	s.show(w, http.StatusOK, html, err)
}

// handoverPDF is the same report as a file.
func (s *server) handoverPDF(w http.ResponseWriter, v *visit) {
	cat, err := i18n.Load(v.lang)
	if err != nil {
		s.fault(w, v, err)
		return
	}
	file, err := handover.PDF(s.report(v), cat)
	if err != nil {
		s.fault(w, v, err)
		return
	}
	s.Accounts.Note(access.DeedHandover, v.user.Name, "", v.from)
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", `attachment; filename="pronto-handover-`+time.Now().Format(time.DateOnly)+`.pdf"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(file)
}
