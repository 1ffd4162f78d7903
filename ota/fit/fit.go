// Package fit is the health check of a box that has started a new release on trial: what is looked at, and by which
// rules a release is kept or given up. It is pure; package exam looks, package selfcall makes the call.
//
// Everything that can give a release up is inside of the box. What depends on the world outside (a carrier that lets
// our lines in) delays the verdict and is told, and never decides it: a cable that is out at the wrong moment would
// send good releases back for ever.
package fit

import "time"

// Busy is who would notice a restart.
type Busy struct {
	Calls     int `json:"calls"`     // that are up, ring, wait or talk to a menu; a call of the health check is none
	Emergency int `json:"emergency"` // of Calls
	Waiting   int `json:"waiting"`   // callers in queues, who are in Calls too
}

// Quiet reports that nobody would.
func (b Busy) Quiet() bool { return b == Busy{} }

// Counts is what an office consists of. A release that has lost some of it does not read its configuration.
type Counts struct {
	People int    `json:"people"`
	Lines  int    `json:"lines"` // modems and analog lines
	Queues int    `json:"queues"`
	Trunks Trunks `json:"trunks"`
}

// Trunks are the accounts with carriers.
type Trunks struct {
	Up int `json:"up"` // let in by their carriers now
	Of int `json:"of"` // in the configuration, switched on
}

// Exchange is how the exchange says that it is.
type Exchange struct {
	Version string        `json:"version"`
	Up      time.Duration `json:"up"`     // since its process began, in nanoseconds
	Link    bool          `json:"link"`   // some network has a carrier on its cable
	Memory  int64         `json:"memory"` // resident bytes
	Limit   int64         `json:"limit"`  // of Memory; 0: there is none
	Pages   []string      `json:"pages"`  // where the page answers on this machine
	Zone    string        `json:"zone"`   // of the clock on the office's wall, as IANA names it
	Busy
	Counts
}

// The names of checks.
const (
	CheckExchange = "exchange" // answers, is of the release on trial, has run for long enough without a break
	CheckConfig   = "config"   // the owner's file is in force, and not an earlier one
	CheckCounts   = "counts"   // as many people, lines, queues and trunks as before
	CheckJournal  = "journal"  // a record is on the disk
	CheckStore    = "store"    // a record is in the store, synced
	CheckSockets  = "sockets"  // SIP and the page are bound where the configuration says
	CheckPage     = "page"     // the page answers
	CheckCall     = "call"     // a call hears itself, and ends
	CheckMemory   = "memory"   // is below its limit
	CheckTrunks   = "trunks"   // as many are up as before; only told
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Words string `json:"words,omitempty"` // what is wrong, in English, for who reads logs
}

// Report is the verdict.
type Report struct {
	Version string  `json:"version"` // of the exchange that was looked at
	Fit     bool    `json:"fit"`
	Checks  []Check `json:"checks"`
}

// Failed is the first check that is not well; what would only have been told comes last. ok is false where there is none.
func (r Report) Failed() (c Check, ok bool) {
	if c, ok := r.amiss(); ok {
		return c, true
	}
	for _, c := range r.Checks {
		if !c.OK {
			return c, true
		}
	}
	return Check{}, false
}

// amiss is the first check that speaks against a release.
func (r Report) amiss() (c Check, ok bool) {
	for _, c := range r.Checks {
		if !c.OK && c.Name != CheckTrunks {
			return c, true
		}
	}
	return Check{}, false
}
