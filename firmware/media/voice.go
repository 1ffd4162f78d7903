package media

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
)

// voice is the decoded sound of a leg, for the slow path.
type voice struct {
	frame line.Frame
	has   bool
}

func (v *voice) reset() { v.has = false }

func (v *voice) push(g *Leg, _ *packet, _ time.Duration) { g.count.late++ }

// hear fills the leg's voice for this tick.
func (g *Leg) hear(*loop) {
	if g.line != nil {
		g.voice.has = g.line.ReadFrame(&g.voice.frame)
	}
}

// sayPeer sends what the peer says.
func (l *loop) sayPeer(g *Leg) {
	v := &g.peer.voice
	if !v.has {
		g.speech.pause()
		return
	}
	if g.line != nil {
		g.line.WriteFrame(&v.frame)
	}
}

// sayTone lets a leg without telephone-events hear a digit as its tones.
func (l *loop) sayTone(g *Leg) { g.talk.digits.advance() }
