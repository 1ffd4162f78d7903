package replay

import (
	"reflect"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Figures are what came of a day: the sums of its reports, and what they are made of.
type Figures struct {
	Queues    map[tel.QueueID]*report.Traffic // of who joined within the day
	Waits     []tel.QueueLeft                 // in the order in which they ended
	Intervals []tel.AgentInterval             // of the agents' days, the same

	from, to time.Time
}

func newFigures(from, to time.Time) Figures {
	return Figures{Queues: map[tel.QueueID]*report.Traffic{}, from: from, to: to}
}

func (f *Figures) of(queue tel.QueueID) *report.Traffic {
	if f.Queues[queue] == nil {
		f.Queues[queue] = &report.Traffic{}
	}
	return f.Queues[queue]
}

// take counts what the queues published.
func (f *Figures) take(e tel.Event) {
	switch e := e.(type) {
	case tel.QueueLeft:
		f.Waits = append(f.Waits, e)
		if !e.Joined.Before(f.from) && e.Joined.Before(f.to) {
			f.of(e.Queue).TakeWait(e)
		}
	case tel.AgentInterval:
		f.Intervals = append(f.Intervals, e)
		if e.Queue == "" {
			return
		}
		for _, d := range report.Parts(e) {
			f.of(e.Queue).TakeWork(e.State, d)
		}
	}
}

// Equal says that the same came of both days: each wait and each interval of each agent, to the nanosecond.
func (f *Figures) Equal(o Figures) bool {
	return slices.EqualFunc(f.Waits, o.Waits, func(a, b tel.QueueLeft) bool { return reflect.DeepEqual(a, b) }) && slices.Equal(f.Intervals, o.Intervals)
}

// Occupancy is what all agents of the day did together.
func (f *Figures) Occupancy() (share float64, known bool) {
	var all report.Work
	for _, e := range f.Intervals {
		for _, d := range report.Parts(e) {
			all.Take(e.State, d)
		}
	}
	return all.Occupancy()
}
