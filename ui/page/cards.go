package page

import "time"

// Cards is a page that lists things, each with what matters of it, and leads to them.
type Cards struct {
	Reader  Reader
	Box     string
	Said    Said
	Key     string // title; Key + ".help" is the lead, Key + ".empty" what is said when there is none
	Cards   []Card
	Actions []Link // what else one can do

	Search string // path at which the list can be searched; empty: it is short
	Query  string // what was looked for
	More   int    // things that are not shown
}

// Card is one thing.
type Card struct {
	Title string
	Sub   string
	Path  string // of its form; empty: it has none
	Level string // ok, warn, starting, down, off; empty: it has no state
	State string // key of the sentence about its state
	Fix   string // key of what to do about it; empty: nothing
	Ref   string // for whoever is asked for help
	Facts []Fact
	Links []Link // to what belongs to it
}

// Fact is one thing that matters of a Card.
type Fact struct {
	Key  string
	Text string
	Says string // key, instead of Text
}

// Import is the page on which people are taken in from a file.
type Import struct {
	Reader   Reader
	Box      string
	Said     Said
	Text     string
	Mistakes []RowMistake
}

// RowMistake is what is wrong in a row of a file.
type RowMistake struct {
	Row    int
	Column string
	Value  string
	Says   Said
}

// Security is the page of the box's locks.
type Security struct {
	Reader Reader
	Box    string
	Said   Said
	Plain  bool // the page can be used without HTTPS
	Was    string
	HTTPS  bool // there is HTTPS
	Audit  []Deed
	Erase  bool // the box can be told to forget everything
}

// Deed is a line of the audit log.
type Deed struct {
	At   time.Time
	What string // key
	User string
	Whom string
	From string
}

// About tells of the program.
type About struct {
	Reader   Reader
	Box      string
	Version  string
	Revision string
	Go       string
	Modules  []Module
	Licence  string // of the program itself, as SPDX names it
	Support  string // a date; empty: nobody has said
	Board    string // the machine, as it calls itself
}

// Module is a library in the program.
type Module struct {
	Path    string
	Version string
	Licence string
}

// Cards renders a list.
func (r *Renderer) Cards(c Cards, now time.Time) ([]byte, error) {
	return r.shell("cards.html", c.Key, c.Box, c.Reader, c, now)
}

// Import renders the page on which people are taken in from a file.
func (r *Renderer) Import(i Import, now time.Time) ([]byte, error) {
	return r.shell("import.html", "import", i.Box, i.Reader, i, now)
}

// Security renders the box's locks.
func (r *Renderer) Security(x Security, now time.Time) ([]byte, error) {
	return r.shell("security.html", "security", x.Box, x.Reader, x, now)
}

// About renders what the program is made of.
func (r *Renderer) About(a About, now time.Time) ([]byte, error) {
	return r.shell("about.html", "about", a.Box, a.Reader, a, now)
}

// System renders the list of the box's own pages.
func (r *Renderer) System(name string, who Reader, now time.Time) ([]byte, error) {
	return r.shell("system.html", "system", name, who, nil, now)
}

// NewLine asks which line is added.
type NewLine struct {
	Reader   Reader
	Box      string
	Carriers []Choice
}

// NewLine renders the question which line is added.
func (r *Renderer) NewLine(n NewLine, now time.Time) ([]byte, error) {
	return r.shell("newline.html", "line.new", n.Box, n.Reader, n, now)
}
