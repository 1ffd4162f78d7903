package media

import (
	"errors"
	"log/slog"
)

// What a technician reads of intruders.
var (
	errStranger = errors.New("it comes neither from the signalled address nor from the host of the signalling")
	errJunk     = errors.New("it is neither RTP nor, on a leg in T.38, UDPTL")
)

// sayStrangers is which stranger's packet of a leg is spoken of: the first ones are those of a NAT
// that is being learned.
const sayStrangers = learnPackets + 1

// arrived takes one datagram from a leg's RTP port. This is the way of nearly every packet of the
// house: it allocates nothing and waits for nothing.
func (l *loop) arrived(g *Leg, b []byte, from *address) {
	if g.media.Image {
		l.arrivedImage(g, b, from)
		return
	}
	if g.media.RTCPMux && looksLikeRTCP(b) {
		l.report(g, b, from)
		return
	}
	if g.secret != nil {
		if !g.latch.mayBelieve(from) { // encryption is not for everybody who sprays the port
			l.stranger(g)
			return
		}
		if b = l.open(g, b); b == nil {
			return
		}
	}
	p := &l.pkt
	if len(b) == 0 || !p.parse(b) {
		l.junk(g)
		return
	}
	if !g.configured {
		g.count.early++
		return
	}
	event := p.pt == g.media.EventRecvPT && p.pt != 0
	known := event || p.pt == g.media.RecvPT
	if !known && !g.latch.locked.same(from) {
		g.count.unknownPT++ // proves nothing about its sender
		return
	}
	switch g.latch.packet(from, p, l.now) {
	case stranger:
		l.stranger(g)
		return
	case newlyLocked:
		l.latched(g)
	}
	if g.traced != nil {
		l.traceReceived(g, p, known, event, from)
	}
	if g.opus != nil {
		g.opus.clock(p)
	}
	arrival := g.in.packet(p, known && !event, l.now)
	switch arrival {
	case arrivalRejected:
		g.count.rejected++
		return
	case arrivalRestarted:
		g.events = eventReader{}
		g.said.bytes = g.said.bytes[:0]
	}
	g.heard, g.silent = l.now, false
	g.heardAs.Packet(p.ssrc, p.seq, p.ts, known && !event, l.now)
	if !g.greeted {
		g.greeted = true
		g.emit(FirstPacket{})
	}
	switch {
	case !known:
		g.count.unknownPT++
	case !g.media.Direction.Receives():
		g.count.muted++
	default:
		if g.opus != nil && known && !event && !l.openOpus(g, p) {
			return
		}
		switch {
		case event:
			if g.opus != nil {
				g.opus.openEvent(p)
			}
			g.events.packet(p.ts, p.payload, l.now, g.press)
		case g.events.active:
			g.said.add(g.media.Codec, p.payload)
			g.hushKey(p)
		default:
			g.said.add(g.media.Codec, p.payload)
			if arrival != arrivalLate && !p.coded {
				l.overhear(g, p)
			}
		}
		l.forward(g, p, event)
	}
}

// junk counts what cannot be read, and names its sender once.
func (l *loop) junk(g *Leg) {
	if g.count.junk++; g.count.junk == 1 {
		l.engine.junk.note("junk on an audio port is dropped", errJunk,
			slog.String("leg", string(g.id)), slog.String("from", l.from.addrPort().String()))
	}
}

// stranger counts a packet of who has no part in the call, and names the sender once.
func (l *loop) stranger(g *Leg) {
	if g.count.strangers++; g.count.strangers == sayStrangers {
		l.engine.thieves.note("audio from a stranger is dropped", errStranger,
			slog.String("leg", string(g.id)), slog.String("from", l.from.addrPort().String()))
	}
}

// forward sends a packet on to who is bridged with the leg: at once, or by way of the jitter ring where
// the clock serves.
func (l *loop) forward(g *Leg, p *packet, event bool) {
	if g.record != nil && !event {
		g.keepPacket(p, l.now)
	}
	if g.tap != nil && !event {
		g.tap.packet(g, p, l.now)
	}
	to := g.peer
	switch {
	case g.echo:
		l.relay(g, g, p, event)
	case g.audience != nil:
		if event {
			g.voice.skip(p)
		} else {
			l.fanOut(g, p)
		}
	case g.conference != nil:
		l.share(g, p, event)
	case to == nil:
	case g.fast:
		l.relay(g, to, p, event)
	case event:
		g.voice.skip(p)
	default:
		g.voice.push(g, p, l.now)
	}
}

// relay sends a packet on to another leg: as it is, rewritten in place, where both have the same codec
// and packet time; only SSRC, sequence number, timestamp, payload type and perhaps the marker change. Else
// its sound is transcoded and cut anew as it comes, without a clock and without a queue.
func (l *loop) relay(g, to *Leg, p *packet, event bool) {
	if to.talk.busy() {
		return // it hears a prompt or digits of ours instead
	}
	if !to.ready() {
		to.count.unsent++
		return
	}
	if !event && !p.coded {
		l.listenForEcho(g, to, p)
	}
	pt := to.media.SendPT
	if event {
		if pt = to.media.EventSendPT; pt == 0 {
			to.out.src = source{} // the key is said as a tone; what comes then is joined without a hole
			return
		}
	} else if p.coded {
		l.passOpus(g, to, p)
		return
	} else if to.unpass(); g.media.Codec == to.media.Codec {
		to.encoding.passed.add(to.media.Codec, p.payload)
	} else if !l.transcode(g, to, p) {
		to.count.late++
		return
	}
	if to.recuts(g) {
		l.recut(g, to, p, event)
		return
	}
	seq, ts, marker, ok := to.out.relayed(source{g, g.in.epoch}, p, !event, l.now)
	if !ok {
		to.count.late++
		return
	}
	putMapped(p.bytes, pt, marker, seq, ts, to.out.ssrc)
	l.send(to, p.bytes)
}

// latched follows a change of the far end's address.
func (l *loop) latched(g *Leg) {
	g.control.follow(g)
	g.emit(Latched{Addr: g.latch.locked.addrPort()})
	l.changed(g)
}

// bridge makes two legs of this loop hear each other.
func (l *loop) bridge(a, b *Leg) error {
	if b.closed || b.loop() != l {
		return ErrClosed
	}
	if a.peer != b {
		l.unbridge(a)
		l.unbridge(b)
	}
	l.leave(a)
	l.leave(b)
	a.peer, b.peer = b, a
	a.echo, b.echo = false, false
	l.hush(a)
	l.hush(b)
	l.reroute(a)
	l.strand(a)
	l.changed(a)
	l.changed(b)
	return nil
}

// unbridge parts a leg from its peer, its echo, its page, or its conference.
func (l *loop) unbridge(g *Leg) {
	l.unpage(g)
	l.leave(g)
	p := g.peer
	if g.echo {
		g.echo = false
		g.out.src = source{}
		l.changed(g)
	}
	if p == nil {
		return
	}
	g.peer, p.peer = nil, nil
	for _, x := range [...]*Leg{g, p} {
		x.fast, x.priming = false, 0
		if x.conference == nil { // else who watches goes on hearing it
			x.out.src = source{}
			x.voice.reset()
			l.schedule(x)
		}
		l.strand(x)
		l.changed(x)
	}
}

// Echo lets the party hear itself, with no more delay than the way to us and back has, in the place of
// a bridge; Unbridge and Bridge end it. What is played meanwhile is heard instead.
func (g *Leg) Echo() error {
	return g.tell(func(l *loop) {
		l.unbridge(g)
		g.echo = true
		l.changed(g)
	})
}

// reroute chooses the path of a leg's bridge after any change of either side.
func (l *loop) reroute(g *Leg) {
	if p := g.peer; p != nil && g.conference != nil {
		for _, x := range [...]*Leg{g, p} {
			x.fast, x.priming = false, 0
			x.out.src = source{}
		}
	} else if p != nil {
		fast := unclocked(g, p)
		for _, x := range [...]*Leg{g, p} {
			x.fast = fast
			x.out.src = source{}
			x.voice.reset()
			l.schedule(x)
		}
	}
	if g.pager != nil {
		l.repage(g.pager)
	}
	l.repage(g)
}

// unclocked reports whether packets of one leg can go to the other as they come. A line has frames, no
// packets; what machines say to each other in two codecs goes by way of the fixed wait.
func unclocked(from, to *Leg) bool {
	if from.line != nil || to.line != nil || !from.configured || !to.configured {
		return false
	}
	return from.machines|to.machines == 0 || from.media.Codec == to.media.Codec || from.media.Image || to.media.Image
}

// alike reports whether the packets of the other suit the leg as they are.
func (g *Leg) alike(other *Leg) bool {
	return g.media.Codec == other.media.Codec && g.media.Ptime == other.media.Ptime
}
