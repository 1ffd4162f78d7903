package dsp

import (
	"math"
	"math/cmplx"
)

const (
	callerBaud   = 1200.0
	callerBit    = SampleRate / callerBaud // samples
	callerCentre = 1700.0                  // Hz: V.23 has 1300 for mark and 2100 for space, Bell 202 1200 and 2200
	callerPeriod = 80                      // samples in which the centre comes round
	callerTaps   = 13                      // of the filter around the centre
	callerCutoff = 720.0                   // Hz from the centre
	callerSmooth = 4                       // samples over which the frequency is averaged
	callerLevel  = -45.0                   // dBm0
	callerQuiet  = 28                      // samples below it say that the carrier is gone
	callerMarks  = 12                      // bits of mark before a message; 55 and more are sent
	callerIdle   = 30                      // bits of mark within a message that end it
)

// CallerFSK receives the caller id that an exchange sends as data before a call is answered: 1200 bit/s,
// V.23 (ETSI EN 300 659-1) or Bell 202 (GR-30), which lie so near to each other that one receiver takes
// both. It follows the frequency alone, as a line may weaken one of the two by 10 dB. The zero value is
// ready; one goroutine uses it and it does not allocate.
type CallerFSK struct {
	wave  int                        // phase of the mixer
	x     [2 * callerTaps]complex128 // the sound around the centre, twice, so that the newest lie in a row
	at    int
	z     complex128 // filtered
	turns [callerSmooth]float64
	turn  int
	sum   float64 // of turns: the frequency above the centre
	power float64 // of the sound, smoothed over a bit
	quiet int

	before float64 // the signal one sample ago; positive is mark
	run    float64 // samples since it changed to mark
	clock  float64 // samples until the next bit is looked at, from the start bit's beginning
	bit    int     // 0 none: waits for a start bit; 1 start bit, 2 to 9 data, 10 stop bit
	value  byte
	armed  bool // enough mark was heard for a message to begin

	message [longestFrame]byte
	length  int
}

// Process takes the next sound and returns the message that is now complete, with a right checksum, from
// its type to its checksum; nil for none. It is valid until the next call; see ParseCallerID.
func (c *CallerFSK) Process(pcm []int16) (message []byte) {
	for _, s := range pcm {
		if c.sample(float64(s)) {
			message = c.message[:c.length]
			c.length, c.armed = 0, false
		}
	}
	return message
}

// Reset forgets what was heard.
func (c *CallerFSK) Reset() { *c = CallerFSK{} }

// sample says whether a message is complete.
func (c *CallerFSK) sample(v float64) bool {
	x := complex(v, 0) * callerWave[c.wave]
	if c.wave++; c.wave == callerPeriod {
		c.wave = 0
	}
	c.x[c.at], c.x[c.at+callerTaps] = x, x
	if c.at++; c.at == callerTaps {
		c.at = 0
	}
	c.power += (v*v - c.power) / callerBit
	if c.power >= callerFloor {
		c.quiet = 0
	} else if c.quiet++; c.quiet > callerQuiet {
		c.run, c.bit, c.armed, c.length, c.before = 0, 0, false, 0, 0
		return false
	}
	var z complex128
	for i, h := range callerFilter {
		z += complex(h*real(c.x[c.at+i]), h*imag(c.x[c.at+i]))
	}
	turn := cmplx.Phase(z * cmplx.Conj(c.z))
	c.z = z
	c.sum += turn - c.turns[c.turn]
	c.turns[c.turn] = turn
	if c.turn++; c.turn == callerSmooth {
		c.turn = 0
	}
	return c.decide(-c.sum)
}

// decide takes a sample of the demodulated signal: positive is mark.
func (c *CallerFSK) decide(v float64) (complete bool) {
	before := c.before
	c.before = v
	if c.bit == 0 {
		if v > 0 {
			c.run++
			switch {
			case c.run > callerMarks*callerBit && c.length == 0:
				c.armed = true
			case c.run > callerIdle*callerBit:
				c.length = 0
			}
			return false
		}
		if before > 0 && c.armed { // a start bit began between the two samples
			c.bit, c.value = 1, 0
			c.clock = callerBit/2 - v/(v-before)
		}
		c.run = 0
		return false
	}
	c.clock--
	if c.clock > 0 {
		return false
	}
	at := before + (v-before)*(1+c.clock) // clock is in -1..0: the bit's middle lay before this sample
	c.clock += callerBit
	return c.take(at > 0)
}

// take takes a bit of a byte.
func (c *CallerFSK) take(mark bool) (complete bool) {
	switch {
	case c.bit == 1 && mark: // no start bit, noise
		c.bit = 0
		return false
	case c.bit == 1:
	case c.bit <= 9:
		c.value >>= 1
		if mark {
			c.value |= 0x80
		}
	default:
		c.bit, c.run = 0, 0
		if !mark || !c.add(c.value) {
			c.armed, c.length = false, 0
			return false
		}
		return c.length > 2 && c.length == int(c.message[1])+3
	}
	c.bit++
	return false
}

// add takes a byte and says whether it may be part of a message.
func (c *CallerFSK) add(b byte) bool {
	if c.length == 0 {
		switch b {
		case sdmfCaller, sdmfWaiting, mdmfCaller, mdmfWaiting:
		default:
			return false
		}
	}
	c.message[c.length] = b
	c.length++
	return c.length < 3 || c.length < int(c.message[1])+3 || checksum(c.message[:c.length]) == 0
}

// callerFloor is the power at callerLevel; callerWave the wave of the centre, turning backwards, and
// callerFilter the low-pass around it. They are only read.
var (
	callerFloor = math.Pow(Amplitude(callerLevel), 2) / 2
	callerWave  = func() (w [callerPeriod]complex128) {
		for i := range w {
			w[i] = cmplx.Rect(1, -2*math.Pi*callerCentre*float64(i)/SampleRate)
		}
		return w
	}()
	callerFilter = func() (h [callerTaps]float64) {
		for i := range h {
			x := float64(i - callerTaps/2)
			h[i] = 0.54 + 0.46*math.Cos(2*math.Pi*x/(callerTaps+1))
			if x != 0 {
				h[i] *= math.Sin(2*math.Pi*callerCutoff*x/SampleRate) / (2 * math.Pi * callerCutoff * x / SampleRate)
			}
		}
		return h
	}()
)
