package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors that callers decide on.
var (
	ErrClosed     = errors.New("the leg or the media engine is closed")
	ErrOverloaded = errors.New("the media engine has too many commands waiting")
	ErrLineLeg    = errors.New("a line leg has no session description and no telephone-events")
	ErrSelfBridge = errors.New("a leg cannot be bridged with itself")
	ErrFault      = errors.New("the media engine failed inside; the leg was closed")
)

// HotJournal keeps the last value of each (kind, key) over a kill of the process; nil keeps nothing.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// Config is what an engine needs. The zero value of each field means the default in its comment.
type Config struct {
	Log     *slog.Logger  // slog.Default
	PortMin int           // 16384: outside the ephemeral range
	PortMax int           // 24575
	Loops   int           // 2
	Bind    netip.Addr    // 0.0.0.0
	Drain   time.Duration // how long a port rests before its next use; 5 s
	Keeper  SocketKeeper  // nil: sockets end with the process
	Journal HotJournal    // nil: legs end with the process
	OpusMax int           // legs that may speak Opus at a time; 0: four for each core, below 0: none
	DSCP    int           // mark of every packet; 46: EF (RFC 3246), voice goes first; below 0: none
}

// LegConfig describes one party of a call.
type LegConfig struct {
	ID        tel.LegID     // empty: a new one is made
	Events    func(Event)   // from the loop; must not block; nil: nobody listens
	Advertise netip.Addr    // the address that SDP shall name; the engine only remembers it
	Lock      bool          // believe only the signalled address, never learn another (no NAT)
	Source    netip.Addr    // host of the leg's signalling: besides the signalled host only it may be learned; zero: any
	DSCP      int           // mark of the leg's packets; 0 is the engine's, which a restart brings back
	Timeout   time.Duration // silence that makes a Timeout event; 30 s
	// Line makes a leg without sockets whose audio is that of a GSM or analog line.
	Line line.Media
	// DetectDTMF listens for tones on a line whose driver reports no digits.
	DetectDTMF bool
}

const (
	defaultPortMin = 16384
	defaultPortMax = 24575
	defaultLoops   = 2
	defaultDrain   = 5 * time.Second
	defaultTimeout = 30 * time.Second

	expeditedForwarding = 46
)

// Engine owns the sockets and the loops of all legs. Its methods are safe from any goroutine
// except those of its own loops.
type Engine struct {
	log     *slog.Logger
	sockets sockets
	journal HotJournal
	cname   string
	start   time.Time
	loops   []*loop
	routing sync.Mutex // one change of bridges at a time; loops never take it
	closed  atomic.Bool

	legs      legs
	recorders recorders
	tapes     tapes
	opus      opusLegs

	trouble trouble // our own
	junk    trouble // what others send to our ports: no RTP
	thieves trouble // RTP of those who have no part in the call
}

// New makes an engine and starts its loops.
func New(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.PortMin == 0 && cfg.PortMax == 0 {
		cfg.PortMin, cfg.PortMax = defaultPortMin, defaultPortMax
	}
	if cfg.Loops <= 0 {
		cfg.Loops = defaultLoops
	}
	if !cfg.Bind.IsValid() {
		cfg.Bind = netip.IPv4Unspecified()
	}
	if cfg.DSCP == 0 {
		cfg.DSCP = expeditedForwarding
	}
	if cfg.Drain == 0 {
		cfg.Drain = defaultDrain
	}
	pool, err := newPortPool(cfg.PortMin, cfg.PortMax, cfg.Drain)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		log:     cfg.Log,
		sockets: sockets{bind: cfg.Bind.Unmap(), ports: pool, keeper: cfg.Keeper, dscp: max(cfg.DSCP, 0)},
		journal: cfg.Journal,
		cname:   newCNAME(),
		start:   time.Now(),
	}
	e.opus.most = opusMost(cfg.OpusMax)
	e.recorders.log, e.recorders.open, e.recorders.paths = cfg.Log, openPart, map[string]bool{}
	e.trouble.log, e.trouble.level = cfg.Log, slog.LevelError
	e.junk.log, e.junk.level = cfg.Log, slog.LevelWarn
	e.thieves.log, e.thieves.level = cfg.Log, slog.LevelWarn
	for range cfg.Loops {
		l, err := newLoop(e)
		if err != nil {
			for _, l := range e.loops {
				l.release()
			}
			return nil, err
		}
		e.loops = append(e.loops, l)
	}
	e.tapes.start(cfg.Log)
	for _, l := range e.loops {
		go l.run()
	}
	return e, nil
}

// Close stops the loops and closes the sockets. What the journal and the keeper hold stays, so
// that a next process can go on with the calls.
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	for _, l := range e.loops {
		l.stop()
	}
	for _, l := range e.loops {
		<-l.done
	}
	e.recorders.running.Wait()
	e.tapes.close()
	return nil
}

// now is the time of the engine's own clock, which begins at its start and never jumps.
func (e *Engine) now() time.Duration { return time.Since(e.start) }

// Open makes a leg: with a pair of ports, or around a line. It sends and believes nothing until
// Configure.
func (e *Engine) Open(cfg LegConfig) (*Leg, error) {
	if e.closed.Load() {
		return nil, ErrClosed
	}
	g := newLeg(e, cfg)
	if cfg.Line == nil {
		p, err := e.sockets.open(time.Now())
		if err != nil {
			return nil, fmt.Errorf("open leg %s: %w", g.id, err)
		}
		g.ports = p
		if cfg.DSCP > 0 {
			_, _ = p.rtp.mark(cfg.DSCP), p.rtcp.mark(cfg.DSCP)
		}
	}
	if err := e.place(g); err != nil {
		return nil, err
	}
	return g, nil
}

// place gives a new leg to the loop with the fewest legs.
func (e *Engine) place(g *Leg) error {
	l := e.loops[0]
	for _, other := range e.loops[1:] {
		if other.load.Load() < l.load.Load() {
			l = other
		}
	}
	g.home = l
	e.legs.add(g)
	err := g.ask(func(l *loop) error {
		if err := l.attach(g); err != nil {
			return err
		}
		if g.line == nil {
			if err := e.sockets.keep(g.ports); err != nil {
				e.trouble.note("sockets of a leg are not kept over a restart", err)
			}
		}
		l.changed(g)
		return nil
	})
	if err != nil && !g.attached {
		e.legs.remove(g)
		if g.line == nil {
			e.sockets.close(g.ports, time.Now())
		}
	}
	return err
}

// Bridge lets a and b hear each other, in the place of whatever each heard before: a prompt or
// another leg. When it returns nil the route stands.
func (e *Engine) Bridge(a, b *Leg) error {
	if a == b {
		return ErrSelfBridge
	}
	e.routing.Lock()
	defer e.routing.Unlock()
	if err := e.gather(a, b); err != nil {
		return fmt.Errorf("bridge %s with %s: %w", a.id, b.id, err)
	}
	return a.ask(func(l *loop) error { return l.bridge(a, b) })
}

// Unbridge ends the bridge, the echo or the page of a, if it has one; who heard it hears nothing.
func (e *Engine) Unbridge(a *Leg) {
	e.routing.Lock()
	defer e.routing.Unlock()
	_ = a.ask(func(l *loop) error { l.unbridge(a); return nil }) // a closed leg has no bridge
}

// gather brings two legs to one loop; who moves leaves its bridge first.
func (e *Engine) gather(a, b *Leg) error {
	from, to := a.loop(), b.loop()
	if from == to {
		return nil
	}
	mover := a
	if to.load.Load() > from.load.Load() {
		mover, from, to = b, to, from
	}
	return mover.ask(func(l *loop) error {
		l.unbridge(mover)
		return l.move(mover, to)
	})
}

// Counters are sums over the life of the engine.
type Counters struct {
	Legs   int   // open now
	Panics int64 // faults of our own that ended a leg
	Missed int64 // 20 ms ticks left out after stalls of more than 80 ms

	Opus          int   // legs that speak Opus now
	OpusOver      int64 // that were taken beyond Config.OpusMax, because the far end had nothing else
	OpusRecovered int64 // lost packets that the next one brought again
}

// Counters tells how the engine fares.
func (e *Engine) Counters() Counters {
	c := Counters{
		Panics: e.trouble.panics.Load(), Missed: e.trouble.missed.Load(),
		Opus: int(e.opus.now.Load()), OpusOver: e.opus.over.Load(), OpusRecovered: e.opus.recovered.Load(),
	}
	for _, l := range e.loops {
		c.Legs += int(l.load.Load())
	}
	return c
}

// trouble counts faults and says each at most once a second.
type trouble struct {
	log    *slog.Logger
	level  slog.Level
	panics atomic.Int64
	missed atomic.Int64
	last   atomic.Int64 // unix nanoseconds of the last line in the log
	silent atomic.Int64 // faults since then that were not said
}

func (t *trouble) note(msg string, err error, attrs ...slog.Attr) {
	now := time.Now().UnixNano()
	last := t.last.Load()
	if now-last < int64(time.Second) || !t.last.CompareAndSwap(last, now) {
		t.silent.Add(1)
		return
	}
	attrs = append(attrs, slog.Any("error", err), slog.Int64("unsaid", t.silent.Swap(0)))
	t.log.LogAttrs(context.Background(), t.level, msg, attrs...)
}
