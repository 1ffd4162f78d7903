package imprint

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestASystemGoesBackOnlyToOneThatOpensWhatItLeaves(t *testing.T) {
	for _, tc := range []struct {
		name        string
		older, runs Data
		want        bool
	}{
		{"the same data", Data{1, 1}, Data{1, 1}, true},
		{"the new one writes what the old one reads", Data{2, 1}, Data{1, 1}, true},
		{"the new one writes more than the old one knows", Data{1, 1}, Data{2, 1}, false},
		{"data from before what can be read", Data{4, 3}, Data{2, 2}, false},
		{"a new one that writes as before and reads on", Data{1, 1}, Data{1, 1}, true},
	} {
		if got := tc.older.Opens(tc.runs); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestASlotSaysWhatIsInIt(t *testing.T) {
	imagetest.Programs(t, "mkfs.vfat", "mcopy", "fsck.vfat")
	at := filepath.Join(t.TempDir(), "slot")
	text := `{"version":"1.4.2","time":1793534400,"kernel":"6.12.47-v8","epoch":3,"data_schema":{"writes":2,"reads_from":1}}`
	if err := fat.Make(t.Context(), at, fat.Spec{Label: "S", ID: 1, Size: layout.SlotSize, Cluster: layout.SlotCluster, Files: []fat.File{{Name: File, Data: []byte(text)}}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	want := Imprint{Version: "1.4.2", Time: 1793534400, Kernel: "6.12.47-v8", Epoch: 3, Data: Data{Writes: 2, Reads: 1}}
	if got, err := OfSlot(bytes.NewReader(b)); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	clear(b[:512])
	for name, b := range map[string][]byte{"wiped": b, "empty": make([]byte, layout.MiB)} {
		if got, err := OfSlot(bytes.NewReader(b)); !errors.Is(err, ErrNone) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"version":"1"}`, `{`, `{"version":"1","data_schema":{"writes":1,"reads_from":2}}`, strings.Repeat(" ", longest+1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		i, err := Decode(text)
		if err == nil && (i.Version == "" || !i.Data.Opens(i.Data)) {
			t.Errorf("%+v", i)
		}
		if err != nil && !errors.Is(err, ErrNone) {
			t.Error(err)
		}
	})
}

func TestASystemOfBeforeUpdatesHasTheFirstData(t *testing.T) {
	if got, err := Decode([]byte(`{"version":"devel","time":1,"kernel":"6"}`)); err != nil || got.Data != (Data{1, 1}) || got.Epoch != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
