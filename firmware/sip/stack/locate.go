package stack

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dns"
)

// Names is the part of dns.Client that finding a server needs.
type Names interface {
	NAPTR(ctx context.Context, name string) ([]dns.NAPTR, error)
	SRV(ctx context.Context, name string) ([]dns.SRV, error)
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}

const (
	maxTargets  = 32
	defaultPort = 5060
	securePort  = 5061
)

// Target is one way to a server.
type Target struct {
	Flow Flow
	Host string // the name that had this address; empty when the URI names an address
}

// Targets finds every way to a URI in the order in which to try them (RFC 3263 section 4): the
// transport from the argument, else the URI, else NAPTR records, else the first that has SRV
// records, else UDP, and TLS alone for sips; then SRV records by priority and weight unless the URI
// names a port; then addresses, IPv4 first. Ways in the penalty box come last, the one soonest free
// first. Records of equal weight keep their order for the life of this process, so that a carrier
// with several servers sees a registration stay where it is.
//
// It may wait for the network unless the host is an address, so it must not be called on a shard
// with a name. The error is an ErrTransport; it holds dns.ErrNoRecord or dns.ErrNoServer when names
// were the reason.
func (s *Stack) Targets(ctx context.Context, uri sip.Uri, transport string) ([]Target, error) {
	transport, err := wantedTransport(uri, transport)
	if err != nil {
		return nil, err
	}
	host := strings.ToLower(strings.Trim(uri.Host, "[]"))
	if maddr, ok := uri.UriParams.Get("maddr"); ok && maddr != "" {
		host = strings.ToLower(strings.Trim(maddr, "[]"))
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if transport == "" {
			transport = "udp"
		}
		remote := netip.AddrPortFrom(addr.Unmap(), portOf(transport, uri.Port))
		return []Target{{Flow: s.flowTo(transport, remote)}}, nil
	}
	places, err := s.services(ctx, host, transport, uri)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrTransport, host, err)
	}
	targets, err := s.addresses(ctx, places, host)
	if len(targets) == 0 {
		if err == nil {
			err = errors.New("no socket of ours reaches its addresses")
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrTransport, host, err)
	}
	s.penalties.order(targets)
	return targets, nil
}

// Resolve finds the first of Targets.
func (s *Stack) Resolve(ctx context.Context, uri sip.Uri, transport string) (Flow, error) {
	targets, err := s.Targets(ctx, uri, transport)
	if err != nil {
		return Flow{}, err
	}
	return targets[0].Flow, nil
}

// wantedTransport is what the caller or the URI demands, "" where neither does.
func wantedTransport(uri sip.Uri, transport string) (string, error) {
	if transport == "" {
		transport, _ = uri.UriParams.Get("transport")
	}
	transport = strings.ToLower(transport)
	switch {
	case uri.IsEncrypted() && (transport == "" || transport == "tcp"): // RFC 3261 section 26.2.2
		return "tls", nil
	case uri.IsEncrypted() && transport != "tls":
		return "", fmt.Errorf("%w: sips over %s is not secure", ErrTransport, transport)
	case transport != "" && transport != "udp" && transport != "tcp" && transport != "tls":
		return "", fmt.Errorf("%w: no transport %q", ErrTransport, transport)
	}
	return transport, nil
}

// portOf is a port as named, or that of the transport (RFC 3261 section 19.1.2).
func portOf(transport string, named int) uint16 {
	switch {
	case named > 0 && named <= 65535:
		return uint16(named)
	case transport == "tls":
		return securePort
	}
	return defaultPort
}

// place is a host whose addresses are wanted.
type place struct {
	transport string
	host      string
	port      uint16
}

// serviceOf is the name of a transport's SRV records (RFC 3263 section 4.1).
func serviceOf(transport, host string) string {
	if transport == "tls" {
		return "_sips._tcp." + host
	}
	return "_sip._" + transport + "." + host
}

// services goes from a name to hosts and ports.
func (s *Stack) services(ctx context.Context, host, transport string, uri sip.Uri) ([]place, error) {
	if uri.Port > 0 {
		if transport == "" {
			transport = "udp"
		}
		return []place{{transport, host, portOf(transport, uri.Port)}}, nil
	}
	var places []place
	if transport == "" {
		rules, err := s.names.NAPTR(ctx, host)
		if err != nil && !errors.Is(err, dns.ErrNoRecord) {
			return nil, err
		}
		for _, r := range rules {
			if t := transportOf(r.Service); t != "" && r.Flags == "s" {
				places = s.servers(ctx, places, t, r.Replacement)
			}
		}
		if len(places) > 0 {
			return places, nil
		}
	}
	for _, t := range []string{"udp", "tcp", "tls"} {
		if transport == "" || transport == t {
			if places = s.servers(ctx, nil, t, serviceOf(t, host)); len(places) > 0 {
				return places, ctx.Err()
			}
		}
	}
	if transport == "" {
		transport = "udp"
	}
	return []place{{transport, host, portOf(transport, 0)}}, ctx.Err()
}

// transportOf reads the service of a NAPTR record.
func transportOf(service string) string {
	switch service {
	case "SIP+D2U":
		return "udp"
	case "SIP+D2T":
		return "tcp"
	case "SIPS+D2T":
		return "tls"
	}
	return ""
}

// servers appends the targets of SRV records, by priority and by lot within it (RFC 2782).
func (s *Stack) servers(ctx context.Context, places []place, transport, name string) []place {
	records, err := s.names.SRV(ctx, name)
	if err != nil {
		return places
	}
	for _, r := range drawn(records, s.lot, name) {
		if r.Target != "" && len(places) < maxTargets {
			places = append(places, place{transport, strings.ToLower(r.Target), r.Port})
		}
	}
	return places
}

// drawn orders SRV records as RFC 2782 says; the same lot gives the same order for a name.
func drawn(records []dns.SRV, lot uint64, name string) []dns.SRV {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(lot, h.Sum64()))
	left := slices.Clone(records)
	slices.SortStableFunc(left, func(a, b dns.SRV) int {
		if a.Priority != b.Priority {
			return int(a.Priority) - int(b.Priority)
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) // servers rotate their answers
	})
	var out []dns.SRV
	for len(left) > 0 {
		same, sum := 0, 0
		for same < len(left) && left[same].Priority == left[0].Priority {
			sum += int(left[same].Weight)
			same++
		}
		pick, run := 0, rng.IntN(sum+1)
		for i, seen := 0, 0; i < same; i++ {
			if seen += int(left[i].Weight); seen >= run && (left[i].Weight > 0 || run == 0) {
				pick = i
				break
			}
		}
		out = append(out, left[pick])
		left = slices.Delete(left, pick, pick+1)
	}
	return out
}

// addresses goes from hosts to flows. One host that has no address does not spoil the others.
func (s *Stack) addresses(ctx context.Context, places []place, domain string) ([]Target, error) {
	var targets []Target
	var errs []error
	for _, p := range places {
		addrs, err := s.names.Addrs(ctx, p.host)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, addr := range addrs {
			remote := netip.AddrPortFrom(addr.Unmap(), p.port)
			f := s.flowTo(p.transport, remote)
			if len(targets) >= maxTargets || p.transport == "udp" && !f.Local.IsValid() && s.links.anyUDP() ||
				slices.ContainsFunc(targets, func(t Target) bool { return dialKey(t.Flow) == dialKey(f) }) {
				continue
			}
			if p.transport == "tls" {
				s.named(remote, domain)
			}
			targets = append(targets, Target{Flow: f, Host: p.host})
		}
	}
	return targets, errors.Join(errs...)
}
