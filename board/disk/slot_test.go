package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"golang.org/x/sys/unix"
)

// slots are two files that have the place of the devices: a system in the first, nothing in the second.
func slots(t *testing.T) Card {
	t.Helper()
	imagetest.Programs(t, "mkfs.vfat", "mcopy", "fsck.vfat")
	dir := t.TempDir()
	c := Card{Slots: [2]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}}
	release := fat.File{Name: imprint.File, Data: []byte(`{"version":"1.4.2","time":1,"epoch":2}`)}
	if err := fat.Make(t.Context(), c.Slots[0], fat.Spec{Label: "S", ID: 1, Size: layout.SlotSize, Cluster: layout.SlotCluster, Files: []fat.File{release, {Name: "kernel8.img", Data: bytes.Repeat([]byte{7}, 3<<20)}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Slots[1], make([]byte, layout.MiB), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheBoxKnowsWhatLiesInItsSlots(t *testing.T) {
	c := slots(t)
	if i, err := ReadSlot(c, layout.SlotA); err != nil || i.Version != "1.4.2" || i.Epoch != 2 {
		t.Errorf("%+v, %v", i, err)
	}
	if i, err := ReadSlot(c, layout.SlotB); !errors.Is(err, imprint.ErrNone) {
		t.Errorf("an empty slot: %+v, %v", i, err)
	}
	for _, n := range []int{0, layout.Select, layout.Data} {
		if _, err := ReadSlot(c, n); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("partition %d is a slot: %v", n, err)
		}
	}
	sum, err := SumSlot(t.Context(), c, layout.SlotA)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(c.Slots[0])
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(whole, "\x00"))
	used = (used + 2047) / 2048 * 2048 // the end of the last cluster of 3 MiB of sevens
	if want := sha256.Sum256(whole[:used]); sum != hex.EncodeToString(want[:]) {
		t.Errorf("sum %s of %d bytes, want %x", sum, used, want)
	}
	// What lies behind is of no meaning, a single byte before is.
	if f, err := os.OpenFile(c.Slots[0], os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	} else {
		_, err1 := f.WriteAt([]byte{9}, int64(used)+5000)
		after, err2 := SumSlot(t.Context(), c, layout.SlotA)
		_, err3 := f.WriteAt([]byte{9}, int64(used)-1)
		if err := errors.Join(err1, err2, err3, f.Close()); err != nil || after != sum {
			t.Errorf("%v, %s", err, after)
		}
	}
	if after, err := SumSlot(t.Context(), c, layout.SlotA); err != nil || after == sum {
		t.Errorf("a changed byte changes nothing: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := SumSlot(ended, c, layout.SlotA); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := SumSlot(t.Context(), c, layout.SlotB); err == nil {
		t.Error("an empty slot has a sum")
	}
}

func TestOnlyABlockDeviceIsLentAndTheRunningSlotToBeReadAlone(t *testing.T) {
	c, dir := slots(t), t.TempDir()
	if err := LendSlots(c, layout.SlotA, layout.SlotB, dir, os.Getuid()); err == nil {
		t.Error("a plain file is lent")
	}
	if os.Getuid() != 0 {
		imagetest.Root(t)
	}
	// A node of any number can be made; what cannot be had here is opened on a box, by images/boottest.
	for i, number := range []uint64{unix.Mkdev(252, 2), unix.Mkdev(252, 3)} {
		if err := errors.Join(os.Remove(c.Slots[i]), unix.Mknod(c.Slots[i], unix.S_IFBLK|0o600, int(number))); err != nil {
			if errors.Is(err, unix.EPERM) {
				if os.Getenv("CI") == "true" {
					t.Fatal("CI=true, and this machine makes no devices: ", err)
				}
				t.Skip("left out: this machine makes no devices")
			}
			t.Fatal(err)
		}
	}
	const updates = 903
	node := func(name string) (st unix.Stat_t, there bool) {
		err := unix.Lstat(filepath.Join(dir, name), &st)
		return st, err == nil
	}
	if err := LendSlots(c, layout.SlotB, 0, dir, updates); err != nil {
		t.Fatal(err)
	}
	if st, there := node(ActiveNode); !there || st.Rdev != unix.Mkdev(252, 3) || st.Uid != 0 || st.Gid != updates || st.Mode&0o777 != 0o440 {
		t.Errorf("the running slot: %v %+v", there, st)
	}
	if _, there := node(IdleNode); there {
		t.Error("the way back can be written during a trial")
	}
	if err := LendSlots(c, layout.SlotB, layout.SlotA, dir, updates); err != nil {
		t.Fatal(err)
	}
	if st, there := node(IdleNode); !there || st.Rdev != unix.Mkdev(252, 2) || st.Uid != updates || st.Mode&0o777 != 0o600 {
		t.Errorf("the idle slot: %v %+v", there, st)
	}
}
