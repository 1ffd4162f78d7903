package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

const (
	formLimit = 64 << 10        // bytes of a form
	patience  = 5 * time.Second // how long a sign-in waits for those before it
)

// form reads a posted form; false when it is none or too large, which was answered then.
func (s *server) form(w http.ResponseWriter, v *visit) bool {
	v.Body = http.MaxBytesReader(w, v.Body, formLimit)
	if err := v.ParseForm(); err != nil {
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return false
	}
	return true
}

// problem is the sentence for a refusal of access, and the status of the answer.
func problem(err error) (sentence string, args []any, status int) {
	var soon access.TooSoonError
	if errors.As(err, &soon) {
		return "door.too_soon", []any{int(math.Ceil(soon.Wait.Seconds()))}, http.StatusTooManyRequests
	}
	for _, x := range []struct {
		err      error
		sentence string
		status   int
	}{
		{access.ErrClaimed, "door.claimed", http.StatusConflict},
		{access.ErrClosed, "door.closed", http.StatusForbidden},
		{access.ErrOutside, "door.outside", http.StatusForbidden},
		{access.ErrCode, "door.code_wrong", http.StatusForbidden},
		{access.ErrWrong, "door.wrong", http.StatusForbidden},
		{access.ErrInvite, "invite.gone", http.StatusForbidden},
		{access.ErrOneTime, "onetime.wrong", http.StatusForbidden},
		{access.ErrStale, "onetime.stale", http.StatusForbidden},
		{access.ErrNoSecret, "onetime.stale", http.StatusConflict},
		{access.ErrPasskey, "passkey.refused", http.StatusForbidden},
		{access.ErrNoName, "passkey.no_name", http.StatusConflict},
		{access.ErrLabel, "passkey.label_bad", http.StatusUnprocessableEntity},
		{access.ErrUnclaimed, "door.unclaimed", http.StatusConflict},
		{access.ErrBusy, "door.busy", http.StatusServiceUnavailable},
		{access.ErrName, "user.name_bad", http.StatusUnprocessableEntity},
		{access.ErrTaken, "user.taken", http.StatusConflict},
		{access.ErrNobody, "user.nobody", http.StatusNotFound},
		{access.ErrRole, "user.role_bad", http.StatusUnprocessableEntity},
		{access.ErrLastOwner, "user.last_owner", http.StatusConflict},
		{access.ErrFull, "user.full", http.StatusConflict},
		{access.ErrShort, "password.short", http.StatusUnprocessableEntity},
		{access.ErrLong, "password.long", http.StatusUnprocessableEntity},
		{access.ErrSimple, "password.simple", http.StatusUnprocessableEntity},
	} {
		if errors.Is(err, x.err) {
			return x.sentence, []any{access.MinPassword}, x.status
		}
	}
	return "", nil, http.StatusInternalServerError
}

// said turns a refusal into what a form shows; what is no refusal is a fault of ours, and logged.
func (s *server) said(w http.ResponseWriter, v *visit, err error) (page.Said, int) {
	sentence, args, status := problem(err)
	if sentence == "" {
		s.Log.Error("page failed", "path", v.URL.Path, "err", err)
		sentence = "fault"
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(args[0].(int)))
	}
	return s.sentence(sentence, args...), status
}

func (s *server) claimForm(w http.ResponseWriter, v *visit) {
	if err := s.Accounts.Claimable(v.from); err != nil {
		if errors.Is(err, access.ErrClaimed) {
			redirect(w, v, "/signin")
			return
		}
		said, status := s.said(w, v, err)
		s.claimPage(w, v, status, page.Door{Said: said, Shut: true})
		return
	}
	s.claimPage(w, v, http.StatusOK, page.Door{})
}

func (s *server) claimPage(w http.ResponseWriter, v *visit, status int, d page.Door) {
	d.Reader, d.Box, d.MinPassword = s.reader(v), s.Name(), access.MinPassword
	if !v.unheard() {
		d.Private = s.overTLS(v, "/claim?lang="+v.lang)
	}
	html, err := s.pages[v.lang].Claim(d, time.Now())
	s.show(w, status, html, err)
}

func (s *server) claim(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	code, name := v.PostForm.Get("code"), v.PostForm.Get("name")
	token, err := s.Accounts.Claim(ctx, code, name, v.PostForm.Get("password"), v.from)
	if err != nil {
		said, status := s.said(w, v, err)
		s.claimPage(w, v, status, page.Door{Said: said, Code: code, Name: name})
		return
	}
	s.Log.Warn("the box has an owner", "user", name, "from", v.from.Addr)
	to := "/"
	if s.Setup.Setup.Waits() {
		to = "/setup"
	}
	s.enter(w, v, token, to)
}

func (s *server) signInForm(w http.ResponseWriter, v *visit) {
	to := inside(v.URL.Query().Get("to"))
	switch {
	case !s.Accounts.Claimed():
		redirect(w, v, "/claim")
	case v.user.Name != "":
		redirect(w, v, to)
	default:
		s.signInPage(w, v, http.StatusOK, page.Door{To: to})
	}
}

func (s *server) signInPage(w http.ResponseWriter, v *visit, status int, d page.Door) {
	d.Reader, d.Box = s.reader(v), s.Name()
	html, err := s.pages[v.lang].SignIn(d, time.Now())
	s.show(w, status, html, err)
}

// signIn opens a session. Over plain HTTP it does so for the box's own networks only: a password does not
// travel through the Internet in the clear.
func (s *server) signIn(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	to := inside(v.PostForm.Get("to"))
	if v.TLS == nil && !v.from.LAN {
		said, status := s.said(w, v, access.ErrOutside)
		s.signInPage(w, v, status, page.Door{Said: said, To: to})
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	name := v.PostForm.Get("name")
	token, err := s.Accounts.SignIn(ctx, name, v.PostForm.Get("password"), v.from)
	var need access.CodeNeededError
	if errors.As(err, &need) {
		s.codePage(w, v, http.StatusOK, page.Door{Half: need.Half, To: to})
		return
	}
	if err != nil {
		said, status := s.said(w, v, err)
		s.signInPage(w, v, status, page.Door{Said: said, Name: name, To: to})
		return
	}
	s.enter(w, v, token, to)
}

func (s *server) codePage(w http.ResponseWriter, v *visit, status int, d page.Door) {
	d.Reader, d.Box = s.reader(v), s.Name()
	html, err := s.pages[v.lang].OneTime(d, time.Now())
	s.show(w, status, html, err)
}

// finish ends a sign-in that waited for its one-time code.
func (s *server) finish(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	half, to := v.PostForm.Get("half"), inside(v.PostForm.Get("to"))
	token, err := s.Accounts.Finish(half, v.PostForm.Get("code"), v.from)
	if err != nil {
		said, status := s.said(w, v, err)
		if errors.Is(err, access.ErrStale) {
			s.signInPage(w, v, status, page.Door{Said: said, To: to})
			return
		}
		s.codePage(w, v, status, page.Door{Said: said, Half: half, To: to})
		return
	}
	s.enter(w, v, token, to)
}

// enter gives the browser its session. The session that it may have had before ends: it is another's now.
func (s *server) enter(w http.ResponseWriter, v *visit, token, to string) {
	s.replaceSession(w, v, token)
	redirect(w, v, to)
}

func (s *server) replaceSession(w http.ResponseWriter, v *visit, token string) {
	if v.token != "" {
		if err := s.Accounts.SignOut(v.token, v.from); err != nil {
			s.Log.Warn("an old session goes on", "user", v.user.Name, "err", err)
		}
	}
	s.setCookie(w, v, token, 0)
}

func (s *server) setCookie(w http.ResponseWriter, v *visit, token string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: v.cookie(), Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: v.TLS != nil, MaxAge: age,
	})
}

func (s *server) signOut(w http.ResponseWriter, v *visit) {
	if v.token != "" {
		if err := s.Accounts.SignOut(v.token, v.from); err != nil {
			said, status := s.said(w, v, err)
			s.refuse(w, v, status, said.Sentence)
			return
		}
	}
	s.setCookie(w, v, "", -1)
	redirect(w, v, "/signin")
}
