package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

func TestAReaderFollowsAGrowingHistoryWithoutLossOrRepeat(t *testing.T) {
	dir := t.TempDir()
	const total = 4000
	var wg sync.WaitGroup
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(3, 4))
		n := 0
		for n < total { // with restarts of the writer in between
			h := openHistory(t, HistoryConfig{Dir: dir})
			for end := min(total, n+1500); n < end; n++ {
				if _, err := h.Append("k", []byte(fmt.Sprint(n, " ", strings.Repeat("r", rng.IntN(3000))))); err != nil {
					t.Error(err)
					return
				}
			}
			_ = h.Close()
		}
	})
	r := NewReader(dir)
	defer r.Close()
	next := 0
	stop := errors.New("enough for now")
	rng := rand.New(rand.NewPCG(5, 6))
	for next < total && !t.Failed() {
		err := r.Read(func(rec Record) error {
			if rng.IntN(100) == 0 {
				return stop // this one must come again
			}
			if !strings.HasPrefix(string(rec.Body), fmt.Sprint(next, " ")) {
				t.Errorf("got %.12q, want %d", rec.Body, next)
				return stop
			}
			next++
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if d := r.Skipped(); len(d) != 0 {
		t.Fatalf("a growing file was taken for a damaged one: %v", d)
	}
}

func TestAReaderPassesOverDamageInAFinishedSegmentAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir})
	for n := range 30 {
		if _, err := h.Append("k", []byte(fmt.Sprint(n, " ", strings.Repeat("d", 50<<10)))); err != nil {
			t.Fatal(err)
		}
	}
	_ = h.Close()
	firsts, _ := listSegments(durable.Disk{}, dir)
	if len(firsts) < 2 {
		t.Fatal("needs two segments")
	}
	f, err := os.OpenFile(segmentPath(dir, firsts[0]), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// One whole block lost to zeroes inside the fourth record.
	if _, err := f.WriteAt(make([]byte, 70<<10), 170<<10); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	r := NewReader(dir)
	defer r.Close()
	n := 0
	if err := r.Read(func(Record) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	if n != 28 {
		t.Fatalf("%d records, want 28: two lie in the damage", n)
	}
	if d := r.Skipped(); len(d) == 0 {
		t.Fatal("damage was not reported")
	}
}

func TestAReaderOfAnotherJournalBeginsAtItsOldestRecord(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	for n := range 3 {
		_, _ = h.Append("k", fmt.Append(nil, n))
	}
	r := NewReader(dir)
	defer r.Close()
	count := func() (n int) {
		if err := r.Read(func(Record) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r.Seek(h.ID(), 3)
	if n := count(); n != 1 {
		t.Fatalf("%d records from position 3 of this journal, want 1", n)
	}
	r.Seek(h.ID()+1, 3)
	if n := count(); n != 3 {
		t.Fatalf("%d records for a position of a lost journal, want all 3", n)
	}
	if r.Journal() != h.ID() {
		t.Fatal("the reader does not name the journal it read")
	}
	empty := NewReader(t.TempDir() + "/not-there")
	if err := empty.Read(func(Record) error { return errors.New("a record of nothing") }); err != nil {
		t.Fatal(err)
	}
}

// readBoth reads a finished segment with these bytes after its header by the reader, which looks
// through a window, and by recovery, which sees the whole file.
func readBoth(t *testing.T, b []byte) (reader, recovery []Pos) {
	t.Helper()
	dir := t.TempDir()
	for first, body := range map[Pos][]byte{1: b, 1 << 40: nil} { // the second one finishes the first
		if err := os.WriteFile(segmentPath(dir, first), append(appendSegmentHeader(nil, 7, first), body...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(dir)
	defer r.Close()
	if err := r.Read(func(rec Record) error { reader = append(reader, rec.Pos); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := recoverSegment(durable.Disk{}, dir, 1, 0, func(_ int64, _ int, rec Record) { recovery = append(recovery, rec.Pos) }); err != nil {
		t.Fatal(err)
	}
	return reader, recovery
}

func TestAReaderFindsWhatLiesBehindALongDamagedStretch(t *testing.T) {
	for _, junk := range []int{1, readWindow - 100, readWindow, readWindow + 1, 3*readWindow + 17} {
		for _, fill := range []string{"\x00", "j", "PJ\xff\xf5"} {
			first, second := sample(1, "k", "", "before"), sample(2, "k", "", strings.Repeat("after", 50000))
			b := appendRecord(nil, saltOf(1), &first)
			b = append(b, strings.Repeat(fill, junk/len(fill)+1)...)
			b = appendRecord(b, saltOf(1), &second)
			reader, recovery := readBoth(t, b)
			if len(reader) != 2 || len(recovery) != 2 {
				t.Errorf("%d bytes of %q: reader found %v, recovery %v", junk, fill, reader, recovery)
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	var b []byte
	for pos := range Pos(4) {
		r := sample(pos+1, "kind", "", "body")
		b = appendRecord(b, saltOf(1), &r)
	}
	f.Add(b)
	f.Add(append(append(append([]byte{}, b[:100]...), make([]byte, 50)...), b[100:]...))
	f.Add(b[:len(b)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		reader, recovery := readBoth(t, b)
		if !slices.Equal(reader, recovery) {
			t.Fatalf("reader found %v, recovery %v", reader, recovery)
		}
	})
}
