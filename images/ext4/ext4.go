// Package ext4 makes the file system of a box's data with mke2fs, and puts single files into one with
// debugfs. Neither needs root or a mount.
package ext4

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
)

// Spec says what to make.
type Spec struct {
	Label string
	UUID  string // of the file system; also the seed of its directories' hashes
	Size  int64  // in bytes
	Dirs  []string
}

// maxBlocks is what the box can grow to while it is mounted: 1 TiB in blocks of 4 KiB.
const maxBlocks = 1 << 28

// epoch is the time of every file: the kernel's oldest that mke2fs does not take for "now".
const epoch = "1000000000"

// Make writes the file system as a file of its own at to, with directories of root, and checks it. The
// same Spec gives the same bytes.
func Make(ctx context.Context, to string, s Spec) error {
	if err := os.WriteFile(to, nil, 0o644); err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	if err := os.Truncate(to, s.Size); err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	err := run(ctx, "", "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-L", s.Label, "-U", s.UUID,
		"-O", "metadata_csum,64bit", "-J", "size=8", "-i", "16384",
		"-E", fmt.Sprintf("hash_seed=%s,resize=%d,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0", s.UUID, maxBlocks), to)
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, d := range s.Dirs {
		fmt.Fprintf(&script, "mkdir %s\nset_inode_field %s mode 040700\n", d, d)
	}
	if err := debugfs(ctx, to, 0, script.String()); err != nil {
		return err
	}
	return Check(ctx, to)
}

// Check has e2fsck read the file system.
func Check(ctx context.Context, at string) error {
	return run(ctx, "", "e2fsck", "-f", "-n", at)
}

// Put writes the file from into the file system that begins at offset in the file at, in the place of one of
// that name. It belongs to root and nobody else may read it.
func Put(ctx context.Context, at string, offset int64, name, from string) error {
	dir, base := path.Split(name)
	if err := settled(at, offset); err != nil {
		return err
	}
	// debugfs says of a file that is not there that it cannot remove it, and goes on.
	if err := debugfs(ctx, at, offset, fmt.Sprintf("cd /%s\nrm %s\nwrite %s %s\nset_inode_field %s mode 0100600\nset_inode_field %s uid 0\nset_inode_field %s gid 0\n",
		dir, base, from, base, base, base, base)); err != nil {
		return err
	}
	want, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	got, err := Read(ctx, at, offset, name)
	if err == nil && string(got) != string(want) {
		err = fmt.Errorf("ext4: %s is not what was written", name)
	}
	return err
}

// ErrUnsettled is returned for a file system whose last writes lie in its journal, as on a card that was
// pulled out of a running box: they would come over what we write.
var ErrUnsettled = errors.New("the card was pulled out while the box was on: let the box start and switch it off, or run e2fsck -p on its fourth partition, first")

// Of the super block (Documentation/filesystems/ext4, "Super Block"): where it lies, where the features that a
// reader must know lie in it, and the one that says that the journal is to be played.
const (
	superAt       = 1024
	incompatAt    = 0x60
	needsRecovery = 0x4
)

func settled(at string, offset int64) error {
	f, err := os.Open(at)
	if err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	defer f.Close()
	features := make([]byte, 4)
	if _, err := f.ReadAt(features, offset+superAt+incompatAt); err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	if binary.LittleEndian.Uint32(features)&needsRecovery != 0 {
		return fmt.Errorf("ext4: %s: %w", at, ErrUnsettled)
	}
	return nil
}

// Read returns the content of a file.
func Read(ctx context.Context, at string, offset int64, name string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "debugfs", "-R", "cat /"+name, device(at, offset))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ext4: read %s: %w: %s", name, err, errs.String())
	}
	if strings.Contains(errs.String(), "File not found") || strings.Contains(errs.String(), "while opening") {
		return nil, fmt.Errorf("ext4: read %s: %s", name, strings.TrimSpace(errs.String()))
	}
	return out, nil
}

func device(at string, offset int64) string {
	if offset == 0 {
		return at
	}
	return fmt.Sprintf("%s?offset=%d", at, offset)
}

func debugfs(ctx context.Context, at string, offset int64, script string) error {
	return run(ctx, "set_super_value mtime "+epoch+"\n"+script, "debugfs", "-w", "-f", "-", device(at, offset))
}

func run(ctx context.Context, input, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "E2FSPROGS_FAKE_TIME="+epoch, "E2FSCK_TIME="+epoch, "SOURCE_DATE_EPOCH="+epoch)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ext4: %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
