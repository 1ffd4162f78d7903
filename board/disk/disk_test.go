package disk

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/mbr"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is a /sys/class/block and a /dev made of plain files.
type machine struct {
	t        *testing.T
	sys, dev string
}

func newMachine(t *testing.T) machine {
	dir := t.TempDir()
	return machine{t, filepath.Join(dir, "sys"), filepath.Join(dir, "dev")}
}

func (m machine) write(at, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// disk adds one of 8,000,000 sectors with the given first sector, whose partitions the kernel names so.
func (m machine) disk(name string, first []byte, partitions ...string) {
	m.write(filepath.Join(m.sys, name, "size"), "8000000\n")
	m.write(filepath.Join(m.dev, name), string(first))
	for i, p := range partitions {
		m.write(filepath.Join(m.sys, name, p, "partition"), string(rune('1'+i))+"\n")
		m.write(filepath.Join(m.sys, p, "partition"), string(rune('1'+i))+"\n")
	}
}

func first(t mbr.Table) []byte {
	s := mbr.Encode(t)
	return s[:]
}

func TestTheBoxFindsItsOwnCardAmongOtherDisks(t *testing.T) {
	other := layout.Table()
	other.Disk = 0x1234
	card := []string{"mmcblk0p1", "mmcblk0p2", "mmcblk0p3", "mmcblk0p4"}
	stick := []string{"sda1", "sda2", "sda3", "sda4"}
	for _, tc := range []struct {
		name       string
		disks      func(m machine)
		disk, data string
		err        error
	}{
		{"alone", func(m machine) { m.disk("mmcblk0", first(layout.Table()), card...) }, "mmcblk0", "mmcblk0p4", nil},
		{"before a stick with an image", func(m machine) {
			m.disk("sda", first(layout.Table()), stick...)
			m.disk("mmcblk0", first(layout.Table()), card...)
		}, "mmcblk0", "mmcblk0p4", nil},
		{"on a stick, when the card is another's", func(m machine) {
			m.disk("mmcblk0", first(other), card...)
			m.disk("sda", first(layout.Table()), stick...)
		}, "sda", "sda4", nil},
		{"not where there is none", func(m machine) { m.disk("mmcblk0", make([]byte, 512)) }, "", "", ErrNone},
		{"not on a disk without its partitions", func(m machine) { m.disk("mmcblk0", first(layout.Table())) }, "", "", ErrNone},
		{"not in a loop device", func(m machine) {
			m.disk("loop0", first(layout.Table()), "loop0p1", "loop0p2", "loop0p3", "loop0p4")
		}, "", "", ErrNone},
		{"not on a disk that cannot be read", func(m machine) {
			m.disk("mmcblk0", []byte("short"), card...)
		}, "", "", ErrNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMachine(t)
			tc.disks(m)
			got, err := Find(m.sys, m.dev)
			if !errors.Is(err, tc.err) {
				t.Fatalf("%v, want %v", err, tc.err)
			}
			if err == nil && (got.Disk != filepath.Join(m.dev, tc.disk) || got.Data != filepath.Join(m.dev, tc.data) || got.Sectors != 8_000_000) {
				t.Errorf("found %+v", got)
			}
		})
	}
}

func TestADamagedTableIsNamedInTheError(t *testing.T) {
	m := newMachine(t)
	table := layout.Table()
	table.Partitions[1].Start--
	m.disk("mmcblk0", first(table))
	if _, err := Find(m.sys, m.dev); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "lie over each other") {
		t.Errorf("%v", err)
	}
}

// files lists what is below dir.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, at)
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheOfficeIsCopiedIntoMemoryWithoutWhatIsLarge(t *testing.T) {
	m := machine{t: t}
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"box.json", "pronto/label.json", "pronto/access.json", "pronto/pronto.yaml", "pronto/config/1.yaml", "pronto/history/1", "records/1"} {
		m.write(filepath.Join(from, name), name)
	}
	m.write(filepath.Join(from, "pronto/huge.json"), strings.Repeat("x", largest+1))
	if err := CopyOffice(to, from); err != nil {
		t.Fatal(err)
	}
	want := []string{"box.json", "pronto/access.json", "pronto/config/1.yaml", "pronto/label.json", "pronto/pronto.yaml"}
	if got := files(t, to); !slices.Equal(got, want) {
		t.Errorf("copied %q, want %q", got, want)
	}
}
