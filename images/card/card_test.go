package card

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
)

var (
	first = []fat.File{{Name: "autoboot.txt", Data: bytes.Repeat([]byte{'\n'}, 512)}}
	slot  = []fat.File{{Name: "kernel8.img", Data: bytes.Repeat([]byte{1, 2, 3, 4}, 300_000)}}
)

func made(t *testing.T) string {
	t.Helper()
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy", "mke2fs", "debugfs", "sfdisk")
	at := filepath.Join(t.TempDir(), "image")
	if err := Write(t.Context(), at, first, slot); err != nil {
		t.Fatal(err)
	}
	return at
}

func hash(t *testing.T, r io.Reader) [32]byte {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func opened(t *testing.T, at string) *os.File {
	t.Helper()
	f, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestTwoImagesOfTheSameFilesAreAlike(t *testing.T) {
	one, two := made(t), made(t)
	if hash(t, opened(t, one)) != hash(t, opened(t, two)) {
		t.Error("they differ")
	}
}

func TestOtherProgramsFindThePartitionsAndWhatIsInThem(t *testing.T) {
	at := made(t)
	out, err := exec.Command("sfdisk", "--verify", at).CombinedOutput()
	if err != nil {
		t.Errorf("sfdisk: %v\n%s", err, out)
	}
	for n, f := range map[int]fat.File{layout.Select: first[0], layout.SlotA: slot[0]} {
		if got, err := fat.Read(t.Context(), at, layout.Offset(n), f.Name); err != nil || !bytes.Equal(got, f.Data) {
			t.Errorf("partition %d: %s has %d bytes, %v", n, f.Name, len(got), err)
		}
	}
	empty := make([]byte, 512)
	if _, err := opened(t, at).ReadAt(empty, layout.Offset(layout.SlotB)); err != nil || !bytes.Equal(empty, make([]byte, 512)) {
		t.Errorf("slot B is not empty: %v", err)
	}
}

func TestAnImageIsUnpackedToWhatWasPacked(t *testing.T) {
	at := made(t)
	packed := at + ".gz"
	size, err := Compress(at, packed)
	if err != nil || size > 4<<20 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	r, err := gzip.NewReader(opened(t, packed))
	if err != nil {
		t.Fatal(err)
	}
	if hash(t, r) != hash(t, opened(t, at)) {
		t.Error("something else was unpacked")
	}
}

func TestAFileIsPutIntoTheDataOfAnImageOnly(t *testing.T) {
	at, label := made(t), filepath.Join(t.TempDir(), "label.json")
	if err := os.WriteFile(label, []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Put(t.Context(), at, "pronto/label.json", label); err != nil {
		t.Fatal(err)
	}
	got, err := ext4.Read(t.Context(), at, layout.Offset(layout.Data), "pronto/label.json")
	if err != nil || string(got) != "code" {
		t.Errorf("%q, %v", got, err)
	}
	if err := Put(t.Context(), label, "pronto/label.json", label); err == nil {
		t.Error("put into a file of four bytes")
	}
	if err := os.WriteFile(at, make([]byte, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Put(t.Context(), at, "pronto/label.json", label); err == nil || !strings.Contains(err.Error(), "is no image of Pronto") {
		t.Errorf("%v", err)
	}
	if err := Put(t.Context(), filepath.Join(t.TempDir(), "none"), "x", label); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestThePartOfAReleaseIsTheSlotOfAnImageToItsLastUsedCluster(t *testing.T) {
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy", "mke2fs")
	dir := t.TempDir()
	files := []fat.File{{Name: "kernel8.img", Data: bytes.Repeat([]byte("kernel"), 100_000)}, {Name: "release.json", Data: []byte("{}")}}
	whole, part := filepath.Join(dir, "image"), filepath.Join(dir, "part")
	if err := Write(t.Context(), whole, nil, files); err != nil {
		t.Fatal(err)
	}
	size, err := WriteSlot(t.Context(), part, files)
	if err != nil {
		t.Fatal(err)
	}
	image, err1 := os.ReadFile(whole)
	b, err2 := os.ReadFile(part)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	slot := image[layout.Offset(layout.SlotA):][:layout.SlotSize]
	if int64(len(b)) != size || size < 600_000 || size > layout.SlotSize/8 || !bytes.Equal(b, slot[:size]) || len(bytes.Trim(slot[size:], "\x00")) > 0 {
		t.Errorf("the part has %d bytes, and is not the slot", size)
	}
}
