package voicemail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// before ends the name of the file of the sound that an announcement had before: no id has a dot in it.
const before = ".before"

// mostAnnouncements is the largest sum of all announcements and those before them, in bytes: two hours.
const mostAnnouncements = 128 << 20

// ErrQuota is the error of an announcement for which there is no room among the others.
var ErrQuota = errors.New("the announcements take too much room")

// Announcement is what is known of a recorded sound: of an announcement of the configuration by its id, or of
// a sentence of the box, in place of the one that comes with it, as LANGUAGE/NAME.
type Announcement struct {
	Changed time.Time
	Length  time.Duration
	Bytes   int64
	Before  bool // there is another to go back to
}

// announcementName reports whether an id stays inside its directory: one name, or a language and a name.
func announcementName(id string) bool {
	lang, name, two := strings.Cut(id, "/")
	return plainName(lang) && (!two || plainName(name))
}

func (s *Store) prompt(id string) string {
	return filepath.Join(s.cfg.Dir, "prompt", filepath.FromSlash(id)+".wav")
}

// loadAnnouncements reads which sounds there are, and removes those that are not whole.
func (s *Store) loadAnnouncements() error {
	root := filepath.Join(s.cfg.Dir, "prompt")
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, part) {
			return remove(path)
		}
		if id := filepath.ToSlash(strings.TrimSuffix(name, ".wav")); announcementName(id) && strings.HasSuffix(name, ".wav") {
			s.look(id)
		}
		return nil
	})
}

// look notes what the disk has of an announcement now.
func (s *Store) look(id string) {
	a, err := announcement(s.prompt(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.announcements, id)
		return
	}
	_, err = os.Stat(s.prompt(id + before))
	a.Before = err == nil
	s.announcements[id] = a
}

func announcement(path string) (a Announcement, err error) {
	f, err := os.Open(path)
	if err != nil {
		return a, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return a, err
	}
	a.Changed, a.Bytes = info.ModTime(), info.Size()
	if r, err := wav.NewReader(io.NewSectionReader(f, 0, info.Size())); err == nil {
		a.Length = time.Duration(r.Samples()/r.Channels) * time.Second / time.Duration(r.Rate)
	}
	return a, nil
}

// Announcement tells of a sound; ok is false for one that was not recorded.
func (s *Store) Announcement(id string) (a Announcement, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok = s.announcements[id]
	return a, ok
}

// PutAnnouncement makes a whole WAV the sound of an announcement, at once; the one that it had can be brought
// back. Whatever fails, and whoever does the same at the same time: a caller hears one or the other, whole.
// Errors: ErrName, ErrQuota, or of the disk.
func (s *Store) PutAnnouncement(id string, sound []byte) error {
	if !announcementName(id) {
		return fmt.Errorf("%w: announcement %q", ErrName, id)
	}
	s.shelf.Lock()
	defer s.shelf.Unlock()
	if s.announced()+int64(len(sound)) > mostAnnouncements {
		return fmt.Errorf("%w: %d MB", ErrQuota, mostAnnouncements>>20)
	}
	to := s.prompt(id)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("save an announcement: %w", err)
	}
	err := writeWhole(to+part, sound)
	if err == nil {
		err = s.replaced(to)
	}
	if err == nil {
		err = move(to+part, to)
	}
	if err != nil {
		return fmt.Errorf("save an announcement: %w", errors.Join(err, remove(to+part)))
	}
	s.look(id)
	return nil
}

// writeWhole writes a file that is safe from a power cut.
func writeWhole(path string, body []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaced keeps what is at a path as what was there before: under both names, so that it is never missing.
func (s *Store) replaced(path string) error {
	old := strings.TrimSuffix(path, ".wav") + before + ".wav"
	if err := remove(old); err != nil {
		return err
	}
	if err := os.Link(path, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// announced sums all sounds of announcements.
func (s *Store) announced() (sum int64) {
	_ = filepath.WalkDir(filepath.Join(s.cfg.Dir, "prompt"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what cannot be read takes no room that could be counted
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// RemoveAnnouncement gives a sentence of the box its own sound again, and takes that of an announcement away;
// UndoAnnouncement brings it back. Error: ErrName, ErrNoMessage, or of the disk.
func (s *Store) RemoveAnnouncement(id string) error {
	return s.swap(id, func(here, there bool) error {
		if !here {
			return fmt.Errorf("%w: announcement %q", ErrNoMessage, id)
		}
		return move(s.prompt(id), s.prompt(id+before))
	})
}

// UndoAnnouncement brings back what was before the last change: another sound, or none. A second one takes it
// back itself. Errors as RemoveAnnouncement.
func (s *Store) UndoAnnouncement(id string) error {
	now, old := s.prompt(id), s.prompt(id+before)
	return s.swap(id, func(here, there bool) error {
		switch {
		case here && there:
			if err := errors.Join(remove(now+part), os.Link(now, now+part)); err != nil { // so that there is one at any moment
				return err
			}
			return errors.Join(os.Rename(old, now), move(now+part, old))
		case here:
			return move(now, old)
		case there:
			return move(old, now)
		}
		return fmt.Errorf("%w: announcement %q", ErrNoMessage, id)
	})
}

// swap does something with the files of an announcement, told which are there.
func (s *Store) swap(id string, do func(here, there bool) error) error {
	if !announcementName(id) {
		return fmt.Errorf("%w: announcement %q", ErrName, id)
	}
	s.shelf.Lock()
	defer s.shelf.Unlock()
	_, none := os.Stat(s.prompt(id))
	_, noOther := os.Stat(s.prompt(id + before))
	err := do(none == nil, noOther == nil)
	s.look(id)
	return err
}

// SavePrompt makes a recording of the spool the announcement id, as loud as the others.
func (s *Store) SavePrompt(id, name string) error {
	if !announcementName(id) {
		return fmt.Errorf("%w: announcement %q", ErrName, id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(name, func(from string) error {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		sound, err := s.cfg.Finish(id, f)
		if err := errors.Join(err, f.Close()); err != nil {
			s.log.Warn("an announcement stays as it was recorded", "announcement", id, "err", err)
			if sound, err = os.ReadFile(from); err != nil {
				return err
			}
		}
		if err := s.PutAnnouncement(id, sound); err != nil {
			return err
		}
		return remove(from)
	})
}
