package nat

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The answers of RFC 5769 section 2.2 and 2.3, without the attributes that need a password.
const (
	vector4 = "0101 000c 2112a442 b7e7a701bc34d686fa87dfae 0020 0008 0001 a147 e112a643"
	vector6 = "0101 0018 2112a442 b7e7a701bc34d686fa87dfae 0020 0014 0002 a147 0113a9faa5d3f179bc25f4b5bed2b9d9"
)

func TestAnswersAreReadAsTheVectorsOfRFC5769Say(t *testing.T) {
	for text, want := range map[string]string{vector4: "192.0.2.1:32853", vector6: "[2001:db8:1234:5678:11:2233:4455:6677]:32853"} {
		raw := unhex(t, text)
		id, got, err := Parse(raw)
		if err != nil || got.String() != want || hex.EncodeToString(id[:]) != "b7e7a701bc34d686fa87dfae" {
			t.Errorf("%v, %x, %v; want %s", got, id, err, want)
		}
		if back := Answer(id, got); string(back) != string(raw) {
			t.Errorf("packed again:\n%x, want\n%x", back, raw)
		}
	}
}

func TestWhatIsNoGoodAnswerIsRefused(t *testing.T) {
	h := "2112a442 b7e7a701bc34d686fa87dfae "
	for name, c := range map[string]struct {
		raw  string
		want error
	}{
		"a request":                       {"0001 0000" + h, ErrNotSTUN},
		"another cookie":                  {"0101 000c 2112a443 b7e7a701bc34d686fa87dfae 0020 0008 0001 a147 e112a643", ErrNotSTUN},
		"a length that lies":              {"0101 0010" + h + "0020 0008 0001 a147 e112a643", ErrNotSTUN},
		"an attribute cut short":          {"0101 0008" + h + "0020 0008 0001 a147", ErrNotSTUN},
		"no address":                      {"0101 0000" + h, ErrNotSTUN},
		"a family that is none":           {"0101 000c" + h + "0020 0008 0003 a147 e112a643", ErrNotSTUN},
		"an attribute that must be known": {"0101 0010" + h + "7fff 0000 0020 0008 0001 a147 e112a643", ErrRefused},
		"a refusal":                       {"0111 0008" + h + "0009 0004 0000 0414", ErrRefused},
	} {
		if _, _, err := Parse(unhex(t, c.raw)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// One that need not be known is skipped, and a server of RFC 3489 names the address openly.
	if _, got, err := Parse(unhex(t, "0101 0014"+h+"8022 0003 61626300 0001 0008 0001 1f90 c0000201")); err != nil || got != netip.MustParseAddrPort("192.0.2.1:8080") {
		t.Errorf("%v, %v", got, err)
	}
	if _, _, err := Parse(unhex(t, "0111 0008"+h+"0009 0004 0000 0414")); !strings.Contains(err.Error(), "420") {
		t.Errorf("the code is lost: %v", err)
	}
}

func TestSIPIsNeverTakenForSTUN(t *testing.T) {
	if IsSTUN([]byte("OPTIONS sip:a@b SIP/2.0\r\n\r\n")) || IsSTUN(nil) || !IsSTUN(Request(ID{1})) {
		t.Error("they are mixed up")
	}
	if id, ok := RequestID(Request(ID{7})); !ok || id != (ID{7}) {
		t.Error("a request is not known again")
	}
}

// FuzzParse reads what a STUN server, or somebody in its place, may send.
func FuzzParse(f *testing.F) {
	for _, text := range []string{vector4, vector6} {
		f.Add(unhex(f, text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, seen, err := Parse(raw)
		if err != nil {
			return
		}
		if _, again, err := Parse(Answer(id, seen)); err != nil || again != seen {
			t.Errorf("%v became %v, %v", seen, again, err)
		}
	})
}
