// Package recovery serves the page of a box's recovery system, and that of a box whose exchange does not run.
// Both work without scripts and without anything of the office.
package recovery

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/asset"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Box is what the recovery system can say and do.
type Box interface {
	// Facts is how it stands with the box: all of page.Recovery but what the visitor has to do with.
	Facts() page.Recovery
	// Copy puts everything that the office has onto the stick. It returns the name of the file, and the key that
	// opens it where the box has no recovery kit.
	Copy(ctx context.Context) (name, secret string, err error)
	// Take makes such a copy ready for a visitor who takes it away.
	Take() (Copy, error)
	// Reset has the data erased at the next start.
	Reset() error
	// Install begins to install the system again, from a bundle on the stick by its name, or from the vendor's server where
	// that is empty. How far it is Facts tells.
	Install(from string) error
	// Restart ends the recovery system when the requests that are being answered are. It returns at once.
	Restart()
}

// Config is what the page needs.
type Config struct {
	Log      *slog.Logger
	Box      Box
	Gate     *access.Gate
	Language string // of a visitor who asks for none
	TLS      bool   // the page is served over HTTPS too
}

// idle is for how long a session lasts without a request.
const idle = 15 * time.Minute

const (
	cookie    = "pronto_recovery"
	formLimit = 4 << 10 // bytes
)

type server struct {
	Config
	pages map[string]*page.Renderer

	mu       sync.Mutex
	sessions map[string]session
}

// session is a visitor who has given the code.
type session struct {
	used    time.Time
	unheard bool // it began over HTTPS; one that did not does not hold there: somebody may have listened in
	copy    Copy // made ready last
}

// New returns the handler of the recovery system's page.
func New(cfg Config) (http.Handler, error) {
	pages, err := page.All()
	if err != nil {
		return nil, err
	}
	s := &server{Config: cfg, pages: pages, sessions: map[string]session{}}
	mux := http.NewServeMux()
	mux.Handle("GET /asset/", http.StripPrefix("/asset/", http.FileServerFS(asset.Files)))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, http.StatusOK, s.inside(r), page.Said{}) })
	mux.HandleFunc("POST /enter", s.enter)
	mux.HandleFunc("POST /copy", s.only(s.copy))
	mux.HandleFunc("POST /take", s.unheard(s.only(s.prepare)))
	mux.HandleFunc("GET /take/{name}", s.unheard(s.only(s.take)))
	mux.HandleFunc("POST /install", s.only(s.install))
	mux.HandleFunc("POST /reset", s.only(s.reset))
	mux.HandleFunc("POST /restart", s.only(s.restart))
	return s.guard(mux), nil
}

// guard refuses strangers' pages, and turns a fault of ours into an answer.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !front.Admit(w, r) {
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if !front.Ours(r) {
			s.show(w, r, http.StatusForbidden, false, page.Said{Sentence: "stranger"})
			return
		}
		defer func() {
			if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(p)
			} else if p != nil {
				s.Log.Error("page failed", "path", r.URL.Path, "panic", p)
				http.Error(w, "a fault in the box", http.StatusInternalServerError)
			}
		}()
		r.Body = http.MaxBytesReader(w, r.Body, formLimit)
		next.ServeHTTP(w, r)
	})
}

func (s *server) page(r *http.Request) *page.Renderer {
	if p := s.pages[front.Language(r)]; p != nil {
		return p
	}
	return s.pages[s.Language]
}

func (s *server) show(w http.ResponseWriter, r *http.Request, status int, inside bool, said page.Said) {
	x := s.facts(r, inside)
	x.Said = said
	s.render(w, r, status, x)
}

func (s *server) facts(r *http.Request, inside bool) page.Recovery {
	x := s.Box.Facts()
	x.Inside, x.Private, x.HTTPS = inside, r.TLS != nil, s.overTLS(r)
	return x
}

func (s *server) render(w http.ResponseWriter, r *http.Request, status int, x page.Recovery) {
	if x.Inside && x.System.Under() && r.Method == http.MethodGet {
		w.Header().Set("Refresh", "3")
	}
	html, err := s.page(r).Recovery(x, time.Now())
	write(w, status, html, err)
}

func write(w http.ResponseWriter, status int, html []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(html)
}

// inside tells whether a visitor has given the code.
func (s *server) inside(r *http.Request) (ok bool) {
	s.with(r, func(*session) { ok = true })
	return ok
}

// keep has a visitor find a copy again.
func (s *server) keep(r *http.Request, c Copy) { s.with(r, func(v *session) { v.copy = c }) }

func (s *server) kept(r *http.Request) (c Copy, ok bool) {
	s.with(r, func(v *session) { c, ok = v.copy, v.copy.Write != nil })
	return c, ok
}

// with does something with the session of a visitor, if there is one.
func (s *server) with(r *http.Request, do func(*session)) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	v, ok := s.sessions[c.Value]
	if !ok || now.Sub(v.used) > idle {
		delete(s.sessions, c.Value)
		return
	}
	if r.TLS != nil && !v.unheard {
		return
	}
	v.used = now
	do(&v)
	s.sessions[c.Value] = v
}

func (s *server) enter(w http.ResponseWriter, r *http.Request) {
	var from netip.Addr
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from = a.Addr().Unmap()
	}
	ok, wait := s.Gate.Try(r.PostFormValue("code"), from, time.Now())
	switch {
	case wait > 0:
		s.show(w, r, http.StatusTooManyRequests, false, page.Said{Sentence: "recovery.too_soon", Args: []any{int(math.Ceil(wait.Seconds()))}})
		return
	case !ok:
		s.Log.Warn("wrong code", "from", from)
		s.show(w, r, http.StatusForbidden, false, page.Said{Sentence: "recovery.code_wrong"})
		return
	}
	s.Log.Warn("somebody uses the recovery", "from", from)
	token := rand.Text()
	s.mu.Lock()
	s.sessions[token] = session{used: time.Now(), unheard: r.TLS != nil}
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil})
	http.Redirect(w, r, "/?"+r.URL.RawQuery, http.StatusSeeOther)
}

// only lets those pass who have given the code.
func (s *server) only(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.inside(r) {
			s.show(w, r, http.StatusForbidden, false, page.Said{})
			return
		}
		next(w, r)
	}
}

func (s *server) copy(w http.ResponseWriter, r *http.Request) {
	name, secret, err := s.Box.Copy(r.Context())
	if err != nil {
		s.Log.Error("copy", "err", err)
		s.show(w, r, http.StatusInternalServerError, true, page.Said{Sentence: "recovery.copy_failed", Detail: err.Error(), At: time.Now()})
		return
	}
	s.Log.Warn("copied", "name", name)
	x := s.facts(r, true)
	x.Made, x.Secret = name, secret
	s.render(w, r, http.StatusOK, x)
}

// install begins, and leads to the page that tells how far it is.
func (s *server) install(w http.ResponseWriter, r *http.Request) {
	if err := s.Box.Install(r.PostFormValue("from")); err != nil {
		s.Log.Error("install the system again", "err", err)
		s.show(w, r, http.StatusConflict, true, page.Said{Sentence: "recovery.install_not", Detail: err.Error(), At: time.Now()})
		return
	}
	http.Redirect(w, r, "/?"+r.URL.RawQuery, http.StatusSeeOther)
}

func (s *server) reset(w http.ResponseWriter, r *http.Request) {
	id := s.Box.Facts().Box
	if !strings.EqualFold(strings.TrimSpace(r.PostFormValue("typed")), id) {
		s.show(w, r, http.StatusUnprocessableEntity, true, page.Said{Sentence: "recovery.typed_wrong", Args: []any{id}})
		return
	}
	if err := s.Box.Reset(); err != nil {
		s.Log.Error("factory reset", "err", err)
		s.show(w, r, http.StatusInternalServerError, true, page.Said{Sentence: "recovery.reset_failed", Detail: err.Error(), At: time.Now()})
		return
	}
	s.end(w, r, "recovery.resetting")
}

func (s *server) restart(w http.ResponseWriter, r *http.Request) { s.end(w, r, "recovery.restarting") }

// end says goodbye, and has the box restart when that was sent.
func (s *server) end(w http.ResponseWriter, r *http.Request, sentence string) {
	html, err := s.page(r).Broken(page.Broken{Box: s.Box.Facts().Box, Calm: true, Said: page.Said{Sentence: sentence}}, time.Now())
	write(w, http.StatusOK, html, err)
	s.Box.Restart()
}
