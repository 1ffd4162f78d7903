package record

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// File is a recording that is written. It is used by one goroutine; End or Fail closes it.
type File struct {
	a     *Archive
	about tape.About
	f     *os.File
	w     *tape.Writer
	to    uint32 // behind the last sound
	lost  int
}

// Begin begins a recording. When it returns, the index tells of it. ErrFull: the disk's reserve is touched.
func (a *Archive) Begin(about tape.About) (*File, error) {
	if !names.MatchString(about.ID) {
		return nil, fmt.Errorf("%w: %q", errName, about.ID)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.ensure(); err != nil {
		return nil, err
	}
	if err := a.room(); err != nil {
		return nil, err
	}
	path := a.path(&about)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w, err := tape.NewWriter(f, a.key.PublicKey(), about)
	if err == nil {
		err = a.append(Entry{At: about.Began, What: Began, ID: about.ID, About: &about})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return &File{a: a, about: about, f: f, w: w}, nil
}

// room is ErrFull when the disk's reserve is touched.
func (a *Archive) room() error {
	free, err := a.cfg.Free(a.cfg.Dir)
	if err == nil && free < a.cfg.Reserve {
		err = fmt.Errorf("%w: %d MB", ErrFull, free>>20)
	}
	return err
}

// Sound keeps a block of pieces of a track, as tape.Writer.Sound does.
func (f *File) Sound(track uint8, from, to uint32, b []byte) error {
	err := f.w.Sound(track, from, to, b)
	if err == nil {
		f.to = max(f.to, to)
	}
	return err
}

// Mark keeps an event of the timeline.
func (f *File) Mark(m tape.Mark) error { return f.w.Mark(m) }

// Sync makes what was given safe from a power cut. It fails also when the file has vanished, or the disk's reserve
// is touched.
func (f *File) Sync() error {
	if err := f.f.Sync(); err != nil {
		return err
	}
	there, err := os.Stat(f.a.path(&f.about))
	if err != nil {
		return fmt.Errorf("the file of a recording has vanished: %w", err)
	}
	if ours, err := f.f.Stat(); err != nil || !os.SameFile(there, ours) {
		return errors.Join(fmt.Errorf("the file of recording %s is another one", f.about.ID), err)
	}
	return f.a.room()
}

// End closes the file for good. The index tells of it when it returns nil.
func (f *File) End(e tape.End) error {
	f.lost = e.Lost
	if err := f.w.End(e); err != nil {
		return err
	}
	if err := f.f.Sync(); err != nil {
		return err
	}
	f.to = max(f.to, e.Length)
	f.close(Ended, e.Why)
	return nil
}

// Fail closes a file whose disk refuses: it is whole up to its last block.
func (f *File) Fail(why error) {
	_ = f.f.Truncate(f.w.Size()) // what was half written
	_ = f.f.Sync()
	f.close(Interrupted, why.Error())
}

func (f *File) close(what What, why string) {
	_ = f.f.Close() // synced, or known to be bad
	a := f.a
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(Entry{At: time.Now(), What: what, ID: f.about.ID, Why: why, File: &Sum{
		Bytes: f.w.Size(), SHA256: hex.EncodeToString(f.w.Sum()), Length: duration(f.to), Lost: f.lost,
	}})
	if e, ok := a.doomed[f.about.ID]; ok {
		delete(a.doomed, f.about.ID)
		if err := a.remove(e); err != nil {
			a.cfg.Log.Error("a recording is not deleted", "id", e.ID, "err", err)
		}
	}
}

func duration(samples uint32) time.Duration {
	return time.Duration(samples) * time.Second / tape.Rate
}

// Play is a recording that somebody listens to.
type Play struct {
	*tape.Reader
	f *os.File
}

// Close closes the file.
func (p *Play) Close() error { return p.f.Close() }

// Listen opens a recording for somebody. That it was heard, or downloaded, is on the disk before a sample is given.
func (a *Archive) Listen(id, by string, how What) (*Play, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.all[id]
	switch {
	case r == nil:
		return nil, ErrUnknown
	case r.State == Began:
		return nil, ErrRunning
	}
	was := *r
	f, err := os.Open(a.path(&was.About))
	if err != nil {
		return nil, err
	}
	p, err := a.open(f)
	if err == nil {
		e := Entry{At: time.Now(), What: how, ID: id, By: by}
		if err = a.append(e); err == nil {
			a.cfg.Told(e, was)
			return p, nil
		}
	}
	return nil, errors.Join(err, f.Close())
}

func (a *Archive) open(f *os.File) (*Play, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := tape.Open(f, info.Size(), a.key)
	if err != nil {
		return nil, err
	}
	return &Play{r, f}, nil
}

// History is what the index tells of a recording, the oldest first: also who has heard it.
func (a *Archive) History(id string) (all []Entry, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil, os.ErrClosed
	}
	_, _, _, err = readIndex(io.NewSectionReader(a.file, 0, a.size), func(e Entry, wrong error) {
		if wrong == nil && e.ID == id {
			all = append(all, e)
		}
	})
	return all, err
}

// Again opens a recording for somebody whose listening Listen has written down a moment ago: browsers ask for a file
// in parts.
func (a *Archive) Again(id string) (*Play, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.all[id]
	if r == nil {
		return nil, ErrUnknown
	}
	f, err := os.Open(a.path(&r.About))
	if err != nil {
		return nil, err
	}
	p, err := a.open(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}
