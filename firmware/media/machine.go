package media

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Machine says that the far end is a fax machine, a card terminal or an alarm: each of its tones once.
// From now on the leg and its peer are transparent.
type Machine struct {
	Tone dsp.ModemTone
	Kind tel.Machine // what all of its tones tell
}

func (Machine) legEvent() {}

const (
	// machineWait is the fixed delay of a transparent leg on the slow path. A modem waits for seconds, but
	// never forgives a sample that is missing or one too many.
	machineWait = 100 * time.Millisecond
	// lookEvery is how many packets pass between two looks for the first tone of a machine.
	lookEvery = 3
)

// machines is the set of tones that were heard of one leg.
type machines uint8

func (m machines) has(t dsp.ModemTone) bool { return m>>t&1 != 0 }

// kind is what such tones are from, empty for none.
func (m machines) kind() tel.Machine {
	switch {
	case m.has(dsp.CNG), m.has(dsp.V21):
		return tel.MachineFax
	case m != 0:
		return tel.MachineModem
	}
	return ""
}

// overhear hears what a packet of sound says besides words. It is on the way of every packet, so it looks
// at one in three until a tone has begun; sound of G.722 is looked at for keys only, because no machine
// comes through it.
func (l *loop) overhear(g *Leg, p *packet) {
	if g.heardSlowly() {
		return // the jitter buffer will bring it into order
	}
	keys := g.detector != nil && g.machines == 0
	look := false
	if g.media.Codec != codec.G722 {
		g.looks++
		look = g.looks%lookEvery == 0 || g.modem.Engaged()
	}
	if !keys && !look {
		return
	}
	if g.listener == nil || g.listens != g.media.Codec {
		g.listener, g.listens = codec.NewDecoder(g.media.Codec), g.media.Codec
	}
	pcm := l.listened[:g.listener.Decode(l.listened[:], p.payload)]
	if look {
		g.heardAs.Loudness(loud(pcm))
		l.heardMachine(g, g.modem.Process(pcm))
	}
	if keys {
		g.hearsKeys(l, pcm)
		if g.detector.Sounding() && g.saysAnew() {
			g.hushKey(p)
		}
	}
}

// loud reports whether a frame holds more than the hiss of a line that nobody speaks into: a sample of
// about -60 dBm0. A muted microphone sends less.
func loud(pcm []int16) bool {
	const hiss = 24
	for _, s := range pcm {
		if s > hiss || s < -hiss {
			return true
		}
	}
	return false
}

// overhearFrame does the same for this tick's frame of the slow path.
func (l *loop) overhearFrame(g *Leg) {
	if g.line != nil || g.media.Codec != codec.G722 {
		g.heardAs.Loudness(loud(g.voice.frame[:]))
		l.heardMachine(g, g.modem.Process(g.voice.frame[:]))
	}
	g.hearKeys(l)
}

// heardMachine makes a leg and its peer transparent: what they say is delayed by a fixed time, never
// stretched, and what is lost is silence.
func (l *loop) heardMachine(g *Leg, t dsp.ModemTone) {
	if t == 0 || g.machines.has(t) {
		return
	}
	first := g.machines == 0
	g.machines |= 1 << t
	if first {
		if p := g.peer; p != nil && g.fast && !unclocked(g, p) {
			l.reroute(g) // its sound takes the way of the fixed wait from this packet on
		}
		for _, x := range [...]*Leg{g, g.peer} {
			if x != nil && x.voice.ring != nil {
				x.voice.ring.Fix(machineWait)
			}
		}
		l.changed(g)
	}
	g.emit(Machine{Tone: t, Kind: g.machines.kind()})
}

// transparent reports whether what the leg says must stay as it is.
func (g *Leg) transparent() bool {
	return g.machines != 0 || g.peer != nil && g.peer.machines != 0
}
