package dsp

import "time"

const (
	callerPause  = 500 * time.Millisecond // without a digit ends a number that was not ended
	callerDigits = 3                      // fewer are no number
)

// CallerDTMF receives the caller id that some exchanges send as DTMF digits before the first ring (ETSI EN
// 300 659-1 annex B): A number C, A number #, with D for who forwarded and B or D for why there is none.
// The zero value is ready; one goroutine uses it, and it allocates only the result.
type CallerDTMF struct {
	digits DTMF
	keys   [4 + 2*longestNumber]byte
	n      int
	quiet  int // samples since the newest digit
}

// Process takes the next sound and returns the caller id that is now complete.
func (c *CallerDTMF) Process(pcm []int16) (id CallerID, ok bool) {
	for _, e := range c.digits.Process(pcm) {
		c.quiet = 0
		switch {
		case !e.Down:
		case e.Key == '#' || e.Key == 'C':
			id, ok = c.end(e.Key)
		case c.n < len(c.keys):
			c.keys[c.n] = e.Key
			c.n++
		}
	}
	if c.digits.Sounding() {
		c.quiet = 0
	}
	if c.quiet += len(pcm); c.n > 0 && c.quiet > samplesOf(callerPause) {
		return c.end(0)
	}
	return id, ok
}

// Reset forgets what was heard.
func (c *CallerDTMF) Reset() { *c = CallerDTMF{} }

func samplesOf(d time.Duration) int { return int(d * SampleRate / time.Second) }

// end reads what was collected.
func (c *CallerDTMF) end(terminator byte) (CallerID, bool) {
	keys := c.keys[:c.n]
	c.n = 0
	return parseDigits(keys, terminator)
}

// parseDigits reads fields of a letter and digits; 0 for a terminator that did not come. Digits without a
// letter are a number only if they end by #.
func parseDigits(keys []byte, terminator byte) (id CallerID, ok bool) {
	for len(keys) > 0 {
		letter := byte(0)
		if keys[0] >= 'A' && keys[0] <= 'D' {
			letter, keys = keys[0], keys[1:]
		}
		n := 0
		for n < len(keys) && keys[n] < 'A' {
			n++
		}
		value := keys[:n]
		keys = keys[n:]
		ok = id.field(letter, value, terminator) || ok
	}
	return id, ok
}

// field reads one field and says whether it tells something of the caller.
func (id *CallerID) field(letter byte, value []byte, terminator byte) bool {
	isNumber := len(value) >= callerDigits && len(value) <= longestNumber
	switch {
	case letter == 'A' && isNumber, letter == 0 && isNumber && terminator == '#',
		letter == 'D' && isNumber && id.Number == "" && terminator == 'C': // as in Taiwan
		id.Number, id.Absent = string(value), NotAbsent
	case letter == 'D' && isNumber:
		id.Redirecting = string(value)
	case letter == 'B' && string(value) == "10", letter == 'D' && string(value) == "1":
		id.Absent = Restricted
	case letter == 'B' && string(value) == "00", letter == 'D' && (string(value) == "2" || string(value) == "3"):
		id.Absent = OutOfArea
	default:
		return false
	}
	return true
}
