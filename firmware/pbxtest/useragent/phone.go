package useragent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Account says whose phone it is and where its server is.
type Account struct {
	User, Password string // no password: a carrier, which no server challenges
	Server         netip.AddrPort
	Domain         string        // of the addresses; default that of Server
	Bind           netip.Addr    // where the phone is; default where the system's routes say
	Transport      string        // UDP (default) or TCP
	Codec          Codec         // default PCMA
	Expires        time.Duration // of the registration, as asked for; default one hour

	// Rung is called, on the phone's own goroutine, for each new call that comes in; it must not block. Nil
	// refuses with 486.
	Rung func(*Call)
}

// Phone is a SIP user agent on a socket of its own: a telephone with a password, or a carrier
// without. Its methods are safe from any goroutine.
type Phone struct {
	Account
	conn    net.Conn
	addr    netip.AddrPort
	done    chan struct{}
	serial  atomic.Int64
	login   login // of Register, Refresh and Unregister alone
	resent  atomic.Int64
	strange atomic.Int64
	heard   atomic.Int64 // when the server last said anything, ns since 1970

	writing sync.Mutex // of TCP

	mu       sync.Mutex
	calls    map[string]*Call // by Call-ID
	register chan message
	refused  chan struct{} // nobody listens there
	since    time.Time     // of the first refusal after the server's last word
	closed   bool
}

// NewPhone opens a phone over UDP at an address such as "127.0.1.7". Rung is that of Account.
func NewPhone(ip, user, password string, server netip.AddrPort, rung func(*Call)) (*Phone, error) {
	bind, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, err
	}
	return Open(context.Background(), Account{User: user, Password: password, Server: server, Bind: bind, Rung: rung})
}

// Open makes a phone; over TCP it fails when the server takes no connection.
func Open(ctx context.Context, a Account) (*Phone, error) {
	if a.Domain == "" {
		a.Domain = a.Server.Addr().String()
	}
	if a.Transport == "" {
		a.Transport = UDP
	}
	if a.Codec.Name == "" {
		a.Codec = PCMA
	}
	if a.Expires == 0 {
		a.Expires = time.Hour
	}
	conn, err := dial(ctx, a.Transport, a.Bind, a.Server)
	if err != nil {
		return nil, err
	}
	p := &Phone{Account: a, conn: conn, done: make(chan struct{}), calls: map[string]*Call{}, register: make(chan message, 4), refused: make(chan struct{}, 1)}
	switch at := conn.LocalAddr().(type) {
	case *net.UDPAddr:
		p.addr = at.AddrPort()
	case *net.TCPAddr:
		p.addr = at.AddrPort()
	}
	p.addr = netip.AddrPortFrom(p.addr.Addr().Unmap(), p.addr.Port())
	go func() {
		defer close(p.done)
		if u, ok := conn.(*net.UDPConn); ok {
			p.readDatagrams(u)
		} else {
			p.readStream(conn)
		}
	}()
	return p, nil
}

// Close closes the socket and waits for the phone's goroutine.
func (p *Phone) Close() {
	p.mu.Lock()
	p.closed = true
	calls := p.open()
	p.mu.Unlock()
	for _, c := range calls {
		c.quiet()
	}
	_ = p.conn.Close()
	<-p.done
}

// open is called with mu held.
func (p *Phone) open() (all []*Call) {
	for _, c := range p.calls {
		all = append(all, c)
	}
	return all
}

// Addr is where the phone listens.
func (p *Phone) Addr() netip.AddrPort { return p.addr }

// Resent counts the messages that the phone had to send again: not 0 means that the server was late.
func (p *Phone) Resent() int64 { return p.resent.Load() }

// Strange counts the requests and the answers that belonged to no call of the phone.
func (p *Phone) Strange() int64 { return p.strange.Load() }

// Heard is when the server last said anything; the zero time when never.
func (p *Phone) Heard() time.Time {
	if at := p.heard.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Open counts the calls that have not ended.
func (p *Phone) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// Calls lists the calls that have not ended.
func (p *Phone) Calls() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open()
}

func (p *Phone) send(text string) {
	if p.Transport == TCP {
		p.writing.Lock()
		defer p.writing.Unlock()
		_ = p.conn.SetWriteDeadline(time.Now().Add(Patience))
	}
	_, _ = p.conn.Write([]byte(text)) // what does not leave is not answered, which is noticed
}

// SendRaw puts bytes on the wire to the server, broken ones too.
func (p *Phone) SendRaw(text string) { p.send(text) }

// persistence is how long nobody may listen at the server's port before that is believed: a server that starts
// again is there in a moment.
const persistence = time.Second

// nobodyListens notes that the server's machine said so (ICMP port unreachable).
func (p *Phone) nobodyListens() {
	p.mu.Lock()
	if p.since.IsZero() {
		p.since = time.Now()
	}
	believed := time.Since(p.since) >= persistence
	p.mu.Unlock()
	if believed {
		p.lost()
	}
}

// lost ends what waits for an answer of the server; over TCP, whose connection is gone, all calls.
func (p *Phone) lost() {
	select {
	case p.refused <- struct{}{}:
	default:
	}
	for _, c := range p.Calls() {
		c.abandoned(p.Transport == TCP)
	}
}

func (p *Phone) arrived(packet []byte, at time.Time) {
	m, err := parseMessage(packet)
	if err != nil {
		p.strange.Add(1)
		return
	}
	p.heard.Store(at.UnixNano())
	p.mu.Lock()
	p.since = time.Time{}
	c := p.calls[m.header("Call-ID")]
	p.mu.Unlock()
	if _, method := m.sequence(); m.status != 0 && method == "REGISTER" {
		select {
		case p.register <- m:
		default:
		}
		return
	}
	switch {
	case c != nil:
		c.got(m, at)
	case m.method == "INVITE" && param(m.header("To"), "tag") == "":
		p.invited(m, at)
	case m.method == "OPTIONS" || m.method == "NOTIFY":
		p.send(reply(&m, 200, "OK", "o", ""))
	case m.method == "BYE" || m.method == "CANCEL":
		p.send(reply(&m, 481, "Call Does Not Exist", "", "")) // of a call that ended here a moment ago
	case m.method == "ACK" || m.status != 0:
	default:
		p.strange.Add(1)
	}
}

func (p *Phone) invited(m message, at time.Time) {
	_, _, fits := audioOf(m.body, p.Codec)
	switch {
	case p.Rung == nil:
		p.send(reply(&m, 486, "Busy Here", "b", ""))
		return
	case m.header("Require") != "":
		p.send(reply(&m, 420, "Bad Extension", "b", "Unsupported: "+m.header("Require")+"\r\nContent-Length: 0\r\n\r\n"))
		return
	case m.body != "" && !fits:
		p.send(reply(&m, 488, "Not Acceptable Here", "b", ""))
		return
	}
	c := newCall(p, m.header("Call-ID"))
	c.incoming, c.invite, c.began = true, m, at
	c.localTag = fmt.Sprintf("p%d", p.serial.Add(1))
	c.remote, c.target, c.routes = m.header("From"), uriOf(m.header("Contact")), m.routes(false)
	c.audio, _, _ = audioOf(m.body, p.Codec)
	p.mu.Lock()
	p.calls[c.id] = c
	p.mu.Unlock()
	p.Rung(c)
}

func (p *Phone) forget(c *Call) {
	p.mu.Lock()
	delete(p.calls, c.id)
	p.mu.Unlock()
}

// home is the domain with the server's port, as request URIs have it.
func (p *Phone) home() string {
	if p.Server.Port() == 5060 {
		return p.Domain
	}
	return fmt.Sprintf("%s:%d", p.Domain, p.Server.Port())
}

// contact is where the server reaches the phone.
func (p *Phone) contact() string {
	if p.Transport == TCP {
		return fmt.Sprintf("<sip:%s@%s;transport=tcp>", p.User, p.addr)
	}
	return fmt.Sprintf("<sip:%s@%s>", p.User, p.addr)
}

// via is the Via header of a request.
func (p *Phone) via(branch string) string {
	protocol := "UDP"
	if p.Transport == TCP {
		protocol = "TCP"
	}
	return fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s;rport\r\n", protocol, p.addr, branch)
}

// reply makes a response; the tag is added to a To that has none.
func reply(m *message, status int, reason, tag, rest string) string {
	text := fmt.Sprintf("SIP/2.0 %d %s\r\n", status, reason)
	for _, v := range m.headers("Via") {
		text += "Via: " + v + "\r\n"
	}
	if status > 100 && status < 300 {
		for _, v := range m.headers("Record-Route") {
			text += "Record-Route: " + v + "\r\n"
		}
	}
	to := m.header("To")
	if tag != "" && param(to, "tag") == "" {
		to += ";tag=" + tag
	}
	text += "From: " + m.header("From") + "\r\nTo: " + to + "\r\nCall-ID: " + m.header("Call-ID") + "\r\nCSeq: " + m.header("CSeq") + "\r\n"
	if rest == "" {
		rest = "Content-Length: 0\r\n\r\n"
	}
	return text + rest
}
