package vitals

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Config says how a board is watched.
type Config struct {
	Log    *slog.Logger
	Read   func() Reading // takes as long as the kernel lets it wait
	Limit  int            // degrees Celsius from which on the board is too hot
	Every  time.Duration  // between two looks
	Report func(Finding)  // each condition after each look, on the goroutine of Run
}

const (
	patience = 10 * time.Second // that a look may take until it is said that it does not end
	farewell = 2 * time.Second  // that one is waited for at the end
)

// Watch looks at a board again and again.
type Watch struct {
	cfg  Config
	last atomic.Pointer[State]
}

// NewWatch returns a watch that has not seen anything.
func NewWatch(cfg Config) *Watch { return &Watch{cfg: cfg} }

// State is what was seen last; false: nothing yet.
func (w *Watch) State() (State, bool) {
	s := w.last.Load()
	if s == nil {
		return State{}, false
	}
	return *s, true
}

// Run looks until ctx ends. A look that the kernel does not let end is waited for as long as ctx lasts, and no other
// one begins meanwhile; two seconds after that it is left alone, because nothing in a program can end it.
func (w *Watch) Run(ctx context.Context) {
	var state State
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	for {
		seen := make(chan Reading, 1)
		go func() { seen <- w.cfg.Read() }()
		late := time.NewTimer(patience)
		var r Reading
		for got := false; !got; {
			select {
			case r = <-seen:
				got = true
			case <-late.C:
				w.cfg.Log.Warn("the board does not tell how it is: a file of the kernel does not answer")
			case <-ctx.Done():
				late.Stop()
				select {
				case <-seen:
				case <-time.After(farewell):
				}
				return
			}
		}
		late.Stop()
		var findings []Finding
		state, findings = Next(state, r, w.cfg.Limit, time.Now())
		kept := state
		w.last.Store(&kept)
		for _, f := range findings {
			w.cfg.Report(f)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
