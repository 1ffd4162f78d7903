package webrtc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	pion "github.com/pion/webrtc/v4"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// State is how the connection to a browser stands.
type State uint8

// The states of a session.
const (
	Connecting State = iota
	Up               // checked, encrypted, audio flows
	Lost             // nothing arrives any more; it may come back by itself
	Gone             // it will not
)

// mtu bounds a packet of audio; browsers send 212 bytes for 20 ms of G.711.
const mtu = 1500

// mostWrong bounds the packets in a row that were not agreed on: a stream of nothing else, or one that has ended.
const mostWrong = 100

// answerBy bounds the search for the box's own addresses, which are known at once.
const answerBy = 5 * time.Second

// Session is the audio of one browser, from Answer to Close.
type Session struct {
	g     *Gateway
	pc    *pion.PeerConnection
	track *pion.TrackLocalStaticRTP
	wire  *net.UDPConn // to and from the engine's leg
	media sdp.Media

	muted   atomic.Bool
	poke    chan struct{} // the connection may have changed
	closing chan struct{}
	wg      sync.WaitGroup

	mu    sync.Mutex // guards ended
	ended bool       // no goroutine of pion's is waited for any more
}

// Answer answers a browser's offer for the engine's leg whose RTP port is given. The leg is to be configured with
// Media, whereupon it hears the browser. changed, unless nil, is told each new state by one goroutine; it may call Close.
// Errors: ErrOffer, ErrFull, ErrClosed.
func (g *Gateway) Answer(ctx context.Context, offerText string, port uint16, changed func(State)) (session *Session, answer string, err error) {
	o, err := readOffer(offerText)
	if err != nil {
		return nil, "", err
	}
	s := &Session{g: g, poke: make(chan struct{}, 1), closing: make(chan struct{})}
	if err := g.enter(s); err != nil {
		return nil, "", err
	}
	defer func() {
		if p := recover(); p != nil { // pion's parsers ran in this goroutine
			g.cfg.Log.Error("offer of a browser refused for a fault of ours", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: it broke its parser", ErrOffer)
		}
		if err != nil {
			s.Close()
			session, answer = nil, ""
		}
	}()
	if err := s.connect(o, port); err != nil {
		return nil, "", err
	}
	if answer, err = s.negotiate(ctx, o); err != nil {
		return nil, "", err
	}
	s.wg.Go(func() { s.follow(changed) })
	s.wg.Go(s.speak)
	return s, answer, nil
}

// connect makes both ends of the session.
func (s *Session) connect(o offer, port uint16) (err error) {
	engine := net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.g.cfg.Engine, port))
	if s.wire, err = net.DialUDP("udp", nil, engine); err != nil { // connected: the kernel keeps everybody else out
		return fmt.Errorf("audio between a browser and the engine: %w", err)
	}
	s.media = sdp.Media{
		Remote: s.wire.LocalAddr().(*net.UDPAddr).AddrPort(), RTCPMux: true,
		Codec: o.codec, SendPT: o.pt, RecvPT: o.pt, EventRecvPT: o.event, Ptime: 20, Direction: sdp.SendRecv,
	}
	api, err := s.g.api(o)
	if err != nil {
		return err
	}
	if s.pc, err = api.NewPeerConnection(pion.Configuration{Certificates: []pion.Certificate{s.g.cert}}); err != nil {
		return fmt.Errorf("connection to a browser: %w", err)
	}
	if s.track, err = pion.NewTrackLocalStaticRTP(o.capability(), "audio", "pronto"); err != nil {
		return err
	}
	s.pc.OnTrack(func(t *pion.TrackRemote, _ *pion.RTPReceiver) { s.listen(t) })
	s.pc.OnConnectionStateChange(func(pion.PeerConnectionState) {
		select {
		case s.poke <- struct{}{}:
		default:
		}
	})
	return nil
}

func (s *Session) negotiate(ctx context.Context, o offer) (string, error) {
	if err := s.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: o.text}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	sender, err := s.pc.AddTrack(s.track)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	s.wg.Go(func() { // reports about what we send: pion's interceptors see them as they are read
		b := make([]byte, mtu)
		for {
			if _, _, err := sender.Read(b); err != nil {
				return
			}
		}
	})
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	gathered := pion.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	late := time.NewTimer(answerBy)
	defer late.Stop()
	select {
	case <-gathered:
	case <-late.C:
		return "", fmt.Errorf("%w: it has no answer", ErrOffer)
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return s.pc.LocalDescription().SDP, nil
}

// Media is how the engine's leg reaches the session.
func (s *Session) Media() sdp.Media { return s.media }

// follow tells how the connection stands. pion tells of changes from goroutines that may overtake each other, so that
// the state is asked for, not believed.
func (s *Session) follow(changed func(State)) {
	told := Connecting
	for {
		select {
		case <-s.closing:
			return
		case <-s.poke:
		}
		if now := stateOf(s.pc.ConnectionState()); now != told {
			told = now
			if changed != nil {
				changed(now)
			}
		}
	}
}

func stateOf(c pion.PeerConnectionState) State {
	switch c {
	case pion.PeerConnectionStateConnected:
		return Up
	case pion.PeerConnectionStateDisconnected:
		return Lost
	case pion.PeerConnectionStateFailed, pion.PeerConnectionStateClosed:
		return Gone
	default:
		return Connecting
	}
}

// speak carries what the engine's leg says to the browser.
func (s *Session) speak() {
	b := make([]byte, mtu)
	for {
		n, err := s.wire.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < 12 || isRTCP(b[:n]) { // the engine's port may be closed before us
			continue
		}
		_, _ = s.track.Write(b[:n]) // a browser that is not there yet, or not any more
	}
}

// listen carries what the browser says to the engine's leg; it runs in pion's goroutine, which ends with the session.
func (s *Session) listen(t *pion.TrackRemote) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	b := make([]byte, mtu)
	for wrong := 0; wrong < mostWrong; {
		n, _, err := t.Read(b)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			wrong++
		default:
			wrong = 0
			if s.muted.Load() && !hush(b[:n], s.media) {
				continue
			}
			_, _ = s.wire.Write(b[:n])
		}
	}
}

// Mute has the other party hear silence in the place of the browser. Packets go on, because phones and carriers end a
// call without any; but of a codec whose silence is not the same in each packet.
func (s *Session) Mute(on bool) { s.muted.Store(on) }

// hush makes a packet of audio silent; false says that it cannot. Keys are passed.
func hush(b []byte, m sdp.Media) bool {
	if len(b) < 12 || b[1]&0x7f != m.RecvPT {
		return true
	}
	at := 12 + 4*int(b[0]&0x0f) // RFC 3550 section 5.1: contributors, then an extension
	if b[0]&0x10 != 0 && len(b) >= at+4 {
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	if at > len(b) {
		return false
	}
	silence := byte(0xd5)
	switch m.Codec {
	case codec.PCMA:
	case codec.PCMU:
		silence = 0xff
	default:
		return false
	}
	for i := range b[at:] {
		b[at+i] = silence
	}
	return true
}

// isRTCP tells reports from audio on one port (RFC 5761 section 4).
func isRTCP(b []byte) bool { return b[1] >= 192 && b[1] <= 223 }

// Close ends the session; it does not wait. No state is told afterwards but one that was being told.
func (s *Session) Close() { s.g.leave(s) }

// end closes everything and waits for the session's goroutines.
func (s *Session) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	close(s.closing)
	if s.wire != nil {
		_ = s.wire.Close()
	}
	if s.pc != nil {
		if err := s.pc.GracefulClose(); err != nil {
			s.g.cfg.Log.Debug("connection to a browser does not close well", "err", err)
		}
	}
	s.wg.Wait()
}
