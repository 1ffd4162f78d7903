package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"golang.org/x/sys/unix"
)

// Hot keeps the last value of every (kind, key) in a directory that should lie on tmpfs: it
// survives kill -9, not a reboot. It is safe for use from many goroutines.
type Hot struct {
	mu     sync.Mutex
	on     durable.FileSystem // the power that it loses takes the whole journal
	dir    string
	limit  int64
	lock   io.Closer
	id     ID
	boot   BootID
	seg    *segment
	next   Pos
	live   map[hotKey]place
	bytes  int64 // of live records
	patch  int64 // garbage at which to compact next; grows while compacting fails
	buf    []byte
	read   []byte
	damage []Damage
	failed int
	closed bool
}

type hotKey struct{ kind, key string }

// place is where the newest record of a key lies in the segment.
type place struct {
	off  int64
	size int
}

// defaultHotLimit is enough for some 200 calls to be told over ten times between two compactions.
const defaultHotLimit = 4 << 20

// maxDamage bounds the list that Damage returns.
const maxDamage = 100

// OpenHot opens or makes the hot journal in dir. When more than limit bytes of it are outdated, it
// rewrites what is alive into a new segment; 0 means 4 MiB, and never more than a quarter of the
// file system, because the old and the new segment must both fit. It fails when another process has the
// journal; damage is no failure, nor is the journal of a newer program, which is put aside: see Damage.
func OpenHot(dir string, limit int64) (*Hot, error) { return OpenHotOn(durable.Disk{}, dir, limit) }

// OpenHotOn is OpenHot on another file system than the machine's: one that fails, or whose program ends, at a write
// that a test has chosen.
func OpenHotOn(on durable.FileSystem, dir string, limit int64) (*Hot, error) {
	lock, err := on.Lock(dir)
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = defaultHotLimit
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && fs.Blocks > 0 {
		limit = min(limit, int64(fs.Blocks)*int64(fs.Bsize)/4)
	}
	h := &Hot{on: on, dir: dir, limit: limit, patch: limit, lock: lock, boot: CurrentBoot(), live: map[hotKey]place{}}
	if err := h.recover(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open hot journal: %w", err)
	}
	return h, nil
}

// recover reads the newest segment. Older ones were outdated the moment the newest got its name,
// as it then held all that was alive.
func (h *Hot) recover() error {
	sweep(h.on, h.dir)
	firsts, err := listSegments(h.on, h.dir)
	if err != nil {
		return err
	}
	if len(firsts) == 0 {
		h.id, h.next = newID(), 1
		h.seg, err = createSegment(h.on, h.dir, h.id, h.next, nil)
		return err
	}
	first := firsts[len(firsts)-1]
	got, err := recoverSegment(h.on, h.dir, first, first-1, h.replay)
	if errors.Is(err, ErrVersion) {
		return h.anew(firsts, err)
	}
	if err != nil {
		return err
	}
	h.note(got.damage...)
	h.id, h.next = got.id, got.last+1
	if h.id == 0 {
		h.id = newID()
	}
	for _, old := range firsts[:len(firsts)-1] {
		_ = os.Remove(segmentPath(h.dir, old))
	}
	f, err := h.on.OpenFile(segmentPath(h.dir, first), os.O_RDWR, 0)
	if err != nil {
		return medium("open segment", err)
	}
	h.seg = &segment{f: f, path: f.Name(), first: first, salt: saltOf(first), off: got.end, allocated: got.end}
	if err := f.Truncate(got.end); err != nil {
		_ = f.Close()
		return medium("cut segment", err)
	}
	if got.id == 0 {
		err := h.mendHeader()
		if err != nil {
			_ = f.Close()
		}
		return err
	}
	return nil
}

// anew puts the journal of a newer program aside and begins an empty one.
func (h *Hot) anew(firsts []Pos, why error) error {
	forgetAsides(h.on, h.dir)
	last := len(firsts) - 1
	d, err := putAside(h.on, h.dir, firsts[last], why)
	if err != nil {
		return err
	}
	h.note(d)
	for _, old := range firsts[:last] {
		_ = os.Remove(segmentPath(h.dir, old))
	}
	h.id, h.next = newID(), firsts[last]+positionJump
	h.seg, err = createSegment(h.on, h.dir, h.id, h.next, nil)
	return err
}

// mendHeader writes a damaged header again, so that the next start finds it whole.
func (h *Hot) mendHeader() error {
	if _, err := h.seg.f.WriteAt(appendSegmentHeader(nil, h.id, h.seg.first), 0); err != nil {
		return medium("mend segment", err)
	}
	h.seg.off = max(h.seg.off, segmentHeader)
	h.seg.allocated = h.seg.off
	return nil
}

func (h *Hot) replay(off int64, size int, r Record) {
	k := hotKey{r.Kind, r.Key}
	h.bytes -= int64(h.live[k].size)
	if r.erase {
		delete(h.live, k)
		return
	}
	h.live[k] = place{off, size}
	h.bytes += int64(size)
}

// Put makes value the last one of (kind, key). It returns after write(2): from then on the death
// of this process cannot lose it. ErrNoSpace and ErrIO leave the earlier value in force.
func (h *Hot) Put(kind, key string, value []byte) error {
	return h.append(&Record{Kind: kind, Key: key, Body: value, Class: State})
}

// Delete forgets (kind, key); it is no error when there is no such key.
func (h *Hot) Delete(kind, key string) error {
	return h.append(&Record{Kind: kind, Key: key, Class: State, erase: true})
}

func (h *Hot) append(r *Record) error {
	if !within(r.Kind, r.Key, r.Body) {
		return ErrTooLarge
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	k := hotKey{r.Kind, r.Key}
	old, had := h.live[k]
	if r.erase && !had {
		return nil
	}
	if err := h.write(r); err != nil {
		h.failed++
		return err
	}
	h.bytes -= int64(old.size)
	if r.erase {
		delete(h.live, k)
	} else {
		if !had {
			k = hotKey{strings.Clone(r.Kind), strings.Clone(r.Key)}
		}
		h.live[k] = place{h.seg.off - int64(len(h.buf)), len(h.buf)}
		h.bytes += int64(len(h.buf))
	}
	if h.garbage() > h.patch {
		if h.compact() != nil {
			h.patch = 2 * h.garbage() // try again later, not at every Put
		} else {
			h.patch = h.limit
		}
	}
	return nil
}

// write frames r into h.buf and appends it. A position is used up even when the write fails, so
// that a torn leftover can never pass for a newer record.
func (h *Hot) write(r *Record) error {
	r.Pos, r.Wall, r.Boot, r.BootID = h.next, time.Now(), sinceBoot(), h.boot
	h.next++
	h.buf = appendRecord(h.buf[:0], h.seg.salt, r)
	return h.seg.write(h.buf)
}

func (h *Hot) garbage() int64 { return h.seg.off - segmentHeader - h.bytes }

// compact writes what is alive into a new segment and drops the old one. On error the old one
// stays in force.
func (h *Hot) compact() error {
	first, pos := h.next, h.next
	salt := saltOf(first)
	body := make([]byte, 0, h.bytes)
	live := make(map[hotKey]place, len(h.live))
	for k, p := range h.live {
		r, err := h.fetch(p)
		if err != nil {
			h.note(Damage{Segment: filepath.Base(h.seg.path), From: p.off, To: p.off + int64(p.size)})
			continue
		}
		r.Pos = pos
		pos++
		at := len(body)
		body = appendRecord(body, salt, &r)
		live[k] = place{int64(at) + segmentHeader, len(body) - at}
	}
	seg, err := createSegment(h.on, h.dir, h.id, first, body)
	if err != nil {
		return err
	}
	old := h.seg
	h.seg, h.live, h.next, h.bytes = seg, live, max(pos, first+1), int64(len(body))
	_ = old.f.Close()
	_ = os.Remove(old.path)
	return nil
}

// fetch reads the record at p; its Body is valid until the next fetch.
func (h *Hot) fetch(p place) (Record, error) {
	if cap(h.read) < p.size {
		h.read = make([]byte, p.size)
	}
	b, err := readAt(h.seg.f, h.read[:p.size], p.off)
	if err != nil {
		return Record{}, err
	}
	r, _, err := decode(b, h.seg.salt)
	return r, err
}

// Load returns copies of all values of one kind by key; an empty map when there are none.
func (h *Hot) Load(kind string) map[string][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]byte{}
	if h.closed {
		return out
	}
	for k, p := range h.live {
		if k.kind != kind {
			continue
		}
		r, err := h.fetch(p)
		if err != nil {
			h.note(Damage{Segment: filepath.Base(h.seg.path), From: p.off, To: p.off + int64(p.size)})
			continue
		}
		out[k.key] = append([]byte{}, r.Body...)
	}
	return out
}

// Damage lists what could not be read since the journal was opened, at most 100 places.
func (h *Hot) Damage() []Damage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Damage(nil), h.damage...)
}

// HotStatus is what a health condition needs to know of a hot journal.
type HotStatus struct {
	Live   int   // keys
	Bytes  int64 // of the file in use
	Failed int   // writes refused since the start
}

// Status returns the present figures.
func (h *Hot) Status() HotStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HotStatus{Live: len(h.live), Bytes: h.seg.off, Failed: h.failed}
}

func (h *Hot) note(d ...Damage) {
	h.damage = append(h.damage, d...)
	h.damage = h.damage[:min(len(h.damage), maxDamage)]
}

// Close lets go of the directory. Later calls return ErrClosed.
func (h *Hot) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	return errors.Join(h.seg.f.Close(), h.lock.Close())
}

func newID() ID {
	var b [8]byte
	_, _ = rand.Read(b[:])                          // never fails since Go 1.24
	return ID(binary.LittleEndian.Uint64(b[:]) | 1) // zero means unknown
}
