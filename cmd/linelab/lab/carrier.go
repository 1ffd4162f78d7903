package lab

import (
	"fmt"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// customer draws a number: mobiles and land lines.
func customer(pick func(int) int) string {
	if pick(2) == 0 {
		return fmt.Sprintf("+39333%07d", 1000000+pick(9000000))
	}
	return fmt.Sprintf("+3906%07d", 1000000+pick(9000000))
}

// customers call in at random times, one after the other being independent of each other. The first
// two come soon, one on each way, so that a visitor sees both.
func (l *lab) customers() {
	var never chan struct{}
	wait := l.between(2*time.Second, 3*time.Second)
	for n := 0; l.pause(wait, never); n++ {
		number := customer(l.pick)
		if n == 1 || n > 1 && l.chance(35) {
			l.play(func() { l.mobile.customer(number) })
		} else {
			l.play(func() { l.callsIn(number) })
		}
		if wait = l.between(3*time.Second, 4*time.Second); n > 0 {
			l.mu.Lock()
			wait = time.Duration(l.dice.ExpFloat64() * float64(time.Minute) / l.cfg.PerMinute / l.cfg.Pace)
			l.mu.Unlock()
		}
	}
}

// callsIn is one customer of the carrier.
func (l *lab) callsIn(number string) {
	if _, ok := l.carrier.Registered(l.number); !ok {
		l.say("customer %s hears that the office is not connected", number)
		return
	}
	called := l.number
	if l.chance(35) {
		called = called[:len(called)-1] + "9" // another number of the same account
	}
	c, err := l.carrier.CallIn(l.number, peer.Outgoing{To: called, From: number})
	if err != nil {
		l.say("customer %s cannot call: %v", number, err)
		return
	}
	l.say("customer %s calls %s through the carrier", number, called)
	l.endure(number, c.Ended(), c.Hangup)
	if status, reason, _ := c.Outcome(); status >= 300 && status != 487 {
		l.say("customer %s is refused: %d %s", number, status, reason)
	}
}

// endure is what a customer does after dialling: the box answers with music, so a wait and a talk
// look alike from here; some hang up early, most let the agent end.
func (l *lab) endure(number string, ended <-chan struct{}, hangup func()) {
	patience := l.between(40*time.Second, 100*time.Second)
	if l.chance(10) {
		patience = l.between(4*time.Second, 12*time.Second)
	}
	start := time.Now()
	if l.pause(patience, ended) {
		hangup()
		l.say("customer %s hangs up after %s", number, time.Since(start).Round(time.Second))
		return
	}
	if l.ctx.Err() == nil {
		l.say("customer %s is done after %s", number, time.Since(start).Round(time.Second))
	}
}

// called is a call of the office to somebody outside. The last digit says how they are: 0 is busy, 9 is
// not at home, 8 declines.
func (l *lab) called(c *peer.Call) {
	switch {
	case strings.HasSuffix(c.Called, "0"):
		l.say("%s is busy", c.Called)
		c.Reject(486)
		return
	case strings.HasSuffix(c.Called, "8"):
		c.Ring()
		if l.pause(l.between(2*time.Second, 4*time.Second), c.Ended()) {
			l.say("%s declines", c.Called)
			c.Reject(603)
		}
		return
	}
	c.Ring()
	if strings.HasSuffix(c.Called, "9") {
		l.say("%s is not at home", c.Called)
		l.pause(2*time.Minute, c.Ended())
		c.Hangup()
		return
	}
	if l.pause(l.between(2*time.Second, 6*time.Second), c.Ended()) && c.Answer() {
		l.say("%s answers the office", c.Called)
		if l.pause(l.between(15*time.Second, 40*time.Second), c.Ended()) {
			c.Hangup()
			l.say("%s hangs up", c.Called)
		}
	}
}
