package media

import (
	"fmt"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// Sound is something that is played, as prompt.Sound: a sentence, music, a tone.
type Sound interface {
	// Frames returns the sound encoded ahead, 20 ms in each payload; the caller must not change them.
	// The first call for a codec may take its time, later ones do not.
	Frames(codec.ID) [][]byte
}

// talk is what we say to a leg ourselves.
type talk struct {
	sounds []Sound
	loop   bool
	done   func()
	over   *over // said over sounds that loop

	coded  codec.ID   // the codec of parts
	parts  [][][]byte // the frames of each sound
	total  int        // frames in all parts
	part   int        // place of a sound that does not loop
	frame  int        // of a tone that loops: the next one
	digits eventWriter
	tone   *dsp.Generator // of the digit being sent as tones
}

// busy reports whether something of ours has the leg's ear.
func (t *talk) busy() bool { return len(t.sounds) > 0 || t.digits.pending() }

// shared is the length, in frames, from which sounds that loop are music with one playhead for all
// listeners. What is shorter is a tone: its rhythm begins for each listener, who would else hear
// seconds of its pause first.
const shared = 500

// next returns the frame of tick number in a codec. Music that loops follows the number; tones that
// loop, and all that does not, begin at their first frame. What does not loop ends: over is true
// after the last.
func (t *talk) next(id codec.ID, number int64) (payload []byte, over bool) {
	if t.coded != id {
		t.code(id)
	}
	if t.total == 0 {
		return nil, true
	}
	if t.loop {
		at := int(number % int64(t.total))
		if t.total < shared {
			at = t.frame % t.total
			t.frame = at + 1
		}
		for _, frames := range t.parts {
			if at < len(frames) {
				return frames[at], false
			}
			at -= len(frames)
		}
	}
	for t.part < len(t.parts) {
		if frames := t.parts[t.part]; t.frame < len(frames) {
			t.frame++
			return frames[t.frame-1], false
		}
		t.part, t.frame = t.part+1, 0
	}
	return nil, true
}

// code fetches the frames in another codec; the place in the sound stays.
func (t *talk) code(id codec.ID) {
	t.coded, t.parts, t.total = id, t.parts[:0], 0
	for _, s := range t.sounds {
		frames := s.Frames(id)
		t.parts = append(t.parts, frames)
		t.total += len(frames)
	}
}

// clear forgets the sounds, not the digits.
func (t *talk) clear() { *t = talk{digits: t.digits, tone: t.tone} }

// Play lets the leg hear sounds one after the other, in the place of whatever it heard; with again
// without end. Done, if not nil, is called on the leg's loop after the last frame of sounds that
// do not loop, never after Stop or a replacement; it must not block. A leg that is bridged hears
// its peer again afterwards.
func (g *Leg) Play(sounds []Sound, again bool, done func()) error {
	warm(sounds, codec.ID(g.codec.Load()))
	if again {
		warm(sounds, codec.PCMA) // for words over it
	}
	return g.tell(func(l *loop) {
		l.hush(g)
		g.talk.sounds, g.talk.loop, g.talk.done = sounds, again, done
		l.schedule(g)
	})
}

// warm has sounds encoded by the caller: minutes of music would hold up the loop for a good part of
// a second.
func warm(sounds []Sound, id codec.ID) {
	if !id.Audio() {
		return // not negotiated yet: Configure will
	}
	for _, s := range sounds {
		s.Frames(id)
		if id.Memory() > 0 {
			s.Frames(codec.PCMA) // for its begin
		}
	}
}

// Stop ends what Play began; nothing more is said of it.
func (g *Leg) Stop() error {
	return g.tell(func(l *loop) { l.hush(g) })
}

// SendDTMF sends digits (0-9 * # A-D) to the far end: as telephone-events (RFC 4733) where they
// are negotiated, else as tones. Each takes 260 ms. A line leg returns ErrLineLeg: its driver dials.
func (g *Leg) SendDTMF(digits string) error {
	if g.line != nil {
		return ErrLineLeg
	}
	codes := make([]uint8, 0, len(digits))
	for _, d := range digits {
		code, ok := eventCode(d)
		if !ok {
			return fmt.Errorf("%q is not a digit", d)
		}
		codes = append(codes, code)
	}
	if len(codes) > maxDigits {
		return fmt.Errorf("%d digits at once, %d at most", len(codes), maxDigits)
	}
	return g.tell(func(l *loop) { l.dial(g, codes...) })
}

// Flash sends a hook flash to the far end, as telephone-event 16 (RFC 4733): a gateway for analog lines makes a true
// one of it. Where no telephone-events are negotiated nothing is sent. A line leg returns ErrLineLeg: its driver makes it.
func (g *Leg) Flash() error {
	if g.line != nil {
		return ErrLineLeg
	}
	return g.tell(func(l *loop) {
		if g.media.EventSendPT != 0 {
			l.dial(g, flashCode)
		}
	})
}

// maxDigits bounds the digits that wait for one leg.
const maxDigits = 64

// dial queues digits towards a leg; those that find no room are lost, as on a keypad.
func (l *loop) dial(g *Leg, codes ...uint8) {
	w := &g.talk.digits
	room := maxDigits - len(w.queue)
	w.queue = append(w.queue, codes[:min(room, len(codes))]...)
	l.schedule(g)
}

// hush ends a leg's sounds.
func (l *loop) hush(g *Leg) {
	g.talk.clear()
	if g.speech.saying == sayingSound {
		g.speech.turn(sayingNothing) // digits under way keep their timestamp
	}
	l.schedule(g)
}

// saying is whose words a leg hears from us on the clock.
type saying uint8

const (
	sayingNothing saying = iota
	sayingDigits
	sayingSound
	sayingPeer
)

// speech is the way out of the clock: it cuts frames into packets of the negotiated length and
// numbers them.
type speech struct {
	saying  saying
	spurt   uint32 // 0: the next packet begins one
	offset  uint32 // in the spurt, in timestamp units, which are also bytes: 8 per millisecond
	waiting []byte // less than one packet
	// lead is how many frames of a sound are encoded for this leg in a codec with memory, until its own
	// encoder and that of the sound have come to the same state: the sound joined at once would begin with
	// a bang.
	lead int
}

// leadFrames is that number at the begin of a sound.
const leadFrames = 8

// turn ends the spurt when another begins to speak.
func (s *speech) turn(who saying) {
	if s.saying != who {
		s.saying, s.lead = who, leadFrames
		s.pause()
	}
}

func (s *speech) pause() { s.spurt, s.offset, s.waiting = 0, 0, s.waiting[:0] }

// speak sends what the leg hears in this tick.
func (g *Leg) speak(l *loop) {
	t := &g.talk
	if c := g.conference; c != nil {
		c.sum(l) // also when it hears something else: what is said may be kept
	}
	switch {
	case t.digits.pending():
		g.speech.turn(sayingDigits)
		l.sayDigit(g)
	case len(t.sounds) > 0:
		g.speech.turn(sayingSound)
		l.saySound(g)
	case g.conference != nil:
		g.speech.turn(sayingPeer)
		l.sayMix(g)
	case g.ear() != nil && !g.fast:
		g.speech.turn(sayingPeer)
		l.sayPeer(g)
	case g.echo && g.line != nil && g.voice.has:
		g.speech.turn(sayingNothing)
		g.line.WriteFrame(&g.voice.frame)
	default:
		g.speech.turn(sayingNothing)
		if g.line != nil {
			g.line.WriteFrame(&l.clock.silence)
		}
	}
}

// saySound sends one frame of what is played.
func (l *loop) saySound(g *Leg) {
	t := &g.talk
	if g.line == nil && !g.configured {
		return // the sound waits for the first offer and answer
	}
	if t.over != nil {
		l.sayOver(g)
		return
	}
	id := codec.ID(g.codec.Load())
	lead := g.speech.lead > 0 && id.Memory() > 0
	if lead {
		g.speech.lead--
		id = codec.PCMA
	}
	payload, over := t.next(id, l.clock.number)
	if over {
		done := t.done
		l.hush(g)
		g.emit(PlayDone{})
		if done != nil {
			done()
		}
		return
	}
	if g.line == nil && !lead {
		g.encoding.passed.add(id, payload)
		l.say(g, payload)
		return
	}
	var f line.Frame
	l.clock.alaw.Decode(f[:], payload)
	if lead {
		l.say(g, g.encode(l, &f))
	} else {
		g.line.WriteFrame(&f)
	}
}

// say sends encoded audio in packets of the negotiated length.
func (l *loop) say(g *Leg, payload []byte) {
	s := &g.speech
	if !g.ready() {
		g.count.unsent++
		s.pause()
		return
	}
	s.waiting = append(s.waiting, payload...)
	size := g.packetBytes()
	for len(s.waiting) >= size {
		if s.spurt == 0 {
			s.spurt = g.out.spurt()
		}
		b := l.clock.packet[:headerSize+size]
		copy(b[headerSize:], s.waiting)
		s.waiting = s.waiting[:copy(s.waiting, s.waiting[size:])]
		seq, ts, marker := g.out.made(s.spurt, s.offset, true, l.now)
		s.offset += uint32(size)
		putHeader(b, g.media.SendPT, marker, seq, ts, g.out.ssrc)
		l.send(g, b)
	}
}

// sayDigit sends one step of a digit.
func (l *loop) sayDigit(g *Leg) {
	w := &g.talk.digits
	defer l.schedule(g)
	if !g.configured || g.media.EventSendPT == 0 {
		l.sayTone(g)
		return
	}
	b := l.clock.packet[:headerSize+4]
	first, ok := w.next(b[headerSize:])
	if !ok || !g.ready() {
		return
	}
	s := &g.speech
	if first || s.spurt == 0 {
		s.spurt = g.out.spurt()
	}
	seq, ts, marker := g.out.made(s.spurt, 0, false, l.now)
	putHeader(b, g.media.EventSendPT, marker, seq, ts, g.out.ssrc)
	l.send(g, b)
}
