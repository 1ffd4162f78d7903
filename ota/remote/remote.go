// Package remote is the way of the exchange's page to the updater: HTTP with JSON on a unix socket. Codes cross it, not
// sentences: those are in the page's catalogues.
package remote

import (
	"time"

	"github.com/pronto-pbx/pronto/ota/rollout"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// State is all that the page shows.
type State struct {
	Enabled bool   `json:"enabled"`
	Why     Off    `json:"why,omitempty"` // where not Enabled
	Backend string `json:"backend"`       // card, deb, none, fake

	Running Slot   `json:"running"`
	Idle    Slot   `json:"idle"`
	Offer   *Offer `json:"offer,omitempty"` // nil: nothing newer is known

	Phase    slot.Phase `json:"phase"`
	Version  string     `json:"version,omitempty"` // that Phase speaks of
	Done     int64      `json:"done"`              // bytes of this phase
	Total    int64      `json:"total"`
	WaitsFor WaitsFor   `json:"waits_for,omitempty"`
	Until    time.Time  `json:"until,omitzero"` // how long it waits at least, where that is known
	Trouble  slot.Code  `json:"trouble,omitempty"`
	Words    string     `json:"words,omitempty"` // of Trouble, in English, for who reads logs
	Last     *Outcome   `json:"last,omitempty"`

	Checked   time.Time `json:"checked,omitzero"` // when the vendor answered last
	NextCheck time.Time `json:"next_check,omitzero"`
	Stale     bool      `json:"stale"` // what the vendor signed has expired for more than 14 days
	Settings  Settings  `json:"settings"`
}

// Off is why updates are off.
type Off string

// Why updates are off.
const (
	OffVendor    Off = "vendor"    // the image was made without a vendor
	OffContainer Off = "container" // whoever runs the container replaces it
	OffSlots     Off = "slots"     // the first program does not say what the card holds
)

// Slot is what a slot holds.
type Slot struct {
	Version string `json:"version,omitempty"` // empty: not known, or nothing
	State   string `json:"state"`
}

// The states of a slot.
const (
	SlotRuns    = "runs"
	SlotTrial   = "trial"   // runs, and may be given up
	SlotReady   = "ready"   // whole, and waits to be started
	SlotBefore  = "before"  // whole, and what the box goes back to
	SlotWriting = "writing" // is being written
	SlotEmpty   = "empty"   // holds nothing that starts, as far as is known
)

// Offer is a release that the box may take.
type Offer struct {
	Version  string            `json:"version"`
	Severity string            `json:"severity"` // feature, bugfix, security
	Notes    map[string]string `json:"notes"`    // plain text by language (it, en)
	Homepage string            `json:"notes_url,omitempty"`
	Deadline time.Time         `json:"deadline,omitzero"`
	Size     int64             `json:"size"`  // bytes to fetch
	Delta    bool              `json:"delta"` // of what has changed only
	Local    bool              `json:"local"` // out of a bundle
	Refused  []Refusal         `json:"refused,omitempty"`
}

// Refusal is why a box cannot take a release.
type Refusal struct {
	Code  string `json:"code"` // of package release, or failed: it was given up here before
	Words string `json:"words"`
}

// WaitsFor is what an update waits for.
type WaitsFor string

// What an update may wait for: what the policy says (package rollout), and what the updater says itself.
const (
	ForNothing   WaitsFor = ""
	ForOwner              = WaitsFor(rollout.Owner)     // automatic updates are off
	ForDate               = WaitsFor(rollout.Start)     // the release says so
	ForTurn               = WaitsFor(rollout.Percent)   // the vendor's percentage has not reached this box
	ForPostponed          = WaitsFor(rollout.Postponed) // the owner said so
	ForWindow             = WaitsFor(rollout.TheWindow) // the hours that the owner chose
	ForEmergency          = WaitsFor(rollout.Emergency) // an emergency call is up
	ForCalls              = WaitsFor(rollout.Call)      // somebody is on the phone
	ForCallers            = WaitsFor(rollout.Caller)    // somebody waits in a queue
	ForQuiet              = WaitsFor(rollout.Silence)   // a minute without calls
	ForExchange  WaitsFor = "exchange"                  // it does not say whether there are calls
	ForVendor    WaitsFor = "vendor"                    // the vendor must confirm the release once more
	ForRetry     WaitsFor = "retry"                     // something failed that may pass
)

// Outcome is how the last update ended.
type Outcome struct {
	Version string    `json:"version"`
	Result  string    `json:"result"` // kept, back, refused
	Code    slot.Code `json:"code,omitempty"`
	Words   string    `json:"words,omitempty"`
	At      time.Time `json:"at"`
	Seen    bool      `json:"seen"`
}

// Settings are the owner's.
type Settings struct {
	Auto      bool      `json:"auto"`    // install without being asked
	Channel   string    `json:"channel"` // stable, beta; security fixes come in both
	Window    Window    `json:"window"`
	Postponed time.Time `json:"postponed,omitzero"`
	// Drain is how many minutes before the end of the window queues take no new callers, if somebody is on the phone all
	// the time; 0: they always do.
	Drain int `json:"drain,omitempty"`
	// EndCalls allows a restart into a security release that is 72 hours over its deadline to end calls, never one for help.
	EndCalls bool `json:"end_calls,omitempty"`
}

// MostDrain bounds Settings.Drain, in minutes.
const MostDrain = 120

// Window is when a restart disturbs nobody, in the box's time of day.
type Window struct {
	From int `json:"from"` // minutes after midnight
	To   int `json:"to"`   // before From: on the next day; as From: at any time
}
