package stack

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// answering answers every request at once and counts them.
type answering struct {
	deaf
	requests int
}

func (a *answering) Request(tx *ServerTx) {
	a.requests++
	_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil))
}

func TestFinishedRequestsFillAQuarterOfTheTableAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &answering{}
		b := newBench(t, Config{MaxTransactions: 40, Shards: 1}, h)
		name := func(i int) string { return fmt.Sprintf("n%d", i) }
		for i := range 100 {
			b.hear(requestText("OPTIONS", name(i)))
		}
		if s := b.stack.Stats(); h.requests != 100 || s.Refused != 0 || s.Transactions != 10 {
			t.Fatalf("%d served, %+v", h.requests, s)
		}
		b.took()
		b.hear(requestText("OPTIONS", name(95))) // finished lately: its answer is repeated
		if h.requests != 100 || len(b.took()) != 1 {
			t.Error("a request that came again is not answered from its transaction")
		}
		b.hear(requestText("OPTIONS", name(3))) // finished long ago: it is a new one
		if h.requests != 101 || b.stack.Stats().Transactions != 10 {
			t.Errorf("%d served, %d open", h.requests, b.stack.Stats().Transactions)
		}
		time.Sleep(33 * time.Second)
		synctest.Wait()
		if s := b.stack.Stats(); s.Transactions != 0 || len(b.stack.shards[0].lingering) != 0 {
			t.Errorf("%d open, %d remembered after their time", s.Transactions, len(b.stack.shards[0].lingering))
		}
	})
}
