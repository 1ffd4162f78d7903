package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"

	"github.com/pronto-pbx/pronto/board/clock"
	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/board/network"
)

func TestWhatTheExchangeAsksForIsWhatTheNetworkBecomes(t *testing.T) {
	inUse := make(chan network.Choice, 4)
	owner := network.NewOwner(network.OwnerConfig{
		Log: slog.New(slog.DiscardHandler), Save: func(network.Plan) error { return nil },
		Wired: func(context.Context) (string, error) { return "eth0", nil },
		Free: func(_ context.Context, _ string, a netip.Addr) (bool, error) {
			return a.String() != "192.168.1.66", nil
		},
		Run: func(ctx context.Context, c network.Config) error {
			c.Changed(network.Use{Address: netip.MustParsePrefix("192.168.1.50/24"), NTP: []netip.Addr{netip.MustParseAddr("192.168.1.9")}})
			inUse <- c.Choice
			<-ctx.Done()
			return nil
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); owner.Run(ctx) }()
	defer func() { cancel(); <-done }()
	<-inUse // what it begins with
	restarts := 0
	r := room(owner, "pronto-9qxa", clock.New(clock.Config{}), func() { restarts++ }, func() []gate.Kill { return nil })
	if n := r.Network(); n.Address.String() != "192.168.1.50/24" || n.Interface != "eth0" || n.Host != "pronto-9qxa" || len(n.Offered) != 1 || n.Synced {
		t.Errorf("%+v", n)
	}
	fixed := gate.Choice{Address: netip.MustParsePrefix("192.168.1.20/24"), Router: netip.MustParseAddr("192.168.1.1"), DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, NTP: []string{"ntp1.inrim.it"}, Host: "centralino"}
	for _, tc := range []struct {
		want string
		c    gate.Choice
	}{
		{gate.CodeMistaken, gate.Choice{Router: netip.MustParseAddr("192.168.1.1")}},
		{gate.CodeMistaken, gate.Choice{Host: "no name"}},
		{gate.CodeTaken, gate.Choice{Address: netip.MustParsePrefix("192.168.1.66/24")}},
	} {
		if _, err := r.Try(t.Context(), tc.c); code(err) != tc.want {
			t.Errorf("%+v: %v", tc.c, err)
		}
	}
	token, err := r.Try(t.Context(), fixed)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Network(); n.Trial == nil || !reflect.DeepEqual(*n.Trial, fixed) || n.Left <= 0 {
		t.Errorf("%+v", n)
	}
	if got := <-inUse; got.Fixed == nil || got.Fixed.Address != fixed.Address || got.Fixed.Router != fixed.Router || got.Host != "centralino" || got.NTP[0] != "ntp1.inrim.it" {
		t.Errorf("in use is %+v", got)
	}
	if _, err := r.Try(t.Context(), fixed); code(err) != gate.CodeTrial {
		t.Errorf("a second: %v", err)
	}
	if err := r.Confirm(t.Context(), "guess"); code(err) != gate.CodeNoTrial {
		t.Errorf("a guess: %v", err)
	}
	if err := r.Confirm(t.Context(), token); err != nil {
		t.Error(err)
	}
	if err := r.Recall(t.Context()); code(err) != gate.CodeNoTrial || !reflect.DeepEqual(r.Network().Held, fixed) {
		t.Errorf("%v, %+v", err, r.Network().Held)
	}
	r.Restart()
	if restarts != 1 {
		t.Error("the box was not restarted")
	}
}

// code is that of a refusal.
func code(err error) string {
	if r, ok := errors.AsType[*gate.Refused](err); ok {
		return r.Code
	}
	return "none"
}
