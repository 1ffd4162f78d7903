package voicemail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// part ends the name of a file that is not whole yet.
const part = ".part"

// plainName reports whether a name stays inside its directory.
func plainName(name string) bool {
	return name != "" && len(name) <= 120 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// SpoolDir is where recordings are made: NAME.wav, or NAME.wav.part while it is recorded and after a
// kill, by whoever records.
func (s *Store) SpoolDir() string { return filepath.Join(s.cfg.Dir, "spool") }

func (s *Store) spool(name string) string { return filepath.Join(s.SpoolDir(), name+".wav") }

// spooled finds a recording, finished or not; fs.ErrNotExist when there is none.
func (s *Store) spooled(name string) (string, error) {
	whole := s.spool(name)
	_, err := os.Stat(whole)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(whole + part)
		whole += part
	}
	return whole, err
}

func (s *Store) dir(n tel.Number) string { return filepath.Join(s.cfg.Dir, "box", string(n)) }

func (s *Store) wav(n tel.Number, id string) string { return filepath.Join(s.dir(n), id+".wav") }

func (s *Store) meta(n tel.Number, id string) string { return filepath.Join(s.dir(n), id+".json") }

// move renames a synced file and makes its new name safe.
func move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return durable.Disk{}.SyncDir(filepath.Dir(to))
}

// remove is content with a file that is not there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// inWords says what a person can do about a disk that does not take a file.
func inWords(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full; messages wait in the spool"
	case errors.Is(err, syscall.EROFS):
		return "the disk is read-only; messages wait in the spool"
	default:
		return "messages cannot be stored: " + err.Error()
	}
}

// repair makes a recording whole whose writer was killed: the header gets the length that the file
// has. It returns the length of the sound and the size of the file.
func repair(path string) (time.Duration, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	length, size, err := repairFile(f)
	return length, size, errors.Join(err, f.Close())
}

func repairFile(f *os.File) (time.Duration, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	data := max(0, info.Size()-wav.HeaderBytes)
	format := formatOf(f)
	frame := int64(format.Channels)
	if format.Encoding == wav.PCM16 {
		frame *= 2
	}
	data -= data % frame
	h, err := wav.NewHeader(format, data)
	if err != nil {
		return 0, 0, err
	}
	if _, err := f.WriteAt(h[:], 0); err != nil {
		return 0, 0, err
	}
	return time.Duration(data/frame) * time.Second / time.Duration(format.Rate), wav.HeaderBytes + data, f.Sync()
}

// formatOf reads what a recorder wrote at the beginning, and is that of the box's own recorder where
// it was killed before.
func formatOf(f *os.File) wav.Format {
	if r, err := wav.NewReader(io.NewSectionReader(f, 0, wav.HeaderBytes)); err == nil {
		return r.Format
	}
	return recordingFormat()
}

// recordingFormat is how the box records: 16 bits, which every mail program plays.
func recordingFormat() wav.Format {
	return wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: codec.SampleRate}
}

// metaVersion is written into each .json.
const metaVersion = 1

// writeMeta writes what is known of a message now.
func (s *Store) writeMeta(n tel.Number, id string) error {
	s.mu.Lock()
	m, ok := s.boxes[n].messages[id]
	var now Message
	if ok {
		now = *m
	}
	s.mu.Unlock()
	if !ok {
		return nil // removed meanwhile
	}
	return statefile.Save(s.meta(n, id), metaVersion, now)
}

// removeMessage removes the sound first: a .json without sound is removed by Open, a sound without
// .json would come back as a message.
func (s *Store) removeMessage(n tel.Number, id string) error {
	return errors.Join(remove(s.wav(n, id)), remove(s.meta(n, id)))
}

// load reads every box and finishes or removes what is half there.
func (s *Store) load() error {
	boxes, err := os.ReadDir(filepath.Join(s.cfg.Dir, "box"))
	if err != nil {
		return err
	}
	for _, d := range boxes {
		if d.IsDir() && plainName(d.Name()) {
			if err := s.loadBox(tel.Number(d.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) loadBox(n tel.Number) error {
	files, err := os.ReadDir(s.dir(n))
	if err != nil {
		return err
	}
	b := s.box(n)
	sounds := map[string]bool{}
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), ".wav"); ok && plainName(id) && id != Standard && id != Busy {
			sounds[id] = true
		}
	}
	for _, f := range files {
		name := f.Name()
		id, isMeta := strings.CutSuffix(name, ".json")
		switch {
		case strings.HasSuffix(name, part):
			if err := remove(filepath.Join(s.dir(n), name)); err != nil {
				return err
			}
		case name == pinFile:
			s.loadPIN(n, b)
		case isMeta && plainName(id):
			if err := s.loadMessage(n, b, id, sounds[id]); err != nil {
				return err
			}
			delete(sounds, id)
		}
	}
	for id := range sounds { // its .json is gone: the sound is still worth hearing
		length, size, err := repair(s.wav(n, id))
		if err != nil {
			return err
		}
		info, err := os.Stat(s.wav(n, id))
		if err != nil {
			return err
		}
		b.messages[id] = &Message{ID: id, Box: n, At: info.ModTime(), Length: length, Bytes: size, Missing: true}
	}
	return nil
}

func (s *Store) loadMessage(n tel.Number, b *box, id string, sound bool) error {
	var m Message
	err := statefile.Load(s.meta(n, id), metaVersion, &m)
	if err == nil && (m.ID != id || m.Box != n) {
		err = fmt.Errorf("it is about %q of %q", m.ID, m.Box)
	}
	if err != nil {
		s.log.Error("a message's description cannot be read; it was put aside", "box", n, "message", id, "err", err)
		if !sound {
			return nil // neither to be heard nor to be understood: left for a person to look at
		}
		length, size, err := repair(s.wav(n, id))
		if err != nil {
			return err
		}
		m = Message{ID: id, Box: n, At: time.Now(), Length: length, Bytes: size, Missing: true}
	}
	if !sound { // killed between the second and the third step
		err := fs.ErrNotExist
		if plainName(m.Spool) {
			var from string
			if from, err = s.spooled(m.Spool); err == nil {
				err = move(from, s.wav(n, id))
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return remove(s.meta(n, id))
		}
		if err != nil {
			return err
		}
	}
	b.messages[id] = &m
	return nil
}
