package appliance

import (
	"crypto/tls"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/certificate"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// maxCertifiedAddrs bounds how many of the machine's addresses a self-made certificate names.
const maxCertifiedAddrs = 16

// listenTLS opens SIP over TLS where the configuration wants it.
func (b *Box) listenTLS() error {
	c := b.config()
	if !c.SIP.TLSListen.IsValid() {
		return nil
	}
	source, err := b.certificate()
	if err != nil {
		return err
	}
	b.log.Info("SIP over TLS", "listen", c.SIP.TLSListen, "fingerprint", source.Fingerprint(), "expires", source.Expires())
	return b.stack.ListenTLS(c.SIP.TLSListen, &tls.Config{GetCertificate: source.GetCertificate})
}

// noTimer is a session timer of ours that is switched off; to the dialogs 0 is their default.
const noTimer = -1

// sessionTimer is what the dialogs take: the configuration says 0 for none.
func sessionTimer(expires time.Duration) time.Duration {
	if expires == 0 {
		return noTimer
	}
	return expires
}

// audioMark is what the engine takes: it has a default where the configuration says 0 for none.
func audioMark(dscp int) int {
	if dscp == 0 {
		return -1
	}
	return dscp
}

// certificate is the one that the owner gave, or the box's own; the page and the phones meet the same.
func (b *Box) certificate() (source *certificate.Source, err error) {
	if b.tlsSource != nil {
		return b.tlsSource, nil
	}
	c := b.config()
	if c.TLS.Cert != "" {
		source, err = certificate.Files(c.TLS.Cert, c.TLS.Key)
	} else {
		source, err = certificate.Own(filepath.Join(b.opts.Dir, "tls"), b.reachedAt(), b.calledAfter()...)
	}
	b.tlsSource = source
	return source, err
}

// certified is every name and address by which somebody may know the box.
func (b *Box) certified() []string { return append(b.calledAfter(), b.reachedAt()...) }

// calledAfter are the names that the office's own name makes. A new one, as the set-up gives it, is no reason for
// another certificate.
func (b *Box) calledAfter() []string {
	label := hostLabel(b.config().Box.Name)
	return []string{label, label + ".local"}
}

// reachedAt are the addresses at which the box listens for what is encrypted.
func (b *Box) reachedAt() (names []string) {
	c := b.config()
	if c.SIP.Advertise.IsValid() {
		names = append(names, c.SIP.Advertise.String())
	}
	all := false
	for _, l := range []netip.AddrPort{c.SIP.TLSListen, c.Web.TLSListen} {
		switch a := l.Addr(); {
		case !a.IsValid():
		case a.IsUnspecified():
			all = true
		default:
			names = append(names, a.WithZone("").String())
		}
	}
	if all {
		names = append(names, ownAddresses()...)
	}
	return names
}

// ownAddresses are those by which a phone may know the machine.
func ownAddresses() (names []string) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() || len(names) >= maxCertifiedAddrs {
			continue
		}
		names = append(names, p.Addr().String())
	}
	return names
}

// hostLabel makes a host name of the box's name: "Bottega Nuova" is bottega-nuova.
func hostLabel(name string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	label = strings.Trim(label[:min(len(label), 63)], "-")
	if label == "" {
		return "pronto"
	}
	return label
}

// opusMost is the engine's form of media.opus_max, of which 0 is its own default.
func opusMost(configured int) int {
	if configured <= 0 {
		return -1 - configured
	}
	return configured
}

// socketKeeper keeps a nil client from becoming a non-nil interface.
func (b *Box) socketKeeper() stack.SocketKeeper {
	if b.opts.Keeper == nil {
		return nil
	}
	return b.opts.Keeper
}
