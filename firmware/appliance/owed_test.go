package appliance

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// fullDisk is a history whose disk is full as long as the test says so.
type fullDisk struct {
	*journal.History
	full bool
}

func (d *fullDisk) AppendSignal(kind string, body []byte, done func(error)) (journal.Pos, error) {
	if d.full {
		return 0, unix.ENOSPC
	}
	return d.History.AppendSignal(kind, body, done)
}

// debtor is a process with finished records to write, which can be killed.
type debtor struct {
	t       *testing.T
	dir     string
	disk    *fullDisk
	hot     *journal.Hot
	o       *owed
	told    []int
	written []string // of those that waited
}

// starts is the next process on the same directories.
func (d *debtor) starts() {
	d.t.Helper()
	hot, err := journal.OpenHot(filepath.Join(d.dir, "hot"), 0)
	if err != nil {
		d.t.Fatal(err)
	}
	history, err := journal.OpenHistory(journal.HistoryConfig{Dir: filepath.Join(d.dir, "history"), Class: classOf})
	if err != nil {
		d.t.Fatal(err)
	}
	full := d.disk != nil && d.disk.full
	d.hot, d.disk = hot, &fullDisk{history, full}
	d.o = &owed{
		hot: hot, history: d.disk, synced: func(error) {},
		written: func(e tel.Event, _ journal.Pos) { d.written = append(d.written, string(e.(tel.QueueLeft).Call)) },
		told:    func(n int) { d.told = append(d.told, n) },
	}
	if errs := d.o.take(hot.Load(owedKind)); errors.Join(errs...) != nil {
		d.t.Fatal(errs)
	}
	for _, r := range d.records() {
		d.o.found(r.Kind, r.Body)
	}
}

// dies lets go of the files as a kill does: nothing more is written.
func (d *debtor) dies() {
	d.t.Helper()
	d.o.close()
	if err := errors.Join(d.disk.Close(), d.hot.Close()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *debtor) records() (all []journal.Record) {
	d.t.Helper()
	err := d.disk.Read(0, func(r journal.Record) error {
		r.Body = slices.Clone(r.Body)
		all = append(all, r)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// onRecord are the calls whose ends the history tells, in its order.
func (d *debtor) onRecord() string {
	d.t.Helper()
	var calls []string
	for _, r := range d.records() {
		e, err := cdr.Decode(r.Kind, r.Body)
		if err != nil {
			d.t.Fatal(err)
		}
		calls = append(calls, string(e.(tel.QueueLeft).Call))
	}
	return strings.Join(calls, " ")
}

func (d *debtor) ends(call string) (waits bool, err error) {
	d.t.Helper()
	kind, body, err := cdr.Encode(tel.QueueLeft{Queue: "sales", Call: tel.CallID(call), Outcome: tel.OutcomeAbandoned, Left: time.Now()})
	if err != nil {
		d.t.Fatal(err)
	}
	_, waits, err = d.o.write(kind, body)
	return waits, err
}

func (d *debtor) must(call string, wait bool) {
	d.t.Helper()
	if waits, err := d.ends(call); err != nil || waits != wait {
		d.t.Fatalf("the end of %s waits: %v, want %v; %v", call, waits, wait, err)
	}
}

func TestFinishedRecordsWaitThroughAKillForRoomOnTheDisk(t *testing.T) {
	d := &debtor{t: t, dir: t.TempDir()}
	d.starts()
	d.must("a", false)
	d.disk.full = true
	d.must("b", true)
	d.must("c", true)
	d.dies()
	d.starts() // the disk is full still
	d.must("d", true)
	d.o.retry()
	if got := d.onRecord(); got != "a" {
		t.Errorf("on record are %q", got)
	}
	d.dies()
	d.disk.full = false
	d.starts()
	d.must("e", false) // behind those that wait
	if got := d.onRecord(); got != "a b c d e" {
		t.Errorf("on record are %q", got)
	}
	if got := fmt.Sprint(d.told, d.written); got != "[1 2 3 0] [b c d]" {
		t.Errorf("told %s", got)
	}
	if left := len(d.hot.Load(owedKind)); left > 0 {
		t.Errorf("%d records wait for nothing", left)
	}
	d.dies()
}

// The process dies when the history has taken a record and the hot journal has not let go of it.
func TestARecordThatWaitedIsNotWrittenTwice(t *testing.T) {
	d := &debtor{t: t, dir: t.TempDir()}
	d.starts()
	d.disk.full = true
	d.must("a", true)
	d.must("b", true)
	kept := d.hot.Load(owedKind)
	d.disk.full = false
	d.o.retry()
	for key, b := range kept {
		if err := d.hot.Put(owedKind, key, b); err != nil {
			t.Fatal(err)
		}
	}
	d.dies()
	d.starts()
	d.o.retry()
	d.must("c", false)
	if got := d.onRecord(); got != "a b c" {
		t.Errorf("on record are %q", got)
	}
	d.dies()
}

func TestADiskThatStaysFullTakesNoMemoryWithoutEnd(t *testing.T) {
	d := &debtor{t: t, dir: t.TempDir()}
	d.starts()
	d.disk.full = true
	for n := range mostOwed {
		d.must(fmt.Sprint("c", n), true)
	}
	if waits, err := d.ends("more"); waits || !errors.Is(err, errOwed) {
		t.Errorf("one more waits: %v, %v", waits, err)
	}
	d.dies()
}
