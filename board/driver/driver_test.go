package driver

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDriversAreLoadedInTheirOrderAndAMissingDeviceIsNoFault(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"002-virtio_net.ko", "000-failover.ko", "001-i6300esb.ko", "010-ext4.ko", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var tried []string
	n, err := load(dir, func(path string) error {
		tried = append(tried, filepath.Base(path))
		return map[string]error{"001-i6300esb.ko": unix.ENODEV, "002-virtio_net.ko": unix.ENOEXEC, "010-ext4.ko": unix.EEXIST}[filepath.Base(path)]
	})
	if want := []string{"000-failover.ko", "001-i6300esb.ko", "002-virtio_net.ko", "010-ext4.ko"}; !slices.Equal(tried, want) {
		t.Errorf("%q, want %q", tried, want)
	}
	if n != 1 || !errors.Is(err, unix.ENOEXEC) || !strings.Contains(err.Error(), "002-virtio_net.ko") || strings.Contains(err.Error(), "i6300esb") {
		t.Errorf("%d, %v", n, err)
	}
}

func TestASystemWithoutModulesLoadsNone(t *testing.T) {
	if n, err := Load(filepath.Join(t.TempDir(), "nowhere")); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// What is no module the kernel itself refuses, whoever asks.
func TestTheKernelIsAsked(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "000-a.ko"), []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := Load(dir); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}
