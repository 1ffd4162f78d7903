package mail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Erase removes the waiting mails that tell of a caller for whom erased is true, and returns how many. A mail that the
// server is taking this moment may still go.
func (q *Queue) Erase(erased func(caller string) bool) (n int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w waiting) bool {
		path := filepath.Join(q.cfg.Dir, w.name)
		text, e := os.ReadFile(path)
		if errors.Is(e, fs.ErrNotExist) {
			return false // just taken; settle removes it
		}
		var head envelope
		if e == nil {
			head, _, e = open(text)
		}
		if e != nil || head.About == "" || !erased(head.About) {
			return false
		}
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove a mail: %w", e))
			return false
		}
		q.bytes -= w.size
		n++
		return true
	})
	return n, err
}
