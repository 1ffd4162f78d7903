package stack

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// verdicts on a torture message, besides a status that refuses it.
const (
	served  = "served"  // it reaches the layer above, which answers 200 here
	dropped = "dropped" // no answer, and the layer above hears nothing: a response, mostly
	waits   = "waits"   // over TCP the rest of it is awaited
)

// torture is what each message of RFC 4475 and RFC 5118 must get: over UDP, and over TCP where that
// differs. What the RFC leaves to the layers above (420, 415, 406, 401) is served here.
var torture = map[string]struct{ udp, tcp string }{
	// RFC 4475 section 3.1.1: valid.
	"rfc4475/wsinv": {served, ""}, "rfc4475/intmeth": {served, ""}, "rfc4475/esc01": {served, ""}, "rfc4475/escnull": {served, ""},
	"rfc4475/esc02": {served, ""}, "rfc4475/lwsdisp": {served, ""}, "rfc4475/longreq": {served, ""}, "rfc4475/semiuri": {served, ""},
	"rfc4475/transports": {served, ""}, "rfc4475/mpart01": {served, ""},
	"rfc4475/unreason": {dropped, ""}, "rfc4475/noreason": {dropped, ""}, // responses to nothing
	"rfc4475/dblreq": {served, served + " " + served}, // over UDP what follows the first is no message
	// Section 3.1.2: invalid.
	"rfc4475/badinv01": {"400", ""}, "rfc4475/clerr": {"400", waits}, "rfc4475/ncl": {"400", ""}, "rfc4475/scalar02": {"400", ""},
	"rfc4475/scalarlg": {dropped, ""}, "rfc4475/quotbal": {"400", ""}, "rfc4475/ltgtruri": {"400", ""}, "rfc4475/lwsruri": {"400", ""},
	"rfc4475/lwsstart": {"400", ""}, "rfc4475/trws": {"400", ""},
	"rfc4475/escruri": {served, ""}, // "ignore the headers" is one of the two ways the RFC leaves
	"rfc4475/baddate": {served, ""}, // so is the Date that nobody needs
	// A display name with a comma that is not quoted means no other thing: it is tolerated.
	"rfc4475/regbadct": {served, ""}, "rfc4475/badaspec": {"400", ""}, "rfc4475/baddn": {served, ""}, "rfc4475/badvers": {"505", ""},
	"rfc4475/mismatch01": {"400", ""}, "rfc4475/mismatch02": {"400", ""}, "rfc4475/bigcode": {dropped, ""},
	// Sections 3.2 to 3.4.
	"rfc4475/badbranch": {served, ""}, "rfc4475/insuf": {"400", ""}, "rfc4475/unkscm": {"416", ""}, "rfc4475/novelsc": {"416", ""},
	"rfc4475/unksm2": {served, ""}, "rfc4475/bext01": {served, ""}, "rfc4475/invut": {served, ""}, "rfc4475/regaut01": {served, ""},
	"rfc4475/multi01": {"400", ""}, "rfc4475/mcl01": {"400", ""}, "rfc4475/bcast": {dropped, ""}, "rfc4475/zeromf": {served, ""},
	"rfc4475/cparam01": {served, ""}, "rfc4475/cparam02": {served, ""}, "rfc4475/regescrt": {served, ""}, "rfc4475/sdp01": {served, ""},
	"rfc4475/inv2543": {served, "400"}, // a stream wants a Content-Length (RFC 3261 section 20.14)
	// RFC 5118.
	"rfc5118/ipv6-good": {served, ""}, "rfc5118/ipv6-bad": {"400", ""}, "rfc5118/port-ambiguous": {served, ""},
	"rfc5118/port-unambiguous": {served, ""}, "rfc5118/via-received-param-with-delim": {served, ""},
	"rfc5118/via-received-param-no-delim": {served, ""}, "rfc5118/ipv6-in-sdp": {served, ""}, "rfc5118/mult-ip-in-header": {served, ""},
	"rfc5118/mult-ip-in-sdp": {served, ""}, "rfc5118/ipv4-mapped-ipv6": {served, ""},
	"rfc5118/ipv6-bug-abnf-3-colons": {served, ""}, "rfc5118/ipv6-correct-abnf-2-colons": {served, ""},
}

func tortureText(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".dat"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func tortureNames() []string {
	var names []string
	for name := range torture {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// rack is a stack whose answers over UDP all go to one phone, wherever the message's Via points.
type rack struct {
	*Stack
	phone *net.UDPConn
	udp   netip.AddrPort
	tcp   netip.AddrPort
}

func newRack(t testing.TB) *rack {
	t.Helper()
	s, err := New(Config{SourceRate: 1 << 28, MaxTransactions: 1 << 28, MaxConnsPerAddr: 512})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	at := addrPortOf(conn.LocalAddr())
	s.transmit = func(to Flow, raw []byte, failed func(error)) error {
		if to.Transport == "udp" {
			to.Remote = at
		}
		return s.write(to, raw, failed)
	}
	for _, listen := range []func(netip.AddrPort) error{s.ListenUDP, s.ListenTCP} {
		if err := listen(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
			t.Fatal(err)
		}
	}
	s.Serve(&echoer{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	return &rack{s, conn, s.Addresses("udp")[0], s.Addresses("tcp")[0]}
}

// marker is a request whose answer says that all before it has been dealt with.
func marker(n int) string {
	return request("OPTIONS", "UDP", netip.MustParseAddrPort("127.0.0.2:5060"), 900_000+n)
}

// overUDP sends a datagram and then a marker, and returns the verdict; want says how long to wait.
func (r *rack) overUDP(t testing.TB, raw []byte, n int, want string) string {
	t.Helper()
	var got []string
	buf := make([]byte, 65535)
	for _, data := range [][]byte{raw, []byte(marker(n))} {
		if _, err := r.phone.WriteToUDPAddrPort(data, r.udp); err != nil {
			t.Fatal(err)
		}
		wait := patience
		if want == dropped && !bytes.Equal(data, []byte(marker(n))) {
			wait = 40 * time.Millisecond // nothing must come
		}
		_ = r.phone.SetReadDeadline(time.Now().Add(wait))
		if size, _, err := r.phone.ReadFromUDPAddrPort(buf); err == nil {
			got = append(got, string(buf[:size]))
		}
	}
	if len(got) == 0 || !strings.Contains(got[len(got)-1], fmt.Sprintf("call-%d", 900_000+n)) {
		t.Fatal("the stack serves no more")
	}
	return verdictOf(got[:len(got)-1])
}

func verdictOf(answers []string) string {
	if len(answers) == 0 {
		return dropped
	}
	var all []string
	for _, raw := range answers {
		v := fmt.Sprint(statusOf(raw))
		if v == "200" {
			v = served
		}
		all = append(all, v)
	}
	return strings.Join(all, " ")
}

// overTCP sends bytes on a connection of their own, a ping behind them, and returns the verdict.
func (r *rack) overTCP(t testing.TB, raw []byte, want string) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	l := newLine(t, conn)
	l.send(string(raw))
	var got []string
	for {
		wait := patience
		if len(got) >= len(strings.Fields(want)) || want == dropped || want == waits {
			wait = 40 * time.Millisecond // nothing more must come
		}
		msg, err := l.hear(wait)
		if statusOf(msg) != 0 {
			got = append(got, msg)
		}
		if err != nil {
			if nerr, ok := err.(net.Error); want == waits && len(got) == 0 && ok && nerr.Timeout() {
				return waits
			}
			return verdictOf(got)
		}
	}
}

func TestTortureMessagesGetWhatTheirRFCPrefersOrTolerates(t *testing.T) {
	files, err := filepath.Glob("testdata/rfc*/*.dat")
	if err != nil || len(files) != len(torture) || len(files) != 49+12 {
		t.Fatalf("%d files, %d rows, %v", len(files), len(torture), err)
	}
	for i, name := range tortureNames() {
		r := newRack(t) // many of them have the same branch
		want, raw := torture[name], tortureText(t, name)
		if want.tcp == "" {
			want.tcp = want.udp
		}
		if got := r.overUDP(t, raw, i, want.udp); got != want.udp {
			t.Errorf("%s over UDP: %s, want %s", name, got, want.udp)
		}
		if got := newRack(t).overTCP(t, raw, want.tcp); got != want.tcp {
			t.Errorf("%s over TCP: %s, want %s", name, got, want.tcp)
		}
		if n := r.Stats().Panics; n > 0 {
			t.Errorf("%s: %d panics", name, n)
		}
	}
}

// stillServes sends a marker and reads up to its answer.
func (r *rack) stillServes(t *testing.T, n int) {
	t.Helper()
	want := fmt.Sprintf("call-%d\r\n", 900_000+n)
	if _, err := r.phone.WriteToUDPAddrPort([]byte(marker(n)), r.udp); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65535)
	for {
		_ = r.phone.SetReadDeadline(time.Now().Add(patience))
		size, _, err := r.phone.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("the stack serves no more: %v", err)
		}
		if strings.Contains(string(buf[:size]), want) {
			return
		}
	}
}

func TestATortureMessageCutAtAnyByteHarmsNobody(t *testing.T) {
	r := newRack(t)
	var bytesOfAll int
	for i, name := range tortureNames() {
		raw := tortureText(t, name)
		bytesOfAll += len(raw)
		for cut := 1; cut < len(raw); cut++ {
			if _, err := r.phone.WriteToUDPAddrPort(raw[:cut], r.udp); err != nil {
				t.Fatal(err)
			}
			// The same as a connection reads it, without the connection.
			c := r.newConn(Flow{Transport: "tcp", Remote: netip.MustParseAddrPort("127.0.0.2:5060")}, true)
			c.assembly = assembly{stream: r.parser.NewSIPStream(), opened: time.Now(), kept: true}
			c.take(bytes.Clone(raw[:cut]))
			if !c.assembly.broken {
				c.take(bytes.Clone(raw[cut:]))
			}
			if cut%50 == 0 || cut == len(raw)-1 { // before the answers overflow our socket
				r.stillServes(t, 10_000*i+cut)
			}
		}
	}
	if bytesOfAll < 25_000 {
		t.Errorf("only %d bytes of torture", bytesOfAll)
	}
	if n := r.Stats().Panics; n > 0 {
		t.Errorf("%d panics", n)
	}
}

func TestTooMuchOfAnythingIsRefused(t *testing.T) {
	r := newRack(t)
	with := func(line string, n int) string {
		return strings.Replace(request("OPTIONS", "UDP", netip.MustParseAddrPort("127.0.0.2:5060"), 1), "Max-Forwards", strings.Repeat(line, n)+"Max-Forwards", 1)
	}
	// served in a single try: each has a branch and a Call-ID of its own
	for i, c := range []struct {
		name, raw, udp, tcp string
	}{
		{"as many header fields as are allowed", with("X: y\r\n", 190), served, served},
		{"too many header fields", with("X: y\r\n", 250), "400", "400"},
		{"2,000 header fields", with("X: y\r\n", 2000), "400", "400"},
		{"too many Vias", with("Via: SIP/2.0/UDP a.example;branch=z9hG4bKx\r\n", 80), "400", "400"},
		{"one header field of 20 kB", with("X: "+strings.Repeat("y", 20_000)+"\r\n", 1), served, served},
		{"nothing but line ends", strings.Repeat("\r\n", 500), dropped, dropped},
		{"nothing but colons", strings.Repeat(":", 3000), dropped, waits},
		{"a request line that never ends", "OPTIONS " + strings.Repeat("x", 30_000), dropped, waits},
	} {
		raw := strings.ReplaceAll(c.raw, "z9hG4bKb1;", fmt.Sprintf("z9hG4bKmuch%d;", i))
		if got := r.overUDP(t, []byte(raw), 1000+i, c.udp); got != c.udp {
			t.Errorf("%s over UDP: %s, want %s", c.name, got, c.udp)
		}
		if got := r.overTCP(t, []byte(strings.ReplaceAll(raw, "much", "TCP")), c.tcp); got != c.tcp {
			t.Errorf("%s over TCP: %s, want %s", c.name, got, c.tcp)
		}
	}
	// What is too long for the parser's buffer ends the connection; a datagram cannot be longer.
	conn, err := net.Dial("tcp", r.tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	l := newLine(t, conn)
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	for range 200 {
		if _, err := conn.Write([]byte(strings.Repeat("x", 10_000))); err != nil {
			break
		}
	}
	if !l.closedWithin(patience) {
		t.Error("two megabytes without a message are taken")
	}
	if got := r.overUDP(t, []byte(strings.Repeat("SIP/2.0 ", 8000)), 2000, dropped); got != dropped {
		t.Errorf("64 kB of nonsense: %s", got)
	}
	if n := r.Stats().Panics; n > 0 {
		t.Errorf("%d panics", n)
	}
}

func TestSlowAndSilentClientsDoNotStandInTheWayOfAGoodOne(t *testing.T) {
	b, secure, roots := secureBox(t, Config{MaxConns: 512, MaxConnsPerAddr: 64}, &echoer{})
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			_ = c.Close()
		}
	}()
	for i := range 400 { // every second one waits within the handshake of TLS
		to := b.tcp
		if i%2 == 0 {
			to = secure
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/50))}}
		conn, err := d.DialContext(t.Context(), "tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	eventually(t, "all are taken in", func() bool { return b.Stats().Conns == 400 })
	trickle := request("OPTIONS", "TCP", netip.MustParseAddrPort("127.0.0.3:5060"), 1)
	good := dialBox(t, b, "127.0.0.4")
	cfg := tlsTrusting(roots)
	goodTLS, err := dialTLS(t, secure, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		for j, conn := range idle[:100] { // one byte each, for as long as we look
			if j%2 == 1 {
				_, _ = conn.Write([]byte{trickle[i]})
			}
		}
		good.send(request("OPTIONS", "TCP", good.addr(), 1000+i))
		if got := good.status(patience); got != 200 {
			t.Fatalf("over TCP answered %d", got)
		}
		goodTLS.send(request("OPTIONS", "TLS", goodTLS.addr(), 2000+i))
		if got := goodTLS.status(patience); got != 200 {
			t.Fatalf("over TLS answered %d", got)
		}
	}
	if s := b.Stats(); s.Conns != 402 || s.Panics != 0 {
		t.Errorf("%d connections, %d panics", s.Conns, s.Panics)
	}
}

// undecided answers nobody: every request that it gets holds its place.
type undecided struct {
	echoer
	got atomic.Int64
}

func (u *undecided) Request(*ServerTx) { u.got.Add(1) }

func TestWhoHoldsFewTransactionsIsServedWhenOthersHaveFilledTheTable(t *testing.T) {
	held := &undecided{}
	b := newBox(t, Config{MaxTransactions: 200, SourceRate: 1 << 28}, held)
	flood, good := newPhone(t, b, "127.0.0.6"), newPhone(t, b, "127.0.0.7")
	for i := range 400 {
		flood.send(request("OPTIONS", "UDP", flood.addr, i))
		if i%50 == 49 { // before a socket's buffer is full
			eventually(t, "all are dealt with", func() bool { return held.got.Load()+b.Stats().Refused == int64(i+1) })
		}
	}
	if n := b.Stats().Refused; n != 250 {
		t.Errorf("of the flood %d were refused, want what exceeds three quarters of the table", n)
	}
	for i := range modestShare {
		good.send(request("OPTIONS", "UDP", good.addr, 1000+i))
	}
	eventually(t, "the good client is served", func() bool { return held.got.Load() == 150+modestShare })
	good.send(request("OPTIONS", "UDP", good.addr, 2000))
	if got := good.status(patience); got != 503 {
		t.Errorf("with as many as others it is answered %d", got)
	}
	if n := len(b.shares.open); n != 2 {
		t.Errorf("%d sources counted", n)
	}
}
