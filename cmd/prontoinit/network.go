package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/clock"
	"github.com/pronto-pbx/pronto/board/firewall"
	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/board/mdns"
	"github.com/pronto-pbx/pronto/board/network"
)

// loadPlan reads what the owner wants of the network.
func loadPlan(log *slog.Logger) network.Plan {
	p, err := network.LoadPlan(filepath.Join(dataDir, network.PlanFile), filepath.Join(dataDir, network.File))
	if err != nil {
		log.Error("what was chosen for the network is lost in part", "err", err)
	}
	return p
}

// newNetwork prepares the owner of the network, who tells the others what it offers.
func newNetwork(log *slog.Logger, plan network.Plan, host string, keeper *clock.Keeper, names *mdns.Responder, wall *firewall.Wall) *network.Owner {
	return network.NewOwner(network.OwnerConfig{
		Log: log, Plan: plan, Host: host, Resolv: "/run/resolv.conf",
		Save:  func(p network.Plan) error { return network.SavePlan(filepath.Join(dataDir, network.PlanFile), p) },
		Wired: wired,
		Changed: func(iface string, u network.Use, c network.Choice) {
			keeper.Choose(c.NTP)
			keeper.Network(u.NTP)
			names.Use(iface, u.Address)
			wall.On(iface)
		},
	})
}

// wired waits for an interface with a cable.
func wired(ctx context.Context) (string, error) {
	return network.Wired(ctx, "/sys/class/net", 5*time.Second)
}

// openGate lets the exchange and the updater ask; without it a box works, its network cannot be changed on the page, and
// it takes no updates.
func (b *box) openGate(ctx context.Context, exchange gate.Room, updates gate.Updates) {
	l, err := gate.Listen(gate.Path)
	if err != nil {
		b.log.Error("nobody can ask about the network and the slots", "err", err)
		return
	}
	b.rooms.Go(func() {
		if err := gate.Serve(ctx, b.log, l, gate.Doors{account.Exchange: exchange, account.Updates: updates}); err != nil {
			b.log.Error("nobody can ask about the network and the slots any more", "err", err)
		}
	})
}

// room is what the first program does for the exchange.
func room(net *network.Owner, host string, keeper *clock.Keeper, restart func(), killed func() []gate.Kill) gate.Room {
	return gate.Room{
		Network: func() gate.Network {
			s := net.Standing()
			n := gate.Network{
				Interface: s.Interface, Address: s.Using.Address, Router: s.Using.Router, DNS: s.Using.DNS, Offered: s.Using.NTP, Host: host,
				Synced: keeper.Synced(), TimeFrom: keeper.From(), Held: toGate(s.Plan.Held), Left: s.Left, Undone: string(s.Plan.Undone), LostAt: s.Plan.UndoneAt,
			}
			if s.Plan.Trial != nil {
				c := toGate(*s.Plan.Trial)
				n.Trial = &c
			}
			if s.Plan.Lost != nil {
				c := toGate(*s.Plan.Lost)
				n.Lost = &c
			}
			return n
		},
		Try: func(ctx context.Context, c gate.Choice) (string, error) {
			x := fromGate(c)
			if err := x.Validate(); err != nil {
				return "", &gate.Refused{Code: gate.CodeMistaken, Text: err.Error()}
			}
			token, err := net.Try(ctx, x)
			return token, refused(err)
		},
		Confirm: func(ctx context.Context, token string) error { return refused(net.Confirm(ctx, token)) },
		Recall:  func(ctx context.Context) error { return refused(net.Recall(ctx)) },
		Restart: restart, Killed: killed,
	}
}

// refused is a refusal with its code; other errors stay.
func refused(err error) error {
	for _, x := range []struct {
		err  error
		code string
	}{
		{network.ErrTrial, gate.CodeTrial}, {network.ErrNoTrial, gate.CodeNoTrial}, {network.ErrTaken, gate.CodeTaken}, {network.ErrNoCable, gate.CodeNoCable},
	} {
		if errors.Is(err, x.err) {
			return &gate.Refused{Code: x.code, Text: err.Error()}
		}
	}
	return err
}

func toGate(c network.Choice) gate.Choice {
	g := gate.Choice{DNS: c.DNS, NTP: c.NTP, Host: c.Host}
	if f := c.Fixed; f != nil {
		g.Address, g.Router = f.Address, f.Router
		if len(g.DNS) == 0 {
			g.DNS = f.DNS
		}
	}
	return g
}

func fromGate(g gate.Choice) network.Choice {
	c := network.Choice{DNS: g.DNS, NTP: g.NTP, Host: g.Host}
	if g.Address.Addr().IsValid() || g.Router != (netip.Addr{}) {
		c.Fixed = &network.Fixed{Address: g.Address, Router: g.Router}
	}
	return c
}
