package updater

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/rollout"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// vendorAgain is after how long a vendor is asked once more who did not confirm a release that is to be started.
const vendorAgain = 10 * time.Minute

// decide asks the policy whether the box may restart now.
func (u *Updater) decide() {
	s, m := u.m.Slot, u.m.Manifest
	if s.Phase != slot.Waiting || !s.Retry.IsZero() || m == nil || u.jobs[jobPrepare] != nil {
		return
	}
	now := u.cfg.Now().In(u.zone())
	f := rollout.Facts{
		Now: now, ID: u.box().ID, Asked: s.Want.Asked, Calls: u.quiet.busy.Calls, Emergency: u.quiet.busy.Emergency, Waiting: u.quiet.busy.Waiting,
	}
	if !u.quiet.since.IsZero() { // measured by the clock that does not jump, told by the one that may
		f.QuietSince = now.Add(-time.Since(u.quiet.since))
	}
	d := rollout.Restart(*m, u.policy(), f)
	u.quiet.waits, u.quiet.until = remote.WaitsFor(d.For), d.Again
	if d.Drain {
		u.drain()
	}
	if d.For != rollout.Nothing {
		return
	}
	if left := time.Until(u.quiet.confirm); left > 0 {
		u.quiet.waits, u.quiet.until = remote.ForVendor, now.Add(left)
		return
	}
	u.prepare(d.EndCalls)
}

func (u *Updater) policy() rollout.Policy {
	s := u.m.Settings
	return rollout.Policy{
		Auto: s.Auto, Window: rollout.Window{From: s.Window.From, To: s.Window.To}, Postponed: s.Postponed,
		Drain: time.Duration(s.Drain) * time.Minute, EndCalls: s.EndCalls,
	}
}

// drains is for how long queues take nobody new after each look that finds it so: longer than from one to the next.
const drains = 4 * look

// drain has the queues take nobody new for a while. It is asked for again at each look, and over by itself.
func (u *Updater) drain() {
	u.start(jobDrain, func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, askFor)
		defer cancel()
		err := u.cfg.Fit.Drain(ctx, drains)
		return func() {
			if err != nil {
				u.cfg.Log.Warn("update: queues go on taking callers although the window ends", "err", err)
			}
		}
	})
}

// lives remembers by which clock the office lives: its window is read by that.
func (u *Updater) lives(zone string) {
	if zone == "" || zone == u.m.Zone {
		return
	}
	if _, err := time.LoadLocation(zone); err != nil {
		u.cfg.Log.Warn("update: the zone of the office is not known here", "zone", zone, "err", err)
		return
	}
	next := u.m
	next.Zone = zone
	u.keep(next)
}

// zone is that of the clock on the office's wall; UTC until the exchange has told it.
func (u *Updater) zone() *time.Location {
	if l, err := time.LoadLocation(u.m.Zone); err == nil {
		return l
	}
	return time.UTC
}

// prepared is what was found right before a trial.
type prepared struct {
	m       release.Manifest
	vendor  error
	counts  fit.Counts
	busy    fit.Busy
	quiet   bool   // nobody would notice
	promise string // that it stays so; empty where calls outlive it
	unknown error  // of the exchange
}

// prepare asks the vendor whether the release still stands, and the exchange what the office consists of and, last,
// for a promise that nobody will be on the phone.
func (u *Updater) prepare(endCalls bool) {
	from, box, now := u.source(u.m.Slot.Want.Local), u.box(), u.cfg.Now()
	u.start(jobPrepare, func(ctx context.Context) func() {
		p := u.find(ctx, from, box, now, endCalls)
		return func() { u.ready(p) }
	})
}

func (u *Updater) find(ctx context.Context, from func(context.Context) (Source, func() error, error), box release.Box, now time.Time, endCalls bool) (p prepared) {
	source, closed, err := from(ctx)
	if err != nil {
		p.vendor = err
		return p
	}
	p.m, p.vendor = source.Latest(ctx, now, box)
	if err := closed(); err != nil {
		p.vendor = errors.Join(p.vendor, err)
	}
	if p.vendor != nil {
		return p
	}
	if p.counts, p.unknown = u.cfg.Fit.Count(ctx); p.unknown != nil {
		return p
	}
	if u.cfg.Outlive {
		var x fit.Exchange
		x, p.unknown = u.cfg.Fit.Now(ctx)
		p.busy, p.quiet = x.Busy, x.Quiet()
		return p
	}
	p.promise, p.busy, p.unknown = u.cfg.Fit.Promise(ctx, promise.Wish{For: promise.Lasts, EndCalls: endCalls})
	p.quiet = p.promise != ""
	return p
}

// ready starts the trial, if all stands.
func (u *Updater) ready(p prepared) {
	s := u.m.Slot
	switch {
	case s.Phase != slot.Waiting:
	case errors.Is(p.vendor, release.ErrNone):
		u.offer = nil
		u.tell(slot.Withdrawn{Now: u.cfg.Now()})
	case p.vendor != nil:
		u.cfg.Log.Warn("update: the vendor does not confirm the release", "version", s.Want.Version, "err", p.vendor)
		u.quiet.confirm, u.quiet.waits = time.Now().Add(vendorAgain), remote.ForVendor
	case !u.same(p.m):
		u.quiet.confirm = time.Now().Add(vendorAgain)
		u.polled(p.m, nil)
	case p.unknown != nil:
		u.quiet.since, u.quiet.waits = time.Time{}, remote.ForExchange
	case !p.quiet:
		u.quiet.busy, u.quiet.since = p.busy, time.Time{}
	default:
		u.promise = p.promise
		u.tellWith(slot.Quiet{}, func(m *memory) { m.Before = &p.counts })
	}
}

// same reports whether a release is what lies in the slot.
func (u *Updater) same(m release.Manifest) bool {
	part, ok := m.Part(u.box())
	return ok && m.Version == u.m.Slot.Want.Version && part.SHA256 == u.m.Slot.Want.SHA256
}
