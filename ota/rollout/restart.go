package rollout

import (
	"time"

	"github.com/pronto-pbx/pronto/ota/release"
)

// Quiet is how long a box must have carried no call and had no caller waiting before it restarts by itself.
const Quiet = time.Minute

// MaxPostponed bounds for how long an owner can put a restart off at once. It can be put off again.
const MaxPostponed = 14 * 24 * time.Hour

// grace is how long after the deadline of a security release calls are still waited for, where the owner has allowed
// that they be ended at all.
const grace = 72 * time.Hour

// Window is when a box may restart by itself: from one minute of the day to another, of local time; it may reach over
// midnight. With From equal to To every time will do.
type Window struct {
	From int `json:"from"` // 0-1439
	To   int `json:"to"`   // 0-1439; not itself in the window
}

const day = 24 * 60

// Length is how many minutes a window has.
func (w Window) Length() int {
	if n := (w.To - w.From + day) % day; n > 0 {
		return n
	}
	return day
}

// Policy is what the owner wants.
type Policy struct {
	Auto      bool          // releases are installed by themselves; opting out holds for security and deadlines too
	Window    Window        // in which it restarts by itself
	Postponed time.Time     // until then nothing restarts by itself; zero: not postponed
	Drain     time.Duration // before the end of the window, during which queues take no new callers; 0: they always do
	EndCalls  bool          // from 72 h after the deadline of a security release on its restart ends calls, never an emergency call
}

// Facts are how the box is.
type Facts struct {
	Now        time.Time // with the location whose clock hangs on the wall
	ID         string    // of the box
	Asked      bool      // a person has asked for this release, now
	Calls      int       // of all kinds
	Emergency  int       // of those, calls to emergency numbers
	Waiting    int       // callers in queues
	QuietSince time.Time // when the last call or waiting caller went; zero: unknown
}

// Wait is what a release waits for before the box restarts into it.
type Wait string

// What there is to wait for, in the order in which it is told.
const (
	Nothing   Wait = ""
	Owner     Wait = "owner"     // has opted out of automatic releases, and has not asked for this one
	Start     Wait = "start"     // of the release, by its vendor
	Percent   Wait = "percent"   // the vendor has not come to this box yet, or has stopped the release
	Postponed Wait = "postponed" // by the owner
	TheWindow Wait = "window"    // of maintenance
	Emergency Wait = "emergency" // a call to an emergency number
	Call      Wait = "call"      // a call
	Caller    Wait = "caller"    // somebody waits in a queue
	Silence   Wait = "silence"   // the last call has only just ended
)

// Decision answers: may the box restart now?
type Decision struct {
	For      Wait      // what it waits for; Nothing: restart now
	Again    time.Time // when time alone could change the answer; zero: time alone does not
	Drain    bool      // queues should take no new callers until the window ends
	EndCalls bool      // the restart ends calls
}

// Restart decides whether a box restarts into a release that lies ready. It never does while an emergency call exists,
// whatever the vendor or a person wants. Other calls and waiting callers are waited for too, except when a security
// release is 72 hours over its deadline and the owner has said beforehand that calls may be ended then.
//
// Who asks for a release gets it outside of the window, postponed or not, and whatever the percentage; a deadline only
// opens the window, and only for what is of security.
func Restart(m release.Manifest, p Policy, f Facts) Decision {
	if d := mayStart(m, p, f); d.For != Nothing && !f.Asked {
		return d
	}
	overdue := m.Severity == release.Security && !m.Deadline.IsZero() && !f.Now.Before(m.Deadline.Add(grace))
	switch {
	case f.Emergency > 0:
		return Decision{For: Emergency}
	case p.EndCalls && p.Auto && overdue:
		return Decision{EndCalls: f.Calls > 0 || f.Waiting > 0}
	case f.Calls > 0:
		return Decision{For: Call, Drain: drains(p, f)}
	case f.Waiting > 0:
		return Decision{For: Caller, Drain: drains(p, f)}
	case f.QuietSince.IsZero() || f.Now.Sub(f.QuietSince) < Quiet:
		since := f.QuietSince
		if since.IsZero() || since.After(f.Now) { // the clock was put back
			since = f.Now
		}
		return Decision{For: Silence, Again: since.Add(Quiet)}
	}
	return Decision{}
}

// mayStart judges what has nothing to do with calls.
func mayStart(m release.Manifest, p Policy, f Facts) Decision {
	switch {
	case !p.Auto:
		return Decision{For: Owner}
	case !Started(m, f.Now):
		return Decision{For: Start, Again: m.NotUntil}
	case !Includes(m.Rollout, f.ID, f.Now):
		return Decision{For: Percent, Again: joins(m.Rollout, f)}
	case f.Now.Before(p.Postponed):
		return Decision{For: Postponed, Again: earlier(p.Postponed, f.Now.Add(MaxPostponed))}
	case m.Severity == release.Security && !m.Deadline.IsZero() && !f.Now.Before(m.Deadline):
		return Decision{}
	}
	if opens := p.Window.opens(f.Now, m.Version+f.ID); opens.After(f.Now) {
		if m.Severity == release.Security && !m.Deadline.IsZero() {
			opens = earlier(opens, m.Deadline)
		}
		return Decision{For: TheWindow, Again: opens}
	}
	return Decision{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// joins is when a ramp will have come to a box; zero: it will not, as things are.
func joins(r release.Rollout, f Facts) time.Time {
	place := float64(Place(r.Salt, f.ID)+1) * 100 / places // percent at which it is in
	if r.Percent < place {
		return time.Time{}
	}
	if r.Ramp <= 0 {
		return r.Start
	}
	return r.Start.Add(time.Duration(float64(r.Ramp) * min(1, place/r.Percent)))
}

// opens is when a box may restart in the window that is open at now, or in the next one: somewhere in its first half,
// by a draw, so that the boxes of one place do not all restart together. In the second half there is no more waiting.
func (w Window) opens(now time.Time, draw string) time.Time {
	if w.From == w.To {
		return now
	}
	// The window of yesterday may reach into today. The next one may fall where clocks are put forward, so look further.
	for ahead := -1; ahead <= 3; ahead++ {
		from, to := w.on(now, ahead)
		if !to.After(now) || !from.Before(to) {
			continue
		}
		late := time.Duration(float64(to.Sub(from)) / 2 * float64(Place("window", draw)) / places)
		if at := from.Add(late.Truncate(time.Second)); at.After(now) {
			return at
		}
		return now
	}
	return now.Add(24 * time.Hour) // not reached: clocks are not put forward four days in a row
}

// on is the window that begins on a day, counted from that of now.
func (w Window) on(now time.Time, ahead int) (from, to time.Time) {
	y, m, d := now.Date()
	at := func(minute int) time.Time { return time.Date(y, m, d+ahead, 0, minute, 0, 0, now.Location()) }
	return at(w.From), at(w.From + w.Length())
}

// drains says whether queues should take no new callers: near the end of the window, if the owner wants that.
func drains(p Policy, f Facts) bool {
	if p.Drain <= 0 || p.Window.From == p.Window.To {
		return false
	}
	for ahead := -1; ahead <= 0; ahead++ {
		if from, to := p.Window.on(f.Now, ahead); !f.Now.Before(from) && f.Now.Before(to) && !f.Now.Before(to.Add(-p.Drain)) {
			return true
		}
	}
	return false
}
