package jitter

import (
	"math/bits"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

const (
	slots = 64
	// MaxPayload is the longest payload taken: 60 ms of any codec of the house.
	MaxPayload = 480
	// fifoLength holds a frame, the sound looked at for stretching, and a packet.
	fifoLength = 2048

	// jumpTicks is a step of the timestamps against time that is no delay but a new timeline.
	jumpTicks = 3 * 8000
	// starvedFrames without a packet mean that a late packet starts a new talk-spurt.
	starvedFrames = 5
)

// Packet is what the buffer needs of an RTP packet. The payload is copied.
type Packet struct {
	SSRC      uint32
	Sequence  uint16
	Timestamp uint32
	Payload   []byte
}

// Stats counts since New, and tells the present state.
type Stats struct {
	Received   uint64
	Lost       uint64 // packets that never came or came too late, seen when their turn came
	Late       uint64 // packets that came after their turn
	Duplicates uint64
	Oversized  uint64 // packets longer than MaxPayload, not taken
	Overflows  uint64 // packets pushed out by newer ones
	Concealed  uint64 // samples invented for lost sound
	Skips      uint64 // jumps over a backlog, as after a stall
	Restarts   uint64 // new senders and new timelines
	Jitter     time.Duration
	Target     time.Duration // the wait that the network asks for
	Delay      time.Duration // the wait of the last frame, from the fastest packet's arrival to its sound
}

type slot struct {
	seq     int64
	ts      int64
	n       int
	payload [MaxPayload]byte
}

// Buffer is the receiving side of one stream.
type Buffer struct {
	decoder codec.Decoder
	ring    [slots]slot
	held    uint64 // bit i: slot i holds a packet; few do, and only those are looked at
	base    time.Time

	started   bool
	ssrc      uint32
	lastSeq   int64 // highest received, unwrapped
	lastTS    int64
	seen      uint64 // bit i: sequence lastSeq-i was received
	soundless uint64 // bit i: it carried no sound
	timing    timing
	playing   bool
	next      int64 // timestamp of the first tick not in fifo
	playedSeq int64 // sequence of the last packet played
	starved   int   // frames without a packet to play
	waited    int64 // delay of the last frame
	sinceOp   int   // frames since the sound was last stretched
	fixed     int64 // the wait of a transparent buffer, 0: it adapts

	fifo    [fifoLength]int16
	fifoLen int
	conceal concealer
	stats   Stats
}

// New makes the buffer of one stream; decoder becomes its own.
func New(decoder codec.Decoder) *Buffer {
	return &Buffer{decoder: decoder}
}

// ticks is now in RTP ticks since the first packet.
func (b *Buffer) ticks(now time.Time) int64 {
	return now.Sub(b.base).Microseconds() * ticksPerMs / 1000
}

// Put takes a packet that arrived at now.
func (b *Buffer) Put(now time.Time, p Packet) {
	b.stats.Received++
	if len(p.Payload) == 0 {
		b.Event(p.Sequence)
		return
	}
	if len(p.Payload) > MaxPayload {
		b.stats.Oversized++
		return
	}
	if !b.started || p.SSRC != b.ssrc {
		b.restart(now, p)
	}
	arrival := b.ticks(now)
	seq, ts := unwrap16(b.lastSeq, p.Sequence), unwrap32(b.lastTS, p.Timestamp)
	if b.timing.started {
		if late := arrival - ts - b.timing.fast; late > jumpTicks || late < -jumpTicks {
			b.restart(now, p)
			seq, ts = int64(p.Sequence), int64(p.Timestamp)
		}
	}
	if b.duplicate(seq) {
		b.stats.Duplicates++
		return
	}
	b.lastTS = max(b.lastTS, ts)
	if b.playing && ts+int64(len(p.Payload)) <= b.next {
		if b.starved < starvedFrames {
			b.stats.Late++
			b.timing.arrive(ts, arrival)
			b.hold()
			return
		}
		// The sender paused and its clock paused with it, or the network stalled. Either way this packet
		// is the earliest that we know; a backlog behind it will show a faster transit at once.
		b.timing.rebase(arrival-ts, arrival)
		b.playing = false
	}
	b.timing.arrive(ts, arrival)
	b.hold()
	b.store(seq, ts, p.Payload)
}

// Event tells of a packet that belongs to the sequence but carries no sound, as an RFC 4733 digit,
// so that its place in the sequence does not count as lost.
func (b *Buffer) Event(sequence uint16) {
	if !b.started {
		return
	}
	seq := unwrap16(b.lastSeq, sequence)
	if age := b.lastSeq - seq; !b.duplicate(seq) && age < 64 {
		b.soundless |= 1 << uint(b.lastSeq-seq)
	}
}

// restart begins a new timeline with packet p.
func (b *Buffer) restart(now time.Time, p Packet) {
	if b.started {
		b.stats.Restarts++
	} else {
		b.base = now
	}
	b.started, b.ssrc = true, p.SSRC
	b.lastSeq, b.lastTS = int64(p.Sequence)-1, int64(p.Timestamp)
	b.seen, b.soundless, b.held, b.playing, b.starved = 0, 0, 0, false, 0
	b.playedSeq = b.lastSeq
	b.timing = timing{}
}

// duplicate notes the sequence number and reports whether it was there before.
func (b *Buffer) duplicate(seq int64) bool {
	if ahead := seq - b.lastSeq; ahead > 0 {
		b.seen <<= uint64(ahead) // a shift of 64 or more leaves nothing
		b.soundless <<= uint64(ahead)
		b.lastSeq = seq
	}
	age := b.lastSeq - seq
	if age >= 64 {
		return false
	}
	bit := uint64(1) << uint(age)
	known := b.seen&bit != 0
	b.seen |= bit
	return known
}

// missed counts the sequence numbers after the last one played and before seq that should have
// brought sound.
func (b *Buffer) missed(seq int64) int64 {
	n := max(0, seq-b.playedSeq-1)
	for q := max(b.playedSeq+1, b.lastSeq-63); q < seq; q++ {
		if b.soundless>>uint64(b.lastSeq-q)&1 != 0 {
			n--
		}
	}
	return n
}

// store puts a packet into a free slot, or into that of the oldest.
func (b *Buffer) store(seq, ts int64, payload []byte) {
	at := bits.TrailingZeros64(^b.held)
	if at == slots {
		at = 0
		for i := range b.ring {
			if b.ring[i].ts < b.ring[at].ts {
				at = i
			}
		}
		b.stats.Overflows++
	}
	b.held |= 1 << at
	s := &b.ring[at]
	s.seq, s.ts, s.n = seq, ts, len(payload)
	copy(s.payload[:], payload)
}

// first is where the packet with the lowest timestamp lies, or -1. Those whose turn is over are let go.
func (b *Buffer) first() int {
	first := -1
	for left := b.held; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		s := &b.ring[i]
		if b.playing && s.ts+int64(s.n) <= b.next {
			b.held &^= 1 << i
			b.stats.Late++
			continue
		}
		if first < 0 || s.ts < b.ring[first].ts {
			first = i
		}
	}
	return first
}

// delay is the wait now: how long ago the next sample to play would have come by the fastest packet.
func (b *Buffer) delay(now int64) int64 {
	return now - b.timing.fast - (b.next - int64(b.fifoLen))
}

// Get fills dst, 20 ms of sound, for playing at now.
func (b *Buffer) Get(now time.Time, dst []int16) {
	tick := b.ticks(now)
	if !b.playing && !b.start(tick) {
		b.gap(dst, true)
		return
	}
	if b.delay(tick) > b.timing.target+100*ticksPerMs {
		b.skip(tick)
	}
	b.fill(tick, len(dst))
	if b.fixed == 0 {
		b.stretch(tick, len(dst))
	}
	b.waited = b.delay(tick)
	copy(dst, b.fifo[:len(dst)])
	b.fifoLen -= len(dst)
	copy(b.fifo[:b.fifoLen], b.fifo[len(dst):])
}

// start begins to play when the oldest packet has waited for the target.
func (b *Buffer) start(tick int64) bool {
	at := b.first()
	if at < 0 {
		return false
	}
	s := &b.ring[at]
	b.next, b.fifoLen = s.ts, 0
	if b.delay(tick) < b.timing.target {
		return false
	}
	b.playing, b.starved = true, 0
	b.playedSeq = s.seq - 1
	return true
}

// skip drops a backlog so that the delay is the target again. The cut is blended like a gap.
func (b *Buffer) skip(tick int64) {
	behind := b.delay(tick) - b.timing.target
	newest := int64(0)
	for left := b.held; left != 0; left &= left - 1 {
		s := &b.ring[bits.TrailingZeros64(left)]
		newest = max(newest, s.ts+int64(s.n)-b.next)
	}
	if behind = min(behind, newest); behind <= 0 {
		return
	}
	if b.fixed == 0 {
		b.conceal.prepare()
		b.conceal.gone = 1
	}
	b.fifoLen = 0
	b.next += behind
	b.stats.Skips++
	for left := b.held; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		if s := &b.ring[i]; s.ts+int64(s.n) <= b.next {
			b.playedSeq = max(b.playedSeq, s.seq)
			b.held &^= 1 << i
		}
	}
}

// fill decodes, or invents, until the fifo holds n samples.
func (b *Buffer) fill(tick int64, n int) {
	for b.fifoLen < n {
		missing := n - b.fifoLen
		at := b.first()
		switch {
		case at < 0:
			b.starved++
			b.invent(missing, b.missed(b.playedSeq+2) == 0)
			// While the wait is too short the clock of the sound stands still, which lengthens it.
			if b.delay(tick) >= b.timing.target {
				b.next += int64(missing)
			}
		case b.ring[at].ts > b.next:
			s := &b.ring[at]
			gap := int(min(s.ts-b.next, int64(missing)))
			b.invent(gap, b.missed(s.seq) == 0)
			b.next += int64(gap)
		default:
			b.play(at)
		}
	}
}

// invent appends n samples in place of sound: silence that the sender meant, or hidden loss.
func (b *Buffer) invent(n int, meant bool) {
	b.gap(b.fifo[b.fifoLen:b.fifoLen+n], meant)
	if !meant {
		b.stats.Concealed += uint64(n)
	}
	b.fifoLen += n
}

// gap fills out, where no sound is.
func (b *Buffer) gap(out []int16, meant bool) {
	switch {
	case b.fixed != 0:
		clear(out)
	case meant:
		b.conceal.quiet(out)
	default:
		b.conceal.conceal(out)
	}
}

// play decodes the packet of a slot into the fifo.
func (b *Buffer) play(at int) {
	s := &b.ring[at]
	out := b.fifo[b.fifoLen:]
	n := b.decoder.Decode(out, s.payload[:s.n])
	if over := int(b.next - s.ts); over > 0 {
		copy(out, out[over:n])
		n -= over
	}
	b.conceal.heard(out[:n])
	b.fifoLen += n
	b.next = s.ts + int64(s.n)
	b.stats.Lost += uint64(b.missed(s.seq))
	b.playedSeq, b.starved = max(b.playedSeq, s.seq), 0
	b.held &^= 1 << at
}

// stretch brings the delay nearer to the target by a pitch period at a time, which is not heard:
// at once when far off, else every fifth frame. Too short a wait costs sound, too long a one does
// not, so the bounds differ.
func (b *Buffer) stretch(tick int64, n int) {
	off := b.delay(tick) - b.timing.target
	const short, long, far = -5 * ticksPerMs, 15 * ticksPerMs, 50 * ticksPerMs
	b.sinceOp++
	if off >= short && off <= long || off > -far && off < far && b.sinceOp < 5 {
		return
	}
	for b.fifoLen < n+2*longestPitch {
		at := b.first()
		if at < 0 || b.ring[at].ts > b.next {
			break
		}
		b.play(at)
	}
	before := b.fifoLen
	if off > 0 {
		if b.fifoLen < n+longestPitch {
			return
		}
		b.fifoLen = shorten(b.fifo[:b.fifoLen])
	} else {
		b.fifoLen = lengthen(b.fifo[:], b.fifoLen)
	}
	if b.fifoLen != before {
		b.sinceOp = 0
	}
}

// Playing reports whether the buffer has filled and gives sound: not before the first packet has waited
// for the target.
func (b *Buffer) Playing() bool { return b.playing }

// Stats tells what happened since New and how things stand at the last Get.
func (b *Buffer) Stats() Stats {
	s := b.stats
	s.Jitter = time.Duration(b.timing.jitter * float64(time.Millisecond) / ticksPerMs)
	s.Target = duration(b.timing.target)
	if b.playing {
		s.Delay = duration(b.waited)
	}
	return s
}

func duration(ticks int64) time.Duration { return time.Duration(ticks) * time.Millisecond / ticksPerMs }

// unwrap16 is the number nearest to last that ends in seq.
func unwrap16(last int64, seq uint16) int64 { return last + int64(int16(seq-uint16(last))) }

// unwrap32 is the number nearest to last that ends in ts.
func unwrap32(last int64, ts uint32) int64 { return last + int64(int32(ts-uint32(last))) }
