package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// Service is one program to keep running.
type Service struct {
	Name string   // short, unique, a file name
	Path string   // the program
	Args []string // without the program's name
	Env  []string // the whole environment, as "name=value"
	Dir  string   // working directory; empty: ours

	User  *User    // whom it runs as; nil: as ourselves
	Group *os.File // directory of the control group (cgroup v2) that each process begins in; nil: ours

	Notify   bool          // it will say READY=1; the next service waits for that, at most StartTimeout
	Grace    time.Duration // between SIGTERM and SIGKILL; default 5 s
	Watchdog time.Duration // longest silence between two signs of life; 0: not watched
	KeepFDs  int           // sockets kept for it at most; 0: none
	Before   func()        // called by the service's goroutine before each start; nil: nothing is to be done
	// After are the arguments with which the program runs once more, for a moment, when the service has ended otherwise
	// than asked and is not started again within a second: it puts out what a killed process has left lit. None: it is
	// not run.
	After []string
}

// User is an account of the kernel, without any privilege but those named. Ours must be root to give it.
type User struct {
	UID, GID     uint32
	Groups       []uint32  // beside GID
	Capabilities []uintptr // ambient ones, such as unix.CAP_DAC_READ_SEARCH
}

// Options are common to all services.
type Options struct {
	Log          *slog.Logger  // nil: slog.Default
	Output       io.Writer     // gets every line of every service, with its name in front; nil: nowhere
	Dir          string        // for the notification sockets; empty: a temporary one
	MinDelay     time.Duration // before the first restart; default 50 ms
	MaxDelay     time.Duration // before a restart in a crash loop; default 30 s
	Stable       time.Duration // a run this long is no crash loop; default 3 s
	StartTimeout time.Duration // for READY=1, and for the first sign of life; default 30 s
	Orphans      bool          // this process has no other children: adopt and end what services leave behind
}

// soon is the longest pause before a restart after which the new process itself finds what the old one left; tidying
// may take tidyFor.
const (
	soon    = time.Second
	tidyFor = 5 * time.Second
)

// ExitDoNotRestart is the exit code by which a service asks to stay ended, e.g. because its
// configuration makes every further start useless.
const ExitDoNotRestart = 125

func (o *Options) setDefaults() {
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Output == nil {
		o.Output = io.Discard
	}
	o.MinDelay = cmp.Or(o.MinDelay, 50*time.Millisecond)
	o.MaxDelay = cmp.Or(o.MaxDelay, 30*time.Second)
	o.Stable = cmp.Or(o.Stable, 3*time.Second)
	o.StartTimeout = cmp.Or(o.StartTimeout, 30*time.Second)
}

func check(services []Service) error {
	var errs []error
	seen := map[string]bool{}
	for _, s := range services {
		switch {
		case s.Name == "" || s.Name == "." || s.Name == ".." || strings.ContainsAny(s.Name, "/\x00\n"):
			errs = append(errs, fmt.Errorf("service name %q is not a file name", s.Name))
		case seen[s.Name]:
			errs = append(errs, fmt.Errorf("service %q is named twice", s.Name))
		case s.Path == "":
			errs = append(errs, fmt.Errorf("service %q has no program", s.Name))
		}
		seen[s.Name] = true
	}
	return errors.Join(errs...)
}

// State is where a service stands.
type State string

// The states.
const (
	Waiting  State = "waiting"  // for its turn, or for the next try
	Starting State = "starting" // runs, has not said READY=1
	Running  State = "running"
	Stopping State = "stopping"
	Stopped  State = "stopped"  // by us
	Finished State = "finished" // by exit code 125: stays ended
)

// ServiceStatus is what a page shows of one service.
type ServiceStatus struct {
	Name     string
	State    State
	PID      int // 0: no process
	Since    time.Time
	Restarts int
	LastExit string // why the last process ended, in words; empty before the first end
	Says     string // the service's own STATUS=
	Kept     int    // sockets
}
