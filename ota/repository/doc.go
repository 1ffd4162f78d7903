// Package repository is the vendor's side of updates: a directory with signed metadata, manifests and parts that any
// web server can hand out (The Update Framework, specification 1.0.33, with consistent snapshots).
//
// Who holds which keys decides what a theft costs. root (two of three, kept off line) says whose the other keys are.
// targets (two of three, off line) says who may release in which channel. stable, beta and security have a key each, in
// the hands of those who release. snapshot and timestamp sign every day without anybody at hand; with both of their
// keys a thief can hide releases for two weeks, and make none.
package repository

import "time"

// The roles.
const (
	Root      = "root"
	Targets   = "targets"
	Stable    = "stable"
	Beta      = "beta"
	Security  = "security"
	Snapshot  = "snapshot"
	Timestamp = "timestamp"
)

// Channels lists the roles that release.
func Channels() []string { return []string{Stable, Beta, Security} }

// Rule is what a role is made of.
type Rule struct {
	Role      string
	Keys      int           // how many there are
	Threshold int           // how many of them have to sign
	Lifetime  time.Duration // of a signature; another one is due when a third of it is left
}

const days = 24 * time.Hour

// Rules lists the roles, in the order in which they are signed: the last makes the rest visible.
func Rules() []Rule {
	return []Rule{
		{Root, 3, 2, 730 * days},
		{Targets, 3, 2, 365 * days},
		{Stable, 1, 1, 180 * days},
		{Beta, 1, 1, 180 * days},
		{Security, 1, 1, 180 * days},
		{Snapshot, 1, 1, 14 * days},
		{Timestamp, 1, 1, 14 * days},
	}
}

func ruleOf(role string) (Rule, bool) {
	for _, r := range Rules() {
		if r.Role == role {
			return r, true
		}
	}
	return Rule{}, false
}
