package alarm

import (
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Config is what a Watch asks and tells. All of it is called by the goroutine of Run alone.
type Config struct {
	Limits func() []Limits                                       // of today
	Loads  func(context.Context, []tel.QueueID) ([]Load, error)  // of these queues; an error ends the watch
	Tell   func(changed tel.QueueAlarm, raised []tel.QueueAlarm) // with all that are raised now, by queue
}

// Watch is the owner of the alarms.
type Watch struct {
	cfg  Config
	wake chan struct{} // buffered by one: what came while the queues were judged is judged once
}

// NewWatch returns a watch that Run brings to life.
func NewWatch(cfg Config) *Watch { return &Watch{cfg: cfg, wake: make(chan struct{}, 1)} }

// Look has the queues judged anew, because something about them has changed. It never blocks.
func (w *Watch) Look() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run judges the queues at its beginning, after every Look and whenever a threshold is due, until ctx ends
// or the queues are closed.
func (w *Watch) Run(ctx context.Context) {
	state, raised := State{}, []tel.QueueAlarm(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.wake:
		}
		limits := w.cfg.Limits()
		var loads []Load
		if len(limits) > 0 {
			var err error
			if loads, err = w.cfg.Loads(ctx, queuesOf(limits)); err != nil {
				return
			}
		}
		now := time.Now() // with its monotonic reading: a clock that is set raises nothing
		next, changed, due := Next(state, limits, loads, now)
		state = next
		for _, c := range changed {
			raised = after(raised, c)
			w.cfg.Tell(c, slices.Clone(raised))
		}
		timer.Stop()
		if !due.IsZero() {
			timer.Reset(max(0, due.Sub(now)))
		}
	}
}

func queuesOf(limits []Limits) []tel.QueueID {
	ids := make([]tel.QueueID, len(limits))
	for i, l := range limits {
		ids[i] = l.Queue
	}
	return ids
}

// after is the list of what is raised, by queue, after a change.
func after(raised []tel.QueueAlarm, c tel.QueueAlarm) []tel.QueueAlarm {
	raised = slices.DeleteFunc(raised, func(r tel.QueueAlarm) bool { return r.Queue == c.Queue && r.What == c.What })
	if c.Raised {
		raised = append(raised, c)
		slices.SortFunc(raised, func(a, b tel.QueueAlarm) int {
			return byName(threshold{a.Queue, a.What}, threshold{b.Queue, b.What})
		})
	}
	return raised
}
