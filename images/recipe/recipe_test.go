package recipe

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/driver"
	"github.com/pronto-pbx/pronto/images/fat"
)

const says = "\x00Linux version 6.12.47-v8 (gokrazy@docker) (aarch64-gcc 12) #1 SMP PREEMPT Wed Nov  5 16:44:38 UTC 2025\n\x00"

// kernelDir is a directory like that of a kernel.
func kernelDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"vmlinuz": "MZ" + says, "bcm2711-rpi-4-b.dtb": "four", "bcm2712-rpi-5-b.dtb": "five", "bcm2710-rpi-3-b.dtb": "three",
		"_build/upstream-url.txt": "https://example.org/linux/stable_20250916.tar.gz\n", "overlays/overlay_map.dtb": "map", "overlays/spi1-1cs.dtbo": "spi", "config.txt": "another boot loader's", "LICENSE": "text",
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(files []fat.File) (all []string) {
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

func TestASlotHoldsWhatABoardNeedsAndNothingElse(t *testing.T) {
	k, err := ReadKernel(kernelDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if k.Version != "6.12.47-v8" || k.Source != "https://example.org/linux/stable_20250916.tar.gz" || !k.Released.Equal(time.Date(2025, 9, 16, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("version %q from %q of %v", k.Version, k.Source, k.Released)
	}
	system := bytes.Repeat([]byte("system"), 1000)
	slot, err := Slot(k, []fat.File{{Name: "start4.elf"}}, system, map[string][]byte{"release.json": []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb", "cmdline.txt", "config.txt", "initramfs.zst", "kernel8.img", "release.json", "start4.elf",
		"overlays/overlay_map.dtb", "overlays/spi1-1cs.dtbo",
	}
	if got := names(slot); !slices.Equal(got, want) {
		t.Errorf("slot holds %q\nwant %q", got, want)
	}
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.DecodeAll(slot[4].Data, nil); err != nil || !bytes.Equal(got, system) {
		t.Errorf("initramfs unpacks to %d bytes, %v", len(got), err)
	}
}

func TestTheBootLoaderIsToldTheFilesThatAreThere(t *testing.T) {
	text := string(file("config.txt"))
	for _, want := range []string{"kernel=kernel8.img\n", "initramfs initramfs.zst followkernel\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("config.txt does not say %q", want)
		}
	}
	if args := Arguments(); strings.Contains(args, "\n") || !strings.Contains(args, "panic=10") || !strings.Contains(args, "oops=panic") ||
		!strings.Contains(args, "cgroup_enable=memory") { // a Raspberry Pi's device tree says the contrary before us
		t.Errorf("kernel arguments %q", args)
	}
}

func TestWhatCannotStartIsRefused(t *testing.T) {
	dir := kernelDir(t)
	if err := os.WriteFile(filepath.Join(dir, "vmlinuz"), []byte{0x1f, 0x8b, 8}, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKernel(dir); err == nil || !strings.Contains(err.Error(), "not an uncompressed kernel") {
		t.Errorf("compressed kernel: %v", err)
	}
	if _, err := ReadKernel(t.TempDir()); err == nil {
		t.Error("read a kernel from an empty directory")
	}
	if _, err := Firmware(t.TempDir()); err == nil {
		t.Error("read a boot loader from an empty directory")
	}
	if _, err := System(Kernel{}, map[string][]byte{"prontod": nil}, nil); err == nil || !strings.Contains(err.Error(), "prontoinit is missing") {
		t.Errorf("without the first program: %v", err)
	}
}

func TestTheChoiceLiesFirstOnThePartitionThatStartsTheRecoverySystem(t *testing.T) {
	files := Select([]fat.File{{Name: "config.txt"}, {Name: "kernel8.img"}})
	if got := names(files); !slices.Equal(got, []string{"autoboot.txt", "config.txt", "kernel8.img"}) {
		t.Fatalf("%q", got)
	}
	if c, err := choice.Decode(files[0].Data); err != nil || c != choice.Default() {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheRecoverySystemIsTheFirstProgramAlone(t *testing.T) {
	documents := map[string][]byte{Seed: []byte("seed")}
	system, err := Recovery(Kernel{}, map[string][]byte{"prontoinit": []byte("program"), "prontod": []byte("program")}, documents)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, l := range list(t, system) {
		if strings.HasPrefix(l, "100") {
			files = append(files, l)
		}
	}
	want := []string{"100755 bin/prontoinit", "100644 etc/hosts", "100644 usr/share/pronto/pronto.yaml", "100644 usr/share/pronto/recovery", "100644 usr/share/pronto/seed.gz"}
	if !slices.Equal(files, want) || len(documents) != 1 {
		t.Errorf("the recovery system holds %q", files)
	}
}

// The system has no shell and no program beside ours; whoever adds one changes this list.
func TestTheSystemHoldsFourProgramsAndNoShell(t *testing.T) {
	made := map[string][]byte{}
	for _, name := range Programs() {
		made[name] = []byte("program " + name)
	}
	system, err := System(Kernel{}, made, map[string][]byte{"sbom.json": []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"40755 bin", "100755 bin/otad", "100755 bin/prontod", "100755 bin/prontoinit", "100755 bin/recordd", "40755 data", "40755 dev", "20600 dev/console",
		"40755 etc", "100644 etc/hosts", "120777 etc/resolv.conf", "120777 init", "40755 media", "40700 media/stick", "40555 proc", "40755 run", "40555 sys",
		"40755 usr", "40755 usr/share", "40755 usr/share/pronto", "100644 usr/share/pronto/pronto.yaml", "100644 usr/share/pronto/sbom.json",
	}
	if got := list(t, system); !slices.Equal(got, want) {
		t.Errorf("the system is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDriversOfAKernelWithModulesLieInTheOrderOfLoading(t *testing.T) {
	var k Kernel
	for _, name := range []string{"failover", "net_failover", "virtio_net"} {
		k.Drivers = append(k.Drivers, driver.Module{Name: name, Image: []byte(name)})
	}
	made := map[string][]byte{}
	for _, name := range Programs() {
		made[name] = []byte("program " + name)
	}
	small, err := Recovery(k, made, map[string][]byte{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := System(k, made, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"100644 usr/lib/modules/000-failover.ko", "100644 usr/lib/modules/001-net_failover.ko", "100644 usr/lib/modules/002-virtio_net.ko"}
	for name, system := range map[string][]byte{"the system": all, "the recovery system": small} {
		got := slices.DeleteFunc(list(t, system), func(l string) bool { return !strings.HasSuffix(l, ".ko") })
		if !slices.Equal(got, want) {
			t.Errorf("%s holds %q", name, got)
		}
	}
}

// list reads the headers of an archive: mode and name of each entry.
func list(t *testing.T, b []byte) (all []string) {
	t.Helper()
	for at := 0; ; {
		var magic, inode, mode, uid, gid, links, mtime, size, d1, d2, d3, d4, length, sum uint32
		if _, err := fmt.Sscanf(string(b[at:at+110]), "%6x%8x%8x%8x%8x%8x%8x%8x%8x%8x%8x%8x%8x%8x",
			&magic, &inode, &mode, &uid, &gid, &links, &mtime, &size, &d1, &d2, &d3, &d4, &length, &sum); err != nil {
			t.Fatalf("header at %d: %v", at, err)
		}
		name := string(b[at+110 : at+110+int(length)-1])
		if name == "TRAILER!!!" {
			return all
		}
		all = append(all, fmt.Sprintf("%o %s", mode, name))
		at = (at + 110 + int(length) + 3) &^ 3
		at = (at + int(size) + 3) &^ 3
	}
}
