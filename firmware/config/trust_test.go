package config

import (
	"errors"
	"slices"
	"testing"
)

func TestWhatIsSaidOfACarriersCertificateMustMakeSense(t *testing.T) {
	const both = "match: [192.0.2.1/32], "
	for name, c := range map[string]struct {
		trunks string
		want   []string
	}{
		"authorities over tls": {"{id: a, server: h, " + both + "transport: tls, tls_ca: f}", nil},
		"any over tls":         {"{id: a, server: h, " + both + "transport: tls, tls_insecure: true}", nil},
		"over udp":             {"{id: a, server: h, " + both + "tls_ca: f}, {id: b, server: g, " + both + "tls_insecure: true}", []string{"trunks[0].tls_ca", "trunks[1].tls_insecure"}},
		"both":                 {"{id: a, server: h, " + both + "transport: tls, tls_ca: f, tls_insecure: true}", []string{"trunks[0].tls_insecure"}},
		"one host, two ways":   {"{id: a, server: h, " + both + "transport: tls, tls_ca: f}, {id: b, server: \"h:5063\", " + both + "transport: tls}", []string{"trunks[1]"}},
		"one host, one way":    {"{id: a, server: h, " + both + "transport: tls, tls_ca: f}, {id: b, server: \"h:5063\", " + both + "transport: tls, tls_ca: f}", nil},
		"behind one proxy":     {"{id: a, server: g, proxy: h, " + both + "transport: tls, tls_ca: f}, {id: b, domain: h, " + both + "transport: tls}", []string{"trunks[1]"}},
	} {
		_, err := Parse([]byte("trunks: [" + c.trunks + "]\n"))
		found, _ := errors.AsType[Problems](err)
		var got []string
		for _, p := range found {
			got = append(got, p.Path)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v)", name, got, err)
		}
	}
}
