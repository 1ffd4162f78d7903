package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The disk of the state is filled to its last byte, then the same rounds begin: no call notices. What ends meanwhile waits
// in the hot journal, through the kills, and is on record when there is room again: each call once.
func TestCallsOutliveCrashesOnAFullDisk(t *testing.T) {
	began := time.Now()
	d := openDay(t, bench, func(dir string) { smallDisk(t, dir, 64<<20) })
	fill := filepath.Join(d.o.Dir, "fill")
	d.fills(fill)
	for round := range max(3, rounds()/10) {
		d.crash(4 * round) // by time alone
		d.fills(fill)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	before := d.finished
	d.close()
	d.gapsAreShort()
	d.recordsComeAgain(before)
	t.Logf("all in %.1f s", time.Since(began).Seconds())
}

// recordsComeAgain waits until every call that has ended is on record, those too that ended while there was no room.
func (d *day) recordsComeAgain(before int) {
	d.t.Helper()
	waited := strings.Count(d.o.Log(), "finished record waits for room on the disk")
	d.o.CallRecords(d.finished)
	if lost := strings.Count(d.o.Log(), "finished record cannot be written"); lost > 0 {
		d.t.Errorf("%d finished records are lost", lost)
	}
	if waited == 0 {
		d.t.Error("nothing waited for room: this proves nothing")
	}
	d.t.Logf("%d calls ended, %d of them before there was room again, all on record", d.finished, before)
}

// fills takes all room that is left on the disk of the state.
func (d *day) fills(path string) {
	d.t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		for block := make([]byte, size); ; {
			if n, err := f.Write(block); n < size || err != nil {
				break
			}
		}
	}
	if err := os.WriteFile(path+"2", []byte("x"), 0o600); !errors.Is(err, unix.ENOSPC) {
		d.t.Fatalf("the disk is not full: %v", err)
	}
}

// smallDisk puts a small disk below the state of an office, and beside it one for what survives a crash alone, as on a
// box. It takes them away when the office is gone, which stops after this.
func smallDisk(t *testing.T, dir string, bytes int) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, "pronto.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	mounted := func(at string, size int) {
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("mount a small tmpfs: %v; with CI=true this test may not be left out", err)
			}
			t.Skipf("left out: cannot mount a small tmpfs (%v); run as root", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) }) // should the office not have come to its end
	}
	mounted(dir, bytes)
	run := filepath.Join(dir, "run")
	// The log of the office is the test's: it must not end when the disk is full.
	log := os.Symlink(filepath.Join(t.TempDir(), "office.log"), filepath.Join(dir, "office.log"))
	if err := errors.Join(os.Mkdir(run, 0o700), os.WriteFile(filepath.Join(dir, "pronto.yaml"), file, 0o600), log); err != nil {
		t.Fatal(err)
	}
	mounted(run, 32<<20)
}
