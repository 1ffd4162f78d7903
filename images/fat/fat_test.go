package fat

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/imagetest"
)

var boot = Spec{
	Label: "PRONTO-A", ID: 0x50520002, Size: 64 << 20, Cluster: 1,
	Files: []File{
		{Name: "autoboot.txt", Data: bytes.Repeat([]byte{'#'}, 512)},
		{Name: "overlays/README", Data: []byte("overlays")},
		{Name: "overlays/disable-bt.dtbo", Data: bytes.Repeat([]byte{7}, 100_000)},
		{Name: "kernel8.img", Data: bytes.Repeat([]byte{1, 2, 3}, 1_000_000)},
	},
}

func made(t *testing.T, s Spec) string {
	t.Helper()
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy")
	at := filepath.Join(t.TempDir(), "fs")
	if err := Make(t.Context(), at, s); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestTheSameFilesGiveTheSameBytesAtAnyTime(t *testing.T) {
	first, err := os.ReadFile(made(t, boot))
	if err != nil {
		t.Fatal(err)
	}
	for second := time.Now().Unix(); time.Now().Unix() < second+2; { // FAT counts time in steps of two seconds
		time.Sleep(50 * time.Millisecond)
	}
	again, err := os.ReadFile(made(t, boot))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, again) {
		for i := range first {
			if first[i] != again[i] {
				t.Fatalf("differ from byte %d on: %q against %q", i, first[i&^31:i&^31+32], again[i&^31:i&^31+32])
			}
		}
	}
}

func TestFilesAreReadBackAndTheFirstLiesFirst(t *testing.T) {
	at := made(t, boot)
	for _, f := range boot.Files {
		got, err := Read(t.Context(), at, 0, f.Name)
		if err != nil || !bytes.Equal(got, f.Data) {
			t.Errorf("%s: %d bytes, %v; want %d", f.Name, len(got), err, len(f.Data))
		}
	}
	raw, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if first, kernel := bytes.Index(raw, boot.Files[0].Data), bytes.Index(raw, boot.Files[3].Data[:512]); first < 0 || first > kernel || first%512 != 0 {
		t.Errorf("autoboot.txt lies at %d as one piece, the kernel at %d", first, kernel)
	}
}

func TestAFileSystemThatTheBootLoaderTakesForFAT16IsRefused(t *testing.T) {
	imagetest.Programs(t, "mkfs.vfat")
	small := boot
	small.Size, small.Files = 32<<20, nil
	err := Make(t.Context(), filepath.Join(t.TempDir(), "fs"), small)
	if err == nil || !strings.Contains(err.Error(), "the boot loader takes it for FAT16") {
		t.Errorf("%v", err)
	}
}

func TestADamagedFileSystemIsFound(t *testing.T) {
	at := made(t, boot)
	f, err := os.OpenFile(at, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{9}, 200), 32*512+8); err != nil { // in the first table
		t.Fatal(err)
	}
	if err := Check(t.Context(), at); err == nil || !strings.Contains(err.Error(), "fsck.vfat") {
		t.Errorf("%v", err)
	}
}

func TestAFileThatIsNotThereIsAnError(t *testing.T) {
	if b, err := Read(t.Context(), made(t, boot), 0, "nothing.txt"); err == nil {
		t.Errorf("read %q", b)
	}
}

func FuzzClusters(f *testing.F) {
	good := make([]byte, 512)
	good[510], good[511], good[13] = 0x55, 0xAA, 1
	binary.LittleEndian.PutUint16(good[11:], 512)
	binary.LittleEndian.PutUint32(good[32:], 131072)
	f.Add(good)
	f.Add([]byte("no boot sector"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := clusters(b); err == nil && n < 0 {
			t.Fatalf("%d clusters", n)
		}
	})
}
