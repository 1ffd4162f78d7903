package quality

import "time"

const (
	// clockRate is the RTP clock of every codec of the house, in Hz.
	clockRate = 8000
	// Gmin is how many packets must arrive between two losses that are not of one burst (RFC 3611
	// section 4.7.2).
	Gmin = 16
	// decided is how far behind the newest a sequence number is when its loss is certain.
	decided = 32
	// playout is how late a packet may be for a phone's jitter buffer to play it still.
	playout = clockRate / 10
	// span is the time over which the fastest packet is sought, so that a new route is followed, and of
	// which each gives one point of the drift.
	span = 5 * time.Second
	// newRoute is a step of the fastest packet that is no drift.
	newRoute = clockRate / 50
	// restart is a jump of sequence numbers that begins a stream anew (RFC 3550 appendix A.1).
	restart = 3000
)

// Stream follows the packets of one sender, in the order of their arrival. The zero value is ready.
type Stream struct {
	started bool
	ssrc    uint32
	high    uint16
	seen    uint64 // bit i: high-i came in time
	filled  int    // how many bits are of this stream
	way     Way
	run     run
	timing  timing
}

// Way is how the packets of one direction fared.
type Way struct {
	Received   uint64 // all that came, those too late too
	Lost       uint64 // that never came
	Late       uint64 // that came later than a phone's jitter buffer waits: 100 ms after the fastest
	Reordered  uint64 // that came after a later one
	Duplicates uint64

	Bursts       uint64  // spans of much loss (RFC 3611 section 4.7.2), losses being those too late as well
	BurstLength  float64 // packets in a mean burst
	BurstDensity float64 // of the packets in bursts were lost, 0 to 1
	GapDensity   float64 // of the others
	BurstR       float64 // mean length of a loss against that of random losses (G.107 section 7.5)

	Jitter time.Duration // mean difference of the transit of two packets
	Drift  float64       // how much faster the sender's clock is than ours, in parts per million; 0: not known
	Looked uint64        // frames of which the loudness is known
	Loud   uint64        // of these, that were no silence
}

// Loss is the part of all packets, 0 to 1, that a listener did not hear.
func (w Way) Loss() float64 {
	if all := w.Received + w.Lost; all > 0 {
		return float64(w.Lost+w.Late) / float64(all)
	}
	return 0
}

// Packet takes one packet that arrived at now, counted from any instant. Timed says that the timestamp
// is that of its sound, which those of telephone-events are not.
func (s *Stream) Packet(ssrc uint32, seq uint16, ts uint32, timed bool, now time.Duration) {
	ahead := int16(seq - s.high)
	if !s.started || ssrc != s.ssrc || ahead > restart || ahead < -restart {
		s.flush()
		s.started, s.ssrc, s.high, s.seen, s.filled = true, ssrc, seq-1, 0, 0
		s.timing.begin()
		ahead = 1
	}
	behind := int(-ahead)
	switch {
	case ahead > 0:
		for range ahead {
			s.push()
		}
		s.high, behind = seq, 0
	case behind < s.filled && s.seen>>uint(behind)&1 != 0:
		s.way.Duplicates++
		return
	case behind >= s.filled && s.filled < decided:
		return // from before the first packet: nobody waited for it
	default:
		s.way.Reordered++
	}
	s.way.Received++
	if timed && s.timing.arrive(ts, now) || behind >= s.filled {
		s.way.Late++ // for the listener it is lost
	} else {
		s.seen |= 1 << uint(behind)
	}
}

// push makes room for the next sequence number and decides about the oldest.
func (s *Stream) push() {
	if s.filled >= decided {
		s.run.next(s.seen>>(decided-1)&1 != 0)
	}
	s.seen <<= 1
	s.filled = min(s.filled+1, decided)
}

// flush decides about all that is open.
func (s *Stream) flush() {
	for ; s.filled > 0; s.filled-- {
		s.run.next(s.seen>>uint(s.filled-1)&1 != 0)
	}
	s.run.close()
}

// Loudness takes what the sound of one frame is.
func (s *Stream) Loudness(loud bool) {
	s.way.Looked++
	if loud {
		s.way.Loud++
	}
}

// Way sums up the stream so far; the stream goes on.
func (s *Stream) Way() Way {
	c := *s
	c.flush()
	w, r := c.way, &c.run
	gone := r.allLost + r.lostAlone
	w.Lost = gone - min(gone, w.Late)
	w.Bursts = r.bursts
	all := r.packets
	if r.bursts > 0 {
		w.BurstLength = float64(r.burstPackets) / float64(r.bursts)
		w.BurstDensity = float64(r.allLost) / float64(r.burstPackets)
	}
	if gap := all - r.burstPackets; gap > 0 {
		w.GapDensity = float64(r.lostAlone) / float64(gap)
	}
	if r.losses > 0 && all > gone {
		w.BurstR = float64(gone) / float64(r.losses) * float64(all-gone) / float64(all)
	}
	w.Jitter, w.Drift = c.timing.jitter(), c.timing.drift()
	return w
}

// run divides a sequence of packets into bursts and gaps.
type run struct {
	packets      uint64
	losses       uint64 // runs of packets that were lost one after the other
	lastLost     bool
	lost, length uint64 // of the burst that may be going on, up to its last loss
	came         uint64 // since its last loss

	bursts, burstPackets uint64
	allLost              uint64 // in bursts
	lostAlone            uint64
}

func (r *run) next(came bool) {
	r.packets++
	if came {
		r.came++
		r.lastLost = false
		return
	}
	if !r.lastLost {
		r.losses++
	}
	r.lastLost = true
	if r.lost > 0 && r.came >= Gmin {
		r.close()
	}
	if r.lost > 0 {
		r.length += r.came
	}
	r.lost, r.length, r.came = r.lost+1, r.length+1, 0
}

func (r *run) close() {
	switch {
	case r.lost == 1:
		r.lostAlone++
	case r.lost > 1:
		r.bursts++
		r.burstPackets += r.length
		r.allLost += r.lost
	}
	r.lost, r.length, r.came = 0, 0, 0
}

// timing follows how long packets were on their way, up to a constant.
type timing struct {
	started       bool
	zero          uint32 // transit of the first packet: others are counted from it
	last          int32
	steps         uint64
	sum           uint64        // of the differences of two transits, in ticks
	least, before int32         // fastest transit of this span and of the one before
	ends          time.Duration // of this span
	full          bool          // a whole span has gone by
	n             float64       // points of the drift, and their sums
	x, y, xx, xy  float64
	previous      float64
}

func (t *timing) begin() { t.started = false }

// arrive takes a packet and reports whether it is too late to be played.
func (t *timing) arrive(ts uint32, now time.Duration) (late bool) {
	transit := uint32(now*clockRate/time.Second) - ts
	if !t.started {
		t.started, t.zero, t.last, t.least, t.before, t.ends, t.full = true, transit, 0, 0, 0, now+span, false
		t.n, t.x, t.y, t.xx, t.xy = 0, 0, 0, 0, 0
		return false
	}
	d := int32(transit - t.zero)
	if step := d - t.last; step > 3*clockRate || step < -3*clockRate { // the sender's clock was set
		t.started = false
		return t.arrive(ts, now)
	} else if step < 0 {
		t.sum += uint64(-step)
	} else {
		t.sum += uint64(step)
	}
	t.steps++
	t.last = d
	if now >= t.ends {
		t.turn(d, now)
	}
	t.least = min(t.least, d)
	return d-min(t.least, t.before) > playout
}

// turn begins the next span.
func (t *timing) turn(d int32, now time.Duration) {
	if y := float64(t.least); t.full && (y-t.previous > newRoute || t.previous-y > newRoute) {
		t.n, t.x, t.y, t.xx, t.xy = 0, 0, 0, 0, 0
	}
	x := float64(now) / float64(time.Second)
	t.previous, t.full = float64(t.least), true
	t.n, t.x, t.y, t.xx, t.xy = t.n+1, t.x+x, t.y+t.previous, t.xx+x*x, t.xy+x*t.previous
	t.before, t.least, t.ends = t.least, d, now+span
}

func (t *timing) jitter() time.Duration {
	if t.steps == 0 {
		return 0
	}
	return time.Duration(t.sum) * time.Second / clockRate / time.Duration(t.steps)
}

// driftPoints is how many spans make a drift certain.
const driftPoints = 4

// drift is the slope of the fastest transits: a faster sender's packets seem to travel ever faster.
func (t *timing) drift() float64 {
	d := t.n*t.xx - t.x*t.x
	if t.n < driftPoints || d == 0 {
		return 0
	}
	slope := (t.n*t.xy - t.x*t.y) / d // ticks a second
	return -slope / clockRate * 1e6
}
