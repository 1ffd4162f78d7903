package appliance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The errors of a disposition.
var (
	errDisposition = errors.New("no such disposition for calls of that queue")
	errNoContact   = errors.New("there is no caller of a queue to say it of")
)

// contact is a caller of a queue whom an agent has answered.
type contact struct {
	call  tel.CallID
	queue tel.QueueID
	said  string // the disposition
}

// contacts knows the last caller of each agent, who may be spoken of after the call has ended. After a restart it begins
// empty; who talks or does after-call work then is known by the queues.
type contacts struct {
	mu   sync.Mutex
	last map[tel.AgentID]contact
}

// note takes notice of who has answered whom, and of what was said of it.
func (c *contacts) note(e tel.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[tel.AgentID]contact{}
	}
	switch e := e.(type) {
	case tel.QueueLeft:
		if e.Outcome == tel.OutcomeAnswered && e.Agent != "" {
			c.last[e.Agent] = contact{call: e.Call, queue: e.Queue}
		}
	case tel.CallDisposed:
		c.last[e.Agent] = contact{e.Call, e.Queue, e.Disposition}
	}
}

func (c *contacts) of(agent tel.AgentID) contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[agent]
}

// contactOf is the caller whom an agent talks with, or talked with last; errNoContact where there is none.
func (b *Box) contactOf(v acd.View, agent tel.AgentID) (contact, error) {
	last := b.contacts.of(agent)
	for _, a := range v.Agents {
		if a.ID == agent && a.Queue != "" && a.Call != "" && a.Call != last.call && (a.State == tel.AgentTalking || a.State == tel.AgentHold || a.State == tel.AgentWrapUp) {
			return contact{call: a.Call, queue: a.Queue}, nil
		}
	}
	if last.call == "" {
		return last, errNoContact
	}
	return last, nil
}

// dispose writes down what an agent says came of the call. Errors: errDisposition, errNoContact.
func (b *Box) dispose(ctx context.Context, agent tel.AgentID, name string) error {
	v, err := b.queues.Snapshot(ctx)
	if err != nil {
		return err
	}
	c, err := b.contactOf(v, agent)
	if err != nil {
		return err
	}
	if !slices.Contains(b.config().DispositionsOf(c.queue), name) {
		return errDisposition
	}
	b.publish(tel.CallDisposed{Call: c.call, Queue: c.queue, Agent: agent, Disposition: name, At: time.Now()})
	return nil
}
