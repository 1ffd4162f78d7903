package main_test

import (
	"net/netip"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// The call's record names a session that failed; the one that carries it has another name.
func TestACallThatFoundTheCarriersSecondServerOutlivesACrash(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070, Spare: 5071})
	alice := deskAt(t, o, 201, hzCaller)
	answers := make(chan *peer.Call, 1)
	for port, take := range map[uint16]func(*peer.Call){
		o.CarrierPort:     func(c *peer.Call) { c.Reject(503) },
		o.CarrierPort + 1: func(c *peer.Call) { c.Ring(); c.Answer(); answers <- c },
	} {
		p, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, port), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier, Incoming: take})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
	}
	o.Line("trunk:carrier", true)
	a := alice.talksTo("0698765432")
	c := <-answers
	talking(t, "at first", a, hzCaller, c, hzCarrier)
	o.Kill()
	talking(t, "after the crash", a, hzCaller, c, hzCarrier)
	a.Hangup()
	ended(t, c)
}
