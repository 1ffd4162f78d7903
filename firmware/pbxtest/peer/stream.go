package peer

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The limits of a connection.
const (
	dialLimit = 5 * time.Second
	bodyLimit = 1 << 16 // bytes
)

// streams are the connections of a peer over TCP or TLS, those that it accepted and those that it opened.
type streams struct {
	listener net.Listener
	local    netip.AddrPort

	mu     sync.Mutex // guards what follows
	conns  map[netip.AddrPort]net.Conn
	closed bool
}

// listenStreams needs certificates only of who is connected to over TLS.
func (p *Peer) listenStreams() error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(p.cfg.Listen))
	if err != nil {
		return err
	}
	p.tcp = &streams{listener: l, local: l.Addr().(*net.TCPAddr).AddrPort(), conns: map[netip.AddrPort]net.Conn{}}
	p.wg.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			var conn net.Conn = raw
			if p.cfg.TLS != nil {
				conn = tls.Server(raw, p.cfg.TLS)
			}
			from := raw.RemoteAddr().(*net.TCPAddr).AddrPort()
			if p.tcp.add(from, conn) {
				p.spawn(func() { p.readStream(conn, from) })
			}
		}
	})
	return nil
}

// add keeps a connection until remove; false when the peer is closed.
func (s *streams) add(at netip.AddrPort, conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return false
	}
	s.conns[at] = conn
	return true
}

func (s *streams) remove(at netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, at)
}

func (s *streams) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.conns {
		_ = c.Close()
	}
}

// send writes on the connection to an address, or opens one.
func (s *streams) send(p *Peer, text string, to netip.AddrPort) {
	s.mu.Lock()
	conn := s.conns[to]
	s.mu.Unlock()
	if conn == nil {
		if conn = s.dial(p, to); conn == nil {
			return
		}
	}
	_ = conn.SetWriteDeadline(time.Now().Add(dialLimit))
	_, _ = io.WriteString(conn, text)
}

func (s *streams) dial(p *Peer, to netip.AddrPort) net.Conn {
	d := net.Dialer{Timeout: dialLimit, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.local.Addr(), 0))}
	var conn net.Conn
	var err error
	if p.cfg.TLS == nil {
		conn, err = d.Dial("tcp", to.String())
	} else {
		conn, err = tls.DialWithDialer(&d, "tcp", to.String(), p.cfg.TLS)
	}
	if err != nil {
		p.cfg.Log.Warn("the box cannot be reached", "over", p.transport(), "error", err)
		return nil
	}
	if !s.add(to, conn) {
		return nil
	}
	p.spawn(func() { p.readStream(conn, to) })
	return conn
}

// readStream takes messages apart by Content-Length (RFC 3261 section 18.3) until the connection ends.
func (p *Peer) readStream(conn net.Conn, from netip.AddrPort) {
	defer p.tcp.remove(from)
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		var head strings.Builder
		length := 0
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.TrimSpace(line) == "" {
				if head.Len() == 0 {
					continue // a keep-alive
				}
				break
			}
			head.WriteString(line)
			if name, value, ok := strings.Cut(line, ":"); ok && textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
				if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > bodyLimit {
					return
				}
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		p.message([]byte(head.String()+"\r\n"+string(body)), from)
	}
}
