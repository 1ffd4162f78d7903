package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// question is what passkey.js hands to the browser, and sends back the token of.
type question struct {
	Options json.RawMessage `json:"options"`
	Token   string          `json:"token"`
}

// seenAt is where the visitor's browser sees this page.
func seenAt(v *visit) access.Site {
	host, scheme := v.Host, "http"
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if v.TLS != nil {
		scheme = "https"
	}
	return access.Site{Host: host, Origin: scheme + "://" + v.Host}
}

// answer is what passkey.js sends: the browser's credential, and the token of the question.
type answer struct {
	Token, Label, To string
	Credential       json.RawMessage
}

// answered reads it; false when it is none, which was said then.
func (s *server) answered(w http.ResponseWriter, v *visit) (a answer, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, v.Body, formLimit))
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil {
		s.tell(w, v, http.StatusBadRequest, map[string]string{"error": s.pages[v.lang].Say(page.Said{Sentence: "form.unread"})})
		return a, false
	}
	return a, true
}

// tell answers the script.
func (s *server) tell(w http.ResponseWriter, v *visit, status int, what any) {
	body, err := json.Marshal(what)
	if err != nil {
		s.show(w, 0, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // who went away needs none
}

// sorry tells the script why not, in words.
func (s *server) sorry(w http.ResponseWriter, v *visit, err error) {
	if errors.Is(err, access.ErrPasskey) {
		s.Log.Info("passkey refused", "from", v.from.Addr, "err", err)
	}
	said, status := s.said(w, v, err)
	s.tell(w, v, status, map[string]string{"error": s.pages[v.lang].Say(said)})
}

// beginPasskey demands the password: a browser left alone must not be enough to open a second door.
func (s *server) beginPasskey(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	if err := s.Accounts.Verify(ctx, v.user.Name, v.PostForm.Get("old"), v.from); err != nil {
		s.sorry(w, v, err)
		return
	}
	options, token, err := s.Accounts.BeginPasskey(v.user.Name, s.Name(), seenAt(v))
	if err != nil {
		s.sorry(w, v, err)
		return
	}
	s.tell(w, v, http.StatusOK, question{options, token})
}

func (s *server) addPasskey(w http.ResponseWriter, v *visit) {
	a, ok := s.answered(w, v)
	if !ok {
		return
	}
	if err := s.Accounts.AddPasskey(v.user.Name, a.Token, a.Label, s.Name(), a.Credential, v.from); err != nil {
		s.sorry(w, v, err)
		return
	}
	s.tell(w, v, http.StatusOK, map[string]string{"to": "/me?lang=" + v.lang})
}

// removePasskey needs no password: who takes a stolen device out is in a hurry, and a door less is no danger.
func (s *server) removePasskey(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	if err := s.Accounts.RemovePasskey(v.user.Name, v.user.Name, v.PostForm.Get("id"), v.from); err != nil {
		said, status := s.said(w, v, err)
		s.mePage(w, v, status, said)
		return
	}
	redirect(w, v, "/me")
}

func (s *server) beginPasskeySignIn(w http.ResponseWriter, v *visit) {
	options, token, err := s.Accounts.BeginPasskeySignIn(s.Name(), seenAt(v), v.from)
	if err != nil {
		s.sorry(w, v, err)
		return
	}
	s.tell(w, v, http.StatusOK, question{options, token})
}

func (s *server) passkeySignIn(w http.ResponseWriter, v *visit) {
	a, ok := s.answered(w, v)
	if !ok {
		return
	}
	session, err := s.Accounts.PasskeySignIn(a.Token, s.Name(), a.Credential, v.from)
	if err != nil {
		s.sorry(w, v, err)
		return
	}
	s.replaceSession(w, v, session)
	s.tell(w, v, http.StatusOK, map[string]string{"to": inside(a.To)})
}
