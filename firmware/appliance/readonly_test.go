package appliance

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// smallDisk is a disk of its own for the test, which is left out where nobody may mount one: a failure where
// everything must run.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
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

// A card that reports errors is made read-only by the kernel, and a full one takes nothing more: a box that starts
// then connects calls all the same, and says so.
func TestABoxOnADiskThatTakesNothingStartsAndConnectsCalls(t *testing.T) {
	state, folders := lived(t)
	for what, harm := range map[string]func(t *testing.T, dir string){
		"read-only": func(t *testing.T, dir string) {
			if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
		},
		"full": func(t *testing.T, dir string) {
			f, err := os.Create(filepath.Join(dir, "ballast"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, size := range []int{1 << 16, 1 << 12, 1} {
				for block := make([]byte, size); err == nil; {
					_, err = f.Write(block)
				}
				err = nil
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := smallDisk(t)
			lay(t, dir, state, folders)
			harm(t, dir)
			b := startWith(t, shop, func(o *Options) { o.Dir, o.RunDir = dir, t.TempDir() }, func(*Box) {})
			connects(t, b)
			if what == "full" { // it gave back what it had reserved, and may write a little
				return
			}
			b.box.record(tel.QueueLeft{Queue: "sales", Caller: "+393331234567", Outcome: tel.OutcomeAbandoned, Left: time.Now()})
			b.eventually("the page tells that nothing is written", func() bool {
				_, told := now(b, func(h tel.HealthChanged) bool { return h.Condition == "journal" && !h.OK })
				return told
			})
		})
	}
}
