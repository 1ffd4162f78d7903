package lab

import (
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// agent is a person at a phone.
type agent struct {
	lab   *lab
	user  string
	phone *peer.Peer
	busy  atomic.Bool // on the phone, or about to
	talks atomic.Bool // with somebody who called in
}

// rung is a call to the phone: mostly it is answered.
func (a *agent) rung(c *peer.Call) {
	l := a.lab
	if !a.busy.CompareAndSwap(false, true) {
		c.Reject(486)
		return
	}
	defer a.busy.Store(false)
	c.Ring()
	switch {
	case l.chance(4):
		if l.pause(l.between(time.Second, 3*time.Second), c.Ended()) {
			c.Reject(603)
			l.say("agent %s declines %s", a.user, c.Caller)
		}
		return
	case l.chance(4):
		l.say("agent %s does not hear the phone", a.user)
		select {
		case <-c.Ended():
		case <-l.ctx.Done():
		}
		return
	}
	if !l.pause(l.between(time.Second, 5*time.Second), c.Ended()) || !c.Answer() {
		return
	}
	l.say("agent %s talks with %s", a.user, c.Caller)
	a.talks.Store(true)
	defer a.talks.Store(false)
	a.talk(c)
}

// talk goes on until one of the two has had enough.
func (a *agent) talk(c *peer.Call) {
	if a.lab.pause(a.lab.between(8*time.Second, 12*time.Second), c.Ended()) {
		a.takesSecond(c)
	}
	if a.lab.pause(a.lab.between(15*time.Second, 50*time.Second), c.Ended()) {
		c.Hangup()
		a.lab.say("agent %s hangs up", a.user)
	}
}

// takesSecond has a word with who waits on an analog line, and comes back: R 2, and R 2 again.
func (a *agent) takesSecond(c *peer.Call) {
	l := a.lab
	line := l.second.Load()
	if line == nil {
		return
	}
	number := line.waiting(c.Caller)
	if number == "" {
		return
	}
	for _, says := range []string{"takes " + number + ", who waited, by a flash", "goes back to " + c.Caller} {
		c.Audio().Press("!")
		if !l.pause(3*time.Second, c.Ended()) {
			return
		}
		c.Audio().Press("2")
		l.say("agent %s %s", a.user, says)
		if !l.pause(5*time.Second, c.Ended()) {
			return
		}
	}
}

// errands lets idle agents call customers now and then; mobiles go through the modem.
func (l *lab) errands(agents []*agent) {
	var never chan struct{}
	for l.pause(l.between(25*time.Second, 70*time.Second), never) && len(agents) > 0 {
		a, to := agents[l.pick(len(agents))], customer(l.pick)
		if a.busy.CompareAndSwap(false, true) {
			l.play(func() {
				defer a.busy.Store(false)
				a.calls(to)
			})
		}
	}
}

func (a *agent) calls(number string) {
	l := a.lab
	c, err := a.phone.Dial(peer.Outgoing{To: number})
	if err != nil {
		l.say("agent %s cannot dial: %v", a.user, err)
		return
	}
	l.say("agent %s calls %s", a.user, number)
	t := time.NewTimer(l.between(25*time.Second, 40*time.Second))
	defer t.Stop()
	select {
	case <-c.Answered():
		a.talk(c)
	case <-c.Ended():
		status, reason, _ := c.Outcome()
		l.say("agent %s does not reach %s: %d %s", a.user, number, status, reason)
	case <-t.C:
		c.Hangup()
		l.say("agent %s gives up on %s", a.user, number)
	case <-l.ctx.Done():
		c.Hangup()
	}
}
