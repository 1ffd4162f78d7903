package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// without is a change that takes a word out of every record.
func without(word string) func(Record) ([]byte, bool) {
	return func(r Record) ([]byte, bool) {
		b := bytes.ReplaceAll(r.Body, []byte(word), []byte("nobody at all"))
		return b, !bytes.Equal(b, r.Body)
	}
}

// holds are the segments in which a word stands.
func holds(t *testing.T, dir, word string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(word)) {
			names = append(names, filepath.Base(path))
		}
	}
	return names
}

func TestARewrittenHistoryHasEveryRecordInItsPlaceAndTheWordNowhere(t *testing.T) {
	dir := t.TempDir()
	h := openHistory(t, HistoryConfig{Dir: dir})
	body := strings.Repeat("x", 1000)
	var want []Pos
	for i := range 2500 { // some segments of the smallest size, and an active one
		text := fmt.Sprintf("%d of somebody%s", i, body)
		if i%7 == 0 {
			text = fmt.Sprintf("%d of Rossi%s", i, body)
		}
		pos, err := h.Append("call_ended", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, pos)
	}
	if len(holds(t, dir, "Rossi")) < 2 {
		t.Fatal("the word is not in several segments: nothing is shown")
	}
	var writers sync.WaitGroup
	writers.Go(func() { // telephony goes on meanwhile
		for range 200 {
			pos, err := h.AppendUrgent("call_ended", []byte("meanwhile"))
			if err != nil {
				t.Error(err)
			}
			want = append(want, pos)
		}
	})
	n, err := h.Rewrite(without("Rossi"))
	writers.Wait()
	if err != nil || n != 358 {
		t.Fatalf("%d changed, %v", n, err)
	}
	check := func() {
		t.Helper()
		var got []Pos
		err := h.Read(0, func(r Record) error {
			if i := len(got); i < 2500 && !strings.HasPrefix(string(r.Body), fmt.Sprintf("%d of ", i)) {
				t.Errorf("record %d is %.20q", i, r.Body)
			}
			got = append(got, r.Pos)
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d records, %v; want %d in their places", len(got), err, len(want))
		}
		if names := holds(t, dir, "Rossi"); len(names) > 0 {
			t.Errorf("the word is in %q", names)
		}
	}
	check()
	if n, err := h.Rewrite(without("Rossi")); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Rewrite(without("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	h = openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	check()
}

func TestARewriteThatTheDiskRefusesIsToldAndLosesNothing(t *testing.T) {
	dir := smallDisk(t, 4<<20)
	h := openHistory(t, HistoryConfig{Dir: dir})
	defer h.Close()
	for i := range 1500 {
		if _, err := h.Append("call_ended", []byte(fmt.Sprintf("%d of Rossi%s", i, strings.Repeat("x", 1000)))); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, dir)
	if _, err := h.Rewrite(without("Rossi")); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("a full disk: %v", err)
	}
	if got := bodies(t, h, 0); len(got) != 1500 {
		t.Errorf("%d records are left", len(got))
	}
}

func TestARecordThatOutgrowsTheLimitsGoes(t *testing.T) {
	h := openHistory(t, HistoryConfig{Dir: t.TempDir()})
	defer h.Close()
	for _, b := range [][]byte{[]byte("small Rossi"), append(bytes.Repeat([]byte("x"), MaxBody-5), "Rossi"...), []byte("last")} {
		if _, err := h.Append("acd_state", b); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := h.Rewrite(without("Rossi")); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if got := bodies(t, h, 0); !slices.Equal(got, []string{"small nobody at all", "last"}) {
		t.Errorf("%d records: %.40q", len(got), got)
	}
}
