package statefile

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/durable/powercut"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatWasSavedIsLoadedAndAnUnfinishedSaveDoesNotCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	var got map[string]int
	if err := Load(path, 1, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a missing file: %v", err)
	}
	want := map[string]int{"a": 1}
	if err := Save(path, 1, want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".part", []byte(`{"v":1,"sum":`), 0o600); err != nil { // the power went here
		t.Fatal(err)
	}
	if err := Load(path, 1, &got); err != nil || !maps.Equal(got, want) {
		t.Fatalf("%v %v", got, err)
	}
	if err := Save(path, 1, map[string]int{"b": 2}); err != nil {
		t.Fatal(err)
	}
	got = nil
	if err := Load(path, 1, &got); err != nil || got["b"] != 2 {
		t.Fatalf("%v %v", got, err)
	}
	if err := Save(path, 1, func() {}); err == nil {
		t.Error("what is no value was saved")
	}
	if err := Save(filepath.Join(path, "below"), 1, want); err == nil {
		t.Error("saved below a file")
	}
}

func TestADamagedFileIsPutAside(t *testing.T) {
	whole := func(t *testing.T) (string, []byte) {
		path := filepath.Join(t.TempDir(), "x.json")
		if err := Save(path, 1, map[string]int{"a": 1}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, text
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"cut":             func(b []byte) []byte { return b[:len(b)-3] },
		"another value":   func(b []byte) []byte { return []byte(`{"v":1,"sum":1,"value":{"a":2}}`) },
		"another version": func(b []byte) []byte { b[5] = '0'; return b },
		"zeros":           func(b []byte) []byte { return make([]byte, len(b)) },
		"a wrong type":    func(b []byte) []byte { return []byte(`{"v":1,"sum":223132457,"value":"a"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			path, text := whole(t)
			if err := os.WriteFile(path, spoil(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var got map[string]int
			if err := Load(path, 1, &got); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v %v", got, err)
			}
			if _, err := os.Stat(path + ".damaged"); err != nil {
				t.Error("not put aside")
			}
			if err := Load(path, 1, &got); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

// A box that went back finds a state in the format of the release that it came from: no damage, and not to be lost.
func TestAValueOfALaterFormatIsPutAsideUnderANameOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	if err := Save(path, 2, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	var got map[string]int
	if err := Load(path, 1, &got); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "written by a later release: format 2, this one knows 1") {
		t.Fatalf("%v, %v", got, err)
	}
	if err := Load(path, 1, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the second time: %v", err)
	}
	if err := Load(path+".newer", 2, &got); err != nil || got["a"] != 1 {
		t.Errorf("aside lies %v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"sum":2238339752,"value":{"a":1}}`))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got map[string]int
		_ = Decode(text, 1, &got)
	})
}

func TestAValueIsChangedByWhoDoesNotKnowIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := Save(path, 7, map[string]int{"kept": 1, "gone": 2}); err != nil {
		t.Fatal(err)
	}
	if err := Rewrite(path, func(v json.RawMessage) (json.RawMessage, error) {
		var m map[string]int
		err := json.Unmarshal(v, &m)
		delete(m, "gone")
		return json.RawMessage(`{"kept":1}`), err
	}); err != nil {
		t.Fatal(err)
	}
	var got map[string]int
	if err := Load(path, 7, &got); err != nil || !maps.Equal(got, map[string]int{"kept": 1}) {
		t.Errorf("%v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte(`{"v":7,"sum":1,"value":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Rewrite(path, func(v json.RawMessage) (json.RawMessage, error) { return v, nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
}

// A power cut at every write of a file that is saved again and again: it has a value that was saved, and none before
// the one of which Save said that it is safe.
func TestNoPowerCutLosesASavedValue(t *testing.T) {
	disk := powercut.New()
	const path = "/var/x.json"
	for n := range 4 {
		if err := save(disk, path, 1, map[string]string{"n": strings.Repeat("x", 600*n)}); err != nil {
			t.Fatal(err)
		}
		disk.Note(n)
	}
	cuts := 0
	for c := range disk.Cuts() {
		cuts++
		safe := -1
		for _, n := range c.Notes {
			safe = n
		}
		text, err := c.Disk.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && safe < 0 {
			continue
		}
		var got map[string]string
		if err == nil {
			err = Decode(text, 1, &got)
		}
		if n := len(got["n"]) / 600; err != nil || n < safe {
			t.Fatalf("%s: value %d of %d bytes, %d was saved: %v", c.Name, n, len(text), safe, err)
		}
	}
	if t.Logf("%d power cuts", cuts); cuts < 60 {
		t.Errorf("only %d power cuts were tried", cuts)
	}
}
