package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// ErrQuota is returned for a statistic that found the history over its quota with nothing left
// that may go. It is never returned for another class.
var ErrQuota = errors.New("journal: over quota, statistics are not kept")

// HistoryConfig says how a history is kept.
type HistoryConfig struct {
	Dir         string
	SegmentSize int64                   // bytes of one file; default 1 MiB, at least 512 KiB
	Quota       int64                   // bytes of all files; default 64 MiB
	SyncEvery   time.Duration           // how late an ordinary record may be synced; default 1 s
	Class       func(kind string) Class // nil: everything is State
	Rolled      func(first Pos)         // nil or told, from the syncing goroutine, that a new segment began: owners write a full snapshot, so that older segments may go
	Log         *slog.Logger            // nil: slog.Default
	disk        durable.FileSystem      // nil: durable.Disk; tests put one here that fails
}

func (c *HistoryConfig) setDefaults() {
	c.SegmentSize = max(cmp.Or(c.SegmentSize, 1<<20), 2*MaxBody)
	c.Quota = cmp.Or(c.Quota, 64<<20)
	c.SyncEvery = cmp.Or(c.SyncEvery, time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Class == nil {
		c.Class = func(string) Class { return State }
	}
	if c.disk == nil {
		c.disk = durable.Disk{}
	}
}

// positionJump is added at every start. A power cut may take back up to SyncEvery of records that a
// reader has already seen; with the jump no position is ever given out a second time.
const positionJump = 1 << 20

// maxUnsynced bounds the segments that wait for a disk that does not sync any more.
const maxUnsynced = 4

// History keeps what happened, in order, on disk. It is safe for use from many goroutines.
type History struct {
	cfg  HistoryConfig
	lock io.Closer
	id   ID
	boot BootID
	stop chan struct{}
	kick chan struct{} // something urgent waits, or a segment began
	soon chan struct{} // something is dirty
	done chan struct{}
	// rewrites are segments that somebody waits to have written anew.
	rewrites chan rewriting

	mu      sync.Mutex // guards all below
	next    Pos
	synced  Pos
	active  *segment
	dirty   []*segment // in order; the active one, when dirty, is the last
	sealed  []sealed   // older segments, in order
	waiting []waiter
	rolled  []Pos // begun since the syncing goroutine last looked
	buf     []byte
	damage  []Damage
	written time.Time // of the newest record found at the start
	refused int
	thinned int
	full    bool // over quota with nothing left that may go
	starved bool // a segment could not begin: the disk is full, whoever filled it
	busy    Pos  // the segment being thinned: it must not be trimmed meanwhile
	broken  error
	closed  bool
}

// sealed is a segment that nobody writes to.
type sealed struct {
	first Pos
	size  int64
	keeps Class // the lowest class that was left in it
}

type waiter struct {
	pos  Pos
	done func(error)
}

// OpenHistory opens or makes the history in cfg.Dir and starts its syncing goroutine. It fails when
// another process has it; damage is no failure, nor are segments of a newer program, which are put
// aside: see Status.
func OpenHistory(cfg HistoryConfig) (*History, error) {
	cfg.setDefaults()
	lock, err := cfg.disk.Lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	h := &History{
		cfg: cfg, lock: lock, boot: CurrentBoot(),
		stop: make(chan struct{}), kick: make(chan struct{}, 1), soon: make(chan struct{}, 1), done: make(chan struct{}),
		rewrites: make(chan rewriting),
	}
	if err := h.recover(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open history journal: %w", err)
	}
	go h.run()
	return h, nil
}

// recover cuts each segment behind its last whole record. The first segment of this start is made
// by the first append, so that a box that starts with a full disk still starts.
func (h *History) recover() error {
	sweep(h.cfg.disk, h.cfg.Dir)
	firsts, err := listSegments(h.cfg.disk, h.cfg.Dir)
	if err != nil {
		return err
	}
	var last Pos
	aside := false
	for _, first := range firsts {
		got, err := recoverSegment(h.cfg.disk, h.cfg.Dir, first, first-1, func(_ int64, _ int, r Record) { h.written = r.Wall })
		if errors.Is(err, ErrVersion) {
			if !aside {
				forgetAsides(h.cfg.disk, h.cfg.Dir)
				aside = true
			}
			d, err := putAside(h.cfg.disk, h.cfg.Dir, first, err)
			if err != nil {
				return err
			}
			h.note(d)
			last = max(last, first) // positionJump is more than it can hold
			continue
		}
		if err != nil {
			h.note(Damage{Segment: filepath.Base(segmentPath(h.cfg.Dir, first))})
			h.cfg.Log.Warn("journal segment cannot be read", "error", err)
			last = max(last, first)
			continue
		}
		h.note(got.damage...)
		h.id = cmp.Or(got.id, h.id)
		last = max(last, got.last, first)
		if got.end > 0 && got.end < got.size {
			if err := h.cut(first, got.end); err == nil {
				got.size = got.end
			}
		}
		h.sealed = append(h.sealed, sealed{first: first, size: got.size})
	}
	for _, d := range h.damage {
		h.cfg.Log.Warn("journal damage passed over", "where", d.String())
	}
	if h.id == 0 {
		h.id = newID()
	}
	h.next, h.synced = last+1, last
	if len(firsts) > 0 {
		h.next = last + positionJump
	}
	return nil
}

// cut shortens a segment that nobody writes to.
func (h *History) cut(first Pos, size int64) error {
	f, err := h.cfg.disk.OpenFile(segmentPath(h.cfg.Dir, first), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// Append adds a record. It returns after write(2); the disk has it at most SyncEvery later. kind and
// body are copied.
func (h *History) Append(kind string, body []byte) (Pos, error) { return h.append(kind, body, nil) }

// AppendUrgent adds a record and returns when the disk has it, together with all before it. Records
// that arrive meanwhile share one sync. An error after a Pos means written but not known to be
// synced; it is tried again.
func (h *History) AppendUrgent(kind string, body []byte) (Pos, error) {
	result := make(chan error, 1)
	pos, err := h.append(kind, body, func(err error) { result <- err })
	if err != nil {
		return 0, err
	}
	return pos, <-result
}

// AppendSignal is AppendUrgent for owners that may not wait: it returns after write(2) and calls
// done once from the syncing goroutine. done must not block nor call the History.
func (h *History) AppendSignal(kind string, body []byte, done func(error)) (Pos, error) {
	return h.append(kind, body, done)
}

func (h *History) append(kind string, body []byte, done func(error)) (Pos, error) {
	r := Record{Kind: kind, Body: body, Class: h.cfg.Class(kind)}
	if !within(kind, "", body) {
		return 0, ErrTooLarge
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, ErrClosed
	}
	if err := h.write(&r); err != nil {
		h.refused++
		return 0, err
	}
	if done != nil {
		h.waiting = append(h.waiting, waiter{r.Pos, done})
		poke(h.kick)
	} else {
		poke(h.soon)
	}
	return r.Pos, nil
}

// write frames r and puts it into the active segment, beginning a new one when it is full.
func (h *History) write(r *Record) error {
	if h.full && r.Class == Statistic {
		return ErrQuota
	}
	size := int64(headerSize + len(r.Kind) + len(r.Body))
	if h.active == nil || h.active.off+size > h.cfg.SegmentSize {
		if err := h.roll(); err != nil {
			return err
		}
	}
	r.Pos, r.Wall, r.Boot, r.BootID = h.next, time.Now(), sinceBoot(), h.boot
	h.next++ // used up even when the write fails: a torn leftover must never pass for a newer record
	s := h.active
	h.buf = appendRecord(h.buf[:0], s.salt, r)
	at := s.off
	if err := s.write(h.buf); err != nil {
		return err
	}
	if len(s.pending) == 0 {
		s.pendingAt = at
		h.dirty = append(h.dirty, s)
	}
	s.pending = append(s.pending, h.buf...)
	return nil
}

// roll begins a new segment and leaves the old one to the syncing goroutine.
func (h *History) roll() error {
	if len(h.dirty) >= maxUnsynced {
		return fmt.Errorf("begin segment: %w: %d segments wait to be synced", ErrIO, len(h.dirty))
	}
	seg, err := createSegment(h.cfg.disk, h.cfg.Dir, h.id, h.next, nil)
	if err != nil {
		h.starved = h.starved || errors.Is(err, ErrNoSpace)
		poke(h.kick) // let the syncing goroutine make room
		return err
	}
	if old := h.active; old != nil {
		h.sealed = append(h.sealed, sealed{first: old.first, size: old.off})
		old.sealed = true
		if len(old.pending) == 0 {
			h.retire(old)
		}
	}
	h.active = seg
	h.rolled = append(h.rolled, seg.first)
	poke(h.kick)
	return nil
}

// retire gives back what a sealed and synced segment had been promised and not used.
func (h *History) retire(s *segment) {
	_ = s.f.Truncate(s.off)
	_ = s.f.Close()
}

// ID names this journal; a Pos remembered for another ID means nothing here.
func (h *History) ID() ID { return h.id }

// Read calls fn for every record from a position on, oldest first, until fn returns an error, which
// it passes on. Damaged places are passed over.
func (h *History) Read(from Pos, fn func(Record) error) error {
	r := &Reader{on: h.cfg.disk, dir: h.cfg.Dir}
	defer r.Close()
	r.Seek(h.id, from)
	h.mu.Lock()
	r.still = h.active == nil
	h.mu.Unlock()
	return r.Read(fn)
}

// TrimBelow removes whole segments that hold only records before pos.
func (h *History) TrimBelow(pos Pos) error { return h.trim(pos, func(sealed) bool { return true }) }

// TrimAged is TrimBelow, but for segments that were last written after a moment: they stay, as long as the
// history has no more than most bytes.
func (h *History) TrimAged(pos Pos, before time.Time, most int64) error {
	return h.trim(pos, func(s sealed) bool {
		if h.total() > most {
			return true
		}
		at, err := os.Stat(segmentPath(h.cfg.Dir, s.first))
		return err != nil || at.ModTime().Before(before)
	})
}

// trim removes the oldest segments that hold only records before pos, as long as they may go.
func (h *History) trim(pos Pos, mayGo func(sealed) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var failed error
	for len(h.sealed) > 0 && mayGo(h.sealed[0]) {
		var end Pos
		switch {
		case len(h.sealed) > 1:
			end = h.sealed[1].first
		case h.active != nil:
			end = h.active.first
		default:
			return failed // the newest file names the journal and its last position: it stays
		}
		if end > pos || h.sealed[0].first == h.busy || h.unsynced(h.sealed[0].first) {
			break
		}
		if err := h.cfg.disk.Remove(segmentPath(h.cfg.Dir, h.sealed[0].first)); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = medium("trim journal", err)
			break
		}
		h.sealed = h.sealed[1:]
	}
	if h.total() <= h.cfg.Quota {
		h.full = false
	}
	return failed
}

func (h *History) unsynced(first Pos) bool {
	for _, s := range h.dirty {
		if s.first == first {
			return true
		}
	}
	return false
}

func (h *History) total() int64 {
	var n int64
	for _, s := range h.sealed {
		n += s.size
	}
	if h.active != nil {
		n += h.active.off
	}
	return n
}

// HistoryStatus is what a health condition needs to know of a history.
type HistoryStatus struct {
	Last     Pos   // newest record
	Synced   Pos   // newest record that the disk has
	Bytes    int64 // of all segments
	Segments int
	Refused  int      // appends that returned an error since the start
	Thinned  int      // records given up for the quota since the start
	Full     bool     // over quota: statistics are refused
	Broken   error    // the last sync's error, nil when it worked
	Damage   []Damage // found at the start, at most 100

	Written time.Time // wall time of the newest record found at the start; zero when there was none
}

// Status returns the present figures.
func (h *History) Status() HistoryStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	st := HistoryStatus{
		Last: h.next - 1, Synced: h.synced, Bytes: h.total(), Segments: len(h.sealed),
		Refused: h.refused, Thinned: h.thinned, Full: h.full, Broken: h.broken,
		Damage: append([]Damage(nil), h.damage...), Written: h.written,
	}
	if h.active != nil {
		st.Segments++
	}
	return st
}

func (h *History) note(d ...Damage) {
	h.damage = append(h.damage, d...)
	h.damage = h.damage[:min(len(h.damage), maxDamage)]
}

// Close syncs what is dirty, tells who waits and lets go of the directory.
func (h *History) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	close(h.stop)
	<-h.done
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.broken
	for _, s := range h.dirty {
		if s != h.active {
			_ = s.f.Close()
		}
	}
	if h.active != nil {
		_ = h.active.f.Truncate(h.active.off)
		err = errors.Join(err, h.active.f.Close())
	}
	return errors.Join(err, h.lock.Close())
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
