// Package trial decides what becomes of a slot that is started on trial, and what is remembered of it. It is pure but
// for its file. The boot loader starts such a slot once; whatever ends that start before the slot is kept leads back
// to the slot of before, so all that has to be remembered is what is told of it afterwards.
package trial

import (
	"errors"
	"io/fs"
	"time"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// File is where the last trial lies below the directory of the data.
const File = "trial.json"

const fileVersion = 1

// Outcome is what became of a trial.
type Outcome string

// The outcomes.
const (
	Asked Outcome = "asked" // it was begun; nothing more is known
	Kept  Outcome = "kept"  // every start is of this slot now
	Back  Outcome = "back"  // the slot of before runs again
)

// Reasons why a trial ended with the way back, beside those that the updater gives.
const (
	WhyReset   = "reset"         // it ended without a word: a hang, a panic, or a power cut
	WhyExpired = "trial_expired" // nobody kept it in time
	WhyGivenUp = "given_up"      // the exchange did not stay up
	WhyStarts  = "starts"        // it had been kept, and did not start any more
)

// Record is the last trial. The zero value: there was none.
type Record struct {
	Version string    `json:"version"` // as the slot says it; empty: nobody here asked for the trial
	Slot    int       `json:"slot"`    // number of the partition
	Asked   time.Time `json:"asked,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome Outcome   `json:"outcome"`
	Why     string    `json:"why,omitempty"`   // a code
	Words   string    `json:"words,omitempty"` // for the log
}

// Bounds of what is remembered, in bytes.
const (
	mostVersion = 64
	mostWhy     = 64
	mostWords   = 1000
)

// Begin is the record of a trial that is asked for.
func Begin(version string, slot int, now time.Time) Record {
	return Record{Version: bounded(version, mostVersion), Slot: slot, Asked: now, Outcome: Asked}
}

// Keep is the record when the slot has been kept.
func (r Record) Keep(now time.Time) Record {
	r.Outcome, r.Ended, r.Why, r.Words = Kept, now, "", ""
	return r
}

// GoBack is the record when the slot is given up.
func (r Record) GoBack(why, words string, now time.Time) Record {
	r.Outcome, r.Ended, r.Why, r.Words = Back, now, bounded(why, mostWhy), bounded(words, mostWords)
	return r
}

func bounded(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Start is the record at the beginning of a start of a slot, by what the boot loader says of that: a trial of which
// only the beginning is known was kept when its slot is started as any other, since that is the one write that keeping
// takes; and it is over when the other slot runs.
func (r Record) Start(slot int, trying bool, now time.Time) Record {
	switch {
	case trying && (r.Outcome != Asked || r.Slot != slot):
		return Begin("", slot, now) // who holds the card can do so
	case trying || r.Outcome != Asked:
		return r
	case slot == r.Slot:
		return r.Keep(now)
	default:
		return r.GoBack(WhyReset, "", now)
	}
}

// Good is the slot that is known to work, by the record alone: for a card whose choice is damaged. 0: nothing is known.
func (r Record) Good(other func(int) int) int {
	switch r.Outcome {
	case Kept:
		return r.Slot
	case Asked, Back:
		return other(r.Slot)
	default:
		return 0
	}
}

// Limit is for how long a slot may be on trial, from the start of its kernel.
const Limit = 15 * time.Minute

// tooMany is how often the exchange may be started anew in a trial: an old release that works is at hand.
const tooMany = 5

// Seen is how a trial goes.
type Seen struct {
	For, Limit time.Duration
	Restarts   int  // of the exchange
	Refused    bool // it asked not to be started again
	GivenUp    bool // by the rule of the watchdog
}

// Judge tells whether a trial is over, and why.
func Judge(s Seen) (why, words string, over bool) {
	switch {
	case s.Refused:
		return WhyGivenUp, "the exchange refuses to start", true
	case s.Restarts >= tooMany:
		return WhyGivenUp, "the exchange was started anew again and again", true
	case s.GivenUp:
		return WhyGivenUp, "the exchange does not come up", true
	case s.For >= s.Limit:
		return WhyExpired, "nobody kept the release in time", true
	}
	return "", "", false
}

// Load reads the record; of a file that is not there or damaged it is zero.
func Load(path string) (r Record, err error) {
	err = statefile.Load(path, fileVersion, &r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Record{}, nil
	case err != nil:
		return Record{}, err
	}
	return r, nil
}

// Save writes the record, safe from a power cut.
func Save(path string, r Record) error { return statefile.Save(path, fileVersion, r) }

// Decode reads a record out of memory.
func Decode(text []byte) (r Record, err error) { return r, statefile.Decode(text, fileVersion, &r) }
