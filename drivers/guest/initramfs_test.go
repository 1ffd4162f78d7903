//go:build guest

package guest

import (
	"bytes"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// assemble builds the tests of the inside and packs them, the modules and ModemManager into an initramfs.
func assemble(t *testing.T, root string) (kernel, initramfs string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "usr/lib/modules/*/vmlinuz"))
	if older, _ := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*")); len(found) == 0 {
		found = older // until kernel 6.19 Debian put it there
	}
	if err != nil || len(found) != 1 {
		t.Fatalf("one kernel wanted under %s, found %v (%v)", root, found, err)
	}
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "modules", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "var/lib"} {
		must(t, os.MkdirAll(filepath.Join(tree, d), 0o755))
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		must(t, os.Symlink("usr/"+d, filepath.Join(tree, d)))
	}
	for what, args := range map[string][]string{
		"the tests of the inside": {"test", "-c", "-tags", "guest", "-o", filepath.Join(tree, "init"), "./inside"},
		"the exchange":            {"build", "-ldflags", "-s -w", "-o", filepath.Join(tree, "usr/bin/prontod"), "../../cmd/prontod"},
	} {
		build := exec.Command("go", args...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", what, err, out)
		}
	}
	addModules(t, root, tree)
	must(t, os.MkdirAll(filepath.Join(tree, "usr/lib/udev/rules.d"), 0o755))
	copyFile(t, "../../images/debian/files/udev.rules", filepath.Join(tree, "usr/lib/udev/rules.d/45-pronto.rules"))
	for _, p := range programs {
		addProgram(t, root, tree, p)
	}
	for _, d := range data {
		addData(t, root, tree, d)
	}
	initramfs = filepath.Join(dir, "initramfs")
	// The pages of /dev and the like come from the kernel: no device node is needed, and so no root.
	pack := exec.Command("/bin/sh", "-c", `find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 >"$0"`, initramfs)
	pack.Dir = tree
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("pack the initramfs: %v\n%s", err, out)
	}
	if info, err := os.Stat(initramfs); err == nil {
		t.Logf("kernel %s, initramfs of %d MB", filepath.Base(filepath.Dir(found[0])), info.Size()>>20)
	}
	return found[0], initramfs
}

// addModules puts the wanted modules, unpacked, under /modules, and their order into /modules/order.
func addModules(t *testing.T, root, tree string) {
	t.Helper()
	files := map[string]string{} // by name, with _ for -, as the kernel compares them
	must(t, filepath.WalkDir(filepath.Join(root, "usr/lib/modules"), func(path string, e fs.DirEntry, err error) error {
		if name, _, is := strings.Cut(filepath.Base(path), ".ko"); is && err == nil && !e.IsDir() {
			files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	}))
	var order []string
	added := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		name = strings.ReplaceAll(name, "-", "_")
		if added[name] {
			return
		}
		added[name] = true
		path := files[name]
		if path == "" {
			t.Fatalf("the kernel has no module %s", name)
		}
		var image []byte
		var err error
		if strings.HasSuffix(path, ".xz") {
			image, err = exec.Command("xz", "-dc", path).Output()
		} else {
			image, err = os.ReadFile(path)
		}
		must(t, err)
		for _, d := range dependencies(t, image) {
			add(d)
		}
		must(t, os.WriteFile(filepath.Join(tree, "modules", name), image, 0o644))
		order = append(order, name)
	}
	for _, m := range modules {
		add(m)
	}
	must(t, os.WriteFile(filepath.Join(tree, "modules/order"), []byte(strings.Join(order, "\n")), 0o644))
}

// dependencies are what a module says that must be loaded before it.
func dependencies(t *testing.T, module []byte) []string {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(module))
	must(t, err)
	info, err := f.Section(".modinfo").Data()
	must(t, err)
	for _, entry := range bytes.Split(info, []byte{0}) {
		if list, is := strings.CutPrefix(string(entry), "depends="); is && list != "" {
			return strings.Split(list, ",")
		}
	}
	return nil
}

const libraries = "/usr/lib/x86_64-linux-gnu"

// addProgram copies a program or library and all that it is linked to.
func addProgram(t *testing.T, root, tree, path string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(tree, path)); err == nil {
		return
	}
	copyFile(t, filepath.Join(root, path), filepath.Join(tree, path))
	f, err := elf.Open(filepath.Join(root, path))
	must(t, err)
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz-1)
			if _, err := p.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
			real, err := filepath.EvalSymlinks(filepath.Join(root, string(b)))
			must(t, err)
			copyFile(t, real, filepath.Join(tree, "usr", string(b)))
		}
	}
	needed, err := f.ImportedLibraries()
	must(t, err)
	for _, n := range needed {
		for _, dir := range []string{libraries, libraries + "/systemd"} {
			if _, err := os.Stat(filepath.Join(root, dir, n)); err == nil {
				addProgram(t, root, tree, filepath.Join(dir, n))
			}
		}
	}
}

// addData copies a file or a tree; what is linked in it brings its libraries.
func addData(t *testing.T, root, tree, path string) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Join(root, path), func(from string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name := strings.TrimPrefix(from, root)
		if e.Type() == fs.ModeSymlink {
			to, err := os.Readlink(from)
			must(t, err)
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
			return os.Symlink(to, filepath.Join(tree, name))
		}
		if strings.HasSuffix(name, ".so") {
			addProgram(t, root, tree, name)
			return nil
		}
		copyFile(t, from, filepath.Join(tree, name))
		return nil
	}))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	info, err := os.Stat(from)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(to), 0o755))
	if err := os.WriteFile(to, b, info.Mode().Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
