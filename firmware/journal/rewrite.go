package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// rewriting is one segment that the syncing goroutine is asked to write anew.
type rewriting struct {
	first  Pos
	change func(Record) ([]byte, bool)
	done   chan rewritten
}

type rewritten struct {
	changed int
	err     error
}

// Rewrite gives every record that is there now to change, which returns what takes its body's place, and returns how
// many were changed when the disk has them and nothing else. Positions and times stay. It is what a history has
// instead of forgetting: a person asks to be erased. Appending goes on meanwhile, segment by segment. After an error it
// may be called again. A record that has outgrown the limits goes.
func (h *History) Rewrite(change func(Record) (body []byte, changed bool)) (int, error) {
	firsts, err := h.sealAll()
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, first := range firsts {
		r := rewriting{first, change, make(chan rewritten, 1)}
		select {
		case h.rewrites <- r:
		case <-h.done:
			return sum, ErrClosed
		}
		got := <-r.done
		sum += got.changed
		if got.err != nil {
			return sum, got.err
		}
	}
	return sum, nil
}

// sealAll ends the active segment and returns all that nobody writes to.
func (h *History) sealAll() (firsts []Pos, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if h.active != nil {
		if err := h.roll(); err != nil {
			return nil, err
		}
	}
	for _, s := range h.sealed {
		firsts = append(firsts, s.first)
	}
	return firsts, nil
}

// rewriteOne writes one segment anew. It runs in the syncing goroutine, like thin.
func (h *History) rewriteOne(r rewriting) (got rewritten) {
	h.mu.Lock()
	i := slices.IndexFunc(h.sealed, func(s sealed) bool { return s.first == r.first })
	if i < 0 { // trimmed meanwhile
		h.mu.Unlock()
		return got
	}
	old, dirty := h.sealed[i], h.unsynced(r.first)
	h.busy = r.first
	h.mu.Unlock()
	if dirty {
		h.sync()
		h.mu.Lock()
		dirty = h.unsynced(r.first)
		broken := h.broken
		h.mu.Unlock()
		if dirty { // the disk refuses
			h.thinDone(old, 0, broken)
			return rewritten{err: broken}
		}
	}
	size, changed, err := rewriteSegment(h.cfg.disk, h.cfg.Dir, h.id, r.first, r.change)
	h.thinDone(sealed{r.first, size, old.keeps}, 0, err)
	return rewritten{changed, err}
}

// rewriteSegment replaces a segment by one with changed bodies, and without what is damaged in it.
func rewriteSegment(on durable.FileSystem, dir string, id ID, first Pos, change func(Record) ([]byte, bool)) (size int64, changed int, err error) {
	var body []byte
	salt, lost := saltOf(first), 0
	got, err := recoverSegment(on, dir, first, first-1, func(_ int64, _ int, r Record) {
		b, other := change(r)
		if other {
			changed++
			if len(b) > MaxBody {
				lost++
				return
			}
			r.Body = b
		}
		body = appendRecord(body, salt, &r)
	})
	switch {
	case err != nil:
		return 0, 0, err
	case changed == 0 && len(got.damage) == 0:
		return got.size, 0, nil
	case len(body) == 0 && lost > 0:
		path := segmentPath(dir, first)
		return 0, changed, medium("remove "+filepath.Base(path), on.Remove(path))
	}
	size, err = replaceSegment(on, dir, id, first, body)
	return size, changed, err
}

// replaceSegment puts a segment of these records into the place of the one that there is.
func replaceSegment(on durable.FileSystem, dir string, id ID, first Pos, records []byte) (int64, error) {
	path := segmentPath(dir, first)
	f, err := on.OpenFile(path+scratch, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, readable)
	if err != nil {
		return 0, medium("rewrite journal", err)
	}
	b := append(appendSegmentHeader(nil, id, first), records...)
	_, err = f.WriteAt(b, 0)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = on.Remove(path + scratch)
		return 0, medium("rewrite journal", err)
	}
	if err := on.Rename(path+scratch, path); err != nil {
		_ = on.Remove(path + scratch)
		return 0, medium("rewrite journal", err)
	}
	return int64(len(b)), medium("rewrite journal", on.SyncDir(dir))
}
