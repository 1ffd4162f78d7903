package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func crcFix(head []byte) {
	binary.LittleEndian.PutUint32(head[32:], crc32.Checksum(head[:32], castagnoli))
}

func openHistory(t testing.TB, cfg HistoryConfig) *History {
	t.Helper()
	cfg.Log = quiet
	h, err := OpenHistory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func bodies(t testing.TB, h *History, from Pos) (out []string) {
	t.Helper()
	last := Pos(0)
	err := h.Read(from, func(r Record) error {
		if r.Pos <= last || r.Pos < from {
			t.Fatalf("position %d after %d, asked from %d", r.Pos, last, from)
		}
		last = r.Pos
		out = append(out, string(r.Body))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHistoryIsReadInOrderAcrossSegmentsAndStarts(t *testing.T) {
	dir := t.TempDir()
	var want []string
	var marks []Pos
	for start := range 3 {
		h := openHistory(t, HistoryConfig{Dir: dir})
		for n := range 60 {
			body := fmt.Sprintf("%d-%d-%s", start, n, strings.Repeat("z", 30000))
			pos, err := h.Append("queue_left", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			want, marks = append(want, body), append(marks, pos)
		}
		if st := h.Status(); st.Segments < 2 {
			t.Fatalf("only %d segments: the test proves nothing about rolling", st.Segments)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	h := openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	got := bodies(t, h, 0)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("record %d differs", i)
		}
	}
	if part := bodies(t, h, marks[77]); len(part) != len(want)-77 || part[0] != want[77] {
		t.Fatalf("reading from the 77th gives %d records", len(part))
	}
}

func TestARecordCarriesItsTimes(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir, Class: func(k string) Class { return Finished }})
	before, boot := time.Now(), sinceBoot()
	if _, err := h.AppendUrgent("call_ended", []byte("x")); err != nil {
		t.Fatal(err)
	}
	err := h.Read(0, func(r Record) error {
		if r.Wall.Before(before.Add(-time.Millisecond)) || r.Boot < boot || r.Boot > sinceBoot() || r.BootID != CurrentBoot() || r.BootID == (BootID{}) {
			t.Errorf("wall %v boot %v id %v", r.Wall, r.Boot, r.BootID)
		}
		if r.Class != Finished || r.Kind != "call_ended" {
			t.Errorf("class %d kind %q", r.Class, r.Kind)
		}
		return nil
	})
	if err = errors.Join(err, h.Close()); err != nil {
		t.Fatal(err)
	}
	h = openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	if at := h.Status().Written; at.Before(before.Add(-time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("the newest record that was found is of %v", at)
	}
}

func TestOrdinaryRecordsAreSyncedOncePerSecondAndUrgentOnesTogether(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var syncs atomic.Int64
		h := openHistory(t, HistoryConfig{Dir: dir, disk: syncing{sync: func(durable.File) error { syncs.Add(1); time.Sleep(10 * time.Millisecond); return nil }}})
		time.Sleep(time.Second) // the first segment's own beginning
		_, _ = h.Append("warm", nil)
		time.Sleep(2 * time.Second)
		base := syncs.Load()
		for range 100 {
			_, _ = h.Append("agent_changed", []byte("x"))
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(1100 * time.Millisecond)
		if n := syncs.Load() - base; n != 1 {
			t.Errorf("%d syncs for 100 records within half a second, want 1", n)
		}
		if st := h.Status(); st.Synced != st.Last {
			t.Errorf("synced to %d of %d after more than a second", st.Synced, st.Last)
		}
		base = syncs.Load()
		time.Sleep(time.Minute)
		if n := syncs.Load() - base; n != 0 {
			t.Errorf("%d syncs while nothing was dirty", n)
		}
		var wg sync.WaitGroup
		start := time.Now()
		for range 50 {
			wg.Go(func() {
				pos, err := h.AppendUrgent("call_ended", []byte("x"))
				if st := h.Status(); err != nil || st.Synced < pos {
					t.Errorf("returned before the sync: %v, synced %d, position %d", err, st.Synced, pos)
				}
			})
		}
		wg.Wait()
		if n := syncs.Load() - base; n > 2 {
			t.Errorf("%d syncs for 50 urgent records at once, want at most 2", n)
		}
		if took := time.Since(start); took > 20*time.Millisecond {
			t.Errorf("urgent records took %v, want two syncs at most", took)
		}
		_ = h.Close()
	})
}

func TestAFailedSyncIsToldAndTriedAgainWithTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		h := openHistory(t, HistoryConfig{Dir: dir, disk: syncing{sync: func(f durable.File) error {
			if broken.Load() {
				// What a kernel may do: drop the dirty pages, report once.
				_, _ = f.WriteAt(make([]byte, 200), segmentHeader)
				return errors.New("input/output error")
			}
			return nil
		}}})
		broken.Store(true)
		if _, err := h.AppendUrgent("call_ended", []byte("precious")); !errors.Is(err, ErrIO) {
			t.Errorf("broken disk: %v, want ErrIO", err)
		}
		if h.Status().Broken == nil {
			t.Error("status hides the broken disk")
		}
		broken.Store(false)
		time.Sleep(2 * time.Second)
		if st := h.Status(); st.Broken != nil || st.Synced != st.Last {
			t.Errorf("after the disk came back: %+v", st)
		}
		if got := bodies(t, h, 0); len(got) != 1 || got[0] != "precious" {
			t.Errorf("records %q", got)
		}
		_ = h.Close()
	})
}

func TestADiskThatNeverSyncsEndsInErrorsNotInMemory(t *testing.T) {
	h := openHistory(t, HistoryConfig{Dir: t.TempDir(), disk: syncing{sync: func(durable.File) error { return errors.New("dead") }}})
	body := make([]byte, 100<<10)
	var err error
	for range 200 {
		if _, err = h.Append("agent_changed", body); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrIO) {
		t.Errorf("got %v, want ErrIO before 20 MB are kept", err)
	}
	if err := h.Close(); !errors.Is(err, ErrIO) {
		t.Errorf("Close hides the dead disk: %v", err)
	}
}

func TestHistoryLosesNothingAcknowledgedToKill9(t *testing.T) {
	dir := t.TempDir()
	last := -1
	for round := range 8 {
		last = killAWriter(t, "history", dir, last+1, time.Duration(5+round*9)*time.Millisecond)
		h := openHistory(t, HistoryConfig{Dir: dir})
		next := 0
		for _, b := range bodies(t, h, 0) {
			_, num, _ := strings.Cut(b, "=")
			n, err := strconv.Atoi(num)
			if err != nil || n > next {
				t.Fatalf("round %d: found %q, expected %d", round, num, next)
			}
			next = n + 1 // a record written and not acknowledged may be written again
		}
		if next <= last {
			t.Fatalf("round %d: acknowledged %d, found up to %d", round, last, next-1)
		}
		// The kernel lets a fatal signal cut a write(2) short between two pages: that is an unfinished
		// record at the end, which nobody was told of. Anything else is damage.
		for _, d := range h.Status().Damage {
			if !d.Tail {
				t.Fatalf("round %d: a kill damaged the file: %v", round, d)
			}
		}
		_ = h.Close()
	}
	t.Logf("%d acknowledged records, 8 kills, none lost", last+1)
}

func TestHistoryOpensAfterAPowerCutAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir})
	for n := range 5 {
		if _, err := h.Append("call_ended", fmt.Appendf(nil, "record %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	_ = h.Close()
	cutsOf(t, dir, 1<<20, func(sub, what string) {
		h := openHistory(t, HistoryConfig{Dir: sub, disk: syncing{sync: func(durable.File) error { return nil }}})
		defer h.Close()
		got := bodies(t, h, 0)
		if strings.HasPrefix(what, "byte ") && len(got) < 4 {
			t.Fatalf("%s: %d records left of 5", what, len(got))
		}
		seen := Pos(0)
		_ = h.Read(0, func(r Record) error { seen = r.Pos; return nil })
		pos, err := h.Append("call_ended", []byte("after"))
		if err != nil || pos <= seen {
			t.Fatalf("%s: append after recovery: position %d after %d, %v", what, pos, seen, err)
		}
		if again := bodies(t, h, 0); len(again) != len(got)+1 || again[len(got)] != "after" {
			t.Fatalf("%s: %d records after the append, had %d", what, len(again), len(got))
		}
	})
}

func TestAPositionIsNeverUsedTwiceEvenIfAPowerCutTookRecordsBack(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir})
	var seen Pos
	for range 10 {
		seen, _ = h.Append("k", []byte("a reader saw this"))
	}
	_ = h.Close()
	firsts, _ := listSegments(durable.Disk{}, dir)
	if err := os.Truncate(segmentPath(dir, firsts[0]), segmentHeader); err != nil {
		t.Fatal(err)
	}
	h = openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	if at := h.Status().Written; !at.IsZero() {
		t.Errorf("the newest record that was found is of %v", at)
	}
	if pos, err := h.Append("k", nil); err != nil || pos <= seen {
		t.Fatalf("position %d was given out again (last seen %d), %v", pos, seen, err)
	}
}

func TestHistoryOnAFullDiskReturnsAnErrorAndRecovers(t *testing.T) {
	disk := smallDisk(t, 2<<20)
	dir := filepath.Join(disk, "history")
	h := openHistory(t, HistoryConfig{Dir: dir})
	if _, err := h.AppendUrgent("call_ended", []byte("first")); err != nil {
		t.Fatal(err)
	}
	ballast := fill(t, disk)
	body := []byte(strings.Repeat("b", 5000))
	acked := 1
	var err error
	for range 2000 {
		if _, err = h.Append("call_ended", body); err != nil {
			break
		}
		acked++
	}
	if !errors.Is(err, ErrNoSpace) {
		t.Fatalf("full disk: %v, want ErrNoSpace", err)
	}
	if got := bodies(t, h, 0); len(got) != acked {
		t.Fatalf("%d records on the full disk, %d acknowledged", len(got), acked)
	}
	_ = h.Close()
	h = openHistory(t, HistoryConfig{Dir: dir}) // a restart while full
	defer h.Close()
	if got := bodies(t, h, 0); len(got) != acked {
		t.Fatalf("%d records after a restart on the full disk, %d acknowledged", len(got), acked)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AppendUrgent("call_ended", []byte("last")); err != nil {
		t.Fatalf("append with space again: %v", err)
	}
	if got := bodies(t, h, 0); len(got) != acked+1 || got[acked] != "last" {
		t.Fatalf("%d records in the end, want %d", len(got), acked+1)
	}
}

func TestTrimRemovesOnlyWholeOlderSegments(t *testing.T) {
	h := openHistory(t, HistoryConfig{Dir: t.TempDir()})
	defer h.Close()
	body := []byte(strings.Repeat("t", 100<<10))
	var marks []Pos
	for range 40 {
		pos, err := h.AppendUrgent("call_ended", body)
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, pos)
	}
	before := h.Status().Segments
	if err := h.TrimBelow(marks[25]); err != nil {
		t.Fatal(err)
	}
	if after := h.Status().Segments; after >= before || after < 2 {
		t.Fatalf("%d segments of %d left", after, before)
	}
	if got := bodies(t, h, marks[25]); len(got) != 15 {
		t.Fatalf("%d records from the mark on, want 15", len(got))
	}
	if err := h.TrimBelow(1 << 62); err != nil {
		t.Fatal(err)
	}
	if st := h.Status(); st.Segments != 1 {
		t.Fatalf("%d segments left, want the one being written", st.Segments)
	}
}

func TestOverQuotaStatisticsGoFirstThenStatesAndFinishedRecordsNever(t *testing.T) {
	class := func(kind string) Class {
		switch kind {
		case "stat":
			return Statistic
		case "call_ended":
			return Finished
		default:
			return State
		}
	}
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir, Quota: 4 << 20, Class: class})
	count := func() map[string]int {
		n := map[string]int{}
		_ = h.Read(0, func(r Record) error { n[r.Kind]++; return nil })
		return n
	}
	body := []byte(strings.Repeat("q", 20<<10))
	write := func(kind string) error { _, err := h.AppendUrgent(kind, body); return err }
	for n := range 220 {
		for _, kind := range []string{"stat", "agent"} {
			if n%2 == 0 || kind == "stat" {
				if err := write(kind); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n%11 == 0 {
			if err := write("call_ended"); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := count()
	if got["agent"] != 110 || got["call_ended"] != 20 || got["stat"] >= 220 {
		t.Fatalf("statistics alone should go: %v", got)
	}
	if st := h.Status(); st.Bytes > 4<<20+1<<20 || st.Thinned == 0 {
		t.Fatalf("quota of 4 MiB not kept: %+v", st)
	}
	finished := 20
	for range 400 {
		if err := write("call_ended"); err != nil {
			t.Fatalf("a finished record was refused: %v", err)
		}
		finished++
	}
	got = count()
	if got["call_ended"] != finished {
		t.Fatalf("%d of %d finished records left", got["call_ended"], finished)
	}
	if got["stat"] != 0 || got["agent"] != 0 {
		t.Fatalf("something less than a finished record stayed: %v", got)
	}
	if err := write("stat"); !errors.Is(err, ErrQuota) {
		t.Fatalf("a statistic over quota: %v, want ErrQuota", err)
	}
	_ = h.TrimBelow(1 << 62)
	if err := write("stat"); err != nil {
		t.Fatalf("a statistic with room again: %v", err)
	}
	_ = h.Close()
}

func TestOwnersAreToldOfEachNewSegment(t *testing.T) {
	var told atomic.Int64
	h := openHistory(t, HistoryConfig{Dir: t.TempDir(), Rolled: func(Pos) { told.Add(1) }})
	body := make([]byte, 200<<10)
	for range 20 {
		if _, err := h.AppendUrgent("k", body); err != nil {
			t.Fatal(err)
		}
	}
	segments := h.Status().Segments
	_ = h.Close()
	if n := int(told.Load()); n < segments-1 || n > segments || segments < 3 {
		t.Fatalf("told of %d of %d segments", n, segments)
	}
}

func BenchmarkHistoryAppend(b *testing.B) {
	h := openHistory(b, HistoryConfig{
		Dir: b.TempDir(), Quota: 32 << 20, Class: func(string) Class { return Statistic },
		disk: syncing{sync: func(durable.File) error { return nil }}, // the caller's cost; the disk's is paid elsewhere
	})
	defer h.Close()
	body := []byte(strings.Repeat("h", 400))
	b.ReportAllocs()
	refused := 0
	for b.Loop() {
		if _, err := h.Append("agent_changed", body); err != nil {
			refused++
		}
	}
	b.ReportMetric(float64(refused)/float64(b.N), "refused/op")
}
