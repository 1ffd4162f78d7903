package page

import "time"

// Recovery is the only page of the recovery system.
type Recovery struct {
	Box     string // its id
	Said    Said
	Inside  bool   // the code of the label was given; else that is asked for
	Reason  string // why it runs: "failed", "button" or "stick"
	Failed  int    // starts that came to nothing
	Version string // of the system
	Data    string // why the data cannot be read; empty: it can
	Stick   bool   // one is plugged in
	Made    string // the file of a copy that was made just now
	Ready   string // the file of a copy that can be taken away
	Secret  string // that opens either, where the box has no recovery kit
	Private bool   // nobody listens in on the way to the reader
	HTTPS   string // where nobody would; empty: nowhere
	Resets  []Erasure
	Log     []string // of the last run that left one, the oldest first
}

// Erasure is a factory reset of the past.
type Erasure struct {
	At time.Time
	By string // who asked for it: "page", "stick", "button" or "card"
}

// Broken is the page of a box whose exchange does not run, and of a recovery system that ends.
type Broken struct {
	Box  string
	Said Said
	Calm bool     // it is as it should be: the recovery system ends
	Log  []string // the last lines of the exchange that tell of trouble; none for a stranger
}

// Recovery renders the page of the recovery system.
func (r *Renderer) Recovery(x Recovery, now time.Time) ([]byte, error) {
	return r.shell("recovery.html", "recovery", "Pronto "+x.Box, Reader{Path: "/"}, x, now)
}

// Broken renders that page.
func (r *Renderer) Broken(x Broken, now time.Time) ([]byte, error) {
	title := "outage"
	if x.Calm {
		title = "recovery"
	}
	return r.shell("broken.html", title, "Pronto "+x.Box, Reader{Path: "/"}, x, now)
}

// Reset is the page on which the owner has the box forget everything.
type Reset struct {
	Reader Reader
	Box    string // name of the office, to be typed
	Said   Said
}

// Reset renders that page.
func (r *Renderer) Reset(x Reset, now time.Time) ([]byte, error) {
	return r.shell("reset.html", "recovery.reset", x.Box, x.Reader, x, now)
}
