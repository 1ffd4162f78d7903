package network

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	begin  = time.Unix(1000, 0)
	office = Lease{
		Address: netip.MustParsePrefix("192.168.1.50/24"), Router: netip.MustParseAddr("192.168.1.1"), DNS: []netip.Addr{netip.MustParseAddr("192.168.1.1")},
		Begun: begin, Renew: begin.Add(30 * time.Minute), Ends: begin.Add(time.Hour),
	}
	inOffice = Use{Address: office.Address, Router: office.Router, DNS: office.DNS}
	byHand   = Use{Address: netip.MustParsePrefix("10.0.0.5/8")}
)

func at(d time.Duration) time.Time { return begin.Add(d) }

func self(taken int) netip.Addr { return candidate(state{taken: taken}) }

// step is one event and what it must lead to.
type step struct {
	after time.Duration // since the beginning
	e     event
	want  []effect
}

func TestAnInterfaceFindsAnAddress(t *testing.T) {
	for _, tc := range []struct {
		name  string
		s     state
		steps []step
	}{
		{"from a server, and renews it at half of its time", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{0, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
			{30 * time.Minute, clock{}, []effect{renew{office}}},
		}},
		{"which is fixed, without asking anybody", state{fixed: &byHand}, []step{
			{0, cableIn{}, []effect{set{byHand}}},
			{time.Hour, clock{}, nil},
		}},
		{"of its own, which it defends once and leaves to who claims it again soon", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{10 * time.Second, silence{}, []effect{probe{self(0)}, wake{at(15 * time.Second)}}},
			{11 * time.Second, disputed{}, nil}, // not ours yet
			{12 * time.Second, free{}, []effect{set{Use{Address: netip.PrefixFrom(self(0), 16)}}}},
			{13 * time.Second, disputed{}, []effect{defend{self(0)}}},
			{24 * time.Second, disputed{}, []effect{defend{self(0)}}},
			{30 * time.Second, disputed{}, []effect{set{}, probe{self(1)}, wake{at(15 * time.Second)}}},
			{32 * time.Second, free{}, []effect{set{Use{Address: netip.PrefixFrom(self(1), 16)}}}},
		}},
		{"of its own where no server is, and goes on asking", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{10 * time.Second, silence{}, []effect{probe{self(0)}, wake{at(15 * time.Second)}}},
			{12 * time.Second, free{}, []effect{set{Use{Address: netip.PrefixFrom(self(0), 16)}}}},
			{15 * time.Second, clock{}, []effect{discover{}}},
			{25 * time.Second, silence{}, []effect{wake{at(35 * time.Second)}}},
			{35 * time.Second, clock{}, []effect{discover{}}},
			{36 * time.Second, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
		}},
		{"another one when somebody has the first", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{0, silence{}, []effect{probe{self(0)}, wake{at(retryMin)}}},
			{0, occupied{}, []effect{probe{self(1)}}},
			{0, free{}, []effect{set{Use{Address: netip.PrefixFrom(self(1), 16)}}}},
		}},
		{"and keeps it while the cable is out for a moment", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{0, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
			{time.Minute, cableOut{}, nil},
			{2 * time.Minute, cableIn{}, []effect{renew{office}}},
			{2 * time.Minute, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
		}},
		{"anew in another network", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{0, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
			{time.Minute, cableOut{}, nil},
			{2 * time.Minute, cableIn{}, []effect{renew{office}}},
			{2 * time.Minute, refused{}, []effect{set{}, discover{}}},
		}},
		{"from another server when its own falls silent, and gives it up at the end", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{0, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
			{30 * time.Minute, clock{}, []effect{renew{office}}},
			{30 * time.Minute, silence{}, []effect{wake{at(30*time.Minute + retryMin)}}},
			{31 * time.Minute, clock{}, []effect{discover{}}},
			{59*time.Minute + 59*time.Second, silence{}, []effect{wake{office.Ends}}},
			{time.Hour, clock{}, []effect{set{}, discover{}}},
		}},
		{"later, when ten that it tried are taken", state{taken: manyTaken - 1, trial: self(manyTaken - 1), cable: true}, []step{
			{0, occupied{}, []effect{wake{at(rateInterval)}}},
			{rateInterval, clock{}, []effect{discover{}}},
		}},
		{"and is not disturbed by an early clock or a second report of the cable", state{}, []step{
			{0, cableIn{}, []effect{discover{}}},
			{0, cableIn{}, nil},
			{0, granted{office}, []effect{set{inOffice}, wake{office.Renew}}},
			{time.Minute, clock{}, nil},
			{time.Minute, free{}, nil},
			{time.Minute, occupied{}, nil},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.s
			for i, st := range tc.steps {
				var got []effect
				s, got = next(s, at(st.after), st.e)
				if !reflect.DeepEqual(got, st.want) {
					t.Fatalf("step %d, %T: %+v, want %+v", i, st.e, got, st.want)
				}
			}
		})
	}
}

func TestAddressesOfItsOwnLieWhereRFC3927LeavesThem(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for seed := range uint64(2000) {
		a := candidate(state{seed: seed}).As4()
		if a[0] != 169 || a[1] != 254 || a[2] < 1 || a[2] > 254 {
			t.Fatalf("%v", a)
		}
		seen[netip.AddrFrom4(a)] = true
	}
	if len(seen) < 1900 {
		t.Errorf("2,000 interfaces try only %d addresses", len(seen))
	}
}

// Whatever a network does: an interface with a cable either asks, has asked to be woken, or holds a fixed
// address; it never uses a lease after its end.
func TestAnInterfaceNeverFallsAsleep(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, now, alarm := state{seed: seed}, begin, time.Time{}
		var asked, probing bool
		var using Use
		told := ""
		for range 200 {
			now = now.Add(time.Duration(r.IntN(20)) * time.Minute / 4)
			var e event
			switch n := r.IntN(8); {
			case n == 0:
				e, asked, probing = cableOut{}, false, false
			case n == 1 || !s.cable:
				e = cableIn{}
			case n == 2 && s.self.IsValid():
				e = disputed{}
			case asked && n < 4:
				e, asked = silence{}, false
			case asked && n < 5:
				e, asked = refused{}, false
			case asked:
				l := office
				l.Begun, l.Renew, l.Ends = now, now.Add(30*time.Minute), now.Add(time.Hour)
				e, asked = granted{l}, false
			case probing && n < 5:
				e, probing = occupied{}, false
			case probing:
				e, probing = free{}, false
			case !alarm.IsZero():
				if now.Before(alarm) {
					now = alarm
				}
				e, alarm = clock{}, time.Time{}
			default:
				t.Fatalf("seed %d: asleep in %+v after %s", seed, s, told)
			}
			var effects []effect
			s, effects = next(s, now, e)
			told += fmt.Sprintf(" %T", e)
			for _, f := range effects {
				switch f := f.(type) {
				case discover, renew:
					asked = true
				case probe:
					probing = true
				case wake:
					alarm = f.at
				case set:
					using = f.use
				}
			}
			if s.cable && !asked && !probing && alarm.IsZero() {
				t.Fatalf("seed %d: asleep in %+v after %s", seed, s, told)
			}
			if _, waited := e.(clock); waited && s.held == nil && using.Address == office.Address {
				t.Fatalf("seed %d: uses a lease that is over after %s", seed, told)
			}
		}
	}
}
