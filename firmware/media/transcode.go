package media

import (
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// staleWait bounds what a re-cut packet may hold back over a hole in the stream, in samples: older sound
// would arrive when its time is over.
const staleWait = clockRate / 10

// strangeAfter is how many packets a decoder may miss, lost or not heard because of a prompt, before it is
// made anew of what the far end has said.
const strangeAfter = 8

// past keeps the payloads that a decoder with memory must have heard, newest last.
type past struct {
	id    codec.ID
	bytes []byte
}

// add takes a payload. Of a codec without memory nothing is kept.
func (h *past) add(id codec.ID, payload []byte) {
	if h.id != id {
		h.id, h.bytes = id, h.bytes[:0]
	}
	memory := id.Memory()
	if memory == 0 {
		return
	}
	if len(h.bytes)+len(payload) > 2*memory {
		h.bytes = h.bytes[:copy(h.bytes, h.last(memory))]
	}
	h.bytes = append(h.bytes, payload...)
}

// last are at most n bytes.
func (h *past) last(n int) []byte { return h.bytes[max(0, len(h.bytes)-n):] }

// encoding encodes what a leg hears, whoever says it: the far end's decoder knows only one stream, and a
// codec with memory needs one encoder that goes on, also behind payloads of other encoders that the far
// end has heard in between. Else it would burst into noise.
type encoding struct {
	encoder codec.Encoder
	id      codec.ID
	passed  past // payloads of other encoders since the last of ours
}

// encode makes the payload of pcm in a codec, in dst.
func (s *encoding) encode(dst []byte, id codec.ID, pcm []int16) []byte {
	if s.encoder == nil || s.id != id {
		s.encoder, s.id = codec.NewEncoder(id), id
	}
	if s.passed.id == id && len(s.passed.bytes) > 0 {
		codec.Follow(s.encoder, s.passed.last(id.Memory()))
	}
	s.passed.bytes = s.passed.bytes[:0]
	return dst[:s.encoder.Encode(dst, pcm)]
}

// encode makes the payload of a frame that the leg hears.
func (g *Leg) encode(l *loop, f *line.Frame) []byte {
	return g.encoding.encode(l.clock.payload[:], codec.ID(g.codec.Load()), f[:])
}

// decoding decodes what another leg says for one that has another codec, packet by packet as they
// come. Loss and jitter stay what they are, for the far end to conceal.
type decoding struct {
	src     source
	decoder codec.Decoder
	id      codec.ID
	high    uint16 // the newest sequence number decoded
}

// decoder makes one for what the leg says from packet p on.
func (g *Leg) decoder(p *packet) codec.Decoder {
	id := g.media.Codec
	if g.said.id != id || len(g.said.bytes) < len(p.payload) {
		return codec.NewDecoder(id)
	}
	before := g.said.bytes[:len(g.said.bytes)-len(p.payload)] // it is the newest
	return codec.NewDecoder(id, before[max(0, len(before)-id.Memory()):]...)
}

// transcode puts the payload of p, of what g says, into the codec of the leg that hears it, in place:
// every codec of the house takes a byte for each tick of the RTP clock. It returns false for a packet
// that a codec with memory cannot take any more, because a later one was decoded or encoded before.
func (l *loop) transcode(g, to *Leg, p *packet) bool {
	have, want := g.media.Codec, to.media.Codec
	if table := codec.Recode(have, want); table != nil {
		for i, b := range p.payload {
			p.payload[i] = table[b]
		}
		return true
	}
	t, src := &to.decoding, source{g, g.in.epoch}
	same, ahead := t.src == src && t.id == have, int16(p.seq-t.high)
	if same && ahead <= 0 {
		return false
	}
	if !same || ahead > strangeAfter {
		*t = decoding{src: src, decoder: g.decoder(p), id: have}
	}
	t.high = p.seq
	pcm := l.pcm[:t.decoder.Decode(l.pcm[:], p.payload)]
	to.encoding.encode(p.payload, want, pcm)
	return true
}

// recutting makes packets of the length that a far end wants of those of another length.
type recutting struct {
	src    source
	seq    uint16 // of the packet that should come next
	ts     uint32 // of the sample that should come next
	held   []byte // sound that is less than a packet
	lost   uint16 // packets that the far end shall miss before the next one
	marker bool   // of the next one
}

// recut sends p, of what g says, in packets of another length: sound, in the codec of the leg that hears
// it, or a telephone-event, after the sound that was said before it.
func (l *loop) recut(g, to *Leg, p *packet, event bool) {
	r := &to.recutting
	src := source{g, g.in.epoch}
	hole := p.ts - r.ts // silence or loss before p, or it repeats the timestamp of an event
	if late := int16(p.seq-r.seq) < 0; r.src != src || to.out.src != src || !late && !event && int32(hole) < 0 {
		*r = recutting{src: src, seq: p.seq, ts: p.ts, held: r.held[:0], marker: true}
		to.out.anchor(src, 0, p.ts, l.now)
		hole = 0
	} else if late {
		to.count.late++
		return
	}
	if event || hole > 0 {
		if event || hole < staleWait {
			l.sendHeld(to, len(r.held))
		}
		r.held = r.held[:0]
	}
	if event {
		r.seq = p.seq + 1
		seq, ts := to.out.next(p.ts, 0, 0, l.now)
		putMapped(p.bytes, to.media.EventSendPT, p.marker, seq, ts, to.out.ssrc)
		l.send(to, p.bytes)
		return
	}
	size := to.packetBytes()
	if hole > 0 && p.seq != r.seq { // else the sender was silent
		r.lost = uint16(max(1, min(int(hole)/size, maxMisorder)))
	}
	r.marker = r.marker || p.marker
	r.seq, r.ts = p.seq+1, p.ts+uint32(len(p.payload))
	r.held = append(r.held, p.payload...)
	for len(r.held) >= size {
		l.sendHeld(to, size)
	}
}

// sendHeld sends the first bytes of what is held.
func (l *loop) sendHeld(to *Leg, size int) {
	if size == 0 {
		return
	}
	r := &to.recutting
	b := l.clock.packet[:headerSize+size]
	copy(b[headerSize:], r.held)
	seq, ts := to.out.next(r.ts-uint32(len(r.held)), r.lost, size, l.now)
	putHeader(b, to.media.SendPT, r.marker, seq, ts, to.out.ssrc)
	r.held = r.held[:copy(r.held, r.held[size:])]
	r.lost, r.marker = 0, false
	l.send(to, b)
}

// packetBytes is how much sound the far end wants in a packet.
func (g *Leg) packetBytes() int {
	if size := 8 * g.media.Ptime; size > 0 && size <= maxPacket-headerSize {
		return size
	}
	return frameSamples
}
