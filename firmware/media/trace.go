package media

import (
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/codec/opus"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/trace/capture"
)

// How much sound around a key is covered: what came before the key was known, with what a jitter buffer may still
// hold of it, and what is on its way to others.
const (
	coverBefore = 300 * time.Millisecond
	coverAfter  = 500 * time.Millisecond
)

// traced has the packets of a leg kept for a trace. It belongs to the leg's loop; a leg that is not traced has none,
// and to it a packet costs one look at a field.
type traced struct {
	call *capture.Call

	// In the sound of whoever presses keys there may be tones, also where telephone-events were agreed.
	keys    dsp.DTMF
	down    bool
	decoder codec.Decoder
	decodes codec.ID
	opus    *opus.Decoder
}

// legs are those of an engine by their names.
type legs struct {
	mu  sync.Mutex
	all map[tel.LegID]*Leg
}

func (x *legs) add(g *Leg) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all == nil {
		x.all = map[tel.LegID]*Leg{}
	}
	x.all[g.id] = g
}

func (x *legs) remove(g *Leg) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all[g.id] == g {
		delete(x.all, g.id)
	}
}

func (x *legs) find(id tel.LegID) *Leg {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all[id]
}

// Trace has the believed RTP and RTCP packets of a leg, as they were received and sent, kept as those of a call from
// now on; nil ends it. SRTP is kept decrypted, T.38 is not kept. Of a line, which has no packets, only its keys are
// listened for, so that other legs' sound of them can be covered. It does not wait; a leg that is not known, or gone,
// is left alone.
func (e *Engine) Trace(id tel.LegID, call *capture.Call) {
	g := e.legs.find(id)
	if g == nil {
		return
	}
	_ = g.tell(func(*loop) { // a leg that is closing has nothing more to keep
		switch {
		case call == nil:
			g.traced = nil
		case g.traced == nil || g.traced.call != call:
			g.traced = &traced{call: call}
		}
	})
}

// when is a time of the engine's clock.
func (e *Engine) when(now time.Duration) time.Time { return e.start.Add(now) }

// speaks is the codec on the wire.
func (g *Leg) speaks() codec.ID {
	if g.opus != nil {
		return codec.Opus
	}
	return g.media.Codec
}

// traceReceived keeps a packet that is believed. Known says that its payload type was agreed.
func (l *loop) traceReceived(g *Leg, p *packet, known, event bool, from *address) {
	t := g.traced
	start := len(p.bytes) - len(p.payload)
	if p.bytes[0]&0x20 != 0 && start > 0 { // padding stands behind
		start -= int(p.bytes[len(p.bytes)-1])
	}
	k := capture.Packet{
		At: l.engine.when(l.now), Secured: g.secret != nil, LocalPort: g.ports.rtp.port, Remote: from.addrPort(),
		Codec: g.speaks(), Start: start, End: start + len(p.payload), Bytes: p.bytes,
	}
	switch {
	case event:
		k.Codec = codec.TelephoneEvent
		t.key(l)
	case !known:
		k.Covered = capture.Unknown
	default:
		t.listen(l, g, p)
	}
	t.call.Keep(&k)
}

// traceSent keeps a packet that was sent, as it was before it was encrypted.
func (l *loop) traceSent(g *Leg, b []byte) {
	var p packet
	if !p.parse(b) {
		return
	}
	id := g.speaks()
	if p.pt == g.media.EventSendPT && p.pt != 0 {
		id = codec.TelephoneEvent
		g.traced.key(l)
	}
	start := len(b) - len(p.payload)
	if b[0]&0x20 != 0 {
		start -= int(b[len(b)-1])
	}
	g.traced.call.Keep(&capture.Packet{
		At: l.engine.when(l.now), Out: true, Secured: g.secret != nil, LocalPort: g.ports.rtp.port, Remote: g.latch.target().addrPort(),
		Codec: id, Start: start, End: start + len(p.payload), Bytes: b,
	})
}

// traceControl keeps a compound packet of RTCP.
func (l *loop) traceControl(g *Leg, b []byte, out bool, remote *address) {
	port := g.ports.rtcp.port
	if g.control.mux {
		port = g.ports.rtp.port
	}
	g.traced.call.Keep(&capture.Packet{
		At: l.engine.when(l.now), Out: out, Control: true, Secured: g.secret != nil, LocalPort: port, Remote: remote.addrPort(), Bytes: b,
	})
}

// key covers the sound of the call around this moment.
func (t *traced) key(l *loop) {
	now := l.engine.when(l.now)
	t.call.Cover(now.Add(-coverBefore), now.Add(coverAfter))
}

// listen looks for the tones of keys in a packet of sound.
func (t *traced) listen(l *loop, g *Leg, p *packet) {
	var pcm []int16
	if id := g.speaks(); id == codec.Opus {
		if t.opus == nil {
			t.opus = opus.NewDecoder()
		}
		pcm = l.listened[:t.opus.Decode(l.listened[:], p.payload)]
	} else {
		if t.decoder == nil || t.decodes != id {
			t.decoder, t.decodes = codec.NewDecoder(id), id
		}
		pcm = l.listened[:t.decoder.Decode(l.listened[:], p.payload)]
	}
	t.heard(l, t.keys.Process(pcm))
}

// heard covers the keys that begin, last and end in the newest sound.
func (t *traced) heard(l *loop, events []dsp.DigitEvent) {
	for _, d := range events {
		t.down = d.Down
	}
	if t.down || len(events) > 0 {
		t.key(l)
	}
}
