// Package rollout is the policy of a box about releases: whether it is among those that take one already, and whether
// it may restart into it now; if not, what it waits for. It is pure.
package rollout

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/pronto-pbx/pronto/ota/release"
)

// places is how finely boxes are told apart: a hundredth of a percent.
const places = 10_000

// Place draws a number from 0 to 9,999, always the same for one box and one salt, and evenly spread over boxes.
func Place(salt, id string) int {
	sum := sha256.Sum256([]byte(salt + "|" + id))
	return int(binary.BigEndian.Uint32(sum[:4]) % places)
}

// Share is the percentage of boxes that a rollout wants at a moment: it grows evenly over the ramp, from Start on.
func Share(r release.Rollout, now time.Time) float64 {
	gone := now.Sub(r.Start)
	switch {
	case gone < 0: // a zero start is long ago
		return 0
	case r.Ramp <= 0 || gone >= r.Ramp:
		return r.Percent
	}
	return r.Percent * (float64(gone) / float64(r.Ramp))
}

// Includes says whether a box is among those that a rollout wants at a moment. Whoever is in stays in while the
// percentage grows.
func Includes(r release.Rollout, id string, now time.Time) bool {
	return float64(Place(r.Salt, id)) < Share(r, now)*places/100
}

// Started says whether any box may take the release yet.
func Started(m release.Manifest, now time.Time) bool { return !now.Before(m.NotUntil) }
