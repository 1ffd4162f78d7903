package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// missed lists the callers whom nobody has served. Who supervises the queue may take them off the list.
func (s *server) missed(w http.ResponseWriter, v *visit) {
	p := page.MissedCallers{Reader: s.reader(v), Box: s.Name(), Missed: slices.Clone(s.Missed())}
	for i := range p.Missed {
		p.Missed[i].May = v.user.Supervises(p.Missed[i].Queue)
	}
	html, err := s.pages[v.lang].MissedCallers(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// dismissing asks whether a missed caller is really to be taken off the list.
func (s *server) dismissing(w http.ResponseWriter, v *visit) {
	if m := s.missedOf(w, v); m != nil {
		s.dismissingPage(w, v, http.StatusOK, page.Dismissing{Missed: *m})
	}
}

// missedOf finds the caller that the path names, or answers why the visitor gets none.
func (s *server) missedOf(w http.ResponseWriter, v *visit) *page.Missed {
	all, number := s.Missed(), tel.Number(v.PathValue("caller"))
	i := slices.IndexFunc(all, func(m page.Missed) bool { return m.Number == number })
	switch {
	case i < 0:
		s.refuse(w, v, http.StatusNotFound, "missed.gone")
	case !v.user.Supervises(all[i].Queue):
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
	default:
		return &all[i]
	}
	return nil
}

func (s *server) dismissingPage(w http.ResponseWriter, v *visit, status int, d page.Dismissing) {
	d.Reader, d.Box = s.reader(v), s.Name()
	d.Reader.Path = "/missed/" + v.PathValue("caller")
	html, err := s.pages[v.lang].Dismissing(d, time.Now())
	s.show(w, status, html, err)
}

// dismiss takes a missed caller off the list.
func (s *server) dismiss(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	m := s.missedOf(w, v)
	if m == nil {
		return
	}
	s.order(w, v, Order{Do: "dismiss", With: string(m.Number)}, "/missed", func(said page.Said) {
		s.dismissingPage(w, v, http.StatusConflict, page.Dismissing{Said: said, Missed: *m})
	})
}
