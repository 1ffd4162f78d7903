// Package watch asks prepaid SIMs for their credit, once a day and when their lines are free, and says
// which of them somebody should see to.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/credit"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// fileVersion is written into the file.
const fileVersion = 1

const (
	// look is how often it is seen whether a SIM is to be asked: a line in a call is asked after it.
	look = 5 * time.Minute
	// patience is how long the network may take.
	patience = 2 * time.Minute
	backlog  = 64
)

// SIM is one that is watched.
type SIM struct {
	Line     tel.LineID
	Operator credit.Operator // the zero one: not known
	Ask      string          // service code; empty: it is not asked
	Limits   credit.Limits
}

// Config wires the watch to its neighbours. All are needed.
type Config struct {
	Log  *slog.Logger
	Path string
	// SIMs lists those of today. Ask sends a code; line.ErrBusy and line.ErrDown are tried again soon.
	SIMs func() []SIM
	Ask  func(ctx context.Context, l tel.LineID, code string) (string, error)
	// Report says which SIMs somebody should see to, in words; empty: none. It must not block.
	Report func(text string)
}

// Known is what is kept of one SIM.
type Known struct {
	credit.Balance
	Asked time.Time `json:"asked,omitzero"`
	Words string    `json:"words,omitempty"` // of the operator, where no amount was found in them
}

// Watch is the owner. Its methods may be called from any goroutine.
type Watch struct {
	cfg     Config
	mailbox chan func()
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	// Owned by run.
	known map[tel.LineID]Known
}

// Open reads what was known, and begins. A damaged file costs one question more.
func Open(cfg Config) (*Watch, error) {
	w := &Watch{cfg: cfg, mailbox: make(chan func(), backlog), known: map[tel.LineID]Known{}}
	err := statefile.Load(cfg.Path, fileVersion, &w.known)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		cfg.Log.Warn("the credit of the SIMs is asked again", "err", err)
		w.known = map[tel.LineID]Known{}
	default:
		return nil, fmt.Errorf("open the watch over credit: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.wg.Go(func() { w.run(ctx) })
	return w, nil
}

// Close ends a question that is under way and waits. It must be called once.
func (w *Watch) Close() {
	w.cancel()
	w.wg.Wait()
}

func (w *Watch) run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	w.judge()
	w.ask(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-w.mailbox:
			f()
		case <-tick.C:
			w.judge() // days pass
		}
		w.ask(ctx)
	}
}

// Now says that a line is in service: its SIM is asked, when it is due.
func (w *Watch) Now() { w.tell(func() {}) }

// Heard reads what somebody said through a line, a message or a service message, if it was the operator.
// from is empty for what only the network can say.
func (w *Watch) Heard(l tel.LineID, from, text string) {
	w.tell(func() {
		for _, s := range w.cfg.SIMs() {
			if s.Line == l && (from == "" || s.Operator.Says(from)) {
				w.read(l, text, false)
			}
		}
	})
}

// tell queues f. When the owner is flooded the oldest news of a credit is still good enough.
func (w *Watch) tell(f func()) {
	select {
	case w.mailbox <- f:
	default:
	}
}

// ask asks every SIM that is due, one after the other.
func (w *Watch) ask(ctx context.Context) {
	for _, s := range w.cfg.SIMs() {
		k := w.known[s.Line]
		if s.Ask == "" || !credit.Due(k.Asked, time.Now()) || ctx.Err() != nil {
			continue
		}
		limit, cancel := context.WithTimeout(ctx, patience)
		text, err := w.cfg.Ask(limit, s.Line, s.Ask)
		cancel()
		switch {
		case errors.Is(err, line.ErrBusy), errors.Is(err, line.ErrDown), ctx.Err() != nil:
			continue // not asked at all
		case err != nil:
			w.cfg.Log.Warn("the network does not tell the credit", "line", s.Line, "code", s.Ask, "err", err)
		}
		k = w.known[s.Line]
		k.Asked = time.Now()
		w.known[s.Line] = k
		w.read(s.Line, text, true)
	}
}

// read takes the words of the operator. Words without an amount change nothing that is known.
func (w *Watch) read(l tel.LineID, text string, asked bool) {
	b, ok := credit.Read(text, time.Now())
	k := w.known[l]
	switch {
	case ok:
		if b.Expires.IsZero() {
			b.Expires = k.Expires
		}
		k.Balance, k.Words = b, ""
	case asked:
		k.Words = text
	default:
		return
	}
	w.known[l] = k
	if err := statefile.Save(w.cfg.Path, fileVersion, w.known); err != nil {
		w.cfg.Log.Warn("the credit of a SIM is not on the disk", "err", err)
	}
	w.judge()
}

// judge tells which SIMs want somebody, and forgets those of lines that are gone.
func (w *Watch) judge() {
	var words []string
	now := time.Now()
	sims := w.cfg.SIMs()
	maps.DeleteFunc(w.known, func(l tel.LineID, _ Known) bool {
		return !slices.ContainsFunc(sims, func(s SIM) bool { return s.Line == l })
	})
	for _, s := range sims {
		if why := w.known[s.Line].Judge(s.Limits, now); why != "" {
			words = append(words, fmt.Sprintf("line %s: %s", s.Line, why))
		}
	}
	w.cfg.Report(strings.Join(words, "; "))
}

// Known is what is known of each SIM.
func (w *Watch) Known(ctx context.Context) (map[tel.LineID]Known, error) {
	reply := make(chan map[tel.LineID]Known, 1)
	select {
	case w.mailbox <- func() { reply <- maps.Clone(w.known) }:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case all := <-reply:
		return all, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
