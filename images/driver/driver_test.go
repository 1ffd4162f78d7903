package driver

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// object is a module that says these things of itself: an ELF file with a section for it and one for names.
func object(info ...string) []byte {
	const head, section = 64, 64
	said := []byte(strings.Join(info, "\x00") + "\x00")
	names := []byte("\x00.modinfo\x00.shstrtab\x00")
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // into memory
		}
	}
	at := uint64(head + len(said) + len(names))
	put([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9), uint16(1), uint16(183), uint32(1), uint64(0), uint64(0), at, uint32(0), uint16(head), uint16(0), uint16(0), uint16(section), uint16(3), uint16(2))
	put(said, names, make([]byte, section))
	put(uint32(1), uint32(1), uint64(0), uint64(0), uint64(head), uint64(len(said)), uint32(0), uint32(0), uint64(1), uint64(0))
	put(uint32(10), uint32(3), uint64(0), uint64(0), uint64(head+len(said)), uint64(len(names)), uint32(0), uint32(0), uint64(1), uint64(0))
	return b.Bytes()
}

// kernel is a tree of modules.
func kernel(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		at := filepath.Join(dir, "6.12.1-test", "kernel", name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

func TestDriversComeAfterWhatTheyNeed(t *testing.T) {
	tree := kernel(t, map[string][]byte{
		"drivers/net/virtio_net.ko":       object("name=virtio_net", "depends=net_failover,virtio-ring"),
		"drivers/net/net_failover.ko":     object("depends=failover"),
		"net/core/failover.ko.zst":        packed(t, object("depends=")),
		"drivers/virtio/virtio-ring.ko":   object(),
		"fs/vfat.ko":                      object("depends=fat", "softdep=pre: nls_ascii nls_missing post: never"),
		"fs/fat.ko":                       object("depends=vfat"), // a circle, which no kernel has
		"fs/nls/nls_ascii.ko":             object(),
		"drivers/nobody/wants.ko":         object(),
		"never.ko":                        object(),
		"drivers/net/readme.txt":          []byte("no module"),
		"drivers/block/virtio_blk.ko.bad": object(),
	})
	all, err := Pick(tree, []string{"virtio_net", "built_in", "vfat", "virtio-ring"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range all {
		names = append(names, m.Name)
		if !bytes.HasPrefix(m.Image, []byte("\x7fELF")) {
			t.Errorf("%s is not unpacked", m.Name)
		}
	}
	if want := []string{"failover", "net_failover", "virtio_ring", "virtio_net", "nls_ascii", "fat", "vfat"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestAKernelWithEverythingBuiltInHasNoModules(t *testing.T) {
	for name, tree := range map[string]string{"no tree": filepath.Join(t.TempDir(), "nowhere"), "an empty one": t.TempDir()} {
		if all, err := Pick(tree, Wanted()); err != nil || len(all) > 0 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

func TestADriverThatCannotBeLoadedIsAMistakeOfTheKernelsDirectory(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		b    []byte
		want string
	}{
		"what it needs is missing":  {"a.ko", object("depends=b"), "a needs b, which is not in"},
		"it is no module":           {"a.ko", []byte("#!/bin/sh"), "no module"},
		"it says nothing of itself": {"a.ko", bytes.ReplaceAll(object(), []byte(".modinfo"), []byte(".nothing")), "says nothing of itself"},
		"it is packed badly":        {"a.ko.zst", []byte("rubbish"), "drivers: a: "},
		"it is packed badly by xz":  {"a.ko.xz", []byte("rubbish"), "unpack it with xz"},
	} {
		if _, err := Pick(kernel(t, map[string][]byte{tc.file: tc.b}), []string{"a"}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNeeds(f *testing.F) {
	f.Add(object("depends=a,b", "softdep=pre: c post: d"))
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, image []byte) {
		before, ifThere, err := needs(image)
		if err != nil {
			return
		}
		for _, n := range append(before, ifThere...) {
			if n == "" || strings.ContainsRune(n, 0) {
				t.Fatalf("%q, %q", before, ifThere)
			}
		}
	})
}
