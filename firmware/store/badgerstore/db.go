package badgerstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// DB implements store.Records on Badger, and Ingest for what comes from the journal. It is safe for
// use from many goroutines.
type DB struct {
	cfg       Config
	disk      *disk
	bdb       *badger.DB
	rebuilt   string
	rebuiltAt time.Time

	mu   sync.Mutex // one writer at a time: the marks below follow the transactions' order
	mark mark       // as committed
	last *Manifest  // newest verified backup; nil: none
}

var _ store.Records = (*DB)(nil)

// mark is how far the journal has been taken in. It is committed together with the records.
type mark struct {
	V       int            `json:"v"`
	Journal uint64         `json:"journal"`
	Pos     store.Position `json:"pos"`
}

// The keys: records by sort key, identities to sort keys, and the mark.
const (
	callRows  = "c/"
	waitRows  = "w/"
	callIDs   = "ci/"
	waitIDs   = "wi/"
	textRows  = "t/"
	textIDs   = "ti/"
	markKey   = "m/journal"
	noteKey   = "m/rebuilt"
	noteAtKey = "m/rebuilt-at" // Unix seconds
)

// putAtOnce bounds the records of one transaction.
const putAtOnce = 100

// Batch is a part of the journal: all records up to Pos that were not taken in before.
type Batch struct {
	Journal uint64
	Pos     store.Position
	Calls   []store.Call
	Waits   []store.Wait
	Texts   []store.SMS

	Callbacks []store.Callback
	Missed    []store.Missed
	Intervals []store.Interval

	Dispositions []store.Disposition
}

// Len counts the records of a batch.
func (b Batch) Len() int {
	return len(b.Calls) + len(b.Waits) + len(b.Texts) + len(b.Callbacks) + len(b.Missed) + len(b.Intervals) + len(b.Dispositions)
}

// Ingest stores the batch and remembers its position, both or nothing, and returns when the disk
// has it. store.ErrFull comes before anything was written.
func (d *DB) Ingest(b Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := mark{V: 1, Journal: b.Journal, Pos: b.Pos}
	value, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("store records: %w", err)
	}
	err = d.write(func(txn *badger.Txn) error {
		return errors.Join(
			putCalls(txn, b.Calls), each(txn, b.Waits, putWait), each(txn, b.Texts, putText),
			each(txn, b.Callbacks, putCallback), each(txn, b.Missed, putMissed), each(txn, b.Intervals, putInterval), each(txn, b.Dispositions, putDisposition), txn.Set([]byte(markKey), value), txn.Set([]byte(lineSlotsKey), []byte(lineMark(string(value)))),
		)
	})
	if err == nil {
		d.mark = next
	}
	return err
}

// every is each as one step.
func every[R any](put func(*badger.Txn, R) error) func(*badger.Txn, []R) error {
	return func(txn *badger.Txn, all []R) error { return each(txn, all, put) }
}

// each puts records until one cannot be put.
func each[R any](txn *badger.Txn, all []R, put func(*badger.Txn, R) error) error {
	for _, r := range all {
		if err := put(txn, r); err != nil {
			return err
		}
	}
	return nil
}

// write runs one synced transaction unless the disk is too full to risk it. The caller holds d.mu.
func (d *DB) write(fn func(*badger.Txn) error) error {
	if err := d.disk.guard(); err != nil {
		return err
	}
	if err := unfaulted(func() error { return d.bdb.Update(fn) }); err != nil {
		return fmt.Errorf("store records: %w", err)
	}
	return nil
}

func putCall(txn *badger.Txn, c store.Call, sums lineSums) error {
	old, err := lookup(txn, callIDs+c.Identity())
	if err != nil {
		return err
	}
	if old != "" {
		if positionIn(old) <= c.Pos {
			return nil // a crash made a second record, or the same one comes again
		}
		if err := sums.replaced(txn, callRows+old); err != nil {
			return err
		}
		if err := txn.Delete([]byte(callRows + old)); err != nil {
			return err
		}
	}
	if err := putRow(txn, callRows, callIDs, c.SortKey(), c.Identity(), c); err != nil {
		return err
	}
	sums.take(c, (*report.LineCalls).Add)
	return nil
}

func putWait(txn *badger.Txn, w store.Wait) error {
	old, err := lookup(txn, waitIDs+w.Identity())
	if err != nil || old != "" {
		return err
	}
	if err := putRow(txn, waitRows, waitIDs, w.SortKey(), w.Identity(), w); err != nil {
		return err
	}
	return sumWait(txn, w)
}

func putText(txn *badger.Txn, x store.SMS) error {
	old, err := lookup(txn, textIDs+x.Identity())
	if err != nil || old != "" {
		return err
	}
	return putRow(txn, textRows, textIDs, x.SortKey(), x.Identity(), x)
}

func putRow(txn *badger.Txn, rows, ids, key, id string, r any) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := txn.Set([]byte(rows+key), value); err != nil {
		return err
	}
	return txn.Set([]byte(ids+id), []byte(key))
}

// lookup returns the value of a key as text, empty when there is none.
func lookup(txn *badger.Txn, key string) (string, error) {
	item, err := txn.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	value, err := item.ValueCopy(nil)
	return string(value), err
}

// positionIn reads the position out of a sort key.
func positionIn(key string) store.Position {
	var p store.Position
	for i := 8; i < min(16, len(key)); i++ {
		p = p<<8 | store.Position(key[i])
	}
	return p
}

// PutCalls implements store.Calls.
func (d *DB) PutCalls(ctx context.Context, calls ...store.Call) error {
	return putAll(ctx, d, calls, putCalls)
}

// PutWaits implements store.Waits.
func (d *DB) PutWaits(ctx context.Context, waits ...store.Wait) error {
	return putAll(ctx, d, waits, every(putWait))
}

// PutTexts implements store.Texts.
func (d *DB) PutTexts(ctx context.Context, texts ...store.SMS) error {
	return putAll(ctx, d, texts, every(putText))
}

// putAll puts records, some in each transaction.
func putAll[R any](ctx context.Context, d *DB, all []R, put func(*badger.Txn, []R) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(all) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		part := all[:min(putAtOnce, len(all))]
		all = all[len(part):]
		err := d.write(func(txn *badger.Txn) error { return put(txn, part) })
		if err != nil {
			return err
		}
	}
	return nil
}

// ListCalls implements store.Calls.
func (d *DB) ListCalls(ctx context.Context, q store.CallQuery) (store.Page[store.Call], error) {
	return list(ctx, d.bdb, callRows, q.Span, q.Match)
}

// CountCalls implements store.Calls.
func (d *DB) CountCalls(ctx context.Context, q store.CallQuery) (int, error) {
	return count(ctx, d.bdb, callRows, q.Span, q.Match)
}

// ListWaits implements store.Waits.
func (d *DB) ListWaits(ctx context.Context, q store.WaitQuery) (store.Page[store.Wait], error) {
	return list(ctx, d.bdb, waitRows, q.Span, q.Match)
}

// CountWaits implements store.Waits.
func (d *DB) CountWaits(ctx context.Context, q store.WaitQuery) (int, error) {
	return count(ctx, d.bdb, waitRows, q.Span, q.Match)
}

// ListTexts implements store.Texts.
func (d *DB) ListTexts(ctx context.Context, q store.TextQuery) (store.Page[store.SMS], error) {
	return list(ctx, d.bdb, textRows, q.Span, q.Match)
}

// CountTexts implements store.Texts.
func (d *DB) CountTexts(ctx context.Context, q store.TextQuery) (int, error) {
	return count(ctx, d.bdb, textRows, q.Span, q.Match)
}

func list[R any](ctx context.Context, bdb *badger.DB, rows string, span store.Span, match func(R) bool) (store.Page[R], error) {
	low, high, limit, err := span.Bounds()
	if err != nil {
		return store.Page[R]{}, err
	}
	page := store.Page[R]{Items: []R{}}
	last := ""
	err = walk(ctx, bdb, rows, low, high, func(key string, r R) bool {
		if !match(r) {
			return true
		}
		if len(page.Items) == limit {
			page.Next = store.CursorAt(last)
			return false
		}
		page.Items, last = append(page.Items, r), key
		return true
	})
	return page, err
}

func count[R any](ctx context.Context, bdb *badger.DB, rows string, span store.Span, match func(R) bool) (n int, err error) {
	span.Cursor, span.Limit = "", 0
	low, high, _, err := span.Bounds()
	if err != nil {
		return 0, err
	}
	err = walk(ctx, bdb, rows, low, high, func(_ string, r R) bool {
		if match(r) {
			n++
		}
		return true
	})
	return n, err
}

// walk visits the rows of the range from the newest down until visit returns false.
func walk[R any](ctx context.Context, bdb *badger.DB, rows, low, high string, visit func(key string, r R) bool) error {
	start := rows + strings.Repeat("\xff", 9) // above every sort key: no position begins with 0xff
	if high != "" {
		start = rows + high
	}
	err := unfaulted(func() error {
		return bdb.View(func(txn *badger.Txn) error {
			opts := badger.DefaultIteratorOptions
			opts.Reverse, opts.Prefix, opts.PrefetchSize = true, []byte(rows), 20
			it := txn.NewIterator(opts)
			defer it.Close()
			for it.Seek([]byte(start)); it.ValidForPrefix([]byte(rows)); it.Next() {
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
				}
				key := string(it.Item().Key()[len(rows):])
				if high != "" && key >= high {
					continue
				}
				if key < low {
					return nil
				}
				var r R
				err := it.Item().Value(func(b []byte) error { return json.Unmarshal(b, &r) })
				if err != nil {
					return fmt.Errorf("read record: %w", err)
				}
				if !visit(key, r) {
					return nil
				}
			}
			return nil
		})
	})
	return err
}

// Committed returns the journal and the position up to which it is stored.
func (d *DB) Committed() (journal uint64, pos store.Position) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mark.Journal, d.mark.Pos
}

// Status implements store.Records.
func (d *DB) Status(context.Context) (store.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := store.Status{Journal: d.mark.Journal, Committed: d.mark.Pos, Rebuilt: d.rebuilt, RebuiltAt: d.rebuiltAt}
	if d.last != nil && d.last.Journal == d.mark.Journal {
		st.BackedUp = d.last.Pos
	}
	if err := d.disk.guard(); err != nil {
		st.Trouble = err.Error()
	}
	return st, nil
}

// Close flushes and closes the database.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(unfaulted(d.bdb.Close), d.disk.unlock())
}
