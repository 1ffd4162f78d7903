package mdns

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func must(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestWhatWeSayIsUnderstood(t *testing.T) {
	for _, tc := range []struct {
		name      string
		packet    []byte
		response  bool
		questions int
		records   []heard
	}{
		{"a probe", must(t)(probeOf("pronto", []netip.Addr{ours})), false, 1, []heard{{"pronto", ours, true}}},
		{"an announcement", must(t)(answerOf("pronto", []netip.Addr{ours}, ttl)), true, 0, []heard{{"pronto", ours, false}}},
		{"a goodbye claims nothing", must(t)(answerOf("pronto", []netip.Addr{ours}, 0)), true, 0, nil},
	} {
		m, err := read(tc.packet)
		if err != nil || m.response != tc.response || len(m.questions) != tc.questions || !reflect.DeepEqual(m.records, tc.records) {
			t.Errorf("%s: %+v, %v", tc.name, m, err)
		}
	}
}

func TestWhatADNSServerIsAskedIsAnsweredLikeOne(t *testing.T) {
	asked, err := read(must(t)(probeOf("Pronto", []netip.Addr{ours})))
	if err != nil || len(asked.questions) != 1 || asked.questions[0].label != "pronto" {
		t.Fatalf("%+v, %v", asked, err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(must(t)(legacyAnswer(77, asked.questions[0], []netip.Addr{ours}))); err != nil {
		t.Fatal(err)
	}
	if m.ID != 77 || len(m.Questions) != 1 || len(m.Answers) != 1 || m.Answers[0].Header.TTL != legacyTTL || m.Answers[0].Header.Class != dnsmessage.ClassINET {
		t.Errorf("%+v", m)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(must(f)(probeOf("pronto", []netip.Addr{ours})))
	f.Add(must(f)(answerOf("pronto", []netip.Addr{ours}, ttl)))
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		m, err := read(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the packet was changed")
		}
		if err != nil {
			return
		}
		s := begin([]Name{{Label: "pronto"}})
		s, _ = next(s, start, 0, addressed{netip.MustParseAddr("10.0.0.1")})
		for _, h := range m.records {
			s, _ = next(s, start, 0, h)
		}
		for _, q := range m.questions {
			_, _ = next(s, start, 0, asked{q.label})
		}
	})
}
