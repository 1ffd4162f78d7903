package main_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The services of RFC 5359 as the box offers them, named by their sections; 2.10 (a conference at a phone)
// is in conference_test.go, 2.18 (click to dial) in click_test.go. 2.11 (a third party joins) is a supervisor's.
// SIPp judges 2.1 and 2.4 here and 2.18 there; baresip and linphone transfer, park and pick up in
// transfer_test.go and daily_test.go.

// connected is a call from one to the other that is answered.
func connected(t *testing.T, from, to *desk, number string) (caller, called *peer.Call) {
	t.Helper()
	caller = from.dial(number)
	called = to.picksUp()
	within(t, "the answer", caller.Answered())
	return caller, called
}

// What somebody hears who hears no party.
const (
	musicHeard = -1
	nothing    = 0
)

// voiced is a level that parties reach, and no single note of the music.
const voiced = -20.0

// ear is a party and what it must hear: the tone of another one, music or nothing.
type ear struct {
	who  string
	call *peer.Call
	hz   int
}

// allHear waits until all of them hear what they must, all in the same moment.
func allHear(t *testing.T, when string, ears ...ear) {
	t.Helper()
	var calls, heard []*peer.Call
	for _, e := range ears {
		calls = append(calls, e.call)
		if e.hz != nothing {
			heard = append(heard, e.call)
		}
	}
	settles(t, when, func() error {
		hearing(heard...)
		var wrong []error
		for _, e := range ears {
			wrong = append(wrong, each(e.who, e.judge()))
		}
		return errors.Join(wrong...)
	}, calls...)
}

// judge says what is wrong with what a party was sent since Forget.
func (e ear) judge() error {
	pcm, packets := e.call.Audio().Heard(), e.call.Audio().Packets()
	switch e.hz {
	case nothing:
		if packets > 4 {
			return fmt.Errorf("%d packets come, want none", packets)
		}
	case musicHeard:
		if packets < 25 || tone.Power(pcm) < -50 {
			return fmt.Errorf("no music: %d packets at %.0f dB", packets, tone.Power(pcm))
		}
		for _, hz := range tones {
			if l := tone.Level(pcm, hz); l > voiced {
				return fmt.Errorf("the tone of %d Hz at %.0f dB instead of music", hz, l)
			}
		}
	default:
		return tone.Heard(pcm, e.hz, tone.Others(tones, e.hz)...)
	}
	return nil
}

// learns judges the last thing that somebody is told of a transfer.
func learns(t *testing.T, c *peer.Call, last string) {
	t.Helper()
	if told := learned(t, c.Notes()); told[len(told)-1] != last {
		t.Errorf("who transferred learns %q, want the end %s", told, last)
	}
}

// learned waits for the NOTIFY that ends a transfer or a click, and returns the statuses that were told.
func learned(t *testing.T, notes <-chan peer.Note) (told []string) {
	t.Helper()
	for timeout := time.After(15 * time.Second); ; {
		select {
		case n := <-notes:
			status, _, _ := strings.Cut(strings.TrimPrefix(n.Body, "SIP/2.0 "), "\r\n")
			told = append(told, status[:min(3, len(status))])
			if n.Type != "message/sipfrag;version=2.0" && n.Type != "message/sipfrag" {
				t.Errorf("NOTIFY of type %q", n.Type)
			}
			if strings.HasPrefix(n.State, "terminated") {
				return told
			}
		case <-timeout:
			t.Fatalf("no NOTIFY ends the transfer; told so far: %q", told)
		}
	}
}

func accepted(t *testing.T) func(int, error) {
	return func(status int, err error) {
		t.Helper()
		if err != nil || status != 202 {
			t.Fatalf("REFER: %d, %v", status, err)
		}
	}
}

func hold(t *testing.T, c *peer.Call, on bool) {
	t.Helper()
	if err := c.Hold(t.Context(), on); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the end of all.
func ended(t *testing.T, calls ...*peer.Call) {
	t.Helper()
	for _, c := range calls {
		within(t, "the end", c.Ended())
	}
}

func TestRFC5359HoldAndTransfer(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)

	t.Run("2.1 and 2.3 call hold, with music", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		allHear(t, "before", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
		hold(t, b, true)
		allHear(t, "held", ear{"Alice", a, musicHeard}, ear{"Bob", b, nothing})
		hold(t, b, false)
		allHear(t, "after", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
		a.Hangup()
		ended(t, b)
	})

	t.Run("2.2 consultation hold", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		hold(t, b, true)
		asks, c := connected(t, bob, carol, "203")
		allHear(t, "consulting", ear{"Alice", a, musicHeard}, ear{"Bob", asks, hzCarrier}, ear{"Carol", c, hzAgent})
		asks.Hangup()
		ended(t, c)
		hold(t, b, false)
		allHear(t, "back", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
		b.Hangup()
		ended(t, a)
	})

	t.Run("2.4 transfer, unattended", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		accepted(t)(b.Refer(t.Context(), "203"))
		c := carol.picksUp()
		learns(t, b, "200")
		ended(t, b)
		allHear(t, "transferred", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
		a.Hangup()
		ended(t, c)
	})

	t.Run("2.4 by somebody who hangs up at once", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		accepted(t)(b.Refer(t.Context(), "203"))
		b.Hangup()
		c := carol.picksUp()
		allHear(t, "transferred", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
		a.Hangup()
		ended(t, c)
	})

	t.Run("2.4 to nobody's number: Bob has his call again", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		accepted(t)(b.Refer(t.Context(), "299"))
		learns(t, b, "404")
		allHear(t, "given back", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
		a.Hangup()
		ended(t, b)
	})

	t.Run("2.4 to a phone that is busy: Bob has his call again", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		accepted(t)(b.Refer(t.Context(), "203"))
		carol.ring().Reject(486)
		learns(t, b, "486")
		allHear(t, "given back", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
		a.Hangup()
		ended(t, b)
	})

	t.Run("2.5 transfer, attended", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		hold(t, b, true)
		asks, c := connected(t, bob, carol, "203")
		accepted(t)(b.ReferInto(t.Context(), asks))
		learns(t, b, "200")
		ended(t, b, asks)
		allHear(t, "transferred", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
		c.Hangup()
		ended(t, a)
	})

	t.Run("2.5 by the caller, while it still rings", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		hold(t, a, true)
		asks := alice.dial("203")
		c := carol.ring()
		within(t, "ringing", asks.Ringing())
		accepted(t)(a.ReferInto(t.Context(), asks))
		c.Answer()
		ended(t, a, asks)
		allHear(t, "transferred", ear{"Bob", b, hzCarrier}, ear{"Carol", c, hzAgent})
		c.Hangup()
		ended(t, b)
	})

	t.Run("2.6 transfer by an instant message", func(t *testing.T) {
		texts := make(chan string, 1)
		dave, err := peer.New(peer.Config{
			Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: "201", Password: pbxtest.Password(201),
			Hz: hzModem, Law: tone.ALaw, Texts: func(_, text string) { texts <- text },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer dave.Close()
		if _, err := dave.Register(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		first, err := dave.Dial(peer.Outgoing{To: "202"})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.picksUp()
		within(t, "the answer", first.Answered())
		if err := bob.Text(t.Context(), "201", fmt.Sprintf("Please call sip:203@%s", o.SIP)); err != nil {
			t.Fatal(err)
		}
		uri := strings.TrimPrefix(<-texts, "Please call ")
		second, err := dave.Dial(peer.Outgoing{To: "203", URI: uri})
		if err != nil {
			t.Fatal(err)
		}
		c := carol.picksUp()
		first.Hangup()
		ended(t, b)
		allHear(t, "transferred", ear{"Dave", second, hzCarrier}, ear{"Carol", c, hzModem})
		c.Hangup()
		ended(t, second)
	})
}

func TestRFC5359HoldAndTransferBySIPp(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, bob, carol := ready(t, o, 201), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	flow := func(name string, more keys) *pbxtest.SIPp {
		more["callee"] = "202"
		return alice.Run(t, filepath.Join("testdata", "rfc5359", name), more)
	}
	s := flow("2.1-hold.xml", keys{})
	b := bob.picksUp() // SIPp holds at once
	allHear(t, "2.1, held", ear{"Bob", b, musicHeard})
	s.Wait()
	ended(t, b)

	s = flow("2.4-transferor.xml", keys{"target": "203"})
	b = bob.picksUp()
	c := carol.ring()
	alice.Passed("NOTIFY ", "SIP/2.0 180") // which the scenario demands to see
	c.Answer()
	s.Wait()
	allHear(t, "2.4, transferred", ear{"Bob", b, hzCarrier}, ear{"Carol", c, hzAgent})
	b.Hangup()
	ended(t, c)
}

func TestRFC5359Forwarding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		section, forward string
		bob              func(*peer.Call)
	}{
		{"2.7 unconditional", "always", nil},
		{"2.8 busy", "busy", func(c *peer.Call) { c.Reject(486) }},
		{"2.9 no answer", "no_answer", func(*peer.Call) {}},
	} {
		t.Run(c.section, func(t *testing.T) {
			o := bench.Start(t, pbxtest.Setup{Agents: 3, Calls: map[int]string{202: fmt.Sprintf("ring: 5s, forward: {%s: \"ext:203\"}", c.forward)}})
			alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
			a := alice.dial("202")
			if c.bob != nil {
				rings := bob.ring()
				c.bob(rings)
				ended(t, rings)
			}
			b := carol.picksUp()
			within(t, "the answer", a.Answered())
			allHear(t, "forwarded", ear{"Alice", a, hzCarrier}, ear{"Carol", b, hzCaller})
			a.Hangup()
			ended(t, b)
			if c.bob == nil && len(bob.rings) > 0 {
				t.Error("Bob's phone rang")
			}
			r := o.CallRecords(1)[0]
			if r.To != "202" || r.Out != "phone:203" {
				t.Errorf("call record %+v", r)
			}
			if len(r.Moves) != 1 || r.Moves[0].Kind != tel.MoveForward || r.Moves[0].By != "ext:202" || r.Moves[0].To != "ext:203" || string(r.Moves[0].Why) != c.forward {
				t.Errorf("the record does not say that the call was sent on: %+v", r)
			}
		})
	}
}

func TestRFC5359Section2_12FindMe(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Calls: map[int]string{202: `follow: [{to: "ext:203", after: 1s}]`}})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	a := alice.dial("202")
	b := bob.ring()
	c := carol.picksUp()
	ended(t, b)
	if why := b.Cause(); !strings.Contains(why, "SIP") || !strings.Contains(why, "cause=200") {
		t.Errorf("the phone that lost was told %q, want RFC 3326's call completed elsewhere", why)
	}
	within(t, "the answer", a.Answered())
	allHear(t, "found", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
	c.Hangup()
	ended(t, a)
}

func TestRFC5359Screening(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "ext:201", Dial: map[int]string{201: "internal"},
		Calls: map[int]string{201: `blocked: ["+39333*"], anonymous: reject`},
	})
	alice := deskAt(t, o, 201, hzCaller)
	outside := make(chan *peer.Call, 1)
	carrier, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier, Incoming: func(c *peer.Call) { outside <- c }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(carrier.Close)
	o.Line("trunk:carrier", true)
	for _, c := range []struct {
		section, from string
		status        int // 0: the phone rings
	}{
		{"2.13 incoming: who is blocked", "+393331234567", 486},
		{"2.13 incoming: who hides", "anonymous", 433},
		{"2.13 incoming: who is welcome", "+390698765432", 0},
	} {
		t.Run(c.section, func(t *testing.T) {
			call, err := carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			if c.status == 0 {
				b := alice.picksUp()
				within(t, "the answer", call.Answered())
				call.Hangup()
				ended(t, b)
				return
			}
			ended(t, call)
			if status, why, _ := call.Outcome(); status != c.status {
				t.Errorf("refused with %d %s, want %d", status, why, c.status)
			}
			if len(alice.rings) > 0 {
				t.Error("the phone rang")
			}
		})
	}
	t.Run("2.14 outgoing: what the person may not dial", func(t *testing.T) {
		call := alice.dial("0698765432")
		ended(t, call)
		if status, why, _ := call.Outcome(); status != 403 {
			t.Errorf("refused with %d %s, want 403", status, why)
		}
		if len(outside) > 0 {
			t.Error("the carrier was called")
		}
	})
}

func TestRFC5359ParkAndPickup(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)

	t.Run("2.15 call park", func(t *testing.T) {
		a, b := connected(t, alice, bob, "202")
		accepted(t)(b.Refer(t.Context(), "*70"))
		learns(t, b, "200")
		ended(t, b)
		allHear(t, "parked", ear{"Alice", a, musicHeard})
		c := carol.dial("701")
		within(t, "the answer", c.Answered())
		allHear(t, "fetched", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
		a.Hangup()
		ended(t, c)
	})

	// Carol's phone sees the call in a dialog document and takes it by Replaces, as its key does.
	t.Run("2.16 call pickup", func(t *testing.T) {
		keys := subscribe(t, carol.Peer, "dialog", "202")
		a := alice.dial("202")
		b := bob.ring()
		rings := note(t, keys, "<state>early</state>", `remote-tag="`)
		attribute := func(name string) string {
			m := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(rings.Body)
			if m == nil {
				t.Fatalf("no %s in %s", name, rings.Body)
			}
			return m[1]
		}
		c, err := carol.Dial(peer.Outgoing{To: "202", Headers: fmt.Sprintf("Replaces: %s;to-tag=%s;from-tag=%s;early-only\r\nRequire: replaces\r\n",
			attribute("call-id"), attribute("local-tag"), attribute("remote-tag"))})
		if err != nil {
			t.Fatal(err)
		}
		within(t, "the answer", c.Answered())
		within(t, "the answer", a.Answered())
		ended(t, b)
		allHear(t, "picked up", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
		c.Hangup()
		ended(t, a)
	})
}

// A call that is up is taken over by who names its dialog (RFC 3891 section 3).
func TestRFC3891TheCallOfAColleagueIsTakenOver(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	a, b := connected(t, alice, bob, "202")
	take := func(t *testing.T, replaces string) *peer.Call {
		t.Helper()
		c, err := carol.Dial(peer.Outgoing{To: "202", Headers: "Replaces: " + replaces + "\r\nRequire: replaces\r\n"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, wrong := range map[string]struct {
		replaces string
		status   int
	}{
		"a dialog that nobody has": {"nobody;to-tag=a;from-tag=b", 481},
		"only if it still rings":   {b.Replaces() + ";early-only", 486},
	} {
		c := take(t, wrong.replaces)
		ended(t, c)
		if status, why, _ := c.Outcome(); status != wrong.status {
			t.Errorf("%s: %d %s, want %d", name, status, why, wrong.status)
		}
	}
	allHear(t, "undisturbed", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
	c := take(t, b.Replaces())
	within(t, "the answer", c.Answered())
	ended(t, b)
	allHear(t, "taken over", ear{"Alice", a, hzCarrier}, ear{"Carol", c, hzCaller})
	a.Hangup()
	ended(t, c)
}

// The box watches for the phone: who wished so is called as soon as the other is free.
func TestRFC5359Section2_17AutomaticRedial(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 203, hzCarrier)
	free := make(chan *peer.Call, 2)
	var busy atomic.Bool
	busy.Store(true)
	phone(t, o, 202, hzAgent, func(c *peer.Call) {
		if busy.Load() {
			c.Reject(486)
			return
		}
		c.Ring()
		free <- c
	})
	first := alice.dial("202")
	ended(t, first)
	if status, _, _ := first.Outcome(); status != 486 {
		t.Fatalf("the first call ended with %d", status)
	}
	busy.Store(false)
	c := carol.dial("202") // which keeps Bob's phone in a call while Alice wishes
	other := <-free
	other.Answer()
	within(t, "the answer", c.Answered())
	wish := alice.dial("*37")
	within(t, "the answer", wish.Answered())
	within(t, "the end", wish.Ended())
	c.Hangup()
	ended(t, other)
	a := alice.picksUp()
	select {
	case b := <-free:
		b.Answer()
		allHear(t, "called again", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
		a.Hangup()
		ended(t, b)
	case <-time.After(10 * time.Second):
		t.Fatal("Bob's phone does not ring")
	}
}

// Who has the right to supervise joins a conversation by naming its dialog (RFC 3911), and all three hear
// each other.
func TestRFC5359Section2_11AThirdPartyJoins(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Extra: agreed, Supervises: map[int]string{203: "agent:agent202"}})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	a, b := connected(t, alice, bob, "202")
	join := func(t *testing.T, from *desk, named string) *peer.Call {
		t.Helper()
		return from.call(peer.Outgoing{To: "202", Headers: "Join: " + named + "\r\nRequire: join\r\n"})
	}
	if status := refusal(t, "nobody", join(t, carol, "nobody;to-tag=a;from-tag=b")); status != 481 {
		t.Errorf("a dialog that nobody has: %d", status)
	}
	c := join(t, carol, b.Replaces())
	within(t, "the answer", c.Answered())
	hear(t, "joined", party{"Alice", a, []int{hzAgent, hzCarrier}}, party{"Bob", b, []int{hzCaller, hzCarrier}}, party{"Carol", c, []int{hzCaller, hzAgent}})
	c.Hangup()
	talking(t, "when Carol has left", a, hzCaller, b, hzAgent)
	over(t, a, b)
}
