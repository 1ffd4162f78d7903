package badgerstore

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var allInDays = store.ReportQuery{Step: report.Day, Zone: "Europe/Rome"}

// Records of a release that kept no sums, or whose sums were being made when the power went, have them
// after the next opening.
func TestSumsAreMadeAnewFromRecordsThatHaveNone(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	ingest(t, d, 0, 700)
	for n := range 30 {
		i := storetest.Interval(store.Position(9000+n), "anna", tel.AgentTalking, "sales", storetest.Day.Add(time.Duration(n)*time.Hour), 50*time.Minute)
		if err := d.PutIntervals(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	traffic, err := d.Traffic(t.Context(), allInDays)
	if err != nil || len(traffic) == 0 {
		t.Fatal(traffic, err)
	}
	work, err := d.Work(t.Context(), allInDays)
	if err != nil || len(work) == 0 {
		t.Fatal(work, err)
	}
	for name, spoil := range map[string]func(*badger.Txn) error{
		"a release without sums": func(txn *badger.Txn) error {
			it := txn.NewIterator(badger.DefaultIteratorOptions)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				if k := string(it.Item().Key()); k[:2] == trafficSlots || k[:2] == workSlots || k == slotsKey {
					if err := txn.Delete(it.Item().KeyCopy(nil)); err != nil {
						return err
					}
				}
			}
			return nil
		},
		"half of the sums": func(txn *badger.Txn) error { return txn.Delete([]byte(slotsKey)) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := d.bdb.Update(spoil); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = open(t, small(dir))
			again, err := d.Traffic(t.Context(), allInDays)
			if err != nil || !reflect.DeepEqual(again, traffic) {
				t.Errorf("traffic %v\n%+v\n%+v", err, again, traffic)
			}
			worked, err := d.Work(t.Context(), allInDays)
			if err != nil || !reflect.DeepEqual(worked, work) {
				t.Errorf("work %v\n%+v\n%+v", err, worked, work)
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// A year of 5,000 calls a day in five queues, by day: the bar is 200 ms.
func BenchmarkAYearOfTraffic(b *testing.B) {
	d, err := Open(Config{Dir: b.TempDir(), Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	// The sums alone are made: a year of records would take longer than the answer is worth.
	slot := storetest.Day.Truncate(24 * time.Hour)
	for day := range 365 {
		err := d.bdb.Update(func(txn *badger.Txn) error {
			for half := 16; half < 40; half++ { // eight in the morning to eight in the evening
				for q := range 5 {
					err := change(txn, slotKey(trafficSlots, slot.Add(time.Duration(day*48+half)*report.SlotLength), fmt.Sprintf("queue%d", q)), func(s *report.Traffic) {
						for n := range 42 {
							s.TakeWait(tel.QueueLeft{Joined: slot, Left: slot.Add(time.Duration((n*7919+day*31)%90) * time.Second), Outcome: []tel.QueueOutcome{tel.OutcomeAnswered, tel.OutcomeAnswered, tel.OutcomeAnswered, tel.OutcomeAbandoned}[n%4]})
						}
						s.TakeWork(tel.AgentTalking, 2*time.Hour)
					})
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		rows, err := d.Traffic(b.Context(), allInDays)
		if err != nil || len(rows) != 365*5 {
			b.Fatal(len(rows), err)
		}
	}
}
