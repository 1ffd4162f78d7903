package media

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/codec/opus"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// opusTicks is how many ticks of the clock of Opus pass in one of ours.
const opusTicks = codec.OpusClock / clockRate

// opusHull is what a leg that speaks Opus speaks towards the rest of the house.
const opusHull = codec.PCMA

// opusEdge turns the packets of a far end that speaks Opus into A-law ones as they arrive, and back as they
// leave: no other part of the engine knows of packets without a fixed length, or of another clock. Between two
// such far ends packets pass as they are, while nobody listens or records.
type opusEdge struct {
	params  sdp.Opus
	encoder *opus.Encoder
	decoder *opus.Decoder

	// The clock of what arrives: ours has no wrap in common with theirs, so theirs is unrolled.
	wire    uint32
	elapsed int64

	epoch  uint32 // the stream that was decoded
	high   uint16 // its newest sequence number
	next   uint32 // the timestamp of the sound that follows
	passed bool   // the newest packet went by as it was
	passes bool   // what the far end hears now are packets of another, as they were

	pcm    [opus.MaxSamples]int16
	opened [headerSize + opus.MaxSamples]byte
	sealed [maxPacket]byte
}

func newOpusEdge(params sdp.Opus) *opusEdge {
	return &opusEdge{params: params, encoder: opus.NewEncoder(params.MaxBitrate, params.Constant), decoder: opus.NewDecoder()}
}

// hull takes an agreement on Opus: it makes the leg's edge, and returns the agreement that the rest of the
// engine sees.
func (g *Leg) hull(m sdp.Media) sdp.Media {
	if m.Codec != codec.Opus {
		g.engine.opus.leaves(g)
		g.opus = nil
		return m
	}
	if g.opus == nil {
		g.opus = newOpusEdge(m.Opus)
		g.engine.opus.enters(g)
	} else if g.opus.params != m.Opus {
		passes := g.opus.passes
		g.opus.params, g.opus.encoder, g.opus.passes = m.Opus, opus.NewEncoder(m.Opus.MaxBitrate, m.Opus.Constant), passes
	}
	m.Codec = opusHull
	return m
}

// agreed is what offer and answer agreed.
func (g *Leg) agreed() sdp.Media {
	m := g.media
	if g.opus != nil {
		m.Codec = codec.Opus
	}
	return m
}

// wireTicks is how many ticks of the far end's RTP clock pass in one of ours.
func (g *Leg) wireTicks() uint32 {
	if g.opus != nil {
		return opusTicks
	}
	return 1
}

// aeon keeps what is divided above 0, where division rounds the other way.
const aeon = opusTicks << 40

// clock sets the timestamp of a packet to our clock.
func (e *opusEdge) clock(p *packet) {
	e.elapsed += int64(int32(p.ts - e.wire))
	e.wire = p.ts
	p.ts = uint32((e.elapsed + aeon) / opusTicks)
}

// openEvent sets the duration of a telephone-event to our clock.
func (e *opusEdge) openEvent(p *packet) {
	if e.params.EventClock == codec.OpusClock && len(p.payload) >= 4 {
		d := binary.BigEndian.Uint16(p.payload[2:])
		binary.BigEndian.PutUint16(p.payload[2:], d/opusTicks)
	}
}

// openOpus makes a packet of Opus one of A-law, unless it can pass as it is. It returns false when there is
// nothing to hear: the packet is none, or comes after a later one.
func (l *loop) openOpus(g *Leg, p *packet) bool {
	e := g.opus
	if g.passesOpus() {
		p.coded, e.passed = true, true
		return true
	}
	ahead := int16(p.seq - e.high)
	switch {
	case e.passed || e.epoch != g.in.epoch:
		e.decoder.Reset()
	case ahead <= 0:
		g.count.late++
		return false
	case ahead == 2:
		if n := e.decoder.Recover(e.pcm[:], p.payload, int(int32(p.ts-e.next))); n > 0 {
			q := packet{seq: p.seq - 1, ts: p.ts - uint32(n), ssrc: p.ssrc, pt: p.pt}
			e.fill(&q, n)
			l.engine.opus.recovered.Add(1)
			l.forward(g, &q, false)
		}
	}
	n := e.decoder.Decode(e.pcm[:], p.payload)
	e.epoch, e.high, e.next, e.passed = g.in.epoch, p.seq, p.ts+uint32(n), false
	if n == 0 {
		l.opusFault(g)
		return false
	}
	e.fill(p, n)
	return true
}

// opusFault counts a packet that holds no sound, and says so once for each leg.
func (l *loop) opusFault(g *Leg) {
	if g.count.broken++; g.count.broken == 1 {
		l.engine.junk.note("a packet of Opus that cannot be decoded is left out", errJunkOpus, slog.String("leg", string(g.id)))
	}
}

var errJunkOpus = errors.New("it follows no form of RFC 6716")

// fill makes p a packet of the n samples that were decoded.
func (e *opusEdge) fill(p *packet, n int) {
	b := e.opened[:headerSize+n]
	n = hullEncoder.Encode(b[headerSize:], e.pcm[:n])
	putHeader(b, p.pt, p.marker, p.seq, p.ts, p.ssrc)
	p.bytes, p.payload = b, b[headerSize:headerSize+n]
}

// The hull's codec has no state.
var (
	hullEncoder = codec.NewEncoder(opusHull)
	hullDecoder = codec.NewDecoder(opusHull)
)

// passesOpus reports whether what the leg says needs no decoding: its peer takes it as it is, and nobody else
// listens.
func (g *Leg) passesOpus() bool {
	to := g.peer
	return to != nil && to.opus != nil && g.fast && !g.echo && g.conference == nil && g.audience == nil &&
		g.record == nil && g.tap == nil && g.detector == nil && !g.events.active
}

// passOpus sends a packet of g on to a leg that also speaks Opus.
func (l *loop) passOpus(g, to *Leg, p *packet) {
	if e := to.opus; !e.passes {
		e.passes = true
		to.out.src = source{} // the numbers of packets that were cut anew are others
	}
	seq, ts, marker, ok := to.out.relayed(source{g, g.in.epoch}, p, true, l.now)
	if !ok {
		to.count.late++
		return
	}
	putMapped(p.bytes, to.media.SendPT, marker, seq, opusTicks*ts, to.out.ssrc)
	l.transmit(to, p.bytes)
}

// recuts reports whether what g says must be cut anew for the leg that hears it: Opus has few lengths, and not
// all senders keep to theirs.
func (to *Leg) recuts(g *Leg) bool {
	if to.opus != nil {
		return !to.opus.passes
	}
	return g.media.Ptime != to.media.Ptime
}

// unpass ends the passing of packets as they are: what comes now is encoded here.
func (to *Leg) unpass() {
	if e := to.opus; e != nil && e.passes {
		e.passes = false
		e.encoder.Reset()
		to.out.src, to.recutting = source{}, recutting{held: to.recutting.held[:0]}
	}
}

// sealOpus makes an A-law packet or a telephone-event one for a far end that speaks Opus; nil: there is none.
func (g *Leg) sealOpus(b []byte) []byte {
	e := g.opus
	out := e.sealed[:]
	copy(out, b[:headerSize])
	binary.BigEndian.PutUint32(out[4:], opusTicks*binary.BigEndian.Uint32(b[4:]))
	if pt := b[1] & 0x7f; pt == g.media.EventSendPT && pt != 0 {
		out = out[:copy(out[headerSize:], b[headerSize:])+headerSize]
		if e.params.EventClock == codec.OpusClock && len(out) >= headerSize+4 {
			d := binary.BigEndian.Uint16(out[headerSize+2:])
			binary.BigEndian.PutUint16(out[headerSize+2:], uint16(min(opusTicks*int(d), eventSegment)))
		}
		return out
	}
	n := hullDecoder.Decode(e.pcm[:], b[headerSize:])
	n = e.encoder.Encode(out[headerSize:], e.pcm[:min(n, opus.Frame(n))])
	if n == 0 {
		g.count.unsent++
		return nil
	}
	return out[:headerSize+n]
}

// opusLegs counts the legs that speak Opus, against what the board carries.
type opusLegs struct {
	most      int
	now       atomic.Int64
	over      atomic.Int64 // that were taken beyond, because the far end has nothing else
	recovered atomic.Int64 // lost packets that the next one brought again
}

func (o *opusLegs) enters(g *Leg) {
	if n := o.now.Add(1); n > int64(o.most) {
		o.over.Add(1)
		g.engine.trouble.note("more legs speak Opus than the board is meant to carry: their phones offer nothing else", errManyOpus,
			slog.Int64("legs", n), slog.Int("most", o.most), slog.String("leg", string(g.id)))
	}
}

var errManyOpus = errors.New("see media.opus_max")

func (o *opusLegs) leaves(g *Leg) {
	if g.opus != nil {
		o.now.Add(-1)
	}
}

// OpusRoom reports whether one more leg may speak Opus, which costs the box some seven times what G.711 does. It
// may be called from any goroutine; between the answer and a leg that is configured others may come, so the bound
// is no wall.
func (e *Engine) OpusRoom() bool { return e.opus.now.Load() < int64(e.opus.most) }

// opusPerCore is how many legs of Opus a core of a Pi 4 carries beside its calls: each takes about a thirtieth.
const opusPerCore = 4

// opusMost is the bound that a configuration sets.
func opusMost(configured int) int {
	if configured != 0 {
		return max(configured, 0)
	}
	return opusPerCore * runtime.NumCPU()
}

// SpeaksOpus reports whether any leg may speak Opus.
func (e *Engine) SpeaksOpus() bool { return e.opus.most > 0 }
