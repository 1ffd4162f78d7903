package updater

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// bundleFile is the download that a release at hand is read out of.
const (
	bundleFile = "bundle.zip"
	bundleNew  = "bundle.part"
)

const (
	// spare is what is left free on the disk of the data: calls are recorded there.
	spare    = 64 << 20
	askFor   = 20 * time.Second // how long the first program may take
	soon     = 10 * time.Second // between tries of what must not be given up
	restarts = 5 * time.Minute  // within which a box restarts that said it would
)

// ask learns what the first program says.
func (u *Updater) ask() {
	u.start(jobFacts, func(ctx context.Context) func() {
		f, err := state(ctx, u.cfg.Slots)
		return func() {
			if err != nil {
				u.complain(slot.CodeSlots, err)
				u.in(factsAgain, jobFacts)
				return
			}
			u.learn(f)
		}
	})
}

func state(ctx context.Context, s Slots) (slot.Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	f, err := s.State(ctx)
	if err == nil && f.Running != slot.SlotA && f.Running != slot.SlotB {
		err = fmt.Errorf("slot %d is said to run", f.Running)
	}
	return f, err
}

// learn begins to work with what the first program has said.
func (u *Updater) learn(f slot.Facts) {
	first := !u.known
	if f.Trying && f.Last.Version == "" { // nobody here asked for the trial: it is of what runs
		f.Last.Version = u.cfg.Box.Version
	}
	u.facts, u.known = f, true
	if u.trouble == slot.CodeSlots {
		u.trouble, u.words = slot.None, ""
	}
	if first {
		u.cfg.Log.Info("update: slots", "running", f.Running, "trying", f.Trying, "phase", u.m.Slot.Phase, "version", u.cfg.Box.Version)
	}
	u.tell(slot.Started{Facts: f, Now: u.cfg.Now()})
	if u.damaged && !f.Trying { // whatever lies in the downloads is not known
		u.damaged = false
		u.do(slot.Discard)
	}
}

// do is what an effect is.
func (u *Updater) do(x slot.Effect) {
	s := u.m.Slot
	switch x {
	case slot.Stop:
		u.stop(jobWork)
	case slot.Discard:
		u.discard()
	case slot.Invalidate:
		u.invalidate()
	case slot.Fetch:
		u.work(func(ctx context.Context) slot.Event { return u.fetch(ctx, u.plan()) })
	case slot.Write:
		u.hold(s.Slot, held{})
		p := u.plan()
		u.work(func(ctx context.Context) slot.Event { return u.write(ctx, p) })
	case slot.Check:
		p := u.plan()
		u.work(func(ctx context.Context) slot.Event { return u.check(ctx, p, s.First) })
	case slot.Try:
		token := u.promise
		u.work(func(ctx context.Context) slot.Event { return u.try(ctx, s.Want.Version, token) })
	case slot.Examine:
		before := u.m.Before
		u.work(func(ctx context.Context) slot.Event { return u.examine(ctx, before) })
	case slot.Keep:
		u.work(u.commit)
	case slot.Return:
		u.work(func(ctx context.Context) slot.Event { return u.goBack(ctx, *s.Verdict) })
	}
}

// work does what a phase consists of. Whoever ended it is told nothing.
func (u *Updater) work(do func(ctx context.Context) slot.Event) {
	u.start(jobWork, func(ctx context.Context) func() {
		e := do(ctx)
		return func() {
			switch e := e.(type) {
			case nil:
			case slot.Started:
				u.learn(e.Facts)
			case slot.Checked:
				u.hold(u.m.Slot.Slot, held{u.m.Slot.Want.Version, u.m.Slot.Want.SHA256, u.m.Slot.Want.Reads})
				u.tell(e)
			case slot.Committed:
				u.tell(e)
				u.ask()
			default:
				u.tell(e)
			}
		}
	})
}

// failed is an error as the machine hears of it; nil where the work was ended.
func (u *Updater) failed(ctx context.Context, err error) slot.Event {
	if ctx.Err() != nil {
		return nil
	}
	u.cfg.Log.Warn("update: what was to be done came to nothing", "code", install.CodeOf(err), "err", err)
	return slot.Failed{Code: install.CodeOf(err), Words: err.Error(), Now: u.cfg.Now()}
}

// hold remembers what a slot holds; what cannot be remembered is fetched whole the next time.
func (u *Updater) hold(n int, h held) {
	next := u.m.with(n, h)
	u.keep(next)
	text, err := json.Marshal(next.Held)
	if err == nil {
		err = keep.Replace(u.cfg.Disk, filepath.Join(u.cfg.Dir, HeldFile), text)
	}
	if err != nil {
		u.cfg.Log.Warn("update: the first program is not told what lies in the slots", "err", err)
	}
}

func (u *Updater) discard() {
	var but []string
	if u.bundle {
		but = append(but, bundleNew)
	}
	if u.m.Slot.Busy() && u.m.Slot.Want.Local {
		but = append(but, bundleFile)
	}
	if err := u.cfg.Downloads.Clear(but...); err != nil {
		u.cfg.Log.Warn("update: what was fetched stays", "err", err)
	}
}

// invalidate makes that nothing starts what lies in the idle slot. What stays is nothing that a box would choose by
// itself: it was never kept.
func (u *Updater) invalidate() {
	ctx, cancel := context.WithTimeout(u.ctx, askFor)
	defer cancel()
	t, err := u.cfg.Slots.Idle(ctx)
	if err == nil {
		err = errors.Join(install.Invalidate(t), t.Close())
	}
	if err != nil {
		u.cfg.Log.Warn("update: the idle slot stays as it is", "err", err)
		return
	}
	u.hold(u.facts.Other(), held{})
}

// plan is how the release under way comes into the slot.
type plan struct {
	part  release.Part
	blob  release.Blob
	delta bool
	from  func(ctx context.Context) (Source, func() error, error)
	err   error
}

func (u *Updater) plan() plan {
	m, s := u.m.Manifest, u.m.Slot
	if m == nil || m.Version != s.Want.Version {
		return plan{err: &install.Failure{Code: slot.CodeDamaged, Err: errors.New("what the vendor said of the release is lost")}}
	}
	part, ok := m.Part(u.box())
	if !ok || part.SHA256 != s.Want.SHA256 {
		return plan{err: &install.Failure{Code: slot.CodeDamaged, Err: errors.New("the release has nothing for this box")}}
	}
	p := plan{part: part, blob: part.Packed, from: u.source(s.Want.Local)}
	runs := u.m.Held[u.facts.Running]
	if d, ok := m.Delta(u.box(), runs.SHA256); ok && u.cfg.Earlier != nil && !s.Whole && runs.Version == u.cfg.Box.Version {
		p.blob, p.delta = d.Blob, true
	}
	return p
}

// source opens where a release comes from; who opens it closes it.
func (u *Updater) source(local bool) func(context.Context) (Source, func() error, error) {
	vendor, channel, downloads := u.cfg.Vendor, u.m.Settings.Channel, u.cfg.Downloads
	return func(context.Context) (Source, func() error, error) {
		switch {
		case vendor == nil:
			return nil, nil, &install.Failure{Code: slot.CodeNetwork, Err: errors.New("there is no vendor")}
		case !local:
			return vendor.Online(channel), func() error { return nil }, nil
		}
		f, err := downloads.Open(bundleFile)
		if err != nil {
			return nil, nil, err
		}
		size, err := f.Size()
		if err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		s, err := vendor.Local(f, size, channel)
		if err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		return s, f.Close, nil
	}
}

func (u *Updater) progress(total int64) func(int64) {
	u.of.Store(total)
	return u.at.Store
}

func (u *Updater) fetch(ctx context.Context, p plan) slot.Event {
	if p.err != nil {
		return u.failed(ctx, p.err)
	}
	source, closed, err := p.from(ctx)
	if err != nil {
		return u.failed(ctx, err)
	}
	f, err := u.cfg.Downloads.Open(p.blob.SHA256)
	if err != nil {
		return u.failed(ctx, errors.Join(&install.Failure{Code: codeOfDisk(err), Err: err}, closed()))
	}
	err = u.room(f, p.blob)
	if err == nil {
		open := func(ctx context.Context, off int64) (io.ReadCloser, error) { return source.Open(ctx, p.blob, off) }
		err = install.Fetch(ctx, f, p.blob, open, u.progress(p.blob.Size))
	}
	if err := errors.Join(err, f.Close(), closed()); err != nil {
		return u.failed(ctx, err)
	}
	return slot.Fetched{}
}

// room makes sure that a download takes nothing that others need.
func (u *Updater) room(f File, b release.Blob) error {
	free, err := u.cfg.Downloads.Free()
	if err != nil {
		return &install.Failure{Code: slot.CodeDisk, Err: err}
	}
	has, err := f.Size()
	if err != nil {
		return &install.Failure{Code: slot.CodeDisk, Err: err}
	}
	if need := b.Size - has + spare; free < need {
		return &install.Failure{Code: slot.CodeFull, Err: fmt.Errorf("%d bytes are free, and %d are needed", free, need)}
	}
	return nil
}

func (u *Updater) write(ctx context.Context, p plan) slot.Event {
	if p.err != nil {
		return u.failed(ctx, p.err)
	}
	f, err := u.cfg.Downloads.Open(p.blob.SHA256)
	if err != nil {
		return u.failed(ctx, &install.Failure{Code: codeOfDisk(err), Err: err})
	}
	t, err := u.cfg.Slots.Idle(ctx)
	if err != nil {
		return u.failed(ctx, errors.Join(&install.Failure{Code: slot.CodeSlots, Err: err}, f.Close()))
	}
	content, closed, err := u.content(ctx, p, f)
	if err != nil {
		return u.failed(ctx, errors.Join(err, f.Close(), t.Close()))
	}
	first, err := install.Write(ctx, t, content, p.part, u.progress(p.part.Size))
	if err := errors.Join(err, closed(), f.Close(), t.Close()); err != nil {
		return u.failed(ctx, err)
	}
	return slot.Written{First: first}
}

// content is the part, out of what was fetched.
func (u *Updater) content(ctx context.Context, p plan, f File) (io.Reader, func() error, error) {
	size, err := f.Size()
	if err != nil {
		return nil, nil, &install.Failure{Code: slot.CodeDisk, Err: err}
	}
	if !p.delta {
		r, err := install.Unpack(io.NewSectionReader(f, 0, size))
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}
	runs, err := u.cfg.Earlier.Running(ctx)
	if err != nil {
		return nil, nil, &install.Failure{Code: slot.CodeHash, Err: fmt.Errorf("what runs cannot be read: %w", err)}
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := u.cfg.Earlier.Rebuild(ctx, w, runs, f, size)
		if err != nil {
			err = &install.Failure{Code: slot.CodeHash, Err: err}
		}
		w.CloseWithError(err)
	}()
	return r, func() error {
		cancel()
		_ = r.Close()
		<-over
		return runs.Close()
	}, nil
}

func (u *Updater) check(ctx context.Context, p plan, first []byte) slot.Event {
	if p.err != nil {
		return u.failed(ctx, p.err)
	}
	t, err := u.cfg.Slots.Idle(ctx)
	if err != nil {
		return u.failed(ctx, &install.Failure{Code: slot.CodeSlots, Err: err})
	}
	if err := errors.Join(install.Check(ctx, t, first, p.part, u.progress(p.part.Size)), t.Close()); err != nil {
		return u.failed(ctx, err)
	}
	return slot.Checked{}
}

// try starts the idle slot, by a promise of the exchange's. A box that says it will and does not is asked again.
func (u *Updater) try(ctx context.Context, version, token string) slot.Event {
	if err := u.cfg.Slots.Try(ctx, version, token); err != nil {
		if token != "" {
			if err := u.cfg.Fit.Withdraw(ctx, token); err != nil {
				u.cfg.Log.Warn("update: the exchange takes no calls until its promise is over", "err", err)
			}
		}
		if errors.Is(err, promise.ErrNone) {
			u.cfg.Log.Warn("update: the box does not restart: somebody is on the phone", "version", version)
			return slot.Disturbed{}
		}
		if f, ok := errors.AsType[*install.Failure](err); ok {
			return u.failed(ctx, f)
		}
		return u.failed(ctx, &install.Failure{Code: slot.CodeSlots, Err: err})
	}
	e, ok := u.until(ctx, func(f slot.Facts) bool { return f.Trying })
	if !ok && ctx.Err() == nil {
		return u.failed(ctx, &install.Failure{Code: slot.CodeSlots, Err: errors.New("the box did not restart")})
	}
	return e
}

// until waits until what runs is something else, where that takes no restart of this program.
func (u *Updater) until(ctx context.Context, is func(slot.Facts) bool) (slot.Event, bool) {
	for end := time.Now().Add(restarts); time.Now().Before(end) && ctx.Err() == nil; {
		if f, err := state(ctx, u.cfg.Slots); err == nil && is(f) {
			return slot.Started{Facts: f}, true
		}
		sleep(ctx, look)
	}
	return nil, false
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (u *Updater) examine(ctx context.Context, before *fit.Counts) slot.Event {
	if before == nil { // what the office consisted of is not known: it is what it is
		now, err := u.cfg.Fit.Count(ctx)
		for err != nil && ctx.Err() == nil {
			sleep(ctx, look)
			now, err = u.cfg.Fit.Count(ctx)
		}
		before = &now
	}
	report, err := u.cfg.Fit.Check(ctx, *before)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return slot.Judged{Code: slot.CodeUnfit, Words: err.Error()}
	}
	c, amiss := report.Failed()
	switch {
	case report.Fit && amiss: // it is only told
		return slot.Judged{Fit: true, Words: c.Words}
	case report.Fit:
		return slot.Judged{Fit: true}
	case amiss:
		return slot.Judged{Code: slot.Code("fit_" + c.Name), Words: c.Words}
	default:
		return slot.Judged{Code: slot.CodeUnfit}
	}
}

func (u *Updater) commit(ctx context.Context) slot.Event {
	err := u.cfg.Slots.Keep(ctx)
	if err == nil {
		return slot.Committed{Now: u.cfg.Now()}
	}
	u.cfg.Log.Error("update: it cannot be kept", "err", err)
	if sleep(ctx, soon); ctx.Err() != nil {
		return nil
	}
	return slot.Unchanged{Words: err.Error()}
}

// helped waits until nobody calls for help any more. The time of the trial bounds that: its first program ends it.
func (u *Updater) helped(ctx context.Context) {
	for ctx.Err() == nil {
		_, busy, err := u.cfg.Fit.Promise(ctx, promise.Wish{For: promise.Lasts, EndCalls: true})
		if err != nil || busy.Emergency == 0 {
			return // whatever it is, it helps nobody
		}
		sleep(ctx, look)
	}
}

// goBack does not rest until the slot of before runs.
func (u *Updater) goBack(ctx context.Context, why slot.Verdict) slot.Event {
	if !u.cfg.Outlive {
		u.helped(ctx)
	}
	for ctx.Err() == nil {
		if err := u.cfg.Slots.Back(ctx, string(why.Code), why.Words); err != nil {
			u.cfg.Log.Error("update: the way back is closed", "err", err)
			sleep(ctx, soon)
			continue
		}
		if e, ok := u.until(ctx, func(f slot.Facts) bool { return !f.Trying }); ok {
			return e
		}
	}
	return nil
}
