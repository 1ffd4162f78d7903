package appliance

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tortureAnswers is what the whole box may say to each message of RFC 4475 and RFC 5118 that reaches
// it over UDP. A stranger's calls and registrations end with 401, as they must: also of a user whose name
// is valid and cannot be one of ours. "-" is no answer: to a response, mostly.
var tortureAnswers = map[string]string{
	"rfc4475/wsinv": "401 481", "rfc4475/esc02": "405 501", "rfc4475/lwsdisp": "200", "rfc4475/semiuri": "200 404",
	"rfc4475/transports": "200", "rfc4475/mpart01": "405 401", "rfc4475/dblreq": "401", "rfc4475/unreason": "-", "rfc4475/noreason": "-",
	"rfc4475/escruri": "401 400", "rfc4475/baddate": "401 400", "rfc4475/regbadct": "401 400", "rfc4475/badbranch": "200 400",
	"rfc4475/baddn": "200 400", "rfc4475/unkscm": "416", "rfc4475/novelsc": "416", "rfc4475/unksm2": "400 401 404 416", "rfc4475/bext01": "420",
	"rfc4475/invut": "415 401", "rfc4475/regaut01": "401", "rfc4475/zeromf": "200 483", "rfc4475/cparam01": "401", "rfc4475/cparam02": "401",
	"rfc4475/regescrt": "401", "rfc4475/sdp01": "401 406 488", "rfc4475/insuf": "400", "rfc4475/badvers": "505",
	"rfc4475/esc01": "401", "rfc4475/escnull": "401", "rfc4475/intmeth": "405 501", "rfc4475/inv2543": "401", "rfc4475/longreq": "401",
	"rfc4475/badaspec": "400", "rfc4475/badinv01": "400", "rfc4475/bcast": "-", "rfc4475/bigcode": "-", "rfc4475/clerr": "400",
	"rfc4475/ltgtruri": "400", "rfc4475/lwsruri": "400", "rfc4475/lwsstart": "400", "rfc4475/mcl01": "400", "rfc4475/mismatch01": "400",
	"rfc4475/mismatch02": "400", "rfc4475/multi01": "400", "rfc4475/ncl": "400", "rfc4475/quotbal": "400", "rfc4475/scalar02": "400",
	"rfc4475/scalarlg": "-", "rfc4475/trws": "400",
	"rfc5118/ipv6-good": "401", "rfc5118/ipv6-bad": "400", "rfc5118/port-ambiguous": "401", "rfc5118/port-unambiguous": "401",
	"rfc5118/via-received-param-with-delim": "481", "rfc5118/via-received-param-no-delim": "200", "rfc5118/ipv6-in-sdp": "401",
	"rfc5118/mult-ip-in-header": "481", "rfc5118/mult-ip-in-sdp": "401", "rfc5118/ipv4-mapped-ipv6": "401",
	"rfc5118/ipv6-bug-abnf-3-colons": "200 400", "rfc5118/ipv6-correct-abnf-2-colons": "200",
}

// topVia is the first Via, to the end of its sent-by.
var topVia = regexp.MustCompile(`(?is)^(.*?\r\n(?:via|v)[ \t]*:\s*SIP\s*/\s*\d+\.\d+\s*/\s*[a-z]+\s+[^;,\r]+)(.*)$`)

func TestTheWholeBoxAnswersTortureMessagesAndGoesOn(t *testing.T) {
	b := start(t, shop)
	to, err := net.ResolveUDPAddr("udp", b.sip)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tortureAnswers); n != 49+12 {
		t.Errorf("%d messages, and RFC 4475 has 49, RFC 5118 12", n)
	}
	n := byte(0)
	for name, want := range tortureAnswers {
		raw, err := os.ReadFile(filepath.Join("..", "sip", "stack", "testdata", name+".dat"))
		if err != nil {
			t.Fatal(err)
		}
		// Answers shall come to the port that asks, and each message be a transaction of its own.
		raw = topVia.ReplaceAll(raw, []byte("$1;rport$2"))
		raw = bytes.Replace(raw, []byte("z9hG4bKas3"), []byte("z9hG4bK"+strings.ReplaceAll(name, "/", "-")), 1)
		n++
		if got := answerOf(t, to, n, raw, want); !strings.Contains(" "+want+" ", " "+got+" ") {
			t.Errorf("%s: %s, want one of %s", name, got, want)
		}
	}
	b.phone("201") // registers, or fails the test
}

// answerOf sends a datagram from a socket of its own and returns the status of the final answer.
func answerOf(t *testing.T, to *net.UDPAddr, n byte, raw []byte, want string) string {
	t.Helper()
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 3, n)}, to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	wait := patience
	if want == "-" {
		wait = 50 * time.Millisecond
	}
	buf := make([]byte, 65535)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		size, err := conn.Read(buf)
		if err != nil {
			return "-"
		}
		if status := find(string(buf[:size]), `^SIP/2\.0 (\d+)`); status != "" && status[0] != '1' {
			return status
		}
	}
}
