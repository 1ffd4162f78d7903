package media

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Event is something that happened on a leg. Events are delivered on the goroutine of the leg's
// loop, in order; the receiver must not block and must not call a method of Leg or Engine that
// waits (Configure, Bridge, Unbridge, Stats).
type Event interface{ legEvent() }

// FirstPacket says that the first believed RTP packet arrived: the audio path works inward.
type FirstPacket struct{}

// Digit is one key press of the far end, by telephone-event or, on a line, by its tones. It is
// reported also while the leg is bridged.
type Digit struct {
	Digit    rune // 0-9 * # A-D
	Duration time.Duration
}

// Flash is a hook flash of the far end, by telephone-event (RFC 4733 event 16): the key R of a telephone.
type Flash struct{}

// PlayDone says that a Play which does not loop was heard to its end.
type PlayDone struct{}

// Timeout says that no believed packet arrived for Silence although the far end may send. It is
// sent once; packets that come again end it.
type Timeout struct{ Silence time.Duration }

// Latched says that the far end's audio comes from Addr and ours goes there.
type Latched struct{ Addr netip.AddrPort }

// Failed says that the leg was closed because of a fault of our own, already logged.
type Failed struct{}

func (FirstPacket) legEvent() {}
func (Digit) legEvent()       {}
func (Flash) legEvent()       {}
func (PlayDone) legEvent()    {}
func (Timeout) legEvent()     {}
func (Latched) legEvent()     {}
func (Failed) legEvent()      {}

// digits are the telephone-events 0 to 15 (RFC 4733 section 3.2).
const digits = "0123456789*#ABCD"

// flashCode is the hook flash (RFC 4733 table 7); it has no tone.
const flashCode = uint8(len(digits))

// pressable are the events that are told, each as a rune; that of the flash is no key.
const pressable = digits + "!"

// eventCode returns the telephone-event of a digit.
func eventCode(digit rune) (uint8, bool) {
	for i, d := range digits {
		if d == digit {
			return uint8(i), true
		}
	}
	return 0, false
}

const (
	// eventSegment is the longest duration one event can state; a longer press goes on in the next
	// segment (RFC 4733 section 2.5.1.3).
	eventSegment = 0xffff
	// eventSilence without an update ends an event whose three end packets were all lost.
	eventSilence = 200 * time.Millisecond
)

// eventReader turns the packets of RFC 4733 into key presses, each exactly once.
type eventReader struct {
	active   bool
	code     uint8
	ts       uint32 // of the current segment
	earlier  uint32 // duration of the segments before
	duration uint32 // of this segment, in timestamp units
	heard    time.Duration
	done     bool   // doneTS is valid
	doneTS   uint32 // timestamp of the last finished event: repeats of its end are ignored
}

// packet takes one telephone-event packet and calls emit for each press that it completes.
func (r *eventReader) packet(ts uint32, payload []byte, now time.Duration, emit func(Digit)) {
	if len(payload) < 4 || payload[0] > flashCode {
		return
	}
	code, end := payload[0], payload[1]&0x80 != 0
	duration := uint32(binary.BigEndian.Uint16(payload[2:]))
	if r.done && int32(ts-r.doneTS) <= 0 {
		return
	}
	switch {
	case r.active && int32(ts-r.ts) < 0:
		return // a late packet of an earlier segment
	case r.active && ts != r.ts && code == r.code && ts == r.ts+eventSegment:
		r.earlier += eventSegment
		r.ts, r.duration = ts, 0
	case r.active && ts != r.ts:
		r.finish(emit)
		fallthrough
	case !r.active:
		r.active, r.code, r.ts, r.earlier, r.duration = true, code, ts, 0, 0
	case code != r.code:
		return // contradicts its own start
	}
	r.heard = now
	r.duration = max(r.duration, duration)
	if end {
		r.finish(emit)
	}
}

// expire ends an event that went silent without an end packet.
func (r *eventReader) expire(now time.Duration, emit func(Digit)) {
	if r.active && now-r.heard > eventSilence {
		r.finish(emit)
	}
}

func (r *eventReader) finish(emit func(Digit)) {
	total := time.Duration(r.earlier+r.duration) * time.Second / clockRate
	r.active, r.done, r.doneTS = false, true, r.ts
	emit(Digit{Digit: rune(pressable[r.code]), Duration: total})
}

// Shape of a digit that we send, in ticks of 20 ms: 160 ms tone and 100 ms pause. ITU-T Q.24 asks
// receivers for 40 ms each; slow menus want more.
const (
	toneTicks  = 8
	pauseTicks = 5
	endPackets = 3 // RFC 4733 section 2.5.1.4: the end is sent three times
	eventLevel = 10
)

// eventWriter turns digits into the packets of RFC 4733, one step per tick.
type eventWriter struct {
	queue []uint8 // event codes
	step  int     // tick within the first digit of queue
}

// pending reports whether a digit is being sent.
func (w *eventWriter) pending() bool { return len(w.queue) > 0 }

// digit is the code being sent and whether this is its first tick, for legs that get tones instead.
func (w *eventWriter) digit() (code uint8, first bool) { return w.queue[0], w.step == 0 }

// next makes the payload of this tick. First is true on the first packet of a digit (marker, new
// timestamp); ok is false in the pause between two digits.
func (w *eventWriter) next(payload []byte) (first, ok bool) {
	step := w.step
	code := w.queue[0]
	w.advance()
	if step >= toneTicks-1+endPackets {
		return false, false
	}
	payload[0], payload[1] = code, eventLevel
	if step >= toneTicks-1 {
		payload[1] |= 0x80
	}
	binary.BigEndian.PutUint16(payload[2:], uint16(frameSamples*min(step+1, toneTicks)))
	return step == 0, true
}

// advance goes one tick on.
func (w *eventWriter) advance() {
	if w.step++; w.step >= toneTicks+pauseTicks {
		w.step = 0
		w.queue = w.queue[1:]
	}
}
