package stack

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	nameTTL     = time.Minute     // how long an answer is believed; Go's resolver hides the record's own
	failureTTL  = 5 * time.Second // how long a failure is believed
	maxNames    = 256
	routeTTL    = time.Minute
	maxRoutes   = 1024
	defaultPort = 5060
	securePort  = 5061
)

// portOf is the port of a transport where nothing names one (RFC 3261 section 19.1.2).
func portOf(transport string) int {
	if transport == "tls" {
		return securePort
	}
	return defaultPort
}

// Resolver is the part of net.Resolver that Resolve needs.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Resolve finds the flow to a URI: its transport (argument, then the URI's transport parameter,
// then UDP), its address by SRV or address records (RFC 3263 section 4.2), and our address towards
// it. Answers are kept for a minute. It may block on the network unless the host is an address, so
// it must not be called on a shard with a name.
func (s *Stack) Resolve(ctx context.Context, uri sip.Uri, transport string) (Flow, error) {
	if transport == "" {
		transport, _ = uri.UriParams.Get("transport")
	}
	transport = strings.ToLower(transport)
	switch {
	case uri.IsEncrypted() && (transport == "" || transport == "tcp"): // RFC 3261 section 26.2.2
		transport = "tls"
	case uri.IsEncrypted() && transport != "tls":
		return Flow{}, fmt.Errorf("%w: sips over %s is not secure", ErrTransport, transport)
	case transport == "":
		transport = "udp"
	case transport != "udp" && transport != "tcp" && transport != "tls":
		return Flow{}, fmt.Errorf("%w: no transport %q", ErrTransport, transport)
	}
	host := strings.Trim(uri.Host, "[]")
	if addr, err := netip.ParseAddr(host); err == nil {
		port := uint16(portOf(transport))
		if uri.Port > 0 && uri.Port <= 65535 {
			port = uint16(uri.Port)
		}
		return s.flowTo(transport, netip.AddrPortFrom(addr.Unmap(), port)), nil
	}
	remote, err := s.names.lookup(ctx, transport, host, uri.Port)
	if err != nil {
		return Flow{}, fmt.Errorf("%w: %s: %w", ErrTransport, host, err)
	}
	if transport == "tls" {
		s.named(remote, host)
	}
	return s.flowTo(transport, remote), nil
}

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
	if local := s.names.route(remote); local.IsValid() {
		f.Local = netip.AddrPortFrom(local, 0)
	}
	return f
}

// Contact returns the host and port at which we are reached by the other end of a flow: for our
// Contact and Via. A socket on a wildcard address shows the address that leads there.
func (s *Stack) Contact(f Flow) (host string, port int) {
	addr := f.Local.Addr()
	if !addr.IsValid() || addr.IsUnspecified() {
		if local := s.names.route(f.Remote); local.IsValid() {
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

// nameCache remembers names and routes for a short while.
type nameCache struct {
	resolver Resolver

	mu     sync.Mutex
	names  map[string]nameEntry
	routes map[netip.Addr]routeEntry
}

type nameEntry struct {
	remote netip.AddrPort
	err    error
	until  time.Time
}

type routeEntry struct {
	local netip.Addr
	until time.Time
}

func newNameCache(r Resolver) *nameCache {
	return &nameCache{resolver: r, names: make(map[string]nameEntry), routes: make(map[netip.Addr]routeEntry)}
}

func (n *nameCache) lookup(ctx context.Context, transport, host string, port int) (netip.AddrPort, error) {
	key := fmt.Sprintf("%s/%s/%d", transport, strings.ToLower(host), port)
	n.mu.Lock()
	e, known := n.names[key]
	n.mu.Unlock()
	if known && time.Now().Before(e.until) {
		return e.remote, e.err
	}
	remote, err := n.ask(ctx, transport, host, port)
	if err != nil && ctx.Err() != nil {
		return remote, err // the caller's impatience says nothing about the name
	}
	ttl := nameTTL
	if err != nil {
		ttl = failureTTL
	}
	n.mu.Lock()
	if len(n.names) >= maxNames {
		clear(n.names)
	}
	n.names[key] = nameEntry{remote, err, time.Now().Add(ttl)}
	n.mu.Unlock()
	return remote, err
}

// ask looks for SRV records where no port is given, and for addresses.
func (n *nameCache) ask(ctx context.Context, transport, host string, port int) (netip.AddrPort, error) {
	if port <= 0 || port > 65535 {
		port = portOf(transport)
		service, proto := "sip", transport
		if transport == "tls" {
			service, proto = "sips", "tcp"
		}
		if _, records, err := n.resolver.LookupSRV(ctx, service, proto, host); err == nil {
			for _, r := range records { // in the order of priority and weight
				if addr, err := n.address(ctx, r.Target); err == nil {
					return netip.AddrPortFrom(addr, r.Port), nil
				}
			}
		}
	}
	addr, err := n.address(ctx, host)
	return netip.AddrPortFrom(addr, uint16(port)), err
}

func (n *nameCache) address(ctx context.Context, host string) (netip.Addr, error) {
	addrs, err := n.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	var v6 netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			return a, nil
		}
		v6 = a
	}
	if !v6.IsValid() {
		return v6, fmt.Errorf("the name has no address")
	}
	return v6, nil
}

// route returns our address towards a remote one: what the kernel would choose. Connecting a UDP
// socket sends nothing.
func (n *nameCache) route(remote netip.AddrPort) netip.Addr {
	now := time.Now()
	n.mu.Lock()
	e, known := n.routes[remote.Addr()]
	n.mu.Unlock()
	if known && now.Before(e.until) {
		return e.local
	}
	var local netip.Addr
	if conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote)); err == nil {
		local = addrPortOf(conn.LocalAddr()).Addr()
		_ = conn.Close()
	}
	n.mu.Lock()
	if len(n.routes) >= maxRoutes {
		clear(n.routes)
	}
	n.routes[remote.Addr()] = routeEntry{local, now.Add(routeTTL)}
	n.mu.Unlock()
	return local
}
