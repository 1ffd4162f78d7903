package stick

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "7H3K9QXA"

func TestAnOrderNamesTheBoxAndWhatItAsks(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Order
	}{
		{"7H3K9QXA recovery", Recover},
		{"\xEF\xBB\xBF7h3k9qxa\r\nFactory-Reset\r\n", Reset},
		{"7H3K9QXA: new-owner\n\n", Reclaim},
		{"7H3K9QXB recovery", ""},
		{"recovery", ""},
		{"7H3K9QXA", ""},
		{"7H3K9QXA recovery factory-reset", ""},
		{"7H3K9QXA format", ""},
		{"", ""},
		{"7H3K9QXA recovery" + strings.Repeat(" ", maxOrder), ""},
	} {
		if got, ok := ParseOrder([]byte(tc.text), id); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%.40q asks for %q, %v", tc.text, got, ok)
		}
	}
	if _, ok := ParseOrder([]byte(" recovery"), ""); ok {
		t.Error("a box without an id obeys")
	}
}

func FuzzParseOrder(f *testing.F) {
	f.Add([]byte("7H3K9QXA recovery"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := ParseOrder(b, id); ok && !strings.Contains(strings.ToUpper(string(b)), id) {
			t.Fatalf("%q is obeyed", b)
		}
	})
}

// super makes the first bytes of a device.
func super(at int, text string) []byte {
	b := make([]byte, superLength)
	copy(b[510:], "\x55\xAA")
	copy(b[at:], text)
	return b
}

func TestAFileSystemIsKnownByItsFirstBytes(t *testing.T) {
	for _, tc := range []struct {
		b    []byte
		want string
	}{
		{super(82, "FAT32   "), "vfat"},
		{super(54, "FAT16   "), "vfat"},
		{super(3, "EXFAT   "), "exfat"},
		{super(1080, "\x53\xEF"), "ext4"},
		{super(3, "NTFS    "), ""},
		{nil, ""},
		{make([]byte, 600), ""},
	} {
		if got := kindOf(tc.b); got != tc.want {
			t.Errorf("%.90q is %q, want %q", tc.b, got, tc.want)
		}
	}
}

func FuzzKindOf(f *testing.F) {
	f.Add(super(82, "FAT32   "))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k := kindOf(b); k == "ext4" && len(b) < 1082 {
			t.Fatal(k)
		}
	})
}

// bench is a machine of plain files with a socket.
type bench struct {
	t *testing.T
	Socket
	dir string

	mu     sync.Mutex
	orders []Order
	failed error    // of the next mounts
	given  []string // where folders were given away
	stingy error    // of the next folders
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir()}
	b.Socket = Socket{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Sys: filepath.Join(b.dir, "sys"), Dev: filepath.Join(b.dir, "dev"),
		At: filepath.Join(b.dir, "stick"), Own: "sda", ID: id,
		Tell: func(o Order) { b.mu.Lock(); b.orders = append(b.orders, o); b.mu.Unlock() },
		// A stick is a directory beside its device file.
		Mount: func(device, at, _ string) error {
			if b.failed != nil {
				return b.failed
			}
			return os.Symlink(device+".files", at)
		},
		Unmount: os.Remove, Folder: folder,
		Give: func(at, name string, _, _ int) error {
			b.given = append(b.given, filepath.Join(at, name))
			return b.stingy
		},
	}
	b.plug("sda", super(82, "FAT32   "), "") // the box's own disk
	return b
}

func (b *bench) write(at string, text []byte) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(at, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) plug(name string, first []byte, order string) {
	b.write(filepath.Join(b.Sys, name, "size"), nil)
	b.write(filepath.Join(b.Dev, name), first)
	b.write(filepath.Join(b.Dev, name+".files", "a"), nil)
	if order != "" {
		b.write(filepath.Join(b.Dev, name+".files", File), []byte(order))
	}
}

func (b *bench) pull(name string) {
	if err := os.RemoveAll(filepath.Join(b.Sys, name)); err != nil {
		b.t.Fatal(err)
	}
}

// runs starts the socket; what it has done settles when tick returns.
func (b *bench) runs(do func(tick func())) {
	synctest.Test(b.t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { b.Run(ctx) })
		do(func() {
			time.Sleep(every) // of the bubble's time
			synctest.Wait()
		})
		cancel()
		done.Wait()
	})
}

func TestAStickThatNamesTheBoxIsObeyedOnce(t *testing.T) {
	b := newBench(t)
	b.runs(func(tick func()) {
		tick()
		if b.Mounted() {
			t.Error("the box's own disk is taken for a stick")
		}
		b.plug("sdb", super(82, "FAT32   "), id+" recovery")
		tick()
		b.pull("sdb")
		tick()
		if b.Mounted() {
			t.Error("a stick that was pulled out is still there")
		}
		b.plug("sdb", super(82, "FAT32   "), "")
		tick()
		if !b.Mounted() {
			t.Error("the stick is not there again")
		}
	})
	if !slices.Equal(b.orders, []Order{Recover}) {
		t.Errorf("obeyed %q", b.orders)
	}
	if _, err := os.Stat(filepath.Join(b.Dev, "sdb.files", Done)); err != nil {
		t.Errorf("the order is not crossed out: %v", err)
	}
	if _, err := os.Lstat(b.At); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stick is still mounted at the end: %v", err)
	}
}

func TestAnOrderForAnotherBoxOrThatCannotBeCrossedOutIsNotObeyed(t *testing.T) {
	b := newBench(t)
	b.plug("sdb", super(82, "FAT32   "), "7H3K9QXB factory-reset")
	b.plug("sdc", super(1080, "\x53\xEF"), id+" factory-reset")
	// Nothing can take the place of a directory that is not empty.
	b.write(filepath.Join(b.Dev, "sdc.files", Done, "x"), nil)
	b.runs(func(tick func()) {
		tick()
		b.pull("sdb")
		tick()
		if !b.Mounted() {
			t.Error("the second stick is not used when the first is gone")
		}
	})
	if len(b.orders) > 0 {
		t.Errorf("obeyed %q", b.orders)
	}
}

func TestAStickThatCannotBeMountedIsTriedOnceUntilItIsPulledOut(t *testing.T) {
	b := newBench(t)
	b.failed = errors.New("bad sectors")
	b.plug("sdb", super(82, "FAT32   "), "")
	b.plug("sdc", super(3, "NTFS    "), "")
	b.runs(func(tick func()) {
		tick()
		b.failed = nil
		tick()
		if b.Mounted() {
			t.Error("it is tried again and again")
		}
		b.pull("sdb")
		tick()
		b.plug("sdb", super(82, "FAT32   "), "")
		tick()
		if !b.Mounted() {
			t.Error("it is not tried again after it was plugged in again")
		}
	})
}

func TestPartitionsOfAStickComeBeforeTheStickItself(t *testing.T) {
	b := newBench(t)
	b.plug("sdb", nil, "")
	b.write(filepath.Join(b.Sys, "sdb", "sdb1", "partition"), []byte("1\n"))
	b.write(filepath.Join(b.Sys, "sdb1", "partition"), []byte("1\n"))
	b.plug("sdc", nil, "")
	if got, want := candidates(b.Sys, b.Dev, b.Own), []string{filepath.Join(b.Dev, "sdb1"), filepath.Join(b.Dev, "sdc")}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOnlyAStickThatKnowsOwnersGetsAFolderAndServesEvenWithoutIt(t *testing.T) {
	b := newBench(t)
	b.plug("sdb", super(82, "FAT32   "), "")
	b.runs(func(tick func()) {
		tick()
		if len(b.given) > 0 {
			t.Errorf("on FAT: %q", b.given)
		}
		b.pull("sdb")
		tick()
		b.stingy = ErrReadOnly
		b.plug("sdc", super(1080, "\x53\xEF"), id+" recovery")
		tick()
		if !b.Mounted() {
			t.Error("the stick is not used at all")
		}
	})
	if want := []string{filepath.Join(b.At, folder)}; !slices.Equal(b.given, want) {
		t.Errorf("given away %q, want %q", b.given, want)
	}
	if !slices.Equal(b.orders, []Order{Recover}) {
		t.Errorf("obeyed %q", b.orders)
	}
}

// A box that waits for an order that nobody writes could not even be switched off.
func TestAnOrderThatIsNoFileIsNotWaitedFor(t *testing.T) {
	b := newBench(t)
	b.plug("sdb", super(1080, "\x53\xEF"), "")
	if err := unix.Mkfifo(filepath.Join(b.Dev, "sdb.files", File), 0o600); err != nil {
		t.Fatal(err)
	}
	b.plug("sdc", super(1080, "\x53\xEF"), "")
	outside := filepath.Join(b.dir, "outside")
	b.write(outside, []byte(id+" factory-reset"))
	if err := os.Symlink(outside, filepath.Join(b.Dev, "sdc.files", File)); err != nil {
		t.Fatal(err)
	}
	b.runs(func(tick func()) {
		tick()
		b.pull("sdb")
		tick()
		if !b.Mounted() {
			t.Error("the second stick is not used")
		}
	})
	if len(b.orders) > 0 {
		t.Errorf("obeyed %q", b.orders)
	}
}
