package party

import (
	"cmp"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// heardWithin is how long an answered call may be without audio before that means something.
const heardWithin = 5 * time.Second

// carried is what a leg keeps of the carrier that brings it. Its zero value is a phone's.
type carried struct {
	trunk *trunk.Trunk
	leave func()    // of a call in: it waits no more for its answer
	since time.Time // when the call was answered
	why   tel.Cause // of a failure, as the carrier's words mean it
}

// dscp is the mark that the carrier wants on audio; 0 = the box's own.
func (c carried) dscp() int {
	if c.trunk == nil {
		return 0
	}
	return c.trunk.Media().DSCP
}

// outgoing says a call to a carrier's trunk in its own words. A caller from outside whose call goes
// outside again was forwarded, by the person whose rights it uses.
func outgoing(to tel.Number, out call.Outgoing) trunk.Outgoing {
	o := trunk.Outgoing{To: to, From: cmp.Or(out.Number, out.From), Withhold: out.Hide, Emergency: out.Emergency, MaxForwards: out.Forwards}
	if _, outside := out.From.E164(); outside && out.Number == "" {
		o.Diverting, o.Why = out.Attempt.Person, diversion(out.Diverted)
	}
	return o
}

// diversion is the reason of a forward in the words of RFC 5806 section 4; empty for none of ours.
func diversion(why tel.Diversion) string {
	switch why {
	case tel.DivertAlways:
		return "unconditional"
	case tel.DivertBusy:
		return "user-busy"
	case tel.DivertNoAnswer:
		return "no-answer"
	case tel.DivertUnreachable:
		return "unavailable"
	case tel.DivertDoNotDisturb:
		return "do-not-disturb"
	}
	return ""
}

// refuse answers a carrier's call that nobody took: with a status that does not close the carrier's
// other ways, as the causes of tel would. It reports false for every other leg.
func (l *leg) refuse(why tel.Cause) bool {
	l.mu.Lock()
	open := l.carried.trunk != nil && l.session().Incoming() && l.carried.since.IsZero()
	l.mu.Unlock()
	if !open {
		return false
	}
	status, q850 := trunk.Refusal(why)
	l.session().Reject(status, sip.NewHeader("Reason", "Q.850;cause="+strconv.Itoa(q850)))
	return true
}

// connected takes note of the answer.
func (l *leg) connected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.carried.since.IsZero() {
		l.carried.since = time.Now()
		l.settled()
		l.o.up(l)
	}
}

// settled takes note that the call was answered or is over.
func (l *leg) settled() {
	if l.carried.leave != nil {
		l.carried.leave()
	}
}

// failed tells the trunk how a call out went, and reads the cause from the carrier's own words.
func (l *leg) failed(e dialog.Rejected) {
	if l.carried.trunk == nil {
		return
	}
	why := trunk.Failure(e.Status, e.Q850)
	l.mu.Lock()
	l.carried.why = why
	l.mu.Unlock()
	l.carried.trunk.Observe(trunk.Outcome{Status: e.Status, Q850: e.Q850, Text: e.Reason})
}

// heard tells the trunk at the end of a call whether audio came from the carrier.
func (l *leg) heard() {
	l.mu.Lock()
	t, since, wanted := l.carried.trunk, l.carried.since, l.media.Direction.Receives()
	l.mu.Unlock()
	if t == nil || since.IsZero() {
		return
	}
	in := l.session().Incoming()
	if !in {
		t.Observe(trunk.Outcome{Status: 200})
	}
	switch got := l.Media().Stats().Received; {
	case got > 0:
		t.Observe(trunk.Outcome{Incoming: in, Status: 200, BothWays: true})
	case wanted && time.Since(since) >= heardWithin:
		t.Observe(trunk.Outcome{Incoming: in, Status: 200, OneWay: true})
	}
}

// forwards is how often a call may still be passed on, as call.Arrival wants it: we take one.
func forwards(req *sip.Request) int {
	h := req.MaxForwards()
	switch {
	case h == nil:
		return 0
	case h.Val() <= 1:
		return -1
	}
	return int(min(h.Val(), 70)) - 1 // more than the usual 70 only prolongs a loop
}
