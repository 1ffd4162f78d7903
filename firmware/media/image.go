package media

import (
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Stranded says that the leg is in T.38 and whoever it is bridged with, if anybody, is not: what the
// machine sends reaches nobody until both are in T.38, or the leg has audio again.
type Stranded struct{}

func (Stranded) legEvent() {}

// Errors of a leg that cannot be in T.38.
var (
	errNoSound = errors.New("a leg begins with audio: T.38 takes the place of that")
	errSealed  = errors.New("a leg whose audio is encrypted does not go on in the clear (T.38 over UDPTL)")
)

// imageSilence is how long two machines may say nothing to each other: with T.30 a page may wait for a
// person, and unlike audio silence is not sent.
const imageSilence = 2 * time.Minute

// image follows the datagrams of T.38 over UDPTL (ITU-T T.38 section 9.1) of one leg. They are passed on as they
// are: two machines correct the losses of the whole way between them, so nothing may be renumbered.
type image struct {
	started        bool
	seq            uint16 // of the last datagram
	received, sent uint64
}

// parseImage reads the number of a UDPTL datagram and looks whether the first message fits into it. It returns
// false for what is none, such as what keeps a NAT open.
func (p *packet) parseImage(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	size, head := int(b[2]), 3 // the length, as PER writes it (ITU-T X.691 section 10.9)
	if b[2]&0x80 != 0 {
		size, head = int(b[2]&0x3f)<<8|int(b[3]), 4
		if b[2]&0x40 != 0 {
			return false // in fragments of 16 KB
		}
	}
	if size == 0 || head+size > len(b) {
		return false
	}
	*p = packet{bytes: b, seq: uint16(b[0])<<8 | uint16(b[1])}
	return true
}

// leftover reports whether a datagram is sound or a report that was on its way when the leg became T.38. To a machine it
// would be a number far ahead, and what follows it late.
func (i *image) leftover(p *packet, m *sdp.Media) bool {
	b := p.bytes
	if b[0]>>6 != 2 || i.started && (p.seq-i.seq < maxDropout || i.seq-p.seq <= maxMisorder) {
		return false
	}
	pt := b[1] & 0x7f
	return pt == m.RecvPT || pt == m.EventRecvPT && pt != 0 || looksLikeRTCP(b)
}

// arrivedImage takes one datagram from the port of a leg in T.38: from whom audio would be believed it is sent on,
// unchanged, to a peer that is in T.38 too. It allocates nothing and waits for nothing.
func (l *loop) arrivedImage(g *Leg, b []byte, from *address) {
	p := &l.pkt
	if !p.parseImage(b) {
		l.junk(g)
		return
	}
	if g.image.leftover(p, &g.media) {
		g.count.late++
		return
	}
	switch g.latch.packet(from, p, l.now) {
	case stranger:
		l.stranger(g)
		return
	case newlyLocked:
		l.latched(g)
	}
	g.image.started, g.image.seq = true, p.seq
	g.image.received++
	g.heard, g.silent = l.now, false
	to := g.peer
	if to == nil || !to.media.Image || !to.latch.target().set() {
		g.count.unsent++
		return
	}
	if errno := to.ports.rtp.send(b, to.latch.target()); errno != 0 {
		to.count.sendErrors++
		return
	}
	to.image.sent++
}

// configureImage makes a leg one of T.38. What its audio was is kept for afterwards.
func (l *loop) configureImage(g *Leg, m sdp.Media) error {
	switch {
	case !g.configured:
		return errNoSound
	case g.secret != nil:
		return errSealed
	}
	signalled := g.ports.rtp.address(m.Remote)
	if m.Remote.IsValid() && m.Remote.Port() != 0 && !signalled.set() {
		return errFamily(m.Remote)
	}
	if !g.media.Image {
		l.changeKind(g)
	}
	g.media.Image, g.media.Remote = true, m.Remote
	g.latch.image = true
	g.latch.arm(signalled, g.learn, l.now)
	l.reroute(g)
	l.strand(g)
	l.changed(g)
	return nil
}

// changeKind begins anew what counts for the stream of before.
func (l *loop) changeKind(g *Leg) {
	g.heard, g.silent = l.now, false
	g.image = image{received: g.image.received, sent: g.image.sent}
	if p := g.peer; p != nil {
		p.out.src = source{}
	}
}

// strand tells of a leg in T.38 that cannot reach anybody, and of its peer.
func (l *loop) strand(g *Leg) {
	for _, x := range [...]*Leg{g, g.peer} {
		if x != nil && x.isStranded() {
			x.emit(Stranded{})
		}
	}
}

// Stranded reports whether the leg is in T.38 and whoever it is bridged with, if anybody, is not.
func (g *Leg) Stranded() (is bool) {
	_ = g.ask(func(*loop) error { is = g.isStranded(); return nil }) // a closed leg is not
	return is
}

func (g *Leg) isStranded() bool { return g.media.Image && (g.peer == nil || !g.peer.media.Image) }

// Partner names the leg with which this one talks: bridged, with nobody who watches and nothing of ours that is
// played to either. It is empty when there is none.
func (g *Leg) Partner() (partner tel.LegID) {
	_ = g.ask(func(*loop) error { // a closed leg has none
		p := g.peer
		if p != nil && p.line == nil && g.conference == nil && p.conference == nil && !g.talk.busy() && !p.talk.busy() {
			partner = p.id
		}
		return nil
	})
	return partner
}
