package acd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The accounts balance after everything that callers and agents do, also in a process that takes over who
// waits, and they notice a caller who is gone without an outcome.
func TestTheAccountsBalanceWhateverHappens(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { busyHour(t, seed) }) })
	}
}

func busyHour(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	h := newHouse()
	a := open(t, h.config())
	defer func() { a.Close() }()
	staff := func() {
		for _, id := range []tel.AgentID{"anna", "bruno"} {
			tell(t, a, tel.AgentReachable{Agent: id, Reachable: true})
			do(t, a.Login(t.Context(), id))
		}
	}
	staff()
	calls, answered := 0, 0
	var live []tel.CallID
	for range 400 {
		switch r.IntN(6) {
		case 0, 1:
			calls++
			id := tel.CallID(fmt.Sprint("c", calls))
			live = append(live, id)
			tell(t, a, tel.Enqueue{Call: id, Queue: []tel.QueueID{"q", "nowhere"}[r.IntN(8)/7], EnqueuedAt: time.Now()})
		case 2:
			tell(t, a, tel.CallerGone{Call: tel.CallID(fmt.Sprint("c", r.IntN(calls+1)))})
		case 3, 4:
			if offers := h.offers(); answered < len(offers) {
				o := offers[answered].Offer
				answered++
				tell(t, a, tel.OfferAnswered{Offer: o})
				time.Sleep(time.Second)
				tell(t, a, tel.TalkEnded{Offer: o})
			}
		case 5:
			time.Sleep(time.Duration(r.IntN(30)) * time.Second)
			synctest.Wait()
		}
		if r.IntN(80) == 0 { // killed and started again
			a.Close()
			cfg := h.config()
			cfg.Kept, cfg.Restored = maps.Clone(h.hot), h.survive(live...)
			a = open(t, cfg)
			synctest.Wait()
			answered = len(h.offers())
			staff()
		}
		all, broken, err := a.Accounts(t.Context())
		do(t, err)
		if len(broken) > 0 {
			t.Fatalf("after %d calls: %v", calls, broken)
		}
		if all["q"].Difference() != 0 {
			t.Fatalf("%+v", all["q"])
		}
	}
	all, _, err := a.Accounts(t.Context())
	do(t, err)
	if q := all["q"]; q.Entered == 0 || q.Ended() == 0 {
		t.Fatalf("nothing was counted: %+v", q)
	}
	// A caller vanishes from the state.
	do(t, a.Logout(t.Context(), "anna"))
	do(t, a.Logout(t.Context(), "bruno"))
	tell(t, a, tel.Enqueue{Call: "ghost", Queue: "q", EnqueuedAt: time.Now()})
	a.Close()
	delete(a.state.Entries, "ghost")
	if broken := a.accounts.Balance(callersWaiting(&a.state)); len(broken) != 1 || broken[0].Have-broken[0].Want != -1 {
		t.Errorf("a caller vanished: %v", broken)
	}
}
