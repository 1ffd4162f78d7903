// Package retention tells by which moment ages are counted where something is deleted for its age. A wall clock that
// jumps by years (a flat battery, a mistyped date, a false time server) would delete every recording at once, and no
// correction brings them back; so the clock is believed only as fast as time can be told to pass.
package retention

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// Pace is how many times faster than the box runs things may grow old. A box that was off for a weekend catches up in
// three hours; a clock that is ten years ahead deletes what may lie for 90 days after four days, in which the page asks
// somebody to look at it.
const Pace = 24

const (
	fileVersion = 1
	saveEvery   = time.Hour // so much of what was caught up a kill may take back
	youth       = time.Hour // a new box has nothing to lose yet, and its clock is set in its first minutes
)

// Clock counts ages. Its methods are safe from any goroutine and may wait for the disk.
type Clock struct {
	path string
	log  *slog.Logger
	time func() time.Time // with a monotonic reading

	mu      sync.Mutex    // guards all below
	settled time.Time     // the newest moment that is believed
	at      time.Time     // when it was looked at last
	saved   time.Time     // what the disk knows
	young   time.Duration // for which the wall clock is believed whatever it says
	failed  bool
}

// kept is what outlives the process.
type kept struct {
	Settled time.Time `json:"settled"`
}

// Open reads what an earlier process believed from a file. Where there is none, or it is damaged, the clock is believed
// from newest on, the newest moment that anything else on the disk tells of. Where nothing does, the box is new and
// its clock is believed for its first hour, whatever it says.
func Open(path string, newest time.Time, log *slog.Logger) *Clock {
	return open(path, newest, log, time.Now)
}

func open(path string, newest time.Time, log *slog.Logger, clock func() time.Time) *Clock {
	c := &Clock{path: path, log: log, time: clock, settled: newest}
	c.at = clock()
	var k kept
	switch err := statefile.Load(path, fileVersion, &k); {
	case err == nil:
		c.settled, c.saved = k.Settled, k.Settled
	case !errors.Is(err, fs.ErrNotExist):
		log.Warn("what was believed of the clock is lost", "err", err)
	}
	if c.settled.IsZero() {
		c.young = youth
	}
	return c
}

// Now is the moment by which ages are counted: never later than the wall clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := c.look()
	if c.settled.Before(wall) {
		return c.settled
	}
	return wall
}

// Doubt is by how much the wall clock is ahead of what is believed of it; zero when it is believed.
func (c *Clock) Doubt() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, c.look().Sub(c.settled))
}

// look catches up with the wall clock and returns it.
func (c *Clock) look() (wall time.Time) {
	now := c.time()
	wall = now.Round(0)
	if c.young > 0 {
		c.young -= now.Sub(c.at)
		c.settled, c.at = wall, now
		return wall
	}
	c.settled = settle(c.settled, wall, now.Sub(c.at))
	c.at = now
	if c.settled.Sub(c.saved) >= saveEvery {
		c.save()
	}
	return wall
}

// settle is the moment that is believed after the box ran for so long: the wall clock, but for what it is ahead. It
// never goes back, so that a box that begins each day in 1970 does not begin its ages anew.
func settle(settled, wall time.Time, ran time.Duration) time.Time {
	limit := settled.Add(Pace * max(0, ran))
	switch {
	case !wall.After(settled):
		return settled
	case wall.Before(limit):
		return wall
	default:
		return limit
	}
}

// save is called with mu held. What cannot be saved holds until the restart.
func (c *Clock) save() {
	err := statefile.Save(c.path, fileVersion, kept{c.settled})
	if err == nil {
		c.saved = c.settled
	} else if !c.failed {
		c.log.Warn("what is believed of the clock cannot be saved", "err", err)
	}
	c.failed = err != nil
}

// Close saves what is believed.
func (c *Clock) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	if c.young <= 0 && !c.settled.Equal(c.saved) {
		c.save()
	}
}
