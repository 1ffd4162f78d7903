package powercut

import (
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// written writes a file and syncs what it is told to.
func written(t *testing.T, d *Disk, syncs ...string) {
	t.Helper()
	f, err := d.OpenFile("/a", os.O_RDWR|os.O_CREATE, 0)
	if err != nil {
		t.Fatal(err)
	}
	for off, text := range []string{"x", "y"} {
		if _, err := f.WriteAt([]byte(text), int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range syncs {
		if s == "file" {
			err = f.Sync()
		} else {
			err = d.SyncDir("/")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.Note(1)
}

// What a program does not sync may be missing, in every way.
func TestOnlyWhatIsSyncedIsThereAfterEveryCut(t *testing.T) {
	for _, c := range []struct {
		name  string
		syncs []string
		want  []string // contents that are possible after the note; "-" is no file
	}{
		{"nothing is synced", nil, []string{"", "\x00y", "-", "x", "xy"}},
		{"the content is synced and not the name", []string{"file"}, []string{"-", "xy"}},
		{"the name is synced and not the content", []string{"dir"}, []string{"", "\x00y", "x", "xy"}},
		{"both are synced", []string{"file", "dir"}, []string{"xy"}},
	} {
		d := New()
		written(t, d, c.syncs...)
		var got []string
		for cut := range d.Cuts() {
			if len(cut.Notes) == 0 {
				continue
			}
			text, err := cut.Disk.ReadFile("/a")
			if err != nil {
				text = []byte("-")
			}
			got = append(got, string(text))
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A file that is replaced without its content being synced first is the classic mistake: it must be seen.
func TestAReplacementThatIsNotSyncedIsFoundOut(t *testing.T) {
	d := New()
	if err := durable.Replace(d, "/a", []byte("old"), 0); err != nil {
		t.Fatal(err)
	}
	f, err := d.OpenFile("/a.part", os.O_RDWR|os.O_CREATE, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Rename("/a.part", "/a"); err != nil {
		t.Fatal(err)
	}
	d.Note(1)
	seen := map[string]bool{}
	for cut := range d.Cuts() {
		if len(cut.Notes) > 0 {
			text, _ := cut.Disk.ReadFile("/a")
			seen[string(text)] = true
		}
	}
	for _, want := range []string{"old", "new", ""} {
		if !seen[want] {
			t.Errorf("no cut leaves %q: %v", want, seen)
		}
	}
}
