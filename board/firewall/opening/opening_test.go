package opening

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func sample() []Opening {
	return []Opening{
		{UDP, netip.IPv4Unspecified(), 16384, 24575},
		{TCP, netip.MustParseAddr("192.0.2.7"), 443, 443},
		{TCP, netip.MustParseAddr("2001:db8::1"), 80, 80},
	}
}

func TestOpeningsAreReadAsTheyWereWritten(t *testing.T) {
	got, err := Parse(Format(sample()))
	if err != nil || !slices.Equal(got, sample()) {
		t.Errorf("%v, %v", got, err)
	}
	if none, err := Parse(nil); err != nil || len(none) != 0 {
		t.Errorf("of nothing: %v, %v", none, err)
	}
}

func TestWhatIsNotWrittenByFormatIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"another protocol", "icmp 0.0.0.0 80 80\n"},
		{"a name for an address", "tcp localhost 80 80\n"},
		{"an address with a zone", "tcp fe80::1%eth0 80 80\n"},
		{"an address of the other family inside", "tcp ::ffff:192.0.2.1 80 80\n"},
		{"a port of the system", "tcp 0.0.0.0 22 22\n"},
		{"a range that begins below", "udp 0.0.0.0 1 65535\n"},
		{"a range backwards", "udp 0.0.0.0 200 100\n"},
		{"a port beyond the last", "udp 0.0.0.0 65536 65536\n"},
		{"a sign", "udp 0.0.0.0 +80 80\n"},
		{"a zero in front", "udp 0.0.0.0 080 80\n"},
		{"a line that does not end", "udp 0.0.0.0 80 80"},
		{"a word more", "udp 0.0.0.0 80 80 x\n"},
		{"an empty line", "\n"},
		{"too many", strings.Repeat("udp 0.0.0.0 80 80\n", most+1)},
		{"too long", strings.Repeat("x", Longest+1)},
	} {
		if got, err := Parse([]byte(tc.text)); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
}

func TestAnAnswerSaysThatItIsDoneOrWhyNot(t *testing.T) {
	asked := sample()
	for _, tc := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"what was asked for", Answer(asked, nil), nil},
		{"less than that", Answer(asked[1:], nil), ErrNotYet},
		{"nothing", nil, ErrNotYet},
		{"a refusal", Answer(asked, errors.New("no nf_tables\nin this kernel")), ErrRefused},
	} {
		if err := Check(asked, tc.answer); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if err := Check(asked, Answer(nil, errors.New("no nf_tables\nin this kernel"))); err == nil || !strings.HasSuffix(err.Error(), "no nf_tables; in this kernel") {
		t.Errorf("the refusal says %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(Format(sample())))
	f.Add("udp 0.0.0.0 080 80\n")
	f.Add("tcp ::ffff:192.0.2.1 80 80\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse([]byte(text))
		if err != nil {
			return
		}
		if string(Format(all)) != text {
			t.Fatalf("%q is read as %v", text, all)
		}
		for _, o := range all {
			if o.First < Lowest || o.First > o.Last {
				t.Fatalf("%q opens %v", text, o)
			}
		}
	})
}
