package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// scripts are those of a package that the package manager keeps.
var scripts = []string{"preinst", "postinst", "prerm", "postrm"}

// repack makes a package of what is installed, so that there is a way back also where whoever installed it has thrown the
// package away, as apt does by itself. Only what is as the package manager has unpacked it will do: each file is compared
// with the sum that it remembers.
func (d *Deb) repack(ctx context.Context, to string) error {
	if changed, err := d.said(ctx, "dpkg", "--verify", d.Package); err != nil || changed != "" {
		return errors.Join(fmt.Errorf("what is installed is not as it was unpacked: %.300s", changed), err)
	}
	stage, err := os.MkdirTemp(d.Dir, "made-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	tree := filepath.Join(stage, "tree")
	if err := d.gather(ctx, tree); err != nil {
		return err
	}
	_, err = d.said(ctx, "dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", tree, to) // xz takes minutes on a small board
	return err
}

// gather lays out what a package is made of.
func (d *Deb) gather(ctx context.Context, tree string) error {
	list, err := d.said(ctx, "dpkg-query", "--listfiles", d.Package)
	if err != nil {
		return err
	}
	control := filepath.Join(tree, "DEBIAN")
	// What is made must not depend on which rights this program gives away by itself.
	if err := errors.Join(os.MkdirAll(control, 0o755), os.Chmod(tree, 0o755), os.Chmod(control, 0o755)); err != nil {
		return err
	}
	for name := range strings.Lines(list) {
		name = strings.TrimSuffix(name, "\n")
		if !filepath.IsLocal(strings.TrimPrefix(name, "/")) {
			continue // "/.", the root
		}
		if err := lay(filepath.Join(tree, name), filepath.Join(d.Root, name)); err != nil {
			return err
		}
	}
	status, err := d.said(ctx, "dpkg-query", "--status", d.Package)
	if err != nil {
		return err
	}
	at := filepath.Join(control, "control")
	err = errors.Join(os.WriteFile(at, []byte(fields(status)), 0o644), os.Chmod(at, 0o644))
	has, errList := d.said(ctx, "dpkg-query", "--control-list", d.Package)
	if err := errors.Join(err, errList); err != nil {
		return err
	}
	for _, name := range scripts {
		if !strings.Contains("\n"+has+"\n", "\n"+name+"\n") {
			continue
		}
		text, err := d.Run(ctx, "dpkg-query", "--control-show", d.Package, name)
		if err == nil {
			err = errors.Join(os.WriteFile(filepath.Join(control, name), text, 0o755), os.Chmod(filepath.Join(control, name), 0o755))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fields is the control file of a package, out of what the package manager says of it once it is installed.
func fields(status string) string {
	var b strings.Builder
	left := false
	for line := range strings.Lines(status) {
		if more := strings.HasPrefix(line, " "); !more {
			name, _, _ := strings.Cut(line, ":")
			left = name == "Status" || name == "Conffiles" || name == "Config-Version"
		}
		if !left {
			b.WriteString(line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n") + "\n"
}

// lay puts a file, link or directory where it belongs.
func lay(to, from string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return errors.Join(os.MkdirAll(to, 0o755), os.Chmod(to, info.Mode().Perm()|0o700))
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case info.Mode().IsRegular():
		return copyFile(to, from, info.Mode().Perm())
	default:
		return fmt.Errorf("%s is no file of a package", from)
	}
}

func copyFile(to, from string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
