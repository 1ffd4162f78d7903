package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// agreed is the legal basis of the offices below.
const agreed = `
supervision:
  legal_basis: {kind: union_agreement, reference: "7/2026", date: "2026-01-31", purposes: [quality, training]}
  tone: false
`

const hzBoss = hzModem

// floor is an office whose agent Anna, at 201, talks with a customer, and whose supervisor is at 203.
// Bruno, at 202, rings until the test decides.
type floor struct {
	*pbxtest.Office
	t                          *testing.T
	anna, bruno, boss, carrier *desk
	customer, at               *peer.Call
	sara                       *pbxtest.Visitor // the supervisor at the page, where a test has signed her in
}

func floorOf(t *testing.T, s pbxtest.Setup) *floor {
	t.Helper()
	s.Agents, s.LoggedIn, s.Carrier, s.WrapUp = 3, 1, 5070, time.Minute
	if s.Supervises == nil {
		s.Supervises = map[int]string{203: "queue:sales, agent:agent201, agent:agent202"}
	}
	o := bench.Start(t, s)
	f := &floor{Office: o, t: t, anna: deskAt(t, o, 201, hzAgent), bruno: deskAt(t, o, 202, hzCaller), boss: deskAt(t, o, 203, hzBoss), carrier: carrierOf(t, o, hzCarrier)}
	o.Lamp(201, tel.AgentReady)
	f.customer = f.carrier.customer(mobileNumber)
	f.at = f.anna.picksUp()
	talking(t, "before", f.customer, hzCarrier, f.at, hzAgent)
	return f
}

// party is somebody in a conversation and the tones that must be heard there, no others.
type party struct {
	who  string
	call *peer.Call
	hz   []int
}

// hear waits until all of them hear just what they shall, all in the same moment.
func hear(t *testing.T, when string, all ...party) {
	t.Helper()
	var calls []*peer.Call
	for _, p := range all {
		calls = append(calls, p.call)
	}
	settles(t, when, func() error {
		var wrong []error
		for _, p := range all {
			pcm := p.call.Audio().Heard()
			for _, hz := range tones {
				level, shall := tone.Level(pcm, hz), slices.Contains(p.hz, hz)
				if shall != (level > tone.Audible) || !shall && level > tone.Audible-10 {
					wrong = append(wrong, fmt.Errorf("%s hears %d Hz at %.0f dB", p.who, hz, level))
				}
			}
		}
		return errors.Join(wrong...)
	}, calls...)
}

// three judges customer, agent and supervisor, each by whom it hears.
func (f *floor) three(when string, agent, boss *peer.Call, hzOfAgent int, mode tel.SupervisionMode) {
	f.t.Helper()
	customerHears, agentHears := []int{hzOfAgent}, []int{hzCarrier}
	if mode == tel.SuperviseWhisper || mode == tel.SuperviseBarge {
		agentHears = append(agentHears, hzBoss)
	}
	if mode == tel.SuperviseBarge {
		customerHears = append(customerHears, hzBoss)
	}
	hear(f.t, when, party{"the customer", f.customer, customerHears}, party{"the agent", agent, agentHears}, party{"the supervisor", boss, []int{hzCarrier, hzOfAgent}})
}

// watched waits until lamp and page say how an agent is supervised; empty: not.
func (f *floor) watched(agent string, mode tel.SupervisionMode) {
	f.t.Helper()
	id := tel.AgentID(agent)
	f.Until(fmt.Sprintf("%s to be supervised in mode %q", agent, mode), func(n pbxtest.Now) bool {
		return n.Supervised[id].Mode == mode && n.Lamps[id].Watched == (mode != "")
	})
}

// supervised are the spans in the record of a call.
func supervised(r tel.CallEnded) string {
	var all []string
	for _, s := range r.Supervised {
		all = append(all, fmt.Sprintf("%s %s by %s: %s", s.Mode, s.Agent, s.By, s.Why))
	}
	return strings.Join(all, ", ")
}

// recordOf waits until recordd has n records and returns the customer's.
func (f *floor) recordOf(n int) tel.CallEnded {
	f.t.Helper()
	for _, r := range f.CallRecords(n) {
		if r.In == "trunk:carrier" {
			return r.CallEnded
		}
	}
	f.t.Fatal("the customer's call is not on record")
	return tel.CallEnded{}
}

func TestASupervisorListensWhispersAndBargesByKeysAndTheLampSaysSo(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: agreed})
	boss := f.boss.talksTo("*51201")
	f.three("listen", f.at, boss, hzAgent, tel.SuperviseListen)
	f.watched("agent201", tel.SuperviseListen)
	boss.Audio().Press("5")
	f.three("whisper", f.at, boss, hzAgent, tel.SuperviseWhisper)
	f.watched("agent201", tel.SuperviseWhisper)
	boss.Audio().Press("6")
	f.three("barge", f.at, boss, hzAgent, tel.SuperviseBarge)
	boss.Audio().Press("4")
	f.three("listen again", f.at, boss, hzAgent, tel.SuperviseListen)
	f.customer.Audio().Press("9")
	for deadline := time.Now().Add(patience); f.at.Audio().Keys() != "9"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the agent got the keys %q of the customer's 9", f.at.Audio().Keys())
		}
	}
	hold(t, f.at, true)
	hear(t, "while the agent holds", party{"the supervisor", boss, []int{hzCarrier}})
	hold(t, f.at, false)
	f.three("resumed", f.at, boss, hzAgent, tel.SuperviseListen)
	boss.Hangup()
	f.watched("agent201", "")
	talking(t, "afterwards", f.customer, hzCarrier, f.at, hzAgent)
	over(t, f.customer, f.at)
	r := f.recordOf(2)
	want := "listen agent201 by agent203: mode, whisper agent201 by agent203: mode, barge agent201 by agent203: mode, listen agent201 by agent203: left"
	if got := supervised(r); got != want {
		t.Errorf("on record: %s", got)
	}
	if s := r.Supervised[0]; s.Basis != "union_agreement 7/2026 of 2026-01-31 for quality, training" || s.Party != "phone:203" || !s.To.After(s.From) {
		t.Errorf("the first span: %+v", s)
	}
}

func TestASupervisorTakesACallOverAndTheAgentHasTheAfterCallWork(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: agreed})
	boss := f.boss.talksTo("*54201")
	within(t, "the end of the agent's part", f.at.Ended())
	talking(t, "taken over", f.customer, hzCarrier, boss, hzBoss)
	f.Lamp(201, tel.AgentWrapUp)
	over(t, f.customer, boss)
	if r := f.recordOf(2); r.Agent != "agent203" || supervised(r) != "take_over agent201 by agent203: taken_over" {
		t.Errorf("call record %+v", r)
	}
}

func TestSupervisionFollowsTheCustomerThroughTransfers(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: agreed})
	boss := f.boss.talksTo("*51201")
	f.three("at Anna's", f.at, boss, hzAgent, tel.SuperviseListen)
	refer(t, f.at, "202")
	rings := f.bruno.ring()
	f.watched("agent201", "")
	if !rings.Answer() {
		t.Fatal("the transferred call is gone")
	}
	within(t, "Anna's end", f.at.Ended())
	f.three("at Bruno's, sent there", rings, boss, hzCaller, tel.SuperviseListen)
	f.watched("agent202", tel.SuperviseListen)
	boss.Audio().Press("5")
	f.three("whispering to Bruno", rings, boss, hzCaller, tel.SuperviseWhisper)

	consult := f.bruno.dial("201")
	anna := f.anna.picksUp()
	within(t, "the consultation", consult.Answered())
	if status, err := rings.ReferInto(t.Context(), consult); err != nil || status != 202 {
		t.Fatal(status, err)
	}
	within(t, "Bruno's end", rings.Ended())
	f.three("at Anna's again, handed over", anna, boss, hzAgent, tel.SuperviseWhisper)
	f.watched("agent201", tel.SuperviseWhisper)
	over(t, f.customer, anna)
	within(t, "the end of the supervision", boss.Ended())
	f.watched("agent201", "")
}

func TestSupervisionOutlivesCrashes(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: agreed})
	boss := f.boss.talksTo("*52201")
	twice(t, f.Office, 1, func(when string) {
		f.three(when, f.at, boss, hzAgent, tel.SuperviseWhisper)
		f.watched("agent201", tel.SuperviseWhisper)
	})
	boss.Audio().Press("4")
	f.three("the keys work afterwards", f.at, boss, hzAgent, tel.SuperviseListen)
	over(t, f.customer, f.at)
	within(t, "the end of the supervision", boss.Ended())
	if got, want := supervised(f.recordOf(2)), "whisper agent201 by agent203: mode, listen agent201 by agent203: call_ended"; got != want {
		t.Errorf("on record: %s, want %s", got, want)
	}
}

func TestWithoutALegalBasisNobodySupervises(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		extra, why, sentence string
		supervises           string
	}{
		"none is recorded": {"", "no_basis", "No legal basis", "queue:sales"},
		"it has ended": {`
supervision:
  legal_basis: {kind: union_agreement, reference: "7/2020", date: "2020-01-31", expires: "2021-01-31", purposes: [quality]}
`, "expired", "does not hold today", "queue:sales"},
		"it is another's queue": {agreed, "not_yours", "may not supervise", "agent:agent202"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := floorOf(t, pbxtest.Setup{Extra: c.extra, Supervises: map[int]string{203: c.supervises}})
			boss := f.boss.talksTo("*51201")
			listen(t, "the refusal", boss)
			within(t, "the end of the refusal", boss.Ended())
			joins := f.boss.call(peer.Outgoing{To: "201", Headers: "Join: " + f.at.Replaces() + "\r\n"})
			if status := refusal(t, "Join", joins); status != 403 {
				t.Errorf("an INVITE with Join is refused with %d", status)
			}
			f.sara = f.SignIn("agent203")
			if status, page := f.post("listen"); status != http.StatusForbidden || !strings.Contains(page, c.sentence) {
				t.Errorf("the page: %d %s", status, page)
			}
			talking(t, "undisturbed", f.customer, hzCarrier, f.at, hzAgent)
			f.quietSupervisor()
			got := map[string]int{}
			for _, r := range f.CallRecords(3) {
				for _, s := range r.Supervised {
					got[fmt.Sprintf("%s by %s: %s", s.Mode, s.By, s.Why)]++
				}
			}
			if got["listen by agent203: "+c.why] != 2 || got["barge by agent203: "+c.why] != 1 {
				t.Errorf("on record: %v", got)
			}
		})
	}
}

// post sends the form of Anna's conversation.
func (f *floor) post(mode string) (status int, page string) {
	f.t.Helper()
	return f.sara.Post("/supervise?lang=en", url.Values{"agent": {"agent201"}, "mode": {mode}})
}

// quietSupervisor fails the test when the supervisor's phone rings.
func (f *floor) quietSupervisor() {
	f.t.Helper()
	f.boss.quiet("a refused supervision")
}

func TestThePageRingsTheSupervisorAndChangesTheMode(t *testing.T) {
	t.Parallel()
	f := floorOf(t, pbxtest.Setup{Extra: agreed})
	f.sara = f.SignIn("agent203")
	if _, page := f.sara.Get("/agents/agent201?lang=en"); !strings.Contains(page, `action="/supervise?lang=en"`) || !strings.Contains(page, `name="agent" value="agent201"`) {
		t.Error("the page has no form for Anna's conversation")
	}
	if status, _ := f.post("whisper"); status != http.StatusSeeOther {
		t.Fatalf("the form: %d", status)
	}
	boss := f.boss.picksUp()
	if boss.Caller != "201" {
		t.Errorf("the supervisor's phone shows %q", boss.Caller)
	}
	f.three("whisper", f.at, boss, hzAgent, tel.SuperviseWhisper)
	if status, _ := f.post("barge"); status != http.StatusSeeOther {
		t.Fatalf("the second form: %d", status)
	}
	f.three("barge", f.at, boss, hzAgent, tel.SuperviseBarge)
	f.quietSupervisor()
	if status, _ := f.post("take_over"); status != http.StatusSeeOther {
		t.Fatalf("the third form: %d", status)
	}
	within(t, "the end of the agent's part", f.at.Ended())
	talking(t, "taken over", f.customer, hzCarrier, boss, hzBoss)
	over(t, boss, f.customer)
}

func TestBaresipListensToACall(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 1, Extra: agreed, Supervises: map[int]string{203: "agent:agent201"}})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	boss := o.Baresip(203, hzBoss)
	a, b := connected(t, bruno, anna, "201")
	boss.Dial("*53201")
	boss.Until("CALL_ESTABLISHED")
	hear(t, "barge", party{"Bruno", a, []int{hzAgent, hzBoss}}, party{"Anna", b, []int{hzCaller, hzBoss}})
	time.Sleep(talk)
	boss.Hangup()
	boss.Until("CALL_CLOSED")
	pcm := boss.Heard()
	for _, hz := range []int{hzAgent, hzCaller} {
		if l := tone.Level(pcm, hz); l < tone.Audible {
			t.Errorf("the supervisor hears %d Hz at %.0f dB", hz, l)
		}
	}
	talking(t, "afterwards", a, hzCaller, b, hzAgent)
	over(t, a, b)
}
