package call

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// rings has a caller arrive whom a plan leads to a queue, or to an emergency number.
func (b *bench) rings(dialed tel.Number) (caller *fakeLeg, err error) {
	_, err = b.x.Arrive(Arrival{From: "phone:201", Device: "201", Dialed: dialed}, func(ev func(LegEvent)) Leg {
		caller = &fakeLeg{id: tel.NewLegID(), ref: "arrived", events: ev}
		return caller
	})
	return caller, err
}

// planOf leads 112 to help, and all else to a queue.
type helpPlan struct{ fakePlan }

func (p helpPlan) Route(from string, caller, dialed tel.Number, at time.Time) Decision {
	if dialed == "112" {
		return Decision{Kind: ToOutside, Emergency: true, Attempts: []Attempt{{Via: "trunk:tim", Number: dialed}}}
	}
	return p.fakePlan.Route(from, caller, dialed, at)
}

func helpBench() *bench {
	b := newBench(toSales)
	b.x.cfg.Plan = func() Plan { return helpPlan{fakePlan{toSales}} }
	return b
}

func TestWhatBeginsAndWhatDoesNotWhileARestartIsPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := helpBench()
		defer b.close(t)
		caller, err := b.rings("400")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.x.Promise(time.Second, false); !errors.Is(err, ErrBusy) {
			t.Errorf("with a call it promises that there is none: %v", err)
		}
		caller.events(LegEvent{Leg: caller.id, Kind: LegEnded, Cause: tel.CauseNormal})
		synctest.Wait()

		token, err := b.x.Promise(30*time.Second, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.rings("400"); !errors.Is(err, ErrRestarting) {
			t.Errorf("a call begins: %v", err)
		}
		if err := b.x.Leave("another"); !errors.Is(err, ErrNoPromise) {
			t.Errorf("by a name that was not given: %v", err)
		}
		time.Sleep(30 * time.Second)
		if err := b.x.Leave(token); !errors.Is(err, ErrNoPromise) {
			t.Errorf("its time is over: %v", err)
		}

		if token, err = b.x.Promise(time.Hour, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(MaxPromise - 1)
		if err := b.x.Leave(token); err != nil {
			t.Errorf("it stands: %v", err)
		}
		if _, err := b.rings("112"); !errors.Is(err, ErrRestarting) {
			t.Errorf("a call for help is taken that is cut at once: %v", err)
		}
		time.Sleep(going)
		help, err := b.rings("112")
		if err != nil {
			t.Errorf("a restart that did not come keeps callers out: %v", err)
		}
		help.events(LegEvent{Leg: help.id, Kind: LegEnded, Cause: tel.CauseNormal})
		synctest.Wait()

		if token, err = b.x.Promise(time.Second, false); err != nil {
			t.Fatal(err)
		}
		b.x.Withdraw("another")
		if _, err := b.rings("400"); !errors.Is(err, ErrRestarting) {
			t.Errorf("anybody gives a promise back: %v", err)
		}
		b.x.Withdraw(token)
		if _, err := b.rings("400"); err != nil {
			t.Errorf("what was given back stands: %v", err)
		}
		if _, err := b.x.Promise(time.Second, true); err != nil {
			t.Errorf("calls may be ended: %v", err)
		}
	})
}

func TestACallForHelpEndsThePromiseAndTheRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := helpBench()
		defer b.close(t)
		token, err := b.x.Promise(30*time.Second, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.rings("112"); err != nil {
			t.Fatalf("a call for help is refused: %v", err)
		}
		if err := b.x.Leave(token); !errors.Is(err, ErrNoPromise) {
			t.Errorf("the box restarts: %v", err)
		}
		if _, err := b.rings("400"); err != nil {
			t.Errorf("nobody restarts, and a caller is refused: %v", err)
		}
		if _, err := b.x.Promise(time.Second, true); !errors.Is(err, ErrBusy) {
			t.Errorf("calls may be ended, and one of them is for help: %v", err)
		}
	})
}

// An updater and the first program of a box restart it, as package ota/fit/promise says, and either dies at any moment;
// meanwhile people call. Nobody who was let in is cut off, help is refused to nobody but in the moment in which the box
// goes, and when all are dead it takes calls as before.
func TestWhoeverDiesOnTheWayToARestartNobodyIsCutOff(t *testing.T) {
	restarts, stopped := 0, 0
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 12))
			b := helpBench()
			defer b.close(t)
			left := func(seed uint64) (gone bool) { // how far they came
				r := rand.New(rand.NewPCG(seed, 13))
				for range 20 {
					time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond) // a look at the calls
					token, err := b.x.Promise(30*time.Second, false)
					if err != nil {
						continue
					}
					time.Sleep(time.Duration(r.IntN(20000)) * time.Millisecond) // the disk remembers what is to come
					switch r.IntN(8) {
					case 0: // the updater has died, and begins anew
						continue
					case 1: // the first program refuses
						b.x.Withdraw(token)
						continue
					}
					time.Sleep(time.Duration(r.IntN(15000)) * time.Millisecond) // the first program writes its own
					if b.x.Leave(token) != nil {
						stopped++
						continue
					}
					if r.IntN(8) == 0 { // it has died
						time.Sleep(going)
						continue
					}
					return true
				}
				return false
			}
			gone := make(chan bool, 1)
			go func() { gone <- left(seed) }()
			up := map[*fakeLeg]bool{}
			for range 60 {
				time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
				select {
				case is := <-gone:
					if is {
						restarts++
						if n := len(b.x.Calls()); n > 0 {
							t.Fatalf("seed %d: the restart cuts %d calls off", seed, n)
						}
						return
					}
				default:
				}
				switch r.IntN(5) {
				case 0:
					if caller, err := b.rings("400"); err == nil {
						up[caller] = true
					} else if !errors.Is(err, ErrRestarting) {
						t.Fatal(err)
					}
				case 1:
					if r.IntN(4) > 0 {
						continue
					}
					leaving := b.x.goes()
					caller, err := b.rings("112")
					if (err != nil) != leaving {
						t.Fatalf("seed %d: a call for help while the box goes (%v): %v", seed, leaving, err)
					}
					if err == nil {
						up[caller] = true
					}
				default:
					for caller := range up {
						caller.events(LegEvent{Leg: caller.id, Kind: LegEnded, Cause: tel.CauseNormal})
						delete(up, caller)
					}
					synctest.Wait()
				}
			}
			<-gone
			time.Sleep(MaxPromise)
			if _, err := b.rings("400"); err != nil && len(b.x.Calls()) == 0 {
				t.Fatalf("seed %d: nobody restarts the box any more, and it takes no call: %v", seed, err)
			}
		})
	}
	if restarts < 100 || stopped < 20 {
		t.Errorf("only %d restarts, and %d that did not come", restarts, stopped)
	}
	fmt.Printf("%d restarts, %d that were stopped right before\n", restarts, stopped)
}

// goes tells whether the box goes now.
func (x *Exchange) goes() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.promise.leaving && x.promise.stands(time.Now())
}
