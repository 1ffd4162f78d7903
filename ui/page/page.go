// Package page renders the views as HTML. Each part of a page is a fragment with an id of its own,
// rendered alone for live updates and inside the page for the first view, by the same template.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/asset"
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
		"t": cat.T, "n": cat.N, "stamp": stamp, "elapsed": elapsed, "glyph": glyph, "sign": sign, "span": span, "clock": clock,
		"hint": hint(cat), "who": who(cat), "why": why(cat), "part": saidPart(cat), "second": second, "told": told(cat),
		"number": number(cat), "said": said(cat), "day": day, "condition": condition(cat), "reason": reason(cat), "item": newItem, "pair": pair, "modes": tel.SupervisionModes, "stands": stands, "moment": moment, "kindof": kindOf,
		"headline": headline(cat), "leads": leads, "bars": hourBars, "up": up,
		"mark": mark, "fix": fix(cat), "picture": picture, "dec": func(n int) int { return n - 1 },
	}
	t, err := template.New("page").Funcs(funcs).ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	return &Renderer{cat: cat, templates: t}, nil
}

// All makes the renderers of every language.
func All() (map[string]*Renderer, error) {
	all := map[string]*Renderer{}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			return nil, err
		}
		if all[lang], err = New(cat); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// frame is what every template sees.
type frame struct {
	view.Office
	Reader               Reader
	Lang, Other, Version string
	Title                string // key of a sentence
	Live                 string // path and query from which changes are streamed; empty: nothing moves
	Now                  time.Time
}

// item is what the template of one element of a section sees.
type item struct {
	frame
	It any
}

func newItem(f frame, it any) item { return item{f, it} }

// pair is what a template sees that needs no more of the page than its language.
func pair(lang string, it any) struct {
	Lang string
	It   any
} {
	return struct {
		Lang string
		It   any
	}{lang, it}
}

func (r *Renderer) frame(o view.Office, who Reader, now time.Time) frame {
	f := frame{Office: o, Reader: who, Lang: r.cat.Lang, Other: "en", Version: version(), Now: now}
	if f.Lang == "en" {
		f.Other = "it"
	}
	return f
}

// Office renders the whole live page.
func (r *Renderer) Office(o view.Office, who Reader, now time.Time) ([]byte, error) {
	f := r.frame(o, who, now)
	f.Title, f.Live = "home", "/live?lang="+f.Lang
	return r.render("office.html", f)
}

// Codes renders the list of what can be dialled at a phone of the office called name.
func (r *Renderer) Codes(name string, codes []view.Code, who Reader, now time.Time) ([]byte, error) {
	return r.shell("codes.html", "codes", name, who, codes, now)
}

// Part renders one fragment. An element that is not in the office any more gives its whole section.
func (r *Renderer) Part(p view.Part, o view.Office, now time.Time) ([]byte, error) {
	f := r.frame(o, Reader{}, now)
	if it := element(p, o); it != nil {
		return r.render("item-"+p.Section, item{f, it})
	}
	return r.render("part-"+p.Section, f)
}

// element finds what a part names, as the section's template would range over it.
func element(p view.Part, o view.Office) any {
	if p.ID == "" {
		return nil
	}
	switch p.Section {
	case view.SectionQueues:
		return find(o.Queues, func(q view.Queue) bool { return string(q.ID) == p.ID })
	case view.SectionAgents:
		return find(o.Agents, func(a view.Agent) bool { return string(a.ID) == p.ID })
	case view.SectionStates:
		return find(o.States(), func(s view.StateCount) bool { return s.State.String() == p.ID })
	case view.SectionLamps:
		return find(o.Lamps, func(l view.Lamp) bool { return string(l.ID) == p.ID })
	}
	return nil
}

func find[T any](all []T, is func(T) bool) any {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}

func (r *Renderer) render(name string, with any) ([]byte, error) {
	var b bytes.Buffer
	if err := r.templates.ExecuteTemplate(&b, name, with); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// Version names the templates, sentences, style and script of this program: a page that was opened
// from another version is loaded anew.
func Version() string { return version() }

var version = sync.OnceValue(func() string {
	sum := sha256.New()
	for _, tree := range []fs.FS{files, asset.Files, i18n.Files} {
		_ = fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(tree, path)
			_, _ = sum.Write(b)
			return err
		})
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
})

// stamp is a time for the browser's own ticking.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// clock is the time of day of a page that does not tick.
func clock(t time.Time) string { return t.Format("15:04:05") }

// day is a date and a time of day.
func day(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// moment is a date and a time of day by the clock that the time was given with.
func moment(t time.Time) string { return t.Format("2006-01-02 15:04") }

// second is a date and a time of day to the second, for whoever looks for it in the log.
func second(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// said says a sentence with its arguments.
func said(cat *i18n.Catalogue) func(Said) string {
	var say func(Said) string
	say = func(s Said) string {
		args := slices.Clone(s.Args)
		for i, a := range args {
			if inner, ok := a.(Said); ok { // a sentence with a sentence in it
				args[i] = say(inner)
			}
		}
		return cat.T(s.Sentence, args...)
	}
	return say
}

// saidPart says the likely cause ("why") of what went wrong, or what to do about it ("do").
func saidPart(cat *i18n.Catalogue) func(Said, string) string {
	return func(s Said, part string) string { return cat.T(s.Sentence+"."+part, s.Args...) }
}

// who is who changed the configuration: a user, or the file itself.
func who(cat *i18n.Catalogue) func(string) string {
	return func(who string) string {
		if who == "file" {
			return cat.T("history.file")
		}
		return who
	}
}

// backTo is why a version of the past came into force again, as config/live writes it.
var backTo = regexp.MustCompile(`^back to version (\d+)$`)

// why is the reason of a change: those of the box have words, the others are what people wrote.
func why(cat *i18n.Catalogue) func(string) string {
	return func(why string) string {
		switch m := backTo.FindStringSubmatch(why); {
		case m != nil:
			return cat.T("history.back", m[1])
		case why == "found when prontod started":
			return cat.T("history.started")
		case why == "changed by hand":
			return cat.T("history.by_hand")
		}
		return why
	}
}

// hint is the explanation of a setting or a page; empty where the name says it all.
func hint(cat *i18n.Catalogue) func(string) string {
	return func(key string) string {
		if key += ".help"; cat.Has(key) {
			return cat.T(key)
		}
		return ""
	}
}

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

// Shapes on a grid of 16. A font may lack a character or paint it as a coloured picture; paths look
// the same everywhere.
const (
	disc     = `<circle cx="8" cy="8" r="6.5"/>`
	ring     = `<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/>`
	quarter  = ring + `<path d="M8 8V2a6 6 0 0 1 6 6z"/>`
	square   = `<path d="M2 2h12v12H2z"/>`
	arrow    = `<path d="M2 2h12v12H2zm3 9 5.2-5.2V9h1.3V4.5H7v1.3h2.3L4.1 10z" fill-rule="evenodd"/>`
	slots    = `<path d="M2 2h12v12H2zM5 4.5v7h2v-7zM9 4.5v7h2v-7z" fill-rule="evenodd"/>`
	dots     = ring + `<path d="M4 7h2v2H4zM7 7h2v2H7zM10 7h2v2h-2z"/>`
	squares  = `<path d="M2 2h12v12H2zM4 4v8h8V4zM6 6h4v4H6z" fill-rule="evenodd"/>`
	diamond  = `<path d="M8 .5 15.5 8 8 15.5.5 8z"/>`
	bars     = `<path d="M3 2h4v12H3zM9 2h4v12H9z"/>`
	triangle = `<path d="M8 1 15.5 15H.5z" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/><path d="m5.7 8.2 4.6 4.6m0-4.6-4.6 4.6" stroke="currentColor" stroke-width="1.7"/>`
	warning  = `<path d="M8 1.5 15 14.5H1z"/>`
	hexagon  = `<path d="M4.5 2h7L15 8l-3.5 6h-7L1 8z"/>`
	tick     = `<path d="m2.5 8.5 4 4 7-9" fill="none" stroke="currentColor" stroke-width="2.2"/>`
)

func svg(shape string) template.HTML {
	return template.HTML(`<svg class="glyph" viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">` + shape + `</svg>`)
}

// glyph is the shape of a state; shape comes before colour.
func glyph(s tel.AgentState) template.HTML {
	switch s {
	case tel.AgentReady:
		return svg(disc)
	case tel.AgentRinging:
		return svg(quarter)
	case tel.AgentTalking:
		return svg(square)
	case tel.AgentInternal:
		return svg(squares)
	case tel.AgentOutbound:
		return svg(arrow)
	case tel.AgentHold:
		return svg(slots)
	case tel.AgentReserved:
		return svg(dots)
	case tel.AgentWrapUp:
		return svg(diamond)
	case tel.AgentPaused:
		return svg(bars)
	case tel.AgentUnreachable:
		return svg(triangle)
	default:
		return svg(ring)
	}
}

// sign is the shape of a line's level, of a notice's severity, or of a phone that rings.
func sign(level any) template.HTML {
	switch fmt.Sprint(level) {
	case "ok":
		return svg(tick)
	case "ringing":
		return svg(quarter)
	case "warn", "starting":
		return svg(warning)
	case "error", "down":
		return svg(hexagon)
	default:
		return svg(ring)
	}
}

func number(cat *i18n.Catalogue) func(tel.Number) string {
	return func(n tel.Number) string {
		if n == "" {
			return cat.T("withheld")
		}
		if n.Erased() {
			return cat.T("number.erased")
		}
		return string(n)
	}
}

// reason is why somebody is away: the box's own reasons have words, the others are what people wrote.
func reason(cat *i18n.Catalogue) func(string) string {
	return func(r string) string {
		if key := "reason." + r; cat.Has(key) {
			return cat.T(key)
		}
		return r
	}
}

// condition is the sentence of a notice; one that the catalogue does not know yet shows its name.
func condition(cat *i18n.Catalogue) func(tel.HealthChanged) string {
	return func(h tel.HealthChanged) string {
		if key := "condition." + h.Condition; cat.Has(key) {
			return cat.T(key)
		}
		return h.Condition
	}
}
