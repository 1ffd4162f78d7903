package web

import (
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// reader is what a page says of who looks at it.
func reader(v *visit) page.Reader {
	return page.Reader{Name: v.user.Name, Role: v.user.Role, Path: v.URL.Path}
}

func (s *server) office(w http.ResponseWriter, v *visit) {
	html, err := s.Hub.Page(v.lang, reader(v), time.Now())
	s.show(w, http.StatusOK, html, err)
}

func (s *server) codes(w http.ResponseWriter, v *visit) {
	html, err := s.pages[v.lang].Codes(s.Name(), s.Codes(), time.Now())
	s.show(w, http.StatusOK, html, err)
}

func (s *server) asset(w http.ResponseWriter, v *visit) {
	http.StripPrefix("/asset/", cache(http.FileServerFS(assets()))).ServeHTTP(w, v.Request)
}

// show sends a page, or says that there is none.
func (s *server) show(w http.ResponseWriter, status int, html []byte, err error) {
	if err != nil {
		s.Log.Error("page cannot be rendered", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(html)
}

// refuse says in a sentence of the catalogue what was not done.
func (s *server) refuse(w http.ResponseWriter, v *visit, status int, sentence string) {
	html, err := s.pages[v.lang].Refusal(page.Refusal{Reader: reader(v), Box: s.Name(), Sentence: sentence}, time.Now())
	s.show(w, status, html, err)
}

const (
	// writeLimit is how long one push to a browser may take before the viewer is let go.
	writeLimit = 10 * time.Second
	// askAgain is how often an open stream asks whether its viewer is still signed in.
	askAgain = 30 * time.Second
)

func (s *server) live(w http.ResponseWriter, v *visit) {
	viewer, ok := s.Hub.Join(v.lang)
	if !ok {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many viewers", http.StatusServiceUnavailable)
		return
	}
	defer s.Hub.Leave(viewer)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	write := func(frame []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit))
		_, err := w.Write(frame)
		return err == nil && out.Flush() == nil
	}
	asked := time.Now()
	for {
		select {
		case <-v.Context().Done():
			return
		case frame, open := <-viewer.Frames():
			if !open || !write(frame) {
				return
			}
		}
		if time.Since(asked) >= askAgain {
			asked = time.Now()
			if _, ok := s.Accounts.Who(v.token); !ok {
				return
			}
		}
	}
}

func (s *server) healthz(w http.ResponseWriter, _ *visit) {
	if err := s.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// now is the page for programs: every present fact as one JSON document.
func (s *server) now(w http.ResponseWriter, _ *visit) {
	doc, err := s.Present()
	if err != nil {
		s.Log.Error("present cannot be written", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(doc)
}
