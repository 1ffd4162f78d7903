package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Phone is a SIP user agent on a UDP socket of its own: a telephone with a password, or a carrier
// without. Its methods are safe from any goroutine.
type Phone struct {
	User     string
	password string
	box      netip.AddrPort
	conn     *net.UDPConn
	addr     netip.AddrPort
	rung     func(*Call)
	done     chan struct{}
	serial   atomic.Int64
	login    login // of Register and Refresh alone
	resent   atomic.Int64
	strange  atomic.Int64

	mu       sync.Mutex
	calls    map[string]*Call // by Call-ID
	register chan message
	closed   bool
}

// NewPhone opens a phone at a loopback address such as "127.0.1.7". Rung is called, on the phone's
// own goroutine, for each new call that comes in; it must not block. Nil refuses with 486.
func NewPhone(ip, user, password string, box netip.AddrPort, rung func(*Call)) (*Phone, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	p := &Phone{
		User: user, password: password, box: box, conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), rung: rung,
		done: make(chan struct{}), calls: map[string]*Call{}, register: make(chan message, 4),
	}
	if err := stampArrivals(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go p.read()
	return p, nil
}

// stampArrivals lets the kernel write down when each datagram came, so that a phone that is late to
// read does not make the box look slow.
func stampArrivals(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return errors.Join(err, set)
}

// Close closes the socket and waits for the phone's goroutine.
func (p *Phone) Close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.calls {
		c.quiet()
	}
	p.mu.Unlock()
	_ = p.conn.Close()
	<-p.done
}

// Addr is where the phone listens.
func (p *Phone) Addr() netip.AddrPort { return p.addr }

// Resent counts the messages that the phone had to send again: not 0 means that the box was late.
func (p *Phone) Resent() int64 { return p.resent.Load() }

// Strange counts the requests and the answers that belonged to no call of the phone.
func (p *Phone) Strange() int64 { return p.strange.Load() }

// Open counts the calls that have not ended.
func (p *Phone) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

func (p *Phone) read() {
	defer close(p.done)
	buf, oob := make([]byte, 65535), make([]byte, 128)
	for {
		n, oobn, _, _, err := p.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		m, err := parseMessage(buf[:n])
		if err != nil {
			p.strange.Add(1)
			continue
		}
		p.got(m, arrivalOf(oob[:oobn]))
	}
}

// arrivalOf reads the kernel's stamp.
func arrivalOf(oob []byte) time.Time {
	all, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(all) == 0 || len(all[0].Data) < 8 {
		return time.Now()
	}
	d := all[0].Data
	if len(d) >= 16 {
		return time.Unix(int64(binary.NativeEndian.Uint64(d)), int64(binary.NativeEndian.Uint64(d[8:])))
	}
	return time.Unix(int64(binary.NativeEndian.Uint32(d)), int64(binary.NativeEndian.Uint32(d[4:])))
}

func (p *Phone) send(text string) {
	_, _ = p.conn.WriteToUDPAddrPort([]byte(text), p.box)
}

// SendRaw puts bytes on the wire to the box, broken ones too.
func (p *Phone) SendRaw(text string) { p.send(text) }

func (p *Phone) got(m message, at time.Time) {
	if n, method := m.sequence(); m.status != 0 && method == "REGISTER" {
		select {
		case p.register <- m:
		default:
		}
		_ = n
		return
	}
	id := m.header("Call-ID")
	p.mu.Lock()
	c := p.calls[id]
	p.mu.Unlock()
	switch {
	case c != nil:
		c.got(m, at)
	case m.method == "INVITE" && param(m.header("To"), "tag") == "":
		p.invited(m, at)
	case m.method == "OPTIONS":
		p.send(reply(&m, 200, "OK", "o", ""))
	case m.method == "BYE" || m.method == "CANCEL":
		p.send(reply(&m, 481, "Call Does Not Exist", "", "")) // of a call that ended here a moment ago
	case m.method == "ACK" || m.status != 0:
	default:
		p.strange.Add(1)
	}
}

func (p *Phone) invited(m message, at time.Time) {
	if p.rung == nil {
		p.send(reply(&m, 486, "Busy Here", "b", ""))
		return
	}
	c := newCall(p, m.header("Call-ID"))
	c.incoming, c.invite, c.began = true, m, at
	c.localTag = fmt.Sprintf("p%d", p.serial.Add(1))
	c.remote, c.target = m.header("From"), uriOf(m.header("Contact"))
	c.audio, _ = audioOf(m.body)
	p.mu.Lock()
	p.calls[c.id] = c
	p.mu.Unlock()
	p.rung(c)
}

func (p *Phone) forget(c *Call) {
	p.mu.Lock()
	delete(p.calls, c.id)
	p.mu.Unlock()
}

// reply makes a response; the tag is added to a To that has none.
func reply(m *message, status int, reason, tag, rest string) string {
	text := fmt.Sprintf("SIP/2.0 %d %s\r\n", status, reason)
	for _, v := range m.headers("Via") {
		text += "Via: " + v + "\r\n"
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

// patience is how long the phones wait for the box before they say that it does not answer.
const patience = 5 * time.Second

// Register logs the phone in for an hour as a phone does that was just switched on: it is challenged
// first, which makes two requests. Refresh and Register must not run at the same time.
func (p *Phone) Register() error {
	p.login = login{id: fmt.Sprintf("r%d-%s-%d", p.serial.Add(1), p.User, p.addr.Port())}
	return p.Refresh()
}

// login is what a phone remembers between two REGISTERs.
type login struct {
	id        string // Call-ID
	cseq      int
	challenge challenge
	count     int // uses of the challenge's nonce
}

// Refresh registers again with the challenge of the last time, which makes one request, unless the
// box asks for another.
func (p *Phone) Refresh() error {
	uri := fmt.Sprintf("sip:%s:%d", p.box.Addr(), p.box.Port())
	l := &p.login
	for range 3 {
		l.cseq++
		auth := ""
		if l.challenge.nonce != "" {
			l.count++
			auth = "Authorization: " + l.challenge.authorization(p.User, p.password, "REGISTER", uri, l.count) + "\r\n"
		}
		text := fmt.Sprintf("REGISTER %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKr%d-%d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:%s@%s>;tag=r\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\nContact: <sip:%s@%s>\r\nExpires: 3600\r\n%sContent-Length: 0\r\n\r\n",
			uri, p.addr, p.serial.Add(1), p.addr.Port(), p.User, p.box.Addr(), p.User, p.box.Addr(), l.id, l.cseq, p.User, p.addr, auth)
		p.send(text)
		select {
		case m := <-p.register:
			if m.status == 200 {
				return nil
			}
			c, ok := challengeOf(&m)
			if m.status != 401 || !ok {
				return fmt.Errorf("register %s: %d", p.User, m.status)
			}
			l.challenge, l.count = c, 0
		case <-time.After(patience):
			return fmt.Errorf("register %s: no answer", p.User)
		}
	}
	return fmt.Errorf("register %s: refused again and again", p.User)
}
