package stack

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	routeTTL  = time.Second
	maxRoutes = 1024
)

// flowTo picks our side of a path.
func (s *Stack) flowTo(transport string, remote netip.AddrPort) Flow {
	f := Flow{Transport: transport, Remote: remote}
	if transport == "udp" {
		if sock := s.links.udpFor(f); sock != nil {
			f.Local = sock.local
		}
		return f
	}
	s.links.mu.RLock()
	c := s.links.dialled[dialKey(f)]
	s.links.mu.RUnlock()
	if c != nil && c.established() {
		return c.flow
	}
	if local := s.routes.to(remote); local.IsValid() {
		f.Local = netip.AddrPortFrom(local, 0)
	}
	return f
}

// sentBy is the host and port of our Via on a flow, and of our Contact where nothing else was
// advertised. A socket on a wildcard address shows the address that leads there.
func (s *Stack) sentBy(f Flow) (host string, port int) {
	addr := f.Local.Addr()
	if !addr.IsValid() || addr.IsUnspecified() {
		if local := s.routes.to(f.Remote); local.IsValid() {
			addr = local
		}
	}
	p := f.Local.Port()
	if listening := s.links.listening(f.Transport, addr); listening != 0 && (f.Transport != "udp" || p == 0) {
		p = listening
	}
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	return addr.Unmap().WithZone("").String(), int(p)
}

// routes remembers for a short while which of our addresses leads to a remote one.
type routes struct {
	ask func(remote netip.AddrPort) netip.Addr // the kernel

	mu  sync.Mutex
	own map[netip.Addr]routeEntry
}

type routeEntry struct {
	local netip.Addr
	until time.Time
}

// to returns our address towards a remote one.
func (r *routes) to(remote netip.AddrPort) netip.Addr {
	now := time.Now()
	r.mu.Lock()
	e, known := r.own[remote.Addr()]
	r.mu.Unlock()
	if known && now.Before(e.until) {
		return e.local
	}
	local := r.ask(remote)
	r.mu.Lock()
	if r.own == nil || len(r.own) >= maxRoutes {
		r.own = make(map[netip.Addr]routeEntry)
	}
	r.own[remote.Addr()] = routeEntry{local, now.Add(routeTTL)}
	r.mu.Unlock()
	return local
}

func (r *routes) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.own)
}

// RouteTo asks the kernel which of our addresses leads to a remote one; connecting a UDP socket sends nothing. The zero
// Addr means no way.
func RouteTo(remote netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = conn.Close() }()
	return addrPortOf(conn.LocalAddr()).Addr()
}
