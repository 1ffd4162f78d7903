package lab

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/pronto-pbx/pronto/ui/front"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS []byte
)

// maxForm bounds what a button posts, in bytes.
const maxForm = 1 << 10

// openPage has the page of faults served at cfg.Page, which must be an address of this machine alone, until the
// play ends. What it can do is what the desk can; whoever sits at this machine may.
func (l *lab) openPage() error {
	if !l.cfg.Page.Addr().IsLoopback() {
		return fmt.Errorf("the page of faults is for this machine alone, and %s is not", l.cfg.Page)
	}
	listener, err := net.Listen("tcp", l.cfg.Page.String())
	if err != nil {
		return fmt.Errorf("the page of faults: %w", err)
	}
	l.say("faults to play with: http://%s", netip.MustParseAddrPort(listener.Addr().String()))
	l.play(func() {
		if err := front.Serve(l.ctx, listener, l.page(), nil); err != nil {
			l.say("the page of faults ends: %v", err)
		}
	})
	return nil
}

// page shows each fault of the lines with a button that lets it befall the line, and one that ends it.
func (l *lab) page() http.Handler {
	shape := template.Must(template.New("page").Parse(pageHTML))
	show := func(w http.ResponseWriter, status int, wrong error) {
		type fault struct {
			Fault
			Now bool // it lasts now
		}
		type shown struct {
			Line   string
			Struck int
			Faults []fault
		}
		var all []shown
		for _, x := range l.lines() {
			now := x.Struck()
			s := shown{Line: x.ID, Struck: len(now)}
			for _, f := range x.Faults {
				s.Faults = append(s.Faults, fault{f, slices.Contains(now, f.Name)})
			}
			all = append(all, s)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = shape.Execute(w, struct {
			Wrong error
			Lines []shown
		}{wrong, all}) // who has gone away needs no page
	}
	done := func(w http.ResponseWriter, r *http.Request, err error) {
		if err != nil {
			show(w, http.StatusConflict, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, nil) })
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pageCSS)
	})
	mux.HandleFunc("POST /lines/{line}/{verb}", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			done(w, r, errors.New("the form cannot be read"))
			return
		}
		words := []string{r.PathValue("verb"), r.PathValue("line"), r.PostForm.Get("name")}
		if argument := r.PostForm.Get("argument"); argument != "" {
			words = append(words, argument)
		}
		_, err := l.answer(words)
		done(w, r, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !front.Admit(w, r) {
			return
		}
		if !front.Ours(r) {
			http.Error(w, "only the buttons of this page are obeyed", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
