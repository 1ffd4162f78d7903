package page

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// RTPTrace is what is permitted and kept of RTP, and what could be.
type RTPTrace struct {
	On      *TraceOn // nil: nothing is permitted
	Basis   bool     // there is a legal basis for it today
	Targets []Choice
	Spans   []time.Duration
	Kept    []KeptRTP // the latest first
	Forget  time.Time // when what is kept is deleted by itself; zero: not yet
}

// TraceOn is a permission.
type TraceOn struct {
	Of           string // "phone:201"
	Name         string
	By, Why      string
	Since, Until time.Time
}

// KeptRTP is what is kept of a call.
type KeptRTP struct {
	Call     tel.CallID
	From, To time.Time
	Packets  int
	Lost     int // that have made room for later ones
}

// Traces is the page on which the owner permits RTP in traces.
type Traces struct {
	Reader Reader
	Box    string
	Said   Said
	RTPTrace

	// What was typed.
	Of   string
	Span time.Duration
	Why  string
}

// Traces renders that page.
func (r *Renderer) Traces(x Traces, now time.Time) ([]byte, error) {
	return r.shell("traces.html", "traces", x.Box, x.Reader, x, now)
}

// kindOf is what a name such as "trunk:tim" is of.
func kindOf(of string) string {
	kind, _, _ := strings.Cut(of, ":")
	return kind
}
