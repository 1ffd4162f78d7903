package load_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/cmd/linelab/load"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// registrar is a server that knows REGISTER alone, over UDP. Answer gives the first line and the headers that differ.
type registrar struct {
	conn *net.UDPConn
	wg   sync.WaitGroup

	mu   sync.Mutex
	asks []string // the requests so far
}

func registers(t *testing.T, answer func(n int, request string) string) *registrar {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 64, 9)})
	if err != nil {
		t.Fatal(err)
	}
	r := &registrar{conn: conn}
	r.wg.Go(func() {
		buf := make([]byte, 65535)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			request := string(buf[:n])
			r.mu.Lock()
			r.asks = append(r.asks, request)
			count := len(r.asks)
			r.mu.Unlock()
			reply := answer(count, request)
			if reply == "" {
				continue
			}
			for line := range strings.Lines(request) {
				for _, h := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
					if strings.HasPrefix(line, h) {
						reply += line
					}
				}
			}
			_, _ = conn.WriteToUDPAddrPort([]byte(reply+"l: 0\r\n\r\n"), from)
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		r.wg.Wait()
	})
	return r
}

func (r *registrar) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.asks...)
}

const challenge = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n%d\", algorithm=MD5, qop=\"auth\"\r\n"

func TestAWrongPasswordIsTriedOnceAndNobodyElseIsAsked(t *testing.T) {
	r := registers(t, func(n int, _ string) string { return fmt.Sprintf(challenge, n) })
	_, err := load.Run(t.Context(), parsed(t, "-server", r.conn.LocalAddr().String(), "-users", "201:wrong,202:wrong", "-call", "202"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "register 201: the server does not take this password, or does not know this user (401 Unauthorized)") {
		t.Errorf("error %v", err)
	}
	asks := r.requests()
	if len(asks) != 2 || strings.Contains(asks[0], "Authorization:") || !strings.Contains(asks[1], `Authorization: Digest username="201"`) {
		t.Errorf("%d requests: %q; want one without and one with a password", len(asks), asks)
	}
}

func TestProntoRefusesAWrongPasswordInTheSameWords(t *testing.T) {
	box := opened(t)
	_, err := load.Run(t.Context(), parsed(t, "-server", box.SIP.String(), "-users", users(201, 201)+",202:wrong", "-call", "201", "-bind", phoneIPs), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "register 202: the server does not take this password") {
		t.Errorf("error %v", err)
	}
	left(t, box) // 201 is registered no more
}

func TestOtherRefusalsSayTheirStatus(t *testing.T) {
	for reply, want := range map[string]string{
		"SIP/2.0 403 Not Today\r\n": "register 201: 403 Not Today",
		"SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256\r\n": "its challenge is none of MD5 or SHA-256",
		"": "register 201: no answer in 5s",
	} {
		r := registers(t, func(int, string) string { return reply })
		_, err := load.Run(t.Context(), parsed(t, "-server", r.conn.LocalAddr().String(), "-users", "201:x", "-call", "202"), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
}

func TestAServerWhereNobodyListensIsToldAtOnce(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		_, err := load.Run(t.Context(), parsed(t, "-server", "127.0.64.8:5060", "-users", "201:x", "-call", "202", "-transport", transport), io.Discard)
		if err == nil || !strings.Contains(err.Error(), "127.0.64.8:5060 over "+transport) || strings.Contains(err.Error(), "no answer") {
			t.Errorf("%s: error %v", transport, err)
		}
	}
}

// A registration that the server keeps for two seconds is refreshed before they are over, with the nonce of the
// challenge and its count; a password goes through a 407 and without qop too, and a nonce that is stale is no wrong password.
func TestARegistrationIsRefreshedInTimeAndTakenBack(t *testing.T) {
	r := registers(t, func(n int, request string) string {
		switch {
		case strings.HasPrefix(request, "INVITE"):
			return "SIP/2.0 486 Busy Here\r\n"
		case !strings.HasPrefix(request, "REGISTER"):
			return ""
		case n == 1:
			return "SIP/2.0 407 Who Are You\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"a\", opaque=\"o\"\r\n"
		case n == 2:
			return "SIP/2.0 407 Too Old\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"b\", stale=TRUE, opaque=\"o\"\r\n"
		}
		return "SIP/2.0 200 OK\r\nExpires: 2\r\n"
	})
	began := time.Now()
	report := ran(t.Context(), t, "-server", r.conn.LocalAddr().String(), "-users", "201:x", "-call", "202", "-calls", "3", "-rate", "1/s")
	if report.Refused["486 Busy Here"] != 3 || report.Kept() {
		t.Errorf("report %+v", report)
	}
	var logins, logouts int
	for _, ask := range r.requests() {
		switch {
		case !strings.HasPrefix(ask, "REGISTER"):
		case strings.Contains(ask, "Expires: 0\r\n"):
			logouts++
		default:
			logins++
		}
		if strings.HasPrefix(ask, "REGISTER") && strings.Contains(ask, "nonce=") && (!strings.Contains(ask, `Proxy-Authorization: Digest username="201"`) || !strings.Contains(ask, `opaque="o"`) || strings.Contains(ask, "qop=")) {
			t.Errorf("request %q", ask)
		}
	}
	if logins < 4 || logouts != 1 {
		t.Errorf("%d registrations in %v and %d taken back; want at least 4 (three until the first, then one in less than two seconds) and 1", logins, time.Since(began), logouts)
	}
}

// SIPp answers as a server of another hand, knows its callers by their address, and sends back what it hears.
func TestSIPpAnswersAndEchoesWhatItHears(t *testing.T) {
	program := pbxtest.Tool(t, "sipp", "sip-tester")
	for transport, mode := range map[string]string{"udp": "u1", "tcp": "t1"} {
		t.Run(transport, func(t *testing.T) {
			port := fmt.Sprint(pbxtest.FreePort(t))
			cmd := exec.Command(program, "-sn", "uas", "-i", "127.0.64.7", "-mi", "127.0.64.7", "-mp", fmt.Sprint(pbxtest.FreePort(t)), "-p", port, "-rtp_echo", "-nostdin", "-t", mode)
			cmd.Dir = t.TempDir()
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait() // killed
			})
			listening(t, transport, "127.0.64.7:"+port)
			r := ran(t.Context(), t, "-server", "127.0.64.7:"+port, "-register=false", "-users", "anna,bruno", "-call", "500", "-calls", "6", "-rate", "20/s", "-for", "1s",
				"-codec", "pcmu", "-transport", transport, "-bind", "127.0.64.6", "-max-failed", "0", "-max-lost", "0")
			if !r.Kept() || r.Answered != 6 || r.Reached != 0 || r.ToEnd.N != 6 {
				t.Errorf("report %+v", r)
			}
			if len(r.Directions) != 1 || r.Directions[0].Name != "there and back" || r.Directions[0].Received < 6*45 || r.Directions[0].Streams != 6 {
				t.Errorf("ways %+v", r.Directions)
			}
		})
	}
}

// listening waits until a program has its port, by the kernel's list.
func listening(t *testing.T, network, at string) {
	t.Helper()
	where := netip.MustParseAddrPort(at)
	ip := where.Addr().As4()
	entry := fmt.Sprintf(" %08X:%04X ", binary.NativeEndian.Uint32(ip[:]), where.Port())
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile("/proc/net/" + network)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), entry) {
			return
		}
	}
	t.Fatalf("nobody listens at %s", at)
}

// Kamailio is a proxy of another hand: it challenges by 401 and 407, stays on the way of the dialog by Record-Route, and
// lets the audio go past itself, which the report must say.
func TestKamailioRoutesTheCallsAndTheAudioThatPassesItByIsTold(t *testing.T) {
	program := pbxtest.Tool(t, "kamailio", "kamailio")
	text, err := os.ReadFile("testdata/kamailio.cfg")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := fmt.Sprintf("127.0.64.31:%d", pbxtest.FreePort(t))
	if err := os.WriteFile(filepath.Join(dir, "kamailio.cfg"), []byte(strings.ReplaceAll(string(text), "ADDRESS", at)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-f", filepath.Join(dir, "kamailio.cfg"), "-Y", dir, "-w", dir, "-P", filepath.Join(dir, "pid"), "-DD", "-E")
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true} // it ends its children
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("kamailio: %v\n%s", err, said.String())
		}
	})
	listening(t, "udp", at)
	listening(t, "tcp", at)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			r := ran(t.Context(), t, "-server", at, "-transport", transport, "-users", "201:secret,202:secret,203:secret,204:secret", "-call", "203,204,299",
				"-calls", "6", "-rate", "20/s", "-for", "500ms", "-bind", "127.0.64.32", "-max-failed", "2")
			if !r.Kept() || r.Answered != 4 || r.Reached != 4 || r.Refused["404 Not Found"] != 2 || r.ToEnd.N != 4 || r.LeftOpen != 0 {
				t.Errorf("report %+v", r)
			}
			if r.Direct != 8 || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.HasPrefix(w, "8 streams were sent past the server") }) {
				t.Errorf("%d streams past the server; it says %q", r.Direct, r.Warnings)
			}
		})
	}
	_, err = load.Run(t.Context(), parsed(t, "-server", at, "-users", "201:secret,202:wrong", "-call", "202", "-bind", "127.0.64.32"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "register 202: the server does not take this password") {
		t.Errorf("error %v", err)
	}
}
