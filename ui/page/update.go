package page

import (
	"fmt"
	"strings"
	"time"
)

// UpdateState is how it stands with the box's releases.
type UpdateState struct {
	Off     string // why there are no updates: vendor, container, slots, system; empty: there are
	Away    bool   // who installs them does not answer
	Slots   bool   // two systems lie side by side; false: one package in place of the other
	Running UpdateSlot
	Idle    UpdateSlot
	Offer   *UpdateOffer // nil: nothing newer is known

	Phase       string // idle, fetching, writing, checking, waiting, trying, kept, back, refused
	Version     string // that Phase speaks of
	Done, Total int64  // bytes of this phase
	WaitsFor    string // empty: nothing
	Until       time.Time
	Trouble     Said // what keeps the phase from going on
	Last        *UpdateOutcome

	Checked, Next time.Time // when the vendor has answered last, and is asked again
	Stale         bool      // what the vendor signed has expired for more than 14 days
	Settings      UpdateSettings
	Sticks        []string // names of the bundles on the stick
}

// UpdateSlot is what a slot holds.
type UpdateSlot struct {
	Version string // empty: not known
	State   string // runs, trial, ready, before, writing, empty
}

// UpdateOffer is a release that the box may take.
type UpdateOffer struct {
	Version, Severity string
	Notes             map[string]string
	Homepage          string
	Deadline          time.Time
	Size              int64 // bytes
	Delta, Local      bool
	Refused           []UpdateRefusal
}

// UpdateRefusal is why the box cannot take it.
type UpdateRefusal struct{ Code, Detail string }

// UpdateOutcome is how the last update ended.
type UpdateOutcome struct {
	Version, Result string // kept, back, refused
	Why             Said
	At              time.Time
	Seen            bool
}

// UpdateSettings are the owner's.
type UpdateSettings struct {
	Auto      bool
	Channel   string // stable, beta
	From, To  int    // minutes after midnight
	Drain     int    // minutes before To during which queues take nobody new; 0: they always do
	EndCalls  bool   // a hole in its security that stays open for too long is closed although somebody is on the phone
	Postponed time.Time
}

// Megabytes are bytes for people.
func Megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

// MB is the size.
func (o UpdateOffer) MB() string { return Megabytes(o.Size) }

// Lines are the notes in a language, or in the other one where it has none: plain text, a point a line.
func (o UpdateOffer) Lines(lang string) (all []string) {
	text := o.Notes[lang]
	for _, other := range []string{"it", "en"} {
		if strings.TrimSpace(text) == "" {
			text = o.Notes[other]
		}
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "-*•")); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// Link is the page with more about it; empty where the vendor's link is none that a browser should follow.
func (o UpdateOffer) Link() string {
	if strings.HasPrefix(o.Homepage, "https://") {
		return o.Homepage
	}
	return ""
}

// Works reports that the box is at work on a release.
func (s UpdateState) Works() bool {
	switch s.Phase {
	case "fetching", "writing", "checking", "trying":
		return true
	}
	return false
}

// Moves reports that it gets on with it, so that the page is worth looking at again soon.
func (s UpdateState) Moves() bool { return s.Works() && s.Trouble.Sentence == "" }

// Under reports that a release is on its way.
func (s UpdateState) Under() bool { return s.Works() || s.Phase == "waiting" }

// DoneMB and TotalMB are how far the phase is.
func (s UpdateState) DoneMB() string { return Megabytes(s.Done) }

// TotalMB is the whole of it.
func (s UpdateState) TotalMB() string { return Megabytes(s.Total) }

// Minute is a time of day as a form has it.
func Minute(m int) string { return fmt.Sprintf("%02d:%02d", m/60%24, m%60) }

// Drains are the minutes that an owner can choose.
func (UpdateSettings) Drains() []int { return []int{0, 15, 30, 60} }

// Opens and Shuts are the hours of the restart.
func (s UpdateSettings) Opens() string { return Minute(s.From) }

// Shuts is when they end.
func (s UpdateSettings) Shuts() string { return Minute(s.To) }

// Update is the page of the box's releases.
type Update struct {
	Reader  Reader
	Box     string
	Said    Said
	State   UpdateState
	Done    string // key of what was just done
	Private bool   // nobody listens in on the way to the reader
	May     bool   // the reader decides about updates, here and now: not on a page that is asked for again and again
	Own     bool   // the reader is the owner
	Days    []int  // for which they can be put off
}

// Update renders the page of the box's releases.
func (r *Renderer) Update(u Update, now time.Time) ([]byte, error) {
	return r.shell("update.html", "update", u.Box, u.Reader, u, now)
}
