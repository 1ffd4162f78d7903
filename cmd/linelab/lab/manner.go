package lab

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// manner is how a customer of the carrier goes about a call.
type manner string

const (
	ordinary manner = "" // talks, or gives up after a while
	// foreigner asks the menu for English and is given somebody who speaks it.
	foreigner manner = "asks for English"
	// later would rather be called back than wait.
	later manner = "asks to be called back"
	// patient waits until the queue sends the call on.
	patient manner = "has all the time in the world"
)

// tells is the manner as a happening tells it.
func (m manner) tells() string {
	if m == ordinary {
		return ""
	}
	return " and " + string(m)
}

// mannerOf is the manner of the n-th customer, so that within a few minutes each is seen, several times.
func mannerOf(n int) manner {
	switch n % 6 {
	case 2:
		return foreigner
	case 3:
		return later
	case 5:
		return patient
	default:
		return ordinary
	}
}

// The keys of the demo office.
const (
	keyEnglish  = "8" // of its menu
	keySales    = "1" // of its menu
	keyCallback = "1" // while waiting; and what confirms the number
)

// called is the number that a customer of this manner calls: the office's, or the one of its menu, which differs
// from it in the last digit.
func (m manner) called(l *lab) string {
	menu := l.number[:len(l.number)-1] + "9"
	if m == foreigner || m == ordinary && l.chance(35) {
		return menu
	}
	return l.number
}

// patience is how long a customer of this manner stays on the line.
func (m manner) patience(l *lab) time.Duration {
	switch {
	case m == patient:
		return l.between(130*time.Second, 200*time.Second)
	case m == ordinary && l.chance(10):
		return l.between(4*time.Second, 12*time.Second)
	default:
		return l.between(40*time.Second, 100*time.Second)
	}
}

// act presses the keys that a manner has: what is said is not waited for. Who talks with an agent by then
// bothers the agent with tones.
func (m manner) act(l *lab, c *peer.Call) {
	keys := ""
	switch m {
	case foreigner:
		keys = keyEnglish + keySales
	case later:
		if !l.pause(l.between(4*time.Second, 8*time.Second), c.Ended()) {
			return
		}
		keys = keyCallback + keyCallback + keyCallback // the last one for who was not heard at first
	}
	for _, key := range keys {
		if !l.pause(l.between(2*time.Second, 4*time.Second), c.Ended()) {
			return
		}
		c.Audio().Press(string(key))
	}
}
