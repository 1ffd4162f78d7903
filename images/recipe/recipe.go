// Package recipe says what an image is made of: the files of the partition that selects a slot, of a slot,
// and of the initramfs in it, which is the whole system of a box.
package recipe

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/driver"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/zst"
)

//go:embed files
var files embed.FS

func file(name string) []byte {
	b, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return b
}

// Programs are those of the initramfs, by their name.
var programs = []string{"prontoinit", "prontod", "recordd", "otad"}

// Programs lists the commands that an image holds.
func Programs() []string { return slices.Clone(programs) }

// Kernel is a directory with a kernel for arm64 and what belongs to it. Drivers of its boards may be built in, or
// modules.
type Kernel struct {
	Image    []byte          // uncompressed
	Packed   []byte          // as the boot loaders of a Raspberry Pi and of QEMU unpack it
	Version  string          // "6.12.47-v8"
	Source   string          // where the exact source text lies; empty: the directory does not say
	Released time.Time       // the day in the name of that source; zero: it has none
	Trees    []fat.File      // device trees and overlays, for boot loaders that want them
	Drivers  []driver.Module // those of a box that are not built in, in the order of loading
}

// ReadKernel reads a directory: vmlinuz, device trees of the boards that can boot an image, overlays, and under
// lib/modules/VERSION the modules.
func ReadKernel(dir string) (k Kernel, err error) {
	if k.Image, err = os.ReadFile(filepath.Join(dir, "vmlinuz")); err != nil {
		return k, fmt.Errorf("kernel: %w", err)
	}
	if k.Version, err = banner(k.Image); err != nil {
		return k, fmt.Errorf("kernel %s: %w", dir, err)
	}
	if k.Source, k.Released, err = source(dir); err != nil {
		return k, err
	}
	if k.Packed, err = packKernel(k.Image); err != nil {
		return k, err
	}
	if k.Drivers, err = driver.Pick(filepath.Join(dir, "lib", "modules", k.Version), driver.Wanted()); err != nil {
		return k, err
	}
	var names []string
	for _, pattern := range []string{"bcm2711-*.dtb", "bcm2712*.dtb", "overlays/*.dtbo", "overlays/*.dtb"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return k, fmt.Errorf("kernel: %w", err)
		}
		names = append(names, found...)
	}
	for _, at := range names {
		b, err := os.ReadFile(at)
		if err != nil {
			return k, fmt.Errorf("kernel: %w", err)
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return k, fmt.Errorf("kernel: %w", err)
		}
		k.Trees = append(k.Trees, fat.File{Name: filepath.ToSlash(name), Data: b})
	}
	slices.SortFunc(k.Trees, func(a, b fat.File) int {
		return cmp.Or(cmp.Compare(path.Dir(a.Name), path.Dir(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return k, nil
}

var bannerForm = regexp.MustCompile(`Linux version (\d+\.\d+[^ ]*) \(`)

// banner finds what the kernel says of itself when it starts. Only an uncompressed image shows it.
func banner(image []byte) (version string, err error) {
	m := bannerForm.FindSubmatch(image)
	if m == nil {
		return "", errors.New("not an uncompressed kernel: nothing in it says \"Linux version\"")
	}
	return string(m[1]), nil
}

var dayForm = regexp.MustCompile(`_(\d{8})\.tar`)

// source reads where a kernel's source text lies, from the file that gokrazy's kernels carry. The banner's
// own time is no help: reproducible kernels say an invented one.
func source(dir string) (at string, released time.Time, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "_build", "upstream-url.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", released, nil
	} else if err != nil {
		return "", released, fmt.Errorf("kernel: %w", err)
	}
	at = strings.TrimSpace(string(b))
	if m := dayForm.FindStringSubmatch(at); m != nil {
		if released, err = time.Parse("20060102", m[1]); err != nil {
			return at, released, fmt.Errorf("kernel: day of %s: %w", at, err)
		}
	}
	return at, released, nil
}

// Firmware lists the files with which a Raspberry Pi 4 starts, with their licence; a Pi 5 has its own in an
// EEPROM.
func Firmware(dir string) (all []fat.File, err error) {
	for _, name := range []string{"LICENSE.broadcom", "fixup4.dat", "start4.elf"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("boot loader: %w", err)
		}
		all = append(all, fat.File{Name: name, Data: b})
	}
	return all, nil
}

// System is the initramfs, uncompressed: the programs, by name, documents that every box carries under
// /usr/share/pronto, and the drivers that are not built in.
func System(k Kernel, executables map[string][]byte, documents map[string][]byte) ([]byte, error) {
	return pack(k, executables, programs, documents)
}

// Recovery is the initramfs of the recovery system: the first program alone, which knows by the document RecoveryMark that
// it is to help where the rest does not start. Where documents name a vendor it is to be the one that was built with
// RecoveryTag: it can install that vendor's systems.
func Recovery(k Kernel, executables map[string][]byte, documents map[string][]byte) ([]byte, error) {
	marked := maps.Clone(documents)
	marked[RecoveryMark] = nil
	return pack(k, executables, []string{"prontoinit"}, marked)
}

// Documents of an initramfs that the first program reads.
const (
	// Seed is the file system of a new card's data, gzipped.
	Seed         = "seed.gz"
	RecoveryMark = "recovery"
)

// RecoveryTag is the build tag by which the first program can install a system again.
const RecoveryTag = "recovery"

// Documents that the updater reads. A system without both of them takes no updates.
const (
	VendorRoot = "root.json"  // the vendor's keys: the first root of its repository
	UpdateURL  = "update-url" // where that repository lies, in one line
)

func pack(k Kernel, executables map[string][]byte, names []string, documents map[string][]byte) ([]byte, error) {
	dir := func(name string, mode fs.FileMode) cpio.Entry {
		return cpio.Entry{Name: name, Mode: fs.ModeDir | mode}
	}
	all := []cpio.Entry{
		dir("dev", 0o755), dir("proc", 0o555), dir("sys", 0o555), dir("run", 0o755), dir("data", 0o755),
		dir("media", 0o755),
		dir("media/stick", 0o700),
		// Before anything is mounted the first program writes to the console.
		{Name: "dev/console", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Device: [2]uint32{5, 1}},
		{Name: "init", Mode: fs.ModeSymlink | 0o777, Data: []byte("/bin/prontoinit")},
		{Name: "etc/resolv.conf", Mode: fs.ModeSymlink | 0o777, Data: []byte("/run/resolv.conf")},
		{Name: "etc/hosts", Mode: 0o644, Data: []byte("127.0.0.1 localhost\n::1 localhost\n")},
		{Name: "usr/share/pronto/pronto.yaml", Mode: 0o644, Data: file("pronto.yaml")},
	}
	for _, name := range names {
		b, ok := executables[name]
		if !ok {
			return nil, fmt.Errorf("program %s is missing", name)
		}
		all = append(all, cpio.Entry{Name: "bin/" + name, Mode: 0o755, Data: b})
	}
	for name, b := range documents {
		all = append(all, cpio.Entry{Name: "usr/share/pronto/" + name, Mode: 0o644, Data: b})
	}
	for i, m := range k.Drivers { // board/driver loads them in the order of their names
		all = append(all, cpio.Entry{Name: fmt.Sprintf("usr/lib/modules/%03d-%s.ko", i, m.Name), Mode: 0o644, Data: m.Image})
	}
	var out bytes.Buffer
	if err := cpio.Write(&out, all); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Slot is what starts from one partition: a slot, or the recovery system. system is the initramfs as System or
// Recovery made it.
func Slot(k Kernel, boot []fat.File, system []byte, documents map[string][]byte) ([]fat.File, error) {
	packed, err := Pack(system)
	if err != nil {
		return nil, err
	}
	all := []fat.File{
		{Name: "config.txt", Data: file("config.txt")},
		{Name: "cmdline.txt", Data: file("cmdline.txt")},
		{Name: "kernel8.img", Data: k.Packed},
		{Name: "initramfs.zst", Data: packed},
	}
	for name, b := range documents {
		all = append(all, fat.File{Name: name, Data: b})
	}
	all = append(append(all, boot...), k.Trees...)
	slices.SortFunc(all, func(a, b fat.File) int {
		return cmp.Or(cmp.Compare(path.Dir(a.Name), path.Dir(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// packKernel compresses with gzip, which the Raspberry Pi's boot loader and QEMU both unpack.
func packKernel(image []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(image)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress the kernel: %w", err)
	}
	return out.Bytes(), nil
}

// Pack compresses an initramfs with zstd, which the kernel unpacks.
func Pack(system []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := zst.NewWriter(&out, int64(len(system)))
	if err == nil {
		_, err = w.Write(system)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress the initramfs: %w", err)
	}
	return out.Bytes(), nil
}

// Select is what the first partition holds: the choice of what to start, as the first file, and the recovery
// system, which has a kernel of its own so that no slot is needed for it.
func Select(recovery []fat.File) []fat.File {
	return append([]fat.File{{Name: choice.File, Data: choice.Encode(choice.Default())}}, recovery...)
}

// Arguments are those that the boot loader gives to the kernel.
func Arguments() string { return string(file("cmdline.txt")) }
