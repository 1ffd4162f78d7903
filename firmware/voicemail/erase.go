package voicemail

import (
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Erase removes the messages of whom erased is true for, at once and for good, and returns how many when no file of
// them is left. What is being recorded now is no message yet.
func (s *Store) Erase(erased func(tel.Number, time.Time) bool) (n int, err error) {
	s.mu.Lock()
	var all []Message
	for box, b := range s.boxes {
		for id, m := range b.messages {
			if m.From != "" && erased(m.From, m.At) {
				delete(b.messages, id)
				all = append(all, *m)
			}
		}
		s.tell(box, b)
	}
	done := make(chan error, 1)
	s.later(func() error { // behind what was to be written of them
		var failed error
		for _, m := range all {
			failed = errors.Join(failed, s.removeMessage(m.Box, m.ID), durable.Disk{}.SyncDir(s.dir(m.Box)))
		}
		select {
		case done <- failed:
		default: // tried again, and nobody waits any more
		}
		return failed
	})
	s.mu.Unlock()
	select {
	case err := <-done:
		return len(all), err
	case <-s.over:
		return 0, ErrClosed
	}
}
