package page

import (
	"html/template"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Setup is one screen of the set-up.
type Setup struct {
	Reader  Reader
	Box     string
	Key     string // "setup." and the step: of the title; Key + ".lead" says what it is about
	Number  int
	Steps   []SetupStep
	Minutes int // that the steps ahead take
	Mark    SetupMark
	Said    Said
	Others  []Said
	Good    Said      // what has just come out well
	Notes   []Said    // what one should know here
	Found   []Finding // what the box has found
	Forms   []SetupForm
	Links   []Link // to pages with more of the same
	Secrets []Secret
	Unshown string // key of what is not shown because the way to the reader is not private; empty: nothing is missing
	Private string // where the way would be private; empty: nowhere
	Kit     string // the secret of the recovery kit, shown once
	Live    string // where what happens is streamed from; empty: nothing moves here
	Trail   *Trail
	Call    string // that the screen is about
	Tests   []LineTest
	Owed    []view.Todo // at the end
	Last    bool

	Name string // of what a page without steps is about
	Back string // path from which one came there
}

// SetupStep is an entry of the list of steps.
type SetupStep struct {
	Key  string
	Path string
	How  string // done, failed, skipped; empty: ahead
	Here bool
}

// SetupMark is what became of a step.
type SetupMark struct {
	How string
	At  time.Time
}

// SetupForm is one form of a screen.
type SetupForm struct {
	ID     string
	Key    string // of its heading; empty: none. Key + ".help" explains it
	Name   string // argument of the heading
	Do     string // what posting it does
	Which  string // to what
	Button string // key
	Fields []Field
	Plugs  []Plug // one of them is chosen, with a picture each
	Plain  bool   // it is not the main thing of the screen
	Action string // path
	Lang   string
}

// Plug is one way to be connected.
type Plug struct {
	ID string
	On bool
}

// Trail is the way of a call with the names that people know.
type Trail struct {
	view.Trail
	Nodes []TrailNode
}

// TrailNode is a station with its name.
type TrailNode struct {
	view.Node
	Name string
}

// LineTest is how the test of a line stands. The sentences are "linetest.out." + Out and "linetest.in." + In.
type LineTest struct {
	Line   string // "trunk:tim"
	Name   string
	Number tel.Number // that people dial
	Out    string     // none, calling, answered, proved, silent, failed
	Cause  tel.Cause  // of failed
	In     string     // none, heard
}

// Works tells whether both halves of the line are good.
func (l LineTest) Works() bool { return l.Out == "proved" && l.In == "heard" }

// Setup renders a screen of the set-up.
func (r *Renderer) Setup(s Setup, now time.Time) ([]byte, error) {
	return r.render("setup.html", r.moving(s, now))
}

// SetupParts renders what moves on a screen: the way of a call and the tests of lines.
func (r *Renderer) SetupParts(t *Trail, tests []LineTest) ([]byte, error) {
	f := shell{r.frame(view.Office{}, Reader{}, time.Time{}), Setup{Trail: t, Tests: tests}}
	return r.render("setup-parts", f)
}

// CallMe renders the page from which somebody calls a queue as a customer: a Setup without steps, about Name.
func (r *Renderer) CallMe(s Setup, now time.Time) ([]byte, error) {
	return r.render("callme.html", r.moving(s, now))
}

// moving is a screen in its frame, and what streams to it.
func (r *Renderer) moving(s Setup, now time.Time) shell {
	f := r.frame(view.Office{Name: s.Box}, s.Reader, now)
	f.Title, f.Live = s.Key, s.Live
	return shell{f, s}
}

// mark is the sign of what became of something.
func mark(how string) string {
	switch how {
	case "done", "proved", "heard":
		return "ok"
	case "failed", "lost", "silent":
		return "error"
	case "now", "calling", "answered":
		return "ringing"
	case "skipped":
		return "warn"
	default:
		return ""
	}
}

// fix is what to do about something that was found; empty: the catalogue has no advice.
func fix(cat *i18n.Catalogue) func(Said) string {
	return func(s Said) string {
		if cause, ok := strings.CutPrefix(s.Sentence, "cause."); ok && cat.Has("fix."+cause) {
			return cat.T("fix." + cause)
		}
		if cat.Has(s.Sentence + ".do") {
			return cat.T(s.Sentence+".do", s.Args...)
		}
		return ""
	}
}

// picture is a drawing of where a telephone is plugged in, on a grid of 48.
func picture(plug string) template.HTML {
	shape, ok := map[string]string{
		"router": `<path d="M6 26h36v12H6zM12 26V10M36 26V10"/><path d="M12 31h4v3h-4zM20 31h4v3h-4zM29 30h8v5h-8z"/>`,
		"wall":   `<path d="M8 8h32v32H8z"/><circle cx="24" cy="24" r="11"/><path d="M19 20v3M29 20v3M24 28v3"/>`,
		"sim":    `<path d="M12 6h17l8 8v28H12z"/><path d="M18 22h13v13H18zM24.500 22v13M18 28.500h13"/>`,
		"letter": `<path d="M5 12h38v26H5z"/><path d="m5 13 19 14 19-14M10 33h8"/>`,
		"none":   `<circle cx="24" cy="24" r="16"/><path d="m13 13 22 22"/>`,
	}[plug]
	if !ok {
		return ""
	}
	return template.HTML(`<svg class="picture" viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">` + shape + `</svg>`)
}
