package network

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// desk is an Owner over a network in memory.
type desk struct {
	*Owner
	mu    sync.Mutex
	saved []Plan
	full  bool // the disk takes nothing
	taken map[netip.Addr]bool
	uses  []Choice
	ends  chan error // ends the network by an error
}

func newDesk(t *testing.T, p Plan) *desk {
	d := &desk{taken: map[netip.Addr]bool{}, ends: make(chan error)}
	d.Owner = NewOwner(OwnerConfig{
		Log: slog.New(slog.DiscardHandler), Plan: p, Host: "box",
		Save: func(p Plan) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.full {
				return errors.New("no space left")
			}
			d.saved = append(d.saved, p)
			return nil
		},
		Wired: func(context.Context) (string, error) { return "eth0", nil },
		Free: func(_ context.Context, iface string, a netip.Addr) (bool, error) {
			return iface == "eth0" && !d.taken[a], nil
		},
		Run: func(ctx context.Context, c Config) error {
			u := Use{Address: netip.MustParsePrefix("192.168.77.50/24")} // of the DHCP server
			if f := c.Choice.Fixed; f != nil {
				u = Use{Address: f.Address}
			}
			d.mu.Lock()
			d.uses = append(d.uses, c.Choice)
			d.mu.Unlock()
			c.Changed(c.Choice.over(u))
			select {
			case <-ctx.Done():
				return nil
			case err := <-d.ends:
				return err
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return d
}

// disk fills the disk, or makes room on it.
func (d *desk) disk(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func (d *desk) at(t *testing.T, want string) {
	t.Helper()
	time.Sleep(grace)
	synctest.Wait()
	if got := d.Standing().Using.Address.String(); got != want {
		t.Errorf("the box is at %s, want %s", got, want)
	}
}

func TestAnAddressThatNobodyConfirmsIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, Plan{})
		d.at(t, "192.168.77.50/24")
		if _, err := d.Try(t.Context(), at77(20)); err != nil {
			t.Fatal(err)
		}
		d.at(t, "192.168.77.20/24")
		if got := d.saved[len(d.saved)-1]; got.Trial == nil {
			t.Error("the trial is not on the disk")
		}
		time.Sleep(TrialTime - 2*grace - time.Second)
		d.at(t, "192.168.77.20/24")
		if left := d.Standing().Left; left != time.Second {
			t.Errorf("%v left", left)
		}
		time.Sleep(time.Second)
		d.at(t, "192.168.77.50/24")
		if p := d.Standing().Plan; p.Undone != NotConfirmed || p.Trial != nil || !reflect.DeepEqual(*p.Lost, at77(20)) || !reflect.DeepEqual(p, d.saved[len(d.saved)-1]) {
			t.Errorf("%+v", p)
		}
	})
}

func TestAnAddressThatIsConfirmedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, Plan{})
		token, err := d.Try(t.Context(), at77(20))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Confirm(t.Context(), "guess"); !errors.Is(err, ErrNoTrial) {
			t.Errorf("a guess: %v", err)
		}
		if _, err := d.Try(t.Context(), at77(30)); !errors.Is(err, ErrTrial) {
			t.Errorf("a second change: %v", err)
		}
		if err := d.Confirm(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * TrialTime)
		d.at(t, "192.168.77.20/24")
		if got := d.saved[len(d.saved)-1]; !reflect.DeepEqual(got, Plan{Held: at77(20)}) {
			t.Errorf("on the disk is %+v", got)
		}
		if len(d.uses) != 2 {
			t.Errorf("the network began %d times: the confirmation disturbed it", len(d.uses))
		}
	})
}

func TestATrialThatAPowerCutInterruptsIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wanted := at77(20)
		d := newDesk(t, Plan{Held: at77(10), Trial: &wanted})
		d.at(t, "192.168.77.10/24")
		if p := d.Standing().Plan; p.Undone != Restarted || p.Trial != nil {
			t.Errorf("%+v", p)
		}
		if len(d.uses) != 1 {
			t.Errorf("the address on trial was used again: %+v", d.uses)
		}
	})
}

func TestNoChangeLeavesTheBoxWhereNobodyFindsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, Plan{Held: at77(10)})
		d.taken[netip.MustParseAddr("192.168.77.20")] = true
		if _, err := d.Try(t.Context(), at77(20)); !errors.Is(err, ErrTaken) {
			t.Errorf("an address that somebody has: %v", err)
		}
		if _, err := d.Try(t.Context(), Choice{Host: "a b"}); err == nil {
			t.Error("a name that is none was taken")
		}
		d.disk(true)
		if _, err := d.Try(t.Context(), at77(30)); err == nil {
			t.Error("a change that is not on the disk was taken")
		}
		d.at(t, "192.168.77.10/24")
		d.disk(false)
		if _, err := d.Try(t.Context(), at77(30)); err != nil {
			t.Fatal(err)
		}
		d.disk(true)
		time.Sleep(TrialTime)
		d.at(t, "192.168.77.10/24") // the disk fails, and the old address is back all the same
		d.disk(false)
		if err := d.Recall(t.Context()); !errors.Is(err, ErrNoTrial) {
			t.Errorf("taking back what is over: %v", err)
		}
		if _, err := d.Try(t.Context(), Choice{}); err != nil {
			t.Fatal(err)
		}
		d.at(t, "192.168.77.50/24")
		if err := d.Recall(t.Context()); err != nil {
			t.Error(err)
		}
		d.at(t, "192.168.77.10/24")
	})
}

func TestANetworkThatEndsByAnErrorBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, Plan{Held: at77(10)})
		d.ends <- errors.New("the kernel tells no more")
		time.Sleep(again)
		synctest.Wait()
		if len(d.uses) != 2 {
			t.Errorf("it began %d times", len(d.uses))
		}
		if _, err := d.Try(t.Context(), at77(20)); err != nil {
			t.Error(err)
		}
		d.at(t, "192.168.77.20/24")
	})
}
