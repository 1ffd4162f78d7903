package registrar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestRegisterAnswersWithAllBindings(t *testing.T) {
	b := newBox(t)
	desk, soft := newPhone("201"), newPhone("201")
	desk.contact = `"Desk" <sip:201@192.168.1.50:5070?Route=%3Csip:evil%3E>;expires=120;+sip.instance="<urn:uuid:d1>";reg-id=1`
	soft.contact, soft.callID, soft.flow = "<sip:201@192.168.1.51>", "soft", udpFlow("192.168.1.51:5060")
	soft.extra = []string{"Expires: 7200", "Supported: path", "Path: <sip:p1;lr>, <sip:p2;lr>"}
	want(t, desk.register(t, b), 200)
	res := want(t, soft.register(t, b), 200)

	contacts := res.GetHeaders("Contact")
	if len(contacts) != 2 {
		t.Fatalf("%s", res)
	}
	first, second := contacts[0].Value(), contacts[1].Value()
	if first != `<sip:201@192.168.1.50:5070>;expires=120;+sip.instance="<urn:uuid:d1>"` { // reg-id means nothing where outbound was not asked for
		t.Errorf("first %s", first)
	}
	if second != `<sip:201@192.168.1.51>;expires=3600` {
		t.Errorf("second %s", second)
	}
	if p := res.GetHeaders("Path"); len(p) != 2 || p[0].Value() != "<sip:p1;lr>" || p[1].Value() != "<sip:p2;lr>" {
		t.Errorf("path %v", p)
	}
	list := b.Bindings("201")
	if len(list) != 2 || len(list[1].Path) != 2 || list[1].UserAgent != "Testphone 1.0" || list[0].Instance == "" {
		t.Fatalf("%+v", list)
	}

	desk.contact = "" // a query
	if res := want(t, desk.register(t, b), 200); len(res.GetHeaders("Contact")) != 2 {
		t.Errorf("query: %s", res)
	}
	desk.contact, desk.extra = "*", []string{"Expires: 0"}
	if res := want(t, desk.register(t, b), 200); len(res.GetHeaders("Contact")) != 0 {
		t.Errorf("after star: %s", res)
	}
	if len(b.Bindings("201")) != 0 || len(b.journal.load(KindBinding)) != 0 {
		t.Error("something stayed")
	}
}

func TestRegisterRefusals(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.extra = []string{"Expires: 10"}
	if res := want(t, p.register(t, b), 423); res.GetHeader("Min-Expires").Value() != "60" {
		t.Errorf("%s", res)
	}
	p.extra = nil
	want(t, p.register(t, b), 200)
	p.cseq -= 2
	want(t, p.register(t, b), 500)
	p.extra = []string{"Expires: soon"}
	p.cseq += 5
	if res := want(t, p.register(t, b), 200); !strings.HasSuffix(res.Contact().Value(), ";expires=3600") {
		t.Errorf("a malformed wish means an hour (RFC 3261 section 10.3): %s", res.Contact())
	}
}

func TestReturnedBindingsAreCopies(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.contact = "<sip:201@192.168.1.50;x=y>"
	want(t, p.register(t, b), 200)
	b.Bindings("201")[0].Contact.UriParams[0].V = "changed"
	if u := b.Bindings("201")[0].Contact; u.String() != "sip:201@192.168.1.50;x=y" {
		t.Errorf("%s", u.String())
	}
}

func TestBindingEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		p := newPhone("201")
		p.extra = []string{"Expires: 60"}
		want(t, p.register(t, b), 200)
		time.Sleep(59 * time.Second)
		if len(b.Bindings("201")) != 1 || len(b.events()) != 1 {
			t.Fatal("gone too early")
		}
		time.Sleep(time.Second)
		if len(b.Bindings("201")) != 0 {
			t.Fatal("offered after its end")
		}
		time.Sleep(2 * time.Second)
		ev := b.events()
		if len(ev) != 2 || ev[1].Reachable || ev[1].Device != "201" || len(b.journal.load(KindBinding)) != 0 {
			t.Fatalf("%+v", ev)
		}
		time.Sleep(time.Hour)
		if len(b.events()) != 2 {
			t.Fatalf("told again: %+v", b.events())
		}
	})
}

func TestTCPBindingDiesWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		tcp, udp := newPhone("201"), newPhone("202")
		tcp.flow = tcpFlow("192.168.1.60:40000")
		want(t, tcp.register(t, b), 200)
		want(t, udp.register(t, b), 200)
		b.stack.setDead(tcp.flow, true)
		b.stack.setDead(udp.flow, true) // means nothing for UDP
		time.Sleep(2 * time.Second)
		if len(b.Bindings("201")) != 0 || len(b.Bindings("202")) != 1 {
			t.Fatalf("%v %v", b.Bindings("201"), b.Bindings("202"))
		}
		tcp.flow = tcpFlow("192.168.1.60:40001")
		tcp.contact = "<sip:201@192.168.1.60:40001;transport=tcp>"
		want(t, tcp.register(t, b), 200)
		if l := b.Bindings("201"); len(l) != 1 || l[0].Flow != tcp.flow {
			t.Fatalf("%v", l)
		}
	})
}

func TestQualifyTellsOncePerChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, func(c *Config) { c.Qualify = 30 * time.Second })
		p := newPhone("201")
		want(t, p.register(t, b), 200)
		time.Sleep(2 * time.Minute)
		if l := b.Bindings("201"); !l[0].Reachable || l[0].RTT != 3*time.Millisecond {
			t.Fatalf("%+v", l[0])
		}
		n := len(b.stack.requests())
		if n < 3 || n > 6 {
			t.Fatalf("%d probes in 2 minutes", n)
		}
		probe := b.stack.requests()[0]
		if probe.Method != sip.OPTIONS || probe.Recipient.String() != "sip:201@192.168.1.50:5070" || probe.From() == nil || probe.CSeq() == nil {
			t.Errorf("%s", probe)
		}

		// Silence: unreachable after two misses, told once, probed on.
		b.stack.setAnswer(func(*sip.Request, stack.Flow) (stack.Result, time.Duration) {
			return stack.Result{Err: stack.ErrTimeout}, 32 * time.Second
		})
		time.Sleep(36*time.Second + probeWait + probeRetry + probeWait + 2*time.Second)
		if b.Bindings("201")[0].Reachable {
			t.Error("still reachable")
		}
		time.Sleep(5 * time.Minute)
		if ev := b.events(); len(ev) != 2 || ev[1].Reachable {
			t.Fatalf("%+v", ev)
		}

		// It answers again, if only with an error of its own: alive.
		b.stack.setAnswer(func(*sip.Request, stack.Flow) (stack.Result, time.Duration) {
			return stack.Result{Response: sip.NewResponse(486, "Busy Here")}, time.Millisecond
		})
		time.Sleep(40 * time.Second)
		if ev := b.events(); len(ev) != 3 || !ev[2].Reachable || !b.Bindings("201")[0].Reachable {
			t.Fatalf("%+v", ev)
		}

		// One miss alone is not an outage, and a 401 is an answer that is never answered.
		miss := true
		b.stack.setAnswer(func(*sip.Request, stack.Flow) (stack.Result, time.Duration) {
			if miss = !miss; miss {
				return stack.Result{Response: sip.NewResponse(408, "Request Timeout")}, time.Millisecond
			}
			return stack.Result{Response: sip.NewResponse(401, "Unauthorized")}, time.Millisecond
		})
		time.Sleep(10 * time.Minute)
		if ev := b.events(); len(ev) != 3 {
			t.Fatalf("%+v", ev)
		}
		for _, req := range b.stack.requests() {
			if req.GetHeader("Authorization") != nil || req.GetHeader("Proxy-Authorization") != nil {
				t.Error("the box answers a phone's challenge")
			}
		}
	})
}

// A proxy that answers 408 in the phone's stead says that the phone is silent.
func TestForwarded408IsAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, func(c *Config) { c.Qualify = 10 * time.Second })
		b.stack.setAnswer(func(*sip.Request, stack.Flow) (stack.Result, time.Duration) {
			return stack.Result{Response: sip.NewResponse(408, "Request Timeout")}, time.Millisecond
		})
		want(t, newPhone("201").register(t, b), 200)
		time.Sleep(time.Minute)
		if ev := b.events(); len(ev) != 2 || ev[1].Reachable {
			t.Fatalf("%+v", ev)
		}
	})
}

func TestRegisterMakesAnUnreachablePhoneReachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, func(c *Config) { c.Qualify = 10 * time.Second })
		b.stack.setAnswer(func(*sip.Request, stack.Flow) (stack.Result, time.Duration) {
			return stack.Result{Err: stack.ErrTransport}, 0
		})
		p := newPhone("201")
		want(t, p.register(t, b), 200)
		time.Sleep(time.Minute)
		if b.Bindings("201")[0].Reachable {
			t.Fatal("reachable")
		}
		b.stack.setAnswer(nil)
		want(t, p.register(t, b), 200)
		if ev := b.events(); len(ev) != 3 || !ev[2].Reachable {
			t.Fatalf("%+v", ev)
		}
	})
}

func TestTwoPhonesOfOnePersonRefreshingAreNoNews(t *testing.T) {
	b := newBox(t)
	desk, soft := newPhone("201"), newPhone("201")
	soft.contact, soft.callID, soft.flow = "<sip:201@192.168.1.51>", "soft", udpFlow("192.168.1.51:5060")
	for range 3 {
		want(t, desk.register(t, b), 200)
		want(t, soft.register(t, b), 200)
	}
	if ev := b.events(); len(ev) != 1 || ev[0].Address != "192.168.1.50:5070" {
		t.Fatalf("%+v", ev)
	}
	desk.contact += ";expires=0"
	want(t, desk.register(t, b), 200)
	if ev := b.events(); len(ev) != 2 || ev[1].Address != "192.168.1.51:5060" || !ev[1].Reachable {
		t.Fatalf("%+v", ev)
	}
}

func TestBindingsSurviveACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newBox(t)
		udp, tcp, lost := newPhone("201"), newPhone("202"), newPhone("203")
		tcp.flow, lost.flow = tcpFlow("192.168.1.60:40000"), tcpFlow("192.168.1.61:40000")
		for _, p := range []*phone{udp, tcp, lost} {
			want(t, p.register(t, before), 200)
		}
		before.Close()
		time.Sleep(2 * time.Second)

		after := newBox(t)
		after.stack.setDead(lost.flow, true)
		if err := after.Restore(before.journal.load(KindBinding)); err != nil {
			t.Fatal(err)
		}
		for dev, n := range map[string]int{"201": 1, "202": 1, "203": 0} {
			if got := after.Bindings(tel.DeviceID(dev)); len(got) != n {
				t.Errorf("%s: %v", dev, got)
			}
		}
		if b := after.Bindings("201")[0]; b.Flow != udp.flow || time.Until(b.Expires) != time.Hour-2*time.Second {
			t.Errorf("%+v, %v left", b, time.Until(b.Expires))
		}
		if len(after.events()) != 2 {
			t.Errorf("observers of the new process know %+v", after.events())
		}
		// The Call-ID and CSeq rule holds over the crash.
		udp.cseq, udp.nonce = 0, ""
		want(t, udp.register(t, after), 500)
		udp.cseq = 10
		want(t, udp.register(t, after), 200)
	})
}

func TestClockSetBackDoesNotKeepABindingForEver(t *testing.T) {
	b := newBox(t)
	value, err := encodeBindings([]Binding{{Contact: uri("sip:201@h"), Flow: lanFlow, Expires: time.Now().Add(10 * 365 * 24 * time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(map[string][]byte{"201": value}); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(b.Bindings("201")[0].Expires); left > defaultMaxExpires {
		t.Errorf("%v left", left)
	}
}

func TestForgottenDeviceIsGoneAtOnce(t *testing.T) {
	b := newBox(t)
	want(t, newPhone("201").register(t, b), 200)
	b.Forget("201")
	b.Forget("nobody")
	if ev := b.events(); len(b.Bindings("201")) != 0 || len(ev) != 2 || ev[1].Reachable {
		t.Errorf("%+v", ev)
	}
}

func TestBusyOwnerShedsWith503AndClosedRegistrarDoesNotHang(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.ask(t, b)
	entered, release := make(chan struct{}), make(chan struct{})
	b.tell(func(*owner) { close(entered); <-release })
	<-entered
	for b.tell(func(*owner) {}) {
	}
	res := want(t, p.register(t, b), 503)
	if res.GetHeader("Retry-After").Value() != "5" {
		t.Errorf("%s", res)
	}
	close(release)
	b.Close()
	want(t, p.register(t, b), 503)
	b.Forget("201")
	if err := b.Restore(nil); err != nil {
		t.Error(err)
	}
}

func TestPanicOfACallbackCostsOneStep(t *testing.T) {
	b := newBox(t)
	b.tell(func(*owner) { panic("fault") })
	want(t, newPhone("201").register(t, b), 200)
	if b.Counters().Panics != 1 {
		t.Error("not counted")
	}
	broken := newBox(t, func(c *Config) { c.Accounts = func(string) (Account, bool) { panic("fault") } })
	p := newPhone("201")
	p.ask(t, broken)
	tx := &fakeTx{req: parse(t, p.text(p.authorization(t, "REGISTER"))), flow: lanFlow, got: make(chan *sip.Response, 1)}
	broken.Register(tx)
	if broken.Counters().Panics != 1 {
		t.Error("not counted")
	}
}

// FuzzRegister feeds whole messages and Contact, Path and Authorization texts through the door.
func FuzzRegister(f *testing.F) {
	f.Add("<sip:201@h>", "<sip:p;lr>", "Digest realm=\"pronto\"", "60")
	f.Add("*", "", "Basic x", "0")
	f.Add(`"x\"<" <sip:201:pw@[::1]:5060;transport=tcp?a=b>;+sip.instance="<urn:uuid:x>";expires=1`, "sip:x", `Digest username="\"", nc=1`, "4294967296")
	f.Add("<sips:%00@*>;expires=-1,<sip:a@b>", ",,", ",", "x")
	b := newBox(f, func(c *Config) { c.RegisterRate, c.Bans = 1<<30, lenient{} })
	parser := sip.NewParser()
	var n uint32
	f.Fuzz(func(t *testing.T, contact, path, authorization, expires string) {
		n++
		text := fmt.Sprintf("REGISTER sip:192.168.1.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d\r\nFrom: <sip:201@h>;tag=1\r\nTo: <sip:201@h>\r\n"+
			"Call-ID: f\r\nCSeq: %d REGISTER\r\nSupported: path, outbound\r\nContact: %s\r\nPath: %s\r\nAuthorization: %s\r\nExpires: %s\r\nContent-Length: 0\r\n\r\n",
			n, n%1000000, contact, path, authorization, expires)
		msg, err := parser.ParseSIP([]byte(text))
		if err != nil {
			return
		}
		req, ok := msg.(*sip.Request)
		if !ok || req.Via() == nil || req.Via().Host == "" {
			return
		}
		tx := &fakeTx{req: req, flow: tlsFlow("192.168.1.50:5070"), got: make(chan *sip.Response, 2)}
		b.Register(tx)
		if res := <-tx.got; res.StatusCode == 200 {
			t.Fatalf("let in:\n%s", text)
		}
		// What is behind the door sees the same text when the password was right.
		reg, refused := readRegister(req, tx.flow, true)
		if refused != nil {
			return
		}
		list, refused := apply(nil, reg, lanFlow, false, limits{time.Minute, time.Hour, 3}, t0)
		if refused != nil {
			return
		}
		for _, h := range slices.Concat(contactHeaders(list, t0), reg.pathHeaders(), reg.flowHeaders()) {
			if strings.ContainsAny(h.Value(), "\r\n\x00") {
				t.Fatalf("header splits: %q", h)
			}
		}
		value, err := encodeBindings(list)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeBindings(value)
		if err != nil || strings.Join(normal(back), "") != strings.Join(normal(list), "") {
			t.Fatalf("%v: %v became %v", err, list, back)
		}
	})
}

// BenchmarkRegister is a whole refresh: parse, digest, bindings, journal, answer.
func BenchmarkRegister(b *testing.B) {
	for _, alg := range digest.Algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			x := newBox(b, func(c *Config) { c.RegisterRate = 1 << 30 })
			p := newPhone("202")
			p.algorithm = alg
			p.ask(b, x)
			parser := sip.NewParser()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				text := p.text(p.authorization(b, "REGISTER"))
				b.StartTimer()
				msg, err := parser.ParseSIP([]byte(text))
				if err != nil {
					b.Fatal(err)
				}
				tx := &fakeTx{req: msg.(*sip.Request), flow: p.flow, got: make(chan *sip.Response, 1)}
				x.Register(tx)
				want(b, <-tx.got, 200)
			}
		})
	}
}
