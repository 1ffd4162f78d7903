package quality

import (
	"math"
	"time"
)

// The steps of Echo.
const (
	// EchoStep is over which time a level is taken: short enough to follow syllables, whose shape is what comes back.
	EchoStep = 5 * time.Millisecond
	// echoLags is how long after it was said an echo is sought: 640 ms, in steps.
	echoLags = 128
	echoRing = 256 // a power of two
	// echoQuiet is what is no sound, in dBm0: a weaker echo hardly anybody hears.
	echoQuiet = -55
	// echoSaid is how loud must have been said what is listened after.
	echoSaid = -40
	// echoBelow is how much weaker than what was said an echo is at least, in dB: what is louder is somebody who talks.
	echoBelow = 4
	// echoSlow is how much of a level's slow part stays from step to step: what changes slower than 100 ms says little.
	echoSlow = 0.95
	// echoSteps make a look: 3 s in which there was something to listen after.
	echoSteps = 600
	// echoLooks is how many looks are taken before a pause of echoPause.
	echoLooks = 3
	echoPause = 45 * time.Second
	// echoAlike is how alike what is said and what comes back must be at the least (correlation), and echoBoth in two
	// looks together, which find it at the same distance in time: chance hardly reaches 0.3.
	echoAlike = 0.22
	echoBoth  = 0.66
	// echoSame is by how many steps two looks may differ.
	echoSame = 2
)

// Echo finds out whether what a party is told comes back from it, by the levels of both: their shape, not their
// waves, so that codecs, gaps and slow clocks do no harm. It looks for some seconds in a minute. The zero value is
// ready; it allocates nothing.
type Echo struct {
	sent   [echoRing]level // by step
	newest int64           // step of sent
	slow   [2]float32      // slow parts of what is sent and heard
	like   [echoLags]float32
	power  [2]float32
	steps  int
	looks  int
	series [echoLooks]sight
	rests  int64 // step until which it pauses

	matched bool // this series found one

	seen   int // series of at least two looks
	echoed int // of these, that found an echo
	lag    int
	loss   float64 // sum over echoed

	diff    [echoLags]float32
	counted [echoLags]int32
}

// sight is what a look saw.
type sight struct {
	lag   int
	alike float32
	loss  float64
}

// level is one step of what is sent.
type level struct {
	db    float32
	quick float32 // without its slow part
}

// Returned is an echo.
type Returned struct {
	Delay time.Duration // from what is sent to its return
	Loss  float64       // how much weaker it returns, in dB
}

// Idle reports that nothing is looked for at this step.
func (e *Echo) Idle(step int64) bool { return step < e.rests }

// Sent takes the level of one step of what is sent to the party, in dBm0.
func (e *Echo) Sent(step int64, db float32) {
	if step-e.newest > echoRing || step < e.newest-echoRing { // the first, or after a pause
		clear(e.sent[:])
	} else {
		for missing := e.newest + 1; missing < step; missing++ {
			e.sent[missing&(echoRing-1)] = level{}
		}
	}
	db = max(db, echoQuiet) - echoQuiet
	e.sent[step&(echoRing-1)] = level{db, e.quicken(0, db)}
	e.newest = max(e.newest, step)
}

// quicken takes the slow part out of a level.
func (e *Echo) quicken(which int, db float32) float32 {
	s := &e.slow[which]
	*s = echoSlow**s + (1-echoSlow)*db
	return db - *s
}

// Heard takes the level of one step of what comes from the party, in dBm0.
func (e *Echo) Heard(step int64, db float32) {
	db = max(db, echoQuiet) - echoQuiet
	quick := e.quicken(1, db)
	if e.newest-step > echoRing-echoLags || step-e.newest > echoLags {
		return // the two are too far apart to be compared
	}
	loudest := float32(0)
	for lag := range int64(echoLags) {
		loudest = max(loudest, e.at(step-lag).db)
	}
	if loudest < echoSaid-echoQuiet || db > loudest-echoBelow {
		return
	}
	var power float32
	for lag := range int64(echoLags) {
		s := e.at(step - lag)
		e.like[lag] += quick * s.quick
		power += s.quick * s.quick
		if s.db >= echoSaid-echoQuiet {
			e.diff[lag] += s.db - db
			e.counted[lag]++
		}
	}
	e.power[0] += power / echoLags
	e.power[1] += quick * quick
	if e.steps++; e.steps >= echoSteps {
		e.look(step)
	}
}

func (e *Echo) at(step int64) level {
	if step > e.newest || step <= e.newest-echoRing {
		return level{}
	}
	return e.sent[step&(echoRing-1)]
}

// look judges what was gathered, and begins anew.
func (e *Echo) look(step int64) {
	best := 0
	for lag := range echoLags {
		if e.like[lag] > e.like[best] {
			best = lag
		}
	}
	alike := e.like[best] / float32(math.Sqrt(float64(e.power[0]*e.power[1])+1e-9))
	now := sight{best, alike, float64(e.diff[best]) / float64(max(1, e.counted[best]))}
	clear(e.like[:])
	clear(e.diff[:])
	clear(e.counted[:])
	e.power, e.steps = [2]float32{}, 0
	e.compare(now)
	if e.looks++; e.looks == echoLooks {
		e.looks, e.rests, e.matched = 0, step+int64(echoPause/EchoStep), false
	}
}

// compare counts a series in which two looks saw the same.
func (e *Echo) compare(now sight) {
	e.series[e.looks] = now
	if e.looks == 1 {
		e.seen++
	}
	for _, was := range e.series[:e.looks] {
		near := now.lag-was.lag <= echoSame && was.lag-now.lag <= echoSame
		if near && !e.matched && min(now.alike, was.alike) >= echoAlike && now.alike+was.alike >= echoBoth {
			e.matched = true
			e.echoed++
			e.lag = now.lag
			e.loss += (now.loss + was.loss) / 2
		}
	}
}

// Returned tells of the echo that was found in at least half of all series.
func (e *Echo) Returned() (r Returned, ok bool) {
	if e.echoed == 0 || 2*e.echoed < e.seen {
		return Returned{}, false
	}
	return Returned{Delay: time.Duration(e.lag) * EchoStep, Loss: e.loss / float64(e.echoed)}, true
}

// Level is a mean square of 16-bit samples in dBm0 (ITU-T G.711: a sine of full scale is 3.14 dBm0).
func Level(meanSquare float64) float32 {
	const full = 32124.0 * 32124 / 2
	return float32(10*math.Log10(meanSquare/full+1e-12) + 3.14)
}
