package dsp

import (
	"math"
	"time"
)

const (
	echoTaps  = 512   // 64 ms of echo after the bulk delay
	echoRing  = 16384 // of both sounds: 2 s; a power of two
	echoHops  = 256   // of which is remembered what they were; more than echoRing/hop
	echoAhead = 96    // taps before the delay that was found
	echoEarly = 48    // samples by which the echo may come earlier than it was found, or
	echoLate  = 200   // later, before the filter is moved

	echoFast   = 0.45     // step of the adaptation; known paths take smaller ones, which leave less behind
	echoFair   = 30       // ERLE (15 dB) from which it takes half
	echoGood   = 300      // ERLE (25 dB) from which it takes a quarter, and the past teaches no more
	echoAgain  = 24 * hop // ago is the past that teaches
	echoActive = -46.0    // dBm0: weaker sound teaches nothing
	echoTone   = 1600.0   // gain of a predictor that only tones reach (32 dB)
	echoGeigel = 0.5      // of the largest sample sent: louder is somebody's voice (6 dB)
	echoHold   = 30 * SampleRate / 1000

	echoSample = 4    // each such sample counts when the filters are compared
	echoBetter = 0.8  // of the power that the filter in use leaves: the one in training replaces it if
	echoSome   = 2.0  // it takes out so much (3 dB) of an unknown path, or
	echoKnown  = 10.0 // so much (10 dB) of a known one: this ERLE makes it known
	echoWorse  = 4.0  // times that power: the one in training is replaced
	echoProofs = 3    // hops in a row
	echoHarm   = 5    // hops in a row in which the filter in use makes the echo louder
)

// EchoStats tells how a canceller does.
type EchoStats struct {
	Found      bool          // the delay is known
	Delay      time.Duration // from what was sent to where the filter begins
	ERLE       float64       // dB by which the filter alone weakens what is heard while only we speak; smoothed
	DoubleTalk bool          // somebody speaks on the line now
	Moves      int           // how often the delay was set
}

// Echo takes the echo of what we send into an analog line out of what we receive from it: a line echo
// canceller after ITU-T G.168. The echo comes back after a bulk delay of 0 to 1 s in the queues of a serial
// modem, which is found by correlation, and is then up to 64 ms long. An adaptive filter in training hands
// its coefficients to the one in use only when it does better, so that a voice on the line, which cannot be
// told apart at once, spoils nothing.
//
// It belongs between the line and all resampling: both directions of a modem share one clock, and each
// sample that is inserted or dropped between Process and the line moves the echo. Automatic gain comes
// after it. One goroutine uses it; it does not allocate after NewEcho.
type Echo struct {
	plain bool                  // without the non-linear processor
	sent  [2 * echoRing]float32 // twice, so that each stretch lies in a row
	at    int                   // of the next sample
	hops  int
	n     int // samples into the hop
	was   [echoHops]echoHop

	received               [2 * echoRing]float32
	sentPast, receivedPast [predictOrder]float32
	receivedFilter         predictor

	delay echoDelay
	still int // hops since something was sent that may echo
	bulk  int // samples; -1 unknown
	moves int

	used, trained [echoTaps]float32 // weights, the oldest sample's first
	share         [echoTaps]float32 // of each training step that a weight takes
	step          float32
	present       lesson
	before        [2]lesson
	loud          float32 // the largest sample sent that may echo now
	geigel        int     // samples for which a voice is still assumed

	now, smooth   echoPower
	better, worse int // hops in a row in which the filter in training was
	harm          int // hops in a row in which the filter in use made the echo louder
	clean         cleaner
	heard, left   float64 // power received and left, while only we speak
}

// echoHop is what is remembered of a hop of what was sent.
type echoHop struct {
	filter predictor
	loud   float32
	active bool
	tone   bool
	voice  bool // somebody spoke on the line
}

// hopAgo is what is remembered of a hop; 0 is the one that fills.
func (e *Echo) hopAgo(hops int) *echoHop { return &e.was[(e.hops-hops+4*echoHops)%echoHops] }

// echoPower is the power of what is received and of what the filters leave of it, counting each
// echoSample-th sample.
type echoPower struct{ received, used, trained float64 }

// NewEcho makes a canceller. A plain one has no non-linear processor: what the filter leaves is heard.
func NewEcho(plain bool) *Echo {
	e := &Echo{plain: plain}
	e.Reset()
	return e
}

// Reset forgets everything, for the next call.
func (e *Echo) Reset() {
	*e = Echo{plain: e.plain, bulk: -1, still: delayHops, clean: newCleaner()}
	e.delay.reset()
}

// Underrun says that the modem ran out of sound to send, or that some of what it received was lost: the
// echo comes after another delay now, which is found anew.
func (e *Echo) Underrun() {
	e.delay.reset()
	e.bulk = -1
	e.forget()
}

// Stats tells how it does.
func (e *Echo) Stats() EchoStats {
	s := EchoStats{Found: e.bulk >= 0, DoubleTalk: e.geigel > 0 || e.clean.voice, Moves: e.moves}
	if s.Found {
		s.Delay = time.Duration(e.bulk) * time.Second / SampleRate
		s.ERLE = 10 * math.Log10((e.heard+1)/(e.left+1))
	}
	return s
}

// Process takes the echo of what was sent out of received, which is changed. Both have the same length:
// what the line took and what it gave in the same time.
func (e *Echo) Process(sent, received []int16) {
	var left [hop]float32
	for len(sent) > 0 && len(received) > 0 {
		n := min(len(sent), len(received), hop-e.n)
		for i := range n {
			left[i] = e.sample(float32(sent[i]), float32(received[i]))
		}
		e.clean.process(left[:n], received[:n], e.expects(), e.geigel > 0, e.plain)
		if e.n == hop {
			e.n = 0
			e.hop()
		}
		sent, received = sent[n:], received[n:]
	}
}

// sample takes one sample of each direction and returns what the filter in use leaves of the one received.
func (e *Echo) sample(x, d float32) float32 {
	w := e.hopAgo(0)
	white := w.filter.left(x, &e.sentPast)
	push(&e.sentPast, x)
	w.loud = max(w.loud, x, -x)
	e.sent[e.at], e.sent[e.at+echoRing] = x, x
	e.delay.add(white, e.receivedFilter.left(d, &e.receivedPast), e.still < delayHops)
	e.received[e.at], e.received[e.at+echoRing] = d, d
	left := d
	if e.bulk >= 0 {
		left = e.filter(d)
	}
	push(&e.receivedPast, d)
	e.n++
	if e.at++; e.at == echoRing {
		e.at = 0
	}
	return left
}

// filter runs the filter in use over the stretch of what was sent that may echo now, and trains the other.
func (e *Echo) filter(d float32) float32 {
	from := (e.at - e.bulk - echoTaps + 1 + echoRing) % echoRing
	x := (*[echoTaps]float32)(e.sent[from:])
	used := d - dot(&e.used, x)
	if e.n%echoSample == 0 {
		trained := d - dot(&e.trained, x)
		e.now.used += float64(used) * float64(used)
		e.now.trained += float64(trained) * float64(trained)
		e.now.received += float64(d) * float64(d)
	}
	newest := x[echoTaps-1]
	e.loud = max(e.loud, newest, -newest)
	if d > echoGeigel*e.loud || -d > echoGeigel*e.loud {
		e.geigel = echoHold
		e.hopAgo(0).voice = true
	}
	e.present.step(e, e.n, e.geigel == 0)
	for i := range e.before {
		if e.before[i].teaches {
			e.before[i].step(e, e.n, true)
		}
	}
	e.geigel = max(0, e.geigel-1)
	return used
}

// hop ends a hop: it judges the filters, looks for the delay and prepares the next hop.
func (e *Echo) hop() {
	e.judge()
	w := e.hopAgo(0)
	recent := (*[predictWindow]float32)(e.sent[(e.at-predictWindow+echoRing)%echoRing:])
	var power float64
	for _, v := range recent[2*hop:] {
		power += float64(v) * float64(v)
	}
	w.active = power > echoFloor*hop
	filter, gain := predict(recent)
	w.tone = gain > echoTone
	e.receivedFilter, _ = predict((*[predictWindow]float32)(e.received[(e.at-predictWindow+echoRing)%echoRing:]))

	if e.still++; w.active && !w.tone {
		e.still = 0
	}
	if e.still < delayHops {
		if lag, ok := e.delay.look(); ok {
			e.move(max(0, lag-echoAhead))
		}
	}
	e.hops++
	*e.hopAgo(0) = echoHop{filter: filter}
	e.prepare()
}

// judge compares the two filters over the hop.
func (e *Echo) judge() {
	if most := float64(hop * 32768 * 32768); !(e.now.trained < most && e.now.used < most) { // nor is NaN
		e.forget()
		e.now = echoPower{}
		return
	}
	const keep = 0.6
	e.smooth.received = keep*e.smooth.received + (1-keep)*e.now.received
	e.smooth.used = keep*e.smooth.used + (1-keep)*e.now.used
	e.smooth.trained = keep*e.smooth.trained + (1-keep)*e.now.trained
	now := e.now
	e.now = echoPower{}
	if e.bulk < 0 || !e.present.teaches || e.geigel > 0 {
		e.better, e.worse = 0, 0
		return
	}
	if !e.clean.voice {
		e.heard += (now.received - e.heard) / 32
		e.left += (now.used - e.left) / 32
	}
	// Over a voice the filter in training does somewhat better by fitting the voice; once a path is known,
	// only one that takes nearly all out may replace it.
	takes := echoSome
	if e.known() {
		takes = max(echoKnown, 0.3*e.heard/(e.left+1))
	}
	if e.smooth.trained < echoBetter*e.smooth.used && e.smooth.trained*takes < e.smooth.received {
		e.better++
	} else {
		e.better = 0
	}
	if e.smooth.trained > echoWorse*e.smooth.used {
		e.worse++
	} else {
		e.worse = 0
	}
	switch {
	case e.better >= echoProofs:
		e.used, e.better = e.trained, 0
		e.smooth.used = e.smooth.trained
	case e.worse >= 2*echoProofs:
		e.trained, e.worse = e.used, 0
		e.smooth.trained = e.smooth.used
	}
	if e.smooth.used < 1.5*e.smooth.received || e.smooth.received < echoFloor*hop/echoSample {
		e.harm = 0
	} else if e.harm++; e.harm >= echoHarm { // worse than none
		e.forget()
	}
}

// forget empties both filters.
func (e *Echo) forget() {
	clear(e.used[:])
	clear(e.trained[:])
	e.better, e.worse, e.harm = 0, 0, 0
	e.heard, e.left = 0, 0
	e.smooth.used, e.smooth.trained = e.smooth.received, e.smooth.received
}

// known says that the filter in use takes out most of the echo.
func (e *Echo) known() bool { return e.heard > echoKnown*e.left }

// move takes a delay, unless the path is known with the one there is: a delay that jumps makes that filter
// worse than none, and it is forgotten.
func (e *Echo) move(bulk int) {
	if later := bulk - e.bulk; e.bulk >= 0 && (later >= -echoEarly && later <= echoLate || e.known()) {
		return
	}
	e.bulk = bulk
	e.moves++
	e.forget()
}

// prepare looks at what may echo in the next hop.
func (e *Echo) prepare() {
	if e.bulk < 0 {
		return
	}
	divide(&e.share, &e.trained)
	switch {
	case e.heard < echoFair*e.left:
		e.step = echoFast
	case e.heard < echoGood*e.left:
		e.step = echoFast / 2
	default:
		e.step = echoFast / 4
	}
	e.present.prepare(e, 0)
	for i := range e.before {
		e.before[i].teaches = false
		if e.heard < echoGood*e.left {
			e.before[i].prepare(e, echoAgain*(i+1))
		}
	}
	e.loud = 0
	for i := range echoTaps/hop + 2 {
		e.loud = max(e.loud, e.hopAgo(e.bulk/hop+i).loud)
	}
}

// expects is the most power that the echo of what was sent may have now while the filter is not trained,
// 0 when it is.
func (e *Echo) expects() float64 {
	if e.bulk < 0 || e.known() {
		return 0
	}
	return float64(e.loud) * float64(e.loud) / 50
}
