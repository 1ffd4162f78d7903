package slot

import (
	"slices"
	"time"
)

// State is an update, as a plain value that outlives restarts. Its zero value is a box to which nothing has happened.
type State struct {
	Phase Phase   `json:"phase"`
	Want  Release `json:"want"`           // that Phase speaks of
	Slot  int     `json:"slot,omitempty"` // that it is written into
	// First is the first sector of the content, which is written when the rest has been proved.
	First []byte `json:"first,omitempty"`
	// Whole says that nothing is made out of the release of before any more: what came of it was wrong.
	Whole bool `json:"whole,omitempty"`

	Trouble  Code      `json:"trouble,omitempty"`  // why the phase does not get on
	Words    string    `json:"words,omitempty"`    // in English, for who reads logs
	Failures int       `json:"failures,omitempty"` // in a row, of the kind that passes
	Strikes  int       `json:"strikes,omitempty"`  // of Want, of the kind that does not
	Resets   int       `json:"resets,omitempty"`   // of Want: trials that ended without a word
	Retry    time.Time `json:"retry,omitzero"`     // when the phase is tried again; zero: it is at it

	Verdict *Verdict `json:"verdict,omitempty"` // of the trial: the way back has been chosen
	Barred  []Bar    `json:"barred,omitempty"`  // what is not tried again, the latest last
	Last    *Outcome `json:"last,omitempty"`    // how the last update ended
	Epoch   uint32   `json:"epoch,omitempty"`   // the highest that was kept
	Told    Trial    `json:"told,omitzero"`     // the last trial of which the end has been accounted for
}

// Release is what of a release the machine knows.
type Release struct {
	Version string `json:"version"`
	Issue   string `json:"issue"` // another one for the same version is a release that was issued again
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"` // of the content, in bytes
	Epoch   uint32 `json:"epoch"`
	Writes  uint32 `json:"writes"` // engine version of the data that it leaves
	Reads   uint32 `json:"reads"`  // the oldest that it opens
	Asked   bool   `json:"asked"`  // somebody wants it now
	Local   bool   `json:"local"`  // it came in a bundle
}

// Verdict is why a trial is given up.
type Verdict struct {
	Code  Code   `json:"code"`
	Words string `json:"words"`
}

// Bar is a release that came to nothing here. It is taken again when it is issued again, or when somebody asks.
type Bar struct {
	Version string    `json:"version"`
	Issue   string    `json:"issue"` // empty: any
	Code    Code      `json:"code"`
	Words   string    `json:"words,omitempty"`
	At      time.Time `json:"at"`
}

// Outcome is how an update ended. It is kept until it has been seen.
type Outcome struct {
	Version string    `json:"version"`
	Result  Phase     `json:"result"` // Kept, Back or Refused
	Code    Code      `json:"code,omitempty"`
	Words   string    `json:"words,omitempty"`
	At      time.Time `json:"at"`
	Seen    bool      `json:"seen"`
}

// most bounds Barred.
const most = 8

// Busy reports whether an update is under way.
func (s State) Busy() bool {
	switch s.Phase {
	case Fetching, Writing, Checking, Waiting, Trying:
		return true
	default:
		return false
	}
}

// Against is the bar that a release meets.
func (s State) Against(r Release) (Bar, bool) {
	for _, b := range s.Barred {
		if b.Version == r.Version && (b.Issue == "" || b.Issue == r.Issue) {
			return b, true
		}
	}
	return Bar{}, false
}

func (s *State) bar(code Code, words string, now time.Time) {
	s.unbar(s.Want.Version)
	s.Barred = append(s.Barred, Bar{s.Want.Version, s.Want.Issue, code, words, now})
	if len(s.Barred) > most {
		s.Barred = s.Barred[len(s.Barred)-most:]
	}
}

// unbar leaves the slice of the state before as it was.
func (s *State) unbar(version string) {
	s.Barred = slices.DeleteFunc(slices.Clone(s.Barred), func(b Bar) bool { return b.Version == version })
}

// Backoff is how long is waited after the nth failure in a row.
func Backoff(n int) time.Duration {
	return min(time.Minute<<min(max(n-1, 0), 9), 6*time.Hour)
}
