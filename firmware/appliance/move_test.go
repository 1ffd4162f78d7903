package appliance

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
)

// reinvites are the bodies and contacts of the re-INVITEs that a phone got.
func (p *testPhone) reinvites() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, msg := range p.raw {
		if strings.HasPrefix(msg, "INVITE ") && strings.Contains(headers(msg, "To")[0], "tag=") {
			all = append(all, msg)
		}
	}
	return all
}

// freeAddress is 127.0.0.1 with a port that is this test's until it ends.
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", pbxtest.FreePort(t))
}

// movable is a box on every address of the machine and the address that it believes to be its own.
func movable(t *testing.T) (b *bench, move func(to string)) {
	t.Helper()
	var mu sync.Mutex // guards ours
	ours := netip.MustParseAddr("127.0.0.1")
	at := netip.AddrPortFrom(ours, pbxtest.FreePort(t))
	text := fmt.Sprintf("sip: {listen: \"0.0.0.0:%d\"}\nmedia: {bind: 0.0.0.0, port_min: 32000, port_max: 32200}\nweb: {listen: %q}\n", at.Port(), freeAddress(t)) + shop
	b = startOn(t, at.String(), text, func(o *Options) {
		o.Route = func(netip.AddrPort) netip.Addr {
			mu.Lock()
			defer mu.Unlock()
			return ours
		}
	}, func(*Box) {})
	return b, func(to string) {
		mu.Lock()
		defer mu.Unlock()
		ours = netip.Addr{}
		if to != "" {
			ours = netip.MustParseAddr(to)
		}
	}
}

func TestACallFollowsTheBoxToItsNewAddress(t *testing.T) {
	b, move := movable(t)
	anna, bruno := b.phone("201"), b.phone("202")
	talk := anna.call("202")
	if !bruno.hears(anna, 0x31) || !anna.hears(bruno, 0x32) {
		t.Fatal("the call has no audio before the move")
	}
	move("") // the cable is out: nothing to say yet
	move("127.0.77.5")
	b.eventually("both sides know the new address", func() bool { return len(anna.reinvites()) > 0 && len(bruno.reinvites()) > 0 })
	for _, p := range []*testPhone{anna, bruno} {
		msg := p.reinvites()[0]
		if c := find(msg, `c=IN IP4 (\S+)`); c != "127.0.77.5" {
			t.Errorf("%s: audio is wanted at %s", p.user, c)
		}
		if c := headers(msg, "Contact")[0]; !strings.Contains(c, "@127.0.77.5:") {
			t.Errorf("%s: the contact is %s", p.user, c)
		}
	}
	if !bruno.hears(anna, 0x33) || !anna.hears(bruno, 0x34) {
		t.Error("the call has no audio after the move")
	}
	b.eventually("no call is where the box is no more", func() bool { return len(b.box.office.Displaced()) == 0 })
	if s := anna.hangup(talk); s != "200" {
		t.Errorf("BYE: %s", s)
	}
	if a, c := len(anna.reinvites()), len(bruno.reinvites()); a != 1 || c != 1 {
		t.Errorf("%d and %d re-INVITEs, want one each", a, c)
	}
}

func TestOneWhoKnowsNoCallAnyMoreAfterAMoveEndsItAloneAndOneWhoRefusesKeepsIt(t *testing.T) {
	b, move := movable(t)
	anna, bruno, carla, erika := b.phone("201"), b.phone("202"), b.phone("203"), b.phone("206")
	anna.call("202")
	other := carla.call("206")
	say := func(p *testPhone, answer string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.again = answer
	}
	say(bruno, "481 Call Does Not Exist")
	say(erika, "488 Not Acceptable Here")
	move("127.0.77.6")
	b.eventually("the call of who does not know it ends", func() bool {
		methods := anna.requests()
		return len(methods) > 0 && methods[len(methods)-1] == "BYE"
	})
	b.eventually("the others were asked, too", func() bool { return len(erika.reinvites()) > 0 && len(carla.reinvites()) > 0 })
	if !erika.hears(carla, 0x35) || !carla.hears(erika, 0x36) {
		t.Error("a refused address cost the audio")
	}
	if s := carla.hangup(other); s != "200" {
		t.Errorf("BYE: %s", s)
	}
	if n := len(erika.reinvites()); n != 1 {
		t.Errorf("who refuses is asked %d times", n)
	}
}

func TestACrossingReinviteIsTriedAgain(t *testing.T) {
	b, move := movable(t)
	anna, bruno := b.phone("201"), b.phone("202")
	talk := anna.call("202")
	bruno.mu.Lock()
	bruno.again = "491 Request Pending"
	bruno.mu.Unlock()
	move("127.0.77.7")
	b.eventually("the first attempt", func() bool { return len(bruno.reinvites()) == 1 })
	bruno.mu.Lock()
	bruno.again = ""
	bruno.mu.Unlock()
	for end := time.Now().Add(10 * time.Second); len(bruno.reinvites()) < 2 && time.Now().Before(end); { // RFC 3261 section 14.1: up to 4 s
		time.Sleep(10 * time.Millisecond)
	}
	if n := len(bruno.reinvites()); n != 2 {
		t.Fatalf("%d attempts", n)
	}
	if !bruno.hears(anna, 0x37) || !anna.hears(bruno, 0x38) {
		t.Error("no audio after the second attempt")
	}
	if s := anna.hangup(talk); s != "200" {
		t.Errorf("BYE: %s", s)
	}
}

func TestACallOfACarrierFollowsThePublicAddressOfTheTrunk(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	c := a.callIn(ourNumber)
	outside := newAddress()
	a.box.stack.Advertise(at.Addr(), netip.AddrPortFrom(outside, 0))
	a.eventually("the carrier hears of the new address", func() bool { return len(a.carrier.Requests(sip.INVITE)) == 1 })
	req := a.carrier.Requests(sip.INVITE)[0]
	if got := req.Contact().Address.Host; got != outside.String() {
		t.Errorf("the contact is at %s", got)
	}
	if got := find(string(req.Body()), `c=IN IP4 (\S+)`); got != outside.String() {
		t.Errorf("audio is wanted at %s", got)
	}
	if n := len(a.phone.reinvites()); n != 0 {
		t.Errorf("the phone, whose address of us is the same, got %d re-INVITEs", n)
	}
	c.Hangup()
}

// A router that was restarted gives us another port at the same address: what the carrier sends to the
// old one, its BYE above all, is lost.
func TestACallOfACarrierFollowsThePublicPortOfTheTrunk(t *testing.T) {
	at, outside := netip.AddrPortFrom(newAddress(), 5060), newAddress()
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	a.box.stack.Advertise(at.Addr(), netip.AddrPortFrom(outside, 40001))
	c := a.callIn(ourNumber)
	if n := len(a.box.office.Displaced()); n != 0 {
		t.Fatalf("%d calls have moved before anything has changed", n)
	}
	a.box.stack.Advertise(at.Addr(), netip.AddrPortFrom(outside, 40002))
	a.eventually("the carrier hears of the new port", func() bool { return len(a.carrier.Requests(sip.INVITE)) == 1 })
	if got := a.carrier.Requests(sip.INVITE)[0].Contact().Address; got.Host != outside.String() || got.Port != 40002 {
		t.Errorf("the contact is at %s:%d", got.Host, got.Port)
	}
	a.eventually("the call is where it should be", func() bool { return len(a.box.office.Displaced()) == 0 })
	if n := len(a.phone.reinvites()); n != 0 {
		t.Errorf("the phone, whose address of us is the same, got %d re-INVITEs", n)
	}
	c.Hangup()
}

func TestARouterThatRewritesSIPIsNamedOnThePageUntilItIsMended(t *testing.T) {
	b := start(t, shop)
	anna, bruno := b.phone("201"), b.phone("202")
	shown := func() (tel.HealthChanged, bool) {
		return now(b, func(h tel.HealthChanged) bool { return h.Condition == "sip_alg" })
	}
	anna.hangup(anna.call("202"))
	if h, ok := shown(); ok && !h.OK {
		t.Fatalf("without a router between: %+v", h)
	}
	bruno.mu.Lock()
	bruno.mangle = func(head string) string { return strings.Replace(head, b.sip, "203.0.113.5:5060", 1) }
	bruno.mu.Unlock()
	talk := anna.call("202")
	b.eventually("the router is named", func() bool { h, ok := shown(); return ok && !h.OK })
	if h, _ := shown(); h.Severity != "warn" || !strings.Contains(h.Text, "Via") || !strings.Contains(h.Text, "203.0.113.5") {
		t.Errorf("%+v", h)
	}
	b.eventually("the page says so", func() bool { return strings.Contains(b.page(), "SIP ALG") })
	anna.hangup(talk)
	seen := b.box.stack.Findings()
	if len(seen) != 1 {
		t.Fatalf("%+v", seen)
	}
	b.box.showFindings(seen)
	if h, _ := shown(); h.OK {
		t.Error("mended at once")
	}
	seen[0].At = seen[0].At.Add(-2 * findingLife)
	b.box.showFindings(seen)
	if h, _ := shown(); !h.OK {
		t.Error("shown for ever")
	}
}

func TestEveryConditionHasASentenceInEveryLanguage(t *testing.T) {
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range conditions() {
			if !cat.Has("condition." + c.Name) {
				t.Errorf("%s: %s has no sentence", lang, c.Name)
			}
		}
	}
}
