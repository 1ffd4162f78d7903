package logring

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func opened(t *testing.T, path string, max int64) *Ring {
	t.Helper()
	r, err := Open(path, max)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func saved(t *testing.T, r *Ring) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "saved")
	if err := r.Save(at); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheLastLinesAreKeptWholeAndInOrderWithinTheBound(t *testing.T) {
	const bound = 1000
	at := filepath.Join(t.TempDir(), "log", "box")
	r := opened(t, at, bound)
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := range 500 {
				fmt.Fprintf(r, "%d: line %d\n", w, n)
			}
		})
	}
	writers.Wait()
	fmt.Fprintln(r, "the end")
	text := saved(t, r)
	if len(text) > bound || len(text) < bound/2-20 || !strings.HasSuffix(text, "the end\n") {
		t.Fatalf("%d bytes: %q", len(text), text)
	}
	last := map[int]int{}
	for line := range strings.Lines(strings.TrimSuffix(text, "the end\n")) {
		var w, n int
		if _, err := fmt.Sscanf(line, "%d: line %d\n", &w, &n); err != nil || n < last[w] {
			t.Errorf("line %q after number %d: %v", line, last[w], err)
		}
		last[w] = n
	}
}

func TestARingGoesOnWhereTheLastOneEnded(t *testing.T) {
	at := filepath.Join(t.TempDir(), "box")
	first := opened(t, at, 1000)
	fmt.Fprintln(first, "before")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := opened(t, at, 1000)
	fmt.Fprintln(second, "after")
	if got := saved(t, second); got != "before\nafter\n" {
		t.Errorf("%q", got)
	}
}

func TestALineLongerThanTheRingIsCut(t *testing.T) {
	r := opened(t, filepath.Join(t.TempDir(), "box"), 100)
	if n, err := r.Write([]byte(strings.Repeat("x", 500))); n != 500 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got := saved(t, r); got != strings.Repeat("x", 50) {
		t.Errorf("%d bytes", len(got))
	}
}
