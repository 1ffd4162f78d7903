package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/audit"
	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Apply puts in place what Stage left, and returns the chapters; none when nothing was staged. It is called
// before any program has the state open. A power cut in the middle only means that the next call goes on: each
// step is done, or is not.
func Apply(s Source) ([]Chapter, error) {
	var p plan
	err := statefile.Load(s.planFile(), planVersion, &p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, Discard(s) // what a cut left of Stage
	case err != nil:
		return nil, errors.Join(fmt.Errorf("what was to be restored is lost: %w", err), Discard(s))
	}
	for _, r := range p.Roots {
		if err := s.replace(r); err != nil {
			return nil, fmt.Errorf("restore %s: %w", r.Path, err)
		}
	}
	err = audit.Once(s.Dir, tel.PageAccessed{
		At: p.Ordered, What: deed, User: p.By, From: p.From, Whom: strings.TrimSpace(p.Name + " " + p.Made.UTC().Format(time.RFC3339)),
	})
	if err != nil {
		return nil, err
	}
	return p.Chapters, Discard(s)
}

// deed is what the audit log calls a restore.
const deed = "restored"

// replace moves one root away and the staged one into its place.
func (s Source) replace(r planned) error {
	staged, target := filepath.Join(s.stage(), "files", r.Path), s.at(r.Path)
	if r.Staged && r.Path != erasure.File {
		if _, err := os.Lstat(staged); errors.Is(err, fs.ErrNotExist) {
			return nil // done before the power went
		}
	}
	if r.Path == configName { // may lie in another file system, and must be whole at every moment
		return s.replaceConfig(r, staged, target)
	}
	if r.Path == erasure.File {
		return erasure.Join(s.Dir, staged)
	}
	if slices.Contains(audit.Files(), r.Path) {
		return s.addToAudit(r, staged)
	}
	if r.Path == recordingsName {
		if done, err := s.mendRecordings(staged); err != nil || done {
			return err
		}
	}
	old := filepath.Join(s.stage(), "old", r.Path)
	if err := makeDir(filepath.Dir(old)); err != nil {
		return err
	}
	if _, err := os.Lstat(target); err == nil {
		if err := errors.Join(os.RemoveAll(old), os.Rename(target, old)); err != nil {
			return err
		}
	}
	if r.Staged {
		if err := os.Rename(staged, target); err != nil {
			return err
		}
	}
	return durable.Disk{}.SyncDir(filepath.Dir(target))
}

// addToAudit keeps what this box knows of who used its page, and adds what the backup tells.
func (s Source) addToAudit(r planned, staged string) error {
	if !r.Staged {
		return nil
	}
	lines, err := os.ReadFile(staged)
	if err != nil {
		return err
	}
	if err := errors.Join(audit.Restore(s.Dir, lines), durable.Disk{}.SyncDir(s.Dir)); err != nil {
		return err
	}
	return os.Remove(staged)
}

func (s Source) replaceConfig(r planned, staged, target string) error {
	if !r.Staged {
		return nil
	}
	if real, err := filepath.EvalSymlinks(target); err == nil {
		target = real
	}
	if err := durable.Copy(target+".restored", staged); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(target+".restored", target), durable.Disk{}.SyncDir(filepath.Dir(target))); err != nil {
		return err
	}
	return os.Remove(staged)
}

func makeDir(path string) error { return os.MkdirAll(path, 0o700) }

// syncTree sees that everything below a folder is on the disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return durable.Disk{}.SyncDir(path) // fsync is the same for files
	})
}
