package badgerstore

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable/powercut"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
)

// A power cut at every write of three backups, one after the other: the newest one that was announced, on which the
// journal was trimmed, is there and whole, or a newer one is.
func TestNoPowerCutLosesTheNewestBackup(t *testing.T) {
	d := open(t, small(t.TempDir()))
	defer d.Close()
	disk := powercut.New()
	files := d.cfg.files
	d.cfg.files, d.cfg.Backups = disk, "/backups"
	defer func() { d.cfg.files = files }()
	for n := range 3 {
		ingest(t, d, n*20, n*20+20)
		m := Manifest{V: manifestVersion, File: time.Now().UTC().Format("records-150405.000000000.badger"), At: time.Now(), Number: n + 1, Pos: storetest.Call(n*20 + 19).Pos}
		path := filepath.Join(d.cfg.Backups, m.File)
		if err := d.writeBackup(t.Context(), path+".tmp", &m); err != nil {
			t.Fatal(err)
		}
		if err := d.publish(path, m); err != nil {
			t.Fatal(err)
		}
		disk.Note(m.Number)
		d.prune()
	}
	cuts := 0
	for c := range disk.Cuts() {
		cuts++
		promised := 0
		for _, n := range c.Notes {
			promised = n
		}
		m := newestBackup(c.Disk, "/backups")
		if m == nil {
			if promised > 0 {
				t.Fatalf("%s: there is no backup, number %d was announced", c.Name, promised)
			}
			continue
		}
		text, err := c.Disk.ReadFile(filepath.Join("/backups", m.File))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if sum := sha256.Sum256(text); m.Number < promised || hex.EncodeToString(sum[:]) != m.SHA256 {
			t.Fatalf("%s: number %d, announced was %d; %d bytes with the sum %x, want %s", c.Name, m.Number, promised, len(text), sum, m.SHA256)
		}
	}
	if t.Logf("%d power cuts", cuts); cuts < 60 {
		t.Errorf("only %d power cuts were tried", cuts)
	}
}
