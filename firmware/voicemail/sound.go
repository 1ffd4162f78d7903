package voicemail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The kinds of greeting of a box.
const (
	Standard = "standard"
	Busy     = "busy"
)

// SaveGreeting makes a recording of the spool the greeting of a box; kind is Standard or Busy.
func (s *Store) SaveGreeting(n tel.Number, kind, name string) error {
	if kind != Standard && kind != Busy {
		return fmt.Errorf("%w: greeting %q", ErrName, kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[n]; b == nil || !b.known {
		return fmt.Errorf("%w: %q", ErrNoBox, n)
	}
	return s.save(name, func(from string) error {
		if err := os.MkdirAll(s.dir(n), 0o700); err != nil {
			return err
		}
		return move(from, s.wav(n, kind))
	})
}

// save puts a recording away. It is called with mu held.
func (s *Store) save(name string, put func(from string) error) error {
	if !plainName(name) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	s.taken[name] = true
	s.later(func() error {
		from, err := s.spooled(name)
		if errors.Is(err, fs.ErrNotExist) { // moved by an earlier try
			s.release(name)
			return nil
		}
		if err == nil {
			_, _, err = repair(from)
		}
		if err == nil {
			err = put(from)
		}
		if err != nil {
			return fmt.Errorf("save a recording: %w", err)
		}
		s.release(name)
		return nil
	})
	return nil
}

// RemoveGreeting gives a box the words of the library again.
func (s *Store) RemoveGreeting(n tel.Number, kind string) error {
	if kind != Standard && kind != Busy {
		return fmt.Errorf("%w: greeting %q", ErrName, kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[n]; b == nil || !b.known {
		return fmt.Errorf("%w: %q", ErrNoBox, n)
	}
	s.later(func() error { return remove(s.wav(n, kind)) })
	return nil
}

// Greeting names what a caller of a box hears, for a script: the owner's own greeting, in place of a
// busy one that is missing the standard one, or nil where the library has to speak.
func (s *Store) Greeting(n tel.Number, kind string) []string {
	for _, k := range []string{kind, Standard} {
		if k != Standard && k != Busy {
			continue
		}
		name := "greeting:" + string(n) + "/" + k
		if path, err := s.Find(name); err == nil {
			if _, err := os.Stat(path); err == nil {
				return []string{name}
			}
		}
	}
	return nil
}

// Find gives the file of a sound that a script names: "message:BOX/ID", "greeting:BOX/KIND",
// "prompt:ID", "prompt:LANGUAGE/NAME" or "recording:NAME". The file may be missing. A name that is none of these, or leads
// elsewhere, is ErrName.
func (s *Store) Find(sound string) (string, error) {
	kind, rest, _ := strings.Cut(sound, ":")
	n, id, _ := strings.Cut(rest, "/")
	switch {
	case kind == "message" && plainName(n) && plainName(id),
		kind == "greeting" && plainName(n) && (id == Standard || id == Busy):
		return s.wav(tel.Number(n), id), nil
	case kind == "prompt" && announcementName(rest):
		return s.prompt(rest), nil
	case kind == "recording" && plainName(rest):
		return s.spool(rest), nil
	}
	return "", fmt.Errorf("%w: %q", ErrName, sound)
}
