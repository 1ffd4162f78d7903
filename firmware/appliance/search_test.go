package appliance

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// spare adds a second server to the carrier of an account, and what it does with calls.
func spare(t *testing.T, take func(*peer.Call)) (a *subscription, second *peer.Peer) {
	t.Helper()
	at, other := netip.AddrPortFrom(newAddress(), 5060), netip.AddrPortFrom(newAddress(), 5060)
	second, err := peer.New(peer.Config{Listen: other, Law: tone.ALaw, Accounts: map[string]string{ourAccount: ourSecret}, Incoming: take})
	if err != nil {
		t.Fatal(err)
	}
	a = openAccount(t, at, nil, peer.Quirks{}, plain(at, fmt.Sprintf(", servers: [%q]", other)))
	t.Cleanup(second.Close)
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	return a, second
}

func answer(c *peer.Call) {
	c.Ring()
	c.Answer()
}

func reject(status int) *func(*peer.Call) {
	f := func(c *peer.Call) { c.Reject(status) }
	return &f
}

func TestACallThatOneServerCannotTakeGoesToTheNextOneOfTheSameCarrier(t *testing.T) {
	a, second := spare(t, answer)
	a.take.Store(reject(503))
	if _, status := a.callOut(); status != "200" {
		t.Fatalf("the call ended with %s", status)
	}
	a.eventually("the second server hears the end", func() bool { return len(second.Requests(sip.BYE)) == 1 })
	first := a.carrier.Requests(sip.INVITE)
	if len(first) == 0 {
		t.Fatal("the first server was not asked")
	}
	if got := second.Requests(sip.INVITE)[0]; got.CallID().Value() == first[0].CallID().Value() {
		t.Error("the second call has the Call-ID of the first (RFC 3261 section 8.1.1.4)")
	}
	if got := a.status(); got.Calls != 0 {
		t.Errorf("%d calls are counted at the end", got.Calls)
	}
}

func TestAServerThatSaysNothingIsGivenUpAfterAWhile(t *testing.T) {
	a, second := spare(t, answer)
	a.carrier.Close() // and nobody has noticed yet
	d := &testCall{id: "silent", to: "<sip:3331234567@box>", target: "sip:3331234567@" + a.sip}
	if s := status(a.phone.askFor("INVITE", d, a.phone.sdp(), "", 20*time.Second)); s != "200" {
		t.Fatalf("the call ended with %s", s)
	}
	if n := len(second.Requests(sip.INVITE)); n == 0 {
		t.Error("the second server was not asked")
	}
}

func TestOnlyServersThatAreOutOfOrderPassACallOn(t *testing.T) {
	a, second := spare(t, answer)
	for _, c := range []int{404, 486, 603, 480} {
		a.take.Store(reject(c))
		if _, status := a.callOut(); status == "200" {
			t.Errorf("a call that was refused with %d went on to another server", c)
		}
	}
	if n := len(second.Requests(sip.INVITE)); n != 0 {
		t.Errorf("the second server was asked %d times", n)
	}
}

func TestACallThatNoServerTakesEnds(t *testing.T) {
	a, second := spare(t, *reject(503))
	a.take.Store(reject(503))
	if _, status := a.callOut(); status != "503" {
		t.Errorf("the call ended with %s", status)
	}
	if len(a.carrier.Requests(sip.INVITE)) == 0 || len(second.Requests(sip.INVITE)) == 0 {
		t.Error("a server was not asked")
	}
	a.eventually("no call is left", func() bool { return a.status().Calls == 0 })
}

func TestWhoGivesUpWhileServersAreTriedIsHeard(t *testing.T) {
	rings := make(chan *peer.Call, 1)
	a, second := spare(t, func(c *peer.Call) { c.Ring(); rings <- c })
	a.take.Store(reject(503))
	caller, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(newAddress(), 0), Box: netip.MustParseAddrPort(a.sip), User: "203", Password: "password-of-203", Law: tone.ALaw,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(caller.Close)
	if _, err := caller.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	c, err := caller.Dial(peer.Outgoing{To: "3331234567"})
	if err != nil {
		t.Fatal(err)
	}
	there := <-rings
	c.Hangup()
	select {
	case <-there.Ended():
	case <-time.After(patience):
		t.Fatal("the second server rings on")
	}
	if status, _, byBox := there.Outcome(); status != 487 || !byBox {
		t.Errorf("it ended with %d", status)
	}
	if n := len(second.Requests(sip.CANCEL)); n != 1 {
		t.Errorf("%d CANCELs", n)
	}
}
