package media

import (
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// A key is heard once and in one form. Who has negotiated telephone-events is believed in them alone,
// and the tones that some phones send beside are silenced (RFC 4733 section 2.6 would have the sender
// leave them out). Of all others the tones are listened to, and are taken out of the sound wherever
// the key is said anew: as an event, or dialled by a line.

// listenForKeys makes a leg's detector, or ends it where keys come as events.
func (g *Leg) listenForKeys() {
	switch {
	case g.line == nil && g.media.EventRecvPT != 0:
		g.detector = nil
	case g.detector == nil:
		g.detector = new(dsp.DTMF)
	}
}

// hearsKeys looks for keys in sound.
func (g *Leg) hearsKeys(l *loop, pcm []int16) {
	events := g.detector.Process(pcm)
	if g.traced != nil {
		g.traced.heard(l, events)
	}
	for _, d := range events {
		if d.Down || g.line != nil && !g.detects {
			continue
		}
		g.emit(Digit{Digit: rune(d.Key), Duration: d.For})
		if code, ok := eventCode(rune(d.Key)); ok && g.saysAnew() && g.line == nil && g.peer.line == nil {
			l.dial(g.peer, code)
		}
	}
}

// saysAnew reports whether the other party gets the keys of this one in another form than its sound. Those
// of a line and for a line are dialled by the call.
func (g *Leg) saysAnew() bool {
	p := g.peer
	return p != nil && (g.line != nil || p.line != nil || p.media.EventSendPT != 0)
}

// hearKeys looks for keys in a frame of the slow path, and takes them out of what others hear.
func (g *Leg) hearKeys(l *loop) {
	if g.detector == nil || g.machines != 0 {
		return
	}
	f := &g.voice.frame
	g.hearsKeys(l, f[:])
	if g.detector.Sounding() && g.saysAnew() {
		*f = line.Frame{}
	}
}

// hushKey silences a packet of sound that comes while a telephone-event is on.
func (g *Leg) hushKey(p *packet) {
	if b, ok := g.media.Codec.Silence(); ok {
		for i := range p.payload {
			p.payload[i] = b
		}
		return
	}
	copy(p.payload, g722Silence[:])
}

// g722Silence is digital silence in the codec that has no byte for it. It is only read.
var g722Silence = func() (b [maxPacket]byte) {
	codec.NewEncoder(codec.G722).Encode(b[:], make([]int16, len(b)))
	return b
}()
