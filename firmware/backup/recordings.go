package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/record"
)

// recordingsName is the directory of the recordings, on the box and in a backup. They are in it where the owner wants
// them, since they are large; with the key of their archive, which opens them on any box.
const recordingsName = "recordings"

// withRecordings tells whether the owner wants the recordings in the backups.
func (s Source) withRecordings() bool {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return false
	}
	cfg, _, err := config.ParseKnown(text)
	return err == nil && cfg.Backup.Recordings
}

// format is that of the backups that a box writes: a program that knows no recordings does not open one with them.
func (s Source) format() int {
	if s.withRecordings() {
		return format
	}
	return formatBefore
}

// recordings copies the finished recordings and then the index, as it is when none has ended meanwhile: what the index
// tells of is there, and what was deleted while it was copied is deleted when the archive is opened.
func (w *writer) recordings(dir string) error {
	done := map[string]bool{}
	for {
		index, err := os.Open(filepath.Join(dir, record.IndexFile))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		ended, err := w.recordingsOf(dir, index, done)
		if err := errors.Join(err, index.Close()); err != nil || !ended {
			return err
		}
	}
}

// recordingsOf copies those of an index that are not done, or, if there are none, the index; it reports whether there
// were.
func (w *writer) recordingsOf(dir string, index *os.File, done map[string]bool) (more bool, err error) {
	files, size, err := record.Listed(index)
	if err != nil {
		return false, err
	}
	for _, name := range files {
		if done[name] {
			continue
		}
		done[name], more = true, true
		if err := w.file(recordingsName+"/"+name, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return more, err
		}
	}
	if more {
		return true, nil
	}
	if err := w.file(recordingsName+"/"+record.KeyFile, filepath.Join(dir, record.KeyFile)); err != nil {
		return false, err
	}
	return false, w.add(recordingsName+"/"+record.IndexFile, size, io.NewSectionReader(index, 0, size))
}

// adaptRecordings leaves of unpacked recordings what Apply needs: all, or what the archive of this box has not whole.
func (s Source) adaptRecordings(staged string) error {
	dir := s.at(recordingsName)
	all, err := record.Supersedes(staged, dir)
	if err == nil && !all {
		err = record.Spare(staged, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: its recordings are not whole: %w", ErrDamaged, err)
	}
	return err
}

// mendRecordings brings back what this box's own archive misses, and reports whether there is nothing more to do: an
// archive that the backup supersedes is replaced like everything else.
func (s Source) mendRecordings(staged string) (done bool, err error) {
	dir := s.at(recordingsName)
	for _, name := range []string{record.KeyFile, record.IndexFile} {
		if _, err := os.Lstat(filepath.Join(staged, name)); errors.Is(err, fs.ErrNotExist) {
			return true, os.RemoveAll(staged) // the power went in the middle of that
		}
	}
	switch all, err := record.Supersedes(staged, dir); {
	case err != nil:
		return false, err
	case all:
		return false, nil
	}
	if err := record.Mend(staged, dir); err != nil {
		return false, err
	}
	return true, errors.Join(os.RemoveAll(staged), durable.Disk{}.SyncDir(filepath.Dir(staged)))
}
