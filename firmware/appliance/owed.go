package appliance

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// owedKind is the kind under which the hot journal keeps finished records for which the disk had no room.
const owedKind = "record"

// Of a disk that stays full nobody's memory may follow.
const (
	mostOwed      = 2000
	mostOwedBytes = 2 << 20
	owedAgain     = 10 * time.Second // until the history is asked anew
)

// errOwed says that there is no room for a record anywhere.
var errOwed = errors.New("too many records wait for room on the disk already")

// owed are the finished records that the history has not taken: its disk is full, read-only or broken. They wait in the
// hot journal, which lies elsewhere, in their order and through a crash of this program; a record that comes later waits
// behind them. A reboot takes them, as it takes all that is in memory.
type owed struct {
	hot     *journal.Hot
	history appender
	written func(e tel.Event, pos journal.Pos) // one that waited is on record
	told    func(waiting int)                  // how many wait now, when that has changed
	synced  func(error)                        // as of journal.History.AppendSignal

	mu     sync.Mutex // guards all below, and the order in the history; nobody is told anything with it held
	list   []owedRecord
	bytes  int
	next   uint64
	again  *time.Timer
	closed bool
	news   []func() // what somebody must be told
}

// appender is the history; *journal.History is one.
type appender interface {
	AppendSignal(kind string, body []byte, done func(error)) (journal.Pos, error)
}

type owedRecord struct {
	key  string
	size int
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// take takes up what an earlier process left. What of it is on record already, because the process died between the two,
// found takes off again.
func (o *owed) take(kept map[string][]byte) (errs []error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, b := range kept {
		r := owedRecord{key: key, size: len(b)}
		if err := json.Unmarshal(b, &r); err != nil {
			errs = append(errs, fmt.Errorf("a record that waited for the disk: %w", err), o.hot.Delete(owedKind, key))
			continue
		}
		var n uint64
		if _, err := fmt.Sscanf(key, "%x", &n); err == nil {
			o.next = max(o.next, n)
		}
		o.list, o.bytes = append(o.list, r), o.bytes+r.size
	}
	slices.SortFunc(o.list, func(a, b owedRecord) int { return cmp.Compare(a.key, b.key) })
	return errs
}

// found takes a record of the history off the list.
func (o *owed) found(kind string, body []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.IndexFunc(o.list, func(r owedRecord) bool { return r.Kind == kind && string(r.Body) == string(body) }); i >= 0 {
		o.drop(i)
	}
}

// waiting lists what waits, oldest first.
func (o *owed) waiting() []owedRecord {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.list)
}

// write gives a record to the history, behind those that wait. It waits with them when the history does not take it;
// an error says that it is lost.
func (o *owed) write(kind string, body []byte) (pos journal.Pos, waits bool, err error) {
	o.mu.Lock()
	defer o.tell()
	if o.flush(); len(o.list) == 0 {
		pos, err = o.history.AppendSignal(kind, body, o.synced)
		if err == nil || errors.Is(err, journal.ErrTooLarge) {
			return pos, false, err
		}
	}
	if err := o.keep(owedRecord{Kind: kind, Body: body}); err != nil {
		return 0, false, err
	}
	o.changed()
	o.later()
	return 0, true, nil
}

func (o *owed) keep(r owedRecord) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(o.list) >= mostOwed || o.bytes+len(b) > mostOwedBytes {
		return errOwed
	}
	o.next++
	r.key, r.size = fmt.Sprintf("%016x", o.next), len(b)
	if err := o.hot.Put(owedKind, r.key, b); err != nil {
		return err
	}
	o.list, o.bytes = append(o.list, r), o.bytes+r.size
	return nil
}

// flush gives the history what waits, until it refuses.
func (o *owed) flush() {
	was := len(o.list)
	for len(o.list) > 0 {
		r := o.list[0]
		pos, err := o.history.AppendSignal(r.Kind, r.Body, o.synced)
		if err != nil {
			break
		}
		o.drop(0)
		if e, err := cdr.Decode(r.Kind, r.Body); err == nil && e != nil {
			o.news = append(o.news, func() { o.written(e, pos) })
		}
	}
	if len(o.list) != was {
		o.changed()
	}
}

func (o *owed) changed() {
	n := len(o.list)
	o.news = append(o.news, func() { o.told(n) })
}

// tell lets go of mu and passes on what has happened.
func (o *owed) tell() {
	news := o.news
	o.news = nil
	o.mu.Unlock()
	for _, told := range news {
		told()
	}
}

func (o *owed) drop(i int) {
	r := o.list[i]
	o.list, o.bytes = slices.Delete(o.list, i, i+1), o.bytes-r.size
	_ = o.hot.Delete(owedKind, r.key) // else the next process finds that it is on record
}

// retry tries now, and later again as long as something waits.
func (o *owed) retry() {
	o.mu.Lock()
	defer o.tell()
	o.flush()
	o.later()
}

// later wants mu held.
func (o *owed) later() {
	if o.again != nil {
		o.again.Stop()
		o.again = nil
	}
	if len(o.list) > 0 && !o.closed {
		o.again = time.AfterFunc(owedAgain, o.retry)
	}
}

// close tries no more; what waits stays for the next process.
func (o *owed) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.again != nil {
		o.again.Stop()
	}
}

// countOwed counts what waits among the figures of the day; what is written of it is accounted for then.
func (b *Box) countOwed(t *tail) {
	for _, r := range b.owed.waiting() {
		t.take(journal.Record{Kind: r.Kind, Body: r.Body})
		if e, err := cdr.Decode(r.Kind, r.Body); err == nil && e != nil {
			b.present.apply(e)
			b.ledger.Replay(e)
		}
	}
}
