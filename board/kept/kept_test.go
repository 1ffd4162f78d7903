package kept

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/images/imprint"
)

func TestWhatABoxRanIsKnownAndItsEpochNeverGoesBack(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	s, err := Load(at)
	if err != nil || s != (System{}) {
		t.Fatalf("of a new box: %+v, %v", s, err)
	}
	for _, step := range []struct {
		runs imprint.Imprint
		want System
	}{
		{imprint.Imprint{Version: "1.0.0", Epoch: 1, Data: imprint.Data{Writes: 1, Reads: 1}}, System{"1.0.0", 1, 1}},
		{imprint.Imprint{Version: "2.0.0", Epoch: 3, Data: imprint.Data{Writes: 2, Reads: 1}}, System{"2.0.0", 3, 2}},
		{imprint.Imprint{Version: "1.9.0", Epoch: 2, Data: imprint.Data{Writes: 1, Reads: 1}}, System{"1.9.0", 3, 2}},
	} {
		if s = s.Next(step.runs); s != step.want {
			t.Errorf("after %+v: %+v", step.runs, s)
		}
		if err := Save(at, s); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(text); err != nil || got != s {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := Load(at); err != nil || got != s {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if err := os.WriteFile(at, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Load(at); !errors.Is(err, statefile.ErrDamaged) || s != (System{}) {
		t.Errorf("damaged: %+v, %v", s, err)
	}
}
