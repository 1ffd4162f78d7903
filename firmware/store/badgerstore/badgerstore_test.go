package badgerstore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func small(dir string) Config {
	return Config{Dir: dir, MemTable: 1 << 20, ValueLog: 1 << 20, BlockCache: 1 << 20, Reserve: 1 << 20, Log: quiet}
}

func open(t *testing.T, cfg Config) *DB {
	t.Helper()
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func batch(from, to int) Batch {
	b := Batch{Journal: 77}
	for n := from; n < to; n++ {
		b.Calls, b.Waits = append(b.Calls, storetest.Call(n)), append(b.Waits, storetest.Wait(n))
		b.Callbacks, b.Missed = append(b.Callbacks, storetest.Callback(n)), append(b.Missed, storetest.Missed(n))
		b.Pos = storetest.Call(n).Pos
	}
	return b
}

func ingest(t *testing.T, d *DB, from, to int) {
	t.Helper()
	for ; from < to; from += 100 {
		if err := d.Ingest(batch(from, min(from+100, to))); err != nil {
			t.Fatal(err)
		}
	}
}

func wantRecords(t *testing.T, d *DB, want int) {
	t.Helper()
	calls, err := d.CountCalls(t.Context(), store.CallQuery{})
	waits, err2 := d.CountWaits(t.Context(), store.WaitQuery{})
	if err != nil || err2 != nil || calls != want || waits != want {
		t.Fatalf("%d calls (%v) and %d waits (%v), want %d of each", calls, err, waits, err2, want)
	}
	callbacks, err := d.CountCallbacks(t.Context(), store.CallbackQuery{})
	missed, err2 := d.CountMissed(t.Context(), store.MissedQuery{})
	if err != nil || err2 != nil || callbacks != want || missed != want {
		t.Fatalf("%d callbacks (%v) and %d missed callers (%v), want %d of each", callbacks, err, missed, err2, want)
	}
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Records {
		d := open(t, small(t.TempDir()))
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return d
	})
}

func TestThePisOptionsOpenAndStore(t *testing.T) {
	d := open(t, Config{Dir: t.TempDir(), Log: quiet})
	defer d.Close()
	ingest(t, d, 0, 10)
	wantRecords(t, d, 10)
}

func TestRecordsAndPositionAreCommittedTogetherAndOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	ingest(t, d, 0, 250)
	ingest(t, d, 0, 250) // the same again: nothing doubled
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, small(dir))
	defer d.Close()
	wantRecords(t, d, 250)
	if id, pos := d.Committed(); id != 77 || pos != storetest.Call(249).Pos {
		t.Fatalf("committed %d of journal %d", pos, id)
	}
}

func TestOnlyOneProcessHasTheRecords(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	defer d.Close()
	if _, err := Open(small(dir)); !errors.Is(err, errBusy) {
		t.Fatalf("second owner: %v", err)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "damaged-*")); len(aside) != 0 {
		t.Fatal("a second owner was taken for damage")
	}
}

func TestABackupIsReadBackAndTheNewestTwoAreKept(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	defer d.Close()
	if st, err := d.Status(t.Context()); err != nil || st.BackedUp != 0 {
		t.Fatalf("before any backup: %+v %v", st, err)
	}
	for n := range 4 {
		ingest(t, d, n*50, n*50+50)
		m, err := d.Backup(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		last := storetest.Call(n*50 + 49).Pos
		if m.Calls != n*50+50 || m.Waits != m.Calls || m.Callbacks != m.Calls || m.Missed != m.Calls || m.Pos != last || m.Journal != 77 {
			t.Fatalf("backup %d: %+v", n, m)
		}
		if st, err := d.Status(t.Context()); err != nil || st.BackedUp != last || st.Committed != last {
			t.Fatalf("status %+v %v", st, err)
		}
	}
	if all := allBackups(durable.Disk{}, filepath.Join(dir, "backups")); len(all) != 2 {
		t.Fatalf("%d backups kept", len(all))
	}
	left, err := os.ReadDir(filepath.Join(dir, "backups"))
	if err != nil || len(left) != 4 {
		t.Fatalf("%d files left of four backups, want two files and two manifests (%v)", len(left), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Backup(ctx, time.Now()); !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("an interrupted backup: %v", err)
	}
	if all := allBackups(durable.Disk{}, filepath.Join(dir, "backups")); len(all) != 2 {
		t.Fatalf("%d backups after an interrupted one", len(all))
	}
}

// A clock that was wrong for two nights names backups of the next decade. The right ones after them are the newest all
// the same: the journal is trimmed below what they hold, so they must be kept, and be found at the next start.
func TestBackupsOfAClockThatWasWrongMakeRoomForRightOnes(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	now := time.Now()
	for n, at := range []time.Time{now.AddDate(10, 0, 0), now.AddDate(10, 0, 1), now, now.AddDate(0, 0, 1)} {
		ingest(t, d, n*10, n*10+10)
		if _, err := d.Backup(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	want := storetest.Call(39).Pos
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	all := allBackups(durable.Disk{}, filepath.Join(dir, "backups"))
	if len(all) != 2 || all[0].At.Year() > now.Year()+1 || all[1].Pos != want {
		t.Fatalf("kept: %+v", all)
	}
	if err := os.RemoveAll(filepath.Join(dir, "badger")); err != nil {
		t.Fatal(err)
	}
	d = open(t, small(dir))
	defer d.Close()
	if _, pos := d.Committed(); pos != want {
		t.Errorf("rebuilt up to %d, want %d", pos, want)
	}
	wantRecords(t, d, 40)
}

// spoil overwrites the middle of every file of the database that has one.
func spoil(t *testing.T, dir string) {
	t.Helper()
	done := 0
	for _, pattern := range []string{"*.sst", "*.mem", "MANIFEST"} {
		paths, _ := filepath.Glob(filepath.Join(dir, "badger", pattern))
		for _, path := range paths {
			st, err := os.Stat(path)
			if err != nil || st.Size() < 16 {
				continue
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.WriteAt([]byte(strings.Repeat("spoiled!", 8)), min(st.Size()/2, 64))
			_ = f.Close()
			done++
		}
	}
	if done == 0 {
		t.Fatal("nothing to spoil")
	}
}

func TestADamagedStoreIsMovedAsideAndRebuiltFromItsBackup(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"its files are spoiled": spoil,
		"its manifest is gone": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "badger", "MANIFEST")); err != nil {
				t.Fatal(err)
			}
		},
		"another version of the database wrote it": func(t *testing.T, dir string) {
			path := filepath.Join(dir, "badger", "MANIFEST")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[7]++ // the version, behind "Bdgr" and two bytes of our own
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"all of it is gone": func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "badger")); err != nil {
				t.Fatal(err)
			}
		},
		"three processes died opening it": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "opening"), []byte(strconv.Itoa(maxOpenings)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"the newest backup is spoiled too": func(t *testing.T, dir string) {
			spoil(t, dir)
			m := newestBackup(durable.Disk{}, filepath.Join(dir, "backups"))
			f, err := os.OpenFile(filepath.Join(dir, "backups", m.File), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.WriteAt([]byte("spoiled"), m.Size/2)
			_ = f.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := open(t, small(dir))
			want := 0
			for range 2 {
				ingest(t, d, want, want+100)
				want += 100
				if _, err := d.Backup(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			ingest(t, d, want, want+30)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			harm(t, dir)
			if strings.Contains(name, "newest backup") {
				want = 100
			}
			d = open(t, small(dir))
			wantRecords(t, d, want)
			if _, pos := d.Committed(); pos != storetest.Call(want-1).Pos {
				t.Fatalf("committed %d, want what the backup had: %d", pos, storetest.Call(want-1).Pos)
			}
			st, err := d.Status(t.Context())
			if age := time.Since(st.RebuiltAt); age < 0 || age > time.Minute {
				t.Errorf("rebuilt at %v", st.RebuiltAt)
			}
			if err != nil || !strings.Contains(st.Rebuilt, "restored the backup of") || st.BackedUp != storetest.Call(want-1).Pos {
				t.Fatalf("status %+v %v", st, err)
			}
			ingest(t, d, want, 230) // from the journal
			wantRecords(t, d, 230)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = open(t, small(dir))
			defer d.Close()
			wantRecords(t, d, 230)
			if again, _ := d.Status(t.Context()); again.Rebuilt != st.Rebuilt {
				t.Fatalf("the next start says %q", again.Rebuilt)
			}
		})
	}
}

func TestWithoutAnyUsableBackupTheStoreStartsEmptyAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	d := open(t, small(dir))
	ingest(t, d, 0, 100)
	m, err := d.Backup(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	spoil(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "backups", m.File), make([]byte, m.Size), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and the next start must not find damage again
		d = open(t, small(dir))
		st, err := d.Status(t.Context())
		if err != nil || !strings.Contains(st.Rebuilt, "no usable backup") || st.Committed != 0 {
			t.Fatalf("status %+v %v", st, err)
		}
		wantRecords(t, d, 0)
		_ = d.Close()
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "damaged-*")); len(aside) != 1 {
		t.Fatalf("%d damaged stores aside, want one", len(aside))
	}
}

// smallDisk mounts a tmpfs of its own for the test, or says why the test is left out.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small tmpfs: %v; with CI=true this test may not be left out", err)
		}
		t.Skipf("left out: cannot mount a small tmpfs (%v); run as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			_ = unix.Unmount(dir, unix.MNT_DETACH)
			t.Errorf("unmount: %v: something still holds the disk", err)
		}
	})
	return dir
}

func TestTheGuardStopsWritingBeforeTheDiskIsFullAndTheReserveIsGivenUp(t *testing.T) {
	disk := smallDisk(t, 48<<20)
	cfg := small(filepath.Join(disk, "records"))
	d := open(t, cfg)
	ingest(t, d, 0, 10)
	reserve := filepath.Join(cfg.Dir, "reserve")
	if st, err := os.Stat(reserve); err != nil || st.Size() != cfg.Reserve {
		t.Fatalf("no reserve: %v", err)
	}
	_, free, err := d.disk.level()
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	grow := func(size int64) {
		t.Helper()
		f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
			t.Fatal(err)
		}
	}
	grow(free - 4<<20) // 4 of 48 MiB left: 91 %
	err = d.Ingest(batch(10, 20))
	if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "MB are free; new records wait in the journal") {
		t.Fatalf("at 91 %%: %v", err)
	}
	if st, _ := d.Status(t.Context()); !strings.Contains(st.Trouble, "disk of the records is full") {
		t.Fatalf("status %+v", st)
	}
	wantRecords(t, d, 10) // reading goes on
	if _, err := os.Stat(reserve); err != nil {
		t.Fatal("the reserve went too early")
	}
	grow(free - 1<<20) // 98 %
	if err := d.Ingest(batch(10, 20)); !errors.Is(err, store.ErrFull) {
		t.Fatalf("at 98 %%: %v", err)
	}
	if _, err := os.Stat(reserve); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the reserve was not given up")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, store.ErrFull) {
		t.Fatalf("opening on the full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d = open(t, cfg)
	ingest(t, d, 10, 20)
	wantRecords(t, d, 20)
	if _, err := os.Stat(reserve); err != nil {
		t.Fatal("the reserve was not made again")
	}
	if aside, _ := filepath.Glob(filepath.Join(cfg.Dir, "damaged-*")); len(aside) != 0 {
		t.Fatal("a full disk was taken for damage")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheLastTenthOfALargeDiskIsNotFull(t *testing.T) {
	const gb = 1 << 30
	for _, d := range []struct {
		total, free int64
		want        int
	}{
		{4 * gb, 4 * gb, 0},
		{4 * gb, 2 * gb, 50},
		{4 * gb, 4 * gb / 10, 90},
		{4 * gb, 0, 100},
		{252 * gb, 24 * gb, 0},
		{252 * gb, 2 * gb, 80},
		{252 * gb, 1 * gb, 90},
		{252 * gb, gb / 4, 98},
		{1, 1, 99},
	} {
		if got := fillLevel(d.total, d.free); got != d.want {
			t.Errorf("%d bytes of %d free: %d %%, want %d", d.free, d.total, got, d.want)
		}
	}
}
