package report

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// encodingVersion is the first byte of a written sum.
const encodingVersion = 2

// ErrEncoding is returned for a written sum that makes no sense.
var ErrEncoding = errors.New("a sum makes no sense")

// MarshalBinary writes t for the disk: a year of them is read for one page.
func (t *Traffic) MarshalBinary() ([]byte, error) {
	b := []byte{encodingVersion}
	b = appendCounts(b, t.Outcomes)
	b = appendCounts(b, t.Stages)
	b = appendSpread(b, t.Answered)
	b = appendSpread(b, t.GaveUp)
	for _, n := range []int64{int64(t.Short), int64(t.Waited), int64(t.Longest), int64(t.Talked), int64(t.Held), int64(t.Wrapped)} {
		b = binary.AppendUvarint(b, uint64(max(0, n)))
	}
	for _, n := range append([]int{t.Known}, t.Again[:]...) {
		b = binary.AppendUvarint(b, uint64(max(0, n)))
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrEncoding for anything else.
func (t *Traffic) UnmarshalBinary(b []byte) error {
	r := &reading{b: b}
	r.version()
	*t = Traffic{Outcomes: counts[tel.QueueOutcome](r), Stages: counts[tel.AbandonStage](r), Answered: r.spread(), GaveUp: r.spread()}
	t.Short = r.number()
	for _, d := range []*time.Duration{&t.Waited, &t.Longest, &t.Talked, &t.Held, &t.Wrapped} {
		*d = r.span()
	}
	t.Known = r.number()
	for i := range t.Again {
		t.Again[i] = r.number()
	}
	return r.end()
}

// MarshalBinary writes w for the disk.
func (w *Work) MarshalBinary() ([]byte, error) {
	b := binary.AppendUvarint([]byte{encodingVersion}, uint64(max(0, w.Answered)))
	b = binary.AppendUvarint(b, uint64(len(w.Spent)))
	for _, state := range slices.Sorted(maps.Keys(w.Spent)) {
		b = appendText(b, state.String())
		b = binary.AppendUvarint(b, uint64(max(0, w.Spent[state])))
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrEncoding for anything else.
func (w *Work) UnmarshalBinary(b []byte) error {
	r := &reading{b: b}
	r.version()
	*w = Work{Answered: r.number()}
	for range r.length() {
		var state tel.AgentState
		if err := state.UnmarshalText(r.text()); err != nil {
			r.bad = true
			break
		}
		w.Take(state, r.span())
	}
	return r.end()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendCounts[K ~string](b []byte, m map[K]int) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b = appendText(b, string(key))
		b = binary.AppendUvarint(b, uint64(max(0, m[key])))
	}
	return b
}

// appendSpread writes the length, and the places that are not empty, each as its distance from the one before and its count.
func appendSpread(b []byte, s Spread) []byte {
	places := 0
	for _, n := range s {
		if n > 0 {
			places++
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s)))
	b = binary.AppendUvarint(b, uint64(places))
	last := 0
	for i, n := range s {
		if n > 0 {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = binary.AppendUvarint(b, uint64(n))
			last = i
		}
	}
	return b
}

// reading takes a written sum apart; bad stays once something was wrong.
type reading struct {
	b   []byte
	bad bool
}

func (r *reading) version() {
	if len(r.b) == 0 || r.b[0] != encodingVersion {
		r.bad = true
		return
	}
	r.b = r.b[1:]
}

// number is a count.
func (r *reading) number() int {
	v := r.uvarint()
	if v > math.MaxInt32 {
		r.bad = true
		return 0
	}
	return int(v)
}

// span is a time in nanoseconds.
func (r *reading) span() time.Duration {
	v := r.uvarint()
	if v > math.MaxInt64 {
		r.bad = true
		return 0
	}
	return time.Duration(v)
}

func (r *reading) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length is a number of things that take two bytes or more each.
func (r *reading) length() int {
	n := r.number()
	if n > len(r.b)/2 {
		r.bad = true
		return 0
	}
	return n
}

func (r *reading) text() []byte {
	n := r.number()
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func counts[K ~string](r *reading) map[K]int {
	n := r.length()
	if n == 0 {
		return nil
	}
	m := make(map[K]int, n)
	for range n {
		key := K(r.text())
		m[key] = r.number()
	}
	return m
}

func (r *reading) spread() Spread {
	length := r.number()
	if length > longSpread+1 {
		r.bad = true
	}
	places := r.length()
	if r.bad || length == 0 {
		r.bad = r.bad || places > 0
		return nil
	}
	s, last := make(Spread, length), 0
	for range places {
		step, n := r.number(), r.number()
		if step >= length || last+step >= length {
			r.bad = true
			return nil
		}
		last += step
		s[last] += n
	}
	return s
}

func (r *reading) end() error {
	if r.bad || len(r.b) > 0 {
		return fmt.Errorf("%w: %d bytes left", ErrEncoding, len(r.b))
	}
	return nil
}
