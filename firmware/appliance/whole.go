package appliance

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/ui/page"
)

// wholeness is whether all recordings are as they were written: asked for by a person, found out by a goroutine of its
// own, since everything is read.
type wholeness struct {
	wanted chan struct{} // holds one wish

	mu   sync.Mutex // guards last
	last page.Checked
}

func newWholeness() *wholeness { return &wholeness{wanted: make(chan struct{}, 1)} }

// ask wants the recordings checked, unless that is wanted already.
func (w *wholeness) ask() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last.Running = true
	select {
	case w.wanted <- struct{}{}:
	default:
	}
}

// found is what the last check has found, or that one runs.
func (w *wholeness) found() page.Checked {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// run checks when it is asked to, until ctx ends. What is wrong is told as a condition of the box, too, until a check
// finds nothing.
func (w *wholeness) run(ctx context.Context, check func(context.Context) (record.Report, error), tell func(ok bool, detail string)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wanted:
		}
		rep, err := check(ctx)
		if errors.Is(err, context.Canceled) {
			return
		}
		found := page.Checked{At: time.Now(), Files: rep.Files, Open: rep.Running, Wrong: rep.Wrong}
		if err != nil {
			found.Failed = err.Error()
		}
		w.mu.Lock()
		found.Running = len(w.wanted) > 0 // somebody has asked anew meanwhile
		w.last = found
		w.mu.Unlock()
		switch {
		case err != nil:
			tell(false, err.Error())
		case len(rep.Wrong) > 0:
			tell(false, rep.Wrong[0])
		default:
			tell(true, "")
		}
	}
}

// checkRecordings reads all recordings against their index when somebody asks for it.
func (b *Box) checkRecordings(ctx context.Context) {
	if b.taping.archive != nil {
		b.taping.whole.run(ctx, b.taping.archive.Verify, func(ok bool, detail string) { b.report("recordings_changed", ok, detail) })
	}
}

// Check implements web.Recordings.
func (l *listening) Check() { l.whole.ask() }

// Checked implements web.Recordings.
func (l *listening) Checked() page.Checked { return l.whole.found() }

// Total implements web.Recordings.
func (l *listening) Total() (n int, bytes int64) { return l.archive.Total() }
