package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// mostWhy bounds the reason of an erasure, in bytes.
const mostWhy = 800

// erasures shows who was erased, and the form to erase somebody.
func (s *server) erasures(w http.ResponseWriter, v *visit) {
	s.erasuresPage(w, v, http.StatusOK, page.Erasures{})
}

func (s *server) erasuresPage(w http.ResponseWriter, v *visit, status int, p page.Erasures) {
	p.Reader, p.Box, p.Erasures = s.reader(v), s.Name(), s.Erasures.List(v.Context())
	html, err := s.pages[v.lang].Erasures(p, time.Now())
	s.show(w, status, html, err)
}

// erase asks first what it would find, and has the person forgotten when that was confirmed.
func (s *server) erase(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	p := page.Erasures{Number: strings.TrimSpace(v.PostForm.Get("number")), Why: strings.TrimSpace(v.PostForm.Get("why"))}
	n, err := tel.ParseNumber(p.Number)
	switch {
	case err != nil:
		p.Said = s.sentence("erasures.number")
	case p.Why == "" || len(p.Why) > mostWhy:
		p.Said = s.sentence("erasures.whyless")
	}
	if p.Said.Sentence != "" {
		s.erasuresPage(w, v, http.StatusUnprocessableEntity, p)
		return
	}
	if v.PostForm.Get("sure") == "" {
		found, refused := s.Erasures.Look(v.Context(), n)
		if refused.Sentence != "" {
			p.Said = s.sentence(refused.Sentence)
			s.erasuresPage(w, v, http.StatusConflict, p)
			return
		}
		p.Sure = &found
		s.erasuresPage(w, v, http.StatusOK, p)
		return
	}
	refused, err := s.Erasures.Erase(v.Context(), n, p.Why, by(v))
	switch {
	case err != nil:
		s.fault(w, v, err)
	case refused.Sentence != "":
		s.Log.Warn("a person is not erased", "why", refused.Sentence, "detail", refused.Detail)
		p.Said = s.sentence(refused.Sentence)
		s.erasuresPage(w, v, http.StatusConflict, p)
	default:
		redirect(w, v, "/erasures")
	}
}
