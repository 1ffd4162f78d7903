package gsm_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// remedied is a desk whose modem is a USB device; remedies are told in their order, and cures says which one
// heals the modem.
func remedied(t *testing.T, cures string) (d *desk, tried func() []string) {
	var said []string
	var sim atomic.Pointer[gsmsim.Sim]
	lock := make(chan struct{}, 1)
	remedy := func(name string) func(context.Context, string) error {
		return func(_ context.Context, device string) error {
			lock <- struct{}{}
			said = append(said, name+" "+device)
			<-lock
			if name == cures {
				if err := sim.Load().HealAll(); err != nil {
					return err
				}
			}
			return sim.Load().Replug() // both look like this from the bus
		}
	}
	d = newDesk(t, func(_ *gsmsim.Config, g *gsm.Config) {
		g.Locate = func() ([]gsm.Ports, error) { return []gsm.Ports{{Command: "at", Audio: "pcm", Device: "1-1.2"}}, nil }
		g.Rebind, g.PowerCycle = remedy("rebind"), remedy("power")
		if cures == "supply" {
			g.Supply = supply{remedy("supply")}
		}
	})
	sim.Store(d.sim)
	return d, func() []string {
		lock <- struct{}{}
		defer func() { <-lock }()
		return slices.Clone(said)
	}
}

// supply is a pin at which a modem's supply hangs.
type supply struct {
	cut func(context.Context, string) error
}

func (s supply) Cycle(ctx context.Context) error { return s.cut(ctx, "pin") }
func (s supply) Close() error                    { return nil }

func TestEachRungOfTheLadderBringsAModemBackWithin40Seconds(t *testing.T) {
	tests := map[string]struct {
		fault, cures string
		want         []string
	}{
		"resync: a stuck prompt":                         {"stuck_prompt", "", nil},
		"the port opened anew: a modem that restarted":   {"restart", "", nil},
		"its own command: a modem that takes no setting": {"unset", "", nil},
		"USB rebind: a mute modem":                       {"mute", "rebind", []string{"rebind 1-1.2"}},
		"USB power: one that a rebind does not wake":     {"mute", "power", []string{"rebind 1-1.2", "power 1-1.2"}},
		"supply: one whose socket cannot be switched":    {"mute", "supply", []string{"rebind 1-1.2", "supply pin"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, tried := remedied(t, tt.cures)
				if !d.until(serviceBar, func() bool { return d.up }) {
					t.Fatalf("never in service: %+v", d.status)
				}
				if err := d.sim.Strike(tt.fault, ""); err != nil {
					t.Fatal(err)
				}
				if tt.fault == "unset" { // what it had is lost, else nobody would notice
					if err := d.sim.Say("\r\nRDY\r\n"); err != nil {
						t.Fatal(err)
					}
				}
				took := d.served(t, 2*time.Minute)
				if took > serviceBar {
					t.Errorf("a caller gets through after %v", took)
				}
				if got := tried(); !slices.Equal(got, tt.want) {
					t.Errorf("remedies %v, want %v", got, tt.want)
				}
				t.Logf("%v", took)
			})
		})
	}
}

func TestAModemThatNothingWakesIsAFaultWithANameAndServesOnceItIsPluggedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, tried := remedied(t, "")
		if !d.until(serviceBar, func() bool { return d.up }) {
			t.Fatalf("never in service: %+v", d.status)
		}
		if err := d.sim.Strike("mute", ""); err != nil {
			t.Fatal(err)
		}
		if !d.until(10*time.Minute, func() bool { return d.status.Cause == tel.LineStuck }) {
			t.Errorf("the page says %q", d.status.Cause)
		}
		time.Sleep(2 * time.Hour)
		// 300 s of back-off: a modem that is dead is not shaken all day.
		if n := len(tried()); n < 4 || n > 30 {
			t.Errorf("%d remedies in two hours: %v", n, tried())
		}
		if err := d.sim.Heal("mute"); err != nil { // somebody has plugged it anew
			t.Fatal(err)
		}
		if took := d.served(t, 2*time.Minute); took > serviceBar {
			t.Errorf("a caller gets through after %v", took)
		}
	})
}

func TestAModemThatComplainsOfItsPowerBeforeItGoesIsBlamedOnItsPower(t *testing.T) {
	for name, tt := range map[string]struct{ says, then string }{
		"it says good-bye":             {"UNDER-VOLTAGE POWER DOWN", ""},
		"it warns and falls off a bus": {"UNDER-VOLTAGE WARNNING", "unplug"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, nil)
				if !d.until(serviceBar, func() bool { return d.up }) {
					t.Fatalf("never in service: %+v", d.status)
				}
				if err := d.sim.Say("\r\n" + tt.says + "\r\n"); err != nil {
					t.Fatal(err)
				}
				if tt.then != "" {
					time.Sleep(time.Second)
					if !d.up {
						t.Error("a warning ended the service")
					}
					if err := d.sim.Strike(tt.then, ""); err != nil {
						t.Fatal(err)
					}
				}
				if !d.until(time.Minute, func() bool { return d.status.Cause == tel.LineModemPower }) {
					t.Errorf("the page says %q", d.status.Cause)
				}
				_ = d.sim.HealAll()
				if took := d.served(t, 2*time.Minute); took > serviceBar {
					t.Errorf("a caller gets through after %v", took)
				}
			})
		})
	}
}
