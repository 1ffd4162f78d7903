// Package slot is what happens to an update from its offer to the moment in which it is kept or given up: a pure
// machine. Who downloads, writes and starts is told by its effects; what they found is told to it by events.
package slot

import "time"

// Facts is what the first program of a box says of its slots, or whoever stands in for it. Slots are numbered as the
// partitions of the card: 2 and 3. A box without slots has the numbers too: 2 is what runs, 3 what is to be installed.
type Facts struct {
	Running int           `json:"running"`
	Chosen  int           `json:"chosen"` // what an ordinary start starts
	Trying  bool          `json:"trying"` // what runs is on trial: any restart ends in the other slot
	Model   string        `json:"model"`  // of the board
	EEPROM  string        `json:"eeprom"` // date of its boot loader, as YYYY-MM-DD; empty: it tells none
	Idle    string        `json:"idle"`   // path of the device of the idle slot; empty: there is none now
	Active  string        `json:"active"` // path of the device of the running slot, to be read; empty: there is none
	Left    time.Duration `json:"left"`   // of the trial, in nanoseconds
	Last    Trial         `json:"last"`   // the zero value: there was none
}

// Other is the slot that does not run.
func (f Facts) Other() int { return SlotA + SlotB - f.Running }

// The slots, by the numbers of their partitions.
const (
	SlotA = 2
	SlotB = 3
)

// Trial is the last one, as the first program has it on the disk.
type Trial struct {
	Version string    `json:"version"`
	Slot    int       `json:"slot"`
	Asked   time.Time `json:"asked"`
	Outcome string    `json:"outcome"` // asked, kept, back
	Why     Code      `json:"why,omitempty"`
	Words   string    `json:"words,omitempty"`
}

// The outcomes of a Trial.
const (
	TrialAsked = "asked" // nothing more is known: it runs, or its end was a loss of power or a hang
	TrialKept  = "kept"
	TrialBack  = "back"
)

// Phase is where an update stands.
type Phase string

// The phases.
const (
	Idle     Phase = "idle"
	Fetching Phase = "fetching" // the content comes into the download
	Writing  Phase = "writing"  // and from there into the idle slot
	Checking Phase = "checking" // the slot is read back from the card
	Waiting  Phase = "waiting"  // for the window, and for calls to end
	Trying   Phase = "trying"   // the slot is started, once
	Kept     Phase = "kept"     // it is what every start starts
	Back     Phase = "back"     // the slot of before runs again
	Refused  Phase = "refused"  // it was given up before it was started
)

// Code is why something is as it is. Sentences for people are made of it by who speaks their language.
type Code string

// The codes. Those of fit's checks are "fit_" and the name of the check.
const (
	None         Code = ""
	CodeNetwork  Code = "network"        // the vendor's server does not answer as it should
	CodeHash     Code = "hash"           // what came is not what was signed
	CodeFull     Code = "disk_full"      // no room for the download, or for what must be remembered
	CodeDisk     Code = "disk"           // the disk of the data fails
	CodeRead     Code = "slot_read"      // the card cannot be read where the slot lies
	CodeWrite    Code = "slot_write"     // it cannot be written there
	CodeDiffers  Code = "slot_differs"   // it gives back something else than was written
	CodeLarge    Code = "too_large"      // the content is longer than the slot
	CodeDamaged  Code = "state_damaged"  // what was remembered cannot be read; it was put aside
	CodeSlots    Code = "slots"          // the first program does not answer, or refuses
	CodeWithdrew Code = "withdrawn"      // the vendor offers this release no more
	CodeReset    Code = "reset"          // the trial ended without a word: a hang, or a loss of power
	CodeExpired  Code = "trial_expired"  // nobody kept the release in time
	CodeGivenUp  Code = "given_up"       // the exchange did not stay up
	CodeStarts   Code = "starts"         // a release that had been kept did not start any more
	CodeUnfit    Code = "unfit"          // the health check did not pass
	CodePackage  Code = "package"        // the package manager refuses
	CodeWayBack  Code = "no_way_back"    // the package of what runs is not kept
	CodeNone     Code = "none"           // there is no release for this box
	CodeMetadata Code = "metadata_stale" // what the vendor signed is too old to be believed
	CodeTrust    Code = "untrusted"      // what came is not signed as it must be
	CodeBundle   Code = "bundle"         // what was uploaded is no bundle
	CodeOff      Code = "off"            // updates are off
)
