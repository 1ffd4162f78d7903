package settingstest

import (
	"io"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// Traces is a box that keeps RTP, in memory. Its fields may be set before the page is asked.
type Traces struct {
	State  page.RTPTrace
	Refuse settings.Refusal

	Permitted        []Permitted
	Stopped, Deleted []settings.By
	Taken            []settings.By
}

// Permitted is what was ordered.
type Permitted struct {
	Of   string
	Span time.Duration
	Why  string
	By   settings.By
}

// Port is the page's way to it.
func (t *Traces) Port() settings.Traces {
	has := func(call tel.CallID) bool {
		for _, k := range t.State.Kept {
			if k.Call == call {
				return true
			}
		}
		return false
	}
	return settings.Traces{
		Now: func() page.RTPTrace { return t.State },
		Permit: func(of string, span time.Duration, why string, by settings.By) settings.Refusal {
			if t.Refuse.Sentence == "" {
				t.Permitted = append(t.Permitted, Permitted{of, span, why, by})
			}
			return t.Refuse
		},
		Stop:   func(by settings.By) { t.Stopped = append(t.Stopped, by) },
		Delete: func(by settings.By) { t.Deleted = append(t.Deleted, by) },
		Has:    has,
		Capture: func(w io.Writer, call tel.CallID, by settings.By) (bool, error) {
			if !has(call) {
				return false, nil
			}
			t.Taken = append(t.Taken, by)
			_, err := io.WriteString(w, "sound of "+string(call))
			return true, err
		},
	}
}

// TracesOf is a box on which nothing is permitted and nothing kept; name stands wherever somebody can write.
func TracesOf(name string) page.RTPTrace {
	return page.RTPTrace{
		Basis: true, Spans: []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour},
		Targets: []page.Choice{{ID: "phone:201", Name: "201 · " + name}, {ID: "trunk:tim", Name: "TIM"}, {ID: "line:gsm0", Name: "SIM"}},
	}
}

// Traced is the same while RTP of a phone is kept, of two calls.
func Traced(name string, at time.Time) page.RTPTrace {
	x := TracesOf(name)
	x.On = &page.TraceOn{Of: "phone:201", Name: "201 · " + name, By: name, Why: name, Since: at, Until: at.Add(time.Hour)}
	x.Kept = []page.KeptRTP{
		{Call: "c1", From: at, To: at.Add(time.Minute), Packets: 3000},
		{Call: "c2", From: at.Add(-time.Minute), To: at, Packets: 40000, Lost: 1234},
	}
	return x
}
