// Package page renders the views as HTML. Each part of a page is a fragment with an id of its own,
// rendered alone for live updates and inside the page for the first view, by the same template.
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/view"
)

//go:embed *.html
var files embed.FS

// Renderer renders in one language. It is safe for use by many goroutines.
type Renderer struct {
	cat       *i18n.Catalogue
	templates *template.Template
}

// New parses the templates for one language.
func New(cat *i18n.Catalogue) (*Renderer, error) {
	funcs := template.FuncMap{
		"t": cat.T, "n": cat.N, "stamp": stamp, "elapsed": elapsed, "glyph": glyph, "span": span, "number": number(cat),
	}
	t, err := template.New("page").Funcs(funcs).ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	return &Renderer{cat: cat, templates: t}, nil
}

// frame is what every template sees.
type frame struct {
	view.Office
	Lang, Other string
	Now         time.Time
}

func (r *Renderer) frame(o view.Office, now time.Time) frame {
	f := frame{Office: o, Lang: r.cat.Lang, Other: "en", Now: now}
	if f.Lang == "en" {
		f.Other = "it"
	}
	return f
}

// Office renders the whole page.
func (r *Renderer) Office(o view.Office, now time.Time) ([]byte, error) {
	return r.render("office.html", o, now)
}

// Part renders one fragment.
func (r *Renderer) Part(p view.Part, o view.Office, now time.Time) ([]byte, error) {
	return r.render("part-"+string(p), o, now)
}

func (r *Renderer) render(name string, o view.Office, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	if err := r.templates.ExecuteTemplate(&b, name, r.frame(o, now)); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// stamp is a time for the browser's own ticking.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span is a length of time as m:ss.
func span(d time.Duration) string { return elapsed(time.Time{}.Add(d.Round(time.Second)), time.Time{}) }

// elapsed is m:ss since t, for the first view and for readers without JavaScript.
func elapsed(now, t time.Time) string {
	d := max(now.Sub(t), 0)
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// glyph is the shape of a state; shape comes before colour.
func glyph(s tel.AgentState) string {
	switch s {
	case tel.AgentReady:
		return "●"
	case tel.AgentRinging:
		return "◔"
	case tel.AgentTalking:
		return "■"
	case tel.AgentInternal:
		return "▣"
	case tel.AgentWrapUp:
		return "◆"
	case tel.AgentPaused:
		return "❚❚"
	case tel.AgentUnreachable:
		return "⚠"
	default:
		return "○"
	}
}

func number(cat *i18n.Catalogue) func(tel.Number) string {
	return func(n tel.Number) string {
		if n == "" {
			return cat.T("withheld")
		}
		return string(n)
	}
}
