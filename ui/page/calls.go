package page

import (
	"net/url"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/view"
)

// The lists of the past, as Calls.Tab names them.
const (
	TabCalls     = "calls"
	TabCallbacks = "callbacks"
	TabMissed    = "missed"
)

// CallFilter is what is looked for among the records, as it stands in the address of the page; empty fields
// select everything.
type CallFilter struct {
	From, To string // days, as 2026-03-02; both are meant whole
	Number   string // as typed
	Queue    string // id
	Person   string // id
	Result   string // one of Calls.Results
}

// Any tells whether something is looked for.
func (f CallFilter) Any() bool { return f != CallFilter{} }

// Values writes the filter as the query of an address.
func (f CallFilter) Values() url.Values {
	v := url.Values{}
	for _, x := range []struct{ name, value string }{
		{"from", f.From}, {"to", f.To}, {"number", f.Number}, {"queue", f.Queue}, {"person", f.Person}, {"result", f.Result},
	} {
		if x.value != "" {
			v.Set(x.name, x.value)
		}
	}
	return v
}

// Calls is the calls that are up and a list of the past.
type Calls struct {
	Reader  Reader
	Box     string
	Said    Said
	Tab     string // one of the lists
	Filter  CallFilter
	Wrong   []Said // what of the filter is none, and was left out
	Queues  []Choice
	People  []Person
	Results []string // that can be looked for: keys below "result.TAB."
	Limited bool     // to some queues, one of which must be chosen
	Up      []view.Call
	Shown   bool // the calls that are up belong to this page
	Rows    []CallRow
	Older   string // address of the next page; empty: this was the last
	Newest  string // address of the first page; empty: this is it
	Export  string // address of the list as a table; empty: it cannot be had
	Most    int    // rows that it has at most
}

// Tabs lead from each list to the others.
func (c Calls) Tabs() (all []Link) {
	for _, tab := range []string{TabCalls, TabCallbacks, TabMissed} {
		l := Link{Key: "calls.tab." + tab, Path: "/calls", Here: tab == c.Tab}
		if tab != TabCalls {
			l.Path += "/" + tab
		}
		all = append(all, l)
	}
	return all
}

// Path is where the list is.
func (c Calls) Path() string {
	for _, l := range c.Tabs() {
		if l.Here {
			return l.Path
		}
	}
	return "/calls"
}

// CallRow is one line of a list of the past.
type CallRow struct {
	Path   string // of the whole story; empty: there is none
	At     time.Time
	Number tel.Number // of who called, or is to be called
	To     tel.Number // who was called
	Name   string
	Queue  string // names
	Person string
	Result Said
	Notes  []Said
	Talked time.Duration
}

// CallStory is what became of one call, step by step.
type CallStory struct {
	Reader Reader
	Box    string
	Call   tel.CallID // for whoever is asked for help
	From   tel.Number
	To     tel.Number
	Steps  []Step
	Part   bool // the records of its waits could not be had
	Legs   []Leg

	Dispositions []Said // what the agents say came of it

	Recordings []Recording // that the reader may hear
	Trace      bool        // its SIP messages are remembered, and the reader may read them
}

// Rated says that of a leg it is known how it was heard.
func (c CallStory) Rated() bool {
	return slices.ContainsFunc(c.Legs, func(l Leg) bool { return l.Heard != "" })
}

// Step is one thing that happened in a call.
type Step struct {
	At    time.Time
	Says  Said
	Notes []Said
}

// Leg is the sound of one party of a call.
type Leg struct {
	Party          string // name
	Codec          string
	Received, Lost uint64 // packets
	Heard, Hears   string // keys of the opinions, empty: not known
	Trouble, Place string // keys of what was wrong and where, empty: nothing
}

// Missed is a caller whom nobody has served, and who should be called.
type Missed struct {
	tel.MissedChanged
	QueueName string
	May       bool // the reader may take the caller off the list
}

// MissedCallers is the list of who should be called.
type MissedCallers struct {
	Reader Reader
	Box    string
	Missed []Missed // the latest first
}

// Dismissing asks whether a missed caller is really to be taken off the list.
type Dismissing struct {
	Reader Reader
	Box    string
	Said   Said
	Missed
}

// Calls renders the calls that are up and a list of the past.
func (r *Renderer) Calls(c Calls, now time.Time) ([]byte, error) {
	return r.shell("calls.html", "calls.page", c.Box, c.Reader, c, now)
}

// CallStory renders what became of one call.
func (r *Renderer) CallStory(c CallStory, now time.Time) ([]byte, error) {
	return r.shell("story.html", "story", c.Box, c.Reader, c, now)
}

// MissedCallers renders the list of who should be called.
func (r *Renderer) MissedCallers(m MissedCallers, now time.Time) ([]byte, error) {
	return r.shell("missed.html", "missed", m.Box, m.Reader, m, now)
}

// Dismissing renders the question whether a missed caller is to be taken off the list.
func (r *Renderer) Dismissing(d Dismissing, now time.Time) ([]byte, error) {
	return r.shell("dismissing.html", "missed.dismiss", d.Box, d.Reader, d, now)
}
