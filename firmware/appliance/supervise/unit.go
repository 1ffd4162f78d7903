package supervise

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// unit runs one service. Its run method is the owner; what others look at is under mu.
type unit struct {
	Service
	opts   *Options
	log    *slog.Logger
	out    *lockedWriter
	family *family
	lines  ring
	ear    *ear

	started   chan struct{} // closed at the first READY, or when it cannot be waited for
	startOnce sync.Once
	readied   chan struct{} // READY=1 heard
	alive     chan struct{} // WATCHDOG=1 heard

	mu     sync.Mutex // status and fds: written by run and by the ear, read by Status
	status ServiceStatus
	pid    int // the process whose messages count: the running one, then the last one
	fds    map[string]*os.File
}

func newUnit(s Service, opts *Options, out *lockedWriter, family *family) *unit {
	if s.Grace <= 0 {
		s.Grace = 5 * time.Second
	}
	return &unit{
		Service: s, opts: opts, log: opts.Log.With("service", s.Name), out: out, family: family,
		started: make(chan struct{}), readied: make(chan struct{}, 1), alive: make(chan struct{}, 1),
		status: ServiceStatus{Name: s.Name, State: Waiting, Since: time.Now()},
		fds:    map[string]*os.File{},
	}
}

// awaitStart waits until the next service may start; false when ctx ended meanwhile.
func (u *unit) awaitStart(ctx context.Context) bool {
	if !u.Notify {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(u.opts.StartTimeout)
	defer timer.Stop()
	select {
	case <-u.started:
	case <-timer.C:
		u.log.Warn("service is slow to be ready, going on without")
	case <-ctx.Done():
		return false
	}
	return true
}

// run starts the service again and again until ctx ends or it asks to stay ended.
func (u *unit) run(ctx context.Context) {
	delay := u.opts.MinDelay
	for {
		begun := time.Now()
		exit, code := u.once(ctx)
		if ctx.Err() != nil {
			if code != 0 {
				u.tidy()
			}
			u.enter(Stopped, 0, exit)
			return
		}
		if code == ExitDoNotRestart {
			u.log.Error("service asked not to be restarted", "exit", exit)
			u.enter(Finished, 0, exit)
			u.tidy()
			u.startOnce.Do(func() { close(u.started) })
			<-ctx.Done()
			return
		}
		if time.Since(begun) >= u.opts.Stable {
			delay = u.opts.MinDelay
		}
		u.enter(Waiting, 0, exit)
		u.log.Warn("service ended, restarting", "exit", exit, "delay", delay)
		if delay >= soon {
			u.tidy()
		}
		select {
		case <-ctx.Done():
			u.enter(Stopped, 0, exit)
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, u.opts.MaxDelay)
		u.mu.Lock()
		u.status.Restarts++
		u.mu.Unlock()
	}
}

// once runs one process to its end and says how it ended.
func (u *unit) once(ctx context.Context) (exit string, code int) {
	clearSignals(u.readied, u.alive) // before the start: a fast service is ready before we have looked up
	if u.Before != nil {
		u.Before()
	}
	p, err := u.start()
	if err != nil {
		return err.Error(), -1
	}
	u.watch(ctx, p)
	exit, code = p.reap()
	u.ear.drain() // a socket handed over just before the end is kept
	if u.opts.Orphans {
		u.family.endOrphans()
	}
	return exit, code
}

// watch returns when the process has ended, by itself or by us.
func (u *unit) watch(ctx context.Context, p *process) {
	var silence <-chan time.Time
	timer := time.NewTimer(u.opts.StartTimeout)
	defer timer.Stop()
	if u.Watchdog > 0 {
		silence = timer.C
	}
	for {
		select {
		case <-p.ended:
			return
		case <-u.readied:
			u.enter(Running, p.pid, "")
			u.startOnce.Do(func() { close(u.started) })
			timer.Reset(max(u.Watchdog, time.Nanosecond))
		case <-u.alive:
			timer.Reset(max(u.Watchdog, time.Nanosecond))
		case <-silence:
			u.log.Error("service gives no sign of life, killing it", "watchdog", u.Watchdog)
			// A Go program answers SIGABRT with the stacks of its goroutines: the reason of the hang.
			p.end(unix.SIGABRT, time.Second)
			return
		case <-ctx.Done():
			u.enter(Stopping, p.pid, "")
			p.end(unix.SIGTERM, u.Grace)
			return
		}
	}
}

// clearSignals forgets what an earlier process said.
func clearSignals(chans ...chan struct{}) {
	for _, c := range chans {
		select {
		case <-c:
		default:
		}
	}
}

func (u *unit) enter(s State, pid int, exit string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status.State, u.status.PID, u.status.Since = s, pid, time.Now()
	if exit != "" {
		u.status.LastExit = exit
	}
}

func (u *unit) snapshot() ServiceStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	st := u.status
	st.Kept = len(u.fds)
	return st
}

// forget closes the ear and every kept socket.
func (u *unit) forget() {
	u.ear.close()
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, f := range u.fds {
		_ = f.Close()
		delete(u.fds, name)
	}
}
