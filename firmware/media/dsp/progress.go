package dsp

import (
	"math"
	"time"
)

// HangUpCycles is how many equal cadences in a row say that the far end is gone.
const HangUpCycles = 4

const (
	hop     = SampleRate / 100 // samples looked at together: 10 ms
	hopTime = 10 * time.Millisecond

	longestMiss = 3    // hops without its tone end a burst
	cleanHops   = 5.0  // of other sound that a pause may hold: clicks, and the edges of tones
	cleanPart   = 0.05 // and this part of it
	loudDrop    = 8.0  // a pause is quieter than its tone by this energy ratio (9 dB)
	steadyTone  = 2.5  // how much the energy of a burst of one tone may change (4 dB)

	tableTolerance = 0.15 // of a length against the table
	learnedFits    = 0.12 // against what was learned
	equalTolerance = 0.10 // of lengths against each other, for a hang-up
	leastTolerance = 2.0  // hops; a hop is the resolution

	silenceLevel  = -45.0 // dBm0
	silencePeriod = 10 * time.Second
	endlessHops   = 100 // a tone that lasts a second, and longer than each burst of its frequency
)

// ProgressEvent tells of one signal.
type ProgressEvent struct {
	Signal  Signal
	Cycles  int     // complete cadences in a row; of a tone without end its seconds; of silence periods of 10 s
	Over    bool    // it is heard no more: it stopped or changed into something else. Cycles is what it had
	HangUp  bool    // the far end is gone: the fourth equal cadence of a busy or congestion tone. Told once
	Learned bool    // the cadence is not the table's but this line's own
	Level   float64 // dBm0 of the newest burst
}

// Progress listens to what an exchange says on a line: signals by frequency and cadence. Each frequency
// set is a bank of Goertzel filters over hops of 10 ms; a burst counts when at least nine tenths of the
// energy above 200 Hz lie in its tones, and a cadence when the lengths fit and hardly anything else is
// heard in its pauses. One goroutine uses it; it does not allocate after NewProgress.
type Progress struct {
	bank     bank
	trackers []tracker
	sit      [3]int // tone sets of the special information tone; -1 for none
	sitAt    int    // how many of them were heard

	quiet highPass
	block [hop]float64
	at    int

	burst   burst
	gap     float64    // hops since the last burst ended
	last    float64    // its energy per hop
	dirt    float64    // hops of other sound in the pause
	dirty   bool       // too much of it: told to the trackers
	recent  [6]float64 // energies of the newest hops, newest last
	run     int        // newest hops in a row with the same tone
	runSet  int
	silence int // hops
	noise   int // loud hops in a row

	events [8]ProgressEvent
	n      int

	heard *[]heardBurst // where a Learner wants each burst noted
}

// heardBurst is one burst with the pause after it.
type heardBurst struct {
	onOff
	energy float64
	clean  bool
}

// burst is the tone that sounds.
type burst struct {
	on     bool
	set    int
	length float64 // hops
	energy float64 // per hop, steady
	missed int     // hops in a row without the tone
	gaps   int     // hops without it in all
	last   float64 // energy of the newest hop with it
	hz     float64 // of a single tone, the sum of what its hops measured
	hops   float64 // how many
}

// NewProgress listens for the signals of a network and for what was learned of the line, which has
// precedence where both would fit. Cadences without tone or length are left out.
func NewProgress(n Network, learned Learned) *Progress {
	p := &Progress{runSet: -1}
	for _, c := range learned.Cadences() {
		p.add(c, learnedFits, true)
	}
	for _, c := range n.Cadences {
		p.add(c, tableTolerance, false)
	}
	for i, hz := range n.Information {
		p.sit[i] = -1
		if hz > 0 {
			p.sit[i] = p.bank.add([2]float64{hz}, informationOff)
		}
	}
	for i := range p.trackers {
		t := &p.trackers[i]
		t.first, t.settled = p.ambiguous(i), p.settles(i)
		for j := range p.trackers {
			if o := &p.trackers[j]; p.bank.alike(o.set, t.set) && t.endless {
				for _, pair := range o.pairs {
					t.longest = max(t.longest, 1.2*pair.on)
				}
			}
		}
	}
	return p
}

func (p *Progress) add(c Cadence, tolerance float64, learned bool) {
	if c.Hz[0] <= 0 || len(c.OnOff) == 0 || !c.endless() && len(c.OnOff)%2 != 0 {
		return
	}
	t := tracker{signal: c.Signal, learned: learned, tolerance: tolerance, endless: c.endless(), pos: -1, longest: endlessHops}
	t.set = p.bank.add(c.Hz, toneOff)
	if t.set < 0 {
		return
	}
	for i := 0; i+1 < len(c.OnOff); i += 2 {
		t.pairs = append(t.pairs, onOff{float64(c.OnOff[i]) / float64(hopTime), float64(c.OnOff[i+1]) / float64(hopTime)})
	}
	p.trackers = append(p.trackers, t)
}

// ambiguous is how many cycles of a cadence must be heard before it is told: a single burst that another
// cadence has too says nothing.
func (p *Progress) ambiguous(i int) int {
	t := &p.trackers[i]
	if len(t.pairs) != 1 {
		return 1
	}
	if t.signal.ends() {
		return 2
	}
	for j := range p.trackers {
		if o := &p.trackers[j]; j != i && p.bank.alike(o.set, t.set) && o.signal != t.signal {
			for k := range o.pairs {
				if o.fits(k, t.pairs[0].on, t.pairs[0].off) {
					return 2
				}
			}
		}
	}
	return 1
}

// settles is how long the last pause of a cadence must be so that its last burst is not one of another.
func (p *Progress) settles(i int) (hops float64) {
	t := &p.trackers[i]
	for j := range p.trackers {
		o := &p.trackers[j]
		if j == i || !p.bank.alike(o.set, t.set) || len(t.pairs) == 0 {
			continue
		}
		for _, pair := range o.pairs {
			if last := t.pairs[len(t.pairs)-1]; o.near(last.on, pair.on) && pair.off < last.off/2 {
				hops = max(hops, pair.off+max(leastTolerance, o.tolerance*pair.off)+4)
			}
		}
	}
	return hops
}

// Process listens to the next sound, of any length, and returns what is now certain, in order. The slice
// is valid until the next call.
func (p *Progress) Process(pcm []int16) []ProgressEvent {
	p.n = 0
	for _, s := range pcm {
		p.block[p.at] = p.quiet.pass(float64(s))
		if p.at++; p.at == hop {
			p.at = 0
			p.look()
		}
	}
	return p.events[:p.n]
}

// Reset forgets what was heard, for the next call of the same line.
func (p *Progress) Reset() {
	for i := range p.trackers {
		p.trackers[i].reset()
	}
	p.bank.reset()
	*p = Progress{bank: p.bank, trackers: p.trackers, sit: p.sit, runSet: -1}
}

func (p *Progress) tell(e ProgressEvent) {
	if p.n < len(p.events) { // a frame of 20 ms can hold two edges
		p.events[p.n] = e
		p.n++
	}
}

// look judges one hop.
func (p *Progress) look() {
	var energy float64
	for _, v := range p.block {
		energy += v * v
	}
	copy(p.recent[:], p.recent[1:])
	p.recent[len(p.recent)-1] = energy
	follows := p.runSet
	if p.burst.on {
		follows = p.burst.set
	}
	set := p.bank.look(&p.block, energy, follows)
	p.silent(energy, set)
	if p.burst.on {
		p.sounds(set, energy)
	} else {
		p.pauses(set, energy)
	}
}

// silent counts silence, which a click does not end.
func (p *Progress) silent(energy float64, set int) {
	if energy < silenceHop {
		p.noise = 0
	} else if p.noise++; p.noise >= 3 || set >= 0 {
		p.silence = 0
		return
	}
	if p.silence++; time.Duration(p.silence)*hopTime%silencePeriod == 0 {
		p.tell(ProgressEvent{Signal: SignalSilence, Cycles: int(time.Duration(p.silence) * hopTime / silencePeriod), Level: Floor})
	}
}

// pauses takes a hop in which no burst is on.
func (p *Progress) pauses(set int, energy float64) {
	p.gap++
	if set < 0 || set != p.runSet {
		p.run, p.runSet = 0, set
	}
	if set >= 0 {
		if p.run++; p.run >= p.bank.sets[set].certain {
			p.begin(set, energy)
			return
		}
	} else if energy > max(silenceHop, p.last/loudDrop) {
		p.dirt++
	}
	if !p.dirty && p.dirt > cleanHops+cleanPart*p.gap {
		p.dirty = true
		p.stop()
	}
	if !p.dirty {
		for i := range p.trackers {
			t := &p.trackers[i]
			switch {
			case t.late(p.gap):
				p.over(t)
			case p.sounding(t) && t.early(&p.burst, p.gap):
				p.count(t)
			}
		}
	}
}

// begin starts a burst: its first hops, the oldest in part, were taken for pause.
func (p *Progress) begin(set int, energy float64) {
	length := 1.0
	for i := len(p.recent) - 2; i >= 0; i-- {
		part := min(1, p.recent[i]/energy)
		if part < 0.1 {
			break
		}
		length += part
	}
	length = min(length, p.gap, float64(p.bank.sets[set].certain+2))
	gap := p.gap - length
	if p.last > 0 {
		p.element(gap)
	}
	p.burst = burst{on: true, set: set, length: length, energy: energy, last: energy}
	p.run, p.gap, p.dirt, p.dirty = 0, 0, 0, false
}

// sounds takes a hop during a burst.
func (p *Progress) sounds(set int, energy float64) {
	b := &p.burst
	steady := p.bank.sets[b.set].pair || energy < b.energy*steadyTone
	if set == b.set && steady {
		b.length += 1 + float64(b.missed)
		b.gaps += b.missed
		b.missed = 0
		b.last = energy
		b.hz += p.bank.sets[set].hz
		b.hops++
		if energy > b.energy/steadyTone {
			b.energy += (energy - b.energy) / 8
		}
		p.lasts()
		return
	}
	b.missed++
	other := set >= 0 && set != b.set
	if b.missed < longestMiss && !(other && b.missed == 2) {
		return
	}
	p.end()
	if other {
		p.run, p.runSet = b.missed, set
	}
}

// lasts looks whether a burst is too long for a cadence, or long enough for a tone without end.
func (p *Progress) lasts() {
	b := &p.burst
	for i := range p.trackers {
		t := &p.trackers[i]
		switch {
		case !t.endless && p.sounding(t) && t.long(b.length):
			p.over(t)
		case t.endless && p.sounding(t) && b.length >= t.longest && b.length-t.told >= endlessHops && b.clean():
			t.told = b.length
			t.cycles++
			p.tell(t.event(p.level()))
		}
	}
}

// end finishes a burst.
func (p *Progress) end() {
	b := &p.burst
	more := 1.0 // a pair is certain only while it fills its window
	if !p.bank.sets[b.set].pair {
		// The newest hop with the tone, and the one after, held it in part.
		more = min(1, b.last/b.energy) - 1
		if after := p.recent[len(p.recent)-b.missed] / b.energy; after < 0.9 && after > 0.1 {
			more += after
		}
	}
	b.length += more
	b.on = false
	p.last = b.energy
	p.gap = float64(b.missed) - more
	p.run, p.runSet = 0, -1
	for i := range p.trackers {
		t := &p.trackers[i]
		if t.endless && p.sounding(t) {
			p.over(t)
		}
		if p.sounding(t) && t.early(b, p.gap) {
			p.count(t)
		}
	}
	p.information()
}

// element closes the last burst together with the pause after it: one more pair of a cadence.
func (p *Progress) element(gap float64) {
	b := &p.burst
	clean := !p.dirty && b.clean()
	if p.heard != nil {
		*p.heard = append(*p.heard, heardBurst{onOff{b.length, gap}, b.energy, clean})
	}
	for i := range p.trackers {
		t := &p.trackers[i]
		if t.endless {
			continue
		}
		took, cycle := t.take(b.length, gap, clean && p.sounding(t))
		if !took {
			p.over(t)
			took, cycle = t.take(b.length, gap, clean && p.sounding(t)) // it may be the first of another row
		}
		if took && cycle {
			p.count(t)
		}
	}
}

// count tells of a complete cadence.
func (p *Progress) count(t *tracker) {
	t.cycles++
	if t.cycles < t.first {
		return
	}
	if t.learned || !p.takenByLearned(t) {
		e := t.event(p.level())
		if t.signal.ends() && !t.gone && t.cycles >= HangUpCycles && t.equal() {
			t.gone, e.HangUp = true, true
		}
		t.said = true
		p.tell(e)
	}
}

// takenByLearned says that what was learned of the line explains the same bursts.
func (p *Progress) takenByLearned(t *tracker) bool {
	for i := range p.trackers {
		if o := &p.trackers[i]; o.learned && p.sounding(o) && o.signal == t.signal && o.cycles > 0 && o.matched > 0 {
			return true
		}
	}
	return false
}

// stop ends all cadences: something else is heard, or nothing.
func (p *Progress) stop() {
	for i := range p.trackers {
		p.over(&p.trackers[i])
	}
}

// over ends one cadence and tells so if it was told of.
func (p *Progress) over(t *tracker) {
	if t.said || t.endless && t.cycles > 0 {
		e := t.event(p.level())
		e.Over = true
		p.tell(e)
	}
	t.reset()
}

// sounding says that the newest burst has the tones of a cadence: single tones may be another's, as they
// may be off.
func (p *Progress) sounding(t *tracker) bool {
	b := &p.burst
	if t.set == b.set {
		return true
	}
	s, u := &p.bank.sets[t.set], &p.bank.sets[b.set]
	return b.hops > 0 && !s.pair && !u.pair && math.Abs(b.hz/b.hops-p.bank.tones[s.a].hz) <= s.off
}

// information follows the three tones of a special information tone.
func (p *Progress) information() {
	b := &p.burst
	fits := b.length >= 24 && b.length <= 44 && b.clean()
	switch {
	case fits && b.set == p.sit[p.sitAt]:
		p.sitAt++
	case fits && b.set == p.sit[0]:
		p.sitAt = 1
	default:
		p.sitAt = 0
	}
	if p.sitAt == len(p.sit) {
		p.sitAt = 0
		p.tell(ProgressEvent{Signal: SignalInformation, Cycles: 1, Level: p.level()})
	}
}

// level of the newest burst.
func (p *Progress) level() float64 { return decibels(p.burst.energy / hop) }

// clean says that a burst was hardly interrupted.
func (b *burst) clean() bool { return float64(b.gaps) <= 1+0.1*b.length }

// silenceHop is the energy of a hop at silenceLevel.
var silenceHop = math.Pow(Amplitude(silenceLevel), 2) / 2 * hop
