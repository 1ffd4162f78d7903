package media

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

const (
	// replayWindow is how far behind the newest a packet may be; it holds what a relay still maps.
	replayWindow = 128
	// maxStreams bounds the senders that one key may carry: pion/srtp remembers each for ever.
	maxStreams = 64
	// sealRoom is the most that encryption adds to a packet: the index and the AEAD tag of a report.
	sealRoom = 32
)

var errForged = errors.New("it is not encrypted with the key that was agreed, or came twice")

// secrecy is the encryption of one leg (RFC 3711), owned by the leg's loop; a plain leg has none.
//
// No key, SSRC and index are ever used for two packets: every leg draws its own key, sent refuses a
// sequence number that went out before, and a new key or a new process begins a new SSRC.
type secrecy struct {
	sendKey, recvKey sdp.Crypto
	out, in          *srtp.Context
	before           *srtp.Context // of the far end's last key, until it uses the new one
	sent             window

	proven  bool   // in has opened a packet
	streams int    // senders that in has opened packets of
	reports int    // and reports of
	ssrc    uint32 // of the newest
	seq     uint16 // its highest sequence number
	roc     uint32 // its rollover counter there

	// earlier is where the far end's stream was under another key or in an earlier process: its
	// rollover counter is in no packet, so this is the only way to know it.
	earlier  place
	restored bool // earlier was heard under this key: nothing up to that mark may come again
	unheard  bool // an earlier process was asked to hear the far end, and died before it noted where its stream is
}

// place is a point of a stream that carries 16 of its 48 bits of index.
type place struct {
	ssrc uint32
	roc  uint32
	seq  uint16
}

// index is the 48 bits of RFC 3711 section 3.3.1.
func (p place) index() uint64 { return uint64(p.roc)<<16 | uint64(p.seq) }

// near is the place with this sequence number that is nearest to p.
func (p place) near(seq uint16) place {
	q := p
	q.seq = seq
	switch d := int(seq) - int(p.seq); {
	case d < -1<<15:
		q.roc++
	case d > 1<<15 && p.roc > 0:
		q.roc--
	}
	return q
}

// window remembers which of the last 64 sequence numbers were sent.
type window struct {
	started bool
	high    uint16
	bits    uint64 // bit n: high-n was sent
}

// take marks a sequence number as sent; it is false when it was sent before or is too old to know.
func (w *window) take(seq uint16) bool {
	switch d := int16(seq - w.high); {
	case !w.started:
		w.started, w.high, w.bits = true, seq, 1
	case d > 0:
		w.high, w.bits = seq, w.bits<<d|1
	default:
		bit := uint64(1) << -int(d) // 0 when it is too old
		if bit == 0 || w.bits&bit != 0 {
			return false
		}
		w.bits |= bit
	}
	return true
}

// profile is pion/srtp's name of a suite; no suite gives one that it refuses.
func profile(s sdp.Suite) srtp.ProtectionProfile {
	switch s {
	case sdp.AESCM128SHA80:
		return srtp.ProtectionProfileAes128CmHmacSha1_80
	case sdp.AESCM128SHA32:
		return srtp.ProtectionProfileAes128CmHmacSha1_32
	case sdp.AEADAES128GCM:
		return srtp.ProtectionProfileAeadAes128Gcm
	case sdp.AEADAES256GCM:
		return srtp.ProtectionProfileAeadAes256Gcm
	case sdp.NoSuite:
	}
	return 0
}

// newContext makes the state of one key.
func newContext(c sdp.Crypto, options ...srtp.ContextOption) (*srtp.Context, error) {
	key, salt, err := c.Master()
	if err != nil {
		return nil, err
	}
	mki, err := hex.DecodeString(c.MKI)
	if err != nil {
		return nil, fmt.Errorf("the name of an SRTP key: %w", err)
	}
	if len(mki) > 0 {
		options = append(options, srtp.MasterKeyIndicator(mki))
	}
	ctx, err := srtp.CreateContext(key, salt, profile(c.Suite), options...)
	if err != nil {
		return nil, fmt.Errorf("use an SRTP key: %w", err)
	}
	return ctx, nil
}

// rekey gives the encryption that a negotiation agreed on; g's state does not change. A key that stays
// keeps its counters: a far end that holds or refreshes the session goes on with its own. Renewed says
// that what we send needs a new SSRC.
func (g *Leg) rekey(m *sdp.Media) (next *secrecy, renewed bool, err error) {
	if m.SendKey.Suite == sdp.NoSuite || m.RecvKey.Suite == sdp.NoSuite {
		return nil, false, nil
	}
	s := secrecy{}
	if g.secret != nil {
		s = *g.secret
	}
	if s.out == nil || s.sendKey != m.SendKey {
		if s.out, err = newContext(m.SendKey); err != nil {
			return nil, false, err
		}
		s.sendKey, s.sent, renewed = m.SendKey, window{}, true
	}
	if s.in == nil || s.recvKey != m.RecvKey {
		in, err := newContext(m.RecvKey, srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
		if err != nil {
			return nil, false, err
		}
		s.before = s.in
		if s.proven {
			// RFC 3711 section 3.3.1 lets the counter go on under a new key; many start again at 0.
			s.earlier, s.restored = place{s.ssrc, s.roc, s.seq}, false
		}
		s.in, s.recvKey, s.proven, s.streams, s.reports = in, m.RecvKey, false, 0, 0
	}
	return &s, renewed, nil
}

// freshStream begins a stream that no receiver knows: its rollover counter is 0 on both sides, and the
// first packet is far from the wrap (RFC 3711 section 3.3.1).
func (s *stream) freshStream(ssrc uint32) {
	s.ssrc, s.high = ssrc, uint16(rand.Uint32())&0x7fff
}

// open decrypts one RTP packet into l.opened, or returns nil. A packet that is not authentic changes
// nothing: not the latch, not the counters of the key.
func (l *loop) open(g *Leg, b []byte) []byte {
	s, h := g.secret, &l.header
	if _, err := h.Unmarshal(b); err != nil {
		l.junk(g)
		return nil
	}
	if !s.admits(h.SSRC) {
		l.forged(g)
		return nil
	}
	p, err := s.decrypt(l.opened[:0], b, h)
	if err != nil && s.before != nil && !s.proven {
		// Still under the old key: it sent this before it had our answer.
		if p, err := s.before.DecryptRTP(l.opened[:0], b, h); err == nil {
			return p
		}
	}
	if err != nil {
		l.forged(g)
		return nil
	}
	if s.noticed(h) {
		l.changed(g)
	}
	return p
}

// admits refuses a sender beyond those that one key may carry.
func (s *secrecy) admits(ssrc uint32) bool {
	if s.streams < maxStreams || ssrc == s.ssrc {
		return true
	}
	_, known := s.in.ROC(ssrc)
	return known
}

// decrypt opens a packet with the key of now. The first packet of a stream that went on while we
// were not there, or under another key, is tried with the counter that it should have by now.
func (s *secrecy) decrypt(dst, b []byte, h *rtp.Header) ([]byte, error) {
	at := s.earlier.near(h.SequenceNumber)
	again := !s.proven && s.earlier.ssrc == h.SSRC && s.earlier != place{}
	if again && s.restored {
		if at.index() <= s.earlier.index() {
			return nil, errForged // heard before the restart
		}
		s.in.SetROC(h.SSRC, at.roc)
		return s.in.DecryptRTP(dst, b, h)
	}
	p, err := s.in.DecryptRTP(dst, b, h)
	if s.unheard && !s.proven { // its sequence may have wrapped since it began, once: a restart is short
		again, at.roc = true, 1
	}
	if err == nil || !again || at.roc == 0 {
		return p, err
	}
	s.in.SetROC(h.SSRC, at.roc)
	if p, err = s.in.DecryptRTP(dst, b, h); err != nil {
		s.in.SetROC(h.SSRC, 0)
	}
	return p, err
}

// noticed follows the far end's counters; it is true when the journal must know: at a new stream and
// at each wrap of the sequence number.
func (s *secrecy) noticed(h *rtp.Header) bool {
	if !s.proven || h.SSRC != s.ssrc {
		s.proven, s.before = true, nil
		s.streams++
		s.ssrc, s.seq = h.SSRC, h.SequenceNumber
		s.roc, _ = s.in.ROC(h.SSRC)
		return true
	}
	switch d := int16(h.SequenceNumber - s.seq); {
	case d <= 0:
		return false
	case h.SequenceNumber > s.seq:
		s.seq = h.SequenceNumber
		return false
	}
	s.seq = h.SequenceNumber
	s.roc, _ = s.in.ROC(h.SSRC)
	return true
}

// seal encrypts an RTP packet of ours into l.sealed; nil: it may not be sent.
func (l *loop) seal(g *Leg, b []byte) []byte {
	s := g.secret
	if !s.sent.take(binary.BigEndian.Uint16(b[2:])) {
		g.count.late++
		return nil
	}
	out, err := s.out.EncryptRTP(l.sealed[:0], b, &l.header)
	if err != nil {
		l.unsealed(g, err)
		return nil
	}
	return out
}

// sealReport encrypts a compound RTCP packet of ours.
func (l *loop) sealReport(g *Leg, b []byte) []byte {
	out, err := g.secret.out.EncryptRTCP(l.sealed[:0], b, nil)
	if err != nil {
		l.unsealed(g, err)
		return nil
	}
	return out
}

// openReport decrypts a compound RTCP packet of the far end, or returns nil.
func (l *loop) openReport(g *Leg, b []byte) []byte {
	s := g.secret
	if len(b) < 8 {
		return nil
	}
	_, known := s.in.Index(binary.BigEndian.Uint32(b[4:]))
	if !known && s.reports >= maxStreams {
		return nil
	}
	out, err := s.in.DecryptRTCP(l.opened[:0], b, nil)
	if err != nil {
		return nil // also a report under the old key: the next one comes in seconds
	}
	if !known {
		s.reports++
	}
	return out
}

// unsealed counts a packet that pion/srtp does not take: a plain far end's header extension is broken,
// or 2^48 packets were sent.
func (l *loop) unsealed(g *Leg, err error) {
	g.count.sendErrors++
	l.engine.junk.note("a packet cannot be encrypted", err, slog.String("leg", string(g.id)))
}

// forged counts what does not come from who has the key, and names it once it looks like more than
// packets under way during a change of keys.
func (l *loop) forged(g *Leg) {
	if g.count.forged++; g.count.forged == sayForged {
		l.engine.thieves.note("audio without the agreed key is dropped", errForged,
			slog.String("leg", string(g.id)), slog.String("from", l.from.addrPort().String()))
	}
}

// sayForged is which packet of a leg without the agreed key is spoken of.
const sayForged = 25

// secretState is what of the encryption survives the process, beside the keys in sdp.Media.
type secretState struct {
	SSRC uint32 `json:"ssrc"` // the far end's
	ROC  uint32 `json:"roc"`
	Seq  uint16 `json:"seq"` // highest received at the time of writing
}

// state is zero for a plain leg and before the first packet.
func (s *secrecy) state() secretState {
	switch {
	case s == nil:
		return secretState{}
	case s.proven:
		return secretState{s.ssrc, s.roc, s.seq}
	case s.restored:
		return secretState{s.earlier.ssrc, s.earlier.roc, s.earlier.seq}
	}
	return secretState{} // earlier was under another key
}

// resumeSecret brings the encryption of a restored leg back. Its stream gets an SSRC that this key has
// not had: steps forward cannot meet an earlier one within 256 restarts of one call.
func (g *Leg) resumeSecret(s *legState) error {
	next, _, err := g.rekey(&s.Media)
	if next == nil || err != nil {
		return err
	}
	if r := s.Secret; r.SSRC != 0 {
		next.earlier, next.restored = place{r.SSRC, r.ROC, r.Seq}, true
	} else {
		next.unheard = true
	}
	g.secret = next
	g.out.freshStream(s.SSRC + 1 + rand.Uint32N(1<<24))
	return nil
}
