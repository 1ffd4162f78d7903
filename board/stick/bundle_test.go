package stick

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestUpdatesOnAStickArePlainFilesInTheirFolder(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files []string // directories end in /
		want  []string
	}{
		{"an empty stick", nil, nil},
		{"photographs", []string{"photo.jpg", "a.update"}, nil},
		{"two of them, and other files", []string{"pronto/2.UPDATE", "pronto/1.update", "pronto/notes.txt", "pronto/.1.update", "pronto/deep/3.update"}, []string{"1.update", "2.UPDATE"}},
		{"a folder with the name of one", []string{"pronto/1.update/"}, nil},
		{"a file in the place of the folder", []string{"pronto"}, nil},
	} {
		at := t.TempDir()
		for _, f := range tc.files {
			path := filepath.Join(at, f)
			if f[len(f)-1] == '/' {
				if err := os.MkdirAll(path, 0o755); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := bundles(at)
		var want []string
		for _, name := range tc.want {
			want = append(want, filepath.Join(at, UpdatesIn, name))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, want)
		}
	}
}

func TestALinkOnAStickLeadsNowhere(t *testing.T) {
	at, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, nil, 0o600), os.Mkdir(filepath.Join(at, UpdatesIn), 0o755), os.Symlink(secret, filepath.Join(at, UpdatesIn, "a.update"))); err != nil {
		t.Fatal(err)
	}
	if got, err := bundles(at); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	other := t.TempDir()
	if err := os.Symlink(filepath.Join(at, UpdatesIn), filepath.Join(other, UpdatesIn)); err != nil {
		t.Fatal(err)
	}
	if got, err := bundles(other); err == nil || len(got) != 0 {
		t.Errorf("a folder elsewhere: %q, %v", got, err)
	}
}

func TestOfTooManyUpdatesTheFirstAreLookedAt(t *testing.T) {
	at := t.TempDir()
	if err := os.Mkdir(filepath.Join(at, UpdatesIn), 0o755); err != nil {
		t.Fatal(err)
	}
	for n := range mostBundles + 3 {
		if err := os.WriteFile(filepath.Join(at, UpdatesIn, fmt.Sprintf("%03d.update", n)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := bundles(at); err == nil || len(got) != mostBundles {
		t.Errorf("%d, %v", len(got), err)
	}
}

func TestUpdatesAreThereForAsLongAsTheirStick(t *testing.T) {
	b := newBench(t)
	b.runs(func(tick func()) {
		tick()
		if got := b.Bundles(); len(got) != 0 {
			t.Errorf("without a stick: %q", got)
		}
		b.write(filepath.Join(b.Dev, "sdb.files", UpdatesIn, "1.4.2.update"), nil)
		b.plug("sdb", super(82, "FAT32   "), "")
		tick()
		if got, want := b.Bundles(), []string{filepath.Join(b.At, UpdatesIn, "1.4.2.update")}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		b.pull("sdb")
		tick()
		if got := b.Bundles(); len(got) != 0 {
			t.Errorf("after it was pulled out: %q", got)
		}
	})
}
