package page

import (
	"html/template"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
)

// Form is a page on which settings are changed: blocks of fields, one button.
type Form struct {
	Reader Reader
	Box    string
	Title  string // of what is changed; empty: the sentence of Key
	Key    string // title of the page
	Said   Said
	Others []Said // what is wrong beside the fields
	Action string // where it is posted to
	Back   string // where who changes nothing goes
	Blocks []Block
	Extras []Extra
	Tree   []Branch // of a menu: where it leads
	Links  []Link   // to more about the thing
	Remove string   // where the button that removes the thing posts to; empty: none
}

// Extra is a button of its own beside a form.
type Extra struct {
	Key    string // Key + ".help" explains it
	Name   string // of what it is about
	Action string
	Needs  access.Right // without which it is not shown; empty: whoever sees the form
	Sealed bool         // it is done only where nobody listens in; elsewhere the way there is shown
}

// Block is some fields that belong together, under a heading; Key + ".help" explains them where the catalogue
// has it.
type Block struct {
	Key    string
	Fields []Field
}

// The kinds of fields.
const (
	FieldText     = "text"
	FieldNumber   = "number"
	FieldPassword = "password" // what is kept is not shown; empty leaves it
	FieldArea     = "area"     // several lines
	FieldCheck    = "check"    // one box to tick
	FieldSelect   = "select"   // one of Choices
	FieldChecks   = "checks"   // some of Choices
	FieldMembers  = "members"  // some of Choices, in an order
	FieldOrder    = "order"    // all of Choices, in an order
	FieldPlace    = "place"    // a destination: one of Choices, or a number outside
)

// Field is one setting. Key names it in the catalogue, Key + ".help" explains it where the catalogue has it.
type Field struct {
	Kind    string
	Name    string // of the input
	Of      string // tells apart the fields of several forms on one page; empty where there is one
	Key     string
	Value   string
	Was     string // what the form was made from: only what differs from it is changed
	Unit    string // key of the unit; empty: none
	Outside string // of FieldPlace: a number outside
	Choices []Option
	Wrong   Said
	Must    bool // cannot be left out
}

// Option is one of several choices.
type Option struct {
	ID    string
	Name  string
	Key   string // of the name, where it is a sentence of the catalogue
	On    bool
	Place int // in an order, from 1
}

// Change is one difference of a draft from what is in force, in words.
type Change struct {
	Thing string // name of what changes
	Key   string // of the setting; empty: Path tells
	Path  string
	Kind  string // added, removed, changed, moved
	Old   string
	New   string
}

// Secret is a password that is shown once.
type Secret struct {
	Of       string // a phone
	Password string
}

// Finding is what was seen when the box was asked about a change.
type Finding struct {
	Level string // ok, warn or error
	Thing string // name
	Says  Said
}

// Changes is a draft before it is applied, or what came of it.
type Changes struct {
	Reader  Reader
	Box     string
	Said    Said
	Others  []Said
	Changes []Change

	Done     bool // it is in force
	Version  int  // under which it is kept
	Before   int  // the version before; 0: none that is kept
	Restart  bool // a part of it waits for the next start
	Drain    bool // calls that are up keep what they have
	Findings []Finding
	Secrets  []Secret
	Unshown  bool   // there are secrets, and the way to the reader is not private
	Private  string // where it would be; empty: nowhere
}

// Kept is one configuration of the past.
type Kept struct {
	Number int
	At     time.Time
	Who    string
	Why    string
}

// History is the configurations of the past, newest first.
type History struct {
	Reader   Reader
	Box      string
	Said     Said
	Versions []Kept
	Edited   bool     // the file was changed by hand and is not in force
	File     string   // its path
	Mistakes []string // in it, each with its line; English, as in the log
}

// Past is one configuration of the past beside the one of now.
type Past struct {
	Reader  Reader
	Box     string
	Said    Said
	Version Kept
	Newest  bool
	Things  []Thing // that were otherwise
}

// Thing is a part of the configuration that can be taken back alone.
type Thing struct {
	Path    string
	Name    string
	Changes []Change
}

// Form renders a form of settings.
func (r *Renderer) Form(f Form, now time.Time) ([]byte, error) {
	return r.shell("form.html", f.Key, f.Box, f.Reader, f, now)
}

// Changes renders a draft, or what came of it.
func (r *Renderer) Changes(c Changes, now time.Time) ([]byte, error) {
	title := "changes"
	if c.Done {
		title = "changes.done"
	}
	return r.shell("changes.html", title, c.Box, c.Reader, c, now)
}

// History renders the list of past configurations.
func (r *Renderer) History(h History, now time.Time) ([]byte, error) {
	return r.shell("history.html", "history", h.Box, h.Reader, h, now)
}

// Past renders one past configuration.
func (r *Renderer) Past(p Past, now time.Time) ([]byte, error) {
	return r.shell("past.html", "history", p.Box, p.Reader, p, now)
}

// told names what describes a field to who cannot see it: what is wrong, and the explanation.
func told(cat *i18n.Catalogue) func(Field) template.HTMLAttr {
	return func(f Field) template.HTMLAttr {
		var by []string
		if f.Wrong.Sentence != "" {
			by = append(by, "f-"+f.Of+f.Name+"-w")
		}
		if cat.Has(f.Key + ".help") {
			by = append(by, "f-"+f.Of+f.Name+"-h")
		}
		if len(by) == 0 {
			return ""
		}
		attrs := ` aria-describedby="` + template.HTMLEscapeString(strings.Join(by, " ")) + `"`
		if f.Wrong.Sentence != "" {
			attrs += ` aria-invalid="true"`
		}
		return template.HTMLAttr(attrs)
	}
}
