package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func write(t *testing.T, l *Log, what string) {
	t.Helper()
	if err := l.Append(tel.PageAccessed{At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), What: what, User: "anna"}); err != nil {
		t.Fatal(err)
	}
}

func deeds(t *testing.T, l *Log, most int) string {
	t.Helper()
	all, err := l.Last(most)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, e := range all {
		words = append(words, e.What)
	}
	return strings.Join(words, " ")
}

func TestTheNewestLinesComeFirstAlsoAfterADeath(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for _, w := range []string{"one", "two", "three"} {
		write(t, l, w)
	}
	if got := deeds(t, l, 2); got != "three two" {
		t.Errorf("%q", got)
	}
	// No Close: the process was killed, in the middle of a line.
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"at":"2026-`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	again := open(t, dir)
	write(t, again, "four")
	if got := deeds(t, again, 10); got != "four three two one" {
		t.Errorf("after a death: %q", got)
	}
}

func TestTheLogIsBoundedAndTheNewestStay(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	long := strings.Repeat("x", 100<<10)
	for i := range 40 {
		if err := l.Append(tel.PageAccessed{What: fmt.Sprint("deed", i), Whom: long}); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	for _, f := range []string{name, older} {
		s, err := os.Stat(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		size += s.Size()
	}
	if size > 2*most {
		t.Errorf("%d bytes on the disk", size)
	}
	if got := deeds(t, l, 3); got != "deed39 deed38 deed37" {
		t.Errorf("%q", got)
	}
}

func TestAClosedLogTakesNothing(t *testing.T) {
	l := open(t, t.TempDir())
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Append(tel.PageAccessed{What: "late"}); err == nil {
		t.Error("a line was taken")
	}
}

func TestAFolderThatIsNoneIsAnError(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("it was opened")
	}
}

func FuzzWhatIsNoLineIsLeftOut(f *testing.F) {
	f.Add([]byte(`{"at":"2026-03-02T09:00:00Z","what":"signed_in"}` + "\n{}\nx\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, e := range decode(text) {
			if e.What == "" {
				t.Fatal("an empty line")
			}
		}
		if len(decode(text)) > bytes.Count(text, []byte("\n"))+1 {
			t.Fatal("more lines than there are")
		}
	})
}

func TestALogThatCouldNotBeOpenedTriesAgainAtEachLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "late")
	l, err := Open(dir)
	if err == nil {
		t.Fatal("no error")
	}
	if err := l.Append(tel.PageAccessed{What: "signed_in"}); err == nil {
		t.Error("a line is written into nothing")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(tel.PageAccessed{What: "signed_out"}); err != nil {
		t.Fatal(err)
	}
	if all, err := l.Last(9); err != nil || len(all) != 1 || all[0].What != "signed_out" {
		t.Errorf("%+v, %v", all, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(tel.PageAccessed{What: "signed_in"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
