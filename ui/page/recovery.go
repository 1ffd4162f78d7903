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
	System  Reinstall
}

// Reinstall is the system's being installed again.
type Reinstall struct {
	Vendor   string          // where releases are; empty: the image was made without a vendor, and believes nobody
	Bundles  []string        // on the stick, by their names
	From     string          // name of the bundle of the last try; empty: the vendor's server
	Phase    string          // of the try: "looking", "writing", "checking", "done"; empty: none is under way
	Version  string          // that is installed
	At, Of   int64           // bytes
	Trial    bool            // of "done": it is started once, and stays when it has passed its test
	Wrong    Said            // why the last try came to nothing
	Refused  []UpdateRefusal // why the release that was found is not for this box
	Before   string          // version that was installed here before; empty: none was
	BeforeAt time.Time
}

// Percent is how far a phase has come.
func (x Reinstall) Percent() int64 {
	if x.Of <= 0 {
		return 0
	}
	return min(100, x.At*100/x.Of)
}

// Under tells that a try is under way, or has just led to the end.
func (x Reinstall) Under() bool { return x.Phase != "" }

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
