package page

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Phone is the page with which a person telephones in the browser.
type Phone struct {
	Reader Reader
	Box    string
	Said   Said
	Live   string // path of the stream
	Ready  bool   // one of the person's pages may use the microphone: the phone rings
	Calls  []PhoneCall
}

// PhoneCall is one call of the page.
type PhoneCall struct {
	ID       string
	Number   tel.Number // of the other party; empty: withheld
	Name     string
	Incoming bool
	Stage    string // ringing, connecting, calling, talking
	Held     bool
	Muted    bool
	Away     bool // the browser's sound is lost: the other party waits with music
	Since    time.Time
	Moving   bool // a transfer is under way
	Refused  bool // the last transfer came to nothing
	Tape     Tape // of a conversation that is not held
	Second   bool // there is another call, which this one can be joined with
}

// Phone renders the page.
func (r *Renderer) Phone(p Phone, now time.Time) ([]byte, error) {
	f := r.frame(view.Office{Name: p.Box}, p.Reader, now)
	f.Title, f.Live = "softphone", p.Live
	return r.render("phone.html", shell{f, p.joined()})
}

// PhoneParts renders what of the page moves.
func (r *Renderer) PhoneParts(p Phone) ([]byte, error) {
	return r.render("phone-parts", shell{r.frame(view.Office{}, Reader{}, time.Time{}), p.joined()})
}

// joined tells each call that is talked to whether there is another one.
func (p Phone) joined() Phone {
	talking := 0
	for _, c := range p.Calls {
		if c.Stage == "talking" {
			talking++
		}
	}
	for i := range p.Calls {
		p.Calls[i].Second = talking > 1 && p.Calls[i].Stage == "talking"
	}
	return p
}
