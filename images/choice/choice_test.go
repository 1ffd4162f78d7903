package choice

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
)

func TestAChoiceIsOneSectorThatSaysWhatToStartAndWhy(t *testing.T) {
	for _, tc := range []struct {
		c    Choice
		text string
	}{
		{Default(), "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n\n"},
		{Choice{Slot: layout.SlotB}, "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n\n"},
		{Choice{layout.SlotB, Failed}, "[all]\ntryboot_a_b=1\nboot_partition=1\n[tryboot]\nboot_partition=2\n# recovery for slot 3: failed\n\n"},
		{Choice{layout.SlotA, Button}, "[all]\ntryboot_a_b=1\nboot_partition=1\n[tryboot]\nboot_partition=3\n# recovery for slot 2: button\n\n"},
	} {
		s := Encode(tc.c)
		if len(s) != Size || !strings.HasPrefix(string(s), tc.text) {
			t.Errorf("%+v: %d bytes %q", tc.c, len(s), s)
		}
		if got, err := Decode(s); err != nil || got != tc.c {
			t.Errorf("%+v comes back as %+v, %v", tc.c, got, err)
		}
	}
}

func TestATornSectorIsNoChoice(t *testing.T) {
	s := Encode(Default())
	for _, torn := range [][]byte{nil, make([]byte, Size), s[:100], append(bytes.Clone(s[:30]), make([]byte, Size-30)...)} {
		if c, err := Decode(torn); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q is taken for %+v, %v", torn, c, err)
		}
	}
}

func TestTheSectorIsFoundWhereTheBuilderWroteIt(t *testing.T) {
	imagetest.Programs(t, "mkfs.vfat", "mcopy", "fsck.vfat")
	want := Encode(Choice{layout.SlotB, Stick})
	make := func(files ...fat.File) *os.File {
		at := filepath.Join(t.TempDir(), "fat")
		if err := fat.Make(t.Context(), at, fat.Spec{Label: "PRONTO", ID: 1, Size: layout.SelectSize, Cluster: layout.SelectCluster, Files: files}); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	f := make(fat.File{Name: File, Data: want}, fat.File{Name: "config.txt", Data: []byte("x")})
	at, err := Find(f)
	if err != nil {
		t.Fatal(err)
	}
	got := [Size]byte{}
	if _, err := f.ReadAt(got[:], at); err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("at %d lies %q, %v", at, got, err)
	}
	for name, other := range map[string]io.ReaderAt{
		"no such file":        make(fat.File{Name: "config.txt", Data: []byte("x")}),
		"a longer file":       make(fat.File{Name: File, Data: append(bytes.Clone(want), 'x')}),
		"no file system here": bytes.NewReader(got[:]),
	} {
		if at, err := Find(other); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: found at %d, %v", name, at, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(Default()))
	f.Add(Encode(Choice{layout.SlotB, Failed}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Decode(b); err == nil && !bytes.Equal(Encode(c), b) {
			t.Fatalf("%q is taken for %+v", b, c)
		}
	})
}

func FuzzFind(f *testing.F) {
	boot := make([]byte, 2048)
	copy(boot[510:], "\x55\xAA")
	boot[12], boot[13], boot[14], boot[44] = 2, 1, 1, 2
	copy(boot[512:], shortName)
	f.Add(boot)
	f.Fuzz(func(t *testing.T, b []byte) {
		if at, err := Find(bytes.NewReader(b)); err == nil && at < 0 {
			t.Fatalf("found at %d", at)
		}
	})
}
