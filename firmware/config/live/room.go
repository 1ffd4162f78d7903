package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// Room is a part of the box that follows the configuration.
type Room interface {
	Name() string
	// Commit takes the step from one valid configuration to another. It is also asked to take steps
	// back, from the new one to the old, after its own success or failure, so it must work from any
	// state in between. It should answer well within ctx and must not call Live.
	Commit(ctx context.Context, from, to *config.Config) (Outcome, error)
}

// Verifier is a Room that may refuse a configuration before anything is written. Its error is shown
// to the person who asked.
type Verifier interface {
	Verify(ctx context.Context, from, to *config.Config) error
}

// Outcome is how far a committed change reaches in one room.
type Outcome uint8

// The outcomes.
const (
	Unchanged    Outcome = iota // nothing for this room
	Applied                     // in force now
	AfterDrain                  // in force for new calls; calls that are up keep what they have
	NeedsRestart                // in the file; in force when prontod starts again
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Unchanged:
		return "unchanged"
	case Applied:
		return "applied"
	case AfterDrain:
		return "applied; calls that are up keep what they have"
	case NeedsRestart:
		return "needs a restart of prontod"
	default:
		return fmt.Sprintf("outcome %d", uint8(o))
	}
}

// Answer is what one room did with a change.
type Answer struct {
	Room    string
	Outcome Outcome
	Err     error // why it could not
	Undone  bool  // it was taken back, because a room failed
	UndoErr error // taking it back failed too: what this room does now is uncertain
}

// String is one line for a console.
func (a Answer) String() string {
	text := a.Room + ": " + a.Outcome.String()
	if a.Err != nil {
		text = a.Room + ": failed: " + a.Err.Error()
	}
	switch {
	case a.UndoErr != nil:
		return text + "; could not be taken back: " + a.UndoErr.Error()
	case a.Undone:
		return text + "; taken back"
	default:
		return text
	}
}

// Report tells what happened to a change.
type Report struct {
	Version int // under which the text is kept; 0 when nothing was changed
	At      time.Time
	Who     string
	Why     string
	Changes []config.Change
	Rooms   []Answer // in the order of commit
}

// NeedsRestart reports whether a part of the change waits for the next start.
func (r Report) NeedsRestart() bool {
	for _, a := range r.Rooms {
		if a.Outcome == NeedsRestart {
			return true
		}
	}
	return false
}

// String tells everything in lines for a console.
func (r Report) String() string {
	var b strings.Builder
	if r.Version > 0 {
		fmt.Fprintf(&b, "version %d\n", r.Version)
	}
	if len(r.Changes) == 0 {
		b.WriteString("no setting changed\n")
	}
	for _, c := range r.Changes {
		b.WriteString("  " + c.String() + "\n")
	}
	for _, a := range r.Rooms {
		if a.Outcome != Unchanged || a.Err != nil || a.Undone {
			b.WriteString(a.String() + "\n")
		}
	}
	return b.String()
}

// Errors that callers decide on. Mistakes in the text are config.Problems.
var (
	ErrClosed  = errors.New("the box is shutting down")
	ErrIdle    = errors.New("the box is still starting")
	ErrEdited  = errors.New("the file was changed by hand and not yet reloaded; reload it first, or it would be lost")
	ErrVersion = errors.New("no such version")
)

// Veto is the error of a change that rooms refused; nothing was changed.
type Veto struct {
	Rooms []Answer // those that refused, each with its Err
}

// Error lists the refusals, one a line.
func (v *Veto) Error() string {
	lines := make([]string, len(v.Rooms))
	for i, a := range v.Rooms {
		lines[i] = a.Room + ": " + a.Err.Error()
	}
	return strings.Join(lines, "\n")
}

// Failure is the error of a change that a room could not take into use; the others were taken back.
type Failure struct {
	Room string
	Err  error
	Undo error // what could not be taken back; nil = everything is as before
}

// Error names the room and whether all is as before.
func (f *Failure) Error() string {
	if f.Undo == nil {
		return fmt.Sprintf("%s: %v; everything is as before", f.Room, f.Err)
	}
	return fmt.Sprintf("%s: %v; and not everything could be taken back: %v; restart prontod", f.Room, f.Err, f.Undo)
}

// Unwrap returns the room's error.
func (f *Failure) Unwrap() error { return f.Err }
