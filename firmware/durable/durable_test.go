package durable_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/durable/powercut"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The simulated disk must do what the machine's does, or its power cuts prove nothing.
func TestBothDisksKeepTheContract(t *testing.T) {
	for name, on := range map[string]durable.FileSystem{"machine": durable.Disk{}, "simulated": powercut.New()} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			l, err := on.Lock(dir)
			must(err)
			if _, err := on.Lock(dir); err == nil {
				t.Error("a second owner")
			}
			path := filepath.Join(dir, "a")
			if _, err := on.OpenFile(path, os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a missing file is opened: %v", err)
			}
			if _, err := on.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a missing file is read: %v", err)
			}
			if err := errors.Join(on.Rename(path, path+"b"), on.Remove(path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a missing file is renamed and removed: %v", err)
			}
			f, err := on.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
			must(err)
			_, err = f.WriteAt([]byte("hello, world"), 3)
			must(err)
			must(f.Truncate(8))
			if err := f.Reserve(8, 4); err == nil { // a file system may refuse
				if size, err := f.Size(); err != nil || size != 12 {
					t.Errorf("%d bytes after a promise, %v", size, err)
				}
				must(f.Reserve(0, 4))
			}
			must(f.Truncate(10))
			b := make([]byte, 20)
			if n, err := f.ReadAt(b, 2); n != 8 || !errors.Is(err, io.EOF) || !bytes.Equal(b[:8], []byte("\x00hello\x00\x00")) {
				t.Errorf("%d bytes are read: %q, %v", n, b, err)
			}
			if n, err := f.ReadAt(b, 40); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("behind the end %d bytes are read, %v", n, err)
			}
			must(errors.Join(f.Sync(), f.Close()))
			must(durable.Replace(on, filepath.Join(dir, "c"), []byte("one"), 0o600))
			must(durable.Replace(on, filepath.Join(dir, "c"), []byte("two"), 0o600))
			must(on.Rename(path, filepath.Join(dir, "b")))
			must(on.SyncDir(dir))
			if names, err := on.List(dir); err != nil || !slices.Equal(names, []string{"b", "c"}) {
				t.Errorf("names %v, %v", names, err)
			}
			if text, err := on.ReadFile(filepath.Join(dir, "c")); err != nil || string(text) != "two" {
				t.Errorf("%q, %v", text, err)
			}
			must(on.Remove(filepath.Join(dir, "b")))
			must(l.Close())
			again, err := on.Lock(dir)
			must(err)
			must(again.Close())
		})
	}
}

func TestWhatCannotBeReplacedStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := durable.Replace(durable.Disk{}, path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+".part", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(durable.Disk{}, path, []byte("new"), 0o600); err == nil {
		t.Error("no error")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
}
