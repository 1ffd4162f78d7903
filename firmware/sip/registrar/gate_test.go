package registrar

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWhoMayLogIn(t *testing.T) {
	for name, tc := range map[string]struct {
		user   string
		change func(*phone)
		status int
		weak   bool
	}{
		"SHA-256 from the LAN":                            {"201", func(*phone) {}, 200, false},
		"MD5 where the account allows it":                 {"202", func(p *phone) { p.algorithm = digest.MD5 }, 200, true},
		"SHA-256 where MD5 is allowed too":                {"202", func(*phone) {}, 200, false},
		"MD5 where the account does not":                  {"201", func(p *phone) { p.algorithm = digest.MD5 }, 401, false},
		"from outside over TLS where allowed":             {"203", func(p *phone) { p.flow = tlsFlow("203.0.113.7:5061") }, 200, false},
		"from outside over WSS where allowed":             {"203", func(p *phone) { p.flow = tlsFlow("203.0.113.7:5061"); p.flow.Transport = "wss" }, 200, false},
		"from outside over UDP though allowed over TLS":   {"203", func(p *phone) { p.flow = wanFlow }, 401, false},
		"from outside over TCP though allowed over TLS":   {"203", func(p *phone) { p.flow = wanFlow; p.flow.Transport = "tcp" }, 401, false},
		"MD5 over TLS though allowed on the LAN":          {"203", func(p *phone) { p.flow = tlsFlow("203.0.113.7:5061"); p.algorithm = digest.MD5 }, 401, false},
		"from outside over TLS where not allowed":         {"201", func(p *phone) { p.flow = tlsFlow("203.0.113.7:5061") }, 401, false},
		"wrong password":                                  {"201", func(p *phone) { p.password = "x" }, 401, false},
		"unknown user":                                    {"999", func(*phone) {}, 401, false},
		"no qop with MD5 where allowed":                   {"204", func(p *phone) { p.algorithm = digest.MD5; p.noQOP = true }, 200, true},
		"no qop with SHA-256":                             {"204", func(p *phone) { p.noQOP = true }, 401, false},
		"no qop where only MD5 is allowed":                {"202", func(p *phone) { p.algorithm = digest.MD5; p.noQOP = true }, 401, false},
		"IPv4 seen through an IPv6 socket is still LAN":   {"202", func(p *phone) { p.algorithm = digest.MD5; p.flow = udpFlow("[::ffff:192.168.1.50]:5070") }, 200, true},
		"MD5 from a public IPv6 address though LAN is v6": {"203", func(p *phone) { p.algorithm = digest.MD5; p.flow = udpFlow("[2001:db8::1]:5070") }, 401, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			p := newPhone(tc.user)
			tc.change(p)
			want(t, p.ask(t, b), 401)
			want(t, p.register(t, b), tc.status)
			list := b.Bindings(tel.DeviceID(tc.user))
			if (tc.status == 200) != (len(list) == 1) {
				t.Fatalf("bindings %v", list)
			}
			if tc.status != 200 {
				if len(b.failed) != 1 {
					t.Errorf("failures told: %v", b.failed)
				}
				return
			}
			if list[0].WeakAuth != tc.weak || b.events()[0].WeakAuth != tc.weak {
				t.Errorf("weak %v, event %+v", list[0].WeakAuth, b.events())
			}
			if list[0].Flow != p.flow {
				t.Errorf("flow %v", list[0].Flow)
			}
		})
	}
}

// The account of a program of the same machine calls from there alone, whatever the LAN is, and is never registered.
func TestAnAccountOfTheOwnMachineCallsFromThereAloneAndRegistersNothing(t *testing.T) {
	for name, c := range map[string]struct {
		flow   stack.Flow
		change func(*phone)
		call   int // status; 0: it is let in
	}{
		"by the loopback network":  {udpFlow("127.99.1.2:40000"), func(*phone) {}, 0},
		"by the own address":       {stack.Flow{Transport: "udp", Local: netip.MustParseAddrPort("192.0.2.1:5060"), Remote: netip.MustParseAddrPort("192.0.2.1:40000")}, func(*phone) {}, 0},
		"from the LAN":             {udpFlow("192.168.1.50:5060"), func(*phone) {}, 401},
		"from outside":             {wanFlow, func(*phone) {}, 401},
		"from outside over TLS":    {tlsFlow("203.0.113.7:5061"), func(*phone) {}, 401},
		"with a weak digest":       {udpFlow("127.0.0.1:40000"), func(p *phone) { p.algorithm = digest.MD5 }, 401},
		"with the wrong password":  {udpFlow("127.0.0.1:40000"), func(p *phone) { p.password = "x" }, 401},
		"over TCP on this machine": {tcpFlow("127.0.0.1:40000"), func(*phone) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, func(cfg *Config) {
				cfg.LAN = func(a netip.Addr) bool { return a.IsPrivate() }
				cfg.Accounts = func(user string) (Account, bool) {
					return Account{Device: "own", OwnMachine: true, HA1: ha1(user, "secret-"+user)}, user == "own"
				}
			})
			p := newPhone("own")
			p.flow = c.flow
			c.change(p)
			want(t, p.ask(t, b), 401)
			invite := "INVITE sip:192.168.1.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKi\r\nFrom: <sip:own@192.168.1.1>;tag=f1\r\nTo: <sip:192.168.1.1>\r\n" +
				"Call-ID: c\r\nCSeq: 1 INVITE\r\nAuthorization: " + p.authorization(t, "INVITE") + "\r\nContent-Length: 0\r\n\r\n"
			if _, _, status := b.Authenticate(parse(t, invite), c.flow); status != c.call {
				t.Errorf("the call is answered with %d", status)
			}
			want(t, p.ask(t, b), 401)
			if status := p.register(t, b).StatusCode; status != 403 && status != 401 || len(b.Bindings("own")) != 0 {
				t.Errorf("a registration is answered with %d, %v", status, b.Bindings("own"))
			}
		})
	}
}

func TestChallengesNameSHA256FirstAndMD5OnlyOnTheLAN(t *testing.T) {
	algorithms := func(res *sip.Response) string {
		var s []string
		for _, h := range res.GetHeaders("WWW-Authenticate") {
			c, err := digest.ParseChallenge(h.Value())
			if err != nil || !c.Auth || c.Realm != realm {
				t.Fatalf("%s: %v", h, err)
			}
			s = append(s, string(c.Algorithm))
		}
		return strings.Join(s, " ")
	}
	b := newBox(t)
	p := newPhone("201")
	if got := algorithms(p.ask(t, b)); got != "SHA-256 MD5" {
		t.Errorf("LAN: %q", got)
	}
	old := newPhone("201")
	old.agent = "baresip v1.0.0 (x86_64/Linux)"
	if got := algorithms(old.ask(t, b)); got != "MD5" {
		t.Errorf("a program that fails on SHA-256: %q", got)
	}
	p.flow, old.flow = wanFlow, wanFlow
	if got := algorithms(p.ask(t, b)); got != "SHA-256" {
		t.Errorf("outside: %q", got)
	}
	if got := algorithms(old.ask(t, b)); got != "SHA-256" {
		t.Errorf("an old program outside: %q", got)
	}
	strict := newBox(t, func(c *Config) { c.OfferMD5 = false })
	if got := algorithms(newPhone("202").ask(t, strict)); got != "SHA-256" {
		t.Errorf("box without MD5: %q", got)
	}
}

var (
	random = regexp.MustCompile(`nonce="[A-Za-z0-9_-]{40}"|tag=[0-9a-f-]{36}`)
	number = regexp.MustCompile(`20[1-4]|99[0-9]`)
)

// Every answer to every user, known or not, allowed MD5 or not, is the same byte for byte but for
// the random parts and the user's own name, until a password is proved.
func TestAnswersDoNotTellWhichUsersExist(t *testing.T) {
	steps := map[string]func(t *testing.T, b *box, p *phone) *sip.Response{
		"a program that knows only MD5": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.agent, p.password, p.algorithm = "SIPp", "guess", digest.MD5
			return p.register(t, b)
		},
		"first REGISTER": func(t *testing.T, b *box, p *phone) *sip.Response { return p.ask(t, b) },
		"wrong password": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.password = "guess"
			return p.register(t, b)
		},
		"wrong password with MD5": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.password, p.algorithm = "guess", digest.MD5
			return p.register(t, b)
		},
		"wrong password without qop": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.password, p.algorithm, p.noQOP = "guess", digest.MD5, true
			return p.register(t, b)
		},
		"made-up nonce": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.nonce = "made-up"
			return p.register(t, b)
		},
		"another's name in the credentials": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.ask(t, b)
			auth := strings.Replace(p.authorization(t, "REGISTER"), `username="`, `username="x`, 1)
			return b.send(t, p.text(auth), p.flow)
		},
		"malformed credentials": func(t *testing.T, b *box, p *phone) *sip.Response {
			return b.send(t, p.text(`Digest username="`), p.flow)
		},
		"malformed contact": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.contact = "<tel:123>"
			return p.register(t, b)
		},
		"too short a time": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.password, p.extra = "guess", []string{"Expires: 1"}
			return p.register(t, b)
		},
		"unknown extension": func(t *testing.T, b *box, p *phone) *sip.Response {
			p.extra = []string{"Require: gruu"}
			return p.register(t, b)
		},
	}
	for name, step := range steps {
		for _, flow := range []stack.Flow{lanFlow, wanFlow, tlsFlow("203.0.113.7:5061")} {
			t.Run(name+" over "+flow.Transport+" from "+flow.Remote.Addr().String(), func(t *testing.T) {
				var first string
				for _, user := range []string{"201", "202", "203", "204", "990", "991"} {
					p := newPhone(user)
					p.flow = flow
					got := number.ReplaceAllString(random.ReplaceAllString(step(t, newBox(t), p).String(), "RANDOM"), "USER")
					if first == "" {
						first = got
						if !strings.Contains(got, "USER") || strings.Contains(got, "200 OK") {
							t.Fatalf("not the answer meant:\n%s", got)
						}
					}
					if got != first {
						t.Errorf("user %s is told apart:\n%s\n%s", user, got, first)
					}
				}
			})
		}
	}
}

// A colleague's right password opens the colleague's account only.
func TestCredentialsServeTheirOwnAccountOnly(t *testing.T) {
	b := newBox(t)
	p := newPhone("202")
	p.ask(t, b)
	text := strings.NewReplacer("From: <sip:202@", "From: <sip:201@", "To: <sip:202@", "To: <sip:201@").Replace(p.text(p.authorization(t, "REGISTER")))
	want(t, b.send(t, text, p.flow), 403)
	if len(b.Bindings("201")) != 0 || len(b.Bindings("202")) != 0 || len(b.failed) != 0 {
		t.Errorf("%v %v %v", b.Bindings("201"), b.Bindings("202"), b.failed)
	}
	call := strings.ReplaceAll(text, "1 REGISTER", "1 INVITE")
	call = strings.ReplaceAll(call, "REGISTER", "INVITE")
	if dev, challenge, status := b.Authenticate(parse(t, call), p.flow); dev != "" || challenge != nil || status != 403 {
		t.Errorf("INVITE in another's name: %q %v %d", dev, challenge, status)
	}
}

func TestReplayedCredentialsAreRefused(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.ask(t, b)
	auth := p.authorization(t, "REGISTER")
	want(t, b.send(t, p.text(auth), p.flow), 200)
	res := want(t, b.send(t, p.text(auth), p.flow), 401)
	if c, err := digest.ParseChallenge(res.GetHeader("WWW-Authenticate").Value()); err != nil || !c.Stale {
		t.Errorf("the replay is answered by %+v: a phone that lost our 200 would think its password wrong", c)
	}
	if len(b.failed) != 0 {
		t.Errorf("a replay counts as a wrong password: %v", b.failed)
	}
	// The next count of the same nonce is fine, an earlier one is not.
	want(t, p.register(t, b), 200)
	p.nc = 0
	want(t, p.register(t, b), 401)
}

func TestNonceFromAnotherAddressOrTooOldIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		p := newPhone("203")
		stale := func(res *sip.Response) {
			t.Helper()
			c, err := digest.ParseChallenge(want(t, res, 401).GetHeader("WWW-Authenticate").Value())
			if err != nil || !c.Stale {
				t.Errorf("challenge %+v, %v", c, err)
			}
			p.learn(t, res)
		}
		want(t, p.register(t, b), 200)
		p.flow = tlsFlow("203.0.113.7:5060")
		stale(p.register(t, b))
		want(t, p.register(t, b), 200)
		time.Sleep(defaultNonceLifetime)
		stale(p.register(t, b))
		if res := want(t, p.register(t, b), 200); res.GetHeader("Authentication-Info") != nil {
			t.Error("a young nonce is replaced")
		}
		time.Sleep(defaultNonceLifetime * 2 / 3)
		res := want(t, p.register(t, b), 200)
		next, err := digest.ParseConfirmation(res.GetHeader("Authentication-Info").Value())
		if err != nil || next.NextNonce == "" {
			t.Fatalf("no next nonce: %v", err)
		}
		p.nonce, p.nc = next.NextNonce, 0
		time.Sleep(defaultNonceLifetime / 2)
		want(t, p.register(t, b), 200)
		if len(b.failed) != 0 {
			t.Errorf("honest phone counted as a guesser: %v", b.failed)
		}
	})
}

func TestCapturedHeaderDoesNotServeAnotherRequest(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.ask(t, b)
	auth := p.authorization(t, "REGISTER")
	invite := func(to, auth string) *sip.Request {
		return parse(t, "INVITE sip:"+to+" SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.50;branch=z9hG4bK1\r\nFrom: <sip:201@192.168.1.1>;tag=1\r\n"+
			"To: <sip:"+to+">\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nAuthorization: "+auth+"\r\nContent-Length: 0\r\n\r\n")
	}
	if _, _, status := b.Authenticate(invite("192.168.1.1", auth), p.flow); status != 401 {
		t.Errorf("REGISTER's digest for an INVITE: %d", status)
	}
	own := p.authorization(t, "INVITE")
	if _, _, status := b.Authenticate(invite("00881234@192.168.1.1", own), p.flow); status != 400 {
		t.Errorf("digest for another number: %d", status)
	}
	if dev, _, status := b.Authenticate(invite("192.168.1.1", own), p.flow); status != 0 || dev != "201" {
		t.Errorf("honest INVITE: %q %d", dev, status)
	}
	if dev, challenge, status := b.Authenticate(invite("192.168.1.1", `Digest username="201", realm="other", nonce="n", uri="sip:192.168.1.1", response="00000000000000000000000000000000"`), p.flow); status != 401 || len(challenge) != 2 || dev != "" {
		t.Errorf("credentials for another realm: %q %v %d", dev, challenge, status)
	}
	stranger := invite("192.168.1.1", "Digest x")
	if _, _, status := b.Authenticate(stranger, p.flow); status != 400 {
		t.Errorf("garbage: %d", status)
	}
}

func TestTenWrongPasswordsCloseTheDoorForThatAddressOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		thief, owner := newPhone("203"), newPhone("203")
		thief.password, thief.flow, owner.flow = "guess", wanFlow, tlsFlow("203.0.113.8:5060")
		for range 10 {
			thief.nonce = ""
			want(t, thief.register(t, b), 401)
		}
		want(t, b.send(t, thief.text(""), thief.flow), 403)
		thief.password = "secret-203"
		want(t, b.send(t, thief.text(thief.authorization(t, "REGISTER")), thief.flow), 403)
		want(t, owner.register(t, b), 200)
		if len(b.failed) != 10 || b.failed[0] != "203.0.113.7 203" {
			t.Errorf("told %v", b.failed)
		}
		if c := b.Counters(); c.Blocked != 2 || c.Failures != 10 {
			t.Errorf("%+v", c)
		}
		time.Sleep(10 * time.Minute)
		thief.nonce, thief.flow = "", tlsFlow("203.0.113.7:5060")
		want(t, thief.register(t, b), 200)
	})
}

// Behind one address sit a phone that is registered and one whose password is wrong. The first stays
// served from its own port, in its own name, and in no other.
func TestAPhoneBesideAGuesserIsServedInItsOwnNameOnly(t *testing.T) {
	b := newBox(t)
	good, bad, next := newPhone("203"), newPhone("201"), newPhone("204")
	good.flow, bad.flow = tlsFlow("203.0.113.7:40001"), tlsFlow("203.0.113.7:40002")
	want(t, good.register(t, b), 200)
	bad.password = "guess"
	for range 10 {
		want(t, bad.register(t, b), 401)
	}
	want(t, bad.register(t, b), 403)
	want(t, good.register(t, b), 200)
	next.flow = good.flow
	want(t, next.ask(t, b), 403) // another account over the good phone's connection
	moved := newPhone("203")
	moved.flow = tlsFlow("203.0.113.7:40003")
	want(t, moved.ask(t, b), 403) // whoever else says to be the good phone
	invite := func(user string, flow stack.Flow) int {
		_, _, status := b.Authenticate(parse(t, "INVITE sip:400@192.168.1.1 SIP/2.0\r\nVia: SIP/2.0/TLS 203.0.113.7;branch=z9hG4bK1\r\nFrom: <sip:"+user+"@192.168.1.1>;tag=1\r\n"+
			"To: <sip:400@192.168.1.1>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"), flow)
		return status
	}
	if a, x := invite("203", good.flow), invite("203", bad.flow); a != 401 || x != 403 {
		t.Errorf("calls: of the good phone %d, of the other in its name %d", a, x)
	}
}

func TestAnAttackProgramIsRefusedAtItsFirstWord(t *testing.T) {
	b := newBox(t)
	p := newPhone("203")
	p.flow, p.agent = wanFlow, "Friendly-Scanner"
	want(t, b.send(t, p.text(""), p.flow), 403)
	p.agent = "Yealink SIP-T46S 66.86.0.15"
	want(t, b.send(t, p.text(""), p.flow), 403)
	p.flow = udpFlow("203.0.113.8:5060")
	want(t, b.send(t, p.text(""), p.flow), 401)
	options := func(agent string, flow stack.Flow) bool {
		req := parse(t, "OPTIONS sip:100@192.168.1.1 SIP/2.0\r\nVia: SIP/2.0/UDP 1.1.1.1;branch=z9hG4bK1\r\nFrom: <sip:100@1.1.1.1>;tag=1\r\n"+
			"To: <sip:100@1.1.1.1>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nUser-Agent: "+agent+"\r\nContent-Length: 0\r\n\r\n")
		tx := &fakeTx{req: req, flow: flow, got: make(chan *sip.Response, 2)}
		repelled := b.Repel(tx)
		if repelled != (len(tx.got) == 1) || repelled && (<-tx.got).StatusCode != 403 {
			t.Error("repelled without its answer, or answered without being repelled")
		}
		return repelled
	}
	if options("Testphone", p.flow) || !options("sipvicious/0.3", p.flow) || !options("Testphone", p.flow) {
		t.Error("OPTIONS of an attack program")
	}
}

func TestASearchThroughManyNamesIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		for i := range 30 {
			p := newPhone(strconv.Itoa(900 + i)) // none of them exists, and it would change nothing
			p.flow = wanFlow
			want(t, p.ask(t, b), 401)
		}
		time.Sleep(32 * time.Second)
		p := newPhone("930")
		p.flow = wanFlow
		want(t, p.ask(t, b), 401)
		want(t, p.ask(t, b), 403)
		p.flow = lanFlow
		want(t, p.ask(t, b), 401)
	})
}

// What is computed for an unknown user is what is computed for a known one: the same number of
// allocations, which a skipped digest or a skipped challenge would change, and one account looked up.
func TestUnknownUserCostsTheSameWork(t *testing.T) {
	table := map[string]Account{
		"201": {Device: "201", HA1: ha1("201", "x")},
		"203": {Device: "203", HA1: ha1("203", "x"), AnyNetwork: true, AllowMD5: true},
	}
	lookups := 0
	b := newBox(t, func(c *Config) {
		c.Bans = lenient{}
		c.Failed = func(netip.Addr, string) {}
		c.Accounts = func(user string) (Account, bool) { lookups++; a, ok := table[user]; return a, ok }
	})
	type cost struct {
		allocs  float64
		lookups int
	}
	for _, flow := range []stack.Flow{lanFlow, wanFlow, tlsFlow("203.0.113.7:5061")} {
		for _, alg := range digest.Algorithms() {
			costs := map[string]cost{}
			for _, user := range []string{"201", "203", "999"} {
				p := newPhone(user)
				p.password, p.algorithm, p.flow = "guess", alg, flow
				p.ask(t, b)
				req := parse(t, p.text(p.authorization(t, "REGISTER")))
				lookups = 0
				allocs := testing.AllocsPerRun(100, func() {
					if a := b.gate.admit(req, flow, user, time.Now()); a.status != 401 {
						t.Fatalf("%s: %d", user, a.status)
					}
				})
				costs[user] = cost{allocs, lookups}
			}
			if costs["201"] != costs["999"] || costs["203"] != costs["999"] {
				t.Errorf("%s from %s: %+v", alg, flow.Transport, costs)
			}
		}
	}
}

// lenient bans nobody.
type lenient struct{}

func (lenient) Banned(netip.Addr) bool    { return false }
func (lenient) Guessed(netip.Addr)        {}
func (lenient) Asked(netip.Addr, string)  {}
func (lenient) Proved(netip.Addr, string) {}
func (lenient) Scanned(netip.Addr)        {}

func TestNonceKeyOutlivesTheProcess(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	want(t, p.register(t, b), 200)
	again := newBox(t, func(c *Config) { c.Nonce = b.journal.load(KindNonce)[NonceName] })
	res := want(t, p.register(t, again), 401)
	if !strings.Contains(res.GetHeader("WWW-Authenticate").Value(), "stale=true") {
		t.Error("after a restart phones are told that their password is wrong")
	}
	for _, bad := range []string{"", "{", `{"v":2,"key":"AAAA"}`, `{"v":1,"key":"AAAA"}`} {
		fresh := newBox(t, func(c *Config) { c.Nonce = []byte(bad) })
		want(t, newPhone("201").register(t, fresh), 200)
	}
}
