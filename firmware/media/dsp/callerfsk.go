package dsp

import (
	"math"
	"math/cmplx"
)

const (
	callerBaud   = 1200.0
	callerBit    = SampleRate / callerBaud // samples
	callerMark   = 1250.0                  // between V.23's 1300 and Bell 202's 1200 Hz
	callerSpace  = 2150.0                  // between 2100 and 2200 Hz
	callerWindow = 7                       // samples, as near to a bit as they come
	callerPeriod = 160                     // samples in which both frequencies come round
	callerLevel  = -45.0                   // dBm0
	callerMarks  = 12                      // bits of mark before a message; 55 and more are sent
	callerIdle   = 30                      // bits of mark within a message that end it
	callerTwist  = 4.0                     // amplitude ratio between the tones that is made up for (12 dB)
)

// CallerFSK receives the caller id that an exchange sends as data before a call is answered: 1200 bit/s,
// V.23 (ETSI EN 300 659-1) or Bell 202 (GR-30), which lie so near to each other that one receiver takes
// both. The zero value is ready; one goroutine uses it and it does not allocate.
type CallerFSK struct {
	wave        int // phase of the mixers
	x, y        [callerWindow]complex128
	at          int
	mark, space complex128
	power       float64 // of the sound, smoothed over a bit
	strong      [2]float64
	quiet       int

	before float64 // the sign of mark less space one sample ago
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
	w := &callerWave[c.wave]
	if c.wave++; c.wave == callerPeriod {
		c.wave = 0
	}
	a, b := complex(v, 0)*w[0], complex(v, 0)*w[1]
	c.mark += a - c.x[c.at]
	c.space += b - c.y[c.at]
	c.x[c.at], c.y[c.at] = a, b
	if c.at++; c.at == callerWindow {
		c.at = 0
	}
	c.power += (v*v - c.power) / callerWindow
	if c.power < callerFloor {
		if c.quiet++; c.quiet > 4*callerWindow { // the carrier is gone
			c.run, c.bit, c.armed, c.length, c.strong, c.before = 0, 0, false, 0, [2]float64{}, 0
			return false
		}
	} else {
		c.quiet = 0
	}
	return c.decide(c.balance(cmplx.Abs(c.mark), cmplx.Abs(c.space)))
}

// balance compares the two tones, each against its own mean strength: a line weakens one more than the
// other.
func (c *CallerFSK) balance(mark, space float64) float64 {
	if c.strong[0] == 0 {
		c.strong = [2]float64{max(mark, space, 1), max(mark, space, 1)}
	}
	m, s := mark/c.strong[0], space/c.strong[1]
	if m > s {
		c.strong[0] += (mark - c.strong[0]) / 64
	} else {
		c.strong[1] += (space - c.strong[1]) / 64
	}
	c.strong[0] = max(c.strong[0], c.strong[1]/callerTwist)
	c.strong[1] = max(c.strong[1], c.strong[0]/callerTwist)
	return m - s
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

// callerFloor is the power at callerLevel; callerWave the waves of both tones. They are only read.
var (
	callerFloor = math.Pow(Amplitude(callerLevel), 2) / 2
	callerWave  = func() (w [callerPeriod][2]complex128) {
		for i := range w {
			w[i] = [2]complex128{
				cmplx.Rect(1, -2*math.Pi*callerMark*float64(i)/SampleRate),
				cmplx.Rect(1, -2*math.Pi*callerSpace*float64(i)/SampleRate),
			}
		}
		return w
	}()
)
