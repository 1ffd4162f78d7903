package recovery

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// Copy is one of everything that the office has, which is made, encrypted, while it is sent.
type Copy struct {
	Name   string
	Secret string // the key that opens it, where the box has no recovery kit
	Write  func(ctx context.Context, to io.Writer) error
}

// slowest is for how long a visitor who takes a copy away may take nothing of it.
const slowest = 2 * time.Minute

// unheard refuses who comes in the clear: a copy and its key are for nobody who listens in.
func (s *server) unheard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			s.show(w, r, http.StatusForbidden, s.inside(r), page.Said{Sentence: "recovery.in_clear"})
			return
		}
		next(w, r)
	}
}

// overTLS is where this page is when nobody listens in; empty: nowhere.
func (s *server) overTLS(r *http.Request) string {
	if !s.TLS {
		return ""
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
		if ip := net.ParseIP(h); ip != nil && ip.To4() == nil {
			host = "[" + h + "]"
		}
	}
	return "https://" + host + "/"
}

// prepare makes a copy ready, and shows its name and its key, if it has one, before it is taken away.
func (s *server) prepare(w http.ResponseWriter, r *http.Request) {
	c, err := s.Box.Take()
	if err != nil {
		s.Log.Error("copy", "err", err)
		s.show(w, r, http.StatusInternalServerError, true, page.Said{Sentence: "recovery.copy_failed", Detail: err.Error(), At: time.Now()})
		return
	}
	s.keep(r, c)
	x := s.facts(r, true)
	x.Ready, x.Secret = c.Name, c.Secret
	s.render(w, r, http.StatusOK, x)
}

// take sends the copy that was made ready last. Where that fails half-way the connection breaks, so that no browser
// takes half of a copy for a whole one.
func (s *server) take(w http.ResponseWriter, r *http.Request) {
	c, ok := s.kept(r)
	if !ok || c.Name != r.PathValue("name") {
		s.show(w, r, http.StatusNotFound, true, page.Said{Sentence: "recovery.copy_gone"})
		return
	}
	s.Log.Warn("a copy is taken away", "name", c.Name)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", c.Name))
	if err := c.Write(r.Context(), patient{w, http.NewResponseController(w)}); err != nil {
		s.Log.Error("the copy was not taken away whole", "err", err)
		panic(http.ErrAbortHandler)
	}
}

// patient lets a slow visitor be slow, as long as something is taken.
type patient struct {
	to   io.Writer
	conn *http.ResponseController
}

// Write implements io.Writer.
func (p patient) Write(b []byte) (int, error) {
	// A test's recorder knows no deadlines.
	_ = p.conn.SetWriteDeadline(time.Now().Add(slowest))
	return p.to.Write(b)
}
