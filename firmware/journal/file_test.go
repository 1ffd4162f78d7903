package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestAJournalIsReadFromItsDirectoryOrOneOfItsFiles(t *testing.T) {
	dir := t.TempDir()
	h, err := OpenHistory(HistoryConfig{Dir: dir, SegmentSize: 2 * MaxBody})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 5 {
		body := append([]byte(fmt.Sprint("r", i)), make([]byte, 200<<10)...)
		if _, err := h.Append("x", body); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint("r", i))
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	read := func(path string) (got []string) {
		t.Helper()
		damage, err := ReadAll(path, func(r Record) error {
			got = append(got, string(r.Body[:2]))
			return nil
		})
		if err != nil || len(damage) > 0 {
			t.Fatal(damage, err)
		}
		return got
	}
	if got := read(dir); !slices.Equal(got, want) {
		t.Errorf("the directory holds %v", got)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(files) < 2 {
		t.Fatalf("only %d files", len(files))
	}
	var got []string
	for _, f := range files {
		got = append(got, read(f)...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the files hold %v", got)
	}
	stop := errors.New("enough")
	if _, err := ReadAll(dir, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("who reads cannot stop it: %v", err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[segmentHeader+100] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	damage, err := ReadAll(files[0], func(Record) error { n++; return nil })
	if err != nil || len(damage) == 0 || n == 0 {
		t.Errorf("of a damaged file %d records are read, %v, %v", n, damage, err)
	}
}

func TestWhatIsNoJournalIsSaid(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(other, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, other, filepath.Join(dir, "nowhere")} {
		if _, err := ReadAll(path, func(Record) error { return nil }); err == nil {
			t.Errorf("%s is read", path)
		}
	}
}

func TestYoungSegmentsStayUntilTheHistoryIsTooLarge(t *testing.T) {
	dir := t.TempDir()
	h, err := OpenHistory(HistoryConfig{Dir: dir, SegmentSize: 2 * MaxBody})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var last Pos
	for range 12 {
		if last, err = h.AppendUrgent("x", make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
	}
	synced := make(chan struct{})
	if last, err = h.AppendSignal("x", nil, func(error) { close(synced) }); err != nil {
		t.Fatal(err)
	}
	<-synced // nothing that waits for the disk is in the way
	before := h.Status().Segments
	trim := func(older time.Time, most int64) int {
		t.Helper()
		if err := h.TrimAged(last, older, most); err != nil {
			t.Fatal(err)
		}
		return h.Status().Segments
	}
	if n := trim(time.Now().Add(-time.Hour), 1<<30); n != before || n < 4 {
		t.Fatalf("of %d segments %d are left", before, n)
	}
	if n := trim(time.Now().Add(-time.Hour), 1500<<10); n >= before || h.Status().Bytes > 1500<<10 {
		t.Errorf("of a history that is too large %d segments are left, %d bytes", n, h.Status().Bytes)
	}
	if n := trim(time.Now().Add(time.Hour), 1<<30); n != 1 {
		t.Errorf("of old segments %d are left", n)
	}
}
