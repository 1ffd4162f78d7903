package network

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// at77 is a fixed address in 192.168.77.0/24.
func at77(last byte) Choice {
	return Choice{Fixed: &Fixed{Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 77, last}), 24)}}
}

func TestAChangeIsKeptOnlyByWhoConfirmsItInTime(t *testing.T) {
	t0 := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	held, wanted := at77(10), at77(20)
	onTrial := []happening{proposed{wanted, "secret"}}
	for _, tc := range []struct {
		name   string
		after  []happening
		late   time.Duration
		last   happening
		err    error
		uses   Choice
		undone Undone
	}{
		{"proposed, it is used at once", nil, 0, proposed{wanted, "secret"}, nil, wanted, ""},
		{"confirmed, it stays", onTrial, time.Second, confirmed{"secret"}, nil, wanted, ""},
		{"confirmed with a wrong token, it waits on", onTrial, time.Second, confirmed{"guess"}, ErrNoTrial, wanted, ""},
		{"confirmed without a token, it waits on", onTrial, time.Second, confirmed{}, ErrNoTrial, wanted, ""},
		{"a second change must wait", onTrial, time.Second, proposed{at77(30), "other"}, ErrTrial, wanted, ""},
		{"just before its time is over it is used", onTrial, TrialTime - 1, timePassed{}, nil, wanted, ""},
		{"when its time is over the old one is back", onTrial, TrialTime, timePassed{}, nil, held, NotConfirmed},
		{"taken back by who made it", onTrial, time.Second, recalled{}, nil, held, GivenUp},
		{"a box that starts meanwhile has the old one", onTrial, time.Second, began{}, nil, held, Restarted},
		{"confirmed too late, nothing changes", append(onTrial, timePassed{}), TrialTime, confirmed{"secret"}, ErrNoTrial, held, NotConfirmed},
		{"there is nothing to take back", nil, 0, recalled{}, ErrNoTrial, held, ""},
		{"a start without a trial changes nothing", nil, 0, began{}, nil, held, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := trial{plan: Plan{Held: held}}
			for i, h := range tc.after {
				now := t0
				if i > 0 {
					now = t0.Add(tc.late)
				}
				var err error
				if s, err = judge(s, now, h); err != nil {
					t.Fatal(err)
				}
			}
			s, err := judge(s, t0.Add(tc.late), tc.last)
			if !errors.Is(err, tc.err) || err != nil && tc.err == nil || !reflect.DeepEqual(s.plan.current(), tc.uses) || s.plan.Undone != tc.undone {
				t.Errorf("%v, uses %+v, undone %q; want %v, %+v, %q", err, s.plan.current(), s.plan.Undone, tc.err, tc.uses, tc.undone)
			}
		})
	}
}

// Whatever happens, the choice that is held was held before or has been confirmed, and nothing is on trial when its
// time is over and somebody looks.
func TestOnlyWhatWasConfirmedIsEverHeld(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		s, good := trial{plan: Plan{Held: at77(1)}}, at77(1)
		var token string
		for range 60 {
			now = now.Add(time.Duration(r.IntN(60)) * time.Second)
			var h happening
			switch r.IntN(6) {
			case 0:
				h = proposed{at77(byte(2 + r.IntN(200))), string(rune('a' + r.IntN(3)))}
			case 1:
				h = confirmed{[]string{"", token, "wrong"}[r.IntN(3)]}
			case 2:
				h = recalled{}
			case 3:
				h = began{}
			default:
				h = timePassed{}
			}
			was := s
			var err error
			s, err = judge(s, now, h)
			if p, ok := h.(proposed); ok && err == nil {
				token = p.token
			}
			if _, ok := h.(confirmed); ok && err == nil {
				good = *was.plan.Trial
			}
			if !reflect.DeepEqual(s.plan.Held, good) {
				t.Fatalf("seed %d: holds %+v after %#v, confirmed was %+v", seed, s.plan.Held, h, good)
			}
			if _, looked := h.(timePassed); looked && s.plan.Trial != nil && !now.Before(s.until) {
				t.Fatalf("seed %d: a trial outlives its time", seed)
			}
		}
	}
}

func TestAChoiceThatCannotWorkIsRefusedInWords(t *testing.T) {
	for name, c := range map[string]Choice{
		"a network of two addresses":  {Fixed: &Fixed{Address: netip.MustParsePrefix("10.0.0.1/31")}},
		"the network itself":          {Fixed: &Fixed{Address: netip.MustParsePrefix("10.0.0.0/24")}},
		"a router elsewhere":          {Fixed: &Fixed{Address: netip.MustParsePrefix("10.0.0.2/24"), Router: netip.MustParseAddr("10.0.1.1")}},
		"no name server":              {DNS: []netip.Addr{{}}},
		"five name servers":           {DNS: make([]netip.Addr, 5)},
		"a name with a space":         {Host: "my box"},
		"a name that is a path":       {Host: "../x"},
		"a time server with a space":  {NTP: []string{"ntp server"}},
		"a time server that is empty": {NTP: []string{""}},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, c := range map[string]Choice{
		"nothing": {}, "a name": {Host: "centralino-1"}, "servers": {DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, NTP: []string{"ntp1.inrim.it", "192.168.1.1"}}, "an address": at77(3),
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThePlanComesBackFromTheDiskAndFromWhoBuiltTheBox(t *testing.T) {
	dir := t.TempDir()
	plan, fixed := filepath.Join(dir, PlanFile), filepath.Join(dir, File)
	if p, err := LoadPlan(plan, fixed); err != nil || !reflect.DeepEqual(p, Plan{}) {
		t.Errorf("with nothing: %+v, %v", p, err)
	}
	if err := SaveFixed(fixed, *at77(10).Fixed); err != nil {
		t.Fatal(err)
	}
	if p, err := LoadPlan(plan, fixed); err != nil || !reflect.DeepEqual(p.Held, at77(10)) {
		t.Errorf("of who built it: %+v, %v", p, err)
	}
	wanted := at77(20)
	want := Plan{Held: at77(10), Trial: &wanted}
	if err := SavePlan(plan, want); err != nil {
		t.Fatal(err)
	}
	if p, err := LoadPlan(plan, fixed); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.WriteFile(plan, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := LoadPlan(plan, fixed); err == nil || !reflect.DeepEqual(p.Held, at77(10)) {
		t.Errorf("damaged: %+v, %v", p, err)
	}
}
