package registrar

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// asking is a request of user without credentials.
func asking(t testing.TB, method, user, target, extra string) *sip.Request {
	t.Helper()
	return parse(t, fmt.Sprintf("%s sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.50:5070;branch=z9hG4bK%s\r\nFrom: <sip:%s@192.168.1.1>;tag=1\r\nTo: <sip:%s>\r\n"+
		"Call-ID: x\r\nCSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n", method, target, rand16(), user, target, method, extra))
}

func TestStrangersAreChallengedBeforeAnythingIsKept(t *testing.T) {
	for name, tc := range map[string]struct {
		method, user, target string
		flow                 stack.Flow
		status               int // 0 = goes on
	}{
		"a call from the LAN":                {"INVITE", "201", "400@192.168.1.1", lanFlow, 401},
		"a REGISTER from the LAN":            {"REGISTER", "201", "192.168.1.1", lanFlow, 401},
		"a SUBSCRIBE from the LAN":           {"SUBSCRIBE", "201", "202@192.168.1.1", lanFlow, 401},
		"a call from outside":                {"INVITE", "201", "400@192.168.1.1", wanFlow, 401},
		"an emergency call from outside":     {"INVITE", "anybody", "112@192.168.1.1", wanFlow, 401},
		"a text to an emergency number":      {"MESSAGE", "anybody", "112@192.168.1.1", lanFlow, 401},
		"OPTIONS needs no password":          {"OPTIONS", "201", "192.168.1.1", wanFlow, 0},
		"a From without a user is another's": {"INVITE", "", "400@192.168.1.1", lanFlow, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			user := tc.user
			req := asking(t, tc.method, user, tc.target, "")
			if user == "" {
				req.From().Address.User = ""
			}
			no := b.Screen(req, tc.flow)
			if tc.status == 0 {
				if no != nil {
					t.Errorf("%+v", no)
				}
				return
			}
			if no == nil || no.Status != tc.status || len(no.Headers) == 0 {
				t.Fatalf("%+v", no)
			}
			if n := b.Counters().Failures; n != 0 || len(b.failed) != 0 {
				t.Errorf("asking counts as guessing")
			}
		})
	}
}

func TestWhoAnsweredAChallengeOfItsOwnAddressGoesOn(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.ask(t, b)
	with := func(auth string) *sip.Request {
		return parse(t, p.text(auth))
	}
	right := p.authorization(t, "REGISTER")
	if no := b.Screen(with(right), lanFlow); no != nil {
		t.Errorf("the right password: %+v", no)
	}
	p.password = "guess"
	wrong := p.authorization(t, "REGISTER")
	if no := b.Screen(with(wrong), lanFlow); no != nil {
		t.Errorf("a wrong one is judged where it is counted: %+v", no)
	}
	for name, tc := range map[string]struct {
		auth   string
		flow   stack.Flow
		status int
	}{
		"the same from another address": {right, udpFlow("192.168.1.51:5070"), 401},
		"a made-up nonce":               {strings.Replace(right, p.nonce, strings.Repeat("A", 40), 1), lanFlow, 401},
		"garbage":                       {"Digest x", lanFlow, 400},
		"another's name":                {strings.Replace(right, `username="201"`, `username="202"`, 1), lanFlow, 403},
	} {
		if no := b.Screen(with(tc.auth), tc.flow); no == nil || no.Status != tc.status {
			t.Errorf("%s: %+v, want %d", name, no, tc.status)
		}
	}
	want(t, b.send(t, p.text(right), lanFlow), 200) // being screened has not used the nonce up
}

func TestForgedSendersFromOutsideGetFewAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, func(c *Config) { c.Bans = lenient{} })
		home := newPhone("203")
		home.flow = tlsFlow("203.0.113.50:5061")
		want(t, home.register(t, b), 200)
		answers := func(n int, flow func(i int) stack.Flow) (got int) {
			for i := range n {
				if no := b.Screen(asking(t, "INVITE", "201", "400@192.168.1.1", ""), flow(i)); no == nil {
					t.Fatal("let in")
				} else if no.Status != 0 {
					got++
				}
			}
			return got
		}
		one := func(f stack.Flow) func(int) stack.Flow { return func(int) stack.Flow { return f } }
		if n := answers(1000, one(wanFlow)); n != strangerBurst {
			t.Errorf("one address got %d answers", n)
		}
		time.Sleep(time.Second)
		if n := answers(1000, one(wanFlow)); n != strangerRate {
			t.Errorf("a second later %d", n)
		}
		time.Sleep(time.Minute)
		if n := answers(1000, func(i int) stack.Flow { return udpFlow(addr(i).String() + ":5060") }); n != strangersBurst {
			t.Errorf("a thousand addresses got %d answers", n)
		}
		if n := answers(100, one(tlsFlow("203.0.113.7:40000"))); n != 100 {
			t.Errorf("a connection cannot be forged: %d of 100", n)
		}
		if n := answers(100, one(lanFlow)); n != 100 {
			t.Errorf("the LAN: %d of 100", n)
		}
		if c := b.Counters(); c.Silent != 1000-20+1000-5+1000-200 {
			t.Errorf("%+v", c)
		}
	})
}

func TestARegisterIsCountedOnceWhetherScreenedOrNot(t *testing.T) {
	b := newBox(t, func(c *Config) { c.RegisterRate, c.RegisterBurst = 1, 4 })
	p := newPhone("201")
	p.ask(t, b)
	for i, want := range []int{401, 401} {
		if no := b.Screen(asking(t, "REGISTER", "201", "192.168.1.1", ""), lanFlow); no == nil || no.Status != want {
			t.Fatalf("%d: %+v", i, no)
		}
	}
	req := parse(t, p.text(p.authorization(t, "REGISTER")))
	if no := b.Screen(req, lanFlow); no != nil {
		t.Fatalf("%+v", no)
	}
	want(t, b.send(t, req.String(), lanFlow), 200)
	if no := b.Screen(asking(t, "REGISTER", "201", "192.168.1.1", ""), lanFlow); no == nil || no.Status != 503 || no.Headers[0].Name() != "Retry-After" {
		t.Errorf("%+v", no)
	}
	if c := b.Counters(); c.Registers != 5 || c.Shed != 1 {
		t.Errorf("%+v", c)
	}
}
