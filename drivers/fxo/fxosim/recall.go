package fxosim

import "math"

// The register recall of an exchange: a break of the loop that is too short for a hang-up leads from the party to the
// exchange, which wants a digit: 1 ends the call with the party and takes the one who waits, 2 takes that one and keeps
// the other; another break leads back.
const (
	breakLeast = 3 // frames
	breakMost  = 7
)

// CallWaitingTone says that somebody waits.
var CallWaitingTone = Cadence{425, []int{400, 100, 250, 100, 150, 14000}}

// recall is the part of a call that a hook flash moves.
type recall struct {
	broken   int     // frames since the loop was broken
	register bool    // the exchange listens
	waits    bool    // somebody waits, or is held
	second   bool    // the subscriber talks with that one
	hz       float64 // which that one says
	at       int
	recalled func()
}

func (r *recall) reset() { *r = recall{recalled: r.recalled} }

// breaks takes a hook that moves during a call, and reports whether that is all to be done for now.
func (o *office) breaks(off bool) bool {
	switch {
	case !o.line.Recall || o.st != talking && o.broken == 0:
		return false
	case !off:
		o.broken = 1
		return true
	}
	n := o.broken
	if o.broken = 0; n < breakLeast+1 || n > breakMost+1 {
		return n > 0
	}
	o.recalled()
	if o.register = !o.register; o.register {
		o.tone.start(o.cadence("dial", DialTone))
		o.ears = ears{}
	} else {
		o.tone.start(Cadence{})
	}
	return true
}

// stillBroken makes a hang-up of a break that lasts.
func (o *office) stillBroken() {
	if o.broken++; o.broken > breakMost+1 {
		o.hungUp()
	}
}

// instructed takes the digit of the subscriber.
func (o *office) instructed(key byte) {
	switch {
	case key == 0:
	case (key == '1' || key == '2') && o.waits:
		o.register, o.second, o.waits = false, !o.second, key == '2'
		o.tone.start(Cadence{})
	default:
		o.tone.start(o.cadence("congestion", Congestion)) // until another flash
	}
}

// wait has a second party call.
func (o *office) wait(hz float64) bool {
	if !o.line.Recall || o.st != talking || o.waits || o.second || o.register {
		return false
	}
	o.waits, o.hz = true, hz
	o.tone.start(CallWaitingTone)
	return true
}

// voice is what the second party says.
func (o *office) voice(f *Frame) {
	for i := range f {
		f[i] = int16(level * math.Sin(2*math.Pi*o.hz*float64(o.at)/rate))
		o.at++
	}
}
