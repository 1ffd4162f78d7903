// Package starts counts the starts of a box that came to nothing, so that after a few of them its other slot starts in
// the place of the one that does not work, and its recovery system when that does not work either.
//
// A power cut leaves the same traces as a hang. So only two things count: a start that was over before the
// exchange was ready, which takes seconds, and one that the box itself gave up.
package starts

import (
	"errors"
	"io/fs"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// File is where the count lies below the directory of the data.
const File = "starts.json"

const version = 1

// Most is how many starts may come to nothing, one after the other.
const Most = 3

// Count is what is remembered from one start to the next. The zero value is a box that works.
type Count struct {
	Unready int `json:"unready"`  // starts that were over before the exchange was ready
	GivenUp int `json:"given_up"` // starts in which it was ready and did not stay well
	// Fell tells that the slots changed places because the other one failed, and that this one has not stayed well since.
	Fell bool `json:"fell,omitempty"`
}

// Failed is how many starts came to nothing, one after the other.
func (c Count) Failed() int { return c.Unready + c.GivenUp }

// Begun counts a start as one that comes to nothing, until Ready says otherwise. over tells that something else should
// start instead: the other slot, unless that has failed already, or else the recovery system; the start after that one
// is tried again, once.
func (c Count) Begun() (next Count, over bool) {
	if c.Failed() >= Most {
		return Count{Unready: Most - 1, Fell: c.Fell}, true
	}
	c.Unready++
	return c, false
}

// Fall is the count when the other slot is chosen instead: it has as many starts as any.
func (c Count) Fall() Count { return Count{Fell: true} }

// Ready is the count when the exchange is ready.
func (c Count) Ready() Count { c.Unready = 0; return c }

// GaveUp is the count when the box gives this start up.
func (c Count) GaveUp() Count { c.GivenUp++; return c }

// Well is the count when the exchange has stayed well.
func (c Count) Well() Count { return Count{} }

// Load reads the count; of a file that is not there or damaged it is zero.
func Load(path string) (c Count, err error) {
	err = statefile.Load(path, version, &c)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Count{}, nil
	case err != nil || c.Unready < 0 || c.GivenUp < 0:
		return Count{}, err
	}
	return c, nil
}

// Save writes the count, safe from a power cut.
func Save(path string, c Count) error { return statefile.Save(path, version, c) }
