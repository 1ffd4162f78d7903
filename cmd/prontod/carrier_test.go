package main_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What carriers do that phones do not.

// What SIPp judges: reliable provisionals, unknown extensions, a late answer, session timers.
func TestCarriersAsSIPpPlaysThem(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Carrier: 5070, In: "ext:202"})
	carrier := o.SIPpCarrier(netip.AddrPort{})
	alice, bob := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	o.Line("trunk:carrier", true)
	run := func(t *testing.T, file string) *pbxtest.SIPp {
		return carrier.Run(t, filepath.Join("testdata", "carrier", file), keys{"callee": pbxtest.DID})
	}
	outside := func(t *testing.T) *peer.Call { return alice.dial("0698765432") }

	for name, file := range map[string]string{
		"it wants its 183 acknowledged":                        "prack.xml",
		"its acknowledged 183 is the answer, the 200 has none": "prack-answer.xml",
		"it forgets the answer in the 200 after a 183 with it": "early-answer.xml",
		"two of its forks answer: the second is ended":         "two-answers.xml",
	} {
		t.Run(name, func(t *testing.T) {
			s := run(t, file)
			a := outside(t)
			within(t, "the answer", a.Answered())
			s.Wait()
			ended(t, a)
		})
	}
	t.Run("it calls only with reliable provisionals", func(t *testing.T) {
		s := run(t, "require.xml")
		b := bob.ring()
		carrier.Passed("SIP/2.0 200", "CSeq: 2 PRACK")
		b.Answer()
		carrier.Passed("SIP/2.0 200", "CSeq: 1 INVITE")
		b.Hangup()
		s.Wait()
	})
	t.Run("it requires what nobody knows", func(t *testing.T) { run(t, "unknown.xml").Wait() })
	t.Run("its answer crosses our CANCEL", func(t *testing.T) {
		s := run(t, "late.xml")
		a := outside(t)
		within(t, "ringing", a.Ringing())
		a.Hangup()
		ended(t, a)
		s.Wait()
	})
	t.Run("its caller was answered elsewhere: our phone has missed nothing", func(t *testing.T) {
		s := run(t, "elsewhere.xml")
		b := bob.ring()
		s.Wait()
		ended(t, b)
		if why := b.Cause(); !strings.Contains(why, "SIP;cause=200") {
			t.Errorf("the phone was told %q", why)
		}
	})
	t.Run("it refreshes the session", func(t *testing.T) {
		s := run(t, "refreshes.xml")
		b := bob.picksUp()
		s.Wait()
		ended(t, b)
	})
	o.Until("no call to be left", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
}

// The least interval that the RFC allows is 90 s, so this test waits for 45.
func TestTheBoxRefreshesASessionAndTriesAgainAfterGlare(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070})
	carrier := o.SIPpCarrier(netip.AddrPort{})
	alice := deskAt(t, o, 201, hzCaller)
	o.Line("trunk:carrier", true)
	voice := filepath.Join(t.TempDir(), "tone.alaw")
	if err := os.WriteFile(voice, tone.NewCoder(tone.ALaw).Encode(nil, tone.Sine(hzCarrier, tone.Rate)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := carrier.RunFor(t, 75*time.Second, filepath.Join("testdata", "carrier", "refreshed.xml"), keys{"voice": voice})
	a := alice.dial("0698765432")
	within(t, "the answer", a.Answered())
	allHear(t, "before the refresh", ear{"Alice", a, hzCarrier})
	s.Wait()
	ended(t, a)
	hears(t, "Alice, through the refreshes", tone.Tail(a.Audio().Heard(), 50*tone.Rate, tone.Rate/2), hzCarrier)
}

// office is one with Alice at phone 201, Bob at phone 202, whom the carrier calls, and a carrier.
func office(t *testing.T, incoming func(*peer.Call)) (o *pbxtest.Office, alice, bob *desk, carrier *peer.Peer) {
	t.Helper()
	o = bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, In: "ext:202"})
	alice, bob = deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	carrier, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier, Incoming: incoming})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(carrier.Close)
	o.Line("trunk:carrier", true)
	return o, alice, bob, carrier
}

// strangerAt is a voice of its own at the carrier, for what speaks before the answer.
func strangerAt(t *testing.T, at netip.Addr, hz int) *peer.Stranger {
	t.Helper()
	s, err := peer.NewStranger(at, hz)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestEarlyMediaAndForksOfACarrierAreHeard(t *testing.T) {
	t.Parallel()
	rings := make(chan *peer.Call, 1)
	o, alice, bob, _ := office(t, func(c *peer.Call) { rings <- c })
	first, second := strangerAt(t, o.Carrier, hzModem), strangerAt(t, o.Carrier, hzStranger)

	t.Run("progress without audio is ringing, then the answer is heard", func(t *testing.T) {
		a := alice.dial("0698765432")
		c := <-rings
		c.Progress()
		within(t, "ringing", a.Ringing())
		c.Answer()
		within(t, "the answer", a.Answered())
		allHear(t, "answered", ear{"Alice", a, hzCarrier}, ear{"the carrier", c, hzCaller})
		a.Hangup()
		ended(t, c)
	})
	t.Run("the announcement and the answer come from different places", func(t *testing.T) {
		a := alice.dial("0698765432")
		c := <-rings
		c.Early("", first)
		first.Aim(c.Audio().Remote())
		within(t, "ringing", a.Ringing())
		allHear(t, "before the answer", ear{"Alice", a, hzModem})
		c.Answer()
		within(t, "the answer", a.Answered())
		allHear(t, "answered, while the announcement goes on", ear{"Alice", a, hzCarrier}, ear{"the carrier", c, hzCaller})
		a.Hangup()
		ended(t, c)
		first.Aim(netip.AddrPort{})
	})
	t.Run("two forks speak and a third answers", func(t *testing.T) {
		a := alice.dial("0698765432")
		c := <-rings
		c.Early("fork-one", first)
		first.Aim(c.Audio().Remote())
		within(t, "ringing", a.Ringing())
		allHear(t, "one fork", ear{"Alice", a, hzModem})
		c.Early("fork-two", second)
		second.Aim(c.Audio().Remote())
		time.Sleep(200 * time.Millisecond)
		c.Answer()
		within(t, "the answer", a.Answered())
		allHear(t, "answered", ear{"Alice", a, hzCarrier}, ear{"the carrier", c, hzCaller})
		a.Hangup()
		ended(t, c)
		first.Aim(netip.AddrPort{})
		second.Aim(netip.AddrPort{})
	})
	t.Run("the carrier names another place: it is not called", func(t *testing.T) {
		a := alice.dial("0698765432")
		(<-rings).Redirect("202")
		ended(t, a)
		if status, why, _ := a.Outcome(); status < 400 || len(bob.rings) > 0 {
			t.Errorf("Alice is refused with %d %s; Bob's phone rings: %v", status, why, len(bob.rings) > 0)
		}
	})
	t.Run("an announcement in place of an answer, then a refusal", func(t *testing.T) {
		a := alice.dial("0698765432")
		c := <-rings
		c.Early("", nil)
		within(t, "ringing", a.Ringing())
		allHear(t, "before the refusal", ear{"Alice", a, hzCarrier})
		c.Reject(404)
		ended(t, a)
		if status, why, _ := a.Outcome(); status != 404 {
			t.Errorf("Alice is refused with %d %s", status, why)
		}
	})
}

func TestACallThatBeginsOnHoldIsFilledWithMusic(t *testing.T) {
	t.Parallel()
	rings := make(chan *peer.Call, 1)
	_, alice, bob, carrier := office(t, func(c *peer.Call) { rings <- c })
	again := func(sdp string) string { return sdp }
	t.Run("the carrier answers so", func(t *testing.T) {
		a := alice.dial("0698765432")
		c := <-rings
		c.AnswerWith("inactive")
		within(t, "the answer", a.Answered())
		allHear(t, "on hold", ear{"Alice", a, musicHeard}, ear{"the carrier", c, nothing})
		if err := c.Reoffer(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		allHear(t, "then", ear{"Alice", a, hzCarrier}, ear{"the carrier", c, hzCaller})
		a.Hangup()
		ended(t, c)
	})
	t.Run("the carrier calls so", func(t *testing.T) {
		c, err := carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765432", Direction: "sendonly"})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.picksUp()
		within(t, "the answer", c.Answered())
		allHear(t, "on hold", ear{"Bob", b, musicHeard}, ear{"the carrier", c, nothing})
		if err := c.Reoffer(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		allHear(t, "then", ear{"Bob", b, hzCarrier}, ear{"the carrier", c, hzAgent})
		b.Hangup()
		ended(t, c)
	})
}

func TestACarrierThatOffersNothingIsAnsweredWithAnOffer(t *testing.T) {
	t.Parallel()
	_, _, bob, carrier := office(t, nil)
	c, err := carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765432", Offerless: true})
	if err != nil {
		t.Fatal(err)
	}
	b := bob.picksUp()
	within(t, "the answer", c.Answered())
	allHear(t, "answered", ear{"the carrier", c, hzAgent}, ear{"Bob", b, hzCarrier})
	b.Hangup()
	ended(t, c)
}

// A hundred changes a second, each to another direction or none: the call beside it hears no gap, and
// the call itself is well afterwards.
func TestAStormOfReinvitesLeavesTheAudioAlone(t *testing.T) {
	_, alice, bob, carrier := office(t, nil)
	c, err := carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765432"})
	if err != nil {
		t.Fatal(err)
	}
	b := bob.picksUp()
	within(t, "the answer", c.Answered())
	a, _ := connected(t, alice, bob, "202")
	time.Sleep(100 * time.Millisecond)
	a.Audio().Forget()
	c.Audio().Forget()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		<-tick.C
		if err := c.Reoffer(t.Context(), func(sdp string) string { return sdp }); err != nil {
			t.Fatal(err)
		}
	}
	for who, call := range map[string]*peer.Call{"the call beside": a, "the call itself": c} {
		if gap := call.Audio().Gap(); gap > 300*time.Millisecond {
			t.Errorf("%s was silent for %v", who, gap)
		}
		hears(t, who, call.Audio().Heard(), hzAgent)
	}
	allHear(t, "after the storm", ear{"the carrier", c, hzAgent}, ear{"Bob", b, hzCarrier})
}

func TestWhereBothHangUpAtOnceNothingIsLeft(t *testing.T) {
	t.Parallel()
	o, _, bob, carrier := office(t, nil)
	const calls = 20
	for i := range calls {
		c, err := carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765432"})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.picksUp()
		within(t, "the answer", c.Answered())
		if i%2 == 0 {
			c.Hangup()
			b.Hangup()
		} else {
			b.Hangup()
			c.Hangup()
		}
	}
	carrier.HangUpAll(t.Context())
	bob.HangUpAll(t.Context())
	for _, r := range o.CallRecords(calls) {
		if r.Cause != tel.CauseNormal {
			t.Errorf("call record %+v", r)
		}
	}
	o.Until("no call to be left", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	if n := carrier.Strays() + bob.Strays(); n != 0 {
		t.Errorf("%d responses belonged to nothing", n)
	}
	if strings.Contains(o.Log(), "level=ERROR") {
		t.Error("the log speaks of an error")
	}
}

func TestCustomersOfACarrierAreTransferred(t *testing.T) {
	t.Parallel()
	rings := make(chan *peer.Call, 1)
	o, alice, bob, carrier := office(t, func(c *peer.Call) { rings <- c })
	// customer is in a call with Bob.
	customer := func(t *testing.T) (c, b *peer.Call) {
		c, err := carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: "+390698765432", Hz: hzModem})
		if err != nil {
			t.Fatal(err)
		}
		b = bob.picksUp()
		within(t, "the answer", c.Answered())
		return c, b
	}
	done := func(t *testing.T, by *peer.Call) {
		t.Helper()
		learns(t, by, "200")
		ended(t, by)
	}
	t.Run("to a colleague", func(t *testing.T) {
		c, b := customer(t)
		accepted(t)(b.Refer(t.Context(), "201"))
		a := alice.picksUp()
		done(t, b)
		allHear(t, "transferred", ear{"the customer", c, hzCaller}, ear{"Alice", a, hzModem})
		c.Hangup()
		ended(t, a)
	})
	t.Run("to a number outside, while that one rings", func(t *testing.T) {
		c, b := customer(t)
		accepted(t)(b.Refer(t.Context(), "0655555555"))
		far := <-rings
		far.Ring()
		allHear(t, "ringing", ear{"the customer", c, musicHeard}) // the ringing tone
		far.Answer()
		done(t, b)
		allHear(t, "transferred", ear{"the customer", c, hzCarrier}, ear{"the other", far, hzModem})
		far.Hangup()
		ended(t, c)
	})
	t.Run("who was called outside, to a colleague", func(t *testing.T) {
		a := alice.dial("0698765432")
		far := <-rings
		far.Answer()
		within(t, "the answer", a.Answered())
		accepted(t)(a.Refer(t.Context(), "202"))
		b := bob.picksUp()
		done(t, a)
		allHear(t, "transferred", ear{"the customer", far, hzAgent}, ear{"Bob", b, hzCarrier})
		b.Hangup()
		ended(t, far)
	})
	t.Run("after a question to somebody outside", func(t *testing.T) {
		c, b := customer(t)
		hold(t, b, true)
		asks := bob.dial("0655555555")
		far := <-rings
		far.Answer()
		within(t, "the answer", asks.Answered())
		accepted(t)(b.ReferInto(t.Context(), asks))
		done(t, b)
		ended(t, asks)
		allHear(t, "transferred", ear{"the customer", c, hzCarrier}, ear{"the other", far, hzModem})
		c.Hangup()
		ended(t, far)
	})
	o.Until("no call to be left", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
}

// The caller gives up in the instant of the answer: whichever was first, nothing is left.
func TestWhereACallerGivesUpAtTheAnswerNothingIsLeft(t *testing.T) {
	t.Parallel()
	o, alice, bob, _ := office(t, nil)
	const calls = 20
	for i := range calls {
		a := alice.dial("202")
		b := bob.ring()
		within(t, "ringing", a.Ringing())
		if i%2 == 0 {
			a.Hangup()
			b.Answer()
		} else {
			b.Answer()
			a.Hangup()
		}
		ended(t, a, b)
	}
	o.Until("no call to be left", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	for _, r := range o.CallRecords(calls) {
		if r.Cause != tel.CauseNormal && r.Cause != tel.CauseCancelled {
			t.Errorf("call record %+v", r)
		}
	}
}
