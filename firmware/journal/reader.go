package journal

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// Reader follows a history from another process, or from the same one, while it grows. It only
// reads. One goroutine uses it.
type Reader struct {
	on      durable.FileSystem
	dir     string
	id      ID
	from    Pos // deliver from here on
	f       durable.File
	first   Pos // of the open segment
	off     int64
	after   Pos
	buf     []byte
	skipped []Damage
	still   bool // nobody writes: what follows a hole in the newest segment can be looked for
}

// NewReader returns a reader that starts at the oldest record of dir; nothing is opened yet.
func NewReader(dir string) *Reader { return &Reader{on: durable.Disk{}, dir: dir} }

// readWindow must hold the largest record.
const readWindow = 2 * (headerSize + MaxKind + MaxKey + MaxBody)

// Seek makes the next Read start at pos of the journal named id. When the directory holds another
// journal, as after a loss of the whole directory, Read starts at its oldest record instead.
func (r *Reader) Seek(id ID, pos Pos) {
	r.Close()
	r.id, r.from = id, pos
}

// Journal names the journal that was last read; 0 before anything was found.
func (r *Reader) Journal() ID { return r.id }

// Skipped returns the damaged places passed over since the last call of Skipped.
func (r *Reader) Skipped() []Damage {
	d := r.skipped
	r.skipped = nil
	return d
}

// Close lets go of the open segment; the reader may be used again.
func (r *Reader) Close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
	r.first = 0
}

// Read calls fn for every record that is there now and was not delivered before. When fn returns
// an error that record counts as not delivered, and Read passes the error on. A directory that
// does not exist yet is empty.
func (r *Reader) Read(fn func(Record) error) error {
	for {
		if r.f == nil {
			if ok, err := r.open(); err != nil || !ok {
				return err
			}
		}
		// Whether a newer segment exists is asked before the last look at this one: once it exists
		// nothing is added here.
		newer, err := r.newer()
		if err != nil {
			return err
		}
		if err := r.drain(newer != 0 || r.still, fn); err != nil {
			return err
		}
		if newer == 0 {
			return nil
		}
		r.from = max(r.from, r.after+1)
		r.Close()
		r.first = newer
	}
}

// open opens the segment that holds r.from, or the next one.
func (r *Reader) open() (bool, error) {
	firsts, err := listSegments(r.on, r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil || len(firsts) == 0 {
		return false, err
	}
	pick := firsts[0]
	for _, first := range firsts {
		if first <= max(r.from, r.first) {
			pick = first
		}
	}
	f, err := r.on.OpenFile(segmentPath(r.dir, pick), os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // trimmed just now; the next Read sees what is left
	}
	if err != nil {
		return false, medium("open segment", err)
	}
	head, err := readAt(f, make([]byte, segmentHeader), 0)
	var id ID
	if err == nil {
		id, err = readSegmentHeader(head)
	}
	switch {
	case errors.Is(err, errCorrupt):
		r.skipped = append(r.skipped, Damage{Segment: filepath.Base(f.Name()), To: segmentHeader})
		id = r.id
	case err != nil:
		_ = f.Close()
		return false, err
	}
	if r.id != 0 && id != r.id {
		// Another journal: what is remembered means nothing in it.
		_ = f.Close()
		r.id, r.from, r.first = 0, 0, 0
		return r.open()
	}
	r.id, r.f, r.first, r.off, r.after = id, f, pick, segmentHeader, pick-1
	return true, nil
}

// newer returns the first position of the segment after the open one, or 0.
func (r *Reader) newer() (Pos, error) {
	firsts, err := listSegments(r.on, r.dir)
	if err != nil {
		return 0, err
	}
	for _, first := range firsts {
		if first > r.first {
			return first, nil
		}
	}
	return 0, nil
}

// drain delivers what the open segment holds behind r.off.
func (r *Reader) drain(complete bool, fn func(Record) error) error {
	if r.buf == nil {
		r.buf = make([]byte, readWindow)
	}
	for {
		b, err := readAt(r.f, r.buf, r.off)
		if err != nil {
			return err
		}
		if len(b) < 4 || (!complete && binary.LittleEndian.Uint32(b) == 0) {
			return nil // the writer's reserve begins here
		}
		step, err := r.window(b, len(b) == len(r.buf), fn)
		if err != nil || step == 0 {
			return err
		}
	}
}

// window delivers the whole records of b, which lies at r.off, and moves on; more says that the
// file goes on behind b. It returns how far it moved.
func (r *Reader) window(b []byte, more bool, fn func(Record) error) (int, error) {
	salt := saltOf(r.first)
	at := 0
	start := r.off
	for at < len(b) {
		rec, size, bad := decode(b[at:], salt)
		if bad == nil && rec.Pos <= r.after {
			bad = errCorrupt
		}
		if bad != nil {
			if more && at > 0 {
				break // look again with a full window
			}
			next := resync(b, at+1, salt, r.after)
			if next < 0 {
				return r.hollow(b[at:], at, more)
			}
			// The writer may have finished this record between our look at it and at the next one.
			if again, err := readAt(r.f, make([]byte, next-at), start+int64(at)); err == nil {
				if now, _, err := decode(again, salt); err == nil && now.Pos > r.after {
					copy(b[at:], again)
					continue
				}
			}
			r.skipped = append(r.skipped, Damage{Segment: filepath.Base(r.f.Name()), From: start + int64(at), To: start + int64(next)})
			at = next
			r.off = start + int64(at)
			continue
		}
		if rec.Pos >= r.from {
			if err := fn(rec); err != nil {
				return at, err
			}
		}
		at += size
		r.after = rec.Pos
		r.from = max(r.from, rec.Pos+1)
		r.off = start + int64(at)
	}
	return at, nil
}

// hollow handles a stretch without any whole record. In the middle of a file it is walked over,
// keeping what may be the beginning of a record; at the end it is where the writer will go on.
func (r *Reader) hollow(b []byte, at int, more bool) (int, error) {
	if !more {
		return 0, nil
	}
	step := len(b) - maxRecord
	r.off += int64(step)
	return at + step, nil
}
