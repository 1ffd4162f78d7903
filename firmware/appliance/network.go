package appliance

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/sip/nat"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// seenAt remembers at which address somebody outside of the own network sees the box.
func (b *Box) seenAt(f stack.Flow, now netip.AddrPort) {
	if !nat.Private(f.Remote.Addr()) {
		a := now.Addr().Unmap()
		b.seen.Store(&a)
	}
}

// network is the page's way to the network: through the first program of the box where that owns it.
func (b *Box) network() settings.Network {
	if b.opts.Gate == "" {
		return settings.Network{State: func(context.Context) page.NetworkState { return b.lookAround() }}
	}
	first := gate.NewClient(b.opts.Gate)
	return settings.Network{
		State: func(ctx context.Context) page.NetworkState { return b.ownNetwork(ctx, first) },
		Try: func(ctx context.Context, c page.NetworkChoice) (string, settings.Refusal) {
			token, err := first.Try(ctx, asked(c))
			return token, refusedNetwork(err)
		},
		Confirm: func(ctx context.Context, token string) settings.Refusal {
			return refusedNetwork(first.Confirm(ctx, token))
		},
		Recall: func(ctx context.Context) settings.Refusal { return refusedNetwork(first.Recall(ctx)) },
	}
}

// asked is a choice of the page in the words of the first program.
func asked(c page.NetworkChoice) gate.Choice {
	g := gate.Choice{DNS: c.DNS, NTP: c.NTP, Host: c.Host}
	if c.Fixed {
		g.Address, g.Router = c.Addr, c.Router
	}
	return g
}

func chosen(g gate.Choice) page.NetworkChoice {
	return page.NetworkChoice{Fixed: g.Address.IsValid(), Addr: g.Address, Router: g.Router, DNS: g.DNS, NTP: g.NTP, Host: g.Host}
}

// ownNetwork is how the network stands that the first program owns.
func (b *Box) ownNetwork(ctx context.Context, first *gate.Client) page.NetworkState {
	s := b.lookAround()
	s.Owned = true
	n, err := first.Network(ctx)
	if err != nil {
		s.Absent = err.Error()
		return s
	}
	s.Clock, s.Synced, s.Using = n.TimeFrom, n.Synced, n.Address.Addr()
	s.Names = []string{n.Host + ".local"}
	if n.Router.IsValid() {
		s.Router = n.Router.String()
	}
	s.DNS = nil
	for _, a := range n.DNS {
		s.DNS = append(s.DNS, a.String())
	}
	s.Held, s.Left, s.Undone, s.LostAt = chosen(n.Held), n.Left, n.Undone, onClock(n.LostAt, b.numbering.Load().plan.Zone)
	if n.Trial != nil {
		c := chosen(*n.Trial)
		s.Trial = &c
	}
	if n.Lost != nil {
		s.Lost = chosen(*n.Lost)
	}
	return s
}

// lookAround is what any program can see of the network.
func (b *Box) lookAround() page.NetworkState {
	s := page.NetworkState{NAT: "unknown"}
	var own []netip.Addr
	all, err := net.Interfaces()
	if err != nil {
		b.log.Warn("the interfaces are not known", "err", err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		x := page.Interface{Name: i.Name, Up: i.Flags&net.FlagRunning != 0, Hardware: i.HardwareAddr.String()}
		addrs, _ := i.Addrs() // none of an interface that went away
		for _, a := range addrs {
			x.Addresses = append(x.Addresses, a.String())
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				own = append(own, p.Addr())
			}
		}
		s.Interfaces = append(s.Interfaces, x)
	}
	if text, err := os.ReadFile("/proc/net/route"); err == nil {
		s.Router = dotted(wayOut(string(text)))
	}
	if text, err := os.ReadFile("/etc/resolv.conf"); err == nil {
		s.DNS = nameServers(string(text))
	}
	if host, err := os.Hostname(); err == nil {
		s.Names = []string{host}
	}
	if seen := b.seen.Load(); seen != nil {
		s.NAT, s.Public = translated(own, *seen), seen.String()
	}
	for _, e := range b.present.conditions() {
		if e.Condition == "sip_alg" && !e.OK {
			s.ALG = e.Text
		}
	}
	return s
}

func dotted(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// translated says who stands between the box and its carriers: nobody, a router, or a router behind another one.
func translated(own []netip.Addr, seen netip.Addr) string {
	switch {
	case slices.Contains(own, seen):
		return "none"
	case nat.Private(seen):
		return "double"
	default:
		return "router"
	}
}

// wayOut finds the default route of IPv4 in the kernel's table: lines of columns, addresses as numbers in the
// machine's order, here the smaller end first.
func wayOut(table string) (router netip.Addr) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil || len(b) != 4 {
			continue
		}
		slices.Reverse(b)
		if a := netip.AddrFrom4([4]byte(b)); !a.IsUnspecified() {
			return a
		}
	}
	return router
}

// nameServers reads resolv.conf(5).
func nameServers(text string) (all []string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			all = append(all, f[1])
		}
	}
	return all
}

// refusedNetwork is the sentence for why the first program did not do something.
func refusedNetwork(err error) settings.Refusal {
	if err == nil {
		return settings.Refusal{}
	}
	no := settings.Refusal{Sentence: "network.away", Detail: err.Error()}
	if r, ok := errors.AsType[*gate.Refused](err); ok {
		switch r.Code {
		case gate.CodeTaken:
			no.Sentence = "network.taken"
		case gate.CodeTrial:
			no.Sentence = "network.waits"
		case gate.CodeNoTrial:
			no.Sentence = "network.late"
		case gate.CodeNoCable:
			no.Sentence = "network.cable"
		case gate.CodeMistaken:
			no.Sentence = "network.mistaken"
		default:
			no.Sentence = "network.failed"
		}
	}
	return no
}
