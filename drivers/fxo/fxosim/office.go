package fxosim

import (
	"math"
	"math/rand/v2"
)

// station is what the exchange does with the line.
type station uint8

const (
	resting   station = iota // on hook, nobody calls
	ringing                  // somebody calls
	offering                 // off hook: the dial tone
	dialling                 // digits come
	routing                  // silence: the exchange looks for the party
	alerting                 // the ringback tone
	talking                  // both ends are connected
	released                 // the far end has gone: what the exchange then does, for ever
	elsewhere                // another telephone on the same line took the call
)

// Supervision is how the exchange tells that the far end has gone.
type Supervision uint8

// The kinds.
const (
	ByBusyTone   Supervision = iota // 425 Hz, 500/500 ms
	ByCongestion                    // 425 Hz, 200/200 ms
	ByLoopDrop                      // no current for CutFor, then the busy tone
	ByPolarity                      // the battery is reversed at the answer and again at the end
	BySilence                       // nothing at all
)

// Line is how the exchange's line behaves. The zero value is an Italian line that ends calls by the busy tone.
type Line struct {
	Supervision Supervision
	Tones       map[string]Cadence // "dial", "ringback", "busy", "congestion" in place of the Italian ones
	CutFor      int                // ms without current; 0: 250
	Hum         float64            // peak of 50 Hz and its third harmonic, of 32768
	Echo        float64            // of what the line says comes back, 0 to 1
	EchoDelay   int                // ms
	Noise       float64            // peak of white noise
	Drive       float64            // the far end is so much louder, and clips; 0: 1
	DialDelay   int                // ms until the dial tone
	ID          Signalling         // how it sends the caller's number
	IDLevel     float64            // peak of that, of 32768; 0: 3000
	Recall      bool               // it knows the hook flash: a break of 50 to 150 ms, and then 1 or 2
}

// loopEvent is what the exchange does to the wires.
type loopEvent uint8

const (
	ringBurst loopEvent = iota + 1
	callerID            // between the first ring and the second
	ringStopped
	loopCut
	loopBack
	polarityTurned
	extensionUp // another telephone on the line was picked up
	extensionDown
)

// office is the exchange's side of one line. It is stepped by frames; whoever steps it owns it.
type office struct {
	line   Line
	event  func(loopEvent)
	dialed func(string)
	key    func(byte)
	ended  func()

	dead, stuck bool // no voltage at all; another telephone is off its hook
	shared      bool // another telephone answers every call

	st     station
	since  int // frames
	offHk  bool
	caller string
	rings  int
	digits string
	quiet  int // frames since the last digit
	cut    bool
	turned bool
	tone   player
	ears   ears
	keys   []byte // that the far end presses
	keyAt  int
	recall
	spoken []int16 // of the caller's number, on hook
	echo   []int16
	t      int
	random *rand.Rand
}

func (o *office) cadence(name string, usual Cadence) Cadence {
	if c, ok := o.line.Tones[name]; ok {
		return c
	}
	return usual
}

func (o *office) enter(s station, c Cadence) {
	o.st, o.since = s, 0
	o.recall.reset()
	o.tone.start(c)
}

// hook is the subscriber's.
func (o *office) hook(off bool) {
	if o.offHk == off {
		return
	}
	o.offHk = off
	if o.breaks(off) {
		return
	}
	switch {
	case off && o.st == ringing:
		o.enter(talking, Cadence{})
		o.event(ringStopped)
	case off && o.st == elsewhere:
		o.enter(talking, Cadence{}) // three on one line
	case off:
		o.digits = ""
		o.enter(offering, Cadence{})
	default:
		o.hungUp()
	}
}

// hungUp is the subscriber's hang-up.
func (o *office) hungUp() {
	was := o.st
	o.cut, o.turned = false, false
	o.enter(resting, Cadence{})
	if was >= dialling && was <= released {
		o.ended()
	}
}

// ring has somebody call.
func (o *office) ring(number string) bool {
	if o.broken > 0 {
		o.hungUp() // the hook is down, and stays there
	}
	if o.st != resting || o.dead || o.stuck {
		return false
	}
	o.caller, o.rings = number, 0
	o.enter(ringing, Cadence{})
	return true
}

// farGone is the far end's hang-up.
func (o *office) farGone() bool {
	switch o.st {
	case ringing, elsewhere:
		o.enter(resting, Cadence{})
		o.event(ringStopped)
		o.ended()
		return true
	case talking:
		o.release()
		return true
	case routing, alerting:
		o.enter(released, o.cadence("busy", BusyTone))
		return true
	}
	return false
}

func (o *office) release() {
	busy := o.cadence("busy", BusyTone)
	switch o.line.Supervision {
	case ByCongestion:
		o.enter(released, o.cadence("congestion", Congestion))
	case ByLoopDrop:
		o.enter(released, Cadence{})
		o.cut = true
		o.event(loopCut)
	case ByPolarity:
		o.enter(released, Cadence{})
		o.turned = !o.turned
		o.event(polarityTurned)
	case BySilence:
		o.enter(released, Cadence{})
	default:
		o.enter(released, busy)
	}
}

// party moves a dialled call on.
func (o *office) party(to station) bool {
	switch {
	case to == alerting && o.st == routing:
		o.enter(alerting, o.cadence("ringback", Ringback))
	case to == talking && (o.st == routing || o.st == alerting):
		o.enter(talking, Cadence{})
		if o.line.Supervision == ByPolarity {
			o.turned = true
			o.event(polarityTurned)
		}
	case to == released && (o.st == routing || o.st == alerting):
		o.enter(released, o.cadence("busy", BusyTone))
	default:
		return false
	}
	return true
}

// step passes 20 ms: up is what the subscriber says, down what it hears. far is what the other party says, and hears
// what the subscriber says; it is nil while nobody is there.
func (o *office) step(up, down *Frame, source func(*Frame), sink func(*Frame)) {
	clear(down[:])
	o.since++
	if o.broken > 0 {
		o.stillBroken()
	}
	switch o.st {
	case ringing:
		o.stepRinging()
	case offering:
		if o.since*20 == max(20, o.line.DialDelay) {
			o.tone.start(o.cadence("dial", DialTone))
		}
		o.collect(up)
	case dialling:
		o.collect(up)
		if o.quiet++; o.quiet*20 >= 1500 {
			o.enter(routing, Cadence{})
			o.dialed(o.digits)
		}
	case talking:
		if o.offHk {
			o.talk(up, down, source, sink)
		}
	case released:
		if o.cut && o.since*20 >= max(60, o.line.CutFor) {
			o.cut = false
			o.event(loopBack)
			o.tone.start(o.cadence("busy", BusyTone))
		}
	case resting, routing, alerting, elsewhere:
	}
	if !o.offHk || o.dead {
		clear(down[:])
		if o.st == ringing && !o.dead {
			o.spoken = o.spoken[copy(down[:], o.spoken):]
		}
		return
	}
	if !o.cut {
		o.tone.add(down)
	}
	o.spoil(up, down)
}

func (o *office) stepRinging() {
	switch ms := (o.since - 1) * 20; {
	case ms%5000 == 0:
		o.rings++
		if o.shared && o.rings == 2 {
			o.enter(elsewhere, Cadence{})
			o.event(extensionUp)
			return
		}
		o.event(ringBurst)
	case ms == 1500:
		o.event(callerID)
		o.spoken = identify(o.line.ID, o.caller, o.line.IDLevel)
	}
}

func (o *office) collect(up *Frame) {
	d := o.ears.hear(up)
	if d == 0 {
		return
	}
	o.digits += string(rune(d))
	o.quiet = 0
	if o.st == offering {
		o.enter(dialling, Cadence{})
	}
}

// pulse is a digit that the modem itself dialled.
func (o *office) pulse(d byte) {
	if o.st == offering || o.st == dialling {
		o.digits += string(rune(d))
		o.quiet = 0
		o.enter(dialling, Cadence{})
	}
}

func (o *office) talk(up, down *Frame, source, sink func(*Frame)) {
	switch {
	case o.register:
		o.instructed(o.ears.hear(up))
		return
	case o.second:
		o.voice(down)
		return
	case source != nil:
		source(down)
	}
	if len(o.keys) > 0 {
		const on, off = 6, 5 // frames
		if o.keyAt < on {
			clear(down[:])
			keyFrame(down, o.keys[0], o.keyAt)
		}
		if o.keyAt++; o.keyAt == on+off {
			o.keys, o.keyAt = o.keys[1:], 0
		}
	}
	if g := o.line.Drive; g > 0 {
		for i, v := range down {
			down[i] = clip(float64(v) * g)
		}
	}
	if d := o.ears.hear(up); d != 0 {
		o.key(d)
	}
	if sink != nil {
		sink(up)
	}
}

// spoil is what wires do to sound.
func (o *office) spoil(up, down *Frame) {
	if o.line.Echo > 0 {
		o.echo = append(o.echo, up[:]...)
		if n := o.line.EchoDelay * rate / 1000; len(o.echo) >= n+FrameSamples {
			for i := range down {
				down[i] = clip(float64(down[i]) + o.line.Echo*float64(o.echo[i]))
			}
			o.echo = o.echo[:copy(o.echo, o.echo[FrameSamples:])]
		}
	}
	for i := range down {
		if o.line.Hum > 0 {
			w := 2 * math.Pi * 50 * float64(o.t) / rate
			down[i] = clip(float64(down[i]) + o.line.Hum*(0.8*math.Sin(w)+0.2*math.Sin(3*w)))
		}
		if o.line.Noise > 0 {
			down[i] = clip(float64(down[i]) + o.line.Noise*(2*o.random.Float64()-1))
		}
		o.t++
	}
}

// volts is what a voltmeter at the wires shows, in volts, on hook or off it.
func (o *office) volts() int {
	switch {
	case o.dead:
		return 0
	case o.offHk, o.stuck, o.st == elsewhere:
		return 8
	default:
		return 48
	}
}
