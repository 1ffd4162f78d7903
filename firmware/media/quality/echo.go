package quality

import (
	"math"
	"time"
)

// The steps of Echo.
const (
	// EchoStep is over which time a level is taken: short enough to follow syllables, whose shape is what comes back.
	EchoStep = 10 * time.Millisecond
	// echoLags is how long after it was said an echo is sought: 640 ms, in steps.
	echoLags = 64
	echoRing = 128 // a power of two
	// echoQuiet is what is no sound, in dBm0: a weaker echo hardly anybody hears.
	echoQuiet = -55
	// echoSaid is how loud must have been said what is listened after.
	echoSaid = -40
	// echoBelow is how much weaker than what was said an echo is at least, in dB: what is louder is somebody who talks.
	echoBelow = 4
	// echoAhead is by how many steps what is heard may come before what was sent at the same time.
	echoAhead = 16
	// echoSinks is by how much the loudest of what was said sinks in a step, in dB: 25 in the time of all lags.
	echoSinks = 0.4
	// echoSlow is how much of a level's slow part stays from step to step: what changes slower than 100 ms says little.
	echoSlow = 0.9
	// echoSteps make a look: 3 s in which there was something to listen after.
	echoSteps = 300
	// echoLooks is how many looks are taken before a pause of echoPause.
	echoLooks = 3
	echoPause = 45 * time.Second
	// echoAlike is how alike what is said and what comes back must be at the least (correlation), and echoBoth in two
	// looks together, which find it at the same distance in time: chance hardly reaches 0.3.
	echoAlike = 0.22
	echoBoth  = 0.72
	// echoSample is of how many steps one is taken for the sums that change slowly.
	echoSample = 2
	// echoSame is by how many steps two looks may differ.
	echoSame = 1
)

// Echo finds out whether what a party is told comes back from it, by the levels of both: their shape, not their
// waves, so that codecs, gaps and slow clocks do no harm. It looks for some seconds in a minute. The zero value is
// ready; it allocates nothing.
type Echo struct {
	sent   [2 * echoRing]float32 // levels over echoQuiet, by step; twice, so that each stretch lies in a row
	quick  [2 * echoRing]float32 // the same without their slow part
	peak   float32               // the loudest of late, sinking
	newest int64                 // step of sent
	slow   [2]float32            // slow parts of what is sent and heard
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
		clear(e.quick[:])
		e.newest = step
	}
	for e.newest+1 < step {
		e.newest++
		e.put(e.newest, 0, 0)
	}
	e.newest = max(e.newest, step)
	db = max(db, echoQuiet) - echoQuiet
	e.peak = max(e.peak-echoSinks, db)
	e.put(step, db, e.quicken(0, db))
}

func (e *Echo) put(step int64, db, quick float32) {
	i := step & (echoRing - 1)
	e.sent[i], e.sent[i+echoRing], e.quick[i], e.quick[i+echoRing] = db, db, quick, quick
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
	if e.newest-step > echoRing-echoLags || step-e.newest > echoAhead {
		return // the two are too far apart to be compared
	}
	for e.newest < step { // what is said meanwhile has not come yet
		e.newest++
		e.put(e.newest, 0, 0)
	}
	if e.peak < echoSaid-echoQuiet || db > e.peak-echoBelow {
		return
	}
	// Of the steps up to this one the oldest comes first: like[i] is of the lag echoLags-1-i.
	from := (step - echoLags + 1) & (echoRing - 1)
	row := (*[echoLags]float32)(e.quick[from:])
	for i := 0; i < echoLags; i += 4 { // four at once: half of what this costs are the turns of the loop
		a, b := (*[4]float32)(e.like[i:]), (*[4]float32)(row[i:])
		a[0] += quick * b[0]
		a[1] += quick * b[1]
		a[2] += quick * b[2]
		a[3] += quick * b[3]
	}
	if e.steps%echoSample == 0 { // a sample of these is enough
		e.sample(row, from, db)
	}
	e.power[1] += quick * quick
	if e.steps++; e.steps >= echoSteps {
		e.look(step)
	}
}

// sample takes what need not be taken at each step: the power of what was said, and by how much it was louder.
func (e *Echo) sample(row *[echoLags]float32, from int64, db float32) {
	var power float32
	for _, s := range row {
		power += s * s
	}
	e.power[0] += power * (echoSample / float32(echoLags))
	for i, s := range e.sent[from : from+echoLags] {
		if s >= echoSaid-echoQuiet {
			e.diff[i] += s - db
			e.counted[i]++
		}
	}
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
	now := sight{echoLags - 1 - best, alike, float64(e.diff[best]) / float64(max(1, e.counted[best]))}
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

// Level is a mean square of 16-bit samples in dBm0 (ITU-T G.711: a sine of full scale is 3.14 dBm0), to a hundredth;
// that of silence is about -117. It is taken two hundred times a second of each leg, which a true logarithm would feel.
func Level(meanSquare float64) float32 {
	const full = 32124.0 * 32124 / 2
	const decibels = 10 * math.Ln2 / math.Ln10 // of a doubling
	bits := math.Float32bits(float32(meanSquare/full + 1e-12))
	whole := float32(int32(bits>>23) - 127)
	// The logarithm of 1 to 2, by (x-1)/(x+1): log2 x = 2/ln 2 (z + z^3/3 + z^5/5).
	x := math.Float32frombits(bits&(1<<23-1) | 127<<23)
	z := (x - 1) / (x + 1)
	part := z * (2 / math.Ln2) * (1 + z*z*(1./3+z*z*(1./5)))
	return decibels*(whole+part) + 3.14
}
