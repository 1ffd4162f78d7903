package install

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/ota/otatest"
)

// resident counts the pages of a file that the kernel has in memory.
func resident(t *testing.T, f *os.File, size int) (pages int) {
	t.Helper()
	m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(m); err != nil {
			t.Error(err)
		}
	}()
	in := make([]byte, (size+os.Getpagesize()-1)/os.Getpagesize())
	if err := mincore(m, in); err != nil {
		t.Fatal(err)
	}
	for _, b := range in {
		pages += int(b & 1)
	}
	return pages
}

// What is read back must come from the card: a page in memory would prove only that memory works.
func TestWhatIsForgottenByTheKernelIsReadFromTheDisk(t *testing.T) {
	const size = 4 << 20
	f, err := OpenFile(filepath.Join(onDisk(t), "slot"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(otatest.Content("2.0.0", size), 0); err != nil {
		t.Fatal(err)
	}
	if n := resident(t, f.File, size); n == 0 {
		t.Fatal("nothing was in memory before")
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := f.DropCache(); err != nil {
		t.Fatal(err)
	}
	if n := resident(t, f.File, size); n != 0 {
		t.Errorf("%d pages are still in memory", n)
	}
}

// onDisk is a directory that is not in memory.
func onDisk(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.TempDir(), "/var/tmp", "."} {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err == nil && uint32(s.Type) != unix.TMPFS_MAGIC && uint32(s.Type) != unix.RAMFS_MAGIC {
			at, err := os.MkdirTemp(dir, "slot")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(at) })
			return at
		}
	}
	t.Fatal("every directory is in memory")
	return ""
}

func mincore(m, in []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&in[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
