package page

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/view"
)

// headline words the one sentence of the office.
func headline(cat *i18n.Catalogue) func(view.Headline, view.Office) string {
	of := condition(cat)
	return func(h view.Headline, o view.Office) string {
		up, _ := o.Serving()
		switch {
		case h.Notice != nil && h.Level == view.LevelDown:
			return of(h.Notice.HealthChanged)
		case h.Notice != nil:
			return cat.T(h.Key, cat.N("headline.count", up), o.Free(), len(o.Agents), of(h.Notice.HealthChanged))
		case h.Line != nil:
			return cat.T(h.Key, h.Line.Name, cat.T("cause."+string(h.Line.Cause)))
		default:
			return cat.T(h.Key, cat.N("headline.count", up), o.Free(), len(o.Agents))
		}
	}
}

// lead is a way to a page where something is done, which who may not go there is not shown.
type lead struct {
	Lang, Path string
	Right      access.Right
}

func leads(lang, path string) lead {
	l := lead{Lang: lang, Path: path}
	for _, s := range sections() {
		if s.Path != "/" && s.here(path) {
			l.Right = s.Right
		}
	}
	if strings.HasPrefix(path, "/setup/") {
		l.Right = access.Configure
	}
	switch path {
	case "/security", "/users", "/backup", "/certificate", "/traces":
		l.Right = access.Own
	case "/history", "/changes", "/lamps", "/buttons", "/board", "/update":
		l.Right = access.Configure
	case "/missed", "/callbacks":
		l.Right = access.Know
	}
	return l
}

// callsUp are the calls of a moment, for their template.
type callsUp struct {
	Now   time.Time
	Calls []view.Call
}

func up(now time.Time, calls []view.Call) callsUp { return callsUp{now, calls} }

// Rights are what the reader may do, for a style that hides what the reader may not.
func (r Reader) Rights() string {
	var all []string
	for _, x := range []access.Right{access.Know, access.Work, access.Supervise, access.Configure, access.Own} {
		if r.Role.May(x) {
			all = append(all, string(x))
		}
	}
	return strings.Join(all, " ")
}

// Measures of the bars, on a grid of their own: the picture is as wide as there is room.
const (
	barWidth  = 24
	barHeight = 60
	barRoom   = 14 // below it, for the hour
	leastBars = 12 // so that the first hours of a day are no towers
)

// hourBars draws the calls of each hour. Its height is of the busiest hour; the figures stand in the table beside it.
func hourBars(hours []tel.HourFigures, label string) template.HTML {
	most := 1
	for _, h := range hours {
		most = max(most, h.Calls)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bars" viewBox="0 0 %d %d" role="img" aria-label="%s">`, barWidth*max(len(hours), leastBars), barHeight+barRoom, template.HTMLEscapeString(label))
	for i, h := range hours {
		height := h.Calls * barHeight / most
		if h.Calls > 0 {
			height = max(height, 2)
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d"/><text x="%d" y="%d">%02d</text>`,
			i*barWidth+2, barHeight-height, barWidth-4, height, i*barWidth+barWidth/2, barHeight+barRoom-3, h.Hour)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}
