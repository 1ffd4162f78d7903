package main_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// desk is a phone on somebody's desk, or a carrier: what comes in rings there until the test decides.
type desk struct {
	*peer.Peer
	t     *testing.T
	hz    int
	rings chan *peer.Call
}

func deskAt(t *testing.T, o *pbxtest.Office, number, hz int) *desk {
	t.Helper()
	d := &desk{t: t, hz: hz, rings: make(chan *peer.Call, 8)}
	d.Peer = phone(t, o, number, hz, func(c *peer.Call) { c.Ring(); d.rings <- c })
	return d
}

// carrierOf is the network behind the office's trunk.
func carrierOf(t *testing.T, o *pbxtest.Office, hz int) *desk {
	t.Helper()
	d := &desk{t: t, hz: hz, rings: make(chan *peer.Call, 8)}
	var err error
	if d.Peer, err = peer.New(peer.Config{
		Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hz,
		Incoming: func(c *peer.Call) { c.Ring(); d.rings <- c },
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	o.Line("trunk:carrier", true)
	return d
}

// dial begins a call.
func (d *desk) dial(number string) *peer.Call {
	d.t.Helper()
	return d.call(peer.Outgoing{To: number})
}

func (d *desk) call(out peer.Outgoing) *peer.Call {
	d.t.Helper()
	c, err := d.Dial(out)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// customer is a call from the public network to the office.
func (d *desk) customer(number string) *peer.Call {
	d.t.Helper()
	return d.call(peer.Outgoing{To: pbxtest.DID, From: number})
}

// talksTo dials a number and waits for the answer.
func (d *desk) talksTo(number string) *peer.Call {
	d.t.Helper()
	c := d.dial(number)
	answered(d.t, number, c)
	return c
}

// ring is the call that rings here next.
func (d *desk) ring() *peer.Call {
	d.t.Helper()
	select {
	case c := <-d.rings:
		return c
	case <-time.After(10 * time.Second):
		d.t.Fatal("no call comes")
		return nil
	}
}

// picksUp answers the call that rings here next.
func (d *desk) picksUp() *peer.Call {
	d.t.Helper()
	c := d.ring()
	if !c.Answer() {
		d.t.Fatalf("the call of %s is gone before it can be answered", c.Caller)
	}
	return c
}

// quiet fails the test when a call rings here.
func (d *desk) quiet(why string) {
	d.t.Helper()
	select {
	case c := <-d.rings:
		d.t.Errorf("%s: a call of %s for %s rings", why, c.Caller, c.Called)
	default:
	}
}

// code dials a feature code, which the box confirms by two beeps and ends.
func (d *desk) code(code string) {
	d.t.Helper()
	c := d.talksTo(code)
	within(d.t, "the end of "+code, c.Ended())
	if _, _, byBox := c.Outcome(); !byBox {
		d.t.Errorf("%s was not ended by the box", code)
	}
}

// refused dials what the box does not connect, and returns its status.
func (d *desk) refused(number string) int {
	d.t.Helper()
	return refusal(d.t, number, d.dial(number))
}

// refusal is the status with which a call ended that was never answered.
func refusal(t *testing.T, to string, c *peer.Call) int {
	t.Helper()
	select {
	case <-c.Answered():
		t.Fatalf("the call to %s was answered", to)
	case <-c.Ended():
	case <-time.After(15 * time.Second):
		t.Fatalf("the call to %s is not refused", to)
	}
	status, _, _ := c.Outcome()
	return status
}

// answered waits for an answer and says with which status the call failed instead.
func answered(t *testing.T, to string, c *peer.Call) {
	t.Helper()
	select {
	case <-c.Answered():
	case <-c.Ended():
		status, reason, _ := c.Outcome()
		t.Fatalf("the call to %s ended with %d %s", to, status, reason)
	case <-time.After(15 * time.Second):
		t.Fatalf("the call to %s is not answered", to)
	}
}

// over ends a call and waits until the other side knows it.
func over(t *testing.T, c, other *peer.Call) {
	t.Helper()
	c.Hangup()
	within(t, "the end at the other side", other.Ended())
}

// spoken is how long the parties are listened to.
const spoken = 600 * time.Millisecond

// hearing waits until each of them has been sent half a second of audio since Forget, however slowly a busy
// machine lets it come: what is judged after that is what they hear, not how fast.
func hearing(all ...*peer.Call) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !slices.ContainsFunc(all, func(c *peer.Call) bool { return c.Audio().Packets() < 25 }) {
			return
		}
	}
}

// patience bounds every wait for what is heard at once when all is well.
const patience = 15 * time.Second

// settles listens to all of them, window after window, until judge finds them right in one and the same window. What
// was said before a change is on its way for a while yet, and how long is the affair of the machine; a window holds
// nothing that came before it.
func settles(t *testing.T, when string, judge func() error, all ...*peer.Call) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		for _, c := range all {
			c.Audio().Forget()
		}
		time.Sleep(spoken)
		err := judge()
		switch {
		case err == nil:
			return
		case time.Now().After(deadline):
			t.Fatalf("%s: %v", when, err)
		}
	}
}

// each names a party in what is wrong with what it hears.
func each(who string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", who, err)
}

// talking judges what two parties hear from now on: each the other and nobody else.
func talking(t *testing.T, when string, a *peer.Call, hzA int, b *peer.Call, hzB int) {
	t.Helper()
	within(t, when+": the first party to be connected", a.Answered())
	within(t, when+": the second party to be connected", b.Answered())
	eachHears(t, when, tones, a, hzA, b, hzB)
}

// eachHears is talking where the voices are of the test's own.
func eachHears(t *testing.T, when string, voices []int, a *peer.Call, hzA int, b *peer.Call, hzB int) {
	t.Helper()
	settles(t, when, func() error {
		return errors.Join(
			each("first party", tone.Heard(a.Audio().Heard(), hzB, tone.Others(voices, hzB)...)),
			each("second party", tone.Heard(b.Audio().Heard(), hzA, tone.Others(voices, hzA)...)))
	}, a, b)
}

// listen waits until a party hears something that is no silence and no other party: words or music of
// the box.
func listen(t *testing.T, when string, c *peer.Call) {
	t.Helper()
	within(t, when+": the answer", c.Answered())
	c.Audio().Forget()
	var loud float64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		pcm := c.Audio().Heard()
		if loud = tone.Power(pcm); len(pcm) > tone.Rate/4 && loud > tone.Audible {
			for _, hz := range tones {
				if l := tone.Level(pcm, hz); l > loud-3 {
					t.Errorf("%s: %d Hz is heard at %.1f of %.1f dB instead of the box", when, hz, l, loud)
				}
			}
			return
		}
	}
	t.Fatalf("%s: nothing is heard (%.1f dB, %d packets)", when, loud, c.Audio().Packets())
}

// hearsTone waits until a party hears one tone and nobody else.
func hearsTone(t *testing.T, who string, c *peer.Call, hz int) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		c.Audio().Forget()
		time.Sleep(spoken / 2)
		if err = tone.Heard(c.Audio().Heard(), hz, tone.Others(tones, hz)...); err == nil {
			return
		}
	}
	t.Fatalf("%s does not hear %d Hz: %v", who, hz, err)
}

// person is the configuration of "calls" of one phone's person.
func person(number int, calls string, a ...any) map[int]string {
	return map[int]string{number: fmt.Sprintf(calls, a...)}
}
