package pbxtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// SIPpPhone is an address at which SIPp plays a phone or a carrier, one scenario after the other. The
// address stays when no scenario runs: the box's OPTIONS are answered at its door, because SIPp takes
// each for a call of its own.
type SIPpPhone struct {
	o              *Office
	user, password string
	door           *net.UDPConn
	wg             sync.WaitGroup

	mu     sync.Mutex     // guards all below
	inside netip.AddrPort // where SIPp is; invalid: nobody is there
	passed []string       // what the box has sent it since Run
}

// SIPpPhone opens the place of a phone; a scenario must log it in.
func (o *Office) SIPpPhone(number int, password string) *SIPpPhone {
	o.t.Helper()
	return o.sippAt(netip.MustParseAddrPort("127.0.0.1:0"), fmt.Sprint(number), password)
}

// SIPpCarrier opens the place of the carrier, or, where at is valid, that of another one.
func (o *Office) SIPpCarrier(at netip.AddrPort) *SIPpPhone {
	o.t.Helper()
	if !at.IsValid() {
		at = netip.AddrPortFrom(o.Carrier, o.CarrierPort)
	}
	return o.sippAt(at, "carrier", "")
}

func (o *Office) sippAt(at netip.AddrPort, user, password string) *SIPpPhone {
	o.t.Helper()
	door, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		o.t.Fatal(err)
	}
	p := &SIPpPhone{o: o, user: user, password: password, door: door}
	p.wg.Go(p.keep)
	o.t.Cleanup(func() {
		_ = door.Close()
		p.wg.Wait()
	})
	return p
}

// At is the place's address.
func (p *SIPpPhone) At() netip.AddrPort { return p.door.LocalAddr().(*net.UDPAddr).AddrPort() }

// keep carries datagrams between the box and SIPp.
func (p *SIPpPhone) keep() {
	buf := make([]byte, 65535)
	for {
		n, from, err := p.door.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.mu.Lock()
		inside := p.inside
		if from != inside && len(p.passed) < maxPassed {
			p.passed = append(p.passed, string(buf[:n]))
		}
		p.mu.Unlock()
		switch {
		case from == inside:
			_, _ = p.door.WriteToUDPAddrPort(buf[:n], p.o.SIP)
		case bytes.HasPrefix(buf[:n], []byte("OPTIONS ")):
			_, _ = p.door.WriteToUDPAddrPort(alive(buf[:n]), from)
		case inside.IsValid():
			_, _ = p.door.WriteToUDPAddrPort(buf[:n], inside)
		}
	}
}

// maxPassed is how many datagrams of a scenario are remembered.
const maxPassed = 1024

// Passed waits until the box has sent the scenario a message that holds every one of the words.
func (p *SIPpPhone) Passed(words ...string) {
	p.o.t.Helper()
	p.o.await(fmt.Sprintf("SIPp to be sent %q", words), patience, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.passed, func(message string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(message, w) })
		})
	})
}

// alive is the 200 to a request: its own header without the fields that tell of the request.
func alive(req []byte) []byte {
	answer := []byte("SIP/2.0 200 OK\r\n")
	_, head, _ := bytes.Cut(req, []byte("\r\n"))
	for line := range bytes.Lines(head) {
		name, _, _ := bytes.Cut(bytes.ToLower(line), []byte(":"))
		switch string(name) {
		case "via", "from", "to", "call-id", "cseq":
			answer = append(answer, line...)
		}
	}
	return append(answer, "Content-Length: 0\r\n\r\n"...)
}

// Run starts a scenario; Wait tells how it ended. In it "[key]" is replaced by the value of that key
// ("callee" is whom it calls: its digest is for that address), and
// the line <include file="dial.xml"/> by that file of the same folder. A scenario that begins by
// receiving is ready when Run returns. What is left of it ends with t.
func (p *SIPpPhone) Run(t testing.TB, file string, keys map[string]string) *SIPp {
	t.Helper()
	return p.RunFor(t, 20*time.Second, file, keys)
}

// RunFor is Run for a scenario that takes longer: SIPp fails at the limit.
func (p *SIPpPhone) RunFor(t testing.TB, limit time.Duration, file string, keys map[string]string) *SIPp {
	t.Helper()
	program := Tool(t, "sipp", "sip-tester")
	dir, err := os.MkdirTemp("", "sipp")
	if err != nil {
		t.Fatal(err)
	}
	text := included(t, file)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		text = strings.ReplaceAll(text, "["+k+"]", keys[k])
	}
	// SIPp stands behind the door and speaks for it.
	text = strings.NewReplacer("[local_port]", fmt.Sprint(p.At().Port()), "[remote_ip]", p.o.SIP.Addr().String(), "[remote_port]", fmt.Sprint(p.o.SIP.Port())).Replace(text)
	s := &SIPp{t: t, dir: dir, name: filepath.Base(file)}
	if err := os.WriteFile(filepath.Join(dir, s.name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	uri := p.o.SIP.String()
	if callee := keys["callee"]; callee != "" {
		uri = callee + "@" + uri
	}
	port := FreePort(t)
	inside := netip.AddrPortFrom(p.At().Addr(), port)
	p.mu.Lock()
	p.inside, p.passed = inside, nil
	p.mu.Unlock()
	s.start(program, p.At().String(), "-sf", s.name, "-m", "1", "-i", inside.Addr().String(), "-mi", inside.Addr().String(),
		"-p", fmt.Sprint(port), "-s", p.user, "-au", p.user, "-ap", p.password, "-auth_uri", uri,
		"-timeout", fmt.Sprintf("%ds", int(limit.Seconds())), "-timeout_error", "-nostdin", "-trace_err")
	p.o.await("SIPp to listen", 10*time.Second, func() bool { return s.over() || listening(t, inside) })
	return s
}

// included reads a scenario with what it includes.
func included(t testing.TB, file string) string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(body)) {
		if name, ok := strings.CutPrefix(line, `<include file="`); ok {
			name, _, _ = strings.Cut(name, `"`)
			line = included(t, filepath.Join(filepath.Dir(file), name))
		}
		b.WriteString(line)
	}
	return b.String()
}

// listening reports whether some program has the UDP port, without touching it.
func listening(t testing.TB, at netip.AddrPort) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	ip := at.Addr().As4()
	return strings.Contains(string(table), fmt.Sprintf(" %02X%02X%02X%02X:%04X ", ip[3], ip[2], ip[1], ip[0], at.Port()))
}
