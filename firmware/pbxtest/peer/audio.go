package peer

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Audio is the voice and the ear of one call: a UDP socket for RTP.
type Audio struct {
	conn *net.UDPConn
	quit chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex // guards all below
	coder   *tone.Coder
	to      netip.AddrPort // invalid: nowhere yet
	muted   bool
	events  uint8  // payload type of telephone-events; 0: the other side knows none
	press   []rune // keys that wait to be pressed
	keys    []rune // keys that the other side pressed
	keyAt   uint32 // timestamp of the last of them
	hz      int
	heard   []int16
	packets int
	said    int       // packets sent
	last    time.Time // of the last packet that came; zero: none since Forget
	longest time.Duration
	into    *Audio  // the call that this one's partner is heard in, too
	third   []int16 // what the partner of another call says, for this one's
	ours    *keying // with which this party encrypts; nil: it does not
	theirs  *keying // of the other side
	opens   *seal   // what comes
	forged  int     // packets whose proof was wrong
}

// frame is 20 ms; memory is how much of what was heard is kept.
const (
	frame  = tone.Rate / 50
	memory = 60 * tone.Rate
)

func newAudio(at netip.Addr, cfg Config) (*Audio, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, err
	}
	a := &Audio{conn: conn, quit: make(chan struct{}), coder: tone.NewCoder(cfg.Law), hz: cfg.Hz, events: eventType}
	if cfg.SRTP {
		a.ours = newKeying()
	}
	first := cfg.First
	if first == 0 {
		first = uint16(rand.Uint32())
	}
	var sealed *seal
	if a.ours != nil { // the key never changes, only the tag of its line
		sealed = newSeal(*a.ours)
	}
	a.wg.Go(func() { a.speak(first, sealed) })
	a.wg.Go(a.listen)
	return a, nil
}

// Local is where this party hears.
func (a *Audio) Local() netip.AddrPort { return a.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// agreed is the law, and the payload type of telephone-events, that both sides speak, and with which keys this one does.
func (a *Audio) agreed() (tone.Law, uint8, *keying) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.coder.Law(), a.events, a.ours
}

// use follows what the other side's SDP says.
func (a *Audio) use(s session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.to = s.to; !s.sends() {
		a.to = netip.AddrPort{}
	}
	a.events = s.events
	if a.ours != nil && s.keys != nil && (a.theirs == nil || a.theirs.key != s.keys.key) {
		own := *a.ours // what was written down of it is not changed
		own.tag = s.keys.tag
		a.ours, a.theirs, a.opens = &own, s.keys, newSeal(*s.keys)
	}
	if s.law != a.coder.Law() {
		a.coder = tone.NewCoder(s.law)
	}
}

// silence ends what is said until the next SDP.
func (a *Audio) silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.to = netip.AddrPort{}
}

// Remote is where the voice goes; invalid while nothing is sent.
func (a *Audio) Remote() netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.to
}

// Mute stops or resumes sending.
func (a *Audio) Mute(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.muted = on
}

// Said counts the packets that were sent.
func (a *Audio) Said() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said
}

// Voice changes the tone that is said.
func (a *Audio) Voice(hz int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hz = hz
}

// Conference mixes two calls of one phone as the phone does (RFC 5359 section 2.10): each partner hears the
// other beside the phone's own voice.
func Conference(a, b *Audio) {
	for _, d := range [][2]*Audio{{a, b}, {b, a}} {
		d[0].mu.Lock()
		d[0].into = d[1]
		d[0].mu.Unlock()
	}
}

// Alone ends a call's part in a conference: what the others have said and was not passed on yet is forgotten.
func (a *Audio) Alone() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.into, a.third = nil, nil
}

// mix adds what the partner of another call says to pcm. What waits is kept short, as a phone's buffer is.
func (a *Audio) mix(pcm []int16) {
	if len(a.third) < len(pcm) {
		return
	}
	for i := range pcm {
		pcm[i] = int16(min(max(int(pcm[i])+int(a.third[i]), -1<<15), 1<<15-1))
	}
	a.third = a.third[len(pcm):]
	if over := len(a.third) - 5*frame; over > 0 {
		a.third = a.third[over:]
	}
}

// Last is when the last packet came.
func (a *Audio) Last() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Heard is what came since Forget, the last minute of it at most.
func (a *Audio) Heard() []int16 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]int16(nil), a.heard...)
}

// Packets counts what came since Forget.
func (a *Audio) Packets() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.packets
}

// Gap is the longest time without a packet since Forget, up to now.
func (a *Audio) Gap() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last.IsZero() {
		return 0
	}
	return max(a.longest, time.Since(a.last))
}

// Forget begins a new measurement: what was heard goes, and the clock of Gap starts now.
func (a *Audio) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard, a.packets, a.longest, a.last = nil, 0, 0, time.Now()
}

func (a *Audio) close() {
	close(a.quit)
	_ = a.conn.Close()
	a.wg.Wait()
}

// speak sends 20 ms of tone each 20 ms. A box that is away for a moment is no reason to stop.
func (a *Audio) speak(first uint16, sealed *seal) {
	voice := tone.Generator{}
	p := rtp.Packet{Header: rtp.Header{
		Version: 2, SSRC: rand.Uint32(), SequenceNumber: first - 1, Timestamp: rand.Uint32(), Marker: true,
	}}
	index := uint64(first) - 1
	pcm := make([]int16, frame)
	var wire []byte
	var key pressed
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-a.quit:
			return
		case <-tick.C:
		}
		a.mu.Lock()
		to, coder, muted, events := a.to, a.coder, a.muted, a.events
		voice.Hz = a.hz
		if !key.down() && len(a.press) > 0 && events != 0 && to.IsValid() {
			key = pressed{key: a.press[0], at: p.Timestamp + frame, left: keyFrames}
			a.press = a.press[1:]
		}
		a.mu.Unlock()
		p.Timestamp += frame
		if !to.IsValid() || muted && !key.down() {
			continue
		}
		q := p
		if key.down() {
			q = key.packet(p, events)
		} else {
			voice.Fill(pcm)
			a.mu.Lock()
			a.mix(pcm)
			a.mu.Unlock()
			q.PayloadType = uint8(coder.Law())
			q.Payload = coder.Encode(p.Payload[:0], pcm)
			p.Payload = q.Payload
		}
		p.SequenceNumber++
		index++
		q.SequenceNumber = p.SequenceNumber
		wire = append(wire[:0], make([]byte, q.MarshalSize())...)
		if n, err := q.MarshalTo(wire); err == nil {
			if sealed != nil {
				wire = sealed.protect(wire[:n], index)
				n = len(wire)
			}
			_, _ = a.conn.WriteToUDPAddrPort(wire[:n], to)
			a.mu.Lock()
			a.said++
			a.mu.Unlock()
		}
		p.Marker = false
	}
}

func (a *Audio) listen() {
	buf := make([]byte, 2048)
	for {
		n, err := a.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		packet := buf[:n]
		if err == nil {
			packet, err = a.plain(packet)
		}
		var p rtp.Packet
		if err != nil || p.Unmarshal(packet) != nil {
			continue
		}
		if said, into := a.take(&p); into != nil {
			into.mu.Lock()
			into.third = append(into.third, said...)
			into.mu.Unlock()
		}
	}
}

// plain is what an encrypted packet holds; a party that encrypts takes no other.
func (a *Audio) plain(packet []byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ours == nil:
		return packet, nil
	case a.opens == nil:
		return nil, errForged
	}
	body, err := a.opens.open(packet)
	if err != nil {
		a.forged++
	}
	return body, err
}

// Forged counts the packets that an encrypting party could not open with the keys that were agreed.
func (a *Audio) Forged() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forged
}

// take hears a packet, and returns what it says and for which other call.
func (a *Audio) take(p *rtp.Packet) (said []int16, into *Audio) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.events != 0 && p.PayloadType == a.events {
		a.hearKey(p)
		return nil, nil
	}
	if p.PayloadType != uint8(a.coder.Law()) {
		return nil, nil
	}
	now := time.Now()
	if !a.last.IsZero() {
		a.longest = max(a.longest, now.Sub(a.last))
	}
	a.last = now
	a.packets++
	before := len(a.heard)
	a.heard = a.coder.Decode(a.heard, p.Payload)
	said = append(said, a.heard[before:]...)
	if over := len(a.heard) - memory; over > tone.Rate {
		a.heard = append([]int16(nil), a.heard[over:]...)
	}
	return said, a.into
}

// NewStranger opens a voice that belongs to no call: it talks to whom it is aimed at, and hears what
// is sent to it by mistake. Close ends it.
func NewStranger(at netip.Addr, hz int) (*Stranger, error) {
	a, err := newAudio(at, Config{Law: tone.ALaw, Hz: hz})
	if err != nil {
		return nil, err
	}
	return &Stranger{a}, nil
}

// Stranger is an Audio without a call.
type Stranger struct{ *Audio }

// Aim sends the voice to an address, or, if that is invalid, nowhere.
func (s *Stranger) Aim(to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

// Throw sends any bytes from the same socket.
func (s *Stranger) Throw(b []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}

// Close ends the voice.
func (s *Stranger) Close() { s.close() }
