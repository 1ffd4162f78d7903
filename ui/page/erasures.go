package page

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErasedPerson is somebody whom the box was told to forget.
type ErasedPerson struct {
	ID        string
	At        time.Time
	By, Why   string
	Alias     tel.Number // stands where the number stood
	Open      bool       // it is not completed yet
	Callbacks int        // and missed calls
	Messages  int        // in mailboxes
	Texts     int        // short messages
	// Recordings were deleted; Held of them were not, because somebody holds them as evidence.
	Recordings, Held int
}

// Found is what an erasure of a number would find.
type Found struct {
	Calls      int
	Recordings int
	Held       int  // of them, which stay
	Chosen     bool // the number is also in settings that people of the office have made
}

// Erasures is the page on which the owner has a person forgotten.
type Erasures struct {
	Reader   Reader
	Box      string
	Said     Said
	Number   string // as it was typed
	Why      string
	Sure     *Found // nil: it is not asked yet
	Erasures []ErasedPerson
}

// Erasures renders that page.
func (r *Renderer) Erasures(x Erasures, now time.Time) ([]byte, error) {
	return r.shell("erasures.html", "erasures", x.Box, x.Reader, x, now)
}
