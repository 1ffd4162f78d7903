package quality

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What makes trouble one of its own rather than chance, and what ends it.
const (
	repeatOf    = 10 // latest calls of a party that count
	repeatBad   = 3  // of them with the same cause raise it
	repeatGood  = 3  // without it, one after the other, end it
	repeatAfter = 24 * time.Hour
)

// Repeated remembers the latest calls of each party and says which causes of bad sound come again and again.
// The zero value is ready; it is used by one goroutine at a time.
type Repeated struct{ causes map[cause]*history }

// cause is where a trouble lies; those of the box are of no party.
type cause struct {
	Place tel.SoundPlace
	Party string
}

type history struct {
	calls  []verdict // the latest last
	raised bool
}

type verdict struct {
	at      time.Time
	trouble tel.SoundTrouble // empty: the call was well
}

// Cause is what comes again and again.
type Cause struct {
	Place   tel.SoundPlace
	Party   string           // "phone:201", "trunk:tim"; empty for the box
	Trouble tel.SoundTrouble // of the latest bad call
	Bad     int              // calls
}

// Ended takes a finished call and returns all causes that stand, in a fixed order, and whether they are
// others than before. Legs of which nothing is known do not count.
func (r *Repeated) Ended(legs []tel.LegNote, now time.Time) (standing []Cause, changed bool) {
	if r.causes == nil {
		r.causes = map[cause]*history{}
	}
	inBox, known := tel.SoundFine, false
	for _, l := range legs {
		if l.Sound.Heard == 0 && l.Sound.Trouble == tel.SoundFine {
			continue
		}
		known = true
		at, trouble := placeOf(l), l.Sound.Trouble
		if l.Sound.Place == tel.SoundAtBox {
			inBox, trouble = trouble, tel.SoundFine
		}
		changed = r.note(cause{at, l.Party}, trouble, now) || changed
	}
	if known {
		changed = r.note(cause{Place: tel.SoundAtBox}, inBox, now) || changed
	}
	for c, h := range r.causes {
		if h.forget(now) {
			changed = true
		}
		if len(h.calls) == 0 {
			delete(r.causes, c)
			continue
		}
		if h.raised {
			bad, last := h.bad()
			standing = append(standing, Cause{c.Place, c.Party, last, bad})
		}
	}
	slices.SortFunc(standing, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Party, b.Party))
	})
	return standing, changed
}

// placeOf is where a party's troubles lie unless they are the box's.
func placeOf(l tel.LegNote) tel.SoundPlace {
	if strings.HasPrefix(l.Party, "trunk:") {
		return tel.SoundAtCarrier
	}
	return tel.SoundAtPhone
}

// note adds a call and reports whether the cause was raised or has ended by it. Causes that have never
// been are not kept.
func (r *Repeated) note(c cause, trouble tel.SoundTrouble, now time.Time) bool {
	h := r.causes[c]
	if h == nil {
		if trouble == tel.SoundFine {
			return false
		}
		h = &history{}
		r.causes[c] = h
	}
	h.forget(now)
	h.calls = append(h.calls, verdict{now, trouble})
	if over := len(h.calls) - repeatOf; over > 0 {
		h.calls = slices.Delete(h.calls, 0, over)
	}
	was := h.raised
	bad, _ := h.bad()
	good := 0
	for i := len(h.calls) - 1; i >= 0 && h.calls[i].trouble == tel.SoundFine; i-- {
		good++
	}
	switch {
	case good >= repeatGood:
		h.raised, h.calls = false, nil
	case bad >= repeatBad:
		h.raised = true
	}
	return h.raised != was
}

// forget drops what is old and reports whether the cause has ended by that.
func (h *history) forget(now time.Time) bool {
	h.calls = slices.DeleteFunc(h.calls, func(v verdict) bool { return now.Sub(v.at) > repeatAfter })
	if bad, _ := h.bad(); h.raised && bad == 0 {
		h.raised = false
		return true
	}
	return false
}

func (h *history) bad() (n int, last tel.SoundTrouble) {
	for _, v := range h.calls {
		if v.trouble != tel.SoundFine {
			n++
			last = v.trouble
		}
	}
	return n, last
}
