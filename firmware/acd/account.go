package acd

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/books"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Accounts returns the accounts of all queues at one instant, and every one that does not balance: places
// given = places ended, each by one outcome, + who waits. The count begins anew with each start.
func (a *ACD) Accounts(ctx context.Context) (map[tel.QueueID]books.Account, []books.Breach, error) {
	type picture struct {
		all    map[tel.QueueID]books.Account
		broken []books.Breach
	}
	answer := make(chan picture, 1)
	err := a.post(ctx, letter{reply: make(chan error, 1), ask: func(s *plan.State, _ time.Time) {
		waiting := callersWaiting(s)
		broken := a.accounts.Balance(waiting)
		answer <- picture{a.accounts.Look(waiting), broken}
	}})
	if err != nil {
		return nil, nil, err
	}
	p := <-answer
	return p.all, p.broken, nil
}

// callersWaiting counts who waits, caller by caller: the planner's own counters are under judgement. Who asked
// to be called back has left.
func callersWaiting(s *plan.State) map[tel.QueueID]int {
	n := map[tel.QueueID]int{}
	for id := range s.Queues {
		n[id] = 0
	}
	for _, e := range s.Entries {
		if e.Callback == "" {
			n[e.Queue]++
		}
	}
	return n
}

// openAccounts begins the accounts with who waits already.
func (a *ACD) openAccounts() {
	for queue, n := range callersWaiting(&a.state) {
		a.accounts.Open(queue, n)
	}
}
