package vfat

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
)

// slot is a file system like that of a slot, made by the programs of Debian.
func slot(t testing.TB, files ...fat.File) []byte {
	t.Helper()
	imagetest.Programs(t, "mkfs.vfat", "mcopy", "mmd", "fsck.vfat")
	at := filepath.Join(t.TempDir(), "fat")
	if err := fat.Make(t.Context(), at, fat.Spec{Label: "PRONTO-SLOT", ID: 7, Size: layout.SlotSize, Cluster: layout.SlotCluster, Files: files}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opened(t testing.TB, b []byte) *Volume {
	t.Helper()
	v, err := Open(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatOthersWroteIsReadWithLongAndShortNames(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 9000) // many clusters, the last one in part
	v := opened(t, slot(t,
		fat.File{Name: "config.txt", Data: []byte("arm_64bit=1\n")}, fat.File{Name: "release.json", Data: []byte(`{"version":"1.2.3"}`)},
		fat.File{Name: "initramfs.zst", Data: long[:len(long)-5]}, fat.File{Name: "empty.txt"}, fat.File{Name: "overlays/one.dtbo", Data: []byte("x")},
	))
	for name, want := range map[string][]byte{
		"config.txt": []byte("arm_64bit=1\n"), "CONFIG.TXT": []byte("arm_64bit=1\n"), "release.json": []byte(`{"version":"1.2.3"}`), "initramfs.zst": long[:len(long)-5], "empty.txt": nil,
	} {
		if got, err := v.Read(name, 1<<20); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
	for _, name := range []string{"release", "one.dtbo", "overlays", "PRONTO-SLOT", ""} {
		if got, err := v.Read(name, 1<<20); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := v.Read("initramfs.zst", 1000); !errors.Is(err, ErrDamaged) {
		t.Errorf("longer than may be: %v", err)
	}
}

func TestWhatLiesBehindTheLastUsedClusterIsOfNoMeaning(t *testing.T) {
	files := []fat.File{{Name: "a.txt", Data: bytes.Repeat([]byte{1}, 100_000)}, {Name: "release.json", Data: []byte("{}")}}
	whole := slot(t, files...)
	used, err := opened(t, whole).Used()
	if err != nil || used >= int64(len(whole)) || used < 100_000 {
		t.Fatalf("%d of %d, %v", used, len(whole), err)
	}
	if used%sector != 0 || len(bytes.Trim(whole[used:], "\x00")) > 0 {
		t.Errorf("something lies behind %d", used)
	}
	// The part alone, on a card that held something else, is the same file system to others.
	card := bytes.Repeat([]byte{0xA5}, len(whole))
	copy(card, whole[:used])
	at := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(at, card, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fat.Check(t.Context(), at); err != nil {
		t.Error(err)
	}
	for _, f := range files {
		if b, err := fat.Read(t.Context(), at, 0, f.Name); err != nil || !bytes.Equal(b, f.Data) {
			t.Errorf("%s: %d bytes, %v", f.Name, len(b), err)
		}
	}
}

func TestAWipedFirstSectorIsNoFileSystem(t *testing.T) {
	b := slot(t, fat.File{Name: "release.json", Data: []byte("{}")})
	clear(b[:sector])
	if _, err := Open(bytes.NewReader(b)); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	for _, short := range [][]byte{nil, make([]byte, 100)} {
		if _, err := Open(bytes.NewReader(short)); err == nil {
			t.Errorf("%d bytes are a file system", len(short))
		}
	}
}

func FuzzADamagedFileSystemIsAnErrorAndNoPanic(f *testing.F) {
	whole := slot(f, fat.File{Name: "release.json", Data: []byte("{}")})
	f.Add(whole[:sector], whole[32*sector:40*sector], uint16(0))
	f.Add(whole[:sector], bytes.Repeat([]byte{0xFF}, 4096), uint16(44))
	f.Fuzz(func(t *testing.T, boot, rest []byte, at uint16) {
		b := make([]byte, 256<<10)
		copy(b, boot)
		copy(b[sector+int(at)*2:], rest)
		v, err := Open(bytes.NewReader(b))
		if err != nil {
			return
		}
		if got, err := v.Read("release.json", 1<<16); err == nil && len(got) > 1<<16 {
			t.Error("more than was asked for")
		}
		_, _ = v.Used()
	})
}
