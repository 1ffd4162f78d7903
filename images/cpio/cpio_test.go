package cpio

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/imagetest"
)

var small = []Entry{
	{Name: "init", Mode: 0o755, Data: []byte("first program")},
	{Name: "etc/resolv.conf", Mode: fs.ModeSymlink | 0o777, Data: []byte("/run/resolv.conf")},
	{Name: "dev/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Device: [2]uint32{1, 3}},
	{Name: "data", Mode: fs.ModeDir | 0o700},
	{Name: "empty", Mode: 0o400},
}

func archive(t *testing.T, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheOrderOfTheEntriesDoesNotChangeTheArchive(t *testing.T) {
	other := slices.Clone(small)
	slices.Reverse(other)
	if !bytes.Equal(archive(t, small), archive(t, other)) {
		t.Error("two archives of the same files differ")
	}
}

func TestAnotherProgramUnpacksWhatWasPacked(t *testing.T) {
	imagetest.Programs(t, "cpio")
	dir := t.TempDir()
	list := exec.Command("cpio", "-idv", "--quiet", "--no-absolute-filenames")
	list.Dir, list.Stdin = dir, bytes.NewReader(archive(t, slices.DeleteFunc(slices.Clone(small), func(e Entry) bool { return e.Mode&fs.ModeDevice != 0 })))
	if out, err := list.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	for _, e := range small {
		at := filepath.Join(dir, e.Name)
		info, err := os.Lstat(at)
		switch {
		case e.Mode&fs.ModeDevice != 0:
			continue
		case err != nil:
			t.Error(err)
		case e.Mode&fs.ModeSymlink != 0:
			if to, err := os.Readlink(at); err != nil || to != string(e.Data) {
				t.Errorf("%s leads to %q, %v", e.Name, to, err)
			}
		case info.Mode() != e.Mode:
			t.Errorf("%s: mode %v, want %v", e.Name, info.Mode(), e.Mode)
		case !e.Mode.IsDir():
			if b, err := os.ReadFile(at); err != nil || !bytes.Equal(b, e.Data) {
				t.Errorf("%s holds %q, %v", e.Name, b, err)
			}
		}
	}
}

func TestEntriesThatMakeNoArchiveAreRefused(t *testing.T) {
	for want, entries := range map[string][]Entry{
		`"/init" is not the name`:              {{Name: "/init"}},
		`"../init" is not the name`:            {{Name: "../init"}},
		`"a/../b" is not the name`:             {{Name: "a/../b"}},
		`"TRAILER!!!" is not the name`:         {{Name: "TRAILER!!!"}},
		`"" is not the name`:                   {{Name: ""}},
		`a stands twice`:                       {{Name: "a"}, {Name: "a"}},
		`does not belong into an initramfs`:    {{Name: "a", Mode: fs.ModeSocket}},
		`b/c: a p--------- does not belong in`: {{Name: "b/c", Mode: fs.ModeNamedPipe}},
	} {
		if err := Write(new(bytes.Buffer), entries); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", entries, err, want)
		}
	}
}
