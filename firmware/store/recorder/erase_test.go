package recorder

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// who has a callback, a row of missed calls and a wait among the first ten records.
const who = tel.Number("+3902000003")

// erases orders an erasure beside the keeper, as the box's other process does.
func (b *box) erases(until time.Time) {
	b.t.Helper()
	state := filepath.Join(b.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		b.t.Fatal(err)
	}
	r, err := erasure.Open(state)
	if err != nil {
		b.t.Fatal(err)
	}
	e, err := erasure.New(who, "anna", "", "", storetest.Day)
	if err = errors.Join(err, r.Add(e), r.Done(e.ID, erasure.Count{}, until)); err != nil {
		b.t.Fatal(err)
	}
}

// of counts the records of the number; -1 while nobody answers.
func (b *box) of(n tel.Number) int {
	ctx := b.t.Context()
	waits, err := b.client.CountWaits(ctx, store.WaitQuery{Caller: n})
	callbacks, err2 := b.client.CountCallbacks(ctx, store.CallbackQuery{Number: n})
	missed, err3 := b.client.CountMissed(ctx, store.MissedQuery{Number: n})
	if errors.Join(err, err2, err3) != nil {
		return -1
	}
	return waits + callbacks + missed
}

func TestWhoIsErasedWhileTheKeeperServesIsGoneFromWhatItHasAndFromWhatItReads(t *testing.T) {
	b := newBox(t)
	stop := b.inside()
	b.end(50)
	b.caughtUp()
	if b.of(who) < 2 {
		t.Fatalf("%d records of the number: nothing would be shown", b.of(who))
	}
	b.erases(time.Now().Add(time.Hour)) // the records below are of before its end
	b.end(50)
	b.caughtUp()
	for end := time.Now().Add(20 * time.Second); b.of(who) != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d records of the number are left", b.of(who))
		}
	}
	stop()
}

func TestNobodyIsShownARecordOfWhoWasErasedBeforeTheKeeperStarted(t *testing.T) {
	b := newBox(t)
	stop := b.inside()
	b.end(50)
	b.caughtUp()
	stop()
	b.erases(time.Now())
	defer b.inside()()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		n := b.of(who)
		if n > 0 {
			t.Fatalf("%d records are shown", n)
		}
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nobody answers")
		}
	}
}
