package ban

import (
	"slices"
	"time"
)

// record is what is known of one source.
type record struct {
	guesses []time.Time // within the window, oldest first
	asked   []asking    // names asked for and not proved, oldest first
	bans    int         // so far, the present one included
	until   time.Time   // end of the present or the last ban; zero = never banned
	why     Offence     // of the last ban
	last    time.Time   // the last offence
}

// asking is a name that a challenge was sent for, as a hash: names may be long, and are not shown.
type asking struct {
	name uint64
	at   time.Time // of the first time
}

// event is what a source did. proved = it gave the right password for name.
type event struct {
	offence Offence
	proved  bool
	name    uint64
	at      time.Time
}

func (r record) banned(now time.Time) bool { return r.until.After(now) }

// idle reports that nothing of the record matters any more.
func (r record) idle(p Policy, now time.Time) bool {
	return !r.banned(now) && now.Sub(r.last) >= p.Window && (r.bans == 0 || now.Sub(r.until) >= forgiven)
}

// next is what becomes of a record. began = a ban begins with this event. A record that is banned
// stays as it is: what still arrives was on its way, or comes from a phone that is known.
func next(r record, e event, p Policy, steps []time.Duration) (now record, began bool) {
	if r.banned(e.at) {
		return r, false
	}
	early := e.at.Add(-p.Window)
	r.guesses = slices.DeleteFunc(slices.Clone(r.guesses), func(t time.Time) bool { return !t.After(early) })
	r.asked = slices.DeleteFunc(slices.Clone(r.asked), func(a asking) bool {
		return !a.at.After(early) || e.proved && a.name == e.name
	})
	if e.proved {
		return r, false
	}
	r.last = e.at
	switch e.offence {
	case Guess:
		r.guesses = append(r.guesses, e.at)
		began = len(r.guesses) >= p.Tries
	case Search:
		if !slices.ContainsFunc(r.asked, func(a asking) bool { return a.name == e.name }) {
			r.asked = append(r.asked, asking{e.name, e.at})
		}
		began = len(r.asked) >= atOnce*p.Names || len(r.asked) >= p.Names && e.at.Sub(r.asked[p.Names-1].at) >= unanswered
	case Scanner:
		began = true
	}
	if began {
		r = r.ban(e, steps)
	}
	return r, began
}

func (r record) ban(e event, steps []time.Duration) record {
	if !r.until.IsZero() && e.at.Sub(r.until) >= forgiven {
		r.bans = 0
	}
	r.until, r.why = e.at.Add(length(steps, r.bans)), e.offence
	r.bans++
	r.guesses, r.asked = nil, nil
	return r
}
