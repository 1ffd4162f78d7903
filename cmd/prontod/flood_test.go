package main_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// floodRate is how many requests a second a flood sends.
const floodRate = 2000

// flood is one way to trouble a box from outside of its LAN.
type flood struct {
	method  string
	sources int  // addresses that it comes from
	names   int  // accounts that it goes through
	guesses bool // answers challenges with a wrong password
	agent   string
	bans    bool // its one address is to be refused
}

var floods = map[string]flood{
	"REGISTER with wrong passwords from one address":           {method: "REGISTER", sources: 1, names: 1, guesses: true, bans: true},
	"REGISTER in a thousand names from one address":            {method: "REGISTER", sources: 1, names: 1000, bans: true},
	"REGISTER from 500 addresses":                              {method: "REGISTER", sources: 500, names: 1000},
	"INVITE with wrong passwords from one address":             {method: "INVITE", sources: 1, names: 1, guesses: true, bans: true},
	"INVITE in a thousand names from one address":              {method: "INVITE", sources: 1, names: 1000, bans: true},
	"INVITE from 500 addresses":                                {method: "INVITE", sources: 500, names: 1000},
	"OPTIONS from one address":                                 {method: "OPTIONS", sources: 1, names: 1},
	"OPTIONS of an attack program":                             {method: "OPTIONS", sources: 1, names: 1, agent: "friendly-scanner", bans: true},
	"SUBSCRIBE to a thousand from one address":                 {method: "SUBSCRIBE", sources: 1, names: 1, bans: true},
	"SUBSCRIBE from 500 addresses":                             {method: "SUBSCRIBE", sources: 500, names: 1000},
	"MESSAGE from 500 addresses":                               {method: "MESSAGE", sources: 500, names: 1000},
	"requests inside of calls that are none, from one address": {method: "BYE", sources: 1, names: 1},
}

// running is a flood under way.
type running struct {
	flood
	t         *testing.T
	box       netip.AddrPort
	conns     []*net.UDPConn
	nonce     atomic.Pointer[string]
	sent, got atomic.Int64 // bytes
	answers   atomic.Int64
}

// run floods for a while and tells what it cost whom.
func (f flood) run(t *testing.T, box netip.AddrPort, net24 byte, long time.Duration) *running {
	t.Helper()
	r := &running{flood: f, t: t, box: box}
	for i := range f.sources {
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, net24, byte(i>>8), byte(i)+1)}, net.UDPAddrFromAddrPort(box))
		if err != nil {
			t.Fatal(err)
		}
		r.conns = append(r.conns, c)
	}
	done := make(chan struct{})
	listening := make(chan struct{}, len(r.conns))
	for _, c := range r.conns {
		go func() { r.listen(c); listening <- struct{}{} }()
	}
	go func() { defer close(done); r.send(long) }()
	<-done
	for _, c := range r.conns {
		_ = c.Close()
	}
	for range r.conns {
		<-listening
	}
	return r
}

func (r *running) send(long time.Duration) {
	const each = 10 * time.Millisecond
	tick := time.NewTicker(each)
	defer tick.Stop()
	n := 0
	for end := time.Now().Add(long); time.Now().Before(end); <-tick.C {
		for range floodRate * int64(each) / int64(time.Second) {
			text := r.message(n)
			if _, err := r.conns[n%len(r.conns)].Write([]byte(text)); err == nil {
				r.sent.Add(int64(len(text)))
			}
			n++
		}
	}
}

func (r *running) message(n int) string {
	from := r.conns[n%len(r.conns)].LocalAddr()
	name := fmt.Sprintf("%d", 201+n%r.names)
	uri := "sip:" + r.box.String()
	to := "<sip:" + name + "@" + r.box.String() + ">"
	switch r.method {
	case "REGISTER":
	case "BYE":
		uri, to = "sip:400@"+r.box.String(), "<sip:400@"+r.box.String()+">;tag=none"
	default:
		uri = fmt.Sprintf("sip:0044%d@%s", n, r.box)
		to = "<" + uri + ">"
	}
	agent := r.agent
	if agent == "" {
		agent = "Telephone/1.5.2"
	}
	auth := ""
	if nonce := r.nonce.Load(); r.guesses && nonce != nil {
		a, err := digest.Answer(digest.Challenge{Realm: "pronto", Nonce: *nonce, Algorithm: digest.SHA256, Auth: true},
			digest.Credentials{Username: name, Password: digest.NewSecret("guess")}, r.method, uri, uint32(n+1), "x")
		if err == nil {
			auth = "Authorization: " + a.String() + "\r\n"
		}
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKf%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=f\r\nTo: %s\r\nCall-ID: flood%d-%s-%d\r\n"+
		"CSeq: 1 %s\r\nContact: <sip:%s@%s>\r\nUser-Agent: %s\r\nEvent: message-summary\r\nExpires: 3600\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, NOTIFY, INFO, MESSAGE\r\n%sContent-Length: 0\r\n\r\n",
		r.method, uri, from, n, name, r.box, to, n, from, time.Now().UnixNano(), r.method, name, from, agent, auth)
}

func (r *running) listen(c *net.UDPConn) {
	buf := make([]byte, 65535)
	for {
		n, err := c.Read(buf)
		if err != nil {
			if strings.Contains(err.Error(), "refused") {
				continue
			}
			return
		}
		r.got.Add(int64(n))
		r.answers.Add(1)
		if ch, err := digest.ParseChallenge(field(string(buf[:n]), "WWW-Authenticate")); err == nil {
			r.nonce.Store(&ch.Nonce)
		}
	}
}

// Whatever floods the box from outside: the call that is up keeps its audio, a phone registers
// beside it, the attacker is refused where it can be told from a phone, and no memory stays behind.
func TestFloodsDisturbNobody(t *testing.T) {
	fast(t)
	long := 2 * time.Second
	if testing.Short() {
		long = 300 * time.Millisecond
	}
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 1, Carrier: 5070, LAN: "127.0.0.1/32"})
	b := &bad{o: o, agents: make(chan *peer.Call, 8)}
	phone(t, o, 201, hzAgent, func(c *peer.Call) { c.Answer(); b.agents <- c })
	good := phone(t, o, 203, hzCaller, nil)
	var err error
	b.carrier, err = peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.carrier.Close)
	b.caller, b.agent = b.talk(t, false)
	var memory [2]int64
	host := byte(80)
	warm := 0 // rounds before the first that counts: short ones fill only later what the garbage collector lets lie
	if testing.Short() {
		warm = 2
	}
	for round := range warm + len(memory) {
		for name, f := range floods {
			host++
			t.Run(fmt.Sprintf("%s, round %d", name, round+1), func(t *testing.T) { b.flooded(t, f, good, host, long) })
		}
		if round >= warm {
			memory[round-warm] = o.Resident()
		}
	}
	t.Logf("memory of prontod after one round of floods %.1f MB, after two %.1f MB", float64(memory[0])/1e6, float64(memory[1])/1e6)
	if grown := memory[1] - memory[0]; grown > 8<<20 {
		t.Errorf("%d bytes stay behind of each round", grown)
	}
	b.caller.Hangup()
	if !o.Healthy() {
		t.Error("the box is not fit")
	}
}

// flooded runs one flood beside the call and a phone that registers all the time.
func (b *bad) flooded(t *testing.T, f flood, good *peer.Peer, host byte, long time.Duration) {
	b.caller.Audio().Forget()
	b.agent.Audio().Forget()
	stop, registered := make(chan struct{}), make(chan []time.Duration, 1)
	go func() {
		var took []time.Duration
		defer func() { registered <- took }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			start := time.Now()
			if _, err := good.Register(t.Context(), time.Hour); err != nil {
				t.Errorf("the good phone: %v", err)
				return
			}
			took = append(took, time.Since(start))
		}
	}()
	stalled := pbxtest.Stalls(stop)
	r := f.run(t, b.o.SIP, host, long)
	close(stop)
	own := <-stalled
	took := <-registered
	var slowest time.Duration
	for _, d := range took {
		slowest = max(slowest, d)
	}
	t.Logf("%d answers, %d bytes for %d; the good phone registered %d times, in %v at most", r.answers.Load(), r.got.Load(), r.sent.Load(), len(took), slowest)
	if len(took) == 0 {
		t.Error("the good phone never registered")
	}
	if r.got.Load() >= r.sent.Load() {
		t.Errorf("the box sends strangers more than they send: %d bytes for %d", r.got.Load(), r.sent.Load())
	}
	hearing(b.caller, b.agent) // a short flood alone leaves little to judge
	hears(t, "the caller", b.caller.Audio().Heard(), hzAgent)
	hears(t, "the agent", b.agent.Audio().Heard(), hzCarrier)
	if gap := max(b.caller.Audio().Gap(), b.agent.Audio().Gap()); gap > 300*time.Millisecond+own {
		t.Errorf("the conversation fell silent for %v, of which the judge itself slept %v", gap, own)
	}
	source := fmt.Sprintf("127.%d.0.1", host)
	if banned := strings.Contains(ctl(t, b.o, "bans"), source+" "); banned != f.bans {
		t.Errorf("%s banned: %v", source, banned)
	}
}
