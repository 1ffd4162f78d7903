package stack

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/nat"
)

const (
	maxReflections = 1024
	maxAdvertised  = 256
	maxFindings    = 64
)

// public is what is known of how others see us.
type public struct {
	mu         sync.Mutex
	seen       map[Flow]netip.AddrPort // by dialKey
	advertised map[netip.Addr]netip.AddrPort
	findings   map[finding]nat.Finding
	pending    map[nat.ID]func(netip.AddrPort, error) // STUN
}

type finding struct {
	remote netip.Addr
	where  string
}

// Public is our address as the other end of a flow saw it last: from received and rport of its
// responses (RFC 3581), or from STUN. The zero value means that nothing was heard yet. Over TCP and
// TLS its port is that of the connection, which nobody else can call.
func (s *Stack) Public(f Flow) netip.AddrPort {
	s.public.mu.Lock()
	defer s.public.mu.Unlock()
	return s.public.seen[dialKey(f)]
}

// Advertise makes Contact name addr towards a remote address, whatever its port and transport; an
// addr with port 0 leaves the port as it is, and the zero AddrPort takes it back. Our Via stays what
// the socket is, since responses come back by rport.
func (s *Stack) Advertise(remote netip.Addr, addr netip.AddrPort) {
	p := &s.public
	p.mu.Lock()
	defer p.mu.Unlock()
	if !addr.Addr().IsValid() {
		delete(p.advertised, remote.Unmap())
		return
	}
	if p.advertised == nil {
		p.advertised = make(map[netip.Addr]netip.AddrPort)
	}
	if _, known := p.advertised[remote.Unmap()]; known || len(p.advertised) < maxAdvertised {
		p.advertised[remote.Unmap()] = addr
	}
}

func (p *public) advertisedTo(remote netip.Addr) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.advertised[remote.Unmap()]
}

// Findings returns the named faults of the network that messages showed, each once by remote address
// and place, the latest evidence kept.
func (s *Stack) Findings() []nat.Finding {
	s.public.mu.Lock()
	defer s.public.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.public.findings), func(a, b nat.Finding) int { return a.At.Compare(b.At) })
}

// Contact returns the host and port at which we are reached by the other end of a flow: for our
// Contact. It is what Advertise said, or the address of the socket; a socket on a wildcard address
// shows the address that leads there, and so does a connection that is no more. The host of an IPv6 address has no brackets; sip.Uri adds them.
func (s *Stack) Contact(f Flow) (host string, port int) {
	if f.Transport != "udp" && f.Local.IsValid() && !s.Alive(f) {
		f.Local = netip.AddrPort{} // it may have stood on an address that we have lost
	}
	host, port = s.sentBy(f)
	if a := s.public.advertisedTo(f.Remote.Addr()); a.IsValid() {
		host = a.Addr().Unmap().String()
		if a.Port() != 0 {
			port = int(a.Port())
		}
	}
	return host, port
}

// reflected notes how the other end of a flow sees us.
func (s *Stack) reflected(f Flow, now netip.AddrPort) {
	p := &s.public
	key := dialKey(f)
	p.mu.Lock()
	was := p.seen[key]
	if was == now {
		p.mu.Unlock()
		return
	}
	if p.seen == nil || len(p.seen) >= maxReflections {
		p.seen = make(map[Flow]netip.AddrPort)
	}
	p.seen[key] = now
	p.mu.Unlock()
	if s.cfg.Reflected != nil {
		s.cfg.Reflected(f, was, now)
	}
}

// learn reads what a response says about the way of its request.
func (s *Stack) learn(req *sip.Request, res *sip.Response, f Flow) {
	via, mine := res.Via(), req.Via()
	if via == nil || mine == nil || len(res.GetHeaders("Via")) > 1 {
		return
	}
	if seen, ok := reflection(via); ok {
		s.reflected(f, seen)
	}
	if res.From() == nil || res.To() == nil {
		return
	}
	sent := nat.Echo{SentBy: hostPort(mine.Host, mine.Port), From: req.From().Address.Host, To: req.To().Address.Host}
	got := nat.Echo{SentBy: hostPort(via.Host, via.Port), From: res.From().Address.Host, To: res.To().Address.Host}
	if where, was, now, found := nat.Rewritten(sent, got); found {
		s.found(nat.Finding{Name: nat.SIPALG, Remote: f.Remote, Where: where, Sent: was, Got: now})
	}
}

// learnFrom looks at a request of a peer to whom an address was advertised.
func (s *Stack) learnFrom(req *sip.Request, f Flow) {
	a := s.public.advertisedTo(f.Remote.Addr())
	if a.IsValid() && nat.Mistaken(a.Addr(), req.Recipient.Host) {
		s.found(nat.Finding{
			Name: nat.SIPALG, Remote: f.Remote, Where: "Request-URI", Sent: a.Addr().String(), Got: req.Recipient.Host,
		})
	}
}

func (s *Stack) found(now nat.Finding) {
	now.At = time.Now()
	p := &s.public
	key := finding{now.Remote.Addr(), now.Where}
	p.mu.Lock()
	_, known := p.findings[key]
	if p.findings == nil {
		p.findings = make(map[finding]nat.Finding)
	}
	room := known || len(p.findings) < maxFindings
	if room {
		p.findings[key] = now
	}
	p.mu.Unlock()
	if known || !room {
		return
	}
	s.log.say("alg", "a router rewrites SIP on its way: switch off its SIP ALG",
		"to", now.Remote, "where", now.Where, "sent", now.Sent, "got", now.Got)
	if s.cfg.Finding != nil {
		s.cfg.Finding(now)
	}
}

// reflection reads received and rport of our own Via. A server that leaves received out saw the
// address that the Via names.
func reflection(via *sip.ViaHeader) (netip.AddrPort, bool) {
	text, ok := via.Params.Get("rport")
	port, err := strconv.ParseUint(text, 10, 16)
	if !ok || err != nil || port == 0 {
		return netip.AddrPort{}, false
	}
	host, ok := via.Params.Get("received")
	if !ok {
		host = via.Host
	}
	addr, err := netip.ParseAddr(trimBrackets(host))
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}

func hostPort(host string, port int) string {
	if port <= 0 {
		port = defaultPort
	}
	return net.JoinHostPort(trimBrackets(host), strconv.Itoa(port))
}

func trimBrackets(host string) string {
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}
