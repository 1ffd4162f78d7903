package media

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/quality"
)

const (
	// stepSamples is how much sound has one level of quality.Echo.
	stepSamples = int(clockRate * quality.EchoStep / time.Second)
	// apart is how far the place of a sound in time may be from the clock: then its sender stood still.
	apart = int64(500 * time.Millisecond / quality.EchoStep)
)

// returning looks for echo: whether what a party is told comes back from it.
type returning struct {
	echo quality.Echo
	// Where its sound is in time, by its timestamps: packets that wait on the way have not been said later.
	epoch uint32
	ts    uint32
	step  int64
}

// place is the step of a packet's first sound.
func (r *returning) place(epoch uint32, p *packet, now time.Duration) int64 {
	due := int64(now / quality.EchoStep)
	step := r.step + int64(int32(p.ts-r.ts))/int64(stepSamples)
	if r.epoch != epoch || step < due-apart || step > due+apart {
		r.epoch, r.ts, r.step = epoch, p.ts, due
		return due
	}
	return step
}

// listenForEcho takes the levels of a packet that g says and to hears. Only G.711 can be weighed byte by byte, which
// costs the way of the packets next to nothing; between two looks it costs nothing.
func (l *loop) listenForEcho(g, to *Leg, p *packet) {
	squares := squaresOf(g.media.Codec)
	if squares == nil || g == to {
		return
	}
	if g.returned == nil {
		g.returned = &returning{}
	}
	if to.returned == nil {
		to.returned = &returning{}
	}
	step := g.returned.place(g.in.epoch, p, l.now)
	said, heard := &to.returned.echo, &g.returned.echo
	if said.Idle(step) && heard.Idle(step) {
		return
	}
	for b := p.payload; len(b) >= stepSamples; b = b[stepSamples:] {
		var sum float32
		for _, x := range b[:stepSamples] {
			sum += squares[x]
		}
		db := quality.Level(float64(sum) / float64(stepSamples))
		said.Sent(step, db)
		if !heard.Idle(step) {
			heard.Heard(step, db)
		}
		step++
	}
}

// squaresOf gives the square of each byte's sample; nil for a codec whose bytes are no samples.
func squaresOf(id codec.ID) *[256]float32 {
	switch id {
	case codec.PCMA:
		return &aLawSquares
	case codec.PCMU:
		return &muLawSquares
	}
	return nil
}

// They are only read.
var (
	aLawSquares  = squares(codec.PCMA)
	muLawSquares = squares(codec.PCMU)
)

func squares(id codec.ID) (table [256]float32) {
	d := codec.NewDecoder(id)
	for b := range table {
		var pcm [1]int16
		d.Decode(pcm[:], []byte{byte(b)})
		table[b] = float32(pcm[0]) * float32(pcm[0])
	}
	return table
}
