package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

const (
	maxTrusted      = 256  // hosts with a choice of their own
	maxHostsPerAddr = 8    // names remembered for one remote address
	maxNamedAddrs   = 1024 // remote addresses whose names are remembered
)

// PeerTLS is how far the certificate of a host that we connect to is trusted. The zero value checks
// it against the system's authorities and the host's own name (RFC 5922 section 4).
type PeerTLS struct {
	// Name is the name that the certificate must carry; empty: the host of the URI. The name that an
	// SRV record points to is not enough, because DNS is not secure (RFC 5922 section 4).
	Name string
	// Roots are the authorities to believe; nil: the system's.
	Roots *x509.CertPool
	// Insecure takes any certificate. The owner has to ask for it, and each such connection is logged.
	Insecure bool
}

// UntrustedError says that a TLS peer showed a certificate that its PeerTLS does not accept.
type UntrustedError struct {
	Remote netip.AddrPort
	Hosts  []string // the names that would have been accepted
	Err    error    // of crypto/x509
}

// Error names the peer and the reason.
func (e *UntrustedError) Error() string {
	return fmt.Sprintf("the certificate of %s (%s) is not trusted: %v", strings.Join(e.Hosts, ", "), e.Remote, e.Err)
}

// Unwrap returns the reason.
func (e *UntrustedError) Unwrap() error { return e.Err }

// trust remembers what is known of hosts reached over TLS.
type trust struct {
	mu    sync.Mutex
	peers map[string]PeerTLS          // by host
	names map[netip.AddrPort][]string // hosts that resolved to an address
}

// TrustPeer sets how the certificate of a host is checked, from the next connection on; a standing
// connection that nobody checked ends when it must be checked now.
func (s *Stack) TrustPeer(host string, p PeerTLS) {
	host = strings.ToLower(strings.Trim(host, "[]"))
	t := &s.trust
	t.mu.Lock()
	if t.peers == nil {
		t.peers = make(map[string]PeerTLS)
	}
	if _, known := t.peers[host]; known || len(t.peers) < maxTrusted {
		t.peers[host] = p
	}
	var remotes []netip.AddrPort
	for remote, hosts := range t.names {
		if slices.Contains(hosts, host) {
			remotes = append(remotes, remote)
		}
	}
	t.mu.Unlock()
	for _, remote := range remotes {
		s.endUnchecked(remote)
	}
}

// named notes that a host resolved to an address, so that a connection there can be checked.
func (s *Stack) named(remote netip.AddrPort, host string) {
	host = strings.ToLower(host)
	t := &s.trust
	t.mu.Lock()
	if t.names == nil || len(t.names) >= maxNamedAddrs {
		t.names = make(map[netip.AddrPort][]string)
	}
	hosts := t.names[remote]
	known := slices.Contains(hosts, host)
	if !known {
		if len(hosts) >= maxHostsPerAddr {
			hosts = slices.Clone(hosts[1:])
		}
		t.names[remote] = append(hosts, host)
	}
	t.mu.Unlock()
	if !known {
		s.endUnchecked(remote)
	}
}

// endUnchecked closes a connection of ours that nobody checked although one of its hosts demands it.
func (s *Stack) endUnchecked(remote netip.AddrPort) {
	s.links.mu.RLock()
	c := s.links.dialled[Flow{Transport: "tls", Remote: remote}]
	s.links.mu.RUnlock()
	if c != nil && c.established() && !c.verified && s.trust.demanded(remote) {
		c.shut(closedBroken)
	}
}

// of returns the hosts of an address with the choice for each. Several hosts may share an address:
// the strictest choice holds, so that one careless account weakens no other.
func (t *trust) of(remote netip.AddrPort) (hosts []string, peers []PeerTLS) {
	t.mu.Lock()
	defer t.mu.Unlock()
	hosts = slices.Clone(t.names[remote])
	if len(hosts) == 0 {
		hosts = []string{remote.Addr().WithZone("").String()}
	}
	strict := false
	for _, h := range hosts {
		p := t.peers[h]
		if p.Name == "" {
			p.Name = h
		}
		peers = append(peers, p)
		strict = strict || !p.Insecure
	}
	if strict {
		peers = slices.DeleteFunc(peers, func(p PeerTLS) bool { return p.Insecure })
	}
	return hosts, peers
}

func (t *trust) demanded(remote netip.AddrPort) bool {
	_, peers := t.of(remote)
	return !peers[0].Insecure
}

// secure makes the client's handshake and says whether the certificate was checked.
func (s *Stack) secure(ctx context.Context, raw net.Conn, remote netip.AddrPort) (net.Conn, bool, error) {
	hosts, peers := s.trust.of(remote)
	verified := false
	conn := tls.Client(raw, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         hosts[len(hosts)-1], // crypto/tls leaves an address out of the hello
		InsecureSkipVerify: true,                // VerifyConnection does it, against all names of the peer
		VerifyConnection: func(cs tls.ConnectionState) (err error) {
			verified, err = check(cs, peers)
			if err != nil {
				return &UntrustedError{remote, hosts, err}
			}
			return nil
		},
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		s.count.handshakes.Add(1)
		return nil, false, fmt.Errorf("TLS with %s: %w", remote, err)
	}
	if !verified {
		s.log.say("insecure", "a SIP peer is spoken to without a check of its certificate, as configured", "to", remote)
	}
	return conn, verified, nil
}

// check verifies a chain for the first of the peers whose name and authorities fit.
func check(cs tls.ConnectionState, peers []PeerTLS) (verified bool, err error) {
	if len(cs.PeerCertificates) == 0 {
		return false, errors.New("it showed none")
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	for _, p := range peers {
		if p.Insecure {
			return false, nil
		}
		if _, err = cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: p.Name, Roots: p.Roots, Intermediates: between}); err == nil {
			return true, nil
		}
	}
	return false, err
}

// ListenTLS opens a listener for SIP over TLS, or takes the one that the supervisor kept;
// connections themselves cannot outlive the process, because their keys do not. The certificate
// comes from secure, at each handshake; versions below 1.2 are refused. A handshake has to end
// within Config.Greeting, in the goroutine of its own connection.
func (s *Stack) ListenTLS(addr netip.AddrPort, secure *tls.Config) error {
	if secure == nil || len(secure.Certificates) == 0 && secure.GetCertificate == nil {
		return fmt.Errorf("SIP cannot listen on TLS %s: there is no certificate", addr)
	}
	secure = secure.Clone()
	secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	return s.listenStream("tls", addr, secure)
}
