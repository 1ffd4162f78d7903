package main

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/board/account"
)

// card is a directory of data as root left it.
func card(t *testing.T, files map[string]string) (dir string, all []place) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can give files away")
		}
		t.Skip("left out: only root can give files away")
	}
	dir = t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range places() {
		rel, err := filepath.Rel("/", p.path)
		if err != nil {
			t.Fatal(err)
		}
		p.path = filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return dir, all
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// belongs fails the test unless a file is somebody's.
func belongs(t *testing.T, path string, uid int, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	got, err := owner(path)
	if err != nil || got != uid || info.Mode().Perm() != mode.Perm() || info.Mode()&fs.ModeSetgid != mode&fs.ModeSetgid {
		t.Errorf("%s belongs to %d with mode %v, want %d and %v", path, got, info.Mode(), uid, mode)
	}
}

func TestTheDataOfAnOlderSystemBecomesItsPrograms(t *testing.T) {
	dir, all := card(t, map[string]string{
		"data/box.json": "id", "data/pronto/pronto.yaml": "office", "data/pronto/tls/key.pem": "key", "data/pronto/history/0001.journal": "history", "data/records/data/MANIFEST": "records",
	})
	settleOwners(quiet(), all)
	data := filepath.Join(dir, "data")
	belongs(t, filepath.Join(data, "box.json"), 0, 0o600)
	belongs(t, filepath.Join(data, "pronto"), account.Exchange, 0o710)
	belongs(t, filepath.Join(data, "pronto/pronto.yaml"), account.Exchange, 0o600)
	belongs(t, filepath.Join(data, "pronto/tls/key.pem"), account.Exchange, 0o600)
	belongs(t, filepath.Join(data, "pronto/history"), account.Exchange, fs.ModeSetgid|0o750)
	belongs(t, filepath.Join(data, "pronto/history/0001.journal"), account.Exchange, 0o640)
	belongs(t, filepath.Join(data, "records/data/MANIFEST"), account.Records, 0o600)
	belongs(t, filepath.Join(data, "pronto/backup"), account.Exchange, fs.ModeSetgid|0o770)
	belongs(t, filepath.Join(dir, "run/exchange"), account.Exchange, 0o700)
	belongs(t, filepath.Join(dir, "run/records"), account.Records, fs.ModeSetgid|0o750)

	// What root puts there later, as a restore does, follows at the next start.
	restored := filepath.Join(data, "pronto/voicemail/201/one.wav")
	if err := errors.Join(os.MkdirAll(filepath.Dir(restored), 0o700), os.WriteFile(restored, nil, 0o600), os.WriteFile(filepath.Join(data, "pronto/label.json"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	settleOwners(quiet(), all)
	belongs(t, restored, account.Exchange, 0o600)
	belongs(t, filepath.Join(data, "pronto/label.json"), account.Exchange, 0o600)
}

// Who had the exchange in his hands left links for the next start, when root looks at the directory.
func TestNoLinkOfAServiceLeadsTheFirstProgramElsewhere(t *testing.T) {
	dir, all := card(t, map[string]string{"data/ota/root.json": "trust", "data/pronto/pronto.yaml": "office"})
	data := filepath.Join(dir, "data")
	trust := filepath.Join(data, "ota/root.json")
	if err := errors.Join(
		os.Symlink(filepath.Join(data, "ota"), filepath.Join(data, "pronto/history")),
		os.Symlink(trust, filepath.Join(data, "pronto/tls")),
		os.Symlink(trust, filepath.Join(data, "pronto/empty.yaml.part")),
	); err != nil {
		t.Fatal(err)
	}
	settleOwners(quiet(), all)
	if err := replace(filepath.Join(data, "pronto/empty.yaml"), []byte("office")); err != nil {
		t.Error(err)
	}
	belongs(t, filepath.Join(data, "ota"), 0, 0o700)
	belongs(t, trust, 0, 0o600)
	if b, err := os.ReadFile(trust); err != nil || string(b) != "trust" {
		t.Errorf("the trust is %q, %v", b, err)
	}
	belongs(t, filepath.Join(data, "pronto/history"), account.Exchange, fs.ModeSetgid|0o750)
}

func TestAServiceBeginsAsWhoItIsAndAsNobodyElse(t *testing.T) {
	for _, name := range []string{"linelab", exchange} { // one that is none, and one whose user we are not
		if err := become(name, nil); err == nil {
			t.Errorf("%s begins", name)
		}
	}
}
