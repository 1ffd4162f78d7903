package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// twice kills prontod two times, far enough apart that the supervisor sees no crash loop, and checks after
// each that the calls are what they were.
func twice(t *testing.T, o *pbxtest.Office, calls int, check func(when string)) {
	t.Helper()
	check("before")
	for _, when := range []string{"after the first crash", "after the second crash"} {
		up := time.Now()
		o.Kill()
		o.Until("the calls", func(n pbxtest.Now) bool { return len(n.Calls) == calls })
		check(when)
		time.Sleep(time.Until(up.Add(3200 * time.Millisecond)))
	}
	o.Phone(201)
}

func colleagues(t *testing.T, s pbxtest.Setup) (o *pbxtest.Office, anna, bruno, carla *desk) {
	t.Helper()
	s.Agents = 3
	o = bench.Start(t, s)
	return o, deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
}

// conversation is an office in which Carla talks with Anna.
func conversation(t *testing.T) (o *pbxtest.Office, anna, bruno *desk, c, at *peer.Call) {
	t.Helper()
	o, anna, bruno, carla := colleagues(t, pbxtest.Setup{})
	c, at = connected(t, carla, anna, "201")
	talking(t, "before", c, hzCaller, at, hzAgent)
	return o, anna, bruno, c, at
}

func TestATalkGoesOnAfterCrashes(t *testing.T) {
	t.Parallel()
	o, _, _, c, at := conversation(t)
	twice(t, o, 1, func(when string) { talking(t, when, c, hzCaller, at, hzAgent) })
	over(t, c, at)
	if r := o.CallRecords(1)[0]; !r.Recovered || r.Cause != tel.CauseNormal {
		t.Errorf("call record %+v", r)
	}
}

// An update leaves the calls to the next program: a talk, a call on hold and one that rings.
func TestCallsGoOnThroughAnUpdate(t *testing.T) {
	t.Parallel()
	o, anna, bruno, carla := colleagues(t, pbxtest.Setup{})
	c := carla.dial("201")
	at := anna.picksUp()
	talking(t, "before the update", c, hzCaller, at, hzAgent)
	other := anna.dial("202")
	rings := bruno.ring()
	o.HandOver()
	o.Until("both calls", func(n pbxtest.Now) bool { return len(n.Calls) == 2 })
	talking(t, "after the update", c, hzCaller, at, hzAgent)
	within(t, "the end of the ring before", rings.Ended())
	talking(t, "answered after the update", other, hzAgent, bruno.picksUp(), hzCarrier)
	hold(t, at, true)
	judge(t, "on hold before the second update", c, at, false, "music")
	o.HandOver()
	o.Until("both calls", func(n pbxtest.Now) bool { return len(n.Calls) == 2 })
	judge(t, "on hold after the second update", c, at, false, "music")
	over(t, c, at)
	other.Hangup()
}

func TestAHeldCallIsHeldAfterCrashesAndResumes(t *testing.T) {
	t.Parallel()
	o, _, _, c, at := conversation(t)
	hold(t, at, true)
	twice(t, o, 1, func(when string) { judge(t, when, c, at, false, "music") })
	hold(t, at, false)
	talking(t, "resumed", c, hzCaller, at, hzAgent)
	over(t, c, at)
}

func TestAParkedCallIsFetchedAfterCrashes(t *testing.T) {
	t.Parallel()
	o, _, bruno, c, at := conversation(t)
	refer(t, at, "*70")
	within(t, "the end at who parked", at.Ended())
	twice(t, o, 1, func(when string) { listen(t, when, c) })
	fetched := bruno.talksTo("701")
	talking(t, "fetched", c, hzCaller, fetched, hzCarrier)
	over(t, c, fetched)
}

func TestAConsultationGoesOnAfterCrashesAndIsTransferred(t *testing.T) {
	t.Parallel()
	o, anna, bruno, c, at := conversation(t)
	hold(t, at, true)
	consult := anna.dial("202")
	target := bruno.picksUp()
	twice(t, o, 2, func(when string) {
		talking(t, when, consult, hzAgent, target, hzCarrier)
		listen(t, when, c)
	})
	if _, err := at.ReferInto(t.Context(), consult); err != nil {
		t.Fatal(err)
	}
	progress(t, at, "200")
	within(t, "Anna's end", consult.Ended())
	talking(t, "transferred", c, hzCaller, target, hzCarrier)
	over(t, c, target)
}

// A blind transfer that rings when the program dies rings on, and still comes back when nobody answers.
func TestATransferThatRingsGoesOnAfterCrashes(t *testing.T) {
	t.Parallel()
	o, _, bruno, c, at := conversation(t)
	refer(t, at, "202")
	var rings *peer.Call
	twice(t, o, 1, func(string) {
		if rings != nil {
			within(t, "the end of the ring before", rings.Ended())
		}
		first := rings == nil
		if rings = bruno.ring(); first {
			progress(t, at, "180") // the box has heard that it rings
		}
	})
	rings.Answer()
	talking(t, "transferred", c, hzCaller, rings, hzCarrier)
	within(t, "Anna's end", at.Ended())
	over(t, c, rings)
}

// A waiting caller keeps the place (the queue's own crash test has many); here the agent is rung again.
func TestACallThatRingsFromAQueueRingsAgainAfterCrashes(t *testing.T) {
	t.Parallel()
	o, anna, _, carla := colleagues(t, pbxtest.Setup{LoggedIn: 1})
	o.Lamp(201, tel.AgentReady)
	c := carla.dial("400")
	var rings *peer.Call
	twice(t, o, 1, func(when string) {
		if rings != nil {
			within(t, "the end of the ring before", rings.Ended())
		}
		rings = anna.ring()
		listen(t, when, c)
	})
	rings.Answer()
	talking(t, "answered", c, hzCaller, rings, hzAgent)
	over(t, c, rings)
}
