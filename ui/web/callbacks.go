package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// callbacks lists who is owed a call. Everybody who sees the live page sees them; who supervises a queue may
// take its callbacks off the list.
func (s *server) callbacks(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	all, err := s.Callbacks(ctx)
	if err != nil {
		s.fault(w, v, err)
		return
	}
	p := page.Callbacks{Reader: s.reader(v), Box: s.Name(), Callbacks: all}
	p.Limit(v.user.Supervises)
	html, err := s.pages[v.lang].Callbacks(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// dropping asks whether a callback is really to be taken off the list.
func (s *server) dropping(w http.ResponseWriter, v *visit) {
	if c := s.callbackOf(w, v); c != nil {
		s.droppingPage(w, v, http.StatusOK, page.Dropping{Callback: *c})
	}
}

// callbackOf finds the callback that the path names, or answers why the visitor gets none.
func (s *server) callbackOf(w http.ResponseWriter, v *visit) *page.Callback {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	all, err := s.Callbacks(ctx)
	id := tel.CallbackID(v.PathValue("callback"))
	i := slices.IndexFunc(all, func(c page.Callback) bool { return c.ID == id })
	switch {
	case err != nil:
		s.fault(w, v, err)
	case i < 0:
		s.refuse(w, v, http.StatusNotFound, "callbacks.gone")
	case !v.user.Supervises(all[i].Queue):
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
	default:
		return &all[i]
	}
	return nil
}

func (s *server) droppingPage(w http.ResponseWriter, v *visit, status int, d page.Dropping) {
	d.Reader, d.Box = s.reader(v), s.Name()
	d.Reader.Path = "/callbacks/" + v.PathValue("callback")
	html, err := s.pages[v.lang].Dropping(d, time.Now())
	s.show(w, status, html, err)
}

// dropCallback takes a callback off the list.
func (s *server) dropCallback(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	c := s.callbackOf(w, v)
	if c == nil {
		return
	}
	s.order(w, v, Order{Do: "drop", Callback: c.ID}, "/callbacks", func(said page.Said) {
		s.droppingPage(w, v, http.StatusConflict, page.Dropping{Said: said, Callback: *c})
	})
}
