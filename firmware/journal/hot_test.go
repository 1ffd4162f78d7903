package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

func openHot(t testing.TB, dir string, limit int64) *Hot {
	t.Helper()
	h, err := OpenHot(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHotReturnsTheLastValueAfterReopening(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for round := range 8 {
		h := openHot(t, dir, 4<<10)
		for range 500 {
			k := strconv.Itoa(rng.IntN(40))
			if rng.IntN(5) == 0 {
				if err := h.Delete("leg", k); err != nil {
					t.Fatal(err)
				}
				delete(want, k)
				continue
			}
			v := strings.Repeat("v", rng.IntN(300)) + strconv.Itoa(rng.Int())
			if err := h.Put("leg", k, []byte(v)); err != nil {
				t.Fatal(err)
			}
			want[k] = v
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		h = openHot(t, dir, 4<<10)
		got := h.Load("leg")
		if len(got) != len(want) {
			t.Fatalf("round %d: %d keys, want %d", round, len(got), len(want))
		}
		for k, v := range want {
			if string(got[k]) != v {
				t.Fatalf("round %d: key %s is %q, want %q", round, k, got[k], v)
			}
		}
		if n := len(h.Load("dialog")); n != 0 {
			t.Fatalf("%d values of a kind never written", n)
		}
		for _, d := range h.Damage() { // as in the history: only an unfinished write may be cut
			if !d.Tail {
				t.Fatalf("round %d: a kill damaged the file: %v", round, d)
			}
		}
		_ = h.Close()
	}
}

func TestHotStaysSmallUnderManyChanges(t *testing.T) {
	dir := t.TempDir()
	h := openHot(t, dir, 64<<10)
	defer h.Close()
	value := bytes.Repeat([]byte("s"), 1000)
	for n := range 5000 {
		if err := h.Put("leg", strconv.Itoa(n%10), value); err != nil {
			t.Fatal(err)
		}
	}
	if st := h.Status(); st.Live != 10 || st.Bytes > 64<<10+12*1200 {
		t.Fatalf("after 5 MB of changes to 10 keys: %+v", st)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Fatalf("%d files, want the one segment", len(files))
	}
}

func TestHotLosesNothingAcknowledgedToKill9(t *testing.T) {
	dir := t.TempDir()
	last := -1
	for round := range 12 {
		last = killAWriter(t, "hot", dir, last+1, time.Duration(5+round*7)*time.Millisecond)
		h := openHot(t, dir, 64<<10)
		got := h.Load("call")
		for n := max(0, last-49); n <= last; n++ {
			v := string(got[strconv.Itoa(n%50)])
			_, num, _ := strings.Cut(v, "=")
			if have, err := strconv.Atoi(num); err != nil || have < n {
				t.Fatalf("round %d: acknowledged %d, key %d holds %q", round, last, n%50, num)
			}
		}
		_ = h.Close()
	}
	t.Logf("%d acknowledged writes, 12 kills, none lost", last+1)
}

// cutsOf calls fn with a copy of dir for every way its newest file can be cut or damaged in the
// last bytes: truncated at each byte, or with each byte changed.
func cutsOf(t *testing.T, dir string, bytesFromEnd int, fn func(copyDir, what string)) {
	t.Helper()
	firsts, err := listSegments(durable.Disk{}, dir)
	if err != nil || len(firsts) == 0 {
		t.Fatal("no segments", err)
	}
	name := filepath.Base(segmentPath(dir, firsts[len(firsts)-1]))
	whole, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	whole = bytes.TrimRight(whole, "\x00")
	work := t.TempDir()
	try := func(b []byte, what string) {
		sub, err := os.MkdirTemp(work, "cut")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(sub)
		if err := os.CopyFS(sub, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		fn(sub, what)
	}
	for i := max(0, len(whole)-bytesFromEnd); i < len(whole); i++ {
		try(whole[:i], fmt.Sprintf("cut at %d of %d", i, len(whole)))
		b := bytes.Clone(whole)
		b[i] ^= 0xFF
		try(b, fmt.Sprintf("byte %d of %d changed", i, len(whole)))
		for j := i; j < min(i+16, len(b)); j++ {
			b[j] = 0
		}
		try(b, fmt.Sprintf("bytes from %d of %d zeroed", i, len(whole)))
	}
}

func TestHotOpensAfterAPowerCutAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	h := openHot(t, dir, 0)
	const records = 6
	for n := range records {
		if err := h.Put("dialog", strconv.Itoa(n), []byte(strings.Repeat("d", 20)+strconv.Itoa(n))); err != nil {
			t.Fatal(err)
		}
	}
	_ = h.Close()
	cutsOf(t, dir, 1<<20, func(sub, what string) {
		h, err := OpenHot(sub, 0)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := h.Load("dialog")
		if len(got) < records-1 && !strings.HasPrefix(what, "cut") && !strings.HasPrefix(what, "bytes") {
			t.Fatalf("%s: only %d of %d values left", what, len(got), records)
		}
		for k, v := range got {
			if string(v) != strings.Repeat("d", 20)+k {
				t.Fatalf("%s: key %s holds %q", what, k, v)
			}
		}
		if err := h.Put("dialog", "after", []byte("new")); err != nil {
			t.Fatalf("%s: put after recovery: %v", what, err)
		}
		_ = h.Close()
		h = openHot(t, sub, 0)
		if again := h.Load("dialog"); string(again["after"]) != "new" || len(again) != len(got)+1 {
			t.Fatalf("%s: second start has %d values, want %d and the new one", what, len(again), len(got))
		}
		_ = h.Close()
	})
}

func TestHotSkipsACorruptMiddleAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	h := openHot(t, dir, 0)
	for n := range 10 {
		_ = h.Put("k", strconv.Itoa(n), []byte("value"))
	}
	at := h.live[hotKey{"k", "4"}]
	path := h.seg.path
	_ = h.Close()
	f, _ := os.OpenFile(path, os.O_RDWR, 0)
	_, _ = f.WriteAt([]byte("garbage"), at.off+30)
	_ = f.Close()
	h = openHot(t, dir, 0)
	defer h.Close()
	if got := h.Load("k"); len(got) != 9 || got["4"] != nil || got["9"] == nil {
		t.Fatalf("%d values left", len(got))
	}
	d := h.Damage()
	if len(d) != 1 || d[0].Tail || d[0].From != at.off || d[0].To != at.off+int64(at.size) {
		t.Fatalf("damage reported as %v, want [%d,%d)", d, at.off, at.off+int64(at.size))
	}
}

func TestHotOnAFullDiskReturnsAnErrorAndRecovers(t *testing.T) {
	disk := smallDisk(t, 1<<20)
	h := openHot(t, filepath.Join(disk, "hot"), 0)
	defer h.Close()
	if err := h.Put("call", "kept", []byte("before")); err != nil {
		t.Fatal(err)
	}
	ballast := fill(t, disk)
	value := bytes.Repeat([]byte("v"), 2000)
	var err error
	acked := 0
	for n := 0; err == nil && n < 10000; n++ {
		if err = h.Put("call", strconv.Itoa(n), value); err == nil {
			acked++
		}
	}
	if !errors.Is(err, ErrNoSpace) {
		t.Fatalf("full disk: %v, want ErrNoSpace", err)
	}
	if got := h.Load("call"); len(got) != acked+1 || string(got["kept"]) != "before" {
		t.Fatalf("%d values on the full disk, want %d", len(got), acked+1)
	}
	_ = h.Close()
	h = openHot(t, filepath.Join(disk, "hot"), 0) // a restart while full
	if got := h.Load("call"); len(got) != acked+1 {
		t.Fatalf("%d values after a restart on the full disk, want %d", len(got), acked+1)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := h.Put("call", "after", value); err != nil {
		t.Fatalf("put with space again: %v", err)
	}
	_ = h.Close()
}

func TestHotNeverFillsASmallDiskWithItsOwnGarbage(t *testing.T) {
	disk := smallDisk(t, 1<<20)
	h := openHot(t, filepath.Join(disk, "hot"), 1<<30) // more than the whole disk
	defer h.Close()
	value := bytes.Repeat([]byte("v"), 2000)
	for n := range 3000 {
		if err := h.Put("call", strconv.Itoa(n%5), value); err != nil {
			t.Fatalf("put %d: %v", n, err)
		}
	}
}

func TestHotRefusesWhatExceedsTheLimitsAndASecondOwner(t *testing.T) {
	dir := t.TempDir()
	h := openHot(t, dir, 0)
	for _, err := range []error{
		h.Put("", "k", nil),
		h.Put(strings.Repeat("k", MaxKind+1), "k", nil),
		h.Put("k", strings.Repeat("k", MaxKey+1), nil),
		h.Put("k", "k", make([]byte, MaxBody+1)),
	} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, want ErrTooLarge", err)
		}
	}
	if _, err := OpenHot(dir, 0); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second owner: %v", err)
	}
	_ = h.Close()
	if err := h.Put("k", "k", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// newer makes a segment look as if a program of the next version had written it.
func newer(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[8] = version + 1
	crcFix(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheHotJournalOfANewerProgramIsPutAsideAndNoCallIsRefused(t *testing.T) {
	dir := t.TempDir()
	h := openHot(t, dir, 0)
	if err := h.Put("call", "a", []byte("of the newer program")); err != nil {
		t.Fatal(err)
	}
	_ = h.Close()
	newer(t, segmentPath(dir, 1))
	for start := range 2 {
		h = openHot(t, dir, 0)
		if got := h.Load("call"); len(got) != start {
			t.Fatalf("start %d has %d calls: %q", start, len(got), got)
		}
		if err := h.Put("call", "b", []byte("of this program")); err != nil {
			t.Fatal(err)
		}
		if d := h.Damage(); start == 0 && (len(d) != 1 || !strings.Contains(d[0].String(), "newer version")) || start == 1 && len(d) != 0 {
			t.Errorf("start %d tells %v", start, d)
		}
		_ = h.Close()
	}
	if _, err := os.Stat(segmentPath(dir, 1) + strange); err != nil {
		t.Errorf("what was put aside: %v", err)
	}
}

func TestSegmentsOfANewerProgramArePutAsideAndTheHistoryGoesOn(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir})
	id := h.ID()
	var last Pos
	for n := range 40 { // a segment and a half
		var err error
		if last, err = h.AppendUrgent("call_ended", fmt.Appendf(nil, "%d %s", n, strings.Repeat("z", 30000))); err != nil {
			t.Fatal(err)
		}
	}
	_ = h.Close()
	firsts, err := listSegments(durable.Disk{}, dir)
	if err != nil || len(firsts) != 2 {
		t.Fatalf("%d segments, %v", len(firsts), err)
	}
	h = openHistory(t, HistoryConfig{Dir: dir})
	before := len(bodies(t, h, 0))
	_ = h.Close()
	newer(t, segmentPath(dir, firsts[1]))
	r := NewReader(dir) // recordd may look before prontod has put the segment aside: it waits
	defer r.Close()
	if err := r.Read(func(Record) error { return nil }); !errors.Is(err, ErrVersion) {
		t.Errorf("a reader that comes first: %v", err)
	}
	h = openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	if h.ID() != id {
		t.Error("the history has another name: whoever follows it would begin anew")
	}
	d := h.Status().Damage
	if len(d) != 1 || !strings.Contains(d[0].String(), "newer version") || d[0].Aside == "" {
		t.Errorf("it tells %v", d)
	}
	if _, err := os.Stat(filepath.Join(dir, d[0].Aside)); err != nil {
		t.Errorf("what was put aside: %v", err)
	}
	pos, err := h.AppendUrgent("call_ended", []byte("after"))
	if err != nil || pos <= last {
		t.Errorf("position %d after %d: %v", pos, last, err)
	}
	if got := bodies(t, h, 0); len(got) >= before || len(got) < 20 || got[len(got)-1] != "after" {
		t.Errorf("%d records are left of %d", len(got), before)
	}
	read := 0
	if err := r.Read(func(Record) error { read++; return nil }); err != nil || read == 0 {
		t.Errorf("the reader goes on with %d records: %v", read, err)
	}
}

func TestHotServesManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	h := openHot(t, dir, 16<<10)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 400 {
				if err := h.Put("leg", fmt.Sprintf("%d-%d", g, n%7), fmt.Appendf(nil, "%d", n)); err != nil {
					t.Error(err)
				}
				if n%50 == 0 {
					h.Load("leg")
				}
			}
		})
	}
	wg.Wait()
	_ = h.Close()
	h = openHot(t, dir, 0)
	defer h.Close()
	got := h.Load("leg")
	for g := range 8 {
		if v := got[fmt.Sprintf("%d-0", g)]; string(v) != "399" {
			t.Errorf("goroutine %d: last value %q, want 399", g, v)
		}
	}
}

func BenchmarkHotPut(b *testing.B) {
	dir, err := os.MkdirTemp("/dev/shm", "hot")
	if err != nil {
		dir = b.TempDir()
	}
	defer os.RemoveAll(dir)
	h := openHot(b, dir, 0)
	defer h.Close()
	keys := make([]string, 500)
	for i := range keys {
		keys[i] = "c" + strconv.Itoa(i)
	}
	value := bytes.Repeat([]byte("s"), 1200)
	for i := range keys {
		_ = h.Put("leg", keys[i], value)
	}
	b.ReportAllocs()
	worst := time.Duration(0)
	i := 0
	for b.Loop() {
		start := time.Now()
		if err := h.Put("leg", keys[i%len(keys)], value); err != nil {
			b.Fatal(err)
		}
		worst = max(worst, time.Since(start))
		i++
	}
	b.ReportMetric(float64(worst.Microseconds()), "worst-µs")
}
