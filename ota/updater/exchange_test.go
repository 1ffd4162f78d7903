package updater_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
)

// exchange is how the office is, for the updater.
type exchange struct{ o *office }

func (e exchange) Now(context.Context) (fit.Exchange, error) {
	e.o.mu.Lock()
	defer e.o.mu.Unlock()
	return fit.Exchange{Busy: e.o.busy, Zone: e.o.zone}, e.o.deaf
}

func (e exchange) Promise(_ context.Context, w promise.Wish) (string, fit.Busy, error) {
	e.o.mu.Lock()
	defer e.o.mu.Unlock()
	e.o.wishes = append(e.o.wishes, w)
	if e.o.deaf != nil || !e.o.busy.Quiet() && (!w.EndCalls || e.o.busy.Emergency > 0) {
		return "", e.o.busy, e.o.deaf
	}
	e.o.promised = fmt.Sprint("promise ", len(e.o.wishes))
	token := e.o.promised
	if e.o.help != nil {
		e.o.help()
	}
	return token, fit.Busy{}, nil
}

func (e exchange) Withdraw(_ context.Context, token string) error {
	e.o.mu.Lock()
	defer e.o.mu.Unlock()
	if e.o.promised == token {
		e.o.promised = ""
	}
	return e.o.deaf
}

func (e exchange) Drain(_ context.Context, lasts time.Duration) error {
	e.o.mu.Lock()
	defer e.o.mu.Unlock()
	e.o.drained = append(e.o.drained, e.o.now())
	return e.o.deaf
}

func (e exchange) Count(context.Context) (fit.Counts, error) {
	e.o.mu.Lock()
	defer e.o.mu.Unlock()
	return e.o.counts, e.o.deaf
}

func (e exchange) Check(ctx context.Context, before fit.Counts) (fit.Report, error) {
	select {
	case <-time.After(2 * time.Minute):
	case <-ctx.Done():
		return fit.Report{}, ctx.Err()
	}
	e.o.mu.Lock()
	defer e.o.mu.Unlock()
	e.o.before = append(e.o.before, before)
	version := e.o.runs()
	if c, ok := e.o.unfit[version]; ok {
		return fit.Report{Version: version, Checks: []fit.Check{c}}, nil
	}
	return fit.Report{Version: version, Fit: true}, nil
}
