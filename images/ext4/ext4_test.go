package ext4

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/imagetest"
)

var data = Spec{Label: "PRONTO-DATA", UUID: "50524f4e-0004-4000-8000-000000000004", Size: 64 << 20, Dirs: []string{"pronto", "records"}}

func made(t *testing.T) string {
	t.Helper()
	imagetest.Programs(t, "mke2fs", "debugfs", "e2fsck")
	at := filepath.Join(t.TempDir(), "fs")
	if err := Make(t.Context(), at, data); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestTheSameSpecGivesTheSameBytesAtAnyTime(t *testing.T) {
	first, err := os.ReadFile(made(t))
	if err != nil {
		t.Fatal(err)
	}
	for second := time.Now().Unix(); time.Now().Unix() == second; {
		time.Sleep(20 * time.Millisecond)
	}
	again, err := os.ReadFile(made(t))
	if err != nil {
		t.Fatal(err)
	}
	different := 0
	for i := range first {
		if first[i] != again[i] {
			if different++; different < 10 {
				t.Errorf("byte %d: %x against %x", i, first[i], again[i])
			}
		}
	}
}

func TestAFileIsPutIntoAPartitionOfAnImageAndTakesTheOldOnesPlace(t *testing.T) {
	const offset = 4 << 20
	fs, err := os.ReadFile(made(t))
	if err != nil {
		t.Fatal(err)
	}
	image, from := filepath.Join(t.TempDir(), "image"), filepath.Join(t.TempDir(), "label")
	if err := os.WriteFile(image, append(make([]byte, offset), fs...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "the second, which is longer"} {
		if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Put(t.Context(), image, offset, "pronto/label.json", from); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(t.Context(), image, offset, "pronto/label.json"); err != nil || string(got) != text {
			t.Errorf("read %q, %v; put %q", got, err, text)
		}
	}
	raw, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw[:offset], make([]byte, offset)) {
		t.Error("something was written before the partition")
	}
	alone := filepath.Join(t.TempDir(), "alone")
	if err := os.WriteFile(alone, raw[offset:], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), alone); err != nil {
		t.Error(err)
	}
}

func TestACardThatWasPulledOutIsNotWrittenTo(t *testing.T) {
	at, from := made(t), filepath.Join(t.TempDir(), "label")
	if err := os.WriteFile(from, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("debugfs", "-w", "-R", "feature needs_recovery", at).CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	before, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := Put(t.Context(), at, 0, "pronto/label.json", from); !errors.Is(err, ErrUnsettled) {
		t.Errorf("%v", err)
	}
	after, err := os.ReadFile(at)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was written to: %v", err)
	}
}

func TestAFileThatIsNotThereOrCannotBePutIsAnError(t *testing.T) {
	at := made(t)
	if b, err := Read(t.Context(), at, 0, "pronto/nothing"); err == nil {
		t.Errorf("read %q", b)
	}
	from := filepath.Join(t.TempDir(), "label")
	if err := os.WriteFile(from, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Put(t.Context(), at, 0, "no-such-directory/label.json", from); err == nil {
		t.Error("put a file into a directory that is not there")
	}
	if err := os.WriteFile(at, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), at); err == nil {
		t.Error("zeros pass for a file system")
	}
}
