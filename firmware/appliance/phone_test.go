package appliance

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// patience bounds every wait for what takes milliseconds when all is well.
const patience = 15 * time.Second

// testPhone is a SIP telephone on a UDP socket of its own that speaks plain text: it answers what rings,
// and remembers every request.
type testPhone struct {
	t        *testing.T
	user     string
	password string
	box      *net.UDPAddr
	sip, rtp *net.UDPConn
	replies  chan string
	done     sync.WaitGroup

	mu     sync.Mutex          // guards what follows
	seen   map[string]bool     // transactions of the box, by method and branch: a busy machine repeats requests
	asked  []string            // methods of requests, without OPTIONS
	raw    []string            // the same requests, whole
	mangle func(string) string // what a router makes of responses; nil = nothing
	again  string              // the answer to a re-INVITE; empty = 200
	cseq   int
	theirs string // media address that the box told last
}

func newPhone(t *testing.T, box, user, password string) *testPhone {
	t.Helper()
	return newPhoneAt(t, net.IPv4(127, 0, 0, 1), box, user, password)
}

func newPhoneAt(t *testing.T, ip net.IP, box, user, password string) *testPhone {
	t.Helper()
	p := &testPhone{t: t, user: user, password: password, replies: make(chan string, 64), seen: map[string]bool{}}
	var err error
	if p.box, err = net.ResolveUDPAddr("udp", box); err != nil {
		t.Fatal(err)
	}
	for _, c := range []**net.UDPConn{&p.sip, &p.rtp} {
		if *c, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip}); err != nil {
			t.Fatal(err)
		}
	}
	p.done.Go(p.listen)
	t.Cleanup(func() { _ = p.sip.Close(); _ = p.rtp.Close(); p.done.Wait() })
	return p
}

func (p *testPhone) listen() {
	buf := make([]byte, 65536)
	for {
		n, err := p.sip.Read(buf)
		if err != nil {
			return
		}
		msg := string(buf[:n])
		if body := after(msg, "\r\n\r\n"); strings.Contains(body, "m=audio") {
			p.mu.Lock()
			p.theirs = find(body, `c=IN IP4 (\S+)`) + ":" + find(body, `m=audio (\d+)`)
			p.mu.Unlock()
		}
		if strings.HasPrefix(msg, "SIP/2.0 ") {
			p.replies <- msg
			continue
		}
		p.request(msg)
	}
}

func (p *testPhone) request(msg string) {
	method, _, _ := strings.Cut(msg, " ")
	if via := headers(msg, "Via"); method != "OPTIONS" && len(via) > 0 {
		p.mu.Lock()
		if key := method + via[0]; !p.seen[key] {
			p.seen[key] = true
			p.asked, p.raw = append(p.asked, method), append(p.raw, msg)
		}
		p.mu.Unlock()
	}
	switch method {
	case "ACK":
	case "INVITE":
		p.mu.Lock()
		again := p.again
		p.mu.Unlock()
		if again != "" && strings.Contains(headers(msg, "To")[0], "tag=") {
			p.reply(msg, again, "")
			return
		}
		p.reply(msg, "180 Ringing", "")
		p.reply(msg, "200 OK", p.sdp())
	default:
		p.reply(msg, "200 OK", "")
	}
}

func (p *testPhone) reply(req, status, body string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Record-Route"} {
		for _, v := range headers(req, h) {
			if h == "To" && !strings.Contains(v, "tag=") {
				v += ";tag=phone" + p.user
			}
			b.WriteString(h + ": " + v + "\r\n")
		}
	}
	b.WriteString("Contact: " + p.contact() + "\r\n")
	head := b.String()
	p.mu.Lock()
	mangle := p.mangle
	p.mu.Unlock()
	if mangle != nil {
		head = mangle(head)
	}
	p.send(head, body)
}

func (p *testPhone) contact() string { return fmt.Sprintf("<sip:%s@%s>", p.user, p.sip.LocalAddr()) }

func (p *testPhone) sdp() string {
	port := p.rtp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n", port)
}

func (p *testPhone) send(head, body string) {
	if body != "" {
		head += "Content-Type: application/sdp\r\n"
	}
	_, _ = p.sip.WriteToUDP(fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body), p.box)
}

// testCall is what the requests of one call share.
type testCall struct{ id, to, target, branch string }

// ask sends a request, answers a challenge once, and returns the final response.
func (p *testPhone) ask(method string, d *testCall, body, extra string) string {
	p.t.Helper()
	return p.askFor(method, d, body, extra, patience)
}

// askFor is ask with a limit of its own for each answer.
func (p *testPhone) askFor(method string, d *testCall, body, extra string, limit time.Duration) string {
	p.t.Helper()
	auth := ""
	for range 2 {
		p.cseq++
		d.branch = "z9hG4bK" + rand.Text()
		p.send(fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@box>;tag=f%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: %s\r\n%s%s",
			method, d.target, p.sip.LocalAddr(), d.branch, p.user, p.user, d.to, d.id, p.cseq, method, p.contact(), extra, auth), body)
		res := p.finalWithin(method, limit)
		challenges := headers(res, "WWW-Authenticate")
		if !strings.HasPrefix(res, "SIP/2.0 401") || auth != "" || len(challenges) == 0 {
			return res
		}
		if method == "INVITE" {
			p.ack(d, headers(res, "To")[0], d.branch)
		}
		c, err := digest.ParseChallenge(challenges[0])
		if err != nil {
			p.t.Fatalf("%q: %v", challenges[0], err)
		}
		a, err := digest.Answer(c, digest.Credentials{Username: p.user, Password: digest.NewSecret(p.password)}, method, d.target, 1, rand.Text())
		if err != nil {
			p.t.Fatal(err)
		}
		auth = "Authorization: " + a.String() + "\r\n"
	}
	return ""
}

func (p *testPhone) ack(d *testCall, to, branch string) {
	p.send(fmt.Sprintf("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@box>;tag=f%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d ACK\r\n",
		d.target, p.sip.LocalAddr(), branch, p.user, p.user, to, d.id, p.cseq), "")
}

// final waits for the end of the transaction.
func (p *testPhone) final(method string) string {
	p.t.Helper()
	return p.finalWithin(method, patience)
}

func (p *testPhone) finalWithin(method string, within time.Duration) string {
	p.t.Helper()
	limit := time.After(within)
	for {
		select {
		case res := <-p.replies:
			cseq := headers(res, "CSeq")
			if !strings.HasPrefix(res, "SIP/2.0 1") && len(cseq) > 0 && cseq[0] == fmt.Sprintf("%d %s", p.cseq, method) {
				return res
			}
		case <-limit:
			p.t.Fatalf("phone %s: no answer to %s", p.user, method)
		}
	}
}

// register returns the status, such as "200".
func (p *testPhone) register() string {
	p.t.Helper()
	d := &testCall{id: "reg" + p.user + rand.Text(), to: "<sip:" + p.user + "@box>", target: "sip:" + p.box.String()}
	return status(p.ask("REGISTER", d, "", "Expires: 600\r\n"))
}

// offered counts the algorithms that the box asks a stranger for.
func (p *testPhone) offered() int {
	p.t.Helper()
	p.cseq++
	p.send(fmt.Sprintf("REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:nobody@box>;tag=1\r\nTo: <sip:nobody@box>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n",
		p.box, p.sip.LocalAddr(), rand.Text(), rand.Text(), p.cseq), "")
	return len(headers(p.final("REGISTER"), "WWW-Authenticate"))
}

// call dials a number and waits until somebody, or the queue, has answered.
func (p *testPhone) call(number string) *testCall {
	p.t.Helper()
	d := &testCall{id: "call" + p.user + rand.Text(), to: "<sip:" + number + "@box>", target: fmt.Sprintf("sip:%s@%s", number, p.box)}
	res := p.ask("INVITE", d, p.sdp(), "")
	if status(res) != "200" {
		p.t.Fatalf("call of %s to %s: %s", p.user, number, res)
	}
	d.to = headers(res, "To")[0]
	d.target = find(headers(res, "Contact")[0], `<([^>]+)>`)
	p.ack(d, d.to, "z9hG4bK"+rand.Text())
	return d
}

func (p *testPhone) hangup(d *testCall) string {
	p.t.Helper()
	return status(p.ask("BYE", d, "", ""))
}

// requests lists what the box asked of the phone so far, without keep-alives.
func (p *testPhone) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// hears reports whether audio of one phone arrives at another.
func (p *testPhone) hears(from *testPhone, mark byte) bool {
	p.t.Helper()
	from.mu.Lock()
	theirs := from.theirs
	from.mu.Unlock()
	to, err := net.ResolveUDPAddr("udp", theirs)
	if err != nil {
		p.t.Fatal(err)
	}
	payload := bytes.Repeat([]byte{mark}, 160)
	buf := make([]byte, 2048)
	for seq, end := byte(0), time.Now().Add(patience); time.Now().Before(end); seq++ {
		packet := append([]byte{0x80, 8, mark, seq, 0, 0, mark, seq, 1, 2, 3, mark}, payload...)
		if _, err := from.rtp.WriteToUDP(packet, to); err != nil {
			p.t.Fatal(err)
		}
		_ = p.rtp.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		for {
			n, err := p.rtp.Read(buf)
			if err != nil {
				break
			}
			if n > 12 && bytes.Contains(buf[12:n], payload[:40]) {
				return true
			}
		}
	}
	return false
}

func status(res string) string { return find(res, `^SIP/2.0 (\d+)`) }

func find(text, pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}

func headers(msg, name string) []string {
	var all []string
	head, _, _ := strings.Cut(msg, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			all = append(all, strings.TrimSpace(v))
		}
	}
	return all
}
