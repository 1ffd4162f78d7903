package appliance

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// plain are the settings of an account without a preset.
func plain(at netip.AddrPort, more string) string {
	return fmt.Sprintf("server: %q, register: true, user: %s, password: %s, number: %q%s", at, ourAccount, ourSecret, ourNumber, more)
}

func TestMessagenetAlsoWorksThroughItsOtherPort(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5061)
	settings := fmt.Sprintf("preset: messagenet, proxy: \"sip.messagenet.it:5061\", user: %s, password: %s, number: %q", ourAccount, ourSecret, ourNumber)
	a := openAccount(t, at, []string{"sip.messagenet.it"}, peer.Quirks{ProxyOnly: true, DIDInTo: true, Domain: "sip.messagenet.it"}, settings)
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	if seen, status := a.callOut(); status != "200" {
		t.Errorf("%s\n%v", status, seen)
	}
	a.callsComeInByNumber()
}

func TestCarrierThatDistrustsEveryRequestIsAnsweredEachTime(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{ChallengeAll: true, FreshNonce: true, MinExpires: 2 * time.Hour}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	last := a.carrier.Requests(sip.REGISTER)
	if got := last[len(last)-1].GetHeader("Expires").Value(); got != "7200" {
		t.Errorf("the carrier wants 7200 s at least and is asked for %s", got)
	}
	for range 3 {
		if seen, status := a.callOut(); status != "200" {
			t.Fatalf("%s\n%v", status, seen)
		}
	}
	a.eventually("each BYE has proved itself", func() bool {
		proved := slices.DeleteFunc(a.carrier.Requests(sip.BYE), func(r *sip.Request) bool { return r.GetHeader("Proxy-Authorization") == nil })
		return len(proved) == 3
	})
	a.callsComeInByNumber()
}

func TestSecondUserOfASingleRegistrationIsNamedAndOvercome(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	q := peer.Quirks{Single: true}
	a := openAccount(t, at, nil, q, plain(at, ", disabled: true"))
	other, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(newAddress(), 0), Box: at, User: ourAccount, Password: ourSecret})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if s := a.status(); s.Cause != tel.LineDisabled || len(a.carrier.Requests(sip.REGISTER)) != 2 { // two of the other's
		t.Errorf("a trunk that is switched off: %+v", s)
	}
	a.apply(func(c *config.Config) { c.Trunks[0].Disabled = false })
	a.eventually("somebody else uses the account", func() bool { return a.status().Cause == tel.LineTooManyRegistrations })
	if _, err := other.Register(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	a.apply(func(c *config.Config) { c.Trunks[0].Name = "Linea due" }) // tries at once
	a.eventually("the account is ours", func() bool { return a.status().Up })
	a.apply(func(c *config.Config) { c.Trunks[0].Expires = 2 * time.Hour })
	a.eventually("a changed trunk is no second registration", func() bool {
		b, ok := a.carrier.Registered(ourAccount)
		return a.status().Up && ok && strings.Contains(b.Contact, a.sip)
	})
	a.apply(func(c *config.Config) { c.Trunks[0].Disabled = true })
	a.eventually("a trunk that is switched off says goodbye", func() bool { _, ok := a.carrier.Registered(ourAccount); return !ok })
	if l, ok := now(a.bench, func(l tel.LineChanged) bool { return l.Line == "trunk:line" }); !ok || l.Up || l.Cause != tel.LineDisabled {
		t.Errorf("shown: %+v", l)
	}
}

func TestRemovedTrunkIsNoLongerRegistered(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{FreshNonce: true}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	a.apply(func(c *config.Config) { c.Trunks, c.Routes = nil, nil })
	a.eventually("the carrier hears that we leave", func() bool { _, ok := a.carrier.Registered(ourAccount); return !ok })
	if kept := a.box.hot.Load(trunk.KindTrunk); len(kept) != 0 {
		t.Errorf("kept: %v", kept)
	}
}

func TestNumbersOfAnAccountChangeWithoutANewRegistration(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	before := len(a.carrier.Requests(sip.REGISTER))
	said := a.apply(func(c *config.Config) {
		c.Trunks[0].Numbers = []tel.Number{"+390699999999"}
		c.Trunks[0].In["+390699999999"] = "ext:201"
	})
	if said["trunks"] != live.Applied || len(a.carrier.Requests(sip.REGISTER)) != before {
		t.Errorf("%v, %d REGISTERs", said, len(a.carrier.Requests(sip.REGISTER))-before)
	}
	if c := a.callIn("+390699999999"); invites(a.phone) != 1 {
		status, reason, _ := c.Outcome()
		t.Errorf("a call to the new number: %d %s", status, reason)
	}
	if said = a.apply(func(c *config.Config) { c.Trunks[0].In[ourNumber] = "ext:202" }); said["trunks"] != live.Unchanged {
		t.Errorf("where a number leads is not the trunk's: %v", said)
	}
}

func TestAnotherUserOfTheAccountIsShownBesideARegistration(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{Others: []string{"sip:somebody@198.51.100.1"}}, plain(at, ""))
	a.eventually("it is up and says so", func() bool { s := a.status(); return s.Up && s.Cause == tel.LineTooManyRegistrations })
}

func TestPhoneBehindTheCarriersAddressIsAPhone(t *testing.T) {
	home := netip.MustParseAddr("127.0.0.1") // where the phones of these tests are, too
	a := openAccount(t, netip.AddrPortFrom(home, 0), nil, peer.Quirks{}, "server: \"127.0.0.1:9\", match: [127.0.0.1/32], number: "+fmt.Sprintf("%q", ourNumber))
	p := newPhone(t, a.sip, "201", "wrong password")
	if s := status(p.ask("INVITE", &testCall{id: "x", to: "<sip:202@box>", target: "sip:202@" + a.sip}, p.sdp(), "")); s == "200" || s == "404" {
		t.Errorf("a phone without the password gets %s", s)
	}
	talk := a.phone.call("202") // as a caller from the carrier, 202 would be no number
	if n := a.status().Calls; n != 0 {
		t.Errorf("the call of a phone takes %d places of the trunk", n)
	}
	a.phone.hangup(talk)
	before := invites(a.phone)
	if c := a.callIn(ourNumber); invites(a.phone) != before+1 {
		status, reason, _ := c.Outcome()
		t.Errorf("the carrier itself: %d %s", status, reason)
	}
}

func TestDeclinedCallDoesNotCloseTheCarriersOtherWays(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	host, err := netip.ParseAddrPort(a.sip)
	if err != nil {
		t.Fatal(err)
	}
	p, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(newAddress(), 0), Box: host, User: "203", Password: "password-of-203",
		Incoming: func(c *peer.Call) { c.Ring(); c.Reject(603) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	a.apply(func(c *config.Config) { c.Trunks[0].In[ourNumber] = "ext:203" })
	c := a.callIn(ourNumber)
	if status, reason, _ := c.Outcome(); status < 400 || status >= 600 {
		t.Errorf("a call that a person declines: %d %s", status, reason)
	}
}

// punisher is a carrier that does not listen for a while to whom it has refused.
type punisher struct {
	refused time.Time
	heard   []time.Time
}

func (p *punisher) Request(req *sip.Request, _ stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error) {
	now := time.Now()
	p.heard = append(p.heard, now)
	if !p.refused.IsZero() && now.Sub(p.refused) < 150*time.Second {
		p.refused = now
		time.AfterFunc(32*time.Second, func() { sink(stack.Result{Err: stack.ErrTimeout}) })
		return nil, nil
	}
	status := 200
	if p.refused.IsZero() {
		p.refused, status = now, 503
	}
	time.AfterFunc(time.Millisecond, func() { sink(stack.Result{Response: sip.NewResponseFromRequest(req, status, "", nil)}) })
	return nil, nil
}

func (*punisher) Targets(context.Context, sip.Uri, string) ([]stack.Target, error) {
	return []stack.Target{{Flow: stack.Flow{Transport: "udp", Remote: netip.MustParseAddrPort("192.0.2.1:5060")}}}, nil
}
func (*punisher) Advertise(netip.Addr, netip.AddrPort) {}
func (*punisher) Mark([]netip.Prefix, int) func()      { return func() {} }
func (*punisher) STUN(context.Context, netip.AddrPort) (netip.AddrPort, error) {
	return netip.AddrPort{}, stack.ErrTimeout
}

func (*punisher) KeepAlive(stack.Flow, stack.KeepAlive, func()) func() { return func() {} }
func (*punisher) WatchAddress(netip.AddrPort, time.Duration, func(was, now netip.Addr)) func() {
	return func() {}
}
func (*punisher) Penalise(stack.Flow)              {}
func (*punisher) Succeed(stack.Flow)               {}
func (*punisher) Contact(stack.Flow) (string, int) { return "192.0.2.2", 5060 }
func (*punisher) Alive(stack.Flow) bool            { return true }

func TestEneganIsNotAskedAgainTooSoon(t *testing.T) {
	for preset, up := range map[string]bool{"enegan": true, "cheapnet": false} {
		synctest.Test(t, func(t *testing.T) {
			cfg, err := trunkConfig(config.Trunk{ID: "x", Preset: preset, User: "u", Password: "p"})
			if err != nil {
				t.Fatal(err)
			}
			tr, err := trunk.New(cfg, trunk.Deps{Stack: &punisher{}})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			tr.Start()
			time.Sleep(200 * time.Second)
			if tr.Status().Up != up {
				t.Errorf("%s after 200 s: %+v", preset, tr.Status())
			}
		})
	}
}

// Two carriers, the first of which refuses.
func TestNextLineIsTriedOnlyWhereItMayHelp(t *testing.T) {
	type refusal struct {
		status int
		reason string
	}
	how := make(chan refusal, 1)
	first, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(newAddress(), 5060), Accounts: map[string]string{ourAccount: ourSecret}, Incoming: func(c *peer.Call) {
		r := <-how
		c.Reject(r.status, r.reason)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.apply(func(c *config.Config) {
		c.Trunks = append(c.Trunks, config.Trunk{
			ID: "first", Server: first.Local().String(), Register: true, User: ourAccount, Password: ourSecret, Number: ourNumber,
		})
		c.Routes[0].Via = []string{"trunk:first", "trunk:line"}
	})
	a.eventually("both trunks are up", func() bool { return a.status().Up && a.box.trunks.find("first").trunk.Status().Up })
	q850 := func(n int) string { return fmt.Sprintf("Reason: Q.850;cause=%d\r\n", n) }
	for _, tc := range []struct {
		name   string
		status int
		reason string
		heard  string // by the phone
	}{
		{"busy", 486, "", "486"},
		{"declined", 603, "", "603"},
		{"no such number", 404, "", "404"},
		{"a full network", 503, "", "200"},
		{"a fault", 500, "", "200"},
		{"not allowed over this one", 403, "", "200"},
		{"no money", 402, "", "200"},
		{"the form of the number", 484, "", "200"},
		{"no common codec", 488, "", "200"},
		{"a busy line behind a gateway's fault", 500, q850(17), "486"},
		{"a lost route behind a gateway's 404", 404, q850(3), "200"},
		{"a number that does not exist behind a gateway's 503", 503, q850(1), "404"},
	} {
		how <- refusal{tc.status, tc.reason}
		if _, got := a.callOut(); got != tc.heard {
			t.Errorf("%s: the phone hears %s, want %s", tc.name, got, tc.heard)
		}
	}
}

func TestCallWithoutAudioFromTheCarrierIsNamed(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	call := func(mute bool, length time.Duration) {
		c, err := a.carrier.CallIn(ourAccount, peer.Outgoing{To: ourNumber, From: customer, Mute: mute})
		if err != nil {
			t.Fatal(err)
		}
		a.settled(c)
		time.Sleep(length)
		if !mute {
			a.eventually("words were said", func() bool { return c.Audio().Said() >= 10 })
		}
		c.Hangup()
	}
	call(true, 5100*time.Millisecond) // without a packet for so long is no accident
	a.eventually("one-way audio is named", func() bool { s := a.status(); return s.Up && s.Cause == tel.LineOneWayAudio })
	call(false, 0)
	a.eventually("audio came, the fault is gone", func() bool { return a.status().Cause == tel.LineOK })
}

func TestCarrierIsToldThePublicAddressInContactAndSDP(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ", public_address: 198.51.100.9"))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	seen, _ := a.callOut()
	if got := seen.Contact().Address.HostPort(); got != "198.51.100.9:5060" || !strings.Contains(string(seen.Body()), "c=IN IP4 198.51.100.9\r\n") {
		t.Errorf("Contact %s\n%s", got, seen.Body())
	}
	a.apply(func(c *config.Config) { c.Trunks[0].PublicAddress = "" })
	a.eventually("the changed trunk is up", func() bool { return a.status().Up })
	if seen, _ = a.callOut(); seen.Contact().Address.HostPort() != a.sip {
		t.Errorf("Contact %s after the address was taken back", seen.Contact())
	}
}

func TestCallerWhoHidesIsHiddenFromTheCalledOnly(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	seen, status := a.dial("%2331%233331234567")
	if status != "200" || seen.Recipient.User != customer || seen.GetHeader("Privacy") == nil || seen.GetHeader("P-Asserted-Identity") == nil || seen.From().DisplayName != "" {
		t.Errorf("%s\n%v", status, seen)
	}
	if seen, _ = a.callOut(); seen.GetHeader("Privacy") != nil || seen.GetHeader("P-Asserted-Identity").Value() != "<sip:"+ourNumber+"@"+at.Addr().String()+">" {
		t.Errorf("the next call\n%v", seen)
	}
}

func TestForwardedCallShowsItsCallerWhereTheCarrierTakesIt(t *testing.T) {
	for rule, want := range map[string]string{"pass": "+390698765432", "extension": ourNumber} {
		t.Run(rule, func(t *testing.T) {
			at := netip.AddrPortFrom(newAddress(), 5060)
			a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ", caller_id: "+rule))
			a.eventually("the trunk is up", func() bool { return a.status().Up })
			forward := a.phone.call("*213331234567")         // all calls, from now on
			a.eventually("the forward is set", func() bool { // after the answer, so that the caller need not wait for the disk
				for _, p := range a.box.personal.Current().People {
					if p.Forward.Always != "" {
						return true
					}
				}
				return false
			})
			a.phone.hangup(forward)
			c, err := a.carrier.CallIn(ourAccount, peer.Outgoing{To: ourNumber, From: "+390698765432"})
			if err != nil {
				t.Fatal(err)
			}
			a.settled(c)
			all := a.carrier.Requests(sip.INVITE)
			if len(all) == 0 {
				t.Fatal("nothing went out")
			}
			out := all[len(all)-1]
			if got := out.GetHeader("P-Asserted-Identity").Value(); out.Recipient.User != customer || got != "<sip:"+want+"@"+at.Addr().String()+">" {
				t.Errorf("%s\n%s", got, out)
			}
			if d := out.GetHeader("Diversion"); (d != nil) != (rule == "pass") || d != nil && (!strings.HasPrefix(d.Value(), "<sip:"+ourNumber+"@") || !strings.Contains(d.Value(), ";reason=unconditional")) {
				t.Errorf("Diversion %v", d)
			}
			c.Hangup()
		})
	}
}
