package peer

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Config describes one peer.
type Config struct {
	Log       *slog.Logger   // nil: silent
	Listen    netip.AddrPort // port 0: any
	Box       netip.AddrPort // where the box listens
	User      string         // at the box; a carrier has none
	Password  string
	Algorithm string   // of digest, to answer: "SHA-256", "MD5"; empty: the first that is offered
	Law       tone.Law // that is offered and answered
	Hz        int      // the voice: a tone; 0 is silence
	// Incoming plays the callee on a goroutine of its own; nil: every call is busy.
	Incoming func(*Call)
	// Reached is told of each INVITE of a new call that is let in, before anything else is answered; the
	// answer waits for its return.
	Reached func()
	// Texts takes the text messages that come; nil: they are refused.
	Texts func(from, text string)
	// Accounts makes a carrier: user -> password of who may register and call out.
	Accounts map[string]string
	Quirks   Quirks // of a carrier
	// TLS carries everything over TLS instead of UDP: its certificates are shown to who connects, its
	// RootCAs believed of who is connected to.
	TLS *tls.Config
	TCP bool // carries everything over TCP; with TLS it means nothing
	// SRTP encrypts the audio by SDES (RFC 4568) and takes no other.
	SRTP  bool
	First uint16 // sequence number of each call's first packet; 0: any
}

// Errors of requests.
var (
	ErrTimeout = errors.New("no answer from the box")
	ErrClosed  = errors.New("the peer is closed")
	ErrStatus  = errors.New("the box refused")
)

// Peer is one endpoint. Its methods may be called from any goroutine.
type Peer struct {
	cfg    Config
	conn   *net.UDPConn // nil over TCP and TLS
	tcp    *streams     // nil over UDP
	parser *sip.Parser
	quit   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex // guards all below and the state of the calls
	closed   bool
	calls    map[string]*Call              // by Call-ID
	waiting  map[string]chan *sip.Response // client transactions by branch
	answers  map[string]answer             // server transactions by branch and method
	bindings map[string]Binding            // of a carrier's customers
	nonces   map[string]bool               // that a carrier with FreshNonce has given out
	kept     []*sip.Request
	past     map[string]bool   // client transactions whose request went out more than once, and may be answered as often
	watches  map[string]*Watch // by Call-ID
	strays   int
	statuses map[int]int // of the box's final responses
	byes     []string    // Call-IDs
	doubles  int
	slow     time.Duration
	mute     bool
}

// answer is the last response of a server transaction, for when its request comes again.
type answer struct {
	text string
	at   time.Time
}

// Binding is where a customer of the carrier is.
type Binding struct {
	Contact string // URI
	From    netip.AddrPort
}

// The timers of RFC 3261 section 17.
const (
	t1       = 500 * time.Millisecond
	t2       = 4 * time.Second
	life     = 64 * t1
	forwards = 70 // Max-Forwards of a new request (RFC 3261 section 8.1.1.6)

	sweep = 1000 // server transactions before old ones are dropped
)

// New opens the socket and answers from then on.
func New(cfg Config) (*Peer, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Peer{
		cfg: cfg, parser: sip.NewParser(), quit: make(chan struct{}), calls: map[string]*Call{},
		waiting: map[string]chan *sip.Response{}, answers: map[string]answer{}, bindings: map[string]Binding{}, nonces: map[string]bool{}, past: map[string]bool{}, watches: map[string]*Watch{}, statuses: map[int]int{},
	}
	var err error
	if cfg.TLS != nil || cfg.TCP {
		err = p.listenStreams()
	} else if p.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen)); err == nil {
		p.wg.Go(p.read)
	}
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	return p, nil
}

// Close drops everything without a word, as a phone that loses its power, and waits.
func (p *Peer) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	calls := p.calls
	p.calls = map[string]*Call{}
	p.mu.Unlock()
	close(p.quit)
	if p.tcp != nil {
		p.tcp.close()
	} else {
		_ = p.conn.Close()
	}
	for _, c := range calls {
		c.finish(0, "closed", false)
	}
	p.wg.Wait()
}

// spawn runs f on a goroutine that Close waits for; after Close it does nothing.
func (p *Peer) spawn(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.wg.Go(f)
	}
}

// Local is the peer's own SIP address.
func (p *Peer) Local() netip.AddrPort {
	if p.tcp != nil {
		return p.tcp.local
	}
	return p.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Registered tells where a customer of the carrier is.
func (p *Peer) Registered(user string) (Binding, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.bindings[user]
	return b, ok
}

// Strays counts responses that belonged to nothing. Another one to a request that was repeated belongs to it
// (RFC 3261 section 17.1.2.2, Timer K).
func (p *Peer) Strays() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.strays
}

// Told counts the final responses of a status that the box has sent here, such as 481, repetitions too.
func (p *Peer) Told(status int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statuses[status]
}

// Byes are the Call-IDs of the calls that the box has ended by BYE, known here or not, each once, in the order of their
// ends.
func (p *Peer) Byes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.byes)
}

// ends notes that the box ends a call.
func (p *Peer) ends(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.byes, id) {
		p.byes = append(p.byes, id)
	}
}

// Doubles counts the calls that came while another one here had no final answer yet: a phone with one line
// would have said that it is busy, any other would have shown both.
func (p *Peer) Doubles() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doubles
}

// Think has the phone say nothing to a new call for so long, not even 100. Less than T1 (500 ms), or the box
// repeats its INVITE.
func (p *Peer) Think(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

// Mute has the phone say nothing to INVITE, ACK, CANCEL and BYE, as one that has lost its power or its way back; they
// are noted in Requests, repetitions too. What comes again afterwards is answered as if it were new.
func (p *Peer) Mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = on
}

// muted notes what a mute phone does not answer.
func (p *Peer) muted(req *sip.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch req.Method {
	case sip.INVITE, sip.ACK, sip.CANCEL, sip.BYE:
	default:
		return false
	}
	if p.mute && len(p.kept) < maxKept {
		p.kept = append(p.kept, req)
	}
	return p.mute
}

func (p *Peer) read() {
	buf := make([]byte, 65535)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || len(strings.TrimSpace(string(buf[:n]))) == 0 {
			continue
		}
		p.message(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

func (p *Peer) message(raw []byte, from netip.AddrPort) {
	msg, err := p.parser.ParseSIP(raw)
	if err != nil {
		p.cfg.Log.Warn("the box sends what is no SIP", "error", err)
		return
	}
	switch m := msg.(type) {
	case *sip.Response:
		p.response(m)
	case *sip.Request:
		p.request(m, from)
	}
}

// response gives a response to its transaction; a 2xx that comes again gets its ACK again.
func (p *Peer) response(res *sip.Response) {
	via, id, cseq := res.Via(), res.CallID(), res.CSeq()
	if via == nil || id == nil || cseq == nil || res.To() == nil {
		return
	}
	branch, _ := via.Params.Get("branch")
	p.mu.Lock()
	key := branch + string(cseq.MethodName)
	ch := p.waiting[key]
	if res.StatusCode >= 200 {
		p.statuses[res.StatusCode]++
	}
	c := p.calls[string(*id)]
	var again string
	if ch == nil {
		if c != nil && cseq.MethodName == sip.INVITE && res.StatusCode >= 200 {
			again = c.acks[branch]
		}
		if again == "" && !p.past[key] {
			p.strays++
		}
	}
	p.mu.Unlock()
	if again != "" {
		p.send(again, c.flow)
	}
	if ch != nil {
		select {
		case ch <- res:
		default: // more than it can hold: as lost on the wire
		}
	}
}

func (p *Peer) send(text string, to netip.AddrPort) {
	if p.tcp != nil {
		p.tcp.send(p, text, to)
		return
	}
	_, _ = p.conn.WriteToUDPAddrPort([]byte(text), to)
}

// open begins a client transaction; its end is close.
func (p *Peer) open(method, branch string) (ch chan *sip.Response, end func()) {
	ch = make(chan *sip.Response, 32)
	key := branch + method
	p.mu.Lock()
	p.waiting[key] = ch
	p.mu.Unlock()
	return ch, func() {
		p.mu.Lock()
		delete(p.waiting, key)
		p.mu.Unlock()
	}
}

// repeated notes that the request of a transaction goes out once more.
func (p *Peer) repeated(method, branch string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.past[branch+method] = true
}

// exchange is a client transaction other than INVITE: it repeats the request until a final response.
func (p *Peer) exchange(ctx context.Context, method, branch, text string, to netip.AddrPort) (*sip.Response, error) {
	ch, end := p.open(method, branch)
	defer end()
	giveUp := time.After(life)
	for wait := t1; ; wait = min(2*wait, t2) {
		if wait > t1 {
			p.repeated(method, branch)
		}
		p.send(text, to)
		for again := time.After(wait); again != nil; {
			select {
			case res := <-ch:
				if res.StatusCode >= 200 {
					return res, nil
				}
			case <-again:
				again = nil
			case <-giveUp:
				return nil, ErrTimeout
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-p.quit:
				return nil, ErrClosed
			}
		}
	}
}

func branch() string { return "z9hG4bK" + rand.Text() }

// via is the top of every request.
func (p *Peer) via(branch string) string { return p.hop(branch, forwards) }

// hop is the top of a request that may be passed on so often.
func (p *Peer) hop(branch string, left int) string {
	return fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s;rport\r\nMax-Forwards: %d\r\n", p.transport(), p.Local(), branch, left)
}

func (p *Peer) transport() string {
	switch {
	case p.tcp == nil:
		return "UDP"
	case p.cfg.TLS != nil:
		return "TLS"
	default:
		return "TCP"
	}
}

func (p *Peer) contact() string {
	if p.tcp != nil {
		return fmt.Sprintf("<sip:%s@%s;transport=%s>", p.name(), p.Local(), strings.ToLower(p.transport()))
	}
	return fmt.Sprintf("<sip:%s@%s>", p.name(), p.Local())
}

func (p *Peer) name() string {
	if p.cfg.User == "" {
		return "carrier"
	}
	return p.cfg.User
}

// Register logs the phone in for expires, once, and returns the last response of the box, which is
// a 200 when the error is nil.
func (p *Peer) Register(ctx context.Context, expires time.Duration) (*sip.Response, error) {
	uri := fmt.Sprintf("sip:%s", p.cfg.Box)
	id, tag, auth := rand.Text(), rand.Text(), ""
	for cseq := 1; ; cseq++ {
		b := branch()
		text := fmt.Sprintf("REGISTER %s SIP/2.0\r\n%sFrom: <sip:%[3]s@%[4]s>;tag=%[5]s\r\nTo: <sip:%[3]s@%[4]s>\r\nCall-ID: %[6]s\r\n"+
			"CSeq: %[7]d REGISTER\r\nContact: %[8]s\r\nExpires: %[9]d\r\nUser-Agent: peer\r\n%[10]sContent-Length: 0\r\n\r\n",
			uri, p.via(b), p.cfg.User, p.cfg.Box, tag, id, cseq, p.contact(), int(expires.Seconds()), auth)
		res, err := p.exchange(ctx, "REGISTER", b, text, p.cfg.Box)
		if err != nil {
			return nil, err
		}
		switch {
		case res.StatusCode == 200:
			return res, nil
		case res.StatusCode == 401 && auth == "":
			value := credentials(values(res, "WWW-Authenticate"), p.cfg.Algorithm, p.cfg.User, p.cfg.Password, "REGISTER", uri)
			if value == "" {
				return res, fmt.Errorf("register: no challenge that I can answer: %w", ErrStatus)
			}
			auth = "Authorization: " + value + "\r\n"
		default:
			return res, fmt.Errorf("register: %d %s: %w", res.StatusCode, res.Reason, ErrStatus)
		}
	}
}

// KeepRegistered registers now and again before each end, until the peer is closed.
func (p *Peer) KeepRegistered(expires time.Duration) {
	p.spawn(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for {
			wait := expires / 2
			if _, err := p.Register(ctx, expires); err != nil {
				if errors.Is(err, ErrClosed) {
					return
				}
				p.cfg.Log.Warn("phone cannot log in", "user", p.cfg.User, "error", err)
				wait = 2 * time.Second
			}
			select {
			case <-p.quit:
				return
			case <-time.After(wait):
			}
		}
	})
}

func values(m interface{ GetHeaders(string) []sip.Header }, name string) []string {
	var all []string
	for _, h := range m.GetHeaders(name) {
		all = append(all, h.Value())
	}
	return all
}

// HangUpAll ends every call as its state asks and waits until the box has heard of it, or ctx ends.
func (p *Peer) HangUpAll(ctx context.Context) {
	p.mu.Lock()
	var up []*Call
	for _, c := range p.calls {
		up = append(up, c)
	}
	p.mu.Unlock()
	for _, c := range up {
		c.Hangup()
	}
	for {
		p.mu.Lock()
		open := len(p.waiting)
		p.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Millisecond): // the transactions tell nobody of their end
		}
	}
}
