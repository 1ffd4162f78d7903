package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// Config says which interface gets an address and who is told.
type Config struct {
	Log       *slog.Logger
	Interface string
	Host      string    // name that servers are told
	Choice    Choice    // of its owner
	Resolv    string    // file that names the DNS servers, resolv.conf(5)
	Changed   func(Use) // called by the goroutine of Run, at each change of what is used
}

// runtime does what next says. Its goroutine owns it.
type runtime struct {
	cfg    Config
	ifi    *net.Interface
	state  state
	using  Use
	events chan event
	client client
	timer  *time.Timer

	asking, probing, guarding func() // end an exchange that goes on, and wait for it
	guarded                   netip.Addr
}

// Run keeps the interface in the state that next wants, until ctx ends. The address stays then: calls end
// after it.
func Run(ctx context.Context, cfg Config) error {
	link, err := netlink.LinkByName(cfg.Interface)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("network %s: %w", cfg.Interface, err)
	}
	ifi, err := net.InterfaceByName(cfg.Interface)
	if err != nil {
		return fmt.Errorf("network %s: %w", cfg.Interface, err)
	}
	if len(ifi.HardwareAddr) != 6 {
		return fmt.Errorf("network %s: no Ethernet", cfg.Interface)
	}
	r := &runtime{
		cfg: cfg, ifi: ifi, events: make(chan event), client: client{name: cfg.Interface, host: cfg.Host},
		state: state{seed: seedOf(ifi.HardwareAddr)}, timer: time.NewTimer(0), asking: func() {}, probing: func() {}, guarding: func() {},
	}
	<-r.timer.C
	if f := cfg.Choice.Fixed; f != nil {
		r.state.fixed = &Use{Address: f.Address, Router: f.Router, DNS: f.DNS}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	failed := make(chan error, 1)
	watching.Go(func() { failed <- cable(ctx, cfg.Interface, func(up bool) { r.tellCable(ctx, up) }) })
	defer watching.Wait()
	defer cancel()
	defer func() { r.asking(); r.probing(); r.guarding(); r.timer.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case e := <-r.events:
			r.step(ctx, e)
		case <-r.timer.C:
			r.step(ctx, clock{})
		}
	}
}

// seedOf makes a number of the interface's own address.
func seedOf(hardware net.HardwareAddr) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(hardware)
	return h.Sum64()
}

func (r *runtime) tellCable(ctx context.Context, up bool) {
	var e event = cableOut{}
	if up {
		e = cableIn{}
	}
	r.tell(ctx, e)
}

func (r *runtime) tell(ctx context.Context, e event) {
	select {
	case r.events <- e:
	case <-ctx.Done():
	}
}

func (r *runtime) step(ctx context.Context, e event) {
	var effects []effect
	was := r.state.cable
	r.state, effects = next(r.state, time.Now(), e)
	if r.state.cable != was {
		r.cfg.Log.Info("network cable", "interface", r.cfg.Interface, "in", r.state.cable)
	}
	if _, out := e.(cableOut); out {
		r.asking()
		r.probing()
	}
	for _, f := range effects {
		switch f := f.(type) {
		case discover:
			r.ask(ctx, false)
		case renew:
			r.ask(ctx, true)
		case probe:
			r.probe(ctx, f)
		case wake:
			r.timer.Reset(time.Until(f.at))
		case set:
			r.use(f.use)
		case defend:
			r.cfg.Log.Warn("somebody else uses our address; we say that it is ours", "address", f.addr)
			if err := announce(r.ifi, f.addr); err != nil {
				r.cfg.Log.Warn("address not defended", "err", err)
			}
		}
	}
	r.guard(ctx)
}

// guard listens for who else uses the address that we took ourselves, for as long as we have it.
func (r *runtime) guard(ctx context.Context) {
	addr := r.state.self
	if addr == r.guarded {
		return
	}
	r.guarding()
	r.guarded, r.guarding = addr, func() {}
	if !addr.IsValid() {
		return
	}
	r.guarding = r.background(ctx, r.guarding, func(ctx context.Context) event {
		if err := guard(ctx, r.ifi, addr, func() { r.tell(ctx, disputed{}) }); err != nil {
			r.cfg.Log.Warn("address not guarded", "err", err)
		}
		return nil
	})
}

// background runs one exchange; what it tells after it was ended is not heard.
func (r *runtime) background(ctx context.Context, old func(), do func(ctx context.Context) event) (end func()) {
	old()
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if e := do(ctx); e != nil && ctx.Err() == nil {
			r.tell(ctx, e)
		}
	})
	return func() { cancel(); running.Wait() }
}

func (r *runtime) ask(ctx context.Context, again bool) {
	r.asking = r.background(ctx, r.asking, func(ctx context.Context) event {
		lease, err := r.client.ask(ctx, again)
		switch {
		case errors.Is(err, errRefused):
			return refused{}
		case err != nil:
			r.cfg.Log.Info("no address from a server", "err", err)
			return silence{}
		default:
			return granted{lease}
		}
	})
}

func (r *runtime) probe(ctx context.Context, p probe) {
	r.probing = r.background(ctx, r.probing, func(ctx context.Context) event {
		ok, err := askFor(ctx, r.ifi, p.addr)
		if err != nil {
			r.cfg.Log.Warn("address not tried", "address", p.addr, "err", err)
		}
		if !ok {
			return occupied{}
		}
		return free{}
	})
}

func (r *runtime) use(u Use) {
	u = r.cfg.Choice.over(u)
	if same(u, r.using) {
		return
	}
	if err := configure(r.cfg.Interface, u); err != nil {
		r.cfg.Log.Error("interface not configured", "err", err)
	}
	if err := writeResolv(r.cfg.Resolv, u); err != nil {
		r.cfg.Log.Error("name servers not written down", "err", err)
	}
	r.using = u
	r.cfg.Log.Info("network", "interface", r.cfg.Interface, "address", u.Address, "router", u.Router, "dns", u.DNS)
	if r.cfg.Changed != nil {
		r.cfg.Changed(u)
	}
}

func writeResolv(path string, u Use) error {
	var b bytes.Buffer
	for _, a := range u.DNS {
		fmt.Fprintf(&b, "nameserver %v\n", a)
	}
	part := path + ".part"
	if err := os.WriteFile(part, b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(part, path)
}
