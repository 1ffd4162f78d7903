package media

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

const (
	// chunkBody is what a tap gathers before it is given to a writer: about a second of G.711.
	chunkBody = 9000
	// maxChunks bounds what waits for the disk, 36 MB: with 300 recorded calls, some six seconds. What comes on
	// top is lost to the recordings, counted, and never delays a call.
	maxChunks = 4000
	// spareChunks is how many stay ready when nothing waits any more.
	spareChunks = 512
	// longestChunk is how old a chunk may become before it is given to a writer half full.
	longestChunk = time.Second
	// tapHead stands before each piece in a chunk: time of arrival in samples, timestamp, epoch, lost before,
	// codec, length. It is longer than tape.PieceHead, so a chunk becomes a block where it lies.
	tapHead = 16
)

// chunk is sound of one leg on its way to a writer: room for a block's head, pieces, room for its seal.
type chunk struct {
	tap   *tap
	next  *chunk // in a queue, or of those that are free
	last  bool   // the tap gives nothing after it
	order func() // instead of sound: something else for the writer to do
	n     int    // bytes of pieces
	b     [tape.HeadRoom + chunkBody + tape.Overhead]byte
}

// chunks are those of an engine, shared by all its taps.
type chunks struct {
	mu    sync.Mutex
	free  *chunk
	spare int
	taken int
	most  int
}

// get takes an empty chunk; nil when too much waits for the disk.
func (c *chunks) get() *chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken >= c.most {
		return nil
	}
	c.taken++
	x := c.free
	if x == nil {
		return new(chunk)
	}
	c.free, x.next = x.next, nil
	c.spare--
	return x
}

// scarce reports whether half of all chunks wait for the disk.
func (c *chunks) scarce() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken > c.most/2
}

// put gives a chunk back.
func (c *chunks) put(x *chunk) {
	x.tap, x.next, x.last, x.n = nil, nil, false, 0
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken--
	if c.spare < spareChunks {
		x.next, c.free = c.free, x
		c.spare++
	}
}

// tap copies what one party says. It belongs to the leg's loop and goes with the leg.
type tap struct {
	tape  *Tape
	track uint8
	line  timeline // of the writer

	chunk  *chunk // being filled; nil: none yet, or none to be had
	most   int    // bytes with which it is given to a writer
	opened time.Duration
	lost   int // pieces since the last one that was kept

	final chunk // carries the end when no other chunk is to be had
}

// newTap makes the tap of a track. Its first chunk is given away early, at a moment of its own: else the taps of all calls
// that begin at once, as after a restart, would work the writers at once, in every second anew.
func (t *Tape) newTap(track int) *tap {
	return &tap{tape: t, track: uint8(track), line: timeline{max: tapeMax, absolute: true}, most: chunkBody/4 + rand.IntN(chunkBody*3/4)}
}

// on reports whether the tap keeps what comes now.
func (t *tap) on() bool { return !t.tape.paused.Load() && !t.tape.ended.Load() }

// room finds place for a piece of so many bytes; nil when the disk is too far behind.
func (t *tap) room(size int, now time.Duration) []byte {
	need := tapHead + size
	if t.chunk != nil && t.chunk.n+need > t.most {
		t.hand(false)
		t.most = chunkBody
	}
	if t.chunk == nil {
		if t.chunk = t.tape.engine.tapes.chunks.get(); t.chunk == nil {
			t.lost++
			return nil
		}
		t.chunk.tap, t.opened = t, now
	}
	at := tape.HeadRoom + t.chunk.n
	t.chunk.n += need
	return t.chunk.b[at : at+need]
}

// head writes the head of a piece; its payload stands behind it.
func (t *tap) head(b []byte, id codec.ID, epoch uint32, ts uint32, size int, now time.Duration) {
	binary.LittleEndian.PutUint32(b, uint32(max(0, samples(now-t.tape.begun))))
	binary.LittleEndian.PutUint32(b[4:], ts)
	binary.LittleEndian.PutUint16(b[8:], uint16(epoch))
	binary.LittleEndian.PutUint16(b[10:], uint16(min(t.lost, 0xffff)))
	b[12], b[13] = byte(id), 0
	binary.LittleEndian.PutUint16(b[14:], uint16(size))
	t.lost = 0
}

// packet keeps a packet of sound.
func (t *tap) packet(g *Leg, p *packet, now time.Duration) {
	if !t.on() || len(p.payload) == 0 {
		return
	}
	if b := t.room(len(p.payload), now); b != nil {
		t.head(b, g.media.Codec, g.in.epoch, p.ts, len(p.payload), now)
		copy(b[tapHead:], p.payload)
	}
}

// frame keeps a frame of a line.
func (t *tap) frame(f *line.Frame, now time.Duration) {
	if !t.on() {
		return
	}
	if b := t.room(2*len(f), now); b != nil {
		t.head(b, 0, 0, uint32(samples(now)), 2*len(f), now) // a frame that did not come leaves its gap
		for i, s := range f {
			binary.LittleEndian.PutUint16(b[tapHead+2*i:], uint16(s))
		}
	}
}

// hand gives the chunk to the writer of the tape.
func (t *tap) hand(last bool) {
	x := t.chunk
	if x == nil {
		if !last {
			return
		}
		x = &t.final
		x.tap = t
	}
	t.chunk, x.last = nil, last
	t.tape.writer.give(x)
}

// tendTap hands over what has waited long enough, and ends a tap whose tape has ended.
func (g *Leg) tendTap(now time.Duration) {
	t := g.tap
	switch {
	case t == nil:
	case t.tape.ended.Load():
		g.untap()
	case t.chunk != nil && now-t.opened >= longestChunk:
		t.hand(false)
	}
}

// untap ends what is copied of the leg. It runs on the leg's loop, or after it.
func (g *Leg) untap() {
	if g.tap != nil {
		g.tap.tape.left(g.engine.now())
		g.tap.hand(true)
		g.tap = nil
	}
}

// queue brings chunks to one writer, in order. Giving never waits.
type queue struct {
	mu         sync.Mutex
	head, tail *chunk
	closed     bool
	signal     chan struct{} // holds one token when there may be something
	tapes      atomic.Int64  // that it writes at the moment
}

func (q *queue) give(x *chunk) {
	q.mu.Lock()
	if q.tail == nil {
		q.head = x
	} else {
		q.tail.next = x
	}
	q.tail = x
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// take waits for a chunk; nil when the queue is closed and empty.
func (q *queue) take() *chunk {
	for {
		q.mu.Lock()
		x, closed := q.head, q.closed
		if x != nil {
			if q.head = x.next; q.head == nil {
				q.tail = nil
			}
			x.next = nil
		}
		q.mu.Unlock()
		if x != nil || closed {
			return x
		}
		<-q.signal
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
}
