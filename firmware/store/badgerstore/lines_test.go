package badgerstore

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func lineCall(pos store.Position, id tel.CallID) store.Call {
	at := storetest.Day.Add(time.Duration(pos) * 7 * time.Minute)
	return store.Call{Pos: pos, CallEnded: tel.CallEnded{Call: id, In: "trunk:tim", Started: at, Answered: at.Add(5 * time.Second), Ended: at.Add(10 * time.Minute), Cause: tel.CauseNormal}}
}

// Calls that a program of before the sums of lines has taken in, after a rollback, are in them after the next opening.
func TestCallsTakenInByAnEarlierProgramAreInTheSumsOfLines(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	ours, theirs := lineCall(1, "ours"), lineCall(2, "theirs")
	if err := d.Ingest(Batch{Journal: 7, Pos: 1, Calls: []store.Call{ours}}); err != nil {
		t.Fatal(err)
	}
	earlier := func(txn *badger.Txn) error { // what it wrote: the record, and how far the journal was taken in
		value, err := json.Marshal(mark{V: 1, Journal: 7, Pos: 2})
		if err != nil {
			return err
		}
		if err := putRow(txn, callRows, callIDs, theirs.SortKey(), theirs.Identity(), theirs); err != nil {
			return err
		}
		return txn.Set([]byte(markKey), value)
	}
	if err := d.bdb.Update(earlier); err != nil {
		t.Fatal(err)
	}
	oracle := &memory.Store{}
	for _, c := range []store.Call{ours, theirs} {
		if err := oracle.PutCalls(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	want, err := oracle.LineCalls(t.Context(), allInDays)
	if err != nil || len(want) != 1 || want[0].InAnswered != 2 {
		t.Fatal(want, err)
	}
	for opening := range 2 { // at the second nothing is to be made
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = open(t, small(dir))
		if rows, err := d.LineCalls(t.Context(), allInDays); err != nil || !reflect.DeepEqual(rows, want) {
			t.Errorf("opening %d: %v\n%+v\n%+v", opening, err, rows, want)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestALineIsLoadedByItsUse(t *testing.T) {
	l := report.LineCalls{Used: 90 * time.Minute}
	if got := l.Load(time.Hour); got != 1.5 {
		t.Errorf("%v erlang", got)
	}
}
