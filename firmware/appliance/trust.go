package appliance

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// trust says how the carriers' certificates are checked. A host that is no carrier's any more is
// checked as every other one.
func (t *trunks) trust(all []config.Trunk) error {
	now, err := trusted(all)
	if err != nil {
		return err
	}
	for host := range t.trusted {
		if _, stays := now[host]; !stays {
			t.b.stack.TrustPeer(host, stack.PeerTLS{})
		}
	}
	for host, p := range now {
		t.b.stack.TrustPeer(host, p)
	}
	t.trusted = now
	return nil
}

// trusted reads the authorities that the configuration names, by host.
func trusted(all []config.Trunk) (map[string]stack.PeerTLS, error) {
	hosts := map[string]stack.PeerTLS{}
	for _, written := range all {
		c, err := written.Filled()
		if err != nil {
			return nil, fmt.Errorf("trunk %q: %w", written.ID, err)
		}
		if c.Transport != "tls" {
			continue
		}
		p := stack.PeerTLS{Insecure: c.TLSInsecure}
		if c.TLSCA != "" {
			text, err := os.ReadFile(c.TLSCA)
			if err != nil {
				return nil, fmt.Errorf("trunk %q: tls_ca: %w", c.ID, err)
			}
			p.Roots = x509.NewCertPool()
			if !p.Roots.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("trunk %q: tls_ca: %s holds no certificate", c.ID, c.TLSCA)
			}
		}
		for _, host := range c.Hosts() {
			hosts[host] = p
		}
	}
	return hosts, nil
}
