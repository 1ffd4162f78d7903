// Package watchdog decides whether a box deserves to live and tells its hardware. Only the first program of
// the box opens the device: a box whose exchange does not come back by itself is reset, which is the last
// thing that can help it.
package watchdog

import "time"

// Seen is what the supervisor sees of the exchange at one moment.
type Seen struct {
	Running  bool // it is ready, and gives signs of life
	Finished bool // it asked not to be started again: another start changes nothing, nor does a reset
	Restarts int  // since the box started
}

// Limits of the rule.
const (
	// Settle is how long the exchange must run without a break before it counts as well. One that hangs again
	// and again runs for some seconds between.
	Settle = time.Minute
	// Patience is how long it may be unwell.
	Patience = 4 * time.Minute
)

// Health is what is remembered between two looks. The zero value is a box that has just started.
type Health struct {
	restarts int
	running  time.Duration // since when without a break; meaningful while up
	up       bool
	unwell   time.Duration // since when
	well     bool
}

// Well tells whether the exchange has run for Settle without a break.
func (h Health) Well() bool { return h.well }

// Next takes what is seen at now, the time since the box started, and tells whether the hardware is to be
// told that the box lives.
func Next(h Health, now time.Duration, s Seen) (Health, bool) {
	broken := !s.Running || s.Restarts != h.restarts
	h.restarts = s.Restarts
	switch {
	case broken:
		if h.well {
			h.well, h.unwell = false, now
		}
		h.up, h.running = s.Running, now
	case !h.up:
		h.up, h.running = true, now
	case now-h.running >= Settle:
		h.well = true
	}
	return h, h.well || s.Finished || now-h.unwell < Patience
}
