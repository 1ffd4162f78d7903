// Package front is what stands before every page of a box, whoever serves it: headers, strangers' names and
// strangers' pages, the reader's language, and the server itself.
package front

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
)

// Admit sets the headers that every answer carries, and refuses who comes by a name that is not the box's
// (DNS rebinding); false says that it has answered.
func Admit(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with none at all a browser would not name the page's origin with a form, see Ours
	if r.TLS != nil {                       // browsers ignore it in the clear, and complain
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	if !knownHost(r.Host) {
		http.Error(w, "this box is not "+strings.ToValidUTF8(r.Host, "?"), http.StatusMisdirectedRequest)
		return false
	}
	return true
}

// Ours tells whether a request that changes something was made by the box's own page. Browsers say so in
// Sec-Fetch-Site or Origin; what says nothing is no browser, and has no business with forms.
func Ours(r *http.Request) bool {
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

// Language is the one of the page's that a visitor asked for: by the link first, then by the browser; empty
// where it was another.
func Language(r *http.Request) string {
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
	return ""
}

// light packs text on its way to browsers that take it packed; streams, sounds and files that are packed go as they
// are. How long a packed page is differs by chance, so that it tells nobody what is in it (BREACH).
func light() (func(http.Handler) http.HandlerFunc, error) {
	texts := []string{"text/html", "text/css", "text/javascript", "text/plain", "text/csv", "image/svg+xml", "application/json"}
	lighter, err := gzhttp.NewWrapper(gzhttp.ContentTypes(texts), gzhttp.RandomJitter(32, -1, false), gzhttp.EnableZstd(false)) // every browser knows gzip
	if err != nil {
		return nil, fmt.Errorf("front: %w", err)
	}
	return lighter, nil
}

// Certificate is tls.Config's GetCertificate.
type Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Serve answers on l until ctx ends, then lets open requests finish for a moment: over HTTPS with a
// certificate, over plain HTTP with nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler, cert Certificate) error {
	lighter, err := light()
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: lighter(h), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
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
