package trunk

import (
	"errors"
	"fmt"
	"net/netip"
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

func TestConfigMistakesAreAllToldAtOnce(t *testing.T) {
	_, err := New(Config{
		Transport: "tin can", Expires: time.Second, Servers: []string{"a b"}, Proxy: "h:99999", User: "a b",
		Sources: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), {}},
	}, Deps{Stack: &fakeStack{}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"id:", "transport:", "expires:", "servers:", "proxy:", "user:", "mode:", "0.0.0.0/0 is too wide", "invalid Prefix is too wide"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in:\n%v", part, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"no domain":              func(c *Config) { c.Domain = "" },
		"no user":                func(c *Config) { c.User = "" },
		"address without source": func(c *Config) { c.Mode = Address },
		"half the internet":      func(c *Config) { c.Sources = []netip.Prefix{netip.MustParsePrefix("::/1")} },
		"user that ends a line":  func(c *Config) { c.User = "a\r\nRoute: x" },
	} {
		cfg := account()
		change(&cfg)
		if _, err := New(cfg, Deps{Stack: &fakeStack{}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for host, want := range map[string]string{"tim.it": "sip:tim.it", "tim.it:5080": "sip:tim.it:5080", "[2001:db8::1]:5080": "sip:[2001:db8::1]:5080", "2001:db8::1": "sip:[2001:db8::1]", "192.0.2.1": "sip:192.0.2.1"} {
		if u, err := hostURI(host); err != nil || u.String() != want {
			t.Errorf("%s: %s, %v", host, u.String(), err)
		}
	}
}

func TestPasswordIsNowhereToBeRead(t *testing.T) {
	tr := idle(t)
	if s := fmt.Sprintf("%v", account()); !strings.Contains(s, "****") {
		t.Errorf("%s", s)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", tr.cfg, tr.cfg, tr.cfg), fmt.Sprintf("%+v", &tr.signer)} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("%s", s)
		}
	}
}

// registrarOf checks REGISTERs like a carrier: digest with one nonce per REGISTER round.
func registrarOf(t *testing.T, password string, granted int) func(*sip.Request) (*sip.Response, error) {
	round := 0
	return func(req *sip.Request) (*sip.Response, error) {
		h := req.GetHeader("Authorization")
		if h != nil {
			a, err := digest.ParseAuthorization(h.Value())
			if err != nil {
				t.Error(err)
			}
			if a.Nonce == fmt.Sprint("n", round) && a.Verify(digest.HA1(a.Algorithm, "0211", "tim.it", password), "REGISTER") {
				res := sip.NewResponseFromRequest(req, 200, "OK", nil)
				c := req.Contact().Clone()
				c.Params.Add("expires", fmt.Sprint(granted))
				res.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "old", Host: "192.168.1.1", Port: 5060}, Params: sip.HeaderParams{{K: "expires", V: "7"}}})
				res.AppendHeader(c)
				return res, nil
			}
		}
		if req.Method == sip.REGISTER {
			round++
		}
		res := sip.NewResponseFromRequest(req, 401, "Unauthorized", nil)
		for _, alg := range digest.Algorithms() {
			c := digest.Challenge{Realm: "tim.it", Nonce: fmt.Sprint("n", round), Algorithm: alg, Auth: true}
			res.AppendHeader(sip.NewHeader("WWW-Authenticate", c.String()))
		}
		return res, nil
	}
}

func TestRegistersRefreshesAndIsNotForgottenByARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, journal, told := &fakeStack{answer: registrarOf(t, "hunter2", 600)}, &fakeJournal{}, &changes{}
		tr := made(t, Deps{Stack: net, Journal: journal, Changed: told.add})
		tr.Start()
		time.Sleep(time.Second)
		if got := told.causes(); !slices.Equal(got, []tel.LineCause{tel.LineRegistering, tel.LineOK}) {
			t.Fatalf("%v", got)
		}
		sent := net.registers()
		if len(sent) != 2 {
			t.Fatalf("%d requests", len(sent))
		}
		first := sent[0]
		if first.Recipient.String() != "sip:tim.it" || first.From().Address.String() != "sip:0211@tim.it" || first.To().Address.String() != "sip:0211@tim.it" ||
			first.Contact().Address.String() != "sip:"+tr.view().token+"@192.168.1.1:5060" || first.GetHeader("Expires").Value() != "3600" {
			t.Errorf("%s", first)
		}
		if a, err := digest.ParseAuthorization(sent[1].GetHeader("Authorization").Value()); err != nil || a.Algorithm != digest.SHA256 || a.NC != 1 {
			t.Errorf("the first of two challenges is SHA-256: %+v %v", a, err)
		}
		if sent[0].CSeq().SeqNo >= sent[1].CSeq().SeqNo || *sent[0].CallID() != *sent[1].CallID() {
			t.Error("CSeq and Call-ID (RFC 3261 section 10.2)")
		}
		// granted 600 s: the refresh comes within 80 to 90 %, with the same nonce and the next count.
		time.Sleep(478 * time.Second)
		if len(net.registers()) != 2 {
			t.Fatal("refreshed too early")
		}
		time.Sleep(62 * time.Second)
		sent = net.registers()
		if len(sent) != 3 {
			t.Fatalf("%d requests after 541 s", len(sent))
		}
		if a, err := digest.ParseAuthorization(sent[2].GetHeader("Authorization").Value()); err != nil || a.NC != 2 {
			t.Errorf("%+v %v", a, err)
		}
		tr.Close()

		// The next process: registered, silent until the refresh, CSeq far above.
		time.Sleep(10 * time.Second)
		again := &fakeStack{answer: net.answer}
		next := made(t, Deps{Stack: again})
		if err := next.Restore(journal.load()); err != nil {
			t.Fatal(err)
		}
		public := netip.MustParseAddrPort("198.51.100.9:5060")
		outside := &fakeStack{answer: net.answer}
		if err := made(t, Deps{Stack: outside}, func(c *Config) { c.Public = public }).Restore(journal.load()); err != nil {
			t.Fatal(err)
		}
		if got := outside.advertised[carrier.Remote.Addr()]; got != public {
			t.Errorf("calls that are up go on under %v before anything is registered again", got)
		}
		next.Start()
		if s := next.Status(); !s.Up || s.Cause != tel.LineOK {
			t.Fatalf("%+v", s)
		}
		if !next.Matches(invite(t, first.Contact().Address.String()), stack.Flow{Remote: netip.MustParseAddrPort("192.0.2.77:1")}) {
			t.Error("a call for the earlier process's contact is a stranger's")
		}
		time.Sleep(400 * time.Second)
		if len(again.registers()) != 0 {
			t.Fatal("registered needlessly")
		}
		time.Sleep(200 * time.Second)
		if sent := again.registers(); len(sent) == 0 || sent[0].CSeq().SeqNo < 1000 || *sent[0].CallID() != *first.CallID() {
			t.Fatalf("%v", sent)
		}
		if !next.Status().Up {
			t.Error("down after the refresh")
		}
		if err := next.Restore(map[string][]byte{"tim": []byte(`{"v":7}`)}); err == nil || !strings.Contains(err.Error(), "version 7") {
			t.Errorf("%v", err)
		}
	})
}

func TestOutageIsToldAndOvercome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := registrarOf(t, "hunter2", 600)
		net, told := &fakeStack{noDNS: true, answer: good}, &changes{}
		tr := made(t, Deps{Stack: net, Changed: told.add})
		tr.Start()
		time.Sleep(time.Second)
		net.set(func(f *fakeStack) {
			f.noDNS = false
			f.answer = func(*sip.Request) (*sip.Response, error) { return nil, stack.ErrTransport }
		})
		time.Sleep(40 * time.Second)
		net.set(func(f *fakeStack) {
			f.answer = func(*sip.Request) (*sip.Response, error) { return nil, stack.ErrTimeout }
		})
		time.Sleep(5 * time.Minute)
		if _, err := tr.Invite(Outgoing{To: "0212345678", SDP: []byte("v=0")}); !errors.Is(err, ErrDown) {
			t.Errorf("a call over a trunk that is down: %v", err)
		}
		net.set(func(f *fakeStack) { f.answer = good })
		time.Sleep(12 * time.Minute)
		want := []tel.LineCause{tel.LineRegistering, tel.LineDNSFailed, tel.LineUnreachable, tel.LineOK}
		if got := told.causes(); !slices.Equal(got, want) {
			t.Fatalf("%v", got)
		}
	})
}

func TestWrongPasswordIsToldAfterTwoRefusalsAndNeverHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, told := &fakeStack{answer: registrarOf(t, "another", 600)}, &changes{}
		tr := made(t, Deps{Stack: net, Changed: told.add})
		tr.Start()
		time.Sleep(time.Hour)
		if got := told.causes(); !slices.Equal(got, []tel.LineCause{tel.LineRegistering, tel.LineRefused}) {
			t.Fatalf("%v", got)
		}
		if n := len(net.registers()); n > 24 {
			t.Errorf("%d requests in an hour: carriers ban for less", n)
		}
	})
}

func TestLostTCPConnectionIsReplacedBeforeTheRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &fakeStack{answer: registrarOf(t, "hunter2", 3600)}
		tr := made(t, Deps{Stack: net}, func(c *Config) { c.Transport = "tcp" })
		tr.Start()
		time.Sleep(10 * time.Minute)
		before := len(net.registers())
		if before != 2 || !strings.Contains(net.registers()[0].Contact().Value(), ";transport=tcp") {
			t.Fatalf("%d requests, contact %s", before, net.registers()[0].Contact())
		}
		net.set(func(f *fakeStack) { f.dead = true })
		time.Sleep(2 * linkCheck)
		if n := len(net.registers()); n == before {
			t.Error("inbound calls have no way until the refresh")
		}
	})
}

func TestWatchedTrunkFollowsItsCarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, told := &fakeStack{answer: func(req *sip.Request) (*sip.Response, error) {
			return sip.NewResponseFromRequest(req, 404, "Not Found", nil), nil
		}}, &changes{}
		tr := made(t, Deps{Stack: net, Changed: told.add}, func(c *Config) {
			c.Mode, c.Sources = Address, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		})
		tr.Start()
		time.Sleep(10 * time.Minute)
		net.set(func(f *fakeStack) {
			f.answer = func(*sip.Request) (*sip.Response, error) { return nil, stack.ErrTimeout }
		})
		time.Sleep(3 * time.Minute)
		net.set(func(f *fakeStack) { f.answer = registrarOf(t, "x", 1) }) // challenges our OPTIONS
		time.Sleep(3 * time.Minute)
		if got := told.causes(); !slices.Equal(got, []tel.LineCause{tel.LineRegistering, tel.LineOK, tel.LineUnreachable, tel.LineOK}) {
			t.Fatalf("%v", got)
		}
		for _, req := range net.requests() {
			if req.Method != sip.OPTIONS || req.GetHeader("Authorization") != nil {
				t.Fatalf("%s", req)
			}
		}
	})
}

func TestACallOutNeedNotWaitForTheCarriersAnswerAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal, net := &fakeJournal{}, &fakeStack{answer: func(req *sip.Request) (*sip.Response, error) {
			return sip.NewResponseFromRequest(req, 200, "OK", nil), nil
		}}
		watched := func(c *Config) { c.Mode, c.Sources = Address, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} }
		first := made(t, Deps{Stack: net, Journal: journal}, watched)
		first.Start()
		time.Sleep(time.Second)
		kept := journal.load()
		first.Close()
		next := made(t, Deps{Stack: net, Journal: journal}, watched)
		if err := next.Restore(kept); err != nil {
			t.Fatal(err)
		}
		if r, err := next.Invite(Outgoing{To: "112", Emergency: true}); err != nil || r.Flow != carrier {
			t.Errorf("a call goes to %v, %v", r.Flow, err)
		}
		next.Start()
		time.Sleep(time.Second)
		if s := next.Status(); !s.Up || s.Cause != tel.LineOK {
			t.Errorf("%+v", s)
		}
	})
}

func TestCallsAreLimitedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &changes{}
		net := &fakeStack{answer: registrarOf(t, "hunter2", 600)}
		tr := made(t, Deps{Stack: net, Changed: told.add}, func(c *Config) { c.Limit = 2 })
		tr.Start()
		time.Sleep(time.Second)
		for place, want := range []bool{true, true, false} {
			if got := tr.Acquire(); got != want {
				t.Fatalf("place %d of two: %v", place+1, got)
			}
		}
		synctest.Wait()
		if s := tr.Status(); s.Calls != 2 || s.Cause != tel.LineInUse || !s.Up {
			t.Errorf("%+v", s)
		}
		tr.Occupy() // an emergency call
		tr.Release()
		tr.Release()
		if !tr.Acquire() {
			t.Error("a place came free")
		}
		for range 5 {
			tr.Release()
		}
		synctest.Wait()
		if s := tr.Status(); s.Calls != 0 || s.Cause != tel.LineOK {
			t.Errorf("%+v", s)
		}
		told.mu.Lock()
		last := told.all[len(told.all)-1]
		told.mu.Unlock()
		if last.Calls != 0 || last.Line != "trunk:tim" || last.Name != "TIM" || last.Type != "sip" {
			t.Errorf("told %+v", last)
		}
	})
}

func TestCredentialsGoToTheTrunksOwnRealmOnly(t *testing.T) {
	req := invite(t, "sip:1@tim.it")
	ask := func(status int, realm, nonce string, stale bool) *sip.Response {
		res := sip.NewResponseFromRequest(req, status, "x", nil)
		header := "WWW-Authenticate"
		if status == 407 {
			header = "Proxy-Authenticate"
		}
		res.AppendHeader(sip.NewHeader(header, digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: digest.MD5, Auth: true, Stale: stale}.String()))
		return res
	}
	for name, tc := range map[string]struct {
		change  func(*Config)
		learned string
		realm   string
		ok      bool
	}{
		"the realm of the registration":               {func(*Config) {}, "realm-of-tim", "realm-of-tim", true},
		"the domain, when nothing is learned":         {func(*Config) {}, "", "TIM.it", true},
		"the domain besides the learned one":          {func(*Config) {}, "realm-of-tim", "tim.it", true},
		"another's realm":                             {func(*Config) {}, "realm-of-tim", "thief", false},
		"another's realm before any registration":     {func(*Config) {}, "", "thief", false},
		"an empty realm":                              {func(*Config) {}, "", "", false},
		"the configured realm":                        {func(c *Config) { c.Realm = "asterisk" }, "", "asterisk", true},
		"the domain, when another is configured":      {func(c *Config) { c.Realm = "asterisk" }, "", "tim.it", false},
		"the learned one, when another is configured": {func(c *Config) { c.Realm = "asterisk" }, "old", "old", false},
	} {
		tr := idle(t, tc.change)
		tr.standing.realm = tc.learned
		h, err := tr.Auth()(ask(407, tc.realm, "n", false), req)
		if (err == nil) != tc.ok || (h != nil) != tc.ok || err != nil && !errors.Is(err, ErrNotOurs) {
			t.Errorf("%s: %v, %v", name, h, err)
		}
		if h != nil {
			a, err := digest.ParseAuthorization(h.Value())
			if err != nil || h.Name() != "Proxy-Authorization" || a.URI != "sip:1@tim.it" || !a.Verify(digest.HA1(digest.MD5, "0211", tc.realm, "hunter2"), "INVITE") {
				t.Errorf("%s: %s %v", name, h, err)
			}
		}
	}

	tr := idle(t)
	auth := tr.Auth()
	plain, signed, both := invite(t, "sip:1@tim.it"), invite(t, "sip:1@tim.it", "Proxy-Authorization: Digest x"), invite(t, "sip:1@tim.it", "Proxy-Authorization: Digest x", "Authorization: Digest y")
	for i, step := range []struct {
		req *sip.Request
		res *sip.Response
		err error
	}{
		{plain, ask(407, "tim.it", "n1", false), nil},
		{signed, ask(401, "tim.it", "n1", false), nil}, // a server behind the proxy asks for itself
		{signed, ask(407, "tim.it", "n2", true), nil},
		{signed, ask(407, "tim.it", "n3", false), ErrRefused},
		{both, ask(401, "tim.it", "n4", false), ErrRefused},
		{plain, ask(407, "tim.it", "n5", false), nil}, // the BYE of the same call
		{plain, ask(401, "thief", "n6", true), ErrNotOurs},
		{plain, sip.NewResponseFromRequest(req, 401, "x", nil), ErrNotOurs},
	} {
		h, err := auth(step.res, step.req)
		if !errors.Is(err, step.err) || (h == nil) != (step.err != nil) {
			t.Errorf("step %d: %v, %v", i, h, err)
		}
	}
	// One nonce used by two calls at once is counted on, not reused (RFC 7616 section 3.4).
	seen := map[uint32]bool{}
	for range 10 {
		h, err := tr.Auth()(ask(407, "tim.it", "shared", false), req)
		if err != nil {
			t.Fatal(err)
		}
		a, err := digest.ParseAuthorization(h.Value())
		if err != nil || seen[a.NC] {
			t.Fatalf("%+v %v", a, err)
		}
		seen[a.NC] = true
	}
	for i := range 1000 {
		if _, err := tr.Auth()(ask(407, "tim.it", fmt.Sprint("x", i), false), req); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tr.signer.count); n > maxCounted {
		t.Errorf("%d nonces remembered", n)
	}
}

func TestPanicOfAStepDoesNotEndTheTrunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, first := registrarOf(t, "hunter2", 600), true
		net := &fakeStack{}
		net.answer = func(req *sip.Request) (*sip.Response, error) {
			if first {
				first = false
				panic("fault")
			}
			return good(req)
		}
		tr := made(t, Deps{Stack: net})
		tr.Start()
		time.Sleep(2 * time.Minute)
		if !tr.Status().Up || tr.Panics() != 1 {
			t.Errorf("%+v, %d panics", tr.Status(), tr.Panics())
		}
	})
}
