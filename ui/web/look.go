package web

import (
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// reader is what a page says of who looks at it.
func (s *server) reader(v *visit) page.Reader {
	r := page.Reader{Name: v.user.Name, Role: v.user.Role, Path: v.URL.Path}
	if !v.unheard() {
		r.Heard, r.Sealed = true, s.overTLS(v, v.URL.Path)
	}
	if v.user.May(access.Configure) {
		r.Changes = s.pending(v)
	}
	return r
}

// sentence is a sentence of the catalogue about what was not done, at this moment.
func (s *server) sentence(key string, args ...any) page.Said {
	return page.Said{Sentence: key, Args: args, At: time.Now()}
}

func (s *server) office(w http.ResponseWriter, v *visit) {
	if v.user.May(access.Configure) && s.Setup.Setup.Waits() {
		redirect(w, v, "/setup")
		return
	}
	html, err := s.Hub.Page(v.lang, s.reader(v), time.Now())
	s.show(w, http.StatusOK, html, err)
}

func (s *server) codes(w http.ResponseWriter, v *visit) {
	html, err := s.pages[v.lang].Codes(s.Name(), s.Codes(), s.reader(v), time.Now())
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
	s.refuseSaid(w, v, status, s.sentence(sentence))
}

func (s *server) refuseSaid(w http.ResponseWriter, v *visit, status int, said page.Said) {
	if said.Where == "" {
		said.Where = v.Method + " " + v.URL.Path
	}
	p := page.Refusal{Reader: s.reader(v), Box: s.Name(), Said: said}
	if v.Method != http.MethodGet {
		p.Reader.Path = "/" // what was posted cannot be read again
	}
	html, err := s.pages[v.lang].Refusal(p, time.Now())
	s.show(w, status, html, err)
}

// missing says that there is no such page.
func (s *server) missing(w http.ResponseWriter, v *visit) {
	s.refuse(w, v, http.StatusNotFound, "missing")
}

const (
	// writeLimit is how long one push to a browser may take before the viewer is let go.
	writeLimit = 10 * time.Second
	// askAgain is how often an open stream asks whether its viewer is still signed in.
	askAgain = 30 * time.Second
)

func (s *server) live(w http.ResponseWriter, v *visit) {
	viewer, ok := s.Hub.Join(v.lang, !v.user.May(access.Know))
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
			if _, ok := s.Accounts.Who(v.token, v.from.Sealed); !ok {
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
