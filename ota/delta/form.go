package delta

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const magic = "PRDELTA1"

// Limits of what a delta can ask for.
const (
	maxSize   = 1 << 30   // of a slot, and of an unpacked initramfs
	maxHead   = 4096      // of the head of a file in an archive
	maxTail   = 1 << 20   // of what follows the last one
	piece     = 4 << 20   // of a file that is dealt with at once
	margin    = 2 << 20   // by which code may have moved
	maxPatch  = 2 * piece // of one piece
	maxWindow = 16 << 20  // of one piece, and of what is around it
	maxMember = 512 << 20 // of one file
	frameMax  = 128 << 20 // window of an old frame
)

// Errors of deltas. None says anything against the release: the whole of it can be fetched.
var (
	ErrDamaged = errors.New("not a delta, or not one for what runs")
	ErrEncoder = errors.New("made with an encoder that this box does not have")
)

func damaged(words string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(words, args...))
}

// number reads a uvarint of at most most.
func number(r io.ByteReader, most int64) (int64, error) {
	n, err := binary.ReadUvarint(r)
	switch {
	case err != nil:
		return 0, damaged("a number: %v", err)
	case n > uint64(most):
		return 0, damaged("the number %d, %d at most", n, most)
	}
	return int64(n), nil
}

// some reads a length of at most most, and as many bytes.
func some(r *bufio.Reader, most int64) ([]byte, error) {
	n, err := number(r, most)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, damaged("%d bytes: %v", n, err)
	}
	return b, nil
}

// record is one file of an archive in the newc form: its head with the name, and how long its data is.
type record struct {
	head []byte // padded to four bytes
	name string
	size int64 // of the data without what pads it to four bytes
}

const (
	headLength = 110
	trailer    = "TRAILER!!!"
)

func padded(n int64) int64 { return (n + 3) &^ 3 }

// readRecord reads the head of the next file.
func readRecord(r io.Reader) (c record, err error) {
	c.head = make([]byte, headLength, headLength+64)
	if _, err := io.ReadFull(r, c.head); err != nil {
		return c, damaged("an archive: %v", err)
	}
	field := func(at int) int64 {
		n, e := strconv.ParseUint(string(c.head[at:at+8]), 16, 32)
		if e != nil {
			err = damaged("an archive's head: %v", e)
		}
		return int64(n)
	}
	size, length := field(54), field(94)
	switch {
	case err != nil:
		return c, err
	case string(c.head[:6]) != "070701" || length < 1 || length > maxHead-headLength-4 || size > maxMember:
		return c, damaged("an archive with a name of %d and data of %d bytes", length, size)
	}
	rest := make([]byte, padded(headLength+length)-headLength)
	if _, err := io.ReadFull(r, rest); err != nil {
		return c, damaged("an archive: %v", err)
	}
	c.head, c.name, c.size = append(c.head, rest...), string(rest[:length-1]), size
	return c, nil
}

// slider shows a stretch of a file that is read once from its beginning to its end.
type slider struct {
	from io.Reader
	b    []byte // what is in memory
	at   int64  // of its first byte
	size int64
}

// stretch is the file from lo to hi, as far as there is one. Neither may go back.
func (s *slider) stretch(lo, hi int64) ([]byte, error) {
	lo, hi = min(max(lo, 0), s.size), min(max(hi, 0), s.size)
	if lo >= hi {
		return nil, nil
	}
	if lo > s.at+int64(len(s.b)) {
		if _, err := io.CopyN(io.Discard, s.from, lo-s.at-int64(len(s.b))); err != nil {
			return nil, damaged("the old archive: %v", err)
		}
		s.b, s.at = s.b[:0], lo
	}
	if lo > s.at {
		s.b = append(s.b[:0], s.b[lo-s.at:]...)
		s.at = lo
	}
	if missing := hi - s.at - int64(len(s.b)); missing > 0 {
		was := len(s.b)
		s.b = append(s.b, make([]byte, missing)...)
		if _, err := io.ReadFull(s.from, s.b[was:]); err != nil {
			return nil, damaged("the old archive: %v", err)
		}
	}
	return s.b[lo-s.at : hi-s.at], nil
}

// skip passes over what was not shown.
func (s *slider) skip() error {
	if _, err := io.CopyN(io.Discard, s.from, s.size-s.at-int64(len(s.b))); err != nil {
		return damaged("the old archive: %v", err)
	}
	return nil
}

// around is where the dictionary of a piece lies.
func around(at, n int64) (lo, hi int64) { return at - margin, at + n + margin }

// dictionary is what is long enough to be one.
func dictionary(b []byte) []byte {
	if len(b) < 64 {
		return nil
	}
	return b
}
