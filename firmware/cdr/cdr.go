// Package cdr turns journal events into call and queue records, listing rows and figures. It is
// pure: what the page shows and what the report counts come from the same events by the same rules.
package cdr

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Version is the encoding of finished records in the journal.
const Version = 1

// KindProof is a record of nothing, by which the box proves that records reach the disk: the journal's, and that of the
// store, which commits its position at once.
const KindProof = "fit.proof"

// Errors of Decode.
var (
	ErrVersion = errors.New("record was written by a newer version")
	ErrRecord  = errors.New("record makes no sense")
)

type versioned[E any] struct {
	V     int `json:"v"`
	Event E   `json:"event"`
}

// Finished reports whether the kind is that of a finished record, which is never given up.
func Finished(kind string) bool {
	switch kind {
	case tel.CallEnded{}.Kind(), tel.QueueLeft{}.Kind(), tel.CallbackChanged{}.Kind(), tel.MissedChanged{}.Kind(),
		tel.CallDisposed{}.Kind(), tel.SMSReceived{}.Kind(), tel.SMSSent{}.Kind(), tel.SMSDelivered{}.Kind(), tel.SMSFailed{}.Kind():
		return true
	}
	return false
}

// EncodeInterval gives kind and body of an interval of an agent's day for the journal. It is a
// statistic: no finished record is given up for it.
func EncodeInterval(e tel.AgentInterval) (kind string, body []byte, err error) {
	body, err = json.Marshal(versioned[tel.AgentInterval]{Version, e})
	return e.Kind(), body, err
}

// Encode gives kind and body of a finished record for the journal.
func Encode(e tel.Event) (kind string, body []byte, err error) {
	if !Finished(e.Kind()) {
		return "", nil, fmt.Errorf("%w: %s is no finished record", ErrRecord, e.Kind())
	}
	body, err = json.Marshal(versioned[tel.Event]{Version, e})
	return e.Kind(), body, err
}

// Decode reads a finished record: a tel.CallEnded, a tel.QueueLeft, a tel.CallbackChanged, a
// tel.MissedChanged, a tel.CallDisposed or one of the short messages', and a tel.AgentInterval. The event is nil for a kind that is none.
func Decode(kind string, body []byte) (tel.Event, error) {
	switch kind {
	case tel.CallEnded{}.Kind():
		e, err := decode[tel.CallEnded](body)
		if err == nil && e.Call == "" {
			err = fmt.Errorf("%w: a call without identifier", ErrRecord)
		}
		return e, err
	case tel.QueueLeft{}.Kind():
		e, err := decode[tel.QueueLeft](body)
		if err == nil && e.Call == "" {
			err = fmt.Errorf("%w: a wait without identifier", ErrRecord)
		}
		return e, err
	case tel.CallbackChanged{}.Kind():
		e, err := decode[tel.CallbackChanged](body)
		if err == nil && e.Callback == "" {
			err = fmt.Errorf("%w: a callback without identifier", ErrRecord)
		}
		return e, err
	case tel.MissedChanged{}.Kind():
		e, err := decode[tel.MissedChanged](body)
		if err == nil && e.Number == "" {
			err = fmt.Errorf("%w: a missed caller without number", ErrRecord)
		}
		return e, err
	case tel.CallDisposed{}.Kind():
		e, err := decode[tel.CallDisposed](body)
		if err == nil && (e.Call == "" || e.Disposition == "") {
			err = fmt.Errorf("%w: a disposition of nothing", ErrRecord)
		}
		return e, err
	case tel.AgentInterval{}.Kind():
		e, err := decode[tel.AgentInterval](body)
		if err == nil && e.Agent == "" {
			err = fmt.Errorf("%w: an interval of nobody", ErrRecord)
		}
		return e, err
	case tel.SMSReceived{}.Kind():
		e, err := decode[tel.SMSReceived](body)
		return e, named(e.ID, err)
	case tel.SMSSent{}.Kind():
		e, err := decode[tel.SMSSent](body)
		return e, named(e.ID, err)
	case tel.SMSDelivered{}.Kind():
		e, err := decode[tel.SMSDelivered](body)
		return e, named(e.ID, err)
	case tel.SMSFailed{}.Kind():
		e, err := decode[tel.SMSFailed](body)
		return e, named(e.ID, err)
	}
	return nil, nil
}

func named(id tel.SMSID, err error) error {
	if err == nil && id == "" {
		return fmt.Errorf("%w: a short message without identifier", ErrRecord)
	}
	return err
}

func decode[E any](body []byte) (E, error) {
	var v versioned[E]
	if err := json.Unmarshal(body, &v); err != nil {
		return v.Event, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	switch {
	case v.V > Version:
		return v.Event, fmt.Errorf("%w: format %d, this program reads up to %d", ErrVersion, v.V, Version)
	case v.V < 1:
		return v.Event, fmt.Errorf("%w: no version", ErrRecord)
	}
	return v.Event, nil
}

// Row is one line of the list of calls.
type Row struct {
	Call      tel.CallID
	Direction tel.Direction
	From, To  tel.Number
	Queue     tel.QueueID
	Agent     tel.AgentID
	Started   time.Time
	Rang      time.Duration // until a person was connected, or until the end
	Talked    time.Duration // 0 when nobody was
	Answered  bool
	Cause     tel.Cause
	Recovered bool // the box restarted during the call
	Machine   tel.Machine
	Worst     tel.LegNote // the leg that sounded worst; its Trouble is empty if none did badly
}

// RowOf makes the line of one call. A wall clock that was set back during the call gives no
// negative spans.
func RowOf(c tel.CallEnded) Row {
	r := Row{
		Call: c.Call, Direction: c.Direction, From: c.From, To: c.To, Queue: c.Queue, Agent: c.Agent,
		Started: c.Started, Answered: !c.Answered.IsZero(), Cause: c.Cause, Recovered: c.Recovered,
		Machine: c.Machine, Worst: c.WorstSound(),
	}
	if r.Answered {
		r.Rang, r.Talked = span(c.Started, c.Answered), span(c.Answered, c.Ended)
	} else {
		r.Rang = span(c.Started, c.Ended)
	}
	return r
}

func span(from, to time.Time) time.Duration { return max(0, to.Sub(from)) }

// Figures are the numbers of one day, or of any other span, for the page. Add feeds them.
type Figures struct {
	From, To time.Time // events that began in [From, To) count

	Calls    int // calls that ended, internal ones not
	Answered int // of these, connected with a person

	Waits        int           // callers who left a queue
	WaitAnswered int           // of these, by an agent's answer
	Abandoned    int           // of these, by giving up after more than a moment
	Short        int           // of these, by giving up at once
	Other        int           // of these, by overflow, refusal or failure
	SentOn       int           // of the others, those who were sent to another destination
	LongestWait  time.Duration // of all waits
	waited       time.Duration // of the answered ones
	hours        [24]tel.HourFigures
}

// Today makes empty figures for the day that now lies in, in now's time zone.
func Today(now time.Time) Figures {
	y, m, d := now.Date()
	return Figures{From: time.Date(y, m, d, 0, 0, 0, 0, now.Location()), To: time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())}
}

// Add counts one event; it returns false, and counts nothing, for other kinds and other days.
func (f *Figures) Add(e tel.Event) bool {
	switch e := e.(type) {
	case tel.CallEnded:
		if !f.within(e.Started) || e.Direction == tel.Internal {
			return false
		}
		f.Calls++
		f.hour(e.Started).Calls++
		if !e.Answered.IsZero() {
			f.Answered++
		}
	case tel.QueueLeft:
		if !f.within(e.Joined) {
			return false
		}
		wait := span(e.Joined, e.Left)
		f.Waits++
		f.LongestWait = max(f.LongestWait, wait)
		switch e.Outcome {
		case tel.OutcomeAnswered:
			f.WaitAnswered++
			f.hour(e.Joined).Answered++
			f.waited += wait
		case tel.OutcomeAbandoned:
			if e.Short {
				f.Short++
			} else {
				f.Abandoned++
				f.hour(e.Joined).Lost++
			}
		default:
			f.Other++
			if e.To != "" {
				f.SentOn++
			}
		}
	default:
		return false
	}
	return true
}

// hour is where what began at a moment is counted: the hour that the clock of From's time zone shows. The hour
// that a change to winter time repeats counts both times as one.
func (f *Figures) hour(at time.Time) *tel.HourFigures {
	return &f.hours[at.In(f.From.Location()).Hour()]
}

// Hours are the figures by hour of the clock, from the first hour with anything in it to the last.
func (f *Figures) Hours() []tel.HourFigures {
	first, last := len(f.hours), -1
	for i := range f.hours {
		f.hours[i].Hour = i
		if h := f.hours[i]; h.Calls+h.Answered+h.Lost > 0 {
			first, last = min(first, i), i
		}
	}
	if last < 0 {
		return nil
	}
	return slices.Clone(f.hours[first : last+1])
}

func (f *Figures) within(at time.Time) bool { return !at.Before(f.From) && at.Before(f.To) }

// AverageWait is how long the answered callers waited on average; 0 when there were none.
func (f *Figures) AverageWait() time.Duration {
	if f.WaitAnswered == 0 {
		return 0
	}
	return f.waited / time.Duration(f.WaitAnswered)
}
