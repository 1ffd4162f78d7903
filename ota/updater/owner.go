package updater

import (
	"context"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/rollout"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Updater is the owner of a box's updates. Make one with New, and Run it.
type Updater struct {
	cfg    Config
	asked  chan func() // by doors, for the goroutine of Run
	done   chan result
	seen   atomic.Pointer[remote.State]
	at, of atomic.Int64 // progress of the work, in bytes

	// The rest is of the goroutine of Run.
	ctx     context.Context //nolint:containedctx // of Run, for the jobs that it starts
	m       memory
	damaged bool // the memory of before could not be read
	unsaved bool // what is remembered is not on the disk
	facts   slot.Facts
	known   bool     // facts are
	held    []func() // what could not be told because it could not be saved, in order
	jobs    map[job]*running
	group   sync.WaitGroup
	offer   *release.Manifest // of the vendor's server
	refused *release.Refusal
	poll    polls
	quiet   quiet
	promise string    // of the exchange, by which the box may restart; the latest one
	trouble slot.Code // of what is no matter of a phase
	words   string
	due     map[job]time.Time // what waits for its time, by the clock that does not jump
	bundle  bool              // one comes in
}

// quiet is how it stands with a restart.
type quiet struct {
	busy    fit.Busy
	since   time.Time // by the clock that does not jump; zero: it is not quiet
	waits   remote.WaitsFor
	until   time.Time
	confirm time.Time // not before then is the vendor asked again
}

// polls is how it stands with the vendor.
type polls struct {
	failures int
	next     time.Time
	stale    bool // its signatures have been missing for long
}

// job is something that is done beside the loop. There is at most one of each kind.
type job string

const (
	jobFacts   job = "facts"   // what the first program says
	jobWork    job = "work"    // what the phase does
	jobPoll    job = "poll"    // the vendor
	jobWatch   job = "watch"   // calls
	jobDrain   job = "drain"   // of queues
	jobPrepare job = "prepare" // what is looked at right before a trial
	timeRetry  job = "retry"   // of a phase
	timeSave   job = "save"    // of what could not be saved
)

// running is a job that was started. Its number tells it from one that was stopped.
type running struct {
	stop context.CancelFunc
	over chan struct{}
}

// result is what a job found, to be made known by the goroutine of Run.
type result struct {
	of   *running
	kind job
	tell func()
}

// New prepares an updater.
func New(cfg Config) *Updater {
	u := &Updater{
		cfg: cfg, asked: make(chan func()), done: make(chan result), jobs: map[job]*running{}, due: map[job]time.Time{},
	}
	u.seen.Store(&remote.State{Backend: cfg.Backend, Phase: slot.Idle, Why: remote.OffSlots})
	return u
}

const (
	factsAgain = 5 * time.Second  // between questions to a first program that does not answer
	saveAgain  = 30 * time.Second // between tries to save
	look       = 5 * time.Second  // between looks at calls
	mostHeld   = 16
)

// Run owns the updates until ctx ends.
func (u *Updater) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	u.ctx = ctx
	defer u.group.Wait()
	defer cancel()
	var damaged error
	if u.m, damaged = remember(u.cfg.Disk, u.cfg.Dir, u.cfg.Auto); damaged != nil {
		u.damaged = true
		u.complain(slot.CodeDamaged, damaged)
	}
	u.ask()
	if u.cfg.Vendor != nil {
		u.pollIn(rollout.First(u.cfg.Draw()))
	}
	for {
		u.publish()
		next, wait := u.next()
		select {
		case <-ctx.Done():
			return
		case do := <-u.asked:
			do()
		case r := <-u.done:
			if u.jobs[r.kind] == r.of {
				delete(u.jobs, r.kind)
				r.tell()
			}
		case <-wait:
			delete(u.due, next)
			u.timeIs(next)
		}
	}
}

// next is what is due first, and a channel that says when it is.
func (u *Updater) next() (first job, wait <-chan time.Time) {
	for j, at := range u.due {
		if first == "" || at.Before(u.due[first]) {
			first = j
		}
	}
	if first != "" {
		wait = time.After(time.Until(u.due[first]))
	}
	return first, wait
}

// start does something beside the loop; what it returns is done by the loop. A job of the kind that runs is stopped.
func (u *Updater) start(kind job, do func(ctx context.Context) (tell func())) {
	u.stop(kind)
	ctx, cancel := context.WithCancel(u.ctx)
	r := &running{cancel, make(chan struct{})}
	u.jobs[kind] = r
	u.group.Go(func() {
		defer cancel()
		tell := do(ctx)
		close(r.over)
		select {
		case u.done <- result{r, kind, tell}:
		case <-u.ctx.Done():
		}
	})
}

// stop ends a job and waits for it: two must not write into one slot.
func (u *Updater) stop(kind job) {
	if r := u.jobs[kind]; r != nil {
		delete(u.jobs, kind)
		r.stop()
		<-r.over
	}
}

// in has the loop do what belongs to a kind after a while.
func (u *Updater) in(d time.Duration, kind job) { u.due[kind] = time.Now().Add(d) }

func (u *Updater) never(kind job) { delete(u.due, kind) }

func (u *Updater) timeIs(j job) {
	switch j {
	case jobFacts:
		u.ask()
	case jobPoll:
		u.pollNow(nil)
	case jobWatch:
		u.watch()
	case timeRetry:
		u.tell(slot.Again{})
	case timeSave:
		u.again()
	}
}

// tell lets the machine judge an event. What it decides is safe on the disk before it is done; but for what ends a
// trial, which must not wait for a disk.
func (u *Updater) tell(e slot.Event) { u.tellWith(e, func(*memory) {}) }

// tellWith changes the memory in the same write.
func (u *Updater) tellWith(e slot.Event, change func(*memory)) {
	later := func() {
		if len(u.held) < mostHeld {
			u.held = append(u.held, func() { u.tellWith(e, change) })
		}
		u.in(saveAgain, timeSave)
	}
	if u.again(); len(u.held) > 0 && u.m.Slot.Phase != slot.Trying {
		later() // what happened before comes first
		return
	}
	was := u.m.Slot
	m := u.m
	var effects []slot.Effect
	m.Slot, effects = slot.Next(was, e)
	change(&m)
	if !u.keep(m) && was.Phase != slot.Trying {
		later()
		return
	}
	if was.Phase != m.Slot.Phase {
		u.cfg.Log.Info("update", "version", m.Slot.Want.Version, "phase", m.Slot.Phase, "was", was.Phase)
	}
	u.enter(was)
	for _, x := range effects {
		u.do(x)
	}
}

// keep makes a memory ours, if it is safe on the disk. It is ours too where a trial cannot wait.
func (u *Updater) keep(m memory) bool {
	if reflect.DeepEqual(m, u.m) && !u.unsaved {
		return true
	}
	err := keep.Save(u.cfg.Disk, filepath.Join(u.cfg.Dir, StateFile), version, m)
	if err != nil {
		u.complain(codeOfDisk(err), err)
		if u.m.Slot.Phase == slot.Trying {
			u.m, u.unsaved = m, true
			u.in(saveAgain, timeSave)
		}
		return false
	}
	if u.trouble == slot.CodeFull || u.trouble == slot.CodeDisk {
		u.trouble, u.words = slot.None, ""
	}
	u.m, u.unsaved = m, false
	return true
}

// again tries what could not be saved.
func (u *Updater) again() {
	all := u.held
	u.held = nil
	for i, tell := range all {
		if tell(); len(u.held) > 0 { // it is the first of those that are left
			u.held = append(u.held, all[i+1:]...)
			return
		}
	}
	if u.unsaved {
		u.keep(u.m)
	}
}

// enter does what a change of the phase brings along.
func (u *Updater) enter(was slot.State) {
	is := u.m.Slot
	if is.Phase != was.Phase {
		u.at.Store(0)
		u.of.Store(0)
	}
	if is.Retry.IsZero() {
		u.never(timeRetry)
	} else if !is.Retry.Equal(was.Retry) {
		u.cfg.Log.Warn("update: tried again later", "version", is.Want.Version, "phase", is.Phase, "code", is.Trouble, "words", is.Words)
		u.in(slot.Backoff(is.Failures), timeRetry) // not by the time of day, which may be put back
	}
	if is.Phase == slot.Waiting && was.Phase != slot.Waiting {
		u.quiet = quiet{}
		u.in(0, jobWatch)
	}
	if is.Phase != slot.Waiting {
		u.never(jobWatch)
		u.stop(jobWatch)
		u.stop(jobPrepare)
	}
	if is.Last != nil && (was.Last == nil || *is.Last != *was.Last) {
		u.cfg.Log.Warn("update: its end", "version", is.Last.Version, "result", is.Last.Result, "code", is.Last.Code, "words", is.Last.Words)
	}
}

func (u *Updater) complain(c slot.Code, err error) {
	u.trouble, u.words = c, err.Error()
	u.cfg.Log.Error("update", "code", c, "err", err)
}

// box is what releases are judged against.
func (u *Updater) box() release.Box {
	b := u.cfg.Box
	if b.ID == "" {
		b.ID = u.m.ID
	}
	if b.Model == "" {
		b.Model = u.facts.Model
	}
	if b.EEPROM == "" {
		b.EEPROM = release.Date(u.facts.EEPROM)
	}
	b.Epoch = max(b.Epoch, u.m.Slot.Epoch)
	if u.facts.Trying { // until it is kept the one before must be able to come back
		b.Epoch = u.m.Slot.Epoch
	}
	return b
}
