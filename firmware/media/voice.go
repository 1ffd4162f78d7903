package media

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/jitter"
)

// voice is what a leg says, decoded: the slow path's state, made when a bridge first needs it and
// dropped with the bridge.
type voice struct {
	frame line.Frame // 20 ms of this tick
	has   bool       // frame holds sound of this tick

	ring    *jitter.Buffer
	heard   codec.ID // what ring decodes
	earlier uint64   // samples that rings of before have invented
}

func (v *voice) reset() { *v = voice{earlier: v.concealed()} }

// concealed counts the samples that were invented for lost sound.
func (v *voice) concealed() uint64 {
	if v.ring == nil {
		return v.earlier
	}
	return v.earlier + v.ring.Stats().Concealed
}

// push takes a packet of sound.
func (v *voice) push(g *Leg, p *packet, now time.Duration) {
	if v.ring == nil || v.heard != g.media.Codec {
		v.earlier = v.concealed()
		v.ring, v.heard = jitter.New(g.decoder(p)), g.media.Codec
		if g.transparent() {
			v.ring.Fix(machineWait)
		}
	}
	v.ring.Put(g.engine.start.Add(now), jitter.Packet{
		SSRC: p.ssrc, Sequence: p.seq, Timestamp: p.ts, Payload: p.payload,
	})
}

// skip takes note of a packet that has a sequence number but no sound.
func (v *voice) skip(p *packet) {
	if v.ring != nil {
		v.ring.Event(p.seq)
	}
}

// hear takes what the leg says in this tick.
func (g *Leg) hear(l *loop) {
	v := &g.voice
	if g.line != nil {
		if v.has = g.line.ReadFrame(&v.frame); v.has {
			g.keepFrame(&v.frame, l.clock.beat)
			if g.tap != nil {
				g.tap.frame(&v.frame, l.clock.beat)
			}
		}
		if v.has {
			l.overhearFrame(g)
		}
		return
	}
	v.has = v.ring != nil
	if v.has {
		v.ring.Get(g.engine.start.Add(l.clock.beat), v.frame[:])
		l.overhearFrame(g)
	}
}

// sayPeer sends on what the peer says.
func (l *loop) sayPeer(g *Leg) {
	v := &g.ear().voice
	switch {
	case !v.has:
		g.speech.pause()
		if g.line != nil {
			g.line.WriteFrame(&l.clock.silence)
		}
	case g.line != nil:
		g.line.WriteFrame(&v.frame)
	default:
		l.say(g, g.encode(l, &v.frame))
	}
}

// sayTone lets a leg without telephone-events hear a digit as its tones.
func (l *loop) sayTone(g *Leg) {
	if g.traced != nil {
		g.traced.key(l)
	}
	t := &g.talk
	if code, first := t.digits.digit(); first || t.tone == nil {
		tone := dsp.Tone{Steps: []dsp.Step{{For: (toneTicks + pauseTicks) * tick}}, Once: true} // of a flash, queued before events ended
		if code != flashCode {
			tone, _ = dsp.Digits(digits[code:code+1], toneTicks*tick, pauseTicks*tick)
		}
		t.tone = dsp.NewGenerator(tone)
	}
	t.digits.advance()
	var f line.Frame
	t.tone.Next(f[:])
	if !t.digits.pending() {
		t.tone = nil
	}
	if g.configured {
		l.say(g, g.encode(l, &f))
	}
}
