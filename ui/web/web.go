// Package web serves the page: routes, headers, the live stream, and the forms of supervisors.
package web

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/asset"
	"github.com/pronto-pbx/pronto/ui/live"
)

// Config is what the page needs.
type Config struct {
	Log      *slog.Logger
	Hub      *live.Hub
	Language string                            // of a visitor who asks for none
	Ready    func() error                      // nil when the box can carry a call
	Present  func() ([]byte, error)            // what holds now, as JSON
	Codes    func(lang string) ([]byte, error) // the page of what phones can dial

	// Supervise rings the phone of by, who takes part in the conversation of agent. It returns the key of
	// the sentence that says why not, or nothing. Nil: the page offers none of it.
	Supervise func(by, agent tel.AgentID, mode tel.SupervisionMode) (refusal string)
	Refusal   func(lang, key string) ([]byte, error) // the page that says it
}

// New returns the page's handler.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", cfg.office)
	mux.HandleFunc("GET /codes", cfg.codes)
	mux.HandleFunc("GET /live", cfg.live)
	mux.HandleFunc("GET /healthz", cfg.healthz)
	mux.HandleFunc("GET /api/now", cfg.now)
	mux.Handle("GET /asset/", http.StripPrefix("/asset/", cache(http.FileServerFS(assets()))))
	if cfg.Supervise != nil {
		mux.HandleFunc("POST /supervise", cfg.supervise)
	}
	return guard(cfg.Log, http.NewCrossOriginProtection().Handler(mux))
}

func assets() fs.FS { return asset.Files }

// guard sets the headers every answer carries, keeps strangers' names from being used against the
// visitor's browser (DNS rebinding), and turns a fault of ours into a 500.
func guard(log *slog.Logger, next http.Handler) http.Handler {
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
		defer func() {
			if p := recover(); p != nil {
				log.Error("page failed", "path", r.URL.Path, "panic", p)
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
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
func (c Config) language(r *http.Request) string {
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
	return c.Language
}

func (c Config) office(w http.ResponseWriter, r *http.Request) {
	html, err := c.Hub.Page(c.language(r), time.Now())
	c.show(w, html, err)
}

func (c Config) codes(w http.ResponseWriter, r *http.Request) {
	html, err := c.Codes(c.language(r))
	c.show(w, html, err)
}

// maxForm bounds what a form may send.
const maxForm = 4 << 10

// supervise carries out what a supervisor has chosen at an agent. It works without JavaScript: the
// answer leads back to the page.
func (c Config) supervise(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	lang := c.language(r)
	if l := r.PostForm.Get("lang"); l == "it" || l == "en" {
		lang = l
	}
	mode := tel.SupervisionMode(r.PostForm.Get("mode"))
	if !slices.Contains(tel.SupervisionModes(), mode) {
		http.Error(w, "no such kind of supervision", http.StatusBadRequest)
		return
	}
	refusal := c.Supervise(tel.AgentID(r.PostForm.Get("by")), tel.AgentID(r.PostForm.Get("agent")), mode)
	if refusal == "" {
		http.Redirect(w, r, "/?lang="+lang, http.StatusSeeOther)
		return
	}
	html, err := c.Refusal(lang, refusal)
	if err != nil {
		c.show(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write(html)
}

// show sends a page, or says that there is none.
func (c Config) show(w http.ResponseWriter, html []byte, err error) {
	if err != nil {
		c.Log.Error("page cannot be rendered", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(html)
}

// writeLimit is how long one push to a browser may take before the viewer is let go.
const writeLimit = 10 * time.Second

func (c Config) live(w http.ResponseWriter, r *http.Request) {
	v, ok := c.Hub.Join(c.language(r))
	if !ok {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many viewers", http.StatusServiceUnavailable)
		return
	}
	defer c.Hub.Leave(v)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	write := func(frame []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit))
		_, err := w.Write(frame)
		return err == nil && out.Flush() == nil
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case frame, open := <-v.Frames():
			if !open || !write(frame) {
				return
			}
		}
	}
}

func (c Config) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := c.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// now is the page for programs: every present fact as one JSON document.
func (c Config) now(w http.ResponseWriter, _ *http.Request) {
	doc, err := c.Present()
	if err != nil {
		c.Log.Error("present cannot be written", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(doc)
}

// Serve answers on l until ctx ends, then lets open requests finish for a moment.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
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
