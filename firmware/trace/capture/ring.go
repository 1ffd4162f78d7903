// Package capture keeps RTP and RTCP packets of calls in memory while the owner permits it, for traces. Nothing of it
// goes to a disk, and nothing is kept while no permission is open.
//
// What is kept is what a leg received and sent, with its header as it was on the wire. Of SRTP (RFC 3711) the packet
// is kept decrypted, as the plain RTP that it carried, and never a key: a trace is there to hear what went wrong, and
// who may hear is asked at the permission. What somebody pressed is covered (Why).
package capture

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The bounds of a ring where its Limits say nothing, and the grain of its memory.
const (
	defaultBytes = 32 << 20
	// share is which part of all one call may have, so that a long one does not push out the others.
	share = 4
	// chunkSize is how much a call takes at a time, and gives up at a time when it is the oldest: about a second of a
	// call of two legs.
	chunkSize = 16 << 10
	// longest bounds a packet, in bytes: an Ethernet frame.
	longest = 1500
)

// Limits bound what is kept, in bytes with all that belongs to it. Zero values are 32 MiB, and a quarter of all for
// one call.
type Limits struct {
	Bytes   int
	PerCall int
}

// Why is what of a packet is covered: not kept, but for its length.
type Why uint8

// What is covered.
const (
	Whole   Why = iota // nothing
	Key                // a key that was pressed: the event's code, or the sound around it
	Paused             // sound while a recording is paused for a card number
	Unknown            // the payload of a type that was not agreed, which may be anything
)

// String is what a reader of captures is told of it.
func (w Why) String() string {
	switch w {
	case Key:
		return "covered: a key was pressed"
	case Paused:
		return "covered: the recording was paused"
	case Unknown:
		return "covered: a payload type that was not agreed"
	case Whole:
	}
	return ""
}

// Packet is one RTP or RTCP packet of a leg.
type Packet struct {
	At        time.Time // of arrival, or of sending
	Out       bool      // sent by the box
	Control   bool      // RTCP
	Secured   bool      // it was SRTP or SRTCP on the wire
	LocalPort uint16
	Remote    netip.AddrPort
	Codec     codec.ID // of the sound; TelephoneEvent of an event
	Covered   Why
	Start     int // where the payload begins in Bytes, and where it ends; both 0: nothing is ever covered
	End       int
	Bytes     []byte
}

// Ring keeps packets. Its methods, and those of its calls, may be used from any goroutine, and wait for no more than a
// copy of memory.
type Ring struct {
	limits Limits
	origin time.Time // from which times are counted

	mu    sync.Mutex // guards what follows, and all of Call but its id
	open  bool
	until time.Time // from this moment on nothing is kept
	made  bool      // the memory is there
	free  *chunk
	calls map[tel.CallID]*Call
	age   list // every chunk in use, the one that was begun first at its head
}

// Call is the place of one call in a ring.
type Call struct {
	ring *Ring
	id   tel.CallID

	chunks  list
	packets int
	lost    int       // packets that have made room for later ones
	hush    time.Time // until then sound is covered
	paused  bool      // as long as it is so, too
	ended   bool      // nothing comes any more
	gone    bool      // it was forgotten: nothing more of it is kept
}

// New makes a ring without memory and without a permission.
func New(l Limits) *Ring {
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	l.Bytes = max(l.Bytes, 2*chunkSize)
	if l.PerCall <= 0 {
		l.PerCall = l.Bytes / share
	}
	l.PerCall = max(min(l.PerCall, l.Bytes), chunkSize)
	return &Ring{limits: l, origin: time.Now(), calls: map[tel.CallID]*Call{}}
}

// Permit begins to keep what calls bring, until a moment of the monotonic clock. It takes the memory, if there is
// none.
func (r *Ring) Permit(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.until = true, until
	if r.made {
		return
	}
	r.made = true
	memory := make([]byte, r.limits.Bytes/chunkSize*chunkSize)
	chunks := make([]chunk, len(memory)/chunkSize)
	for i := range chunks {
		chunks[i].b = memory[i*chunkSize : (i+1)*chunkSize : (i+1)*chunkSize]
		chunks[i].next[ofAge], r.free = r.free, &chunks[i]
	}
}

// Stop ends what Permit began; what is kept stays.
func (r *Ring) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
}

// Call gives a call its place.
func (r *Ring) Call(id tel.CallID) *Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[id]
	if c == nil {
		c = &Call{ring: r, id: id}
		r.calls[id] = c
	}
	c.ended = false
	return c
}

// End says that the call brings nothing any more.
func (c *Call) End() {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	c.ended = true
	c.ring.tidy(c)
}

// tidy takes a call that has ended and has nothing off the list.
func (r *Ring) tidy(c *Call) {
	if c.ended && c.chunks.n == 0 && r.calls[c.id] == c {
		delete(r.calls, c.id)
	}
}

// Keep keeps a copy of a packet, if there is a permission at its moment. It allocates nothing.
func (c *Call) Keep(p *Packet) {
	r := c.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open || !p.At.Before(r.until) || c.gone || len(p.Bytes) > longest || p.Start < 0 || p.End > len(p.Bytes) || p.Start > p.End {
		return
	}
	need := entryHead + len(p.Bytes)
	x := c.chunks.last
	if x == nil || x.used+need > len(x.b) {
		if x = r.room(c); x == nil {
			return
		}
	}
	b := x.b[x.used : x.used+need]
	x.used += need
	x.packets++
	c.packets++
	put(b, p, p.At.Sub(r.origin))
	switch {
	case p.Control:
	case p.Covered != Whole:
		cover(b, p.Covered)
	case c.paused && p.Codec != codec.TelephoneEvent:
		cover(b, Paused)
	case p.Codec == codec.TelephoneEvent || p.At.Before(c.hush):
		cover(b, Key)
	}
}

// room begins a chunk for a call: its own oldest one when it has its share, else a free one, else the oldest of all.
func (r *Ring) room(c *Call) *chunk {
	x := r.free
	switch {
	case (c.chunks.n+1)*chunkSize > r.limits.PerCall:
		x = c.chunks.first
		r.leave(x)
	case x != nil:
		r.free, x.next[ofAge] = x.next[ofAge], nil
	default:
		if x = r.age.first; x == nil {
			return nil
		}
		r.leave(x)
	}
	x.call, x.used, x.packets = c, 0, 0
	r.age.push(x, ofAge)
	c.chunks.push(x, ofCall)
	return x
}

// leave takes a chunk from whoever has it. Its packets are lost.
func (r *Ring) leave(x *chunk) {
	c := x.call
	r.age.drop(x, ofAge)
	c.chunks.drop(x, ofCall)
	c.packets -= x.packets
	c.lost += x.packets
	clear(x.b[:x.used]) // so that nothing of it lies about
	x.call = nil
	r.tidy(c)
}

// Pause covers all sound of the call from now on, or ends that: as long as its recording is paused for a card number.
func (c *Call) Pause(on bool) {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	c.paused = on
}

// Cover covers the sound of the call, of all its legs, that came or comes from one moment to another: around a key
// that was pressed, of which the sound on its way may hold the tone.
func (c *Call) Cover(from, to time.Time) {
	r := c.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.hush.Before(to) {
		c.hush = to
	}
	first, last := from.Sub(r.origin), to.Sub(r.origin)
	for x := c.chunks.last; x != nil; x = x.prev[ofCall] {
		newest := time.Duration(-1 << 63)
		for b := x.b[:x.used]; len(b) > 0; {
			n := entryHead + int(binary.LittleEndian.Uint16(b))
			at := atOf(b)
			if newest = max(newest, at); at >= first && at < last && b[7] == byte(Whole) {
				cover(b[:n], Key)
			}
			b = b[n:]
		}
		if newest < first-reorder {
			return
		}
	}
}

// reorder is by how much packets of several loops may be out of the order of their times.
const reorder = time.Second

// Kept is what is kept of a call.
type Kept struct {
	Call     tel.CallID
	From, To time.Time // of the first packet and of the last
	Packets  int
	Lost     int // packets that have made room for later ones
}

// Calls lists the calls of which something is kept, the latest first.
func (r *Ring) Calls() (all []Kept) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.calls {
		if c.packets == 0 {
			continue
		}
		k := Kept{Call: id, Packets: c.packets, Lost: c.lost}
		k.From = r.origin.Add(atOf(c.chunks.first.b))
		for b := c.chunks.last.b[:c.chunks.last.used]; len(b) > 0; b = b[entryHead+int(binary.LittleEndian.Uint16(b)):] {
			k.To = r.origin.Add(atOf(b))
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Kept) int { return b.To.Compare(a.To) })
	return all
}

// Packets are copies of what is kept of a call, in the order of their times.
func (r *Ring) Packets(id tel.CallID) (all []Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[id]
	if c == nil {
		return nil
	}
	for x := c.chunks.first; x != nil; x = x.next[ofCall] {
		for b := x.b[:x.used]; len(b) > 0; {
			n := entryHead + int(binary.LittleEndian.Uint16(b))
			all = append(all, get(b[:n], r.origin))
			b = b[n:]
		}
	}
	slices.SortStableFunc(all, func(a, b Packet) int { return a.At.Compare(b.At) })
	return all
}

// Size is how many calls have something, and how much of the ring's memory they have, in bytes.
func (r *Ring) Size() (calls, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.packets > 0 {
			calls++
		}
	}
	return calls, r.age.n * chunkSize
}

// Forget forgets the calls that match says, and keeps nothing more of them. It returns of how many something was kept.
func (r *Ring) Forget(match func(tel.CallID) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.calls {
		if !match(id) {
			continue
		}
		if c.packets > 0 {
			n++
		}
		c.gone = true
		for x := c.chunks.first; x != nil; x = c.chunks.first {
			r.leave(x)
			x.next[ofAge], r.free = r.free, x
		}
		c.lost = 0
	}
	if !r.open && r.age.n == 0 {
		r.made, r.free = false, nil // the memory goes back
	}
	return n
}
