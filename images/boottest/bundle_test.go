package boottest

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ota/release"
)

// stickOf is a stick with files in the folder in which a box looks for updates.
func stickOf(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stick-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var all []fat.File
	for name, b := range files {
		all = append(all, fat.File{Name: "pronto/" + name, Data: b})
	}
	at := filepath.Join(dir, "stick")
	if err := fat.Make(t.Context(), at, fat.Spec{Label: "CHIAVETTA", ID: 1, Size: 256 << 20, Cluster: 4, Files: all}); err != nil {
		t.Fatal(err)
	}
	return at
}

// bundles a release that is nowhere on offer.
func (p *publisher) bundles(version string, part []byte, model string) []byte {
	p.T.Helper()
	p.Release("stable", version, part, func(m *release.Manifest) { m.Models, m.Epoch = []string{model}, 1 })
	var b bytes.Buffer
	if err := p.Bundle(&b, "stable", version, nil); err != nil {
		p.T.Fatal(err)
	}
	return b.Bytes()
}

// chosen has the owner take a file from the stick, and returns what the page says then.
func (o *owned) chosen(name string) (page string) {
	o.t.Helper()
	return o.asks("stick", url.Values{"name": {name}})
}

// Without a network to the vendor, from a stick of USB that is plugged into a box that runs: a file that is none
// and a release for another board are refused with a sentence and the light, and touch nothing; the vendor's for this one
// is written, started and carries a call.
func TestTheUpdaterTakesAReleaseFromAStickAndNoOtherFile(t *testing.T) {
	t.Parallel()
	if !wanted(t, "from a stick") {
		t.Skip("left out: another class was asked for")
	}
	o := newOwned(t, 46, 6, func(o *owned) {
		other := o.p.bundles("1.2.0", []byte("for a board that is not this one"), "pi5") // by its manifest it is refused
		if err := o.p.Withdraw("stable", "1.2.0", o.p.Keys); err != nil {
			t.Fatal(err)
		}
		good := o.p.bundles("1.1.0", system{version: "1.1.0", documents: o.p.documents, own: true}.part(t), o.kind)
		if err := o.p.server.Close(); err != nil { // the vendor is away
			t.Fatal(err)
		}
		o.stick = stickOf(t, map[string][]byte{"good.update": good, "photo.update": []byte("\xff\xd8\xff no bundle"), "other.update": other})
	})
	o.owner.Timeout = 5 * time.Minute // what comes from a stick is read as slowly as a busy computer emulates one
	o.carries()
	began := time.Now()
	o.m.plug()
	if err := o.shows(2*time.Minute, "good.update"); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ file, says string }{
		{"photo.update", "This is no update for a box."},
		{"other.update", "This update is not for this box."},
	} {
		if page := o.chosen(c.file); !strings.Contains(page, c.says) {
			t.Errorf("%s: %s", c.file, words(page))
		}
		o.m.says("an update that was brought is not taken: the light says so", i+1)
		o.untouched(c.file)
	}
	if page := o.page(); strings.Contains(page, "is being written") || !strings.Contains(page, "holds nothing that could be started") {
		t.Errorf("the other slot is not as it was: %s", words(page))
	}
	o.done("wrong files on a stick", began, "refused")

	began = time.Now()
	o.chosen("good.update")
	o.resets(8 * time.Minute)
	if !o.mark {
		t.Fatalf("the boot loader is not told of the trial\n%s", o.m.text())
	}
	o.on(layout.SlotB)
	o.carries()
	if err := o.shows(patience, "on trial", "1.1.0"); err != nil { // the updater begins to answer apart from the exchange
		t.Error(err)
	}
	o.done("from a stick, without the vendor", began, "started, carries a call")
}
