package appliance

import (
	"context"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
)

// trails are the ways of the latest calls, for whoever watches a test call.
type trails struct {
	mu      sync.Mutex // guards all below
	calls   view.Trails
	changed chan struct{} // closed when something changes, and made anew
}

// of is the way of a call, or of the newest one, and what is closed when any changes.
func (t *trails) of(call tel.CallID) (view.Trail, bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, known := t.calls.Of(call)
	return x, known, t.changed
}

// tell wakes who watches.
func (t *trails) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *trails) apply(e tel.Event) (view.Trail, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls.Apply(e)
}

// followCalls keeps the ways of calls until ctx ends, and tells the set-up of the first one that goes all the way, and of
// what comes to work after its end.
func (b *Box) followCalls(ctx context.Context) {
	apply := func(e tel.Event) {
		way, moved := b.trails.apply(e)
		if b.tested(e) || moved {
			b.trails.tell()
		}
		if moved && way.Passed() && b.setup.Waits() && b.setup.State().Marks[setup.TestCall].How != setup.Done {
			if _, err := b.setup.Tell(setup.Proved{Step: setup.TestCall}, time.Now()); err != nil {
				b.log.Error("the set-up is not kept", "err", err)
			}
		}
		b.settle(e, way)
	}
	b.watch(ctx, func(all []tel.Event) {
		b.trails.mu.Lock()
		b.trails.calls.Restart()
		b.trails.mu.Unlock()
		for _, e := range all {
			apply(e)
		}
	}, apply)
}
