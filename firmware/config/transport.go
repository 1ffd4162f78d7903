package config

import "net/netip"

// TLS says which certificate the box shows, to phones and on the page.
type TLS struct {
	// Cert and Key are PEM files, given together; default none: the box makes a certificate for
	// itself, keeps it with its state and renews it. Changed files are read again within seconds;
	// other paths need a restart.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// transports checks where and how SIP is carried.
func (v *validator) transports() {
	c := v.c
	if c.SIP.TLSListen.IsValid() && clash(c.SIP.TLSListen, c.SIP.Listen) {
		v.found.add("sip.tls_listen", "duplicate", "%s is the port of sip.listen: TLS needs one of its own, usually 5061", c.SIP.TLSListen)
	}
	w := c.Web
	switch {
	case w.TLSListen.IsValid() && (clash(w.TLSListen, w.Listen) || clash(w.TLSListen, c.SIP.Listen) || clash(w.TLSListen, c.SIP.TLSListen)):
		v.found.add("web.tls_listen", "duplicate", "the port of %s is taken by another listener of this file: HTTPS needs one of its own, usually 443", w.TLSListen)
	case !w.TLSListen.IsValid() && !w.PlainHTTP:
		v.found.add("web.plain_http", "missing", "without plain HTTP the page needs HTTPS: set web.tls_listen, usually 0.0.0.0:443")
	}
	for path, dscp := range map[string]int{"sip.dscp": c.SIP.DSCP, "media.dscp": c.Media.DSCP} {
		if dscp < 0 || dscp > 63 {
			v.found.add(path, "range", "%d is no DSCP: use 0 to 63, or leave it out", dscp)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		v.found.add("tls", "pair", "cert and key belong together: give both files or none")
	}
}

// clash says whether two listeners would want the same port.
func clash(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() || a.Port() == 0 {
		return false
	}
	return a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified()
}
