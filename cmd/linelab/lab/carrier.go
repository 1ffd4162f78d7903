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

// rush is how many customers call one upon the other when the office opens: more than there are agents, so that
// a visitor soon sees people wait, and what those do who wait.
const rush = 12

// customers call in at random times, one after the other being independent of each other. The first come in a
// rush, one early on each way, so that a visitor sees all.
func (l *lab) customers() {
	var never chan struct{}
	wait := l.between(2*time.Second, 3*time.Second)
	for n := 0; l.pause(wait, never); n++ {
		number := customer(l.pick)
		switch m := mannerOf(n); {
		case n == 1 || m == ordinary && n > 1 && l.chance(50):
			l.play(func() { l.mobile.customer(number) })
		case n == 4 || m == ordinary && n > rush && l.chance(25):
			l.play(func() { l.analog.customer(number) })
		default:
			l.play(func() { l.callsIn(number, m) })
		}
		if wait = l.between(2*time.Second, 3*time.Second); n >= rush {
			l.mu.Lock()
			wait = time.Duration(l.dice.ExpFloat64() * float64(time.Minute) / l.cfg.PerMinute / l.cfg.Pace)
			l.mu.Unlock()
		}
	}
}

// callsIn is one customer of the carrier.
func (l *lab) callsIn(number string, m manner) {
	if _, ok := l.carrier.Registered(l.number); !ok {
		l.say("customer %s hears that the office is not connected", number)
		return
	}
	called := m.called(l)
	c, err := l.carrier.CallIn(l.number, peer.Outgoing{To: called, From: number})
	if err != nil {
		l.say("customer %s cannot call: %v", number, err)
		return
	}
	l.say("customer %s calls %s through the carrier%s", number, called, m.tells())
	select {
	case <-c.Answered():
		m.act(l, c)
	case <-c.Ended():
	case <-l.ctx.Done():
	}
	l.endure(number, m.patience(l), c.Ended(), c.Hangup)
	if status, reason, _ := c.Outcome(); status >= 300 && status != 487 {
		l.say("customer %s is refused: %d %s", number, status, reason)
	}
}

// endure is what a customer does after dialling: the box answers with music, so a wait and a talk
// look alike from here; some hang up early, most let the agent end.
func (l *lab) endure(number string, patience time.Duration, ended <-chan struct{}, hangup func()) {
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
