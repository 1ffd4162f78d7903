package voicemail

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Deliver gives the recording name of the spool to m.Box; From, Name, Call and At are the caller's,
// the rest is filled in. It returns at once: the message is in the box when it is safe on the disk,
// and stays in the spool until then. A recording shorter than shortest is removed. A box that the
// configuration lost meanwhile still gets what its caller said.
func (s *Store) Deliver(name string, m Message, shortest time.Duration) error {
	if !plainName(name) || !isBox(string(m.Box)) {
		return fmt.Errorf("%w: %q for box %q", ErrName, name, m.Box)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.At.IsZero() {
		m.At = time.Now()
	}
	if _, call, ok := strings.Cut(name, "_"); ok && m.Call == "" { // as scripts name their recordings
		call, _, _ = strings.Cut(call, "_")
		m.Call = tel.CallID(call)
	}
	m.ID, m.Spool = newID(m.At), name
	m.Heard, m.Deleted, m.Kept, m.Missing = time.Time{}, time.Time{}, false, false
	s.taken[name] = true // until it is stored, so that Sweep leaves it alone
	s.later(func() error { return s.store(name, m, shortest) })
	return nil
}

// isBox tells the number of a box from the names of other recordings in the spool.
func isBox(n string) bool { return n != "" && len(n) <= 20 && strings.Trim(n, "0123456789") == "" }

// newID names a message so that names sort by time.
func newID(at time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	return at.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(b[:])
}

// store is the three steps of a delivery. It may be run again after any of them.
func (s *Store) store(name string, m Message, shortest time.Duration) error {
	to := s.wav(m.Box, m.ID)
	if _, err := os.Stat(to); err != nil { // not yet renamed by an earlier try
		from, err := s.spooled(name)
		var length time.Duration
		var size int64
		if err == nil {
			length, size, err = repair(from)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.log.Warn("a message has no sound", "box", m.Box, "recording", name)
			s.release(name)
			return nil
		case err != nil:
			return fmt.Errorf("store a message: %w", err)
		case length < shortest:
			if err := remove(from); err != nil {
				return fmt.Errorf("remove a recording: %w", err)
			}
			s.release(name)
			return nil
		}
		m.Length, m.Bytes = length, size
		if err := os.MkdirAll(s.dir(m.Box), 0o700); err != nil {
			return fmt.Errorf("store a message: %w", err)
		}
		if err := statefile.Save(s.meta(m.Box, m.ID), metaVersion, m); err != nil {
			return fmt.Errorf("store a message: %w", err)
		}
		if err := os.Rename(from, to); err != nil {
			return fmt.Errorf("store a message: %w", err)
		}
	}
	if err := errors.Join(durable.Disk{}.SyncDir(s.dir(m.Box)), durable.Disk{}.SyncDir(s.SpoolDir())); err != nil {
		return fmt.Errorf("store a message: %w", err)
	}
	s.mu.Lock()
	delete(s.taken, name)
	b := s.box(m.Box)
	if m.Bytes == 0 { // renamed by an earlier try, whose figures are in the .json
		var kept Message
		if err := statefile.Load(s.meta(m.Box, m.ID), metaVersion, &kept); err == nil {
			m = kept
		}
	}
	stored := m
	b.messages[m.ID] = &stored
	s.tell(m.Box, b)
	s.mu.Unlock()
	s.log.Info("a message was left", "box", m.Box, "from", m.From.Masked(), "length", m.Length)
	s.cfg.Stored(m, to)
	return nil
}

func (s *Store) release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, name)
}

// Discard removes a recording of the spool, or what its recorder leaves behind.
func (s *Store) Discard(name string) error {
	if !plainName(name) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.later(func() error { return errors.Join(remove(s.spool(name)), remove(s.spool(name)+part)) })
	return nil
}

// Sweep looks after recordings that nobody asks for any more, because a process died with their call:
// those of callers become messages of their box, others are removed. The name of a message's
// recording begins with its box and "_". live reports names that a call still needs; those that are
// being delivered are left alone anyway.
func (s *Store) Sweep(live func(name string) bool) error {
	files, err := os.ReadDir(s.SpoolDir())
	if err != nil {
		return fmt.Errorf("sweep the spool: %w", err)
	}
	var errs []error
	for _, f := range files {
		name, ok := strings.CutSuffix(strings.TrimSuffix(f.Name(), part), ".wav")
		s.mu.Lock()
		busy := s.taken[name]
		s.mu.Unlock()
		if !ok || !plainName(name) || busy || live(name) {
			continue
		}
		at := time.Now()
		if info, err := f.Info(); err == nil {
			at = info.ModTime()
		}
		owner, _, _ := strings.Cut(name, "_")
		if isBox(owner) {
			errs = append(errs, s.Deliver(name, Message{Box: tel.Number(owner), At: at}, MinLength))
		} else {
			errs = append(errs, s.Discard(name))
		}
	}
	return errors.Join(errs...)
}
