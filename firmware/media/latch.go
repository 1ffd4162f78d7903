package media

import "time"

const (
	// learnFor is how long after each negotiation an unknown address may still be learned: long
	// enough for a phone behind NAT to begin, short enough that a port scan later finds it shut.
	learnFor = 15 * time.Second
	// learnGap is the longest pause between two packets that shall prove one sender.
	learnGap = 200 * time.Millisecond
	// learnPackets in sequence, of one SSRC and one address, make a sender believable.
	learnPackets = 2
	// learnImageGap is learnGap for T.38, where a machine that listens says little.
	learnImageGap = 2 * time.Second
)

// latch decides whose packets a leg believes (symmetric RTP, RFC 4961, with a source lock against
// strangers who spray the port).
type latch struct {
	signalled address // from the peer's SDP
	locked    address // where valid packets come from and ours go; unset until the first one
	learn     bool    // addresses other than the signalled one may be learned
	image     bool    // it judges datagrams of T.38, which are repeated under their number
	host      address // whose signalling made the call: besides the signalled host only this one may be learned; unset: any
	learnTill time.Duration

	candidate struct {
		from  address
		ssrc  uint32
		seq   uint16
		count int
		at    time.Duration
	}
}

// belief is the latch's verdict about one packet.
type belief uint8

const (
	stranger belief = iota // drop
	believed
	newlyLocked // believed, and the address to send to has changed
)

// arm takes the address of a new negotiation. The same address again, as in a session refresh,
// changes nothing for a locked leg; another one forgets what was learned.
func (l *latch) arm(signalled address, learn bool, now time.Duration) {
	if !l.signalled.same(&signalled) || l.learn != learn {
		l.locked = address{}
	}
	l.signalled, l.learn = signalled, learn
	l.candidate.count = 0
	if !l.locked.set() {
		l.learnTill = now + learnFor
	}
}

// target is where to send: the learned address, else the signalled one.
func (l *latch) target() *address {
	if l.locked.set() {
		return &l.locked
	}
	return &l.signalled
}

// mayBelieve reports whether a packet from an address could be believed at all; it changes nothing.
func (l *latch) mayBelieve(from *address) bool {
	return !l.locked.set() || l.locked.same(from) || l.signalled.same(from)
}

// packet judges the source of a well-formed packet.
func (l *latch) packet(from *address, p *packet, now time.Duration) belief {
	if l.locked.set() {
		if l.locked.same(from) {
			return believed
		}
		// The signalled address always wins: if a stranger was learned first, the rightful sender
		// puts him out as soon as he speaks.
		if l.signalled.same(from) && l.inSequence(from, p, now) {
			l.locked = *from
			return newlyLocked
		}
		return stranger
	}
	if l.signalled.set() && l.signalled.same(from) {
		l.locked = *from
		return newlyLocked
	}
	if l.learn && now <= l.learnTill && l.trusts(from) && l.inSequence(from, p, now) {
		l.locked = *from
		return newlyLocked
	}
	return stranger
}

// trusts reports whether an address may be learned: who sprays our ports before the first packet
// comes from another host than the signalling, while the NAT of a phone sends both.
func (l *latch) trusts(from *address) bool {
	return !l.host.set() || l.host.sameHost(from) || l.signalled.set() && l.signalled.sameHost(from)
}

// inSequence counts consecutive plausible packets of one candidate.
func (l *latch) inSequence(from *address, p *packet, now time.Duration) bool {
	c, gap, next := &l.candidate, learnGap, p.seq == l.candidate.seq+1
	if l.image {
		gap, next = learnImageGap, next || p.seq == c.seq
	}
	follows := c.count > 0 && c.ssrc == p.ssrc && next && now-c.at <= gap && c.from.same(from)
	if !follows {
		c.from, c.ssrc, c.count = *from, p.ssrc, 0
	}
	c.seq, c.at = p.seq, now
	c.count++
	if c.count < learnPackets {
		return false
	}
	c.count = 0
	return true
}
