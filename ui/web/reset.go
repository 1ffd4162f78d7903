package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// resetForm is where the owner has the box forget everything.
func (s *server) resetForm(w http.ResponseWriter, v *visit) {
	s.resetPage(w, v, http.StatusOK, page.Said{})
}

func (s *server) resetPage(w http.ResponseWriter, v *visit, status int, said page.Said) {
	if s.Erase == nil {
		s.missing(w, v)
		return
	}
	html, err := s.pages[v.lang].Reset(page.Reset{Reader: s.reader(v), Box: s.Name(), Said: said}, time.Now())
	s.show(w, status, html, err)
}

// reset asks for the password again and for the name of the office, so that neither a cookie nor a slip of the
// hand is enough.
func (s *server) reset(w http.ResponseWriter, v *visit) {
	if s.Erase == nil {
		s.missing(w, v)
		return
	}
	if !s.form(w, v) {
		return
	}
	if !strings.EqualFold(strings.TrimSpace(v.PostForm.Get("typed")), strings.TrimSpace(s.Name())) {
		s.resetPage(w, v, http.StatusUnprocessableEntity, page.Said{Sentence: "reset.typed_wrong", Args: []any{s.Name()}})
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	if err := s.Accounts.Verify(ctx, v.user.Name, v.PostForm.Get("old"), v.from); err != nil {
		said, status := s.said(w, v, err)
		s.resetPage(w, v, status, said)
		return
	}
	if err := s.Erase(); err != nil {
		s.fault(w, v, err)
		return
	}
	html, err := s.pages[v.lang].Broken(page.Broken{Box: s.Name(), Calm: true, Said: page.Said{Sentence: "recovery.resetting"}}, time.Now())
	s.show(w, http.StatusOK, html, err)
}
