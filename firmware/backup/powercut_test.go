package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable/powercut"
)

// pulled is a place on a disk that loses power: written by what writes every folder.
type pulled struct{ disk *powercut.Disk }

func (p pulled) Put(_ context.Context, name string, body io.Reader) error {
	return lay(p.disk, name, body)
}

func (p pulled) Get(_ context.Context, name string) (io.ReadCloser, error) {
	text, err := p.disk.ReadFile(name)
	return io.NopCloser(bytes.NewReader(text)), err
}

func (p pulled) List(context.Context) ([]string, error) {
	names, err := p.disk.List(".")
	return slices.DeleteFunc(names, func(n string) bool { _, ok := MadeAt(n); return !ok }), err
}

func (p pulled) Delete(_ context.Context, name string) error { return p.disk.Remove(name) }

// Four backups are made, the later ones of a day in the place of the earlier, and the power is cut at each of their
// writes: the newest that was announced is there, or a newer one, and every one that is there is whole, comes open by
// the kit, and holds what the office was.
func TestNoPowerCutLosesTheNewestNightlyBackup(t *testing.T) {
	s := newBox(t, carriers, "old")
	secret, err := NewKit(s, night)
	if err != nil {
		t.Fatal(err)
	}
	kit, err := ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	disk := powercut.New()
	made, files := map[string]int{}, 0 // name -> which one
	for n := range 4 {
		st, err := Make(t.Context(), s, pulled{disk}, "x", "v1", night.Add(time.Duration(n)*9*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		made[st.Name] = n + 1
		disk.Note(n + 1)
		files = st.Files
	}
	if left, err := (pulled{disk}).List(t.Context()); err != nil || len(left) != 2 {
		t.Fatalf("of two days there are left: %v, %v", left, err)
	}
	cuts, opened := 0, map[[sha256.Size]byte]bool{}
	for c := range disk.Cuts() {
		cuts++
		promised := 0
		for _, n := range c.Notes {
			promised = max(promised, n)
		}
		names, err := (pulled{c.Disk}).List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		newest := 0
		for _, name := range names {
			newest = max(newest, made[name])
			text, err := c.Disk.ReadFile(name)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			sum := sha256.Sum256(text)
			if opened[sum] {
				continue
			}
			m, total, err := Check(bytes.NewReader(text), kit)
			if err != nil || m.Name != "Bar Centrale" || total.Files != files {
				t.Fatalf("%s: %s does not come open: %+v, %d of %d files, %v", c.Name, name, m, total.Files, files, err)
			}
			opened[sum] = true
		}
		if newest < promised {
			t.Fatalf("%s: the newest there is number %d, announced was number %d", c.Name, newest, promised)
		}
	}
	if t.Logf("%d power cuts, %d different backups came open", cuts, len(opened)); cuts < 100 || len(opened) != 4 {
		t.Errorf("only %d power cuts were tried, and %d backups seen", cuts, len(opened))
	}
}
