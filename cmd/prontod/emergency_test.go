package main_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// unknown is a phone that the box does not know, at an address of the loopback network.
func unknown(t *testing.T, o *pbxtest.Office, at, user string) *desk {
	t.Helper()
	d := &desk{t: t, hz: hzStranger, rings: make(chan *peer.Call, 8)}
	var err error
	if d.Peer, err = peer.New(peer.Config{
		Listen: netip.AddrPortFrom(netip.MustParseAddr(at), 0), Box: o.SIP, User: user, Law: tone.ALaw, Hz: hzStranger,
		Incoming: func(c *peer.Call) { c.Ring(); d.rings <- c },
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// Whoever stands at a phone reaches help: with no rights, with no account, with a wrong password, with the
// prefix for outside or without. Nobody reaches anything else that way.
func TestEveryPhoneOfTheSiteReachesEmergencyNumbersAndAStrangerNothingElse(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, Dial: map[int]string{201: ""}, LAN: "127.0.0.0/16", Extra: "dialling: {prefix: \"0\"}\n",
	})
	anna := deskAt(t, o, 201, hzAgent)
	carrier := carrierOf(t, o, hzCarrier)
	help := func(when string, c *peer.Call, hz int, number, from string) {
		t.Helper()
		out := carrier.picksUp()
		if out.Called != number {
			t.Errorf("%s: the carrier is asked for %q", when, out.Called)
		}
		if why := o.Alarm("emergency", true); !strings.Contains(why, from) || !strings.Contains(why, number) {
			t.Errorf("%s: the page says %q", when, why)
		}
		talking(t, when, c, hz, out, hzCarrier)
		over(t, c, out)
	}
	if s := anna.refused("00612345678"); s != 403 {
		t.Errorf("a landline from a phone without rights: %d", s)
	}
	for _, dialed := range []string{"112", "0112", "+39112", "0039112", "#31#112", "118"} {
		help("a phone without rights dials "+dialed, anna.dial(dialed), hzAgent, dialed[len(dialed)-3:], "Agent 201")
	}
	stranger := unknown(t, o, "127.0.0.1", "nobody")
	for _, dialed := range []string{"112", "0112", "+39112", "#31#113"} {
		help("a stranger dials "+dialed, stranger.dial(dialed), hzStranger, dialed[len(dialed)-3:], "stranger:127.0.0.1")
	}
	impostor := unknown(t, o, "127.0.0.1", "201") // says that it is a phone of ours, with a wrong password
	help("an impostor dials 112", impostor.dial("112"), hzStranger, "112", "stranger:127.0.0.1")
	for _, dialed := range []string{"201", "400", "*43", "00612345678", "1120", "0112345", "*21112"} {
		if s := stranger.refused(dialed); s != 401 && s != 403 {
			t.Errorf("a stranger who dials %s gets %d", dialed, s)
		}
	}
	if _, err := stranger.Register(t.Context(), time.Hour); err == nil {
		t.Error("a stranger is registered")
	}
	if _, err := stranger.Subscribe(t.Context(), "dialog", "112", time.Minute); err == nil {
		t.Error("a stranger watches 112")
	}
	if s := unknown(t, o, "127.9.0.1", "nobody").refused("112"); s != 401 && s != 403 {
		t.Errorf("112 from outside of the LAN: %d", s)
	}
	carrier.quiet("nothing else may leave")
}

// The only line is taken: the call on it is cut, both parties learn why, and so does the record.
func TestAnEmergencyCallTakesTheOnlyLine(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Modem: true})
	m := modem(t, o)
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	if err := m.Ring(mobileNumber); err != nil {
		t.Fatal(err)
	}
	busy := anna.picksUp()
	o.Lamp(201, tel.AgentTalking)
	help := bruno.dial("112")
	within(t, "the end of the call on the line", busy.Ended())
	if why := busy.Cause(); !strings.Contains(why, "cause=8") && !strings.Contains(why, "preempt") {
		t.Errorf("the agent whose call was cut is told %q", why)
	}
	select {
	case n := <-m.dialed:
		if n != "112" {
			t.Errorf("the modem dials %q", n)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the modem dials nothing")
	}
	if err := m.RemoteAnswer(); err != nil {
		t.Fatal(err)
	}
	answered(t, "112", help)
	hearsTone(t, "Bruno", help, hzModem)
	r := o.CallRecords(1)[0]
	if r.Cause != tel.CausePreempted || r.EndedBy != "box" || r.In != "line:gsm0" {
		t.Errorf("record of the call that was cut: %+v", r)
	}
	help.Hangup()
	o.CallRecords(2)
}

// The installer's test of 112 leads to a phone of the house and never to a line.
func TestTheTestOfAnEmergencyNumberNeverReachesALine(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, Extra: "dialling: {prefix: \"0\"}\n", EmergencyTest: "ext:202"})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	for _, dialed := range []string{"112", "0112", "+39118", "#31#113"} {
		c := anna.dial(dialed)
		at := bruno.picksUp()
		talking(t, dialed, c, hzAgent, at, hzCaller)
		over(t, c, at)
	}
	c := unknown(t, o, "127.0.0.1", "nobody").dial("112")
	over(t, c, bruno.picksUp())
	carrier.quiet("it is a test")
}
