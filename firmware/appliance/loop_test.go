package appliance

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// loops is an account whose main number leads to a number that its carrier forwards to that very number.
func loops(t *testing.T) *subscription {
	t.Helper()
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	a.apply(func(c *config.Config) { c.Trunks[0].In[ourNumber] = "outside:+390699999999" })
	return a
}

func TestACallThatGoesRoundEndsAndDoesNotMultiply(t *testing.T) {
	a := loops(t)
	take := func(c *peer.Call) { a.carrier.PassBack(c, ourAccount, ourNumber, "") }
	a.take.Store(&take)
	a.apply(func(c *config.Config) { // a second way out, and the same there: each lap could be two
		c.Routes[0].Via = append(c.Routes[0].Via, c.Routes[0].Via[0])
	})
	c := a.into(ourNumber)
	select {
	case <-c.Ended():
	case <-time.After(20 * time.Second):
		t.Fatal("the call goes round and round")
	}
	if status, reason, _ := c.Outcome(); status != 483 {
		t.Errorf("it ended with %d %s, want 483", status, reason)
	}
	laps := a.carrier.Requests(sip.INVITE)
	left := map[string]bool{}
	for _, req := range laps {
		left[req.MaxForwards().Value()] = true
	}
	if len(left) < 30 || len(left) > 36 || !left["69"] {
		t.Errorf("%d laps with Max-Forwards %v", len(left), left)
	}
	if len(laps) > 2*len(left) { // an INVITE is repeated once for the password
		t.Errorf("%d INVITEs for %d laps", len(laps), len(left))
	}
	a.eventually("no call is left", func() bool { return a.status().Calls == 0 })
}

func TestACarrierThatMakesEachLapANewCallIsFoundOutToo(t *testing.T) {
	a := loops(t)
	take := func(c *peer.Call) {
		c.Forwards = 70
		a.carrier.PassBack(c, ourAccount, ourNumber, "")
	}
	a.take.Store(&take)
	for range 2 { // and the second caller is not taken for the first
		c := a.settled(a.into(ourNumber))
		if status, reason, _ := c.Outcome(); status != 482 && status != 483 {
			t.Errorf("it ended with %d %s", status, reason)
		}
		a.eventually("no call is left", func() bool { return a.status().Calls == 0 })
	}
	if n := len(a.carrier.Requests(sip.INVITE)); n > 2*2*32 { // two calls, each INVITE once more with the password
		t.Errorf("%d INVITEs", n)
	}
	a.take.Store(nil)
	c := a.settled(a.into(ourNumber))
	if status, reason, _ := c.Outcome(); status != 0 {
		t.Errorf("a call that does not go round: %d %s", status, reason)
	}
	c.Hangup()
}

// into begins a call of a customer.
func (a *subscription) into(number string) *peer.Call {
	a.t.Helper()
	c, err := a.carrier.CallIn(ourAccount, peer.Outgoing{To: number, From: customer})
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// An Italian number that comes through a carrier abroad may be false: the page says so beside it, and so
// does the record; beside the line it says that calls out with such a number are blocked.
func TestAnItalianNumberFromAbroadIsMarkedOnThePageAndInTheRecord(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ", country: ch"))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	for _, c := range []struct {
		caller string
		marked bool
	}{{"+390698765432", true}, {"+41446681800", false}} {
		call, err := a.carrier.CallIn(ourAccount, peer.Outgoing{To: ourNumber, From: c.caller})
		if err != nil {
			t.Fatal(err)
		}
		a.settled(call)
		a.eventually("the page marks the number or not", func() bool {
			_, ok := now(a.bench, func(e tel.CallChanged) bool {
				return e.Via == "trunk:line" && e.From == tel.Number(c.caller) && e.ForeignCLI == c.marked
			})
			return ok && strings.Contains(a.page(), "può essere falso") == c.marked && strings.Contains(a.page(), "Operatore estero con un numero italiano")
		})
		call.Hangup()
		a.eventually("the record marks the number or not", func() bool {
			return a.ended(func(e tel.CallEnded) bool { return e.From == tel.Number(c.caller) && e.ForeignCLI == c.marked })
		})
	}
}

// ended reports whether the history holds the record of such a call.
func (a *subscription) ended(such func(tel.CallEnded) bool) (found bool) {
	err := a.box.history.Read(0, func(r journal.Record) error {
		if e, err := cdr.Decode(r.Kind, r.Body); err == nil {
			end, is := e.(tel.CallEnded)
			found = found || is && such(end)
		}
		return nil
	})
	return err == nil && found
}

func TestWhoForwardedACallToUsIsShownAndWrittenDown(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	take := func(c *peer.Call) {
		a.carrier.PassBack(c, ourAccount, ourNumber, "Diversion: <sip:+390688888888@carrier>;reason=unconditional\r\n")
	}
	a.take.Store(&take)
	caller := a.bench.phone("203")
	talk := caller.call("0688888888")
	a.eventually("the page names who forwarded", func() bool {
		_, ok := now(a.bench, func(e tel.CallChanged) bool { return e.Via == "trunk:line" && e.DivertedBy == "+390688888888" })
		return ok && strings.Contains(a.page(), "inoltrata da")
	})
	caller.hangup(talk)
	a.eventually("the record names who forwarded", func() bool {
		return a.ended(func(e tel.CallEnded) bool { return e.In == "trunk:line" && e.DivertedBy == "+390688888888" })
	})
}
