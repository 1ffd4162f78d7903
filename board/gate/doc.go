// Package gate is the way of the other programs to the first one of their box: HTTP with JSON on a unix socket, on
// which the first program knows by the kernel who asks (unix(7), SO_PEERCRED). The exchange is told how the network
// stands, may change it on trial, and end the box. The updater is told what lies in the two slots, and may have the
// other one started on trial, keep it or leave it.
package gate

import (
	"net/netip"
	"time"
)

// Path is where the socket lies on a box.
const Path = "/run/gate.sock"

// Network is how it stands with the network.
type Network struct {
	Interface string       `json:"interface"` // empty: there is none yet
	Address   netip.Prefix `json:"address"`   // in use; invalid: none
	Router    netip.Addr   `json:"router"`
	DNS       []netip.Addr `json:"dns,omitempty"`
	Offered   []netip.Addr `json:"offered,omitempty"` // servers of the time that the network offers
	Host      string       `json:"host"`              // name of the box
	Synced    bool         `json:"synced"`            // a server has told the time since the start
	TimeFrom  string       `json:"time_from"`         // which one told it last; empty: none

	Held   Choice        `json:"held"` // confirmed
	Trial  *Choice       `json:"trial,omitempty"`
	Left   time.Duration `json:"left,omitempty"`   // of the trial, in nanoseconds
	Undone string        `json:"undone,omitempty"` // why the last trial was taken back: not_confirmed, restarted, given_up
	Lost   *Choice       `json:"lost,omitempty"`   // what was taken back
	LostAt time.Time     `json:"lost_at,omitzero"`
}

// Choice is what the owner wants of the network.
type Choice struct {
	Address netip.Prefix `json:"address"` // invalid: ask for one
	Router  netip.Addr   `json:"router"`  // with Address; invalid: none
	DNS     []netip.Addr `json:"dns,omitempty"`
	NTP     []string     `json:"ntp,omitempty"`
	Host    string       `json:"host,omitempty"` // empty: the one of the label; holds from the next start on
}

// Kill is how often the kernel has ended a program because it wanted more memory than it may have.
type Kill struct {
	Program string    `json:"program"` // its service: prontod, recordd, otad
	Times   int       `json:"times"`
	Last    time.Time `json:"last"`
	Helper  bool      `json:"helper"` // it was not the program itself, but one that it had started
}

// Refused is a refusal of the first program: one of the codes, and words for the log.
type Refused struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Error implements error.
func (r *Refused) Error() string { return r.Text }

// The codes of refusals.
const (
	CodeTrial    = "trial"    // another change waits to be confirmed
	CodeNoTrial  = "no_trial" // none does, with this token
	CodeTaken    = "taken"    // another machine has this address
	CodeNoCable  = "no_cable" // there is no interface yet
	CodeMistaken = "mistaken" // the choice cannot work
	CodeFailed   = "failed"   // the disk or the kernel did not do it
)

const (
	bodyLimit   = 16 << 10
	answerLimit = 256 << 10
	tryFor      = 20 * time.Second // asking by ARP takes some seven
	quick       = 5 * time.Second
)
