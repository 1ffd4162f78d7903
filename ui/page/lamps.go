package page

import "time"

// Lamps is the page that lists the lamps.
type Lamps struct {
	Reader Reader
	Box    string
	Said   Said
	Good   Said // what was done
	Lamps  []Card
}

// Signals is the page that shows what every state looks like on a lamp.
type Signals struct {
	Reader  Reader
	Box     string
	Said    Said
	Signals []Signal
}

// Signal is what one state looks like.
type Signal struct {
	State   string
	Changed bool   // it is not the usual one
	Rhythm  string // ms lit and dark in turn; empty: steady, or dark when there are no steps
	Steps   []Lit  // in the four seconds that the picture shows
}

// Lit is a time during which a lamp is lit, in a picture of 400 units.
type Lit struct {
	From, Width float64
	Fill        string  // #rrggbb
	Strength    float64 // 0 to 1
}

// Lamps renders the list of lamps.
func (r *Renderer) Lamps(l Lamps, now time.Time) ([]byte, error) {
	return r.shell("lamps.html", "lamps", l.Box, l.Reader, l, now)
}

// Signals renders the table of what lamps say.
func (r *Renderer) Signals(x Signals, now time.Time) ([]byte, error) {
	return r.shell("signals.html", "signals", x.Box, x.Reader, x, now)
}
