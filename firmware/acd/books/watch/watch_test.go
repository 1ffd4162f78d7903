package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/books"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// keeper is a keeper of records to whom something may happen.
type keeper struct {
	*memory.Store
	doubles  tel.CallID // is summed up twice
	away     bool
	meantime func() // happens while it sums up
}

func (k *keeper) Status(ctx context.Context) (store.Status, error) {
	if k.away {
		return store.Status{}, store.ErrUnavailable
	}
	return k.Store.Status(ctx)
}

func (k *keeper) Traffic(ctx context.Context, q store.ReportQuery) ([]report.TrafficRow, error) {
	rows, err := k.Store.Traffic(ctx, q)
	if err == nil && k.doubles != "" && len(rows) > 0 {
		rows[0].Outcomes[tel.OutcomeAnswered]++
	}
	if k.meantime != nil {
		k.meantime()
		k.meantime = nil
	}
	return rows, err
}

// box is what the watch watches: a journal, a keeper who reads it, and accounts.
type box struct {
	t       *testing.T
	records *keeper
	journal []store.Wait
	oldest  uint64
	watch   *Watch
	broken  []books.Breach
	said    []string
	told    int
}

const journalID = 7

func newBox(t *testing.T) *box {
	b := &box{t: t, records: &keeper{Store: &memory.Store{}}, oldest: 1}
	b.records.Reported.Journal = journalID
	b.restart()
	return b
}

// restart is a new process over the same journal.
func (b *box) restart() {
	b.watch = New(Config{
		Accounts: func(context.Context) ([]books.Breach, error) { return b.broken, nil },
		Records:  b.records, Journal: journalID,
		Waits: func(visit func(uint64, tel.QueueLeft)) (uint64, error) {
			for _, w := range b.journal {
				if uint64(w.Pos) >= b.oldest {
					visit(uint64(w.Pos), w.QueueLeft)
				}
			}
			return b.oldest, nil
		},
		Report: func(all []books.Breach) {
			b.told++
			b.said = nil
			for _, x := range all {
				b.said = append(b.said, x.String())
			}
		},
	})
	b.watch.Begin(time.Now().Add(-24 * time.Hour))
	for _, w := range b.journal {
		b.watch.Recorded(uint64(w.Pos), w.QueueLeft)
	}
}

// ends writes the end of a wait into the journal.
func (b *box) ends(outcome tel.QueueOutcome) store.Wait { return b.endsAt(outcome, time.Now()) }

// endsAt is ends by a clock that shows another time.
func (b *box) endsAt(outcome tel.QueueOutcome, at time.Time) store.Wait {
	n := len(b.journal) + 1
	w := store.Wait{Pos: store.Position(n), QueueLeft: tel.QueueLeft{
		Queue: "q", Call: tel.CallID(fmt.Sprintf("c%d", n)), Joined: at.Add(-time.Second), Left: at, Outcome: outcome,
	}}
	b.journal = append(b.journal, w)
	b.watch.Recorded(uint64(w.Pos), w.QueueLeft)
	return w
}

// keeps has the keeper of the records read the waits, and know the journal up to its end.
func (b *box) keeps(all ...store.Wait) {
	b.t.Helper()
	if err := b.records.PutWaits(b.t.Context(), all...); err != nil {
		b.t.Fatal(err)
	}
	b.records.Reported.Committed = store.Position(len(b.journal))
}

func (b *box) want(said ...string) {
	b.t.Helper()
	b.watch.Compare(b.t.Context(), time.Now())
	if !slices.Equal(b.said, said) {
		b.t.Fatalf("it says\n%s\nwant\n%s", strings.Join(b.said, "\n"), strings.Join(said, "\n"))
	}
}

func TestTheWatchSaysWhichFigureIsOff(t *testing.T) {
	for name, story := range map[string]func(*box){
		"all is on record": func(b *box) {
			b.keeps(b.ends(tel.OutcomeAnswered), b.ends(tel.OutcomeAbandoned))
			b.want()
		},
		"a record is dropped": func(b *box) {
			first, _ := b.ends(tel.OutcomeAnswered), b.ends(tel.OutcomeAnswered)
			b.keeps(first)
			b.want("queue q, answered: 1 on record, 2 happened [c2]")
		},
		"a record is there twice": func(b *box) {
			w := b.ends(tel.OutcomeAbandoned)
			again := w
			again.Pos = 99
			b.keeps(w, again)
			b.want("queue q, abandoned: 2 on record, 1 happened [c1]")
		},
		"the sums count one twice": func(b *box) {
			b.keeps(b.ends(tel.OutcomeAnswered))
			b.records.doubles = "c1"
			b.want("queue q, answered: the sums say 2, the records themselves 1")
		},
		"a caller has no outcome": func(b *box) {
			b.broken = []books.Breach{{Queue: "q", Figure: books.FigureWaiting, Have: 0, Want: 1}}
			b.want("queue q: 0 callers wait, by what joined and left it should be 1")
		},
		"no disk took a record": func(b *box) {
			b.keeps(b.ends(tel.OutcomeAnswered))
			b.watch.Lost(tel.QueueLeft{Queue: "q", Call: "cx", Joined: time.Now().Add(-time.Second), Left: time.Now(), Outcome: tel.OutcomeAnswered})
			b.want("queue q, answered: 1 on record, 2 happened [cx]")
		},
		"what was found is found again after a restart": func(b *box) {
			b.ends(tel.OutcomeAnswered)
			b.keeps()
			b.want("queue q, answered: 0 on record, 1 happened [c1]")
			b.restart()
			b.want("queue q, answered: 0 on record, 1 happened [c1]")
		},
		"the alarm ends when the record comes": func(b *box) {
			w := b.ends(tel.OutcomeAnswered)
			b.keeps()
			b.want("queue q, answered: 0 on record, 1 happened [c1]")
			b.keeps(w)
			b.want()
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { story(newBox(t)) }) })
	}
}

func TestTheWatchAccusesNobodyFalsely(t *testing.T) {
	for name, story := range map[string]func(*box){
		"the keeper has not read as far": func(b *box) {
			b.ends(tel.OutcomeAnswered)
			b.want()
		},
		"the keeper is away": func(b *box) {
			b.ends(tel.OutcomeAnswered)
			b.keeps()
			b.records.away = true
			b.want()
		},
		"the keeper follows another journal": func(b *box) {
			b.ends(tel.OutcomeAnswered)
			b.keeps()
			b.records.Reported.Journal = 8
			b.want()
		},
		"a call ends while the records are summed up": func(b *box) {
			b.keeps(b.ends(tel.OutcomeAnswered))
			b.records.meantime = func() { b.keeps(b.ends(tel.OutcomeAnswered)) }
			b.want()
			b.want()
		},
		"the journal has given back what is in a backup": func(b *box) {
			first := b.ends(tel.OutcomeAnswered)
			b.keeps(first)
			b.oldest = 2
			b.restart() // counts what is trimmed as little as a new process would
			b.watch.past = books.Counts{}
			b.keeps(b.ends(tel.OutcomeAnswered))
			b.want()
		},
		"a restart in the middle of the day": func(b *box) {
			b.keeps(b.ends(tel.OutcomeAnswered), b.ends(tel.OutcomeTimedOut))
			b.restart()
			b.keeps(b.ends(tel.OutcomeAnswered))
			b.want()
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { story(newBox(t)) }) })
	}
}

// The wall clock jumps while calls end; each is on record, and nothing is said.
func TestAClockThatIsSetBreaksNoAccount(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBox(t)
				for _, shift := range []time.Duration{0, by, 0} { // set wrong, and right again
					at := time.Now().Add(shift)
					b.keeps(b.endsAt(tel.OutcomeAnswered, at))
					b.watch.Compare(t.Context(), at)
					if len(b.said) > 0 {
						t.Fatalf("by a clock that is off by %v: %v", shift, b.said)
					}
				}
			})
		})
	}
}

// Run looks every ten seconds, without anybody asking, and ends with its context.
func TestTheWatchLooksByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); b.watch.Run(ctx) }()
		time.Sleep(every/2 + 3*every)
		synctest.Wait()
		cancel(errors.New("over"))
		<-done
		if b.told != 3 {
			t.Errorf("looked %d times", b.told)
		}
	})
}
