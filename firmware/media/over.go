package media

import (
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// The gain of music while somebody speaks over it, in 1/256, and how fast it is reached: 14 dB down
// within 200 ms.
const (
	fullGain = 256
	softGain = 51
	gainStep = (fullGain - softGain + 9) / 10
)

// over is what is said over sounds that loop. They go on softly.
type over struct {
	parts [][][]byte // the frames of each sound in A-law, whatever the leg's codec is
	part  int
	frame int
	gain  int // of the music in this tick
	done  func()
	ended bool // the words are over, the music becomes loud again
}

// next returns the next frame of the words; nil when they are over.
func (o *over) next() []byte {
	for o.part < len(o.parts) {
		if frames := o.parts[o.part]; o.frame < len(frames) {
			o.frame++
			return frames[o.frame-1]
		}
		o.part, o.frame = o.part+1, 0
	}
	return nil
}

// Say lets the leg hear sounds one after the other over the music that loops, which goes on softly
// meanwhile; without music it is Play. Done is as of Play. A Stop, a Play or another Say cuts the words
// off.
func (g *Leg) Say(sounds []Sound, done func()) error {
	warm(sounds, codec.PCMA)
	warm(sounds, codec.ID(g.codec.Load()))
	return g.tell(func(l *loop) {
		t := &g.talk
		if !t.loop || len(t.sounds) == 0 {
			l.hush(g)
			t.sounds, t.done = sounds, done
			l.schedule(g)
			return
		}
		o := &over{gain: fullGain, done: done}
		if t.over != nil {
			o.gain = t.over.gain
		}
		for _, s := range sounds {
			o.parts = append(o.parts, s.Frames(codec.PCMA))
		}
		t.over = o
	})
}

// sayOver sends one frame of words and soft music.
func (l *loop) sayOver(g *Leg) {
	t, c := &g.talk, &l.clock
	o := t.over
	music, _ := t.next(codec.PCMA, c.number)
	c.alaw.Decode(c.mixed[:], music)
	words := o.next()
	if words != nil {
		o.gain = max(o.gain-gainStep, softGain)
		c.alaw.Decode(c.words[:], words)
		soften(&c.mixed, o.gain, &c.words)
	} else {
		o.gain = min(o.gain+gainStep, fullGain)
		soften(&c.mixed, o.gain, &c.silence)
	}
	if g.line == nil {
		l.say(g, g.encode(l, &c.mixed))
	} else {
		g.line.WriteFrame(&c.mixed)
	}
	if words == nil && !o.ended {
		o.ended = true
		g.emit(PlayDone{})
		if o.done != nil {
			o.done()
		}
	}
	if o.ended && o.gain == fullGain && t.over == o {
		t.over = nil
	}
}

// soften lowers a frame to a gain and adds another; what is too loud is cut.
func soften(f *line.Frame, gain int, add *line.Frame) {
	for i := range f {
		f[i] = int16(max(-32768, min(32767, int(f[i])*gain/fullGain+int(add[i]))))
	}
}
