package boottest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/layout"
)

// backsUp gives a card an office that wants its backups on a stick, and returns the key of its owner's recovery kit.
func backsUp(t *testing.T, card string) (kit string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office+"backup: {to: /media/stick}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	personalise(t, card, "-id", boxID, "-office", file)
	own := backup.Source{Dir: t.TempDir()}
	kit, err := backup.NewKit(own, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	debugfs(t, card, "mkdir /pronto/backup")
	if err := ext4.Put(t.Context(), card, layout.Offset(layout.Data), "pronto/backup/keys.json", filepath.Join(own.Dir, "backup", "keys.json")); err != nil {
		t.Fatal(err)
	}
	return kit
}

// madeBackup waits until recordd, which looks once a minute, has made one.
func madeBackup(m *machine) {
	m.t.Helper()
	m.await("it says that a backup was made", time.Minute+patience, func(lines, _ []string) bool {
		return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "backup made and read back") })
	})
}

func TestAStickHasTheBoxClaimedAgainAndTakesItsBackup(t *testing.T) {
	t.Parallel()
	card, wire, stick := card(t, layout.ImageSize), lay(t, 22), stickWith(t, boxID+" new-owner")
	kit := backsUp(t, card)
	m := start(t, options{disk: card, cable: wire, stick: stick})
	m.says("no stick is plugged in", 1)
	m.says("the exchange runs", 1)
	m.plug()
	m.says("the box can be claimed again for an hour", 1)
	madeBackup(m)
	wire.answers(t, m)
	m.switchOff()
	opened(t, stick, kit)
}

// stickOfExt4 makes a stick of Linux's own file system, which belongs to root, with a file of somebody's.
func stickOfExt4(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stick-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at, tree := filepath.Join(dir, "stick"), filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// It asks for a panic at its first fault, as a stick may.
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-e", "panic", "-d", tree, "-E", "root_owner=0:0", at, "64M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	return at
}

var ownerForm = regexp.MustCompile(`User:\s+(\d+)\s+Group:\s+(\d+)`)

// ownerOf is who a file on a stick of ext4 belongs to, as "user group".
func ownerOf(t *testing.T, stick, name string) string {
	t.Helper()
	out, err := exec.Command("debugfs", "-R", "stat "+name, stick).Output()
	m := ownerForm.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	return string(m[1]) + " " + string(m[2])
}

var ageForm = regexp.MustCompile(`pronto-\S+\.age`)

func TestABackupGoesOntoAStickOfExt4IntoAFolderOfItsOwn(t *testing.T) {
	t.Parallel()
	card, wire := card(t, layout.ImageSize), lay(t, 24)
	stick := stickOfExt4(t, map[string]string{"photo.jpg": "somebody's"})
	kit := backsUp(t, card)
	m := start(t, options{disk: card, cable: wire, stick: stick})
	m.plug() // it is there when the box looks for the first time, or a minute later
	m.says("kind=ext4 at=/media/stick", 1)
	madeBackup(m)
	m.switchOff()
	for name, want := range map[string]string{"/": "0 0", "/photo.jpg": "0 0", "/pronto-backup": "902 910"} {
		if got := ownerOf(t, stick, name); got != want {
			t.Errorf("%s belongs to %s, want %s", name, got, want)
		}
	}
	list, err := exec.Command("debugfs", "-R", "ls -p /pronto-backup", stick).Output()
	name := ageForm.FindString(strings.ReplaceAll(string(list), "/", " "))
	if err != nil || name == "" {
		t.Fatalf("no backup on the stick: %v\n%s", err, list)
	}
	copied, err := ext4.Read(t.Context(), stick, 0, "pronto-backup/"+name)
	if err != nil {
		t.Fatal(err)
	}
	unlocked(t, bytes.NewReader(copied), kit)
}
