// Package settings is the page's way to the configuration that runs: what it asks of the box, and what it is told.
package settings

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Port is that way. A page never writes a file: it proposes, and is told what
// came of it.
type Port struct {
	// Current is the configuration in force; never to be changed.
	Current func() *config.Config
	// Apply makes an edit of a copy of it the configuration in force, or changes nothing; then it says why.
	Apply func(ctx context.Context, edit func(*config.Config), by By, why string) (Applied, Refusal, error)
	// Versions are the configurations of the past, the one in force first.
	Versions func(ctx context.Context) ([]Version, error)
	// Restore makes an old one the configuration in force.
	Restore func(ctx context.Context, number int, by By) (Applied, Refusal, error)
	// File tells how the file stands to what is in force.
	File func(ctx context.Context) (File, error)
	// Reload takes into force what somebody wrote into the file by hand.
	Reload func(ctx context.Context, by By) (Applied, Refusal, error)
	// Discard writes what is in force over it.
	Discard func(ctx context.Context, by By) error
	// Probe asks the running box about what was changed.
	Probe func(ctx context.Context, changes []config.Change) []page.Finding
	// Lines tells how the trunks ("trunk:ID") and lines ("line:ID") stand.
	Lines func() map[string]tel.LineChanged
	// Audit is who did what on the page, the newest first, at most so many.
	Audit func(most int) ([]tel.PageAccessed, error)
}

// By is who changes something, for the history and the audit log.
type By struct {
	User string
	From string // address
}

// Applied is a change that is in force.
type Applied struct {
	Version int // under which it is kept; 0: nothing was changed
	Changes []config.Change
	Restart bool // a part of it waits for the next start
	Drain   bool // calls that are up keep what they have
}

// Refusal is why a change is not in force: a sentence of the catalogue, and the words of the log. Zero: it is.
type Refusal struct {
	Sentence string
	Detail   string
}

// Version is a configuration of the past.
type Version struct {
	page.Kept
	// Parse reads it; an error when the program of today cannot.
	Parse func() (config.Config, error)
}

// File is how the file stands to the configuration in force.
type File struct {
	Path     string
	Edited   bool // somebody wrote into it by hand
	Problems config.Problems
}
