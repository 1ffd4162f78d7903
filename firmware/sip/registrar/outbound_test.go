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

// keeper is a phone that keeps flows: each has a socket of its own, and a REGISTER dialog of its own.
func keeper(b *box, t testing.TB, regID int, flow stack.Flow, extra ...string) (*phone, *sip.Response) {
	t.Helper()
	p := newPhone("201")
	p.flow, p.callID = flow, fmt.Sprint("flow-", regID, flow.Remote)
	p.contact = fmt.Sprintf(`<sip:201@192.168.1.50:5070;ob>;+sip.instance="<urn:uuid:d1>";reg-id=%d`, regID)
	p.extra = append([]string{"Supported: path, outbound"}, extra...)
	return p, p.register(t, b)
}

func header(res *sip.Response, name string) string {
	if h := res.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

func TestAFlowIsPromisedOnlyWhereItCanBeKept(t *testing.T) {
	const edgePath = "Path: <sip:core.example;lr>, <sip:edge.example;lr;ob>"
	for name, tc := range map[string]struct {
		transport string
		contact   string
		extra     []string
		secondVia bool
		status    int
		promise   string // Require and Flow-Timer of a 200
		regID     int    // of the binding
	}{
		"over TLS":                    {"tls", "", nil, false, 200, "outbound 120", 1},
		"over TCP":                    {"tcp", "", nil, false, 200, "outbound 120", 1},
		"over TCP, demanded":          {"tcp", "", []string{"Require: outbound"}, false, 200, "outbound 120", 1},
		"over UDP it is no flow":      {"udp", "", nil, false, 200, " ", 0},
		"over UDP that answers STUN":  {"udp+stun", "", nil, false, 200, "outbound 29", 1},
		"over UDP, demanded":          {"udp", "", []string{"Require: outbound"}, false, 420, "", 0},
		"without the phone's support": {"tls", "", []string{"-"}, false, 200, " ", 0},
		"without an instance":         {"tls", "<sip:201@h>;reg-id=1", nil, false, 200, " ", 0},
		"a reg-id that is no number":  {"tls", `<sip:201@h>;+sip.instance="<urn:uuid:d1>";reg-id=x`, nil, false, 200, " ", 0},
		"two contacts in one flow":    {"tls", `<sip:201@h1>;+sip.instance="<urn:uuid:d1>";reg-id=1, <sip:201@h2>`, nil, false, 400, "", 0},
		"one comes, one goes": {
			"tls", `<sip:201@h1>;+sip.instance="<urn:uuid:d1>";reg-id=1, <sip:201@h2>;expires=0`, nil, false, 200, "outbound 120", 1,
		},
		"through a proxy that keeps the flow":                    {"udp", "", []string{edgePath}, true, 200, "outbound ", 1},
		"through a proxy that does not":                          {"tls", "", []string{"Path: <sip:edge.example;lr>"}, true, 439, "", 0},
		"through a proxy without Path":                           {"tls", "", nil, true, 439, "", 0},
		"the proxy next to the phone counts, not the one by us":  {"tls", "", []string{"Path: <sip:core.example;lr;ob>, <sip:edge.example;lr>"}, true, 439, "", 0},
		"through a proxy, by a phone that does not know of this": {"tls", "", []string{"-"}, true, 200, " ", 0},
	} {
		t.Run(name, func(t *testing.T) {
			transport, _, stun := strings.Cut(tc.transport, "+stun")
			b := newBox(t, func(c *Config) { c.STUN = stun })
			p := newPhone("201")
			p.flow.Transport = transport
			p.contact = `<sip:201@192.168.1.50:5070>;+sip.instance="<urn:uuid:d1>";reg-id=1`
			if tc.contact != "" {
				p.contact = tc.contact
			}
			p.extra = append([]string{"Supported: path, outbound"}, tc.extra...)
			if len(tc.extra) == 1 && tc.extra[0] == "-" {
				p.extra = nil
			}
			p.ask(t, b)
			if tc.secondVia {
				p.extra = append(p.extra, "Via: SIP/2.0/TLS 10.0.0.9;branch=z9hG4bKphone")
			}
			p.nonce = "" // of an ask that may have been refused
			ask := b.send(t, p.text(""), p.flow)
			res := ask
			if ask.StatusCode == 401 {
				p.learn(t, ask)
				res = b.send(t, p.text(p.authorization(t, "REGISTER")), p.flow)
			}
			want(t, res, tc.status)
			if tc.status == 420 && header(res, "Unsupported") != "outbound" {
				t.Errorf("%s", res)
			}
			if tc.status != 200 {
				return
			}
			if got := header(res, "Require") + " " + header(res, "Flow-Timer"); got != tc.promise {
				t.Errorf("promised %q, want %q", got, tc.promise)
			}
			if l := b.Bindings("201"); len(l) != 1 || l[0].RegID != tc.regID || (tc.regID > 0) != strings.Contains(res.GetHeaders("Contact")[0].Value(), "reg-id=1") {
				t.Errorf("%+v\n%s", l, res)
			}
		})
	}
}

func TestOfSeveralFlowsOfOnePhoneTheLatestThatAnswersIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, func(c *Config) { c.Qualify = 10 * time.Second })
		first, second := tlsFlow("192.168.1.50:40001"), tlsFlow("192.168.1.50:40002")
		use := func(want ...stack.Flow) {
			t.Helper()
			phones := b.Flows("201")
			var got []stack.Flow
			for _, f := range phones[0] {
				got = append(got, f.Flow)
			}
			if len(phones) != 1 || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%v, want %v", phones, want)
			}
			if l := b.Bindings("201"); len(l) != 1 || l[0].Flow != want[0] {
				t.Fatalf("the phone would ring more than once, or on another flow: %+v", l)
			}
		}
		one, res := keeper(b, t, 1, first)
		want(t, res, 200)
		time.Sleep(time.Millisecond)
		two, res := keeper(b, t, 2, second)
		want(t, res, 200)
		if len(res.GetHeaders("Contact")) != 2 {
			t.Errorf("%s", res)
		}
		use(second, first)
		time.Sleep(time.Millisecond)
		want(t, one.register(t, b), 200) // its refresh makes it the latest
		use(first, second)
		b.stack.setAnswer(func(_ *sip.Request, to stack.Flow) (stack.Result, time.Duration) {
			if to == first {
				return stack.Result{Err: stack.ErrTimeout}, time.Second
			}
			return stack.Result{Response: sip.NewResponse(200, "OK")}, time.Millisecond
		})
		time.Sleep(40 * time.Second)
		use(second, first) // first is up and does not answer
		_, res = keeper(b, t, 1, tlsFlow("192.168.1.50:40003"))
		want(t, res, 200) // the phone opens its first flow anew
		use(tlsFlow("192.168.1.50:40003"), second)
		desk := newPhone("201")
		desk.contact, desk.callID = "<sip:201@192.168.1.60>", "desk"
		time.Sleep(time.Millisecond)
		want(t, desk.register(t, b), 200)
		if l := b.Bindings("201"); len(l) != 2 || l[1].Flow != desk.flow {
			t.Errorf("a second phone rings beside the first: %+v", l)
		}
		two.contact = strings.Replace(two.contact, "reg-id=2", "reg-id=2;expires=0", 1)
		want(t, two.register(t, b), 200)
		if f := b.Flows("201"); len(f) != 2 || len(f[0]) != 1 {
			t.Errorf("%+v", f)
		}
	})
}

func TestAClosedConnectionTakesItsBindingAtOnceAndTheNextFlowServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		first, second := tlsFlow("192.168.1.50:40001"), tlsFlow("192.168.1.50:40002")
		keeper(b, t, 1, first)
		time.Sleep(time.Millisecond)
		keeper(b, t, 2, second)
		other := newPhone("202")
		want(t, other.register(t, b), 200)
		b.FlowClosed(tlsFlow("192.168.1.50:49999")) // of somebody who never registered
		b.FlowClosed(second)
		synctest.Wait()
		if l := b.Bindings("201"); len(l) != 1 || l[0].Flow != first {
			t.Fatalf("%+v", l)
		}
		if ev := b.events(); !ev[len(ev)-1].Reachable || ev[len(ev)-1].Address != "192.168.1.50:40001" && ev[len(ev)-1].Device == "201" {
			t.Errorf("%+v", ev)
		}
		b.FlowClosed(first)
		synctest.Wait()
		if ev := b.events(); len(b.Bindings("201")) != 0 || ev[len(ev)-1].Reachable || ev[len(ev)-1].Device != "201" {
			t.Errorf("%+v %+v", b.Bindings("201"), ev)
		}
		if b.Known(first.Remote) || b.Behind(first.Remote.Addr()) != b.Behind(other.flow.Remote.Addr()) || len(b.Bindings("202")) != 1 {
			t.Error("places and bindings disagree")
		}
	})
}

func TestPathIsKeptTravelledAndGivenBackToWhoKnowsIt(t *testing.T) {
	b := newBox(t, func(c *Config) { c.Qualify = time.Hour })
	p := newPhone("201")
	p.extra = []string{"Path: <sip:p1.example;lr>", "Path: <sip:p2.example;lr>"}
	if res := want(t, p.register(t, b), 200); res.GetHeader("Path") != nil || res.GetHeader("Supported") != nil {
		t.Errorf("a phone that does not know Path is shown it: %s", res)
	}
	p.extra = append(p.extra, "Supported: gruu, path")
	res := want(t, p.register(t, b), 200)
	if all := res.GetHeaders("Path"); len(all) != 2 || all[0].Value() != "<sip:p1.example;lr>" || all[1].Value() != "<sip:p2.example;lr>" {
		t.Errorf("%s", res)
	}
	l := b.Bindings("201")
	if len(l) != 1 || len(l[0].Path) != 2 || l[0].Path[0].Host != "p1.example" {
		t.Fatalf("%+v", l)
	}
	probe := (&owner{r: b.Registrar}).options(&entry{Binding: l[0]})
	if routes := probe.GetHeaders("Route"); len(routes) != 2 || routes[0].Value() != "<sip:p1.example;lr>" || probe.Recipient.User != "201" {
		t.Errorf("%s", probe)
	}
}
