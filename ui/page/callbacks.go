package page

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Callback is one caller who has hung up, keeps the place and is owed a call.
type Callback struct {
	ID        tel.CallbackID
	Queue     tel.QueueID
	QueueName string
	State     tel.CallbackState
	Number    tel.Number // to be called
	Name      string
	Since     time.Time // first enqueue time, which orders the place
	Place, Of int       // in order of service, callers included, from 1; 0: no place while it rests or the queue is closed
	Attempts  int       // at which the customer was not reached
	Next      time.Time // resting until then; zero: not resting
	Promise   time.Time // until when we said to call; zero: nothing was promised
	Agent     string    // name of who is on the line while the customer is called
	Closed    bool      // outside of the hours in which the queue's customers are called
	May       bool      // the reader may take it off the list
}

// Late tells whether the promise is broken at now.
func (c Callback) Late(now time.Time) bool { return !c.Promise.IsZero() && now.After(c.Promise) }

// Callbacks is the list of who is owed a call.
type Callbacks struct {
	Reader    Reader
	Box       string
	Callbacks []Callback // in order of queue and place
}

// Limit notes which of the callbacks the reader may take off the list.
func (c *Callbacks) Limit(may func(tel.QueueID) bool) {
	c.Callbacks = slices.Clone(c.Callbacks)
	for i := range c.Callbacks {
		c.Callbacks[i].May = may(c.Callbacks[i].Queue)
	}
}

// Dropping asks whether a callback is really to be taken off the list.
type Dropping struct {
	Reader Reader
	Box    string
	Said   Said
	Callback
}

// Callbacks renders the list of who is owed a call.
func (r *Renderer) Callbacks(c Callbacks, now time.Time) ([]byte, error) {
	return r.shell("callbacks.html", "callbacks", c.Box, c.Reader, c, now)
}

// standing is a callback at a moment, for its template.
type standing struct {
	Callback
	Now time.Time
}

func stands(now time.Time, c Callback) standing { return standing{c, now} }

// Dropping renders the question whether a callback is to be taken off the list.
func (r *Renderer) Dropping(d Dropping, now time.Time) ([]byte, error) {
	return r.shell("dropping.html", "callbacks.drop", d.Box, d.Reader, d, now)
}
