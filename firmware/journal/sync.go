package journal

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// run is the syncing goroutine: the only one that waits for the disk.
func (h *History) run() {
	defer close(h.done)
	var due <-chan time.Time
	timer := time.NewTimer(h.cfg.SyncEvery)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-h.stop:
			h.sync()
			h.abandon()
			return
		case <-h.soon:
			if due == nil {
				timer.Reset(h.cfg.SyncEvery)
				due = timer.C
			}
			continue
		case r := <-h.rewrites:
			r.done <- h.rewriteOne(r)
			continue
		case <-due:
		case <-h.kick:
		}
		due = nil
		if h.sync() {
			timer.Reset(h.cfg.SyncEvery) // the disk refused: try again
			due = timer.C
		}
		h.tellRolled()
		h.thin()
	}
}

// sync brings all dirty segments to the disk, oldest first, then tells those who wait. It reports
// whether something stays dirty because of an error.
func (h *History) sync() (again bool) {
	h.mu.Lock()
	segs := append([]*segment(nil), h.dirty...)
	lens := make([]int, len(segs))
	for i, s := range segs {
		lens[i] = len(s.pending)
	}
	waiting := h.waiting
	h.waiting = nil
	target := h.next - 1
	h.mu.Unlock()

	var failed error
	for i, s := range segs {
		if failed = h.syncSegment(s, lens[i]); failed != nil {
			break
		}
	}
	h.mu.Lock()
	h.broken = failed
	if failed == nil {
		h.synced = max(h.synced, target)
	}
	h.mu.Unlock()
	if failed != nil {
		h.cfg.Log.Warn("journal not synced, will try again", "error", failed)
	}
	for _, w := range waiting {
		w.done(failed)
	}
	return failed != nil
}

// syncSegment syncs one segment without holding the lock while the disk works.
func (h *History) syncSegment(s *segment, n int) error {
	err := s.f.Sync()
	if err == nil && s.fresh {
		err = h.cfg.disk.SyncDir(h.cfg.Dir)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		// The kernel may have dropped the dirty pages and would call the next fsync a success.
		// Only writing the same bytes again makes that true.
		_, again := s.f.WriteAt(s.pending, s.pendingAt)
		return medium("sync "+filepath.Base(s.path), errors.Join(err, again))
	}
	s.fresh = false
	s.pending = append(s.pending[:0], s.pending[n:]...)
	s.pendingAt += int64(n)
	if len(s.pending) == 0 {
		h.clean(s)
	}
	return nil
}

// clean takes a synced segment off the dirty list.
func (h *History) clean(s *segment) {
	for i, d := range h.dirty {
		if d == s {
			h.dirty = append(h.dirty[:i], h.dirty[i+1:]...)
			break
		}
	}
	if s.sealed {
		h.retire(s)
	}
}

// abandon tells those who came between the last sync and the end.
func (h *History) abandon() {
	h.mu.Lock()
	waiting := h.waiting
	h.waiting = nil
	h.mu.Unlock()
	for _, w := range waiting {
		w.done(ErrClosed)
	}
}

func (h *History) tellRolled() {
	h.mu.Lock()
	rolled := h.rolled
	h.rolled = nil
	h.mu.Unlock()
	if h.cfg.Rolled == nil {
		return
	}
	for _, first := range rolled {
		h.cfg.Rolled(first)
	}
}

// thin rewrites the oldest segments without what may go, until the history keeps its quota:
// statistics first, states when there are no statistics left, finished records never. A full disk
// alone costs statistics only.
func (h *History) thin() {
	for _, keep := range []Class{State, Finished} {
		for {
			todo, over := h.thinNext(keep)
			if !over {
				return
			}
			if todo.first == 0 {
				break
			}
			size, gone, err := thinSegment(h.cfg.disk, h.cfg.Dir, h.id, todo.first, keep)
			h.thinDone(sealed{todo.first, size, keep}, gone, err)
			if err != nil {
				h.cfg.Log.Warn("journal cannot make room", "error", err)
				return
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.total() > h.cfg.Quota && !h.full {
		h.full = true
		h.cfg.Log.Error("journal is over its quota; statistics are no longer kept", "bytes", h.total(), "quota", h.cfg.Quota)
	}
}

// thinNext picks the oldest segment that may hold something below keep and reports whether room is
// needed at all.
func (h *History) thinNext(keep Class) (todo sealed, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	over = h.total() > h.cfg.Quota
	if !over {
		h.full = false
	}
	if !over && (!h.starved || keep > State) {
		h.starved = false
		return sealed{}, false
	}
	for _, s := range h.sealed {
		if s.keeps < keep && !h.unsynced(s.first) {
			h.busy = s.first
			return s, true
		}
	}
	return sealed{}, true
}

// thinDone puts the thinned segment in the place of the old one; size 0 means that it is gone.
func (h *History) thinDone(by sealed, gone int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = 0
	if err != nil {
		return
	}
	h.thinned += gone
	h.starved = h.starved && gone == 0
	for i, s := range h.sealed {
		switch {
		case s.first != by.first:
		case by.size == 0:
			h.sealed = append(h.sealed[:i], h.sealed[i+1:]...)
			return
		default:
			h.sealed[i] = by
			return
		}
	}
}

// thinSegment replaces a segment by one with only the classes from keep up, positions and times
// unchanged. Nothing left means that the file goes; size is 0 then.
func thinSegment(on durable.FileSystem, dir string, id ID, first Pos, keep Class) (size int64, gone int, err error) {
	path := segmentPath(dir, first)
	var body []byte
	salt := saltOf(first)
	got, err := recoverSegment(on, dir, first, first-1, func(_ int64, _ int, r Record) {
		if r.Class < keep {
			gone++
			return
		}
		body = appendRecord(body, salt, &r)
	})
	if err != nil {
		return 0, 0, err
	}
	if len(body) == 0 {
		return 0, gone, medium("remove "+filepath.Base(path), on.Remove(path))
	}
	if gone == 0 {
		return got.size, 0, nil
	}
	size, err = replaceSegment(on, dir, id, first, body)
	if err != nil {
		gone = 0
	}
	return size, gone, err
}
