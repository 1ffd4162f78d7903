// Package web serves the page: routes and who may use them, headers, the live stream and the doors.
//
// routes.go is the table of contents: every path with the right that it demands.
package web

import (
	"context"
	"crypto/tls"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/asset"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Config is what the page needs.
type Config struct {
	Log      *slog.Logger
	Hub      *live.Hub
	Accounts *access.Accounts
	Language func() string         // of a visitor who asks for none
	LAN      func(netip.Addr) bool // is this address of the box's own networks?
	Plain    func() bool           // may the page be used without HTTPS?
	TLSPort  uint16                // where HTTPS is; 0: nowhere
	Name     func() string         // of the box
	People   func() []page.Person  // who answers, to be chosen as what a user is at the phones
	Queues   func() []page.Choice  // to which a supervisor can be limited
	Ready    func() error          // nil when the box can carry a call
	Present  func() ([]byte, error)
	Codes    func() []view.Code // what phones can dial
	Settings settings.Port
	Licences string // file with the licences of all that the box was shipped with; empty: those of the programs
	// Desk is what an agent does now; nil of who is none.
	Desk func(context.Context, tel.AgentID) (*page.Desk, error)
	// Command is given by an agent: login, logout, pause ... with the reason of a pause, or the queue of a
	// command about one. ErrCommand and the like say in words what was refused.
	Command func(ctx context.Context, agent tel.AgentID, command, with string) error
	// Supervise rings the phone of by, who takes part in the conversation of agent. It returns the sentence
	// that says why not, or nothing.
	Supervise func(by, agent tel.AgentID, mode tel.SupervisionMode) (sentence string)

	// Caller is a waiting caller as a supervisor sees it; nil of a call that does not wait.
	Caller func(context.Context, tel.CallID) (*page.Caller, error)
	// Callbacks are those who have hung up and are owed a call, in order of queue and place.
	Callbacks func(context.Context) ([]page.Callback, error)
	// Agent is an agent as a supervisor sees it; nil of who is none.
	Agent func(context.Context, tel.AgentID) (*page.Agent, error)
	// Order carries out what a supervisor has decided, and writes it down. It returns the sentence that says
	// why not, or nothing.
	Order func(context.Context, Order) (sentence string, err error)
}

// server is the page's handler with what it was given.
type server struct {
	Config
	pages  map[string]*page.Renderer
	drafts drafts
}

// New returns the page's handler.
func New(cfg Config) (http.Handler, error) {
	s := &server{Config: cfg}
	var err error
	if s.pages, err = page.All(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, s.admit(r))
	}
	return s.guard(mux), nil
}

func assets() fs.FS { return asset.Files }

// guard sets the headers every answer carries, keeps strangers' names and strangers' pages from being used
// against the visitor's browser (DNS rebinding, forged requests), and turns a fault of ours into a 500.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if !knownHost(r.Host) {
			http.Error(w, "this box is not "+strings.ToValidUTF8(r.Host, "?"), http.StatusMisdirectedRequest)
			return
		}
		if !ours(r) {
			s.refuse(w, s.visit(r), http.StatusForbidden, "stranger")
			return
		}
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("page failed", "path", r.URL.Path, "panic", p)
				s.refuse(w, s.visit(r), http.StatusInternalServerError, "fault")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// ours tells whether a request that changes something was made by the box's own page. Browsers say so in
// Sec-Fetch-Site or Origin; what says nothing is no browser, and has no business with forms.
func ours(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return false
	}
	return http.NewCrossOriginProtection().Check(r) == nil
}

// knownHost accepts addresses, localhost and names of the local network; a foreign domain that was
// made to point at the box is refused.
func knownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(strings.ToLower(host), "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || host == "pronto" || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".lan") ||
		strings.HasSuffix(host, ".home.arpa") || strings.HasSuffix(host, ".localhost")
}

func cache(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// language is what the visitor asked for: the link first, then the browser.
func (s *server) language(r *http.Request) string {
	switch q := r.URL.Query().Get("lang"); q {
	case "it", "en":
		return q
	}
	for _, l := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		switch l = strings.ToLower(strings.TrimSpace(l)); {
		case strings.HasPrefix(l, "it"):
			return "it"
		case strings.HasPrefix(l, "en"):
			return "en"
		}
	}
	return s.Language()
}

// Certificate is tls.Config's GetCertificate.
type Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Serve answers on l until ctx ends, then lets open requests finish for a moment: over HTTPS with a
// certificate, over plain HTTP with nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler, cert Certificate) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	serve := srv.Serve
	if cert != nil {
		srv.TLSConfig = &tls.Config{GetCertificate: cert, MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		_ = srv.Close()
	}
	<-done
	return nil
}
