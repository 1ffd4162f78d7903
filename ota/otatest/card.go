// Package otatest is a box for the tests of updates: a card of which every state is known that a power cut can leave,
// the boot loader that reads it, and the first program in front of both.
//
// The card is a harsh one. Of what was not synced anything may be there: all, nothing, the last write without those
// before it, any sectors of any write, and half of a sector.
package otatest

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
)

// Sector is what a card should write whole, in bytes.
const Sector = 512

// op is one operation; data is nil for a sync.
type op struct {
	off  int64
	data []byte
}

// Card is a block device in memory. It is safe for use from many goroutines.
type Card struct {
	mu     sync.Mutex // guards all below
	cached []byte     // what a program reads
	stored []byte     // what is safe
	open   []op       // what is in neither
	log    []op
	start  []byte // stored when the log began

	// Faults, set before the card is used.
	Stores func(off int64, data []byte) []byte // what the card keeps of a write; nil: all of it
	Read   func(off int64, n int) error        // nil: every read succeeds
	Write  func(off int64, n int) error
	Synced func() error
}

// NewCard returns a card with a content.
func NewCard(content []byte) *Card {
	return &Card{cached: bytes.Clone(content), stored: bytes.Clone(content), start: bytes.Clone(content)}
}

// Content is what a program would read.
func (c *Card) Content() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.cached)
}

// Lost is the card after a loss of power: what was synced, and of the rest the writes that some says.
func (c *Card) Lost(some func(i int) bool) *Card {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := bytes.Clone(c.stored)
	for i, o := range c.open {
		if some(i) {
			copy(left[o.off:], o.data)
		}
	}
	return NewCard(left)
}

// Part is a part of a card, as a partition is.
type Part struct {
	card   *Card
	at, to int64
	closed bool
}

// Part returns the bytes from at on, size of them.
func (c *Card) Part(at, size int64) *Part { return &Part{card: c, at: at, to: at + size} }

// Size is that of the part, in bytes.
func (p *Part) Size() (int64, error) { return p.to - p.at, nil }

// Close ends its use.
func (p *Part) Close() error {
	if p.closed {
		return fmt.Errorf("closed twice")
	}
	p.closed = true
	return nil
}

// ReadAt implements io.ReaderAt.
func (p *Part) ReadAt(b []byte, off int64) (int, error) {
	c := p.card
	c.mu.Lock()
	defer c.mu.Unlock()
	if off < 0 || p.at+off >= p.to {
		return 0, io.EOF
	}
	if c.Read != nil {
		if err := c.Read(p.at+off, len(b)); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.cached[p.at+off:p.to])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt. It refuses what goes beyond the part.
func (p *Part) WriteAt(b []byte, off int64) (int, error) {
	c := p.card
	c.mu.Lock()
	defer c.mu.Unlock()
	if off < 0 || p.at+off+int64(len(b)) > p.to {
		return 0, io.ErrShortWrite
	}
	if c.Write != nil {
		if err := c.Write(p.at+off, len(b)); err != nil {
			return 0, err
		}
	}
	copy(c.cached[p.at+off:], b)
	kept := b
	if c.Stores != nil {
		kept = c.Stores(p.at+off, bytes.Clone(b))
	}
	o := op{p.at + off, bytes.Clone(kept)}
	c.open, c.log = append(c.open, o), append(c.log, o)
	return len(b), nil
}

// Sync makes safe what was written.
func (p *Part) Sync() error {
	c := p.card
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Synced != nil {
		if err := c.Synced(); err != nil {
			return err
		}
	}
	for _, o := range c.open {
		copy(c.stored[o.off:], o.data)
	}
	c.open, c.log = nil, append(c.log, op{})
	return nil
}

// DropCache has the card read from then on, where what was written is safe.
func (p *Part) DropCache() error {
	c := p.card
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(c.cached, c.stored)
	for _, o := range c.open {
		copy(c.cached[o.off:], o.data)
	}
	return nil
}

// Cut is what a power cut left.
type Cut struct {
	Name  string
	After int // operations that were over
	Card  []byte
}

// Operations is how many writes and syncs there were.
func (c *Card) Operations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.log)
}

// Cuts returns every state that a power cut can have left, in the order of the operations. Who keeps the content of
// one copies it.
func (c *Card) Cuts() iter.Seq[Cut] {
	c.mu.Lock()
	log, start := slices.Clone(c.log), bytes.Clone(c.start)
	c.mu.Unlock()
	return func(yield func(Cut) bool) {
		safe, state := start, bytes.Clone(start)
		var open []op
		for at := range len(log) + 1 {
			if at > 0 {
				if o := log[at-1]; o.data != nil {
					open = append(open, o)
				} else {
					for _, o := range open {
						copy(safe[o.off:], o.data)
					}
					open = nil
				}
			}
			for how, parts := range leftovers(open, uint64(at)) {
				copy(state, safe)
				for _, o := range parts {
					copy(state[o.off:], o.data)
				}
				if !yield(Cut{fmt.Sprintf("after operation %d of %d, %s", at, len(log), how), at, state}) {
					return
				}
			}
		}
	}
}

// leftovers are the choices of what is there of unsynced writes.
func leftovers(open []op, seed uint64) iter.Seq2[string, []op] {
	return func(yield func(string, []op) bool) {
		if !yield("no unsynced byte", nil) || len(open) == 0 {
			return
		}
		last, before := open[len(open)-1], open[:len(open)-1]
		if !yield("every unsynced byte", open) || !yield("the last write alone", open[len(open)-1:]) || !yield("all but the last write", before) {
			return
		}
		const half = Sector / 2
		for cut := 0; cut < len(last.data); cut += Sector {
			upTo, on := op{last.off, last.data[:cut]}, op{last.off + int64(cut), last.data[cut:]}
			end := min(cut+half, len(last.data))
			first := op{on.off, last.data[cut:end]}
			second := op{on.off + half, last.data[end:min(cut+Sector, len(last.data))]}
			for _, c := range []struct {
				how   string
				parts []op
			}{
				{"up to", []op{upTo}},
				{"from", []op{on}},
				{"up to, and half of", []op{upTo, first}},
				{"up to, and the other half of", []op{upTo, second}},
				{"with nothing but half of", []op{first}},
				{"with nothing readable in", []op{last, {on.off, bytes.Repeat([]byte{0xFF}, end-cut+len(second.data))}}},
			} {
				if !yield(fmt.Sprintf("the last write %s sector %d", c.how, cut/Sector), slices.Concat(before, c.parts)) {
					return
				}
			}
		}
		draw := rand.New(rand.NewPCG(seed, 1))
		for n := range 4 {
			var some []op
			for _, o := range open {
				for cut := 0; cut < len(o.data); cut += Sector {
					if draw.IntN(2) == 0 {
						some = append(some, op{o.off + int64(cut), o.data[cut:min(cut+Sector, len(o.data))]})
					}
				}
			}
			draw.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			if !yield(fmt.Sprintf("drawn sectors %d", n), some) {
				return
			}
		}
	}
}
