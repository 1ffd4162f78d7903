package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// Damage is a part of a segment that could not be read and was passed over.
type Damage struct {
	Segment  string // file name
	From, To int64  // bytes of the file
	Tail     bool   // at the end: an interrupted write, nothing acknowledged as synced is missing
	Aside    string // name under which the whole file was put aside, because a newer program wrote it
	Why      string // in words, where Aside is set
}

// String says it in words.
func (d Damage) String() string {
	if d.Aside != "" {
		return fmt.Sprintf("%s, now called %s", d.Why, d.Aside)
	}
	if d.Tail {
		return fmt.Sprintf("%s: %d bytes of an unfinished write cut at %d", d.Segment, d.To-d.From, d.From)
	}
	return fmt.Sprintf("%s: bytes %d to %d damaged, skipped", d.Segment, d.From, d.To)
}

// scan calls fn for every whole record of b in order, as long as positions grow. It returns where
// the last one ends and what was passed over before it. fn's error stops it.
func scan(b []byte, salt uint32, after Pos, fn func(off, size int, r Record) error) (end int, skipped [][2]int, err error) {
	at := 0
	for at < len(b) {
		r, size, bad := decode(b[at:], salt)
		if bad == nil && r.Pos <= after {
			bad = errCorrupt // left over from an earlier write that failed half way
		}
		if bad != nil {
			next := resync(b, at+1, salt, after)
			if next < 0 {
				break
			}
			skipped = append(skipped, [2]int{at, next})
			at = next
			continue
		}
		if err := fn(at, size, r); err != nil {
			return end, skipped, err
		}
		after = r.Pos
		at += size
		end = at
	}
	return end, skipped, nil
}

// resync finds the next whole record at or after from, or -1.
func resync(b []byte, from int, salt uint32, after Pos) int {
	var mark [4]byte
	binary.LittleEndian.PutUint32(mark[:], magic)
	for from < len(b) {
		i := bytes.Index(b[from:], mark[:])
		if i < 0 {
			return -1
		}
		if r, _, err := decode(b[from+i:], salt); err == nil && r.Pos > after {
			return from + i
		}
		from += i + 1
	}
	return -1
}

// found is what recovery learns about one segment.
type found struct {
	first  Pos
	id     ID // zero when the header is damaged
	last   Pos
	end    int64 // file offset behind the last whole record
	size   int64
	damage []Damage
}

// recoverSegment reads a whole segment, delivering its records with their file offsets.
func recoverSegment(on durable.FileSystem, dir string, first, after Pos, fn func(off int64, size int, r Record)) (found, error) {
	path := segmentPath(dir, first)
	b, err := on.ReadFile(path)
	if err != nil {
		return found{}, medium("read "+filepath.Base(path), err)
	}
	got := found{first: first, last: after, size: int64(len(b)), end: segmentHeader}
	name := filepath.Base(path)
	got.id, err = readSegmentHeader(b)
	if errors.Is(err, ErrVersion) {
		return got, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		// A power cut may leave the name of a new segment and nothing of its content.
		fresh := len(bytes.TrimRight(b, "\x00")) == 0
		got.damage = append(got.damage, Damage{Segment: name, To: min(segmentHeader, got.size), Tail: fresh})
	}
	if len(b) <= segmentHeader {
		got.end = min(segmentHeader, got.size)
		return got, nil
	}
	body := b[segmentHeader:]
	end, skipped, _ := scan(body, saltOf(first), after, func(off, size int, r Record) error {
		got.last = r.Pos
		if fn != nil {
			fn(int64(off)+segmentHeader, size, r)
		}
		return nil
	})
	got.end = int64(end) + segmentHeader
	for _, s := range skipped {
		got.damage = append(got.damage, Damage{Segment: name, From: int64(s[0]) + segmentHeader, To: int64(s[1]) + segmentHeader})
	}
	if rest := bytes.TrimRight(body[end:], "\x00"); len(rest) > 0 {
		got.damage = append(got.damage, Damage{Segment: name, From: got.end, To: got.end + int64(len(rest)), Tail: true})
	}
	return got, nil
}

// readAt fills b from off as far as the file goes.
func readAt(f durable.File, b []byte, off int64) ([]byte, error) {
	n, err := f.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, medium("read "+filepath.Base(f.Name()), err)
	}
	return b[:n], nil
}
