// Package webrtc carries the audio of browsers (RFC 8834): ICE-lite, DTLS-SRTP and RTP by pion, on one UDP port for
// all. A session hands plain RTP to a leg of the media engine over a loopback socket and takes the leg's from there,
// so that a browser's leg is one like the others: it is relayed, transcoded, mixed, recorded and restored by the same code.
//
// Begin with gateway.go (what callers use), then offer.go (what of an offer is believed), gate.go (who may send to the
// port) and session.go (the way of a packet).
package webrtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	pion "github.com/pion/webrtc/v4"
)

// Errors that callers decide on.
var (
	// ErrOffer is of an offer that cannot be taken; the text says why.
	ErrOffer = errors.New("the browser's offer cannot be taken")
	// ErrFull says that as many browsers talk as the box may carry.
	ErrFull   = errors.New("as many browsers talk as this box carries")
	ErrClosed = errors.New("the audio of browsers is closed")
)

// The defaults of Config, for a Pi 4.
const (
	DefaultPort = 16382
	DefaultMax  = 8
)

const (
	// A browser sends 50 packets a second, and checks its consent every 5 s (RFC 7675): who is silent for so long is lost.
	lostAfter = 3 * time.Second
	goneAfter = 5 * time.Second // and after so long again nothing of it is kept
	checks    = 2 * time.Second
)

// Config is what a gateway needs. The zero value of each field means the default in its comment.
type Config struct {
	Log    *slog.Logger   // slog.Default
	Listen netip.AddrPort // UDP; 0.0.0.0:16382
	Engine netip.Addr     // where the media engine's sockets are reached; 127.0.0.1
	Max    int            // sessions at a time; 8
	DSCP   int            // mark of every packet; 0: none
}

// Gateway owns the port and the sessions.
type Gateway struct {
	cfg  Config
	gate *gate
	mux  ice.UDPMux
	cert pion.Certificate
	wg   sync.WaitGroup // of sessions that end

	mu       sync.Mutex // guards what follows
	sessions map[*Session]struct{}
	closed   bool
}

// Open opens the port and makes the certificate, which is another one at each start: no browser keeps it.
func Open(cfg Config) (*Gateway, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if !cfg.Listen.IsValid() {
		cfg.Listen = netip.AddrPortFrom(netip.IPv4Unspecified(), DefaultPort)
	}
	if !cfg.Engine.IsValid() || cfg.Engine.IsUnspecified() {
		cfg.Engine = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if cfg.Max <= 0 {
		cfg.Max = DefaultMax
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key for browsers: %w", err)
	}
	cert, err := pion.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("certificate for browsers: %w", err)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen))
	if err != nil {
		return nil, fmt.Errorf("UDP %v is not free for browsers: %w", cfg.Listen, err)
	}
	mark(conn, cfg.DSCP)
	g := &Gateway{cfg: cfg, gate: newGate(conn), cert: *cert, sessions: map[*Session]struct{}{}}
	g.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: g.gate, Logger: quiet{}})
	return g, nil
}

// Addr is where the port is.
func (g *Gateway) Addr() netip.AddrPort { return g.gate.LocalAddr().(*net.UDPAddr).AddrPort() }

// Max is how many browsers may talk at a time.
func (g *Gateway) Max() int { return g.cfg.Max }

// Dropped counts the packets that came faster than anybody may send, or from strangers beyond their measure.
func (g *Gateway) Dropped() uint64 { return g.gate.dropped.Load() }

// api is pion's, with the one codec that was chosen and telephone-events, and nothing else: no video, no data, no
// retransmission.
func (g *Gateway) api(o offer) (*pion.API, error) {
	var e pion.SettingEngine
	e.LoggerFactory = quiet{}
	e.SetLite(true)
	e.SetICEUDPMux(g.mux)
	e.SetICETimeouts(lostAfter, goneAfter, checks)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetIncludeLoopbackCandidate(g.cfg.Listen.Addr().IsLoopback())
	types := []pion.NetworkType{pion.NetworkTypeUDP4}
	if !g.cfg.Listen.Addr().Is4() {
		types = append(types, pion.NetworkTypeUDP6)
	}
	e.SetNetworkTypes(types)
	var m pion.MediaEngine
	for _, c := range o.codecs() {
		if err := m.RegisterCodec(c, pion.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	var reports interceptor.Registry
	if err := pion.ConfigureRTCPReports(&reports); err != nil {
		return nil, err
	}
	return pion.NewAPI(pion.WithSettingEngine(e), pion.WithMediaEngine(&m), pion.WithInterceptorRegistry(&reports)), nil
}

// enter takes one of the places.
func (g *Gateway) enter(s *Session) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return ErrClosed
	case len(g.sessions) >= g.cfg.Max:
		return fmt.Errorf("%w: %d", ErrFull, g.cfg.Max)
	}
	g.sessions[s] = struct{}{}
	return nil
}

// leave gives the place back and ends the session, which is not waited for.
func (g *Gateway) leave(s *Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, here := g.sessions[s]; here {
		delete(g.sessions, s)
		g.wg.Go(s.end)
	}
}

// Close ends every session and waits for all goroutines.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	for s := range g.sessions {
		delete(g.sessions, s)
		g.wg.Go(s.end)
	}
	g.mu.Unlock()
	g.wg.Wait()
	err := g.mux.Close()
	g.gate.close()
	return err
}
