package media

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	mathrand "math/rand/v2"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// Packet types of RFC 3550 section 12.1.
const (
	rtcpSR   = 200
	rtcpRR   = 201
	rtcpSDES = 202
	rtcpBYE  = 203
)

const (
	senderInfoSize  = 20
	reportBlockSize = 24
	// reportInterval is the mean time between two reports of a leg (RFC 3550 section 6.2: 5 s).
	reportInterval = 5 * time.Second
	// sdesCNAME is the item that every compound packet carries (RFC 3550 section 6.1).
	sdesCNAME = 1
)

// ntpEpoch is how many seconds NTP's era begins before Unix time.
const ntpEpoch = 2208988800

// newCNAME makes the short-term name of RFC 7022 section 4.2: 96 random bits that name no person
// and no machine.
func newCNAME() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(b[:])
}

// control is the RTCP side of a leg.
type control struct {
	target address // where reports go; unset when multiplexed or unknown
	mux    bool

	sentPackets uint64 // out.packets at the last report

	// What the far end's reports said.
	lastSR       uint32 // middle 32 bits of its NTP time
	lastSRAt     time.Duration
	hasSR        bool
	rtt          time.Duration
	reported     bool
	remoteLost   int32
	remoteJitter time.Duration
}

// aim takes the RTCP address of a negotiation.
func (c *control) aim(g *Leg, m sdp.Media) {
	c.mux = m.RTCPMux
	c.target = g.ports.rtcp.address(m.RemoteRTCP)
	c.follow(g)
}

// follow moves the reports along with a learned RTP address: a signalled address behind NAT is as
// wrong for RTCP as for RTP. The port is a guess until the far end's first report.
func (c *control) follow(g *Leg) {
	if c.mux || !g.latch.locked.set() || g.latch.locked.sameHost(&c.target) {
		return
	}
	c.target = g.latch.locked
	port := binary.BigEndian.Uint16(c.target.raw[2:])
	binary.BigEndian.PutUint16(c.target.raw[2:], port+1)
}

// reportPause spreads the reports of many legs (RFC 3550 section 6.3.1: half to one and a half of
// the interval, and half of that for the first).
func reportPause(first bool) time.Duration {
	d := reportInterval/2 + mathrand.N(reportInterval)
	if first {
		d /= 2
	}
	return d
}

// sendReport sends the compound packet that is due: a sender report if we sent since the last one,
// else a receiver report (RFC 3550 section 6.4).
func (l *loop) sendReport(g *Leg) {
	g.reportAt = l.now + reportPause(false)
	if g.line != nil || !g.configured || g.media.Image || (!g.in.started && g.out.packets == 0) {
		return
	}
	l.sendControl(g, g.appendReport(l.buf[:0], l.now, time.Now()))
}

// sayGoodbye tells the far end that our stream is over (RFC 3550 section 6.6).
func (l *loop) sayGoodbye(g *Leg) {
	if g.line != nil || g.media.Image || g.out.packets == 0 {
		return
	}
	b := g.appendReport(l.buf[:0], l.now, time.Now())
	b = append(b, 2<<6|1, rtcpBYE, 0, 1)
	b = binary.BigEndian.AppendUint32(b, g.out.ssrc)
	l.sendControl(g, b)
}

// sendControl sends a compound packet where the far end wants it.
func (l *loop) sendControl(g *Leg, b []byte) {
	c := &g.control
	sock, to := g.ports.rtcp, &c.target
	if c.mux {
		sock, to = g.ports.rtp, g.latch.target()
	}
	if !to.set() {
		return
	}
	plain := b
	if g.secret != nil {
		if b = l.sealReport(g, b); b == nil {
			return
		}
	}
	if errno := sock.send(b, to); errno != 0 {
		g.count.sendErrors++
		return
	}
	if g.traced != nil {
		l.traceControl(g, plain, true, to)
	}
}

// appendReport writes SR or RR and the SDES packet of a leg. Wall is the time that NTP stamps.
func (g *Leg) appendReport(b []byte, now time.Duration, wall time.Time) []byte {
	blocks := 0
	if g.in.started {
		blocks = 1
	}
	sender := g.out.packets != g.control.sentPackets
	g.control.sentPackets = g.out.packets
	words := 1 + blocks*reportBlockSize/4
	kind := byte(rtcpRR)
	if sender {
		kind = rtcpSR
		words += senderInfoSize / 4
	}
	b = append(b, 2<<6|byte(blocks), kind, 0, byte(words))
	b = binary.BigEndian.AppendUint32(b, g.out.ssrc)
	if sender {
		b = binary.BigEndian.AppendUint64(b, ntp(wall))
		b = binary.BigEndian.AppendUint32(b, g.wireTicks()*g.out.timestamp(now))
		b = binary.BigEndian.AppendUint32(b, uint32(g.out.packets))
		b = binary.BigEndian.AppendUint32(b, uint32(g.out.octets))
	}
	if blocks > 0 {
		b = g.appendBlock(b, now)
	}
	return g.appendSDES(b)
}

func (g *Leg) appendBlock(b []byte, now time.Duration) []byte {
	fraction, cumulative := g.in.interval()
	b = binary.BigEndian.AppendUint32(b, g.in.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(fraction)<<24|uint32(cumulative)&0xffffff)
	b = binary.BigEndian.AppendUint32(b, g.in.extended())
	b = binary.BigEndian.AppendUint32(b, g.wireTicks()*(g.in.jitter>>4))
	var last, delay uint32
	if c := &g.control; c.hasSR {
		last, delay = c.lastSR, short(now-c.lastSRAt)
	}
	b = binary.BigEndian.AppendUint32(b, last)
	return binary.BigEndian.AppendUint32(b, delay)
}

func (g *Leg) appendSDES(b []byte) []byte {
	name := g.engine.cname
	size := 4 + 2 + len(name) + 1
	padded := (size + 3) / 4 * 4
	b = append(b, 2<<6|1, rtcpSDES, 0, byte(padded/4))
	b = binary.BigEndian.AppendUint32(b, g.out.ssrc)
	b = append(b, sdesCNAME, byte(len(name)))
	b = append(b, name...)
	for range padded - size + 1 {
		b = append(b, 0)
	}
	return b
}

// report takes one datagram of the far end's RTCP. It is believed only from the host whose RTP we
// believe; it never ends a call: BYE is for conferences, the dialog decides about calls.
func (l *loop) report(g *Leg, b []byte, from *address) {
	if !g.configured || (!g.latch.target().sameHost(from) && !g.control.target.same(from)) {
		g.count.strangers++
		return
	}
	if g.secret != nil {
		if b = l.openReport(g, b); b == nil {
			g.count.forged++
			return
		}
	}
	var n news
	if !n.parse(b, g.out.ssrc) {
		g.count.rtcpJunk++
		return
	}
	if g.traced != nil {
		l.traceControl(g, b, false, from)
	}
	c := &g.control
	if !c.mux && g.learn && g.latch.locked.set() {
		c.target = *from // its port may be mapped by NAT
	}
	if n.hasSR && (!g.in.started || n.sender == g.in.ssrc) {
		c.hasSR, c.lastSR, c.lastSRAt = true, n.ntpMiddle, l.now
	}
	if !n.hasBlock {
		return
	}
	c.reported = true
	c.remoteLost = n.lost
	c.remoteJitter = time.Duration(n.jitter/g.wireTicks()) * time.Second / clockRate
	if n.lastSR != 0 {
		// RFC 3550 section 6.4.1: A - LSR - DLSR, modulo 2^32, in 1/65536 s.
		if rtt := int32(uint32(ntp(time.Now())>>16) - n.lastSR - n.delay); rtt >= 0 {
			c.rtt = time.Duration(rtt) * time.Second >> 16
		}
	}
}

// news is what a compound RTCP packet says to us.
type news struct {
	hasSR     bool
	sender    uint32
	ntpMiddle uint32

	hasBlock bool // a report about our stream
	lost     int32
	jitter   uint32
	lastSR   uint32
	delay    uint32
}

// parse reads a compound packet (RFC 3550 section 6.1 and appendix A.2). Packet types without use
// for us are stepped over. It returns false when a length or a version does not fit.
func (n *news) parse(b []byte, ours uint32) bool {
	*n = news{}
	if len(b) < 8 {
		return false
	}
	for len(b) > 0 {
		if len(b) < 4 || b[0]>>6 != 2 {
			return false
		}
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if size > len(b) {
			return false
		}
		body, blocks := b[4:size], int(b[0]&0x1f)
		switch b[1] {
		case rtcpSR:
			if len(body) < 4+senderInfoSize {
				return false
			}
			n.hasSR, n.sender = true, binary.BigEndian.Uint32(body)
			n.ntpMiddle = binary.BigEndian.Uint32(body[6:])
			if !n.blocks(body[4+senderInfoSize:], blocks, ours) {
				return false
			}
		case rtcpRR:
			if len(body) < 4 || !n.blocks(body[4:], blocks, ours) {
				return false
			}
		}
		b = b[size:]
	}
	return true
}

func (n *news) blocks(b []byte, count int, ours uint32) bool {
	if len(b) < count*reportBlockSize {
		return false
	}
	for ; count > 0; count-- {
		if binary.BigEndian.Uint32(b) == ours {
			n.hasBlock = true
			n.lost = int32(binary.BigEndian.Uint32(b[4:])<<8) >> 8
			n.jitter = binary.BigEndian.Uint32(b[12:])
			n.lastSR = binary.BigEndian.Uint32(b[16:])
			n.delay = binary.BigEndian.Uint32(b[20:])
		}
		b = b[reportBlockSize:]
	}
	return true
}

// ntp is the 64-bit time of RFC 3550 section 4.
func ntp(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// short is a duration in 1/65536 s.
func short(d time.Duration) uint32 {
	return uint32(uint64(max(d, 0)) << 16 / uint64(time.Second))
}
