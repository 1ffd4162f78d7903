package badgerstore

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// gone is the number that is erased: of every kind of record that storetest makes there is one of it.
const gone = tel.Number("+3902000003")

func erasing(t *testing.T) erasure.List {
	t.Helper()
	e, err := erasure.New(gone, "anna", "", "", storetest.Day)
	if err != nil {
		t.Fatal(err)
	}
	e.Until = storetest.Day.AddDate(1, 0, 0)
	return erasure.List{e}
}

// filed are files below a directory in which the number stands.
func filed(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(gone[1:])) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// figures are what a report sums up, and how much there is of each kind.
func figures(t *testing.T, d *DB) string {
	t.Helper()
	q := store.ReportQuery{Step: report.Whole, Zone: "UTC"}
	traffic, err := d.Traffic(t.Context(), q)
	work, err2 := d.Work(t.Context(), q)
	missed, err3 := d.CountMissed(t.Context(), store.MissedQuery{})
	callbacks, err4 := d.CountCallbacks(t.Context(), store.CallbackQuery{})
	calls, err5 := d.CountCalls(t.Context(), store.CallQuery{})
	texts, err6 := d.CountTexts(t.Context(), store.TextQuery{})
	for _, err := range []error{err, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%+v %+v %d %d %d %d", traffic, work, missed, callbacks, calls, texts)
}

// numbered counts the records in which the number stands.
func numbered(t *testing.T, d *DB) int {
	t.Helper()
	ctx := t.Context()
	calls, err := d.CountCalls(ctx, store.CallQuery{Party: gone})
	waits, err2 := d.CountWaits(ctx, store.WaitQuery{Caller: gone})
	missed, err3 := d.CountMissed(ctx, store.MissedQuery{Number: gone})
	callbacks, err4 := d.CountCallbacks(ctx, store.CallbackQuery{Number: gone})
	for _, err := range []error{err, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return calls + waits + missed + callbacks
}

func full(t *testing.T, cfg Config) *DB {
	t.Helper()
	d := open(t, cfg)
	ingest(t, d, 0, 300)
	if _, err := d.Backup(t.Context(), storetest.Day); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRecordsForgetAPersonToTheLastByteAndTheFiguresStay(t *testing.T) {
	cfg := small(t.TempDir())
	d := full(t, cfg)
	before, l := figures(t, d), erasing(t)
	if n, files := numbered(t, d), filed(t, cfg.Dir); n < 4 || len(files) == 0 {
		t.Fatalf("the number is in %d records and in %q: nothing would be shown", n, files)
	}
	owing, err := d.Owing(l)
	if err != nil || len(owing) != 1 {
		t.Fatalf("owing %v, %v", owing, err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "damaged-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "damaged-1", "x"), []byte(gone), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Erase(t.Context(), owing, storetest.Day.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check := func(d *DB) {
		t.Helper()
		if n := numbered(t, d); n > 0 {
			t.Errorf("%d records have the number", n)
		}
		if got := figures(t, d); got != before {
			t.Errorf("figures\n%s\nwere\n%s", got, before)
		}
		if files := filed(t, cfg.Dir); len(files) > 0 {
			t.Errorf("the number is in %q", files)
		}
		if owing, err := d.Owing(l); err != nil || len(owing) != 0 {
			t.Errorf("owing %v, %v", owing, err)
		}
		if n, err := d.CountMissed(t.Context(), store.MissedQuery{Number: l[0].Alias}); err != nil || n == 0 {
			t.Errorf("%d rows of the alias, %v", n, err)
		}
	}
	check(d)
	// A row that goes on, as one of before the erasure that is told again, changes nothing.
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, cfg)
	check(d)
	ingest(t, d, 300, 400)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	// The verified backup is the only one, and a database made from it has forgotten, too.
	if all := allBackups(durable.Disk{}, filepath.Join(cfg.Dir, "backups")); len(all) != 1 {
		t.Fatalf("backups %+v", all)
	}
	if err := os.RemoveAll(filepath.Join(cfg.Dir, "badger")); err != nil {
		t.Fatal(err)
	}
	d = open(t, cfg)
	if n := numbered(t, d); n > 0 {
		t.Errorf("%d records of the backup have the number", n)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADatabaseOfAnOlderBackupOwesTheErasuresAgain(t *testing.T) {
	cfg := small(t.TempDir())
	d := full(t, cfg)
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(filepath.Join(cfg.Dir, "backups"))); err != nil {
		t.Fatal(err)
	}
	l := erasing(t)
	if err := d.Erase(t.Context(), l, storetest.Day.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	before := figures(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"badger", "backups"} { // what a restore does
		if err := os.RemoveAll(filepath.Join(cfg.Dir, sub)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(cfg.Dir, "backups"), os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	d = open(t, cfg)
	defer d.Close()
	if numbered(t, d) == 0 {
		t.Fatal("the backup does not have the number: nothing is shown")
	}
	owing, err := d.Owing(l)
	if err != nil || !reflect.DeepEqual(owing, l) {
		t.Fatalf("owing %v, %v", owing, err)
	}
	if err := d.Erase(t.Context(), owing, storetest.Day.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if files := filed(t, cfg.Dir); numbered(t, d) > 0 || len(files) > 0 || figures(t, d) != before {
		t.Errorf("%d records, %q", numbered(t, d), files)
	}
}

// A death between any two steps of the exchange leaves a database, and the erasure owing or done; never half of one.
func TestADeathWhileAPersonIsErasedLeavesTheRecordsWhole(t *testing.T) {
	move := func(t *testing.T, dir, from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, "badger"+from), filepath.Join(dir, "badger"+to)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		left func(t *testing.T, dir string)
		has  bool // the number
	}{
		{"before the new one has its name", func(t *testing.T, dir string) { move(t, dir, cleaned, half) }, true},
		{"before the old one is put aside", func(*testing.T, string) {}, true},
		{"before the new one is in its place", func(t *testing.T, dir string) { move(t, dir, "", soiled) }, false},
		{"before the old one is removed", func(t *testing.T, dir string) { move(t, dir, "", soiled); move(t, dir, cleaned, "") }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := small(t.TempDir())
			d := full(t, cfg)
			before, l := figures(t, d), erasing(t)
			if err := d.copyWithout(t.Context(), l.Match()); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			tc.left(t, cfg.Dir)
			d = open(t, cfg)
			defer d.Close()
			if got := figures(t, d); got != before {
				t.Errorf("figures\n%s\nwere\n%s", got, before)
			}
			if has := numbered(t, d) > 0; has != tc.has {
				t.Errorf("the number is there: %v", has)
			}
			if owing, err := d.Owing(l); err != nil || len(owing) != 1 {
				t.Errorf("owing %v, %v", owing, err)
			}
			left, err := filepath.Glob(filepath.Join(cfg.Dir, "badger.*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left over %q, %v", left, err)
			}
			if err := d.Erase(t.Context(), l, storetest.Day.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if files := filed(t, cfg.Dir); numbered(t, d) > 0 || len(files) > 0 || figures(t, d) != before {
				t.Errorf("after another try: %d records, %q", numbered(t, d), files)
			}
		})
	}
}
