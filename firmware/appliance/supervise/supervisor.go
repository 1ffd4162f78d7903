package supervise

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Supervisor runs a fixed list of services. Status and Lines may be called from any goroutine.
type Supervisor struct {
	opts  Options
	units []*unit
}

// New checks the services and prepares to run them; nothing starts yet.
func New(services []Service, opts Options) (*Supervisor, error) {
	if err := check(services); err != nil {
		return nil, err
	}
	opts.setDefaults()
	s := &Supervisor{opts: opts}
	out := &lockedWriter{w: opts.Output}
	family := &family{}
	for _, service := range services {
		s.units = append(s.units, newUnit(service, &s.opts, out, family))
	}
	return s, nil
}

// Run starts the services in their order and keeps them running until ctx ends. Then it stops them
// in reverse order, each with its grace, and returns when no process of theirs is left. Call it once.
func (s *Supervisor) Run(ctx context.Context) error {
	dir := s.opts.Dir
	if dir == "" {
		made, err := os.MkdirTemp("", "supervise-")
		if err != nil {
			return fmt.Errorf("directory for notification sockets: %w", err)
		}
		defer os.RemoveAll(made)
		if err := os.Chmod(made, 0o711); err != nil {
			return fmt.Errorf("directory for notification sockets: %w", err)
		}
		dir = made
	} else if err := os.MkdirAll(dir, 0o711); err != nil { // services of other users find their socket in it
		return fmt.Errorf("directory for notification sockets: %w", err)
	}
	if s.opts.Orphans {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("adopt orphans: %w", err)
		}
	}
	for _, u := range s.units {
		if err := u.listen(dir); err != nil {
			for _, u := range s.units {
				u.forget()
			}
			return err
		}
	}
	var running []func() // ends one service and waits
	for _, u := range s.units {
		// Not derived from ctx: services end one after the other, in reverse order.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		var done sync.WaitGroup
		done.Go(func() { u.run(own) })
		running = append(running, func() { cancel(); done.Wait() })
		if !u.awaitStart(ctx) {
			break
		}
	}
	<-ctx.Done()
	for i := len(running) - 1; i >= 0; i-- {
		running[i]()
	}
	for _, u := range s.units {
		u.forget()
	}
	return nil
}

// Status lists the services in their order.
func (s *Supervisor) Status() []ServiceStatus {
	all := make([]ServiceStatus, len(s.units))
	for i, u := range s.units {
		all[i] = u.snapshot()
	}
	return all
}

// Lines returns the last lines that a service wrote, oldest first, at most 100; nil for a name that
// does not exist.
func (s *Supervisor) Lines(name string) []string {
	for _, u := range s.units {
		if u.Name == name {
			return u.lines.all()
		}
	}
	return nil
}
