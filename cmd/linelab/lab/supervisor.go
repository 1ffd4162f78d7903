package lab

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// listenTo begins what a supervisor dials to listen to an agent; the extension follows.
const listenTo = "*51"

// supervise has a supervisor listen for a while, again and again, to one of those who talk with customers.
func (l *lab) supervise(phone *peer.Peer, user string, agents []*agent) {
	var never chan struct{}
	for l.pause(l.between(8*time.Second, 16*time.Second), never) && len(agents) > 0 {
		var talking []*agent
		for _, a := range agents {
			if a.talks.Load() {
				talking = append(talking, a)
			}
		}
		if len(talking) > 0 {
			l.listens(phone, user, talking[l.pick(len(talking))].user)
		}
	}
}

// listens is one call of a supervisor to listen. Whose conversation has ended meanwhile is not on the line.
func (l *lab) listens(phone *peer.Peer, user, to string) {
	c, err := phone.Dial(peer.Outgoing{To: listenTo + to})
	if err != nil {
		l.say("supervisor %s cannot dial: %v", user, err)
		return
	}
	select {
	case <-c.Answered():
		l.say("supervisor %s listens to agent %s", user, to)
		if l.pause(l.between(10*time.Second, 25*time.Second), c.Ended()) {
			l.say("supervisor %s has heard enough", user)
		}
	case <-c.Ended():
		status, reason, _ := c.Outcome()
		l.say("supervisor %s hears nobody at %s: %d %s", user, to, status, reason)
		return
	case <-l.ctx.Done():
	}
	c.Hangup()
}
