package trunk

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

const (
	addressCheck = 10 * time.Second // between two looks at our own address towards the carrier
	stunPort     = 3478             // RFC 8489 section 8
)

// path keeps the way to the carrier open: what is advertised there, the mark of what we send there, the
// keep-alives of the flow that carries calls, and the watch over our own address. It belongs to the
// trunk's goroutine.
type path struct {
	flow       stack.Flow
	stops      []func()
	advertised map[netip.Addr]bool
	marked     []netip.Prefix
	unmark     func() // nil while nothing is marked
}

// prepare readies the way to the servers that are tried now.
func (p *path) prepare(t *Trunk, s state) {
	p.mark(t, s)
	p.advertise(t, s)
}

// mark has everything to the carrier's servers, and to the addresses that its calls come from, carry the
// mark that it wants.
func (p *path) mark(t *Trunk, s state) {
	if t.cfg.DSCP == 0 {
		return
	}
	want := slices.Clone(t.cfg.Sources)
	for _, f := range append([]stack.Flow{s.trial}, s.targets...) {
		if addr := f.Remote.Addr(); addr.IsValid() {
			want = append(want, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	slices.SortFunc(want, netip.Prefix.Compare)
	if want = slices.Compact(want); slices.Equal(want, p.marked) {
		return
	}
	before := p.unmark
	p.marked, p.unmark = want, t.stack.Mark(want, t.cfg.DSCP)
	if before != nil {
		before() // after the new one: no packet in between goes without
	}
}

// advertise has our Contact name our public address to the carrier's servers.
func (p *path) advertise(t *Trunk, s state) {
	public := t.cfg.Public
	if !public.Addr().IsValid() && (t.cfg.Seen || t.cfg.STUN != "") {
		public = s.seen
		if s.trial.Transport != "udp" && public.IsValid() {
			public = netip.AddrPortFrom(public.Addr(), 0) // the port of a connection is nobody's to call
		}
	}
	if !public.Addr().IsValid() {
		return
	}
	if p.advertised == nil {
		p.advertised = map[netip.Addr]bool{}
	}
	for _, f := range append([]stack.Flow{s.trial}, s.targets...) { // a call may try each
		p.advertised[f.Remote.Addr()] = true
		t.stack.Advertise(f.Remote.Addr(), public)
	}
}

// follow moves the keep-alives and the watch to the flow that carries calls now.
func (p *path) follow(t *Trunk, s state) {
	want := s.flow
	if !s.up || s.leaving || !want.Remote.IsValid() {
		want = stack.Flow{}
	}
	if want == p.flow {
		return
	}
	p.stop()
	if p.flow = want; !want.Remote.IsValid() {
		return
	}
	p.stops = []func(){
		t.stack.KeepAlive(want, stack.KeepAlive{Every: t.cfg.KeepAlive}, func() { t.tell(displaced{}) }),
		t.stack.WatchAddress(want.Remote, addressCheck, func(was, now netip.Addr) {
			t.log.Info("our address towards the carrier changed", "was", was, "now", now)
			t.tell(displaced{})
		}),
	}
}

func (p *path) stop() {
	for _, stop := range p.stops {
		stop()
	}
	p.stops = nil
}

// release gives everything back.
func (p *path) release(s Stack) {
	p.stop()
	for remote := range p.advertised {
		s.Advertise(remote, netip.AddrPort{})
	}
	if p.unmark != nil {
		p.unmark()
	}
}

// outside asks the STUN server where our SIP socket is seen.
func (t *Trunk) outside(ctx context.Context) (netip.AddrPort, error) {
	host, err := hostURI(t.cfg.STUN)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host.Port == 0 {
		host.Port = stunPort
	}
	targets, err := t.stack.Targets(ctx, host, "udp")
	if err != nil {
		return netip.AddrPort{}, err
	}
	return t.stack.STUN(ctx, targets[0].Flow.Remote)
}
