package main_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// bad is an office with one conversation that nothing may disturb.
type bad struct {
	o       *pbxtest.Office
	carrier *peer.Peer
	agents  chan *peer.Call // calls that the phones 201 and 202 have answered
	caller  *peer.Call
	agent   *peer.Call
	modem   *mobile
}

func TestBadInputDisturbsNoCall(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 4, LoggedIn: 2, Carrier: 5070, Modem: true})
	b := &bad{o: o, agents: make(chan *peer.Call, 8)}
	answer := func(c *peer.Call) { c.Answer(); b.agents <- c }
	phone(t, o, 201, hzAgent, answer)
	phone(t, o, 202, hzAgent, answer)
	var err error
	b.carrier, err = peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.carrier.Close)
	b.modem = modem(t, o)
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentReady)
	b.caller, b.agent = b.talk(t, false)
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"malformed SIP gets 400 or silence", b.malformed},
		{"an offer without audio, or without a codec of ours, gets 488", b.offers},
		{"a wrong password and an unknown phone get the same refusal", b.passwords},
		{"junk on an audio port is not heard", b.junkAudio},
		{"a stranger is not heard before the first packet nor later", b.stranger},
		{"garbage from the modem ends no call", b.garbage},
		{"a modem that disappears ends its own call only", b.unplugged},
		{"5,000 junk sources leave no memory behind", b.sources},
	} {
		b.caller.Audio().Forget()
		b.agent.Audio().Forget()
		t.Run(c.name, c.run)
		for deadline := time.Now().Add(15 * time.Second); b.caller.Audio().Packets() < 25 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond) // at least half a second to judge
		}
		hears(t, "after \""+c.name+"\": the caller", b.caller.Audio().Heard(), hzAgent)
		hears(t, "after \""+c.name+"\": the agent", b.agent.Audio().Heard(), hzCarrier)
		if gap := max(b.caller.Audio().Gap(), b.agent.Audio().Gap()); gap > 300*time.Millisecond {
			t.Errorf("%s: the conversation fell silent for %v", c.name, gap)
		}
		if !o.Healthy() {
			t.Fatalf("%s: the box is not fit", c.name)
		}
	}
	b.caller.Hangup()
	if strings.Contains(o.Log(), "recovered") {
		t.Error("the log speaks of a recovered panic")
	}
	for line := range strings.Lines(o.Log()) { // what a technician reads of all this
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "refused") || strings.Contains(line, "unknown") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// talk connects a caller of the carrier with an agent.
func (b *bad) talk(t *testing.T, muted bool) (caller, agent *peer.Call) {
	t.Helper()
	caller, err := b.carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765432"})
	if err != nil {
		t.Fatal(err)
	}
	caller.Audio().Mute(muted)
	select {
	case agent = <-b.agents:
		agent.Audio().Mute(muted)
	case <-time.After(10 * time.Second):
		t.Fatal("no agent was rung")
	}
	select {
	case <-caller.Answered():
	case <-time.After(10 * time.Second):
		t.Fatal("the caller was not connected")
	}
	return caller, agent
}

// unheard is how long an answer is waited for that must not come.
const unheard = 500 * time.Millisecond

// ask sends raw bytes from a fresh socket at an address of this machine and returns the first line that comes back in
// time, or "".
func ask(t *testing.T, from string, to netip.AddrPort, text string, within time.Duration) string {
	t.Helper()
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65535)
	n, err := conn.Read(buf)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
	return line
}

func (b *bad) malformed(t *testing.T) {
	head := "INVITE sip:400@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx;rport\r\n"
	rest := "From: <sip:201@127.0.0.1>;tag=a\r\nTo: <sip:400@127.0.0.1>\r\nCall-ID: x\r\n"
	tests := map[string]string{
		"no words of SIP":               "hello, is anybody there?\r\n\r\n",
		"binary":                        "\x00\x01\xff\xfe\x80\r\n\r\n",
		"only a request line":           "INVITE sip:400@127.0.0.1 SIP/2.0\r\n\r\n",
		"no From, To, Call-ID or CSeq":  head + "Content-Length: 0\r\n\r\n",
		"CSeq of another method":        head + rest + "CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
		"CSeq that is no number":        head + rest + "CSeq: one INVITE\r\nContent-Length: 0\r\n\r\n",
		"Content-Length over the end":   head + rest + "CSeq: 1 INVITE\r\nContent-Length: 500\r\n\r\nshort",
		"negative Content-Length":       head + rest + "CSeq: 1 INVITE\r\nContent-Length: -1\r\n\r\n",
		"an unknown version":            strings.Replace(head, "SIP/2.0", "SIP/7.0", 1) + rest + "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		"60 KB of one header":           head + rest + "CSeq: 1 INVITE\r\nSubject: " + strings.Repeat("x", 60000) + "\r\nContent-Length: 0\r\n\r\n",
		"a response that nobody wanted": "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKnone\r\n" + rest + "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
	}
	for name, text := range tests {
		line := ask(t, "127.0.0.1", b.o.SIP, text, unheard)
		ok := line == "" || strings.HasPrefix(line, "SIP/2.0 400 ") || name == "an unknown version" && strings.HasPrefix(line, "SIP/2.0 505 ") ||
			name == "60 KB of one header" && strings.HasPrefix(line, "SIP/2.0 513 ")
		if !ok {
			t.Errorf("%s: %s", name, line)
		}
	}
	b.o.Says("a broken SIP ") // request or message: one of a kind each second
}

func (b *bad) offers(t *testing.T) {
	const head = "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	tests := map[string]struct {
		body   string
		status int
	}{
		"video only":       {head + "m=video 40000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", 488},
		"no stream at all": {head, 488},
		"audio refused":    {head + "m=audio 0 RTP/AVP 8\r\n", 488},
		"unknown codec":    {head + "m=audio 40000 RTP/AVP 97\r\na=rtpmap:97 iLBC/8000\r\n", 488},
		"no SDP":           {"hello", 400},
	}
	for name, tt := range tests {
		c, err := b.carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765433", SDP: tt.body})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.Ended():
			if status, reason, _ := c.Outcome(); status != tt.status {
				t.Errorf("%s: %d %s, want %d", name, status, reason, tt.status)
			}
		case <-time.After(patience):
			t.Errorf("%s: no refusal", name)
			c.Hangup()
		}
	}
	b.o.Says("offer refused")
}

func (b *bad) passwords(t *testing.T) {
	refusal := func(user, password string) (status int, headers []string) {
		p, err := peer.New(peer.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: b.o.SIP, User: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		res, err := p.Register(t.Context(), time.Minute)
		if !errors.Is(err, peer.ErrStatus) || res == nil {
			t.Fatalf("%s registered: %v", user, err)
		}
		for _, h := range res.Headers() {
			headers = append(headers, h.Name())
		}
		return res.StatusCode, headers
	}
	wrong, h1 := refusal("203", "guess-guess-guess")
	unknown, h2 := refusal("999", "guess-guess-guess")
	if wrong != 401 && wrong != 403 || wrong != unknown || !slices.Equal(h1, h2) {
		t.Errorf("wrong password: %d %v; unknown phone: %d %v", wrong, h1, unknown, h2)
	}
	b.o.Says("wrong password or unknown phone")
	if n, err := b.o.Now(); err != nil || n.Devices["203"].Reachable || n.Devices["999"].Reachable {
		t.Errorf("a stranger is registered: %+v, %v", n.Devices, err)
	}
}

func (b *bad) junkAudio(t *testing.T) {
	s := stranger(t)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		junk := make([]byte, dice.IntN(1400))
		for i := range junk {
			junk[i] = byte(dice.Uint32())
		}
		for _, c := range []*peer.Call{b.caller, b.agent} {
			to := c.Audio().Remote()
			if err := errors.Join(s.Throw(junk, to), s.Throw(junk, netip.AddrPortFrom(to.Addr(), to.Port()+1))); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.o.Says("junk on an audio port is dropped")
}

// stranger has a host of its own on the loopback network.
func stranger(t *testing.T) *peer.Stranger {
	t.Helper()
	s, err := peer.NewStranger(netip.MustParseAddr("127.66.66.66"), hzStranger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (b *bad) stranger(t *testing.T) {
	caller, agent := b.talk(t, true)
	defer caller.Hangup()
	toCaller, toAgent := stranger(t), stranger(t)
	spray := func(when string) {
		toCaller.Aim(agent.Audio().Remote())
		toAgent.Aim(caller.Audio().Remote())
		time.Sleep(700 * time.Millisecond)
		toCaller.Aim(netip.AddrPort{})
		toAgent.Aim(netip.AddrPort{})
		for who, c := range map[string]*peer.Call{"caller": caller, "agent": agent} {
			if l := tone.Level(c.Audio().Heard(), hzStranger); l > tone.Audible-tone.Margin {
				t.Errorf("%s: the %s hears the stranger at %.1f dB", when, who, l)
			}
		}
		if n := toCaller.Packets() + toAgent.Packets(); n > 0 {
			t.Errorf("%s: the strangers were sent %d packets of the call", when, n)
		}
	}
	spray("before the first packet")
	for _, c := range []*peer.Call{caller, agent} {
		c.Audio().Forget()
		c.Audio().Mute(false)
	}
	hearing(caller, agent)
	hears(t, "the caller", caller.Audio().Heard(), hzAgent)
	hears(t, "the agent", agent.Audio().Heard(), hzCarrier)
	spray("in the call")
	hears(t, "the caller, sprayed", caller.Audio().Heard(), hzAgent)
	hears(t, "the agent, sprayed", agent.Audio().Heard(), hzCarrier)
	b.o.Says("audio from a stranger is dropped")
}

// viaModem connects a caller of the modem with the free agent.
func (b *bad) viaModem(t *testing.T) *peer.Call {
	t.Helper()
	b.o.Lamp(202, tel.AgentReady)
	if err := b.modem.Ring(mobileNumber); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-b.agents:
		b.o.Lamp(202, tel.AgentTalking)
		return c
	case <-time.After(15 * time.Second):
		t.Fatal("the modem's caller reaches nobody")
		return nil
	}
}

func (b *bad) garbage(t *testing.T) {
	agent := b.viaModem(t)
	dice := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		junk := make([]byte, 1+dice.IntN(200))
		for i := range junk {
			junk[i] = byte(dice.Uint32())
		}
		if err := b.modem.Say("\r\n" + string(junk) + "\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	hearsTone(t, "the agent", agent, hzModem)
	if err := b.modem.RemoteHangup(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-agent.Ended():
	case <-time.After(10 * time.Second):
		t.Error("the modem's call did not end")
	}
}

func (b *bad) unplugged(t *testing.T) {
	agent := b.viaModem(t)
	if err := b.modem.Unplug(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-agent.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("the agent talks to a modem that is not there")
	}
	b.o.Until("the line to say that its modem is missing", func(n pbxtest.Now) bool {
		l := n.Lines["line:gsm0"]
		return !l.Up && l.Cause == tel.LineNoModem
	})
	b.o.Says("out of service")
	if err := b.modem.Plug(); err != nil {
		t.Fatal(err)
	}
	b.o.Line("line:gsm0", true)
	agent = b.viaModem(t)
	hearsTone(t, "the agent after the modem came back", agent, hzModem)
	agent.Hangup()
	b.o.Lamp(202, tel.AgentReady)
	var causes []tel.Cause
	// The stranger's victims, the caller whom garbage did not disturb, and these two; refused offers never became calls.
	page := b.o.CallRecords(4)
	for _, r := range page {
		if r.In == "line:gsm0" {
			causes = append(causes, r.Cause)
		}
	}
	if !slices.Equal(causes, []tel.Cause{tel.CauseNormal, tel.CauseInterfaceFailure, tel.CauseNormal}) {
		t.Errorf("the modem's calls ended as %v, newest first", causes)
	}
}

func (b *bad) sources(t *testing.T) {
	before := b.o.Resident()
	box := net.UDPAddrFromAddrPort(b.o.SIP)
	junk := [][]byte{[]byte("junk\r\n\r\n"), []byte("OPTIONS sip:x SIP/2.0\r\n\r\n"), {0, 1, 2, 3}}
	for i := range 5000 {
		from := net.UDPAddr{IP: net.IPv4(127, 66, byte(i>>8), byte(i)), Port: 0}
		conn, err := net.DialUDP("udp", &from, box)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range junk {
			if _, err := conn.Write(j); err != nil && !strings.Contains(err.Error(), "refused") {
				t.Fatal(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	grown := b.o.Resident() - before
	t.Logf("memory of prontod: %.1f MB, %+.1f MB after 5,000 sources", float64(before)/1e6, float64(grown)/1e6)
	if grown > 16<<20 {
		t.Errorf("prontod has grown by %d bytes", grown)
	}
}
