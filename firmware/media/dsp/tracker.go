package dsp

import "math"

// onOff is a burst and the pause after it, in hops.
type onOff struct{ on, off float64 }

// tracker follows one cadence through the bursts that are heard.
type tracker struct {
	signal    Signal
	learned   bool
	set       int
	pairs     []onOff
	tolerance float64
	endless   bool
	first     int     // cycles before it is told
	longest   float64 // of a tone without end: the least hops that say so
	settled   float64 // hops of the last pause after which its last burst is no other cadence's

	pos     int // the pair that comes next; -1 before the first
	matched int // pairs in a row
	cycles  int
	counted bool // the cycle was counted at the end of its last burst
	said    bool
	gone    bool    // the hang-up was told
	told    float64 // hops of a tone without end when it was last told
	seen    [HangUpCycles]onOff
}

func (t *tracker) reset() {
	t.pos, t.matched, t.cycles, t.counted, t.said, t.gone, t.told = -1, 0, 0, false, false, false, 0
}

func (t *tracker) event(level float64) ProgressEvent {
	return ProgressEvent{Signal: t.signal, Cycles: t.cycles, Learned: t.learned, Level: level}
}

// near compares a length with what it should be.
func (t *tracker) near(length, want float64) bool {
	return math.Abs(length-want) <= max(leastTolerance, t.tolerance*want)
}

func (t *tracker) fits(pair int, on, off float64) bool {
	return t.near(on, t.pairs[pair].on) && t.near(off, t.pairs[pair].off)
}

// take adds a burst and its pause, clean if they hold the cadence's tones and hardly anything else. It returns whether they fit what should come, or may begin the
// cadence, and whether a cycle is now complete.
func (t *tracker) take(on, off float64, clean bool) (took, cycle bool) {
	if !clean {
		return t.pos < 0, false
	}
	if t.pos < 0 {
		for i := range t.pairs {
			if t.fits(i, on, off) {
				t.pos = i
				break
			}
		}
		if t.pos < 0 {
			return true, false
		}
	} else if !t.fits(t.pos, on, off) {
		return false, false
	}
	if len(t.pairs) == 1 {
		t.seen[t.matched%HangUpCycles] = onOff{on, off}
	}
	t.matched++
	t.pos = (t.pos + 1) % len(t.pairs)
	cycle = t.matched%len(t.pairs) == 0 && !t.counted
	if t.matched%len(t.pairs) == 0 {
		t.counted = false
	}
	return true, cycle
}

// early says that a cadence of several bursts is complete but for the rest of its long last pause, which
// in a conversation is full of talk.
func (t *tracker) early(b *burst, gap float64) bool {
	n := len(t.pairs)
	if n < 2 || t.pos != n-1 || t.matched%n != n-1 || t.counted || gap < t.settled ||
		!b.clean() || !t.near(b.length, t.pairs[n-1].on) {
		return false
	}
	t.counted = true
	return true
}

// late says that the burst that should have come did not.
func (t *tracker) late(gap float64) bool {
	if t.endless || t.pos < 0 {
		return false
	}
	want := t.pairs[t.pos].off                                // of the pair whose burst is over
	return gap > want+max(leastTolerance, t.tolerance*want)+4 // a burst is certain after its first hops
}

// long says that a burst is longer than the cadence allows.
func (t *tracker) long(length float64) bool {
	if t.pos < 0 {
		return false
	}
	want := t.pairs[t.pos].on
	return length > want+max(leastTolerance, t.tolerance*want)+1
}

// equal says that the last cadences resemble each other, not only the table.
func (t *tracker) equal() bool {
	var on, off float64
	for _, s := range t.seen {
		on += s.on / HangUpCycles
		off += s.off / HangUpCycles
	}
	for _, s := range t.seen {
		if math.Abs(s.on-on) > max(leastTolerance, equalTolerance*on) || math.Abs(s.off-off) > max(leastTolerance, equalTolerance*off) {
			return false
		}
	}
	return true
}
