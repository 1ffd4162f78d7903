// Package fat makes the FAT32 file systems that a Raspberry Pi boots from, with mkfs.vfat and mtools, and
// has fsck.vfat judge them. A library in Go that we tried wrote file allocation tables that were too short.
package fat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// File is one file of the file system.
type File struct {
	Name string // in a directory: "overlays/disable-bt.dtbo"
	Data []byte
}

// Spec says what to make.
type Spec struct {
	Label   string // at most 11 characters
	ID      uint32 // volume id
	Size    int64  // in bytes
	Cluster int    // sectors in one
	Files   []File // in the order in which they are written; the first one lies first on the disk
}

// minClusters is from where on a file system is FAT32 (Microsoft's specification of FAT, section 3.5).
const minClusters = 65525

// epoch is the time of every file: the first that FAT can say.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Make writes the file system as a file of its own at to, and checks it. The same files give the same
// bytes.
func Make(ctx context.Context, to string, s Spec) error {
	stage, err := os.MkdirTemp("", "fat-")
	if err != nil {
		return fmt.Errorf("fat: %w", err)
	}
	defer os.RemoveAll(stage)
	if err := os.WriteFile(to, nil, 0o644); err != nil {
		return fmt.Errorf("fat: %w", err)
	}
	if err := os.Truncate(to, s.Size); err != nil {
		return fmt.Errorf("fat: %w", err)
	}
	if err := run(ctx, "mkfs.vfat", "--invariant", "-F", "32", "-S", "512", "-s", fmt.Sprint(s.Cluster),
		"-n", s.Label, "-i", fmt.Sprintf("%08x", s.ID), to); err != nil {
		return err
	}
	if err := makeDirs(ctx, to, s.Files); err != nil {
		return err
	}
	for _, batch := range batches(s.Files) {
		var paths []string
		for _, f := range batch {
			at := filepath.Join(stage, filepath.FromSlash(f.Name))
			if err := put(at, f.Data); err != nil {
				return fmt.Errorf("fat: %w", err)
			}
			paths = append(paths, at)
		}
		if err := run(ctx, "mcopy", append(append([]string{"-m", "-i", to}, paths...), "::"+path.Dir(batch[0].Name)+"/")...); err != nil {
			return err
		}
	}
	return Check(ctx, to)
}

// batches gathers neighbours that go into one directory.
func batches(files []File) (all [][]File) {
	for i, f := range files {
		if i == 0 || path.Dir(f.Name) != path.Dir(files[i-1].Name) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], f)
	}
	return all
}

func put(at string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(at, data, 0o644); err != nil {
		return err
	}
	return os.Chtimes(at, epoch, epoch)
}

func makeDirs(ctx context.Context, to string, files []File) error {
	var dirs []string
	for _, f := range files {
		for d := path.Dir(f.Name); d != "."; d = path.Dir(d) {
			dirs = append(dirs, d)
		}
	}
	slices.Sort(dirs) // a directory stands before what is in it
	for _, d := range slices.Compact(dirs) {
		if err := run(ctx, "mmd", "-i", to, "::"+d); err != nil {
			return err
		}
	}
	return nil
}

// Check has fsck.vfat read the file system and counts its clusters.
func Check(ctx context.Context, at string) error {
	if err := run(ctx, "fsck.vfat", "-n", at); err != nil {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return fmt.Errorf("fat: %w", err)
	}
	defer f.Close()
	boot := make([]byte, 512)
	if _, err := f.ReadAt(boot, 0); err != nil {
		return fmt.Errorf("fat: %w", err)
	}
	n, err := clusters(boot)
	if err != nil {
		return fmt.Errorf("fat: %s: %w", at, err)
	}
	if n < minClusters {
		return fmt.Errorf("fat: %s has %d clusters: with fewer than %d the boot loader takes it for FAT16", at, n, minClusters)
	}
	return nil
}

// clusters counts those of a FAT32 boot sector.
func clusters(boot []byte) (int, error) {
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	if len(boot) < 512 || boot[510] != 0x55 || boot[511] != 0xAA || boot[13] == 0 || u16(boot[11:]) != 512 || u16(boot[22:]) != 0 {
		return 0, errors.New("not a boot sector of FAT32")
	}
	total, reserved, tables, length := uint64(u32(boot[32:])), uint64(u16(boot[14:])), uint64(boot[16]), uint64(u32(boot[36:]))
	if reserved+tables*length > total {
		return 0, errors.New("tables are larger than the file system")
	}
	return int((total - reserved - tables*length) / uint64(boot[13])), nil
}

// Read returns the content of a file of the file system that begins at offset in the file at.
func Read(ctx context.Context, at string, offset int64, name string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "mtype", "-i", fmt.Sprintf("%s@@%d", at, offset), "::"+name)
	cmd.Env = environment()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("fat: mtype %s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}

func environment() []string {
	return append(os.Environ(), "TZ=UTC", "LC_ALL=C", "MTOOLS_SKIP_CHECK=0", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix()))
}

func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fat: %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
