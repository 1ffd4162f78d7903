package main_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What a small box has, at the most (the figures).
const (
	littleMemory   = 192 << 20
	fewDescriptors = 256
)

// The kernel gives the program no more than 192 MB of memory of its own (RLIMIT_DATA: one page more and the program
// dies) and 256 descriptors, while everybody calls and strangers flood it. Who cannot be served gets 503, the talk that
// was up is not disturbed, the program lives, and serves at the end.
func TestABoxWithLittleMemoryAndFewDescriptorsShedsAndServesAtTheEnd(t *testing.T) {
	fast(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070, LAN: "127.0.0.1/32", Queue: "waiting: {greeting: [none]}"})
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	pid, before := o.PID("prontod"), o.Descriptors()
	o.Grant(unix.RLIMIT_DATA, littleMemory)
	o.Grant(unix.RLIMIT_NOFILE, fewDescriptors)

	c, at := connected(t, bruno, anna, "201")
	talking(t, "before", c, hzCaller, at, hzAgent)
	var served []*peer.Call
	refused := 0
	for n := 0; refused < 20; n++ {
		if n == 2*fewDescriptors {
			t.Fatalf("%d callers are served with %d descriptors", len(served), fewDescriptors)
		}
		w := carrier.call(peer.Outgoing{To: pbxtest.DID, From: fmt.Sprintf("+39333%07d", n), Mute: true})
		select {
		case <-w.Answered():
			served = append(served, w)
		case <-w.Ended():
			if status, reason, _ := w.Outcome(); status != 503 {
				t.Fatalf("caller %d is refused with %d %s", n+1, status, reason)
			}
			refused++
		case <-time.After(patience):
			t.Fatalf("caller %d is told nothing", n+1)
		}
	}
	most := o.Descriptors()
	if len(served) < 20 || most > fewDescriptors {
		t.Errorf("only %d callers are served, with %d descriptors", len(served), most)
	}
	for i, name := range []string{"INVITE from 500 addresses", "REGISTER from 500 addresses", "MESSAGE from 500 addresses"} {
		if r := floods[name].run(t, o.SIP, byte(200+i), 600*time.Millisecond); r.sent.Load() == 0 {
			t.Errorf("%s: nothing was sent", name)
		}
	}
	talking(t, "among callers without number", c, hzCaller, at, hzAgent)
	for _, w := range served {
		if isOver(w) {
			t.Errorf("%s, who was let in, is turned away", w.Caller)
		}
		w.Hangup()
	}
	over(t, c, at)
	anna.quietUntilGone(o)
	o.Lamp(201, tel.AgentReady)
	last := carrier.customer(mobileNumber)
	taken := anna.picksUp()
	talking(t, "at the end", last, hzCarrier, taken, hzAgent)
	over(t, last, taken)
	if now := o.PID("prontod"); now != pid || !o.Healthy() {
		t.Errorf("prontod %d is now %d, fit: %v", pid, now, o.Healthy())
	}
	t.Logf("%d callers served, %d refused; %d descriptors before, %d at the most, %d at the end; at most %.1f MB in RAM, %.1f MB of its own of %d",
		len(served), refused, before, most, o.Descriptors(), float64(o.Status("VmHWM"))/1024, float64(o.Status("VmData"))/1024, littleMemory>>20)
}
