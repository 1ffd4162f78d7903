package jitter

// All times here are ticks of the RTP clock: 8,000 per second for every codec of the house.
const (
	ticksPerMs = 8
	minTarget  = 40 * ticksPerMs
	maxTarget  = 120 * ticksPerMs

	binWidth = 5 * ticksPerMs
	bins     = 32 // up to 160 ms of lateness
	margin   = 10 * ticksPerMs

	// hopeless is a lateness that no target could wait for: such a packet belongs to a stall.
	hopeless = 200 * ticksPerMs
	// minWindow is how long the fastest packet is remembered, to follow clock skew and new routes.
	minWindow = 4 * 8000
	// stallLimit bounds a stall; what is still late after it is the new normal.
	stallLimit = 2 * 8000
)

// timing learns from arrivals how long to wait. A packet's transit is its arrival less its
// timestamp; the fastest transit of the last seconds is the origin, lateness is counted from it.
type timing struct {
	started    bool
	fast       int64 // fastest transit of this window and the one before
	fastBefore int64
	fastNow    int64
	windowEnd  int64

	weight [bins]float32 // share of packets per lateness, old ones forgotten
	target int64

	stalledUntil int64 // while in a stall nothing is learned

	lastTransit int64
	jitter      float64 // RFC 3550 section 6.4.1, in ticks
}

// arrive learns from a packet with unwrapped timestamp ts at now.
func (t *timing) arrive(ts, now int64) {
	transit := now - ts
	if !t.started {
		*t = timing{started: true, target: 60 * ticksPerMs}
		t.rebase(transit, now)
		t.weight[(t.target-margin)/binWidth] = 1 // until experience outweighs it
	}
	if now >= t.windowEnd {
		t.fastBefore, t.fastNow, t.windowEnd = t.fastNow, transit, now+minWindow
	}
	t.fastNow = min(t.fastNow, transit)
	t.fast = min(t.fastBefore, t.fastNow)

	d := transit - t.lastTransit
	t.lastTransit = transit
	if d < 0 {
		d = -d
	}
	late := transit - t.fast
	if t.stalled(late, now) {
		return
	}
	t.jitter += (float64(d) - t.jitter) / 16
	t.learn(late)
}

// rebase makes transit the origin and keeps what is known of the jitter.
func (t *timing) rebase(transit, now int64) {
	t.fast, t.fastBefore, t.fastNow, t.windowEnd = transit, transit, transit, now+minWindow
	t.lastTransit, t.stalledUntil = transit, 0
}

// stalled reports whether the packet belongs to a stall: from the first hopeless packet until one
// comes nearly on time. A stall says nothing about the jitter to prepare for.
func (t *timing) stalled(late, now int64) bool {
	if t.stalledUntil == 0 {
		if late < hopeless {
			return false
		}
		t.stalledUntil = now + stallLimit
		return true
	}
	if late < 20*ticksPerMs || now >= t.stalledUntil {
		t.stalledUntil = 0
		return false
	}
	return true
}

// learn moves the target to where 97 of 100 packets are in time.
func (t *timing) learn(late int64) {
	const forget, quantile = 0.005, 0.97 // half of what is known is from the last 140 packets
	for i := range t.weight {
		t.weight[i] *= 1 - forget
	}
	t.weight[min(late/binWidth, bins-1)] += forget
	var sum float32
	bin := 0
	for ; bin < bins-1; bin++ {
		if sum += t.weight[bin]; sum >= quantile {
			break
		}
	}
	t.target = max(minTarget, min(maxTarget, int64(bin+1)*binWidth+margin))
}
