package main_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// What carriers do that phones do not.

// What SIPp judges: reliable provisionals, unknown extensions, a late answer, session timers.
func TestCarriersAsSIPpPlaysThem(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Carrier: 5070, In: "ext:202"})
	carrier := o.SIPpCarrier(netip.AddrPort{})
	alice, bob := sit(t, o, 201, hzCaller), sit(t, o, 202, hzAgent)
	o.Line("trunk:carrier", true)
	run := func(t *testing.T, file string) *pbxtest.SIPp {
		return carrier.Run(t, filepath.Join("testdata", "carrier", file), keys{"callee": pbxtest.DID})
	}
	outside := func(t *testing.T) *peer.Call { return alice.dial(t, "0698765432") }

	t.Run("it wants its 183 acknowledged", func(t *testing.T) {
		s := run(t, "prack.xml")
		a := outside(t)
		within(t, "the answer", a.Answered())
		s.Wait()
		ended(t, a)
	})
	t.Run("it calls only with reliable provisionals", func(t *testing.T) {
		s := run(t, "require.xml")
		b := bob.rung(t)
		time.Sleep(300 * time.Millisecond) // for the PRACK
		b.Answer()
		time.Sleep(300 * time.Millisecond)
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
	t.Run("it refreshes the session", func(t *testing.T) {
		s := run(t, "refreshes.xml")
		b := bob.answer(t)
		s.Wait()
		ended(t, b)
	})
	if n, err := o.Now(); err != nil || len(n.Calls) != 0 {
		t.Errorf("calls left: %+v, %v", n.Calls, err)
	}
}
