package trace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rung is one message as a ladder shows it.
type Rung struct {
	At     time.Time
	Out    bool   // from the box
	Peer   string // the other side: transport and address
	CallID string
	What   string // method, or status and reason
	CSeq   string
	SDP    bool // it describes audio
	Text   string
}

// Ladder lists the messages of dialogs in the order of their times.
func Ladder(dialogs []Dialog) (all []Rung) {
	for _, d := range dialogs {
		for _, m := range d.Messages {
			line, _, _ := bytes.Cut(m.Text, []byte("\n"))
			what := strings.TrimSpace(string(line))
			if status, ok := strings.CutPrefix(what, "SIP/2.0 "); ok {
				what = status
			} else if method, _, ok := strings.Cut(what, " "); ok {
				what = method
			}
			kind := header(m.Text, "content-type", 'c')
			all = append(all, Rung{
				At: m.At, Out: m.Out, Peer: m.Transport + ":" + m.Remote.String(), CallID: d.CallID, What: what,
				CSeq: string(header(m.Text, "cseq", 0)), SDP: bytes.HasPrefix(bytes.ToLower(kind), []byte("application/sdp")), Text: string(m.Text),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Rung) int { return a.At.Compare(b.At) })
	return all
}

// Draw writes a ladder for a console: the time since the first message, who, which way, what.
func Draw(rungs []Rung) string {
	var b strings.Builder
	wide := 0
	for _, r := range rungs {
		wide = max(wide, len(r.Peer))
	}
	for _, r := range rungs {
		arrow := "──>"
		if r.Out {
			arrow = "<──"
		}
		sdp := ""
		if r.SDP {
			sdp = " (SDP)"
		}
		fmt.Fprintf(&b, "%9.3f  %-*s %s box  %s%s\n", r.At.Sub(rungs[0].At).Seconds(), wide, r.Peer, arrow, r.What, sdp)
	}
	return b.String()
}
