package web

import (
	"context"
	"image/png"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// oneTime shows the secret that an authenticator app must learn.
func (s *server) oneTime(w http.ResponseWriter, v *visit) {
	s.oneTimePage(w, v, http.StatusOK, page.Begun{})
}

func (s *server) oneTimePage(w http.ResponseWriter, v *visit, status int, b page.Begun) {
	secret, err := s.Accounts.BeginOneTime(v.user.Name, s.Name())
	if err != nil {
		said, status := s.said(w, v, err)
		s.refuse(w, v, status, said.Sentence)
		return
	}
	b.Reader, b.Box, b.Secret = s.reader(v), s.Name(), secret.Text()
	html, err := s.pages[v.lang].Begun(b, time.Now())
	s.show(w, status, html, err)
}

func (s *server) oneTimePicture(w http.ResponseWriter, v *visit) {
	secret, err := s.Accounts.BeginOneTime(v.user.Name, s.Name())
	if err != nil {
		said, status := s.said(w, v, err)
		s.refuse(w, v, status, said.Sentence)
		return
	}
	img, err := secret.QR()
	if err != nil {
		s.show(w, 0, nil, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	_ = png.Encode(w, img) // who went away needs none
}

// confirmOneTime switches one-time codes on and shows the spare ones, once.
func (s *server) confirmOneTime(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	spare, err := s.Accounts.ConfirmOneTime(v.user.Name, v.PostForm.Get("code"), v.from)
	if err != nil {
		said, status := s.said(w, v, err)
		s.oneTimePage(w, v, status, page.Begun{Said: said})
		return
	}
	html, err := s.pages[v.lang].Spare(page.Spare{Reader: s.reader(v), Box: s.Name(), Codes: spare}, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// stopOneTime demands the password: a browser left alone must not be enough to weaken an account.
func (s *server) stopOneTime(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	err := s.Accounts.Verify(ctx, v.user.Name, v.PostForm.Get("old"), v.from)
	if err == nil {
		err = s.Accounts.StopOneTime(v.user.Name, v.user.Name, v.from)
	}
	if err != nil {
		said, status := s.said(w, v, err)
		s.mePage(w, v, status, said)
		return
	}
	redirect(w, v, "/me")
}

// stopUserOneTime lets somebody in again who has lost the app and the spare codes.
func (s *server) stopUserOneTime(w http.ResponseWriter, v *visit) {
	if err := s.Accounts.StopOneTime(v.user.Name, v.PathValue("name"), v.from); err != nil {
		said, status := s.said(w, v, err)
		s.usersPage(w, v, status, page.Users{Said: said})
		return
	}
	redirect(w, v, "/users")
}
