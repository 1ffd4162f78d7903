package dns

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestARecordThatIsCutShortIsRefused(t *testing.T) {
	whole := []byte{0, 1, 0, 2, 1, 's', 7, 'S', 'I', 'P', '+', 'D', '2', 'U', 0, 4, '_', 's', 'i', 'p', 0}
	if n, err := parseNAPTR(whole); err != nil || n != (NAPTR{1, 2, "s", "SIP+D2U", "_sip"}) {
		t.Errorf("%+v, %v", n, err)
	}
	for i := range whole {
		if _, err := parseNAPTR(whole[:i]); err == nil {
			t.Errorf("the first %d bytes are taken", i)
		}
	}
}

func TestAReplyMustBelongToItsQuestion(t *testing.T) {
	reply := func(id uint16, name string, kind dnsmessage.Type) []byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, Response: true}, Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET,
		}}}
		raw, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, raw := range map[string][]byte{
		"another number": reply(8, "a.example.", dnsmessage.TypeA), "another name": reply(7, "b.example.", dnsmessage.TypeA),
		"another type": reply(7, "a.example.", dnsmessage.TypeSRV), "half a head": {0, 7, 0x80},
	} {
		if _, v := parse(raw, 7, "a.example", dnsmessage.TypeA); v != notTheReply {
			t.Errorf("%s: %v", name, v)
		}
	}
	if _, v := parse(reply(7, "A.Example.", dnsmessage.TypeA), 7, "a.example", dnsmessage.TypeA); v != noRecord {
		t.Errorf("its own: %v", v)
	}
}

func TestResolvConfWithoutAServerMeansTheLocalOne(t *testing.T) {
	for text, want := range map[string]string{"": "127.0.0.1:53", "nameserver ::1 # x\nnameserver 10.0.0.1": "[::1]:53", "nameserver x": "127.0.0.1:53"} {
		if servers, _ := parseResolvConf(text); servers[0] != netip.MustParseAddrPort(want) {
			t.Errorf("%q: %v", text, servers)
		}
	}
	if _, domains := parseResolvConf("domain a\nsearch B.example. c\n"); !slices.Equal(domains, []string{"b.example", "c"}) {
		t.Errorf("search %v", domains)
	}
}

// FuzzReply reads what a name server, or somebody in its place, may send.
func FuzzReply(f *testing.F) {
	f.Add([]byte{0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 35, 0, 1})
	if q, err := query(7, "a", typeNAPTR); err == nil {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeSRV, typeNAPTR} {
			a, v := parse(raw, 7, "a", kind)
			if v == useIt && a.empty() || v != useIt && !a.empty() || a.ttl < 0 || a.ttl > maxTTL {
				t.Errorf("verdict %d with %+v", v, a)
			}
		}
		parseHosts(string(raw))
		if servers, _ := parseResolvConf(string(raw)); len(servers) == 0 {
			t.Error("no server")
		}
	})
}
