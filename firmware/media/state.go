package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	// stateKind is the journal's name for legs.
	stateKind = "leg"
	// stateVersion is the newest encoding; plainVersion, for legs without encryption, is what earlier
	// programs read too, so that an update that is taken back keeps their calls.
	stateVersion = 2
	plainVersion = 1
	// highWaterEvery is how often the place in the sent stream is journalled while packets flow.
	highWaterEvery = 30 * time.Second
	// A restored stream jumps over all that may have been sent since the last high-water mark, at
	// the smallest packet time: no (SSRC, index) is used twice even if the SSRC draw repeats.
	restoreSeqJump = 2 * uint16(highWaterEvery/(10*time.Millisecond))
	restoreTSJump  = 2 * uint32(highWaterEvery/time.Second) * clockRate
)

// legState is what of a leg survives the process. Line legs have none: their audio belongs to the
// driver, which finds its call again by itself.
type legState struct {
	Version    int            `json:"v"`
	ID         tel.LegID      `json:"id"`
	RTP        uint16         `json:"rtp"`
	RTCP       uint16         `json:"rtcp"`
	Advertise  netip.Addr     `json:"advertise"`
	Learn      bool           `json:"learn,omitempty"`
	Source     netip.Addr     `json:"source,omitzero"` // host of the signalling
	Timeout    time.Duration  `json:"timeout_ns"`
	Configured bool           `json:"configured,omitempty"`
	Media      sdp.Media      `json:"media"`
	Learned    netip.AddrPort `json:"learned"` // the locked source, zero before the first packet
	Control    netip.AddrPort `json:"control"` // where RTCP goes
	SSRC       uint32         `json:"ssrc"`
	RemoteSSRC uint32         `json:"remote_ssrc,omitempty"`
	Seq        uint16         `json:"seq"` // highest sent at the time of writing
	Timestamp  uint32         `json:"ts"`
	Peer       tel.LegID      `json:"peer,omitempty"`
	Echo       bool           `json:"echo,omitempty"`
	Machines   machines       `json:"machines,omitempty"` // tones of the far end
	Secret     secretState    `json:"secret,omitzero"`    // of an encrypted leg; the keys are in Media
}

// encode writes the journal's form.
func (s legState) encode() ([]byte, error) {
	s.Version = s.version()
	return json.Marshal(s)
}

func (s *legState) version() int {
	if s.Media.SendKey.Suite != sdp.NoSuite {
		return stateVersion
	}
	return plainVersion
}

// decodeState reads the journal's form; what a later version wrote is refused in words.
func decodeState(b []byte) (s legState, err error) {
	var v struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return s, fmt.Errorf("read a leg's state: %w", err)
	}
	if v.Version != stateVersion && v.Version != plainVersion {
		return s, fmt.Errorf("a leg's state has version %d, this program reads %d and %d", v.Version, plainVersion, stateVersion)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read a leg's state: %w", err)
	}
	if s.ID == "" || s.RTP == 0 || s.RTP%2 != 0 || s.RTCP != s.RTP+1 {
		return s, fmt.Errorf("a leg's state names leg %q on ports %d and %d", s.ID, s.RTP, s.RTCP)
	}
	if s.Configured && !s.Media.Codec.Audio() {
		return s, fmt.Errorf("the state of leg %s has codec %v", s.ID, s.Media.Codec)
	}
	if s.Media.Image && s.Media.SendKey.Suite != sdp.NoSuite {
		return s, fmt.Errorf("the state of leg %s has T.38 and keys", s.ID)
	}
	return s, nil
}

// state is the snapshot of a leg.
func (g *Leg) state() legState {
	s := legState{
		ID: g.id, RTP: g.ports.rtp.port, RTCP: g.ports.rtcp.port,
		Advertise: g.Advertise(), Learn: g.learn, Source: g.source, Timeout: g.timeout,
		Configured: g.configured, Media: g.agreed(),
		Learned: g.latch.locked.addrPort(), Control: g.control.target.addrPort(),
		Secret: g.secret.state(), Echo: g.echo, Machines: g.machines,
		SSRC: g.out.ssrc, RemoteSSRC: g.in.ssrc, Seq: g.out.high, Timestamp: g.out.clock,
	}
	if g.peer != nil {
		s.Peer = g.peer.id
	}
	s.Version = s.version()
	return s
}

// resume puts a snapshot into a leg that has its sockets. The stream goes on under a new SSRC and
// beyond the high-water mark; its first packet carries the marker.
func (g *Leg) resume(s legState, now time.Duration) error {
	g.configured, g.media, g.echo = s.Configured, g.hull(s.Media), s.Echo
	g.machines = s.Machines
	g.listenForKeys()
	g.codec.Store(uint32(g.media.Codec))
	g.latch.host = g.ports.rtp.address(netip.AddrPortFrom(g.source, 1))
	g.latch.image = s.Media.Image
	g.latch.arm(g.ports.rtp.address(s.Media.Remote), g.learn, now)
	g.latch.locked = g.ports.rtp.address(s.Learned)
	g.control.mux = s.Media.RTCPMux
	g.control.target = g.ports.rtcp.address(s.Control)
	for g.out.ssrc == s.SSRC {
		g.out.ssrc = rand.Uint32()
	}
	g.out.high = s.Seq + restoreSeqJump
	g.out.clock = s.Timestamp + restoreTSJump
	g.heard, g.greeted = now, s.Learned.IsValid()
	g.reportAt = now + reportPause(true)
	return g.resumeSecret(&s)
}

// changed journals the state of a leg, before any message that depends on it can leave.
func (l *loop) changed(g *Leg) {
	g.savedAt, g.savedPackets = l.now, g.out.packets
	j := l.engine.journal
	if j == nil || g.line != nil || g.closed {
		return
	}
	b, err := g.state().encode()
	if err == nil {
		err = j.Put(stateKind, string(g.id), b)
	}
	if err != nil {
		l.engine.trouble.note("state of a leg is not kept over a restart", err)
	}
}

// forget removes a closed leg from the journal.
func (l *loop) forget(g *Leg) {
	if l.engine.journal == nil || g.line != nil {
		return
	}
	if err := l.engine.journal.Delete(stateKind, string(g.id)); err != nil {
		l.engine.trouble.note("state of a closed leg stays in the journal", err)
	}
}

// Restore brings back the legs of an earlier process from the journal's values of kind "leg": same
// ports, learned address kept, new SSRC. Legs that were bridged with each other relay at once. A
// leg that cannot come back is named in errs, and the others do. Events are lost until Bind.
func (e *Engine) Restore(states map[string][]byte) (legs map[tel.LegID]*Leg, errs []error) {
	legs = make(map[tel.LegID]*Leg, len(states))
	peers := make(map[tel.LegID]tel.LegID)
	for key, b := range states {
		s, err := decodeState(b)
		if err == nil && string(s.ID) != key {
			err = fmt.Errorf("the journal's leg %s says it is %s", key, s.ID)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g, err := e.reopen(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("restore leg %s: %w", s.ID, err))
			continue
		}
		legs[s.ID] = g
		peers[s.ID] = s.Peer
	}
	for id, peer := range peers {
		// Only a bridge that both legs remember is one; the call decides about half-made ones.
		if id < peer && peers[peer] == id {
			if err := e.Bridge(legs[id], legs[peer]); err != nil {
				errs = append(errs, err)
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return legs, errs
}

func (e *Engine) reopen(s legState) (*Leg, error) {
	if e.closed.Load() {
		return nil, ErrClosed
	}
	p, err := e.sockets.reopen(s.RTP, time.Now())
	if err != nil {
		return nil, err
	}
	g := newLeg(e, LegConfig{ID: s.ID, Advertise: s.Advertise, Lock: !s.Learn, Source: s.Source, Timeout: s.Timeout})
	g.ports = p
	err = g.resume(s, e.now())
	if s.Media.Remote.IsValid() && !g.latch.signalled.set() {
		err = errors.New("its remote address is of another family than our sockets")
	}
	if err != nil {
		e.opus.leaves(g)
		e.sockets.close(p, time.Now())
		return nil, err
	}
	if err := e.place(g); err != nil {
		return nil, err
	}
	return g, nil
}
