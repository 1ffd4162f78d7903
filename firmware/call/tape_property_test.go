package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// books follows, from outside, who hears whom and what is recorded of it.
type books struct {
	o      *office
	r      *reels
	heard  map[string]time.Duration // by pair
	random *rand.Rand
	rooms  *roomReels // nil: nothing is recorded of rooms
}

func pairName(a, b tel.LegID) string {
	if a > b {
		a, b = b, a
	}
	return string(a + " " + b)
}

// pairs are those who hear each other now.
func (k *books) pairs() map[string]bool {
	k.o.mu.Lock()
	all := slices.Clone(k.o.all)
	k.o.mu.Unlock()
	pairs := map[string]bool{}
	for _, l := range all {
		l.mu.Lock()
		other := l.with
		l.mu.Unlock()
		if other != nil {
			pairs[pairName(l.id, other.id)] = true
		}
	}
	return pairs
}

// look fails unless exactly those who hear each other are recorded, and lets time pass.
func (k *books) look(t *testing.T, what string) {
	t.Helper()
	synctest.Wait()
	pairs := k.pairs()
	k.r.mu.Lock()
	recorded := map[string]bool{}
	for _, x := range k.r.running {
		name := pairName(x.Legs[0], x.Legs[1])
		if x.paused == "" {
			if recorded[name] || !pairs[name] {
				t.Fatalf("after %s %s is recorded, and they do not hear each other or are recorded twice: %v", what, name, pairs)
			}
			recorded[name] = true
		}
	}
	k.r.mu.Unlock()
	for name := range pairs {
		if !recorded[name] {
			t.Fatalf("after %s %s is not recorded", what, name)
		}
	}
	pass := time.Duration(1+k.random.IntN(20)) * 100 * time.Millisecond
	for name := range pairs {
		k.heard[name] += pass
	}
	time.Sleep(pass)
}

// act does something that phones do.
func (k *books) act(n int) string {
	o, r := k.o, k.random
	phones := []tel.DeviceID{"201", "202", "203", "204", "205"}
	phone := func() tel.DeviceID { return phones[r.IntN(len(phones))] }
	o.mu.Lock()
	live := slices.DeleteFunc(slices.Clone(o.all), (*fakeLeg).over)
	o.mu.Unlock()
	if len(live) == 0 {
		n = 0
	}
	pick := func() *fakeLeg { return live[r.IntN(len(live))] }
	switch n {
	case 0:
		o.dial("trunk:tim", tel.Number(phone()))
		return "a call comes in"
	case 1:
		o.dial("phone:"+string(phone()), []tel.Number{tel.Number(phone()), "701", "702", "*8" + tel.Number(phone()), "3331234567"}[r.IntN(5)])
		return "a phone dials"
	case 2, 3, 4:
		for _, l := range live {
			if l.with == nil && !slices.Contains(l.told(), "accept") && strings.HasPrefix(strings.Join(l.told(), ","), "rings") && !slices.ContainsFunc(l.told(), func(s string) bool { return strings.HasPrefix(s, "join") }) {
				l.answers()
				return "a phone answers"
			}
		}
		if o.lineUse != nil && !o.lineUse.over() {
			o.lineUse.answers()
			return "the line answers"
		}
		return "nothing"
	case 5:
		pick().says(LegEvent{Kind: LegHeld, Held: r.IntN(2) == 0})
		return "a hold"
	case 6:
		pick().says(LegEvent{Kind: LegRefer, To: []tel.Number{tel.Number(phone()), "*70", "701", "999"}[r.IntN(4)]})
		return "a blind transfer"
	case 7:
		l := pick()
		for _, m := range live {
			if m != l && m.party == l.party {
				l.says(LegEvent{Kind: LegRefer, Replaces: m.ref})
				return "an attended transfer"
			}
		}
		return "nothing"
	case 8:
		if r.IntN(3) == 0 {
			pick().hangsUp()
			return "a hang-up"
		}
		return "nothing"
	default:
		time.Sleep(time.Duration(r.IntN(70)) * time.Second)
		return "time"
	}
}

// Whatever is transferred, held, parked, picked up and hung up in whatever order: what two say to each other is
// recorded, every second of it and nothing else, the records name it, and what is recorded of one customer hangs
// together.
func TestWhateverHappensToACallEverySecondOfItIsRecordedInOneChain(t *testing.T) {
	rounds := uint64(150)
	if testing.Short() {
		rounds = 30
	}
	for seed := range rounds {
		o := &office{t: t}
		o.taped(fmt.Sprint("seed ", seed), always, func(o *office, r *reels) {
			t := o.t
			k := &books{o: o, r: r, heard: map[string]time.Duration{}, random: rand.New(rand.NewPCG(seed, 3))}
			for range 60 {
				k.look(t, k.act(k.random.IntN(10)))
			}
			for _, l := range slices.Clone(o.all) {
				if !l.over() {
					l.hangsUp()
				}
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			k.balance(t)
		})
	}
}

// balance compares what was heard with what was recorded, and both with the records of the calls.
func (k *books) balance(t *testing.T) {
	t.Helper()
	kept, named := map[string]time.Duration{}, map[string]bool{}
	for _, x := range k.r.over {
		kept[pairName(x.Legs[0], x.Legs[1])] += x.kept
	}
	chains := map[string]string{} // each leads to another one that hangs together with it
	root := func(c string) string {
		for chains[c] != "" && chains[c] != c {
			c = chains[c]
		}
		return c
	}
	var all []tel.Recorded
	for _, rec := range k.o.records {
		for _, p := range rec.Recordings {
			if k.rooms != nil && k.rooms.over[p.ID] != nil {
				continue
			}
			all = append(all, p)
			named[p.ID] = true
			for _, c := range p.Also {
				chains[root(c)] = root(p.Chain)
			}
			i := slices.IndexFunc(k.r.over, func(x *reel) bool { return x.ID == p.ID })
			if i < 0 || k.r.over[i].ran != p.To.Sub(p.From) {
				t.Errorf("the record names %+v, which was not recorded so", p)
			}
		}
	}
	for name, d := range k.heard {
		if kept[name] < d { // what passed in an act is not in the books of who heard whom
			t.Errorf("%s heard each other for %v, %v are recorded", name, d, kept[name])
		}
	}
	for _, x := range k.r.over {
		if !named[x.ID] {
			t.Errorf("no record names %s", x.ID)
		}
	}
	if len(k.r.running) > 0 {
		t.Errorf("%d parts run behind the end of every call", len(k.r.running))
	}
	of := map[tel.LegID]string{}
	for _, p := range all {
		for _, leg := range p.Legs {
			i := slices.IndexFunc(k.o.all, func(l *fakeLeg) bool { return l.id == leg })
			if !strings.HasPrefix(k.o.all[i].party, "trunk:") {
				continue
			}
			if was := of[leg]; was != "" && root(was) != root(p.Chain) {
				t.Errorf("customer %s is in the chains %s and %s, which do not hang together", leg, was, p.Chain)
			}
			of[leg] = p.Chain
		}
	}
}
