package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// leastSession is the shortest interval that anybody may ask for (RFC 4028 section 5).
const leastSession = 90 * time.Second

// A phone promises to refresh its call, goes on talking, and never does: the BYE comes before the session
// ends (RFC 4028 section 10), to both parties.
func TestACallThatNobodyRefreshesIsHungUpBeforeItsSessionExpires(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("left out by -short: it waits for a minute")
	}
	o, anna, _, carla := colleagues(t, pbxtest.Setup{})
	c := carla.call(peer.Outgoing{To: "201", Headers: "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"})
	at := anna.picksUp()
	within(t, "the answer", c.Answered())
	expires := time.After(leastSession)
	talking(t, "at first", c, hzCaller, at, hzAgent)
	select {
	case <-c.Ended():
	case <-expires:
		t.Fatal("the session has expired and the call stands")
	}
	ended(t, at)
	for name, p := range map[string]*peer.Call{"who called": c, "who was called": at} {
		if _, _, byBox := p.Outcome(); !byBox || !strings.Contains(p.Cause(), "cause=102") { // recovery on timer expiry
			t.Errorf("%s: ended by the box: %v, for %q", name, byBox, p.Cause())
		}
	}
	hears(t, "Carla, to the end", tone.Tail(c.Audio().Heard(), 40*tone.Rate, tone.Rate/2), hzAgent)
	if r := o.CallRecords(1)[0]; r.Cause != tel.CauseTimeout {
		t.Errorf("call record %+v", r)
	}
}
