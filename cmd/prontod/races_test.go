package main_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var racesFlag = flag.Int("races.rounds", 200, "how often each crossing of the races is driven (soak: more)")

func raceRounds() int {
	if testing.Short() {
		return 20
	}
	return *racesFlag
}

// race is an office with one agent in which two messages cross again and again.
type race struct {
	t       *testing.T
	o       *pbxtest.Office
	anna    *desk // the agent
	carrier *desk
	r       *rand.Rand
	dialled int

	mu   sync.Mutex // guards came
	came []*peer.Call
}

func newRace(t *testing.T, wrapUp time.Duration) *race {
	t.Helper()
	w := &race{t: t, r: rand.New(rand.NewPCG(1, 2))}
	w.o = bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070, WrapUp: wrapUp})
	w.anna = &desk{t: t, hz: hzAgent, rings: make(chan *peer.Call, 8)}
	w.anna.Peer = phone(t, w.o, 201, hzAgent, func(c *peer.Call) {
		w.rang(c)
		c.Ring()
		w.anna.rings <- c
	})
	w.carrier = carrierOf(t, w.o, hzCarrier)
	w.o.Lamp(201, tel.AgentReady)
	return w
}

// rang notes what came to the agent's phone.
func (w *race) rang(c *peer.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came = append(w.came[max(0, len(w.came)-5):], c)
}

// alone demands that nothing else is at the agent's phone: no call has ever come while another one had no
// final answer, and the BYE of a conversation may at most be on its way.
func (w *race) alone(with *peer.Call) {
	w.t.Helper()
	if n := w.anna.Doubles(); n > 0 {
		w.t.Fatalf("the phone rang for two callers at once, %d times", n)
	}
	w.mu.Lock()
	came := slices.Clone(w.came)
	w.mu.Unlock()
	for _, other := range came {
		if other != with {
			within(w.t, "the end of what else is at the phone", other.Ended())
		}
	}
}

// customer calls from a number that nobody else has.
func (w *race) customer() *peer.Call {
	w.t.Helper()
	w.dialled++
	return w.carrier.customer(number(w.dialled))
}

// number is that of the nth customer.
func number(n int) string { return fmt.Sprintf("+39333%07d", n) }

// ring is the ring for the latest customer, or one of the latest; those of earlier ones, which lost
// their races, must end.
func (w *race) ring(latest int) *peer.Call {
	w.t.Helper()
	for {
		c := w.anna.ring()
		if c.Caller > number(w.dialled-latest) {
			w.alone(c)
			return c
		}
		within(w.t, "the end of an earlier ring", c.Ended())
	}
}

// picksUp answers that ring.
func (w *race) picksUp(latest int) *peer.Call {
	w.t.Helper()
	c := w.ring(latest)
	if !c.Answer() {
		w.t.Fatalf("the call of %s is gone before it can be answered", c.Caller)
	}
	return c
}

// cross does two things one right after the other, in either order.
func (w *race) cross(a, b func()) {
	if w.r.IntN(2) == 0 {
		a, b = b, a
	}
	a()
	b()
}

// command gives the agent a command as a supervisor does.
func (w *race) command(command string) {
	w.t.Helper()
	body, status, err := control.Ask(w.t.Context(), w.o.Dir, http.MethodPost, "/agents/agent201/"+command)
	if err != nil || status != http.StatusNoContent {
		w.t.Fatalf("%s: %d %s %v", command, status, body, err)
	}
}

func (w *race) agentIs(want tel.AgentState) {
	w.t.Helper()
	w.o.Until("the agent to be "+want.String(), func(n pbxtest.Now) bool { return n.Agents["agent201"].State == want })
}

// run drives the rounds and judges the whole: the phone never had two calls, nobody is left anywhere, each
// call and each wait has one record, and who was answered says by whom.
func (w *race) run(round func()) {
	w.t.Helper()
	for i := range raceRounds() {
		if round(); w.anna.Doubles() > 0 {
			w.t.Errorf("the phone rang for two callers at once")
		}
		if w.t.Failed() {
			w.t.Fatalf("round %d", i+1)
		}
	}
	n := w.o.Until("an empty office", func(n pbxtest.Now) bool { return len(n.Calls)+len(n.Waits)+len(n.Offers) == 0 })
	if s := n.Agents["agent201"].State; s == tel.AgentReserved || s == tel.AgentRinging || s == tel.AgentTalking {
		w.t.Errorf("the agent is stuck: %+v", n.Agents["agent201"])
	}
	w.alone(nil)
	agents := map[tel.CallID]tel.AgentID{}
	for _, c := range w.o.CallRecords(w.dialled) {
		agents[c.Call] = c.Agent
	}
	outcomes := map[tel.QueueOutcome]int{}
	for _, q := range w.o.WaitRecords(w.dialled) {
		outcomes[q.Outcome]++
		if agent, ok := agents[q.Call]; !ok || agent != q.Agent || (q.Outcome == tel.OutcomeAnswered) != (q.Agent != "") {
			w.t.Errorf("the records of call and wait disagree: %q and %+v", agent, q.QueueLeft)
		}
		delete(agents, q.Call) // one wait of each call
	}
	if outcomes[tel.OutcomeAnswered]+outcomes[tel.OutcomeAbandoned] != w.dialled {
		w.t.Errorf("%d calls ended as %v", w.dialled, outcomes)
	}
	w.t.Logf("%d rounds, %v", raceRounds(), outcomes)
}

func TestRaceAnswerAndTheCallersHangUp(t *testing.T) {
	t.Parallel()
	w := newRace(t, 0)
	w.run(func() {
		c := w.customer()
		ring := w.ring(1)
		w.cross(func() { ring.Answer() }, c.Hangup)
		within(t, "the caller's end", c.Ended())
		within(t, "the agent's end", ring.Ended())
		w.agentIs(tel.AgentReady)
	})
}

// A phone that has said nothing yet cannot be sent a CANCEL (RFC 3261 section 9.1): until it has, and the
// first call is through with it, the next caller must not ring there.
func TestRaceTheNextCallerAndACancelThatHasToWait(t *testing.T) {
	t.Parallel()
	w := newRace(t, 0)
	w.anna.Think(5 * time.Millisecond)
	w.run(func() {
		first := w.customer()
		w.o.Until("the offer", func(n pbxtest.Now) bool { return len(n.Offers) == 1 })
		var next *peer.Call
		w.cross(first.Hangup, func() { next = w.customer() })
		within(t, "the first caller's end", first.Ended())
		at := w.picksUp(1)
		next.Hangup()
		within(t, "the agent's end", at.Ended())
		w.agentIs(tel.AgentReady)
	})
}

func TestRaceTwoCallersForOneAgent(t *testing.T) {
	t.Parallel()
	w := newRace(t, 0)
	w.run(func() {
		calls := []*peer.Call{w.customer(), w.customer()}
		first := w.picksUp(2)
		waits := calls[0]
		if first.Caller == number(w.dialled-1) {
			waits = calls[1]
		}
		w.o.Until("one to talk and one to wait", func(n pbxtest.Now) bool {
			return n.Agents["agent201"].State == tel.AgentTalking && len(n.Waits) == 1
		})
		w.cross(first.Hangup, func() { // the one who waits may give up at this moment, too
			if w.r.IntN(2) == 0 {
				waits.Hangup()
			}
		})
		within(t, "the first conversation's end", first.Ended())
		w.o.Until("the next one to ring, or nobody to be there", func(n pbxtest.Now) bool {
			return len(n.Offers) == 1 && n.Agents["agent201"].State == tel.AgentRinging || len(n.Calls)+len(n.Waits) == 0
		})
		for _, c := range calls {
			c.Hangup()
			within(t, "a caller's end", c.Ended())
		}
		w.agentIs(tel.AgentReady)
	})
}

func TestRaceAnswerAndAPause(t *testing.T) {
	t.Parallel()
	w := newRace(t, 0)
	w.run(func() {
		c := w.customer()
		ring := w.ring(1)
		w.cross(func() { ring.Answer() }, func() { w.command("pause") })
		w.o.Until("the pause, or a conversation before it", func(n pbxtest.Now) bool {
			s := n.Agents["agent201"].State
			return s == tel.AgentPaused || s == tel.AgentTalking
		})
		c.Hangup()
		within(t, "the caller's end", c.Ended())
		within(t, "the agent's end", ring.Ended())
		w.agentIs(tel.AgentPaused)
		w.command("resume")
		w.agentIs(tel.AgentReady)
	})
}

func TestRaceLogoutInAfterCallWork(t *testing.T) {
	t.Parallel()
	w := newRace(t, time.Minute)
	w.run(func() {
		c := w.customer()
		at := w.picksUp(1)
		w.agentIs(tel.AgentTalking)
		w.cross(at.Hangup, func() { w.command("logout") })
		within(t, "the caller's end", c.Ended())
		w.agentIs(tel.AgentLoggedOut)
		next := w.customer()
		w.o.Until("the next caller to wait", func(n pbxtest.Now) bool { return len(n.Waits) == 1 && len(n.Offers) == 0 })
		w.command("login")
		at = w.picksUp(1)
		w.agentIs(tel.AgentTalking)
		next.Hangup()
		within(t, "the agent's end", at.Ended())
		w.agentIs(tel.AgentWrapUp)
		w.cross(func() { w.command("logout") }, func() { c = w.customer() }) // out of after-call work, while somebody calls
		w.agentIs(tel.AgentLoggedOut)
		w.o.Until("the caller to wait", func(n pbxtest.Now) bool { return len(n.Waits) == 1 && len(n.Offers) == 0 })
		w.cross(c.Hangup, func() { w.command("login") })
		within(t, "the caller's end", c.Ended())
		w.agentIs(tel.AgentReady)
	})
}

func TestRaceAnswerAndALostRegistration(t *testing.T) {
	t.Parallel()
	w := newRace(t, 0)
	register := func(expires time.Duration) {
		if _, err := w.anna.Register(t.Context(), expires); err != nil {
			t.Error(err)
		}
	}
	w.run(func() {
		c := w.customer()
		ring := w.ring(1)
		w.cross(func() { ring.Answer() }, func() { register(0) })
		w.o.Until("the loss, or a conversation before it", func(n pbxtest.Now) bool {
			s := n.Agents["agent201"].State
			return s == tel.AgentUnreachable || s == tel.AgentTalking
		})
		c.Hangup()
		within(t, "the caller's end", c.Ended())
		within(t, "the agent's end", ring.Ended())
		w.agentIs(tel.AgentUnreachable)
		register(time.Hour)
		w.agentIs(tel.AgentReady)
	})
}
