package badgerstore

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// contactRows are the contacts of each number with each queue, in order of time: "f/queue NUL number NUL time call". A
// wait that is put looks at its neighbours only, so it does not matter in which order waits come.
const contactRows = "f/"

// contact is one of them. Its key holds arrival and call, its value the rest: 1 where it was answered, and in nanoseconds
// since 1970 the end of the wait and when the place was given, by which the sum is found that counts it.
type contact struct {
	report.Contact
	joined time.Time
}

func (c *contact) value() []byte {
	b := []byte{0}
	if c.Answered {
		b[0] = 1
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, uint64(c.Left.UnixNano())), uint64(c.joined.UnixNano()))
}

// readContact takes a row apart; rest is its key behind the number.
func readContact(rest string, value []byte) (*contact, error) {
	if len(rest) < 8 || len(value) != 17 {
		return nil, fmt.Errorf("read contact: %w", report.ErrEncoding)
	}
	at := func(b []byte) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(b))) }
	return &contact{report.Contact{At: rowTime(rest), Left: at(value[1:]), Call: tel.CallID(rest[8:]), Answered: value[0] == 1}, at(value[9:])}, nil
}

// slot is the sum that counts it.
func (c *contact) slot(queue tel.QueueID) string {
	return string(slotKey(trafficSlots, report.SlotOf(c.joined), string(queue)))
}

func contactsOf(queue tel.QueueID, caller tel.Number) string {
	return contactRows + string(queue) + "\x00" + string(caller) + "\x00"
}

// sumTraffic counts a wait in the sum of its slot, and finds out whether it repeats an earlier contact, and whether a
// later one repeats it.
func sumTraffic(txn *badger.Txn, w tel.QueueLeft) error {
	me := contact{report.ContactOf(w), w.Joined}
	changes := map[string][]func(*report.Traffic){me.slot(w.Queue): {func(t *report.Traffic) { t.TakeWait(w) }}}
	if w.Caller != "" && !strings.ContainsRune(string(w.Caller), 0) {
		rows := contactsOf(w.Queue, w.Caller)
		key := rows + store.TimeKey(me.At) + string(w.Call)
		before, err := neighbour(txn, rows, key, true)
		if err != nil {
			return err
		}
		after, err := neighbour(txn, rows, key, false)
		if err != nil {
			return err
		}
		repeats := func(a, next *contact, n int) {
			var t report.Traffic
			if a == nil || next == nil {
				return
			}
			if t.TakeRepeat(a.Contact, next.Contact, 1); t.Again != (report.Repeats{}) {
				slot := a.slot(w.Queue)
				changes[slot] = append(changes[slot], func(sum *report.Traffic) { sum.TakeRepeat(a.Contact, next.Contact, n) })
			}
		}
		repeats(before, after, -1)
		repeats(before, &me, 1)
		repeats(&me, after, 1)
		if err := txn.Set([]byte(key), me.value()); err != nil {
			return err
		}
	}
	for slot, all := range changes {
		err := change(txn, []byte(slot), func(t *report.Traffic) {
			for _, f := range all {
				f(t)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// neighbour is the nearest contact before a key, or after it; nil where there is none.
func neighbour(txn *badger.Txn, rows, key string, before bool) (*contact, error) {
	opts := badger.DefaultIteratorOptions
	opts.Prefix, opts.Reverse, opts.PrefetchSize = []byte(rows), before, 2
	it := txn.NewIterator(opts)
	defer it.Close()
	for it.Seek([]byte(key)); it.Valid(); it.Next() {
		if string(it.Item().Key()) == key {
			continue
		}
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			return nil, err
		}
		return readContact(string(it.Item().Key()[len(rows):]), value)
	}
	return nil, nil
}

// forgotten is the key of a contact without an erased person's number.
func forgotten(name string, m *erasure.Match) string {
	parts := strings.SplitN(strings.TrimPrefix(name, contactRows), "\x00", 3)
	if len(parts) < 3 {
		return name
	}
	if alias, ok := m.Number(tel.Number(parts[1]), rowTime(parts[2])); ok {
		return contactsOf(tel.QueueID(parts[0]), alias) + parts[2]
	}
	return name
}
