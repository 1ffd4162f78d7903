package stack

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dns"
	"github.com/pronto-pbx/pronto/firmware/sip/nat"
)

// Errors that callers decide on.
var (
	ErrTimeout   = errors.New("the other side did not answer in time")
	ErrTransport = errors.New("the message could not be sent")
	ErrClosed    = errors.New("the SIP stack is closed")
	ErrDone      = errors.New("the transaction is over")
	ErrUnknown   = errors.New("the other side has never heard of the request")
	ErrRequest   = errors.New("the request lacks what a transaction needs")
)

// Flow names the path of a message: the transport, our address and theirs. A TCP or TLS flow with local
// port 0 means "the connection that we open to Remote".
type Flow struct {
	Transport string         `json:"transport"` // "udp", "tcp" or "tls"
	Local     netip.AddrPort `json:"local"`
	Remote    netip.AddrPort `json:"remote"`
}

// Reliable says whether the transport repeats what is lost, so that transactions need not.
func (f Flow) Reliable() bool { return f.Transport != "udp" }

// SocketKeeper keeps sockets in the supervisor while this process restarts. One that
// has Untaken() []string, the names not taken yet, gives all kept connections back at Serve.
type SocketKeeper interface {
	// Take returns the socket kept by that name, once.
	Take(name string) (*os.File, bool)
	// Keep hands a duplicate of the socket to the supervisor.
	Keep(name string, s syscall.Conn) error
	// Drop makes the supervisor forget the socket.
	Drop(name string)
}

// Handler receives what belongs to no open transaction. Its methods run on the shard of the
// message's Call-ID and must not block.
type Handler interface {
	// Request is called once for each new server transaction; not for an ACK, nor for a CANCEL.
	Request(tx *ServerTx)
	// Ack is called for each ACK of a 2xx, repeated ones too.
	Ack(req *sip.Request, flow Flow)
	// StrayResponse is called for a success to an INVITE that has no client transaction any more:
	// late, or of another branch of a fork. It wants an ACK (RFC 3261 section 13.2.2.4).
	StrayResponse(res *sip.Response, flow Flow)
}

// Config is what a Stack needs; zero values mean the defaults in brackets.
type Config struct {
	Log *slog.Logger
	// Filter decides whether anything of this source is read at all. For TCP it is asked at accept,
	// with an empty head; for UDP for each datagram. It must be quick and safe for concurrent use.
	Filter func(src netip.AddrPort, head []byte) bool
	Shards int // goroutines that share the calls [2 per processor]
	// Queue is how many messages wait at a shard [512]. From three quarters on, requests outside
	// any dialog are refused with 503.
	Queue int
	// MaxTransactions is how many server transactions may be open before new ones outside any
	// dialog are refused with 503 [10,000].
	MaxTransactions int
	Keeper          SocketKeeper
	// Closed is told of each connection that has ended while the stack runs. It must not block.
	Closed    func(Flow)
	UserAgent string // for User-Agent and Server; empty: none
	// Reflected hears, from any goroutine, that the other end of a flow sees us at another address
	// than before; was is zero the first time. It must not block.
	Reflected func(f Flow, was, now netip.AddrPort)
	// Finding hears each named fault of the network once, as Findings lists them. It must not block.
	Finding func(nat.Finding)

	// Trace is shown each message that passes the checks of a reader, and each that is sent, from any goroutine. It
	// must not block, and not keep the text.
	Trace func(out bool, f Flow, text []byte)

	SourceRate, SourceBurst int // messages per second from one address [1,000] and at once [2,000]

	MaxConns, MaxConnsPerAddr int // TCP and TLS connections that others may open, in all [512], per address [64]
	// Greeting is how long a new connection may take to send its first whole message, TLS included, and
	// Assembly how long any later message may take from its first byte to its last [10 s, 10 s].
	Greeting, Assembly time.Duration
	// Idle closes a TCP connection that has been silent for so long [2 h].
	Idle time.Duration
	// Pong is how long a peer may take to answer a keep-alive [10 s, as RFC 5626 section 4.4.1 says].
	Pong time.Duration
	DSCP int // mark of our packets where Mark says nothing, 0 to 63, such as 24 for CS3; 0: none
	// MaxDatagram is the longest message sent over UDP, in bytes [8,192]. A request above 1,300 goes
	// by TCP when the peer takes a connection (RFC 3261 section 18.1.1); many phones do not, and
	// then, like every response, it is sent over UDP and counted.
	MaxDatagram int
	Names       Names // finds servers [dns.New with the system's files]
	// Route finds which of our addresses leads to a remote one, the zero Addr when none does [asks the
	// kernel]. It may be called from any goroutine.
	Route func(remote netip.AddrPort) netip.Addr
}

func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	def(&c.Shards, 2*runtime.GOMAXPROCS(0))
	def(&c.Queue, 512)
	def(&c.MaxTransactions, 10_000)
	def(&c.SourceRate, 1_000)
	def(&c.SourceBurst, 2*c.SourceRate)
	def(&c.MaxConns, 512)
	def(&c.MaxConnsPerAddr, 64)
	def(&c.MaxDatagram, 8192)
	wait(&c.Greeting, 10*time.Second)
	wait(&c.Assembly, 10*time.Second)
	wait(&c.Idle, 2*time.Hour)
	wait(&c.Pong, 10*time.Second)
	if c.Route == nil {
		c.Route = RouteTo
	}
	if c.Names == nil {
		c.Names = dns.New(dns.Config{})
	}
	return c
}

// Stack is the SIP transport and transaction layer of one process.
type Stack struct {
	cfg     Config
	log     *gate
	shards  []*shard
	sources *sources
	names   Names
	lot     uint64 // draws among SRV records of one priority
	secret  string // makes the tags of stateless answers recognisable as ours
	layer   *sip.TransportLayer
	parser  *sip.Parser
	count   counters
	open    atomic.Int64  // server transactions
	sent    atomic.Uint64 // requests of client transactions, in the order in which they left

	// transmit puts bytes on the wire; failed is called later, from any goroutine, when a message
	// that was queued could not be sent.
	transmit func(to Flow, raw []byte, failed func(error)) error

	handler    atomic.Pointer[Handler]
	screen     func(*sip.Request, Flow) *Refusal
	links      links
	trust      trust
	routes     routes
	markings   markings
	public     public
	shares     shares
	penalties  penalties
	withoutTCP withoutTCP
	wg         sync.WaitGroup // readers, writers, accept loops
	shardWG    sync.WaitGroup
}

// New starts the shards; sockets come with ListenUDP and ListenTCP, messages with Serve.
func New(cfg Config) (*Stack, error) {
	cfg = cfg.withDefaults()
	s := &Stack{
		cfg:     cfg,
		log:     newGate(cfg.Log),
		sources: newSources(float64(cfg.SourceRate), float64(cfg.SourceBurst)),
		names:   cfg.Names,
		lot:     rand.Uint64(),
		secret:  sip.GenerateTagN(12),
		parser:  sip.NewParser(),
	}
	s.transmit = s.write
	s.routes.ask = cfg.Route
	s.links.init()
	// What sipgo logs holds whole messages, callers' numbers among them: we count and log instead.
	s.layer = sip.NewTransportLayer(net.DefaultResolver, s.parser, nil,
		sip.WithTransportLayerLogger(slog.New(slog.DiscardHandler)))
	s.layer.OnMessage(s.fromTransport)
	s.shards = make([]*shard, cfg.Shards)
	for i := range s.shards {
		s.shards[i] = newShard(s, cfg.Queue)
		s.shardWG.Add(1)
		go s.shards[i].run()
	}
	return s, nil
}

// Serve starts delivering: sockets are read from now on, kept connections first. Call it once,
// after everything that was restored is in place.
func (s *Stack) Serve(h Handler) {
	s.handler.Store(&h)
	s.startReading()
}

// Close stops reading, closes every socket, lets the shards finish what they were told by Run, and
// waits for all goroutines. Sockets that the supervisor keeps stay open there.
func (s *Stack) Close() error {
	err := s.closeLinks()
	s.wg.Wait()
	for _, sh := range s.shards {
		sh.close()
	}
	s.shardWG.Wait()
	return err
}

// Run calls fn on the shard of that Call-ID, one after the other with its messages and timers. It
// never blocks; false means that the stack is closing or the shard is full, and fn will not run.
func (s *Stack) Run(callID string, fn func()) bool { return s.shardOf(callID).post(fn) }

// After calls fn on the shard of that Call-ID when d has passed. Once stop has returned on that
// shard, fn does not run any more.
func (s *Stack) After(callID string, d time.Duration, fn func()) (stop func()) {
	sh := s.shardOf(callID)
	a := sh.alarms.set(d, fn)
	return func() { sh.alarms.stop(a) }
}

// Send puts a message on the wire outside any transaction: the ACK of a 2xx, a repeated 2xx. A
// request gets a Via with a branch of its own; a response goes where its top Via says.
func (s *Stack) Send(msg sip.Message, to Flow) error {
	dest := to
	switch m := msg.(type) {
	case *sip.Request:
		if m.CallID() == nil || m.CSeq() == nil || m.From() == nil || m.To() == nil {
			return ErrRequest
		}
		branch := sip.GenerateBranch()
		s.finishRequest(m, to, branch)
		if tcp, may := s.byTCP(to, len(wire(m))); may && s.Alive(tcp) {
			dest = tcp
			s.finishRequest(m, tcp, branch)
		}
	case *sip.Response:
		s.finishResponse(m)
		dest = replyPath(m.Via(), to)
	}
	return s.transmit(dest, wire(msg), nil)
}

func (s *Stack) shardOf(callID string) *shard {
	// FNV-1a: an attacker who fills one shard on purpose is limited by the queue and by source.
	h := uint32(2166136261)
	for i := range len(callID) {
		h = (h ^ uint32(callID[i])) * 16777619
	}
	return s.shards[h%uint32(len(s.shards))]
}

// counters are what Stats shows.
type counters struct {
	received, filtered, throttled, junk, malformed, keepalives atomic.Int64
	dropped, refused, panics, strays, drained                  atomic.Int64
	oversize, sendErrors, timeouts, screened                   atomic.Int64
	connsRefused, connsSlow, connsIdle, handshakes             atomic.Int64
}

// Stats are totals since the start, except those said to be of now.
type Stats struct {
	Received   int64 // messages that reached the dispatcher
	Filtered   int64 // datagrams and connections that Config.Filter turned away
	Throttled  int64 // messages above the rate of their source
	Junk       int64 // datagrams that were no SIP at all
	Malformed  int64 // messages that were SIP but broken
	Keepalives int64
	Dropped    int64 // messages that found their shard full
	Refused    int64 // requests answered 503
	Screened   int64 // requests of strangers that Screen refused
	Panics     int64 // recovered
	Strays     int64 // responses without a transaction
	Drained    int64 // datagrams thrown away that had queued in a kept socket
	Oversize   int64 // datagrams above 1,300 bytes that were sent
	SendErrors int64
	Timeouts   int64 // client transactions that nobody answered

	ConnsRefused int64 // TCP connections above the limits
	ConnsSlow    int64 // TCP connections closed because a message did not arrive in time
	ConnsIdle    int64
	Handshakes   int64 // TLS handshakes that failed

	Transactions int64 // server transactions open now
	Conns        int   // TCP connections open now
	Sources      int   // addresses remembered by the rate limit now
	PoolEntries  int   // entries in sipgo's connection pools now
}

// Stats returns the counters of this moment.
func (s *Stack) Stats() Stats {
	c := &s.count
	return Stats{
		Received: c.received.Load(), Filtered: c.filtered.Load(), Throttled: c.throttled.Load(),
		Junk: c.junk.Load(), Malformed: c.malformed.Load(), Keepalives: c.keepalives.Load(),
		Dropped: c.dropped.Load(), Refused: c.refused.Load(), Screened: c.screened.Load(), Panics: c.panics.Load(),
		Strays: c.strays.Load(), Drained: c.drained.Load(), Oversize: c.oversize.Load(),
		SendErrors: c.sendErrors.Load(), Timeouts: c.timeouts.Load(),
		ConnsRefused: c.connsRefused.Load(), ConnsSlow: c.connsSlow.Load(), ConnsIdle: c.connsIdle.Load(), Handshakes: c.handshakes.Load(),
		Transactions: s.open.Load(), Conns: s.links.conns(), Sources: s.sources.size(),
		PoolEntries: s.layer.Pool("udp").Size() + s.layer.Pool("tcp").Size(),
	}
}

// guard runs fn and turns a panic into a count and a log line: nothing from outside may end the
// process. It reports whether fn returned.
func (s *Stack) guard(where string, fn func()) (fine bool) {
	defer func() {
		if r := recover(); r != nil {
			s.count.panics.Add(1)
			buf := make([]byte, 4096)
			s.log.say(where, "panic recovered in the SIP stack", "where", where,
				"panic", fmt.Sprint(r), "stack", string(buf[:runtime.Stack(buf, false)]))
			fine = false
		}
	}()
	fn()
	return true
}

// gate lets through one warning of each kind per second.
type gate struct {
	log *slog.Logger
	mu  sync.Mutex
	at  map[string]time.Time
}

func newGate(log *slog.Logger) *gate { return &gate{log: log, at: make(map[string]time.Time)} }

// say logs a warning unless one of the same kind was logged within the last second. Kinds are
// constants of this package, so the map is bounded.
func (g *gate) say(kind, msg string, args ...any) {
	now := time.Now()
	g.mu.Lock()
	last, seen := g.at[kind]
	if seen && now.Sub(last) < time.Second {
		g.mu.Unlock()
		return
	}
	g.at[kind] = now
	g.mu.Unlock()
	g.log.Warn(msg, args...)
}
