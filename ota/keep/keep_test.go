package keep_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/durable/powercut"
	"github.com/pronto-pbx/pronto/ota/keep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type value struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

func TestAValueComesBackAsItWasKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	var got value
	if err := keep.Load(keep.Machine{}, path, 1, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for n := range 3 {
		want := value{"<&>", n}
		if err := keep.Save(keep.Machine{}, path, 1, want); err != nil {
			t.Fatal(err)
		}
		if err := keep.Load(keep.Machine{}, path, 1, &got); err != nil || got != want {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("beside the file lies %v, %v", names, err)
	}
}

func TestADamagedFileIsPutAsideAndTheNextStartBeginsAnew(t *testing.T) {
	for name, damage := range map[string]string{
		"empty": "", "zeros": "\x00\x00\x00", "half": `{"v":1,"sum":12,"val`, "another version": `{"v":2,"sum":0,"value":null}`,
		"a wrong sum": `{"v":1,"sum":1,"value":{"n":7}}`, "too long": `"` + strings.Repeat("x", 1<<20) + `"`, "no value": `{"v":1,"sum":0}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.json")
			if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
			var got value
			if err := keep.Load(keep.Machine{}, path, 1, &got); !errors.Is(err, keep.ErrDamaged) {
				t.Fatal(err)
			}
			if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != damage {
				t.Errorf("put aside was %.20q, %v", kept, err)
			}
			if err := keep.Load(keep.Machine{}, path, 1, &got); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

// cutDisk is a disk of which every state is known in which a power cut can leave it.
type cutDisk struct{ *powercut.Disk }

type cutFile struct {
	durable.File
	at int64
}

func (f *cutFile) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.at)
	f.at += int64(n)
	return n, err
}

func (d cutDisk) Create(name string) (keep.File, error) {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return &cutFile{File: f}, err
}

func (d cutDisk) Open(name string) (io.ReadCloser, error) {
	text, err := d.ReadFile(name)
	return io.NopCloser(strings.NewReader(string(text))), err
}

func TestAfterAPowerCutThereIsTheOldValueOrTheNewOneAndTheNewOneOnceItWasPromised(t *testing.T) {
	disk := cutDisk{powercut.New()}
	for n := 1; n <= 3; n++ {
		if err := keep.Save(disk, "/update/x.json", 1, value{"v", n}); err != nil {
			t.Fatal(err)
		}
		disk.Note(n)
	}
	states := 0
	for cut := range disk.Cuts() {
		states++
		promised := 0
		for _, n := range cut.Notes {
			promised = n
		}
		var got value
		err := keep.Load(cutDisk{cut.Disk}, "/update/x.json", 1, &got)
		if errors.Is(err, fs.ErrNotExist) {
			got, err = value{}, nil
		}
		if err != nil || got.N < promised || got.N > promised+1 {
			t.Errorf("%s: %+v after %d, %v", cut.Name, got, promised, err)
		}
	}
	if states < 30 {
		t.Errorf("%d states prove nothing", states)
	}
	t.Logf("%d states that a power cut can leave", states)
}

func FuzzLoadTellsDamage(f *testing.F) {
	f.Add([]byte(`{"v":1,"sum":3421780262,"value":{"name":"a","n":1}}`))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var v value
		if err := keep.Load(keep.Machine{}, path, 1, &v); err != nil && !errors.Is(err, keep.ErrDamaged) {
			t.Fatal(err)
		}
	})
}
