package config

import (
	"fmt"
	"slices"
)

// Hosts are the names and addresses to which a trunk that Filled has made connects.
func (t *Trunk) Hosts() []string {
	servers := append([]string{t.Server}, t.Servers...)
	switch {
	case t.Proxy != "":
		servers = []string{t.Proxy}
	case t.Server == "":
		servers = []string{t.Domain}
	}
	var all []string
	for _, server := range servers {
		if h := hostOf(server); h != "" && !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

// trunkTrust checks what is said of the carrier's certificate.
func (v *validator) trunkTrust(path string, t *Trunk) {
	switch {
	case t.TLSCA != "" && t.TLSInsecure:
		v.found.add(path+".tls_insecure", "pair", "contradicts tls_ca: either some authorities are believed, or any certificate is taken")
	case t.Transport != "tls" && t.TLSCA != "":
		v.found.add(path+".tls_ca", "choice", "counts only over tls, and transport is %q", t.Transport)
	case t.Transport != "tls" && t.TLSInsecure:
		v.found.add(path+".tls_insecure", "choice", "counts only over tls, and transport is %q", t.Transport)
	}
}

// sharedTrust finds trunks that connect to one host and say different things of its certificate: a
// connection is shared, so it can be checked in one way only.
func (v *validator) sharedTrust() {
	type choice struct {
		ca       string
		insecure bool
	}
	said := map[string]choice{}
	for i := range v.c.Trunks {
		t, err := v.c.Trunks[i].Filled()
		if err != nil || t.Transport != "tls" {
			continue
		}
		now := choice{t.TLSCA, t.TLSInsecure}
		for _, host := range t.Hosts() {
			if before, known := said[host]; known && before != now {
				v.found.add(fmt.Sprintf("trunks[%d]", i), "conflict", "says otherwise of the certificate of %s than a trunk before", host)
				break
			}
			said[host] = now
		}
	}
}
