package badgerstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// The keys of the sums of lines, which programs of before them leave alone.
const (
	lineSlots    = "l/"
	lineSlotsKey = "m/lineslots"
)

// lineSlotsVersion is that of these sums; raising it has them made anew from the records at the next opening.
const lineSlotsVersion = "1 "

// lineMark stands under lineSlotsKey: the version, and how far the journal was taken in. A program of before these sums
// takes records in and leaves the mark behind, so that they are made anew.
func lineMark(journal string) string { return lineSlotsVersion + journal }

// lineSums are changes of the sums of lines that wait for the end of a transaction, which has room for so many writes.
type lineSums map[string][]func(*report.LineCalls)

// take counts the lines of a call, or with Remove takes them out.
func (l lineSums) take(c store.Call, with func(*report.LineCalls, report.LineCalls)) {
	for _, u := range report.LineUses(c.CallEnded) {
		for slot, part := range report.LineParts(u) {
			key := string(slotKey(lineSlots, slot, u.Line))
			l[key] = append(l[key], func(sum *report.LineCalls) { with(sum, part) })
		}
	}
}

// write changes each sum once.
func (l lineSums) write(txn *badger.Txn) error {
	for _, key := range slices.Sorted(maps.Keys(l)) {
		err := change(txn, []byte(key), func(sum *report.LineCalls) {
			for _, do := range l[key] {
				do(sum)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putCalls puts calls with their sums.
func putCalls(txn *badger.Txn, calls []store.Call) error {
	sums := lineSums{}
	for _, c := range calls {
		if err := putCall(txn, c, sums); err != nil {
			return err
		}
	}
	return sums.write(txn)
}

// replaced takes the call under a key out of the sums: an earlier record of the same call takes its place.
func (l lineSums) replaced(txn *badger.Txn, key string) error {
	value, err := lookup(txn, key)
	if err != nil || value == "" {
		return err
	}
	var c store.Call
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		return fmt.Errorf("read call: %w", err)
	}
	l.take(c, (*report.LineCalls).Remove)
	return nil
}

// LineCalls implements store.Reports.
func (d *DB) LineCalls(ctx context.Context, q store.ReportQuery) ([]report.LineRow, error) {
	table, err := store.TallyLines(q)
	if err != nil {
		return nil, err
	}
	err = slots(ctx, d.bdb, lineSlots, q, func(slot time.Time, id string, l report.LineCalls) error {
		return table.Take(id, slot, l)
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.LineRow), nil
}

// sumLinesAgain makes the sums of lines from the records when those of this version are not there, or lack some.
func (d *DB) sumLinesAgain(ctx context.Context) error {
	var journal string
	err := unfaulted(func() error {
		return d.bdb.View(func(txn *badger.Txn) (err error) {
			journal, err = lookup(txn, markKey)
			return err
		})
	})
	if err != nil {
		return err
	}
	return d.madeAgain(ctx, lineSlotsKey, lineMark(journal), []string{lineSlots}, func() error { return resum(ctx, d, callRows, sumCalls) })
}

func sumCalls(txn *badger.Txn, calls []store.Call) error {
	sums := lineSums{}
	for _, c := range calls {
		sums.take(c, (*report.LineCalls).Add)
	}
	return sums.write(txn)
}
