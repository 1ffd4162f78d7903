// Package exam examines the exchange of the same machine for the updater: who is on the phone, what the office consists
// of, and whether a release on trial is fit, by the rules of package fit.
package exam

import (
	"context"
	"log/slog"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/fit/selfcall"
)

// Exam is the way to the exchange. It is safe for concurrent use, and has no state. Its Client has the exchange promise
// that nobody is cut off by a restart.
type Exam struct {
	log   *slog.Logger
	rules fit.Rules
	door  exchange
	page  func(ctx context.Context, url string) error
	call  func(ctx context.Context, a selfcall.Account) error
	*promise.Client
}

// exchange is what the doors of the exchange tell.
type exchange interface {
	state(ctx context.Context) (fit.Exchange, error)
	checks(ctx context.Context) ([]fit.Check, error)
	account(ctx context.Context) (selfcall.Account, error)
}

// New prepares to examine the exchange whose doors are on a unix socket.
func New(log *slog.Logger, socket string, rules fit.Rules) *Exam {
	return &Exam{
		log: log, rules: rules, door: newDoor(socket), page: look, Client: promise.New(socket),
		call: func(ctx context.Context, a selfcall.Account) error { return selfcall.Call(ctx, a, selfcall.UDP) },
	}
}

// Now tells how the exchange is: who would notice a restart, by which clock the office lives.
func (e *Exam) Now(ctx context.Context) (fit.Exchange, error) { return e.door.state(ctx) }

// Count tells what the office consists of.
func (e *Exam) Count(ctx context.Context) (fit.Counts, error) {
	x, err := e.door.state(ctx)
	return x.Counts, err
}

// Check judges the release that runs on trial; before is what Count said under the release of before. It takes some two
// minutes, and up to fit.Rules.Limit and one examination. An error says that ctx has ended: there is no verdict then.
func (e *Exam) Check(ctx context.Context, before fit.Counts) (fit.Report, error) {
	var s fit.State
	step := fit.Step{Whole: true}
	for {
		l := e.look(ctx, step.Whole)
		if ctx.Err() != nil {
			return fit.Report{}, ctx.Err()
		}
		if s, step = e.rules.Next(before, s, l); step.Done {
			return step.Report, nil
		}
		if c, amiss := (fit.Report{Checks: l.Checks}).Failed(); amiss {
			e.log.Warn("the release on trial is not well yet", "check", c.Name, "why", c.Words)
		}
		select {
		case <-time.After(step.After):
		case <-ctx.Done():
			return fit.Report{}, ctx.Err()
		}
	}
}

// look asks the exchange how it is, and examines it.
func (e *Exam) look(ctx context.Context, whole bool) fit.Look {
	x, err := e.door.state(ctx)
	if err != nil {
		e.log.Warn("the exchange on trial does not say how it is", "err", err)
		return fit.Look{At: time.Now(), Silent: err.Error()}
	}
	l := fit.Look{Exchange: x}
	if whole {
		l.Checks = e.examine(ctx, x)
	}
	l.At = time.Now()
	return l
}

// examine does whatever takes time: each check is told, also behind one that failed.
func (e *Exam) examine(ctx context.Context, x fit.Exchange) []fit.Check {
	all, err := e.door.checks(ctx)
	if err != nil {
		all = []fit.Check{tried(fit.CheckSockets, err)}
	}
	page := tried(fit.CheckPage, nil)
	for _, url := range x.Pages {
		if err := e.page(ctx, url); err != nil {
			page = tried(fit.CheckPage, err)
		}
	}
	a, err := e.door.account(ctx)
	if err == nil {
		err = e.call(ctx, a)
	}
	return append(all, page, tried(fit.CheckCall, err))
}

func tried(name string, err error) fit.Check {
	if err != nil {
		return fit.Check{Name: name, Words: err.Error()}
	}
	return fit.Check{Name: name, OK: true}
}
