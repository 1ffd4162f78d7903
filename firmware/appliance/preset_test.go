package appliance

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/cmd/linelab/lab"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	ourNumber  = "+390612345678"
	ourSecond  = "+390612345679" // another number of the account
	ourAccount = "office"
	ourSecret  = "carrier-password"
	customer   = "+393331234567"
)

// hosts is a name server of the test: every name it knows leads to one address.
type hosts struct {
	stack atomic.Pointer[stack.Stack]
	at    map[string]netip.Addr
}

// Targets implements trunk.Directory.
func (h *hosts) Targets(ctx context.Context, host sip.Uri, transport string) ([]stack.Flow, error) {
	if _, err := netip.ParseAddr(host.Host); err != nil {
		a, ok := h.at[host.Host]
		if !ok {
			return nil, fmt.Errorf("no such host: %s", host.Host)
		}
		host.Host = a.String()
	}
	f, err := h.stack.Load().Resolve(ctx, host, transport)
	return []stack.Flow{f}, err
}

// Failed implements trunk.Directory.
func (*hosts) Failed(stack.Flow) {}

// Worked implements trunk.Directory.
func (*hosts) Worked(stack.Flow) {}

var carriers atomic.Int32

// newAddress is a loopback address that no other test has.
func newAddress() netip.Addr {
	n := carriers.Add(1)
	return netip.AddrFrom4([4]byte{127, byte(200 + os.Getpid()>>8%50), byte(os.Getpid()%250 + 1), byte(n)})
}

// subscription is one trunk of an office and the carrier at the other end.
type subscription struct {
	*bench
	carrier *peer.Peer
	phone   *testPhone
	take    atomic.Pointer[func(*peer.Call)] // how the carrier takes our calls; nil: answers them
}

// openAccount starts a carrier at an address and port, and an office whose trunk has the given
// settings. Names are the hosts that lead to the carrier.
func openAccount(t *testing.T, at netip.AddrPort, names []string, q peer.Quirks, settings string) *subscription {
	t.Helper()
	return openAccountOver(t, nil, at, names, q, settings)
}

// openAccountOver is openAccount with a carrier that speaks TLS, unless secure is nil; more goes into the
// section sip.
func openAccountOver(t *testing.T, secure *tls.Config, at netip.AddrPort, names []string, q peer.Quirks, settings string, more ...string) *subscription {
	t.Helper()
	a := &subscription{}
	accounts := map[string]string{ourAccount: ourSecret, ourNumber: ourSecret}
	if strings.Contains(settings, "match:") {
		accounts = nil
	}
	dns := &hosts{at: map[string]netip.Addr{}}
	for _, n := range names {
		dns.at[n] = at.Addr()
	}
	text := shop + "trunks:\n  - {id: line, name: Linea, " + settings +
		fmt.Sprintf(", in: {%q: \"ext:201\", %q: \"ext:202\"}}\n", ourNumber, ourSecond) + "routes:\n  - {prefix: \"\", via: [\"trunk:line\"]}\n"
	a.bench = startWith(t, text, func(o *Options) {
		o.Carriers = dns
		var err error
		a.carrier, err = peer.New(peer.Config{Listen: at, TLS: secure, Law: tone.ALaw, Accounts: accounts, Quirks: q, Incoming: func(c *peer.Call) {
			if take := a.take.Load(); take != nil {
				(*take)(c)
				return
			}
			c.Ring()
			c.Answer()
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.carrier.Close)
	}, func(b *Box) { dns.stack.Store(b.stack) }, more...)
	a.phone = a.bench.phone("201")
	a.bench.phone("202")
	return a
}

func (a *subscription) status() tel.LineChanged { return a.box.trunks.find("line").trunk.Status() }

// callOut dials a mobile from the phone and returns what the carrier saw, and the status the phone got.
func (a *subscription) callOut() (seen *sip.Request, status string) {
	a.t.Helper()
	return a.dial("3331234567")
}

func (a *subscription) dial(number string) (seen *sip.Request, status string) {
	a.t.Helper()
	d := &testCall{id: "out" + fmt.Sprint(carriers.Load()) + fmt.Sprint(time.Now().UnixNano()), to: "<sip:" + number + "@box>", target: "sip:" + number + "@" + a.sip}
	res := a.phone.ask("INVITE", d, a.phone.sdp(), "")
	status = find(res, `^SIP/2.0 (\d+)`)
	to := headers(res, "To")[0]
	if status == "200" {
		d.target = find(headers(res, "Contact")[0], `<([^>]+)>`)
		d.to = to
		a.phone.ack(d, to, "z9hG4bK"+fmt.Sprint(time.Now().UnixNano()))
		if s := a.phone.hangup(d); s != "200" {
			a.t.Errorf("BYE: %s", s)
		}
	} else {
		a.phone.ack(d, to, d.branch)
	}
	if all := a.carrier.Requests(sip.INVITE); len(all) > 0 {
		seen = all[len(all)-1]
	}
	return seen, status
}

// callIn has a customer call one of our numbers and returns the call, when it is answered or over.
func (a *subscription) callIn(number string) *peer.Call {
	a.t.Helper()
	for _, user := range []string{ourAccount, ourNumber} {
		if _, ok := a.carrier.Registered(user); ok {
			c, err := a.carrier.CallIn(user, peer.Outgoing{To: number, From: customer})
			if err != nil {
				a.t.Fatal(err)
			}
			return a.settled(c)
		}
	}
	c, err := a.carrier.CallAt(netip.MustParseAddrPort(a.sip), number, customer)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.settled(c)
}

func (a *subscription) settled(c *peer.Call) *peer.Call {
	a.t.Helper()
	select {
	case <-c.Answered():
	case <-c.Ended():
	case <-time.After(10 * time.Second):
		a.t.Fatal("the call came to nothing")
	}
	return c
}

// invites counts the calls that rang at a phone.
func invites(p *testPhone) int {
	n := 0
	for _, m := range p.requests() {
		if m == "INVITE" {
			n++
		}
	}
	return n
}

// quirksOf makes the carrier of a preset behave as the preset says that it does.
func quirksOf(t *testing.T, p presets.Preset) peer.Quirks {
	t.Helper()
	q, err := lab.Quirks(p.Quirks, ourNumber)
	if err != nil {
		t.Fatal(err)
	}
	q.Domain, q.FreshNonce = p.Domain, true
	if slices.Contains(p.Asks, "domain") && !slices.Contains(p.Optional, "domain") {
		q.Domain = "customer.example"
	}
	return q
}

// settingsOf is what the owner of an account writes down: what the preset asks for, nothing else.
func settingsOf(p presets.Preset, at netip.AddrPort) (settings string, names []string) {
	settings = "preset: " + p.ID
	names = slices.Clone(p.Servers)
	if p.Proxy != "" {
		names = append(names, p.Proxy)
	}
	user := ourAccount
	if slices.Contains(p.Quirks, "number_e164") {
		user = ourNumber
	}
	for _, field := range p.Asks {
		if slices.Contains(p.Optional, field) {
			continue
		}
		value := map[string]string{
			"server": "sbc.customer.example", "proxy": "proxy.customer.example", "domain": "customer.example", "match": fmt.Sprintf("[%s/32]", at.Addr()),
			"user": fmt.Sprintf("%q", user), "password": ourSecret, "number": fmt.Sprintf("%q", ourNumber),
		}[field]
		settings += ", " + field + ": " + value
		if field == "server" || field == "proxy" {
			names = append(names, value)
		}
	}
	return settings, names
}

func TestEveryPresetRegistersCallsOutAndIsCalledByItsNumber(t *testing.T) {
	all, err := presets.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Fatalf("only %d presets", len(all))
	}
	for _, p := range all {
		t.Run(p.ID, func(t *testing.T) {
			at := netip.AddrPortFrom(newAddress(), uint16(p.Port))
			settings, names := settingsOf(p, at)
			a := openAccount(t, at, names, quirksOf(t, p), settings)
			a.eventually("the trunk is up", func() bool { return a.status().Up })
			if p.Register {
				a.registersAsThePresetSays(p)
			}
			if slices.Contains(p.Quirks, "g729_only") {
				a.speaksNoCommonCodec()
				return
			}
			seen, status := a.callOut()
			if status != "200" {
				t.Fatalf("call out: %s\n%v", status, seen)
			}
			want := "+393331234567"
			if p.NumberOut == "national" { // an analog line dials as people do
				want = "3331234567"
			}
			if seen.Recipient.User != want {
				t.Errorf("called %s, want %s", seen.Recipient.String(), want)
			}
			a.callsComeInByNumber()
			if slices.Contains(p.Quirks, "prack_required") {
				c := a.callIn(ourNumber)
				if c.Acknowledged() == 0 {
					t.Error("the carrier demands 100rel, and the box rang without")
				}
				c.Hangup()
			}
			if s := a.status(); !s.Up || s.Cause != tel.LineOK && s.Cause != tel.LineOneWayAudio {
				t.Errorf("%+v", s)
			}
		})
	}
}

func (a *subscription) registersAsThePresetSays(p presets.Preset) {
	a.t.Helper()
	for _, req := range a.carrier.Requests(sip.REGISTER) {
		if got, want := req.GetHeader("Expires").Value(), fmt.Sprint(int(p.Expires.Seconds())); got != want {
			a.t.Errorf("asks for %s s, want %s", got, want)
		}
		if req.Contact() == nil {
			a.t.Error("asks for the bindings, which some carriers refuse")
		}
		if got := req.Contact().Address.HostPort(); got != a.sip {
			a.t.Errorf("the contact %s is not where the box listens", got)
		}
	}
}

// callsComeInByNumber calls both numbers, each of which leads to its own phone.
func (a *subscription) callsComeInByNumber() {
	a.t.Helper()
	before := invites(a.phone)
	c := a.callIn(ourNumber)
	if status, reason, _ := c.Outcome(); invites(a.phone) != before+1 || status != 0 {
		a.t.Errorf("a call to the main number: %d %s, rang %d times", status, reason, invites(a.phone)-before)
	}
	c.Hangup()
	c = a.callIn(ourSecond)
	if status, reason, _ := c.Outcome(); invites(a.phone) != before+1 || status != 0 {
		a.t.Errorf("a call to the second number: %d %s, rang at the first phone: %v", status, reason, invites(a.phone) != before+1)
	}
	c.Hangup()
	c = a.callIn("+390699999999")
	if status, _, _ := c.Outcome(); status != 404 {
		a.t.Errorf("a call to a number that is not ours is answered with %d, want 404 and no 6xx", status)
	}
}

// speaksNoCommonCodec is what happens with a carrier that takes G.729 only: nothing is connected, and
// the page says why.
func (a *subscription) speaksNoCommonCodec() {
	a.t.Helper()
	if _, status := a.callOut(); status == "200" {
		a.t.Error("a call without a common codec is up")
	}
	a.eventually("the codec is named as the cause", func() bool { return a.status().Cause == tel.LineCodecMismatch })
	c := a.callIn(ourNumber)
	if status, _, _ := c.Outcome(); status != 488 {
		a.t.Errorf("an offer of G.729 alone is answered with %d", status)
	}
}

var _ trunk.Directory = (*hosts)(nil)
