package media

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/quality"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Leg is the audio of one party. Its methods are safe from any goroutine; Configure and Stats wait
// for the leg's loop (well under a millisecond) and so must not be called from an Events function,
// the others never wait.
type Leg struct {
	// Set before the leg is shared, constant after.
	id      tel.LegID
	engine  *Engine
	learn   bool
	source  netip.Addr
	timeout time.Duration
	line    line.Media
	detects bool // the keys of a line whose driver reports none
	ports   pair
	press   func(Digit) // pressed, bound once so that a packet needs no allocation

	// home is written by the loop that gives the leg away and read by whoever sends a command; mu
	// makes "queue for the home" and "change the home" exclude each other. Neither waits inside.
	mu   sync.Mutex
	home *loop

	advertise atomic.Pointer[netip.Addr]

	closing atomic.Bool           // Close was asked; the loop looks in case the command was lost
	spoke   atomic.Int64          // the tick in which it last spoke in a mix; 0: never
	codec   atomic.Uint32         // of what is played, a codec.ID: set by the loop, read by Play
	final   atomic.Pointer[Stats] // set when the leg is closed

	// Below: owned by the home loop.
	sink              func(Event)
	attached, closed  bool
	rtpSlot, rtcpSlot int32
	place             int // in the loop's list

	media      sdp.Media
	configured bool
	latch      latch
	in         reception
	out        stream
	events     eventReader
	control    control // RTCP
	secret     *secrecy
	reportAt   time.Duration
	heard      time.Duration // last believed packet
	greeted    bool          // FirstPacket was sent
	silent     bool          // Timeout was sent
	count      counts

	peer *Leg
	fast bool // it is spoken to packet by packet, without the clock
	echo bool // the leg hears itself

	image image // while media says that it is in T.38

	conference *conference // in which the leg is heard and hears; peer is then who it exchanges keys with
	priming    int         // ticks for which it is still spoken to by relay

	pager    *Leg   // who speaks to this leg and others; fast is then of that way
	audience []*Leg // to whom this leg speaks

	talk      talk      // what we say to this leg: prompts and digits
	speech    speech    // how it goes out on the clock
	encoding  encoding  // how what it hears is encoded
	said      past      // by the far end
	decoding  decoding  // what it hears packet by packet in another codec
	recutting recutting // ... and in packets of another length
	voice     voice     // what it says, decoded, on the slow path

	detector *dsp.DTMF     // nil: keys come as telephone-events
	modem    dsp.Modem     // looks for the tones of machines
	machines machines      // that were found
	looks    uint8         // packets since one was looked at
	listener codec.Decoder // of what is listened to as it arrives
	listens  codec.ID

	returned *returning // made when it is first bridged by relay

	opus *opusEdge // nil: it speaks another codec

	heardAs quality.Stream // how its packets fare
	stalled time.Duration  // for how long in all the box served it late

	record     *recording
	tap        *tap    // of a conversation that is recorded
	traced     *traced // has its packets kept for a trace; nil: nobody has permitted it
	onClock    bool
	rests      bool  // its RTP socket is read once a tick
	awakeUntil int64 // a tick: until then it is read as packets come
	clockPlace int   // in the clock's list

	savedAt      time.Duration
	savedPackets uint64
}

// counts are the packets that went no further, by reason.
type counts struct {
	junk, strangers, unknownPT, early, rejected, late  uint64
	unsent, sendErrors, receiveErrors, rtcpJunk, muted uint64
	forged, broken                                     uint64
}

// Stats sums up one leg. Lost, Jitter and RTT are those of RTCP (RFC 3550 section 6.4).
type Stats struct {
	Codec    string      // "T.38" while it is in that
	Machine  tel.Machine // what the far end is by its tones; empty: a person
	Suite    string      // of the encryption (RFC 4568); empty: plain
	Bridged  bool        // or paged
	Fast     bool        // what it hears are packets of its peer, as they were
	Clocked  bool        // served each 20 ms: heard or spoken to from jitter buffer, mix or prompt
	Remote   netip.AddrPort
	Received uint64 // believed RTP packets
	Sent     uint64
	Lost     uint64 // sent by the far end, not arrived
	Jitter   time.Duration

	In        quality.Way      // how the far end's packets fared
	Concealed time.Duration    // sound that was invented for what was lost, on the slow path
	Echo      quality.Returned // what the far end is told comes back from it
	Echoes    bool             // it does
	Stalled   time.Duration    // for how long in all the box was late
	Quiet     bool             // the far end need not send: it holds, or only listens
	Reported  bool             // the far end has said what it received

	RTT          time.Duration // 0 until the far end reports
	RemoteLost   int32         // of our packets, as the far end reports
	RemoteJitter time.Duration

	Junk      uint64 // datagrams that are not RTP or RTCP
	Strangers uint64 // RTP from a source that the lock keeps out
	Forged    uint64 // packets and reports without the agreed key, or repeated
	Broken    uint64 // packets of Opus that could not be decoded

	Image                    bool   // it is in T.38 now
	ImageReceived, ImageSent uint64 // believed datagrams of T.38
	UnknownPT                uint64 // payload types that were not negotiated
	Early                    uint64 // packets before Configure
	Wild                     uint64 // sequence numbers without connection to the stream
	Late                     uint64 // packets from before a change of route, or too late for a codec with memory: not passed on
	Muted                    uint64 // packets against the negotiated direction
	SendErrors               uint64 // packets that could not be sent
	ReadErrors               uint64 // receptions that the kernel refused
}

// newLeg makes a leg that belongs to no loop yet.
func newLeg(e *Engine, cfg LegConfig) *Leg {
	g := &Leg{
		id: cfg.ID, engine: e, learn: !cfg.Lock, source: cfg.Source,
		timeout: cfg.Timeout, line: cfg.Line, sink: cfg.Events,
	}
	g.advertise.Store(&cfg.Advertise)
	if g.id == "" {
		g.id = tel.NewLegID()
	}
	if g.timeout <= 0 {
		g.timeout = defaultTimeout
	}
	if g.line != nil {
		g.codec.Store(uint32(codec.PCMA)) // what a line hears is decoded from the cheapest form
		g.detects = cfg.DetectDTMF
		g.listenForKeys()
	}
	g.press = g.pressed
	// RFC 3550 section 5.1: SSRC, first sequence number and first timestamp are random.
	g.out.ssrc, g.out.high, g.out.clock = rand.Uint32(), uint16(rand.Uint32()), rand.Uint32()
	g.savedAt = e.now()
	return g
}

// ID names the leg.
func (g *Leg) ID() tel.LegID { return g.id }

// Ports returns the local RTP and RTCP ports, both 0 for a line leg.
func (g *Leg) Ports() (rtp, rtcp uint16) {
	if g.line != nil {
		return 0, 0
	}
	return g.ports.rtp.port, g.ports.rtcp.port
}

// Advertise is the address that SDP names: that of LegConfig, or of Readvertise.
func (g *Leg) Advertise() netip.Addr { return *g.advertise.Load() }

// Readvertise notes that SDP names another address from now on, which a restart brings back.
func (g *Leg) Readvertise(addr netip.Addr) error {
	return g.tell(func(l *loop) {
		g.advertise.Store(&addr)
		l.changed(g)
	})
}

// Bind replaces the receiver of events; a restored leg has none until then.
func (g *Leg) Bind(events func(Event)) error {
	return g.tell(func(*loop) { g.sink = events })
}

// Configure sets what offer and answer agreed, at first and after each re-INVITE. A new remote
// address forgets the one that was learned. The state is in the journal when it returns.
func (g *Leg) Configure(m sdp.Media) error {
	if g.line != nil {
		return ErrLineLeg
	}
	var playing []Sound
	err := g.ask(func(*loop) error { playing = g.talk.sounds; return nil })
	if err == nil {
		if !m.Image {
			warm(playing, m.Codec)
		}
		err = g.ask(func(l *loop) error { return l.configure(g, m) })
	}
	if err != nil {
		return fmt.Errorf("configure leg %s: %w", g.id, err)
	}
	return nil
}

// Stats returns the counters of now, or those of the end for a closed leg.
func (g *Leg) Stats() Stats {
	var s *Stats
	if err := g.ask(func(*loop) error { s = g.snapshotStats(); return nil }); err != nil {
		s = g.final.Load()
	}
	if s == nil {
		return Stats{}
	}
	return *s
}

// Close ends the leg, its bridge and its ports; it is idempotent and does not wait. No event
// follows it except one that was being delivered.
func (g *Leg) Close() {
	g.closing.Store(true)
	_ = g.tell(func(l *loop) { l.close(g) }) // a full mailbox: the loop's housekeeping sees closing
}

// loop is where the leg lives now.
func (g *Leg) loop() *loop {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.home
}

// tell queues a command for the leg's loop, following the leg when it moves. A closed leg ignores it.
func (g *Leg) tell(command func(*loop)) error {
	if g.engine.closed.Load() {
		return ErrClosed
	}
	if !g.queue(func(l *loop) { g.perform(l, command, func(error) {}) }) {
		return ErrOverloaded
	}
	return nil
}

// ask queues a command and waits for its result.
func (g *Leg) ask(command func(*loop) error) error {
	if g.engine.closed.Load() {
		return ErrClosed
	}
	reply := make(chan error, 1)
	refuse := func(err error) { reply <- err }
	if !g.queue(func(l *loop) {
		g.perform(l, func(l *loop) {
			err := ErrFault // what a panic leaves
			defer func() { reply <- err }()
			err = command(l)
		}, refuse)
	}) {
		return ErrOverloaded
	}
	home := g.loop()
	select {
	case err := <-reply:
		return err
	case <-home.done:
		return ErrClosed
	}
}

// queue posts to the home loop.
func (g *Leg) queue(command func(*loop)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.home.post(command)
}

// perform runs on a loop. When the leg has moved on since the command was queued, it is sent after.
func (g *Leg) perform(l *loop, command func(*loop), refuse func(error)) {
	switch {
	case g.loop() != l:
		if !g.queue(func(l *loop) { g.perform(l, command, refuse) }) {
			refuse(ErrOverloaded)
		}
	case g.closed:
		refuse(ErrClosed)
	default:
		l.current = g
		command(l)
	}
}

func (g *Leg) emit(e Event) {
	if g.sink != nil && !g.closing.Load() {
		g.sink(e)
	}
}

// pressed takes a key press of the far end: it is an event, and is said anew to a party to which the
// packets of the key are not relayed.
func (g *Leg) pressed(d Digit) {
	p := g.peer
	anew := p != nil && p.line == nil && p.configured && (!p.fast || p.media.EventSendPT == 0)
	if d.Digit == rune(pressable[flashCode]) {
		if g.emit(Flash{}); anew && p.media.EventSendPT != 0 {
			p.home.dial(p, flashCode)
		}
		return
	}
	if g.emit(d); anew {
		if code, ok := eventCode(d.Digit); ok {
			p.home.dial(p, code)
		}
	}
}

// configure takes the outcome of an offer and answer.
func (l *loop) configure(g *Leg, m sdp.Media) error {
	if m.Image {
		return l.configureImage(g, m)
	}
	if !m.Codec.Audio() {
		return fmt.Errorf("codec %v carries no audio", m.Codec)
	}
	signalled := g.ports.rtp.address(m.Remote)
	if m.Remote.IsValid() && m.Remote.Port() != 0 && !signalled.set() {
		return errFamily(m.Remote)
	}
	secret, renewed, err := g.rekey(&m)
	if err != nil {
		return err
	}
	m = g.hull(m)
	if g.secret = secret; renewed {
		g.out.freshStream(rand.Uint32())
	}
	first := !g.configured
	if first || g.media != m {
		g.out.src = source{} // what comes next is marked and joined to what was sent
	}
	if first {
		g.heard = l.now
		g.reportAt = l.now + reportPause(true)
	}
	if g.media.Image {
		l.changeKind(g)
	}
	g.media, g.configured = m, true
	g.listenForKeys()
	g.codec.Store(uint32(m.Codec))
	g.latch.host = g.ports.rtp.address(netip.AddrPortFrom(g.source, 1))
	g.latch.image = false
	g.latch.arm(signalled, g.learn, l.now)
	g.control.aim(g, m)
	l.reroute(g)
	l.strand(g)
	l.changed(g)
	return nil
}

// errFamily is an address that our sockets cannot reach.
func errFamily(remote netip.AddrPort) error {
	return fmt.Errorf("address %v is of another family than our sockets", remote.Addr())
}

// ready reports whether audio may be sent to the leg now.
func (g *Leg) ready() bool {
	return g.configured && !g.media.Image && g.media.Direction.Sends() && g.latch.target().set()
}

// send writes one RTP packet to the far end, in its codec and on its clock.
func (l *loop) send(g *Leg, b []byte) {
	if g.opus != nil {
		if b = g.sealOpus(b); b == nil {
			return
		}
	}
	l.transmit(g, b)
}

// transmit writes one RTP packet as it is.
func (l *loop) transmit(g *Leg, b []byte) {
	size, plain := len(b), b
	if g.secret != nil {
		if b = l.seal(g, b); b == nil {
			return
		}
	}
	if errno := g.ports.rtp.send(b, g.latch.target()); errno != 0 {
		g.count.sendErrors++
		return
	}
	if g.traced != nil {
		l.traceSent(g, plain)
	}
	g.out.packets++
	g.out.octets += uint64(size - headerSize)
}

func (g *Leg) snapshotStats() *Stats {
	c := &g.count
	s := &Stats{
		Bridged: g.ear() != nil || g.conference != nil, Fast: g.ear() != nil && g.fast && g.alike(g.ear()), Clocked: g.clocked(),
		Received: g.in.received, Sent: g.out.packets, Lost: g.in.lost(), Jitter: g.in.jitterTime(),
		Machine: g.machines.kind(),
		In:      g.heardAs.Way(), Stalled: g.stalled, Reported: g.control.reported,
		Concealed: time.Duration(g.voice.concealed()) * time.Second / clockRate,
		Quiet:     g.configured && (g.media.Image || !g.media.Direction.Receives()),
		Image:     g.media.Image, ImageReceived: g.image.received, ImageSent: g.image.sent,
		RTT: g.control.rtt, RemoteLost: g.control.remoteLost, RemoteJitter: g.control.remoteJitter,
		Junk: c.junk + c.rtcpJunk, Strangers: c.strangers, Forged: c.forged, Broken: c.broken, UnknownPT: c.unknownPT, Early: c.early,
		Wild: c.rejected, Late: c.late, Muted: c.muted + c.unsent, SendErrors: c.sendErrors, ReadErrors: c.receiveErrors,
	}
	if g.returned != nil {
		s.Echo, s.Echoes = g.returned.echo.Returned()
	}
	if g.configured {
		s.Codec = g.agreed().Codec.Name()
		if g.media.Image {
			s.Codec = "T.38"
		}
		s.Suite = g.media.SendKey.Suite.String()
		s.Remote = g.latch.target().addrPort()
	}
	if g.line != nil {
		m := g.line.Stats()
		s.Received, s.Sent, s.Lost = m.FramesIn, m.FramesOut, m.Overruns
	}
	return s
}
