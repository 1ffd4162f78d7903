package network

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"time"
)

// OwnerConfig is what an Owner needs.
type OwnerConfig struct {
	Log     *slog.Logger
	Plan    Plan                                                    // as LoadPlan read it
	Save    func(Plan) error                                        // keeps it safe from a power cut
	Wired   func(context.Context) (string, error)                   // waits for the interface
	Host    string                                                  // name that servers are told
	Resolv  string                                                  // file that names the DNS servers
	Changed func(iface string, u Use, choice Choice)                // at each change of what is used
	Run     func(context.Context, Config) error                     // nil: Run
	Free    func(context.Context, string, netip.Addr) (bool, error) // nil: ask by ARP
}

// Owner keeps the network of a box as its owner has chosen it, and takes a change back that nobody confirms.
// Its goroutine is that of Run.
type Owner struct {
	cfg  OwnerConfig
	asks chan request

	mu    sync.Mutex // guards what follows, which Run writes
	trial trial
	iface string
	using Use
}

type request struct {
	happens happening
	done    chan<- error
}

// Standing is how it stands with the network.
type Standing struct {
	Interface string        `json:"interface"` // empty: there is none yet
	Using     Use           `json:"using"`
	Plan      Plan          `json:"plan"`
	Left      time.Duration `json:"left"` // of a trial
}

// NewOwner prepares an Owner. A trial that a restart has interrupted is over.
func NewOwner(cfg OwnerConfig) *Owner {
	if cfg.Run == nil {
		cfg.Run = Run
	}
	if cfg.Free == nil {
		cfg.Free = free4
	}
	o := &Owner{cfg: cfg, asks: make(chan request)}
	o.trial.plan = cfg.Plan
	return o
}

// free4 tells whether nobody in the network of an interface has an address.
func free4(ctx context.Context, iface string, addr netip.Addr) (bool, error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return false, err
	}
	return askFor(ctx, ifi, addr)
}

// Standing tells how it stands.
func (o *Owner) Standing() Standing {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := Standing{Interface: o.iface, Using: o.using, Plan: o.trial.plan}
	if s.Plan.Trial != nil {
		s.Left = max(0, time.Until(o.trial.until))
	}
	return s
}

// Try puts a choice in force for TrialTime, unless somebody else has its address. Who has the token keeps it.
// Errors: ErrTrial, ErrTaken, ErrNoCable, those of Validate and of the disk.
func (o *Owner) Try(ctx context.Context, c Choice) (token string, err error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	now := o.Standing()
	switch {
	case now.Plan.Trial != nil:
		return "", ErrTrial
	case now.Interface == "":
		return "", ErrNoCable
	}
	if c.Fixed != nil && c.Fixed.Address.Addr() != now.Using.Address.Addr() {
		switch free, err := o.cfg.Free(ctx, now.Interface, c.Fixed.Address.Addr()); {
		case err != nil:
			return "", fmt.Errorf("ask whether the address is free: %w", err)
		case !free:
			return "", ErrTaken
		}
	}
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	token = hex.EncodeToString(b)
	return token, o.ask(ctx, proposed{c, token})
}

// Confirm keeps the choice on trial. Errors: ErrNoTrial, those of the disk.
func (o *Owner) Confirm(ctx context.Context, token string) error { return o.ask(ctx, confirmed{token}) }

// Recall takes the choice on trial back. Errors: ErrNoTrial, those of the disk.
func (o *Owner) Recall(ctx context.Context) error { return o.ask(ctx, recalled{}) }

func (o *Owner) ask(ctx context.Context, h happening) error {
	done := make(chan error, 1)
	select {
	case o.asks <- request{h, done}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// again is the pause after the network has ended by an error, which must not become a busy loop.
const again = time.Second

// grace is how long the old address stays after a change, so that who asked for it hears the answer.
const grace = 2 * time.Second

// Run keeps the network until ctx ends.
func (o *Owner) Run(ctx context.Context) {
	if err := o.happens(began{}); err != nil {
		o.cfg.Log.Error("the plan of the network is not kept", "err", err)
	}
	name, err := o.cfg.Wired(ctx)
	if err != nil {
		o.cfg.Log.Error("network", "err", err)
		return
	}
	o.mu.Lock()
	o.iface = name
	o.mu.Unlock()
	for ctx.Err() == nil {
		o.round(ctx, name)
	}
}

// round runs the network with one choice, until another holds.
func (o *Owner) round(ctx context.Context, name string) {
	choice := o.plan().current()
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- o.cfg.Run(running, Config{
			Log: o.cfg.Log, Interface: name, Host: o.cfg.Host, Choice: choice, Resolv: o.cfg.Resolv,
			Changed: func(u Use) { o.changed(name, u, choice) },
		})
	}()
	waits := true // for the end of Run
	defer func() {
		cancel()
		if waits {
			<-ended
		}
	}()
	var pause, leave <-chan time.Time
	for {
		var over <-chan time.Time
		if left := o.Standing(); left.Plan.Trial != nil {
			over = time.After(left.Left)
		}
		select {
		case <-ctx.Done():
			return
		case err := <-ended:
			waits = false
			if err != nil && ctx.Err() == nil {
				o.cfg.Log.Error("network ended, and begins anew", "err", err)
			}
			pause = time.After(again)
			ended = nil
		case <-pause:
			return
		case <-leave:
			return
		case r := <-o.asks:
			r.done <- o.happens(r.happens)
		case <-over:
			if err := o.happens(timePassed{}); err != nil {
				o.cfg.Log.Error("a change of the network is taken back, but not on the disk", "err", err)
			}
		}
		switch other := !reflect.DeepEqual(o.plan().current(), choice); {
		case !other:
			leave = nil
		case leave == nil:
			leave = time.After(grace)
		}
	}
}

func (o *Owner) plan() Plan {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.trial.plan
}

func (o *Owner) changed(name string, u Use, c Choice) {
	o.mu.Lock()
	o.using = u
	o.mu.Unlock()
	if o.cfg.Changed != nil {
		o.cfg.Changed(name, u, c)
	}
}

// happens changes the plan: on the disk first. What a disk that fails cannot keep does not happen, but the end of a
// trial does: the box must not stay where nobody finds it.
func (o *Owner) happens(h happening) error {
	o.mu.Lock()
	was := o.trial
	o.mu.Unlock()
	next, err := judge(was, time.Now(), h)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(next.plan, was.plan) {
		if err = o.cfg.Save(next.plan); err != nil {
			err = errors.Join(errors.New("the network stays as it is"), err)
		}
	}
	if err == nil || next.plan.Undone != "" {
		o.mu.Lock()
		o.trial = next
		o.mu.Unlock()
		if next.plan.Undone != was.plan.Undone {
			o.cfg.Log.Warn("network: trial ended", "undone", next.plan.Undone)
		}
	}
	return err
}
