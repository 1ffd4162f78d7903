package rollout

import "time"

// How often a box asks for releases.
const (
	every   = 6 * time.Hour
	soonest = 15 * time.Minute // after an error; twice as long after each further one
	starts  = 10 * time.Minute // within which a box that has just started asks
)

// Next is how long to wait before the next poll: six hours give or take half of them, or less after errors, of which
// failures have come in a row. draw is a random number from 0 to 1, so that boxes ask at any time: not at the full
// hour, and not all together when a server is back.
func Next(failures int, draw float64) time.Duration {
	wait := every
	if failures > 0 {
		wait = min(every, soonest<<min(failures-1, 10))
	}
	return jittered(wait, draw)
}

// First is how long a box waits after its start.
func First(draw float64) time.Duration {
	return time.Minute + time.Duration(float64(starts)*unit(draw))
}

// jittered is a time give or take half of it.
func jittered(wait time.Duration, draw float64) time.Duration {
	return wait/2 + time.Duration(float64(wait)*unit(draw))
}

// unit keeps a draw between 0 and 1.
func unit(draw float64) float64 {
	if !(draw > 0) { // not a number either
		return 0
	}
	return min(draw, 1)
}
