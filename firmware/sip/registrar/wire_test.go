package registrar

import (
	"bufio"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// switchboard routes what the stack delivers, as appliance does.
type switchboard struct{ r *Registrar }

func (s *switchboard) Request(tx *stack.ServerTx) {
	switch req := tx.Request(); req.Method {
	case sip.REGISTER:
		s.r.Register(tx)
	case sip.MESSAGE:
		dev, challenge, status := s.r.Authenticate(req, tx.Flow())
		reason := "Refused"
		if status == 0 {
			status, reason = 200, "OK "+string(dev)
		}
		res := sip.NewResponseFromRequest(req, status, reason, nil)
		for _, h := range challenge {
			res.AppendHeader(h)
		}
		_ = tx.Respond(res)
	default:
		_ = tx.Respond(sip.NewResponseFromRequest(req, 405, "Method Not Allowed", nil))
	}
}
func (*switchboard) Ack(*sip.Request, stack.Flow)            {}
func (*switchboard) StrayResponse(*sip.Response, stack.Flow) {}

// wired is a registrar behind a real stack on loopback; of each transport its own port, since the
// one that is free for UDP may be taken for TCP.
func wired(t *testing.T, change ...func(*Config)) (b *box, udp, tcp netip.AddrPort) {
	t.Helper()
	s, err := stack.New(stack.Config{UserAgent: "Pronto test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	home := netip.MustParseAddrPort("127.0.0.1:0")
	if err := errors.Join(s.ListenUDP(home), s.ListenTCP(home)); err != nil {
		t.Fatal(err)
	}
	b = newBox(t, append([]func(*Config){func(c *Config) { c.Stack = s }}, change...)...)
	s.Serve(&switchboard{b.Registrar})
	return b, s.Addresses("udp")[0], s.Addresses("tcp")[0]
}

// peer is a phone's socket with sipgo's parser.
type peer struct {
	conn   net.Conn
	read   func() ([]byte, error)
	parser *sip.Parser
}

func dial(t *testing.T, network string, to netip.AddrPort) *peer {
	t.Helper()
	conn, err := net.Dial(network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p := &peer{conn: conn, parser: sip.NewParser()}
	if network == "tcp" {
		lines := bufio.NewReader(conn)
		p.read = func() ([]byte, error) { // the messages of these tests have no body
			var all []byte
			for {
				line, err := lines.ReadBytes('\n')
				if err != nil {
					return nil, err
				}
				if all = append(all, line...); strings.HasSuffix(string(all), "\r\n\r\n") {
					return all, nil
				}
			}
		}
		return p
	}
	buf := make([]byte, 65535)
	p.read = func() ([]byte, error) {
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	return p
}

func (p *peer) write(t *testing.T, text string) {
	t.Helper()
	if _, err := p.conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// next is the next message; a test waits at most 5 s for it.
func (p *peer) next(t *testing.T) sip.Message {
	t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	raw, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	msg, err := p.parser.ParseSIP(raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	return msg
}

func (p *peer) response(t *testing.T) *sip.Response {
	t.Helper()
	res, ok := p.next(t).(*sip.Response)
	if !ok {
		t.Fatal("a request came first")
	}
	return res
}

func TestPhoneOverUDPRegistersAndIsProbedWhereItSent(t *testing.T) {
	b, home, _ := wired(t, func(c *Config) { c.Qualify = 200 * time.Millisecond })
	p, phone := dial(t, "udp", home), newPhone("201")
	// The contact is an address behind a NAT; rport makes the way back the source of the packet.
	phone.contact = "<sip:201@10.99.99.99:5060>"
	p.write(t, phone.text(""))
	res := want(t, p.response(t), 401)
	if rport, _ := res.Via().Params.Get("rport"); rport != strings.Split(p.conn.LocalAddr().String(), ":")[1] {
		t.Errorf("Via %s", res.Via())
	}
	phone.learn(t, res)
	text := phone.text(phone.authorization(t, "REGISTER"))
	p.write(t, text)
	want(t, p.response(t), 200)
	p.write(t, text) // our 200 was lost: the transaction repeats it, the nonce is not asked again
	again := p.next(t)
	for {
		res, ok := again.(*sip.Response)
		if ok {
			want(t, res, 200)
			break
		}
		again = p.next(t) // a probe crossed it
	}
	l := b.Bindings("201")
	if len(l) != 1 || l[0].Flow.Remote.String() != p.conn.LocalAddr().String() || l[0].Flow.Transport != "udp" {
		t.Fatalf("%+v", l)
	}
	for {
		req, ok := p.next(t).(*sip.Request)
		if !ok || req.Method != sip.OPTIONS {
			t.Fatalf("%v", req)
		}
		if req.Recipient.Host != "10.99.99.99" {
			t.Errorf("probe for %s", req.Recipient.String())
		}
		p.write(t, sip.NewResponseFromRequest(req, 200, "OK", nil).String())
		if b.Bindings("201")[0].RTT > 0 {
			break
		}
	}
}

func TestPhoneOverTCPIsBoundToItsConnection(t *testing.T) {
	b, _, home := wired(t, func(c *Config) { c.Qualify = 200 * time.Millisecond })
	p, phone := dial(t, "tcp", home), newPhone("201")
	register := func(auth string) *sip.Response {
		p.write(t, strings.Replace(phone.text(auth), "SIP/2.0/UDP", "SIP/2.0/TCP", 1))
		for {
			switch msg := p.next(t).(type) {
			case *sip.Response:
				return msg
			case *sip.Request:
				p.write(t, sip.NewResponseFromRequest(msg, 200, "OK", nil).String())
			}
		}
	}
	phone.learn(t, want(t, register(""), 401))
	want(t, register(phone.authorization(t, "REGISTER")), 200)
	if l := b.Bindings("201"); len(l) != 1 || l[0].Flow.Transport != "tcp" || l[0].Flow.Remote.String() != p.conn.LocalAddr().String() {
		t.Fatalf("%+v", l)
	}
	if req, ok := p.next(t).(*sip.Request); !ok || req.Method != sip.OPTIONS {
		t.Fatal("no probe on the phone's own connection")
	}
	if err := p.conn.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(15 * time.Second); len(b.Bindings("201")) != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the binding outlives its connection")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestOtherRequestsAreAuthenticatedByTheSameRules(t *testing.T) {
	_, home, _ := wired(t)
	p, phone := dial(t, "udp", home), newPhone("202")
	message := func(auth string) *sip.Response {
		p.write(t, strings.ReplaceAll(phone.text(auth), "REGISTER", "MESSAGE"))
		return p.response(t)
	}
	res := want(t, message(""), 401)
	if len(res.GetHeaders("WWW-Authenticate")) != 2 {
		t.Errorf("%s", res)
	}
	phone.learn(t, res)
	if res := want(t, message(phone.authorization(t, "MESSAGE")), 200); res.Reason != "OK 202" {
		t.Errorf("%s", res)
	}
	phone.password = "guess"
	want(t, message(phone.authorization(t, "MESSAGE")), 401)
}

// tool finds a program, or skips with the reason; in CI a missing one is a failure.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed (apt install %s)", name, pkg)
	}
	t.Skipf("left out: %s is not installed (apt install %s), so no real phone proves REGISTER", name, pkg)
	return ""
}

const sippRegister = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: <sip:202@[remote_ip]>;tag=[call_number]
To: <sip:202@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:202@[local_ip]:[local_port]>
User-Agent: SIPp
Max-Forwards: 70
Expires: 120
Content-Length: 0

]]></send>
<recv response="401" auth="true"/>
<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: <sip:202@[remote_ip]>;tag=[call_number]
To: <sip:202@[remote_ip]>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:202@[local_ip]:[local_port]>
[authentication username=202 password=secret-202]
User-Agent: SIPp
Max-Forwards: 70
Expires: 120
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`

func TestSIPpRegisters(t *testing.T) {
	sipp := tool(t, "sipp", "sip-tester")
	b, home, _ := wired(t)
	dir := t.TempDir()
	scenario := filepath.Join(dir, "register.xml")
	if err := os.WriteFile(scenario, []byte(sippRegister), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sipp, home.String(), "-sf", scenario, "-m", "1", "-i", "127.0.0.1", "-timeout", "10s", "-nostdin", "-trace_err")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "*errors.log"))
		for _, l := range logs {
			text, _ := os.ReadFile(l)
			out = append(out, text...)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	if l := b.Bindings("202"); len(l) != 1 || time.Until(l[0].Expires) > 2*time.Minute {
		t.Fatalf("%+v", l)
	}
}

func TestBaresipRegistersAndAnswersProbes(t *testing.T) {
	baresip := tool(t, "baresip", "baresip-core")
	b, home, _ := wired(t, func(c *Config) { c.Qualify = 300 * time.Millisecond })
	dir := t.TempDir()
	account := "<sip:202@" + home.String() + ">;auth_pass=secret-202;regint=60\n"
	config := "sip_listen 127.0.0.1:0\nmodule_path /usr/lib/baresip/modules\nmodule_app account.so\nmodule_app menu.so\n"
	for name, text := range map[string]string{"accounts": account, "config": config, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	cmd := exec.Command(baresip, "-f", dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	defer stop()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if l := b.Bindings("202"); len(l) == 1 && l[0].RTT > 0 {
			if !l[0].Reachable || !strings.Contains(l[0].UserAgent, "baresip") {
				t.Errorf("%+v", l[0])
			}
			return
		}
		if time.Now().After(deadline) {
			stop()
			t.Fatalf("%+v\n%s", b.Bindings("202"), out.String())
		}
	}
}

func BenchmarkRegisterOverUDP(b *testing.B) {
	s, err := stack.New(stack.Config{SourceRate: 1 << 30, SourceBurst: 1 << 30, MaxTransactions: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.ListenUDP(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		b.Fatal(err)
	}
	x := newBox(b, func(c *Config) { c.Stack, c.RegisterRate = s, 1<<30 })
	s.Serve(&switchboard{x.Registrar})
	conn, err := net.Dial("udp", s.Addresses("udp")[0].String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	p, buf, parser := newPhone("201"), make([]byte, 65535), sip.NewParser()
	exchange := func(text string) *sip.Response {
		if _, err := conn.Write([]byte(text)); err != nil {
			b.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		msg, err := parser.ParseSIP(buf[:n])
		if err != nil {
			b.Fatal(err)
		}
		return msg.(*sip.Response)
	}
	p.learn(b, exchange(p.text("")))
	b.ReportAllocs()
	for b.Loop() {
		want(b, exchange(p.text(p.authorization(b, "REGISTER"))), 200)
	}
}
