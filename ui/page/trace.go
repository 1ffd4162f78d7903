package page

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Rung is one SIP message of a call.
type Rung struct {
	At   time.Time
	Out  bool   // from the box
	Peer string // the other side
	What string // method, or status and reason
	SDP  bool   // it describes audio
	Text string // without what opens doors
}

// Trace is the page of the SIP messages of a call.
type Trace struct {
	Reader Reader
	Box    string
	Call   tel.CallID
	Rungs  []Rung
	RTP    bool // it is kept too, and the reader may take it
}

// After is how long after the first message one came, in seconds.
func (t Trace) After(r Rung) float64 { return r.At.Sub(t.Rungs[0].At).Seconds() }

// Trace renders the SIP messages of a call.
func (r *Renderer) Trace(t Trace, now time.Time) ([]byte, error) {
	return r.shell("trace.html", "trace", t.Box, t.Reader, t, now)
}
