package main_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestPhoneCallsPhone(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 2})
	anna, bruno := o.Baresip(201, hzCaller), o.Baresip(202, hzAgent)
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentReady)
	anna.Dial("202")
	bruno.Until("CALL_INCOMING")
	bruno.Answer()
	anna.Until("CALL_ESTABLISHED")
	o.Lamp(201, tel.AgentInternal)
	o.Lamp(202, tel.AgentInternal)
	time.Sleep(talk)
	anna.Hangup()
	anna.Until("CALL_CLOSED")
	bruno.Until("CALL_CLOSED")
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentReady)
	hears(t, "Anna", anna.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
	r := o.CallRecords(1)[0]
	if r.Direction != tel.Internal || r.From != "201" || r.To != "202" || r.In != "phone:201" || r.Out != "phone:202" ||
		r.Cause != tel.CauseNormal || r.EndedBy != "caller" || r.Queue != "" || r.Answered.IsZero() || r.Ended.Sub(r.Answered) < talk {
		t.Errorf("call record %+v", r)
	}
	o.WaitRecords(0)
}

func TestCarrierCallsQueueAndAgentAnswers(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	anna := o.Baresip(201, hzAgent)
	o.Lamp(201, tel.AgentReady)
	customer := o.SIPp("+393331234567", hzCarrier, 5*time.Second)
	anna.Until("CALL_INCOMING")
	o.Lamp(201, tel.AgentRinging)
	anna.Answer()
	o.Lamp(201, tel.AgentTalking)
	time.Sleep(talk)
	hears(t, "the customer", customer.Ears.Heard(time.Second), hzAgent)
	customer.Wait()
	anna.Until("CALL_CLOSED")
	hears(t, "Anna", anna.Heard(), hzCarrier)
	o.Lamp(201, tel.AgentReady)
	r := o.CallRecords(1)[0]
	if r.Direction != tel.Inbound || r.From != "+393331234567" || r.To != pbxtest.DID || r.In != "trunk:carrier" || r.Out != "phone:201" ||
		r.Cause != tel.CauseNormal || r.EndedBy != "caller" || r.Queue != "sales" || r.Agent != "agent201" || r.Ended.Sub(r.Answered) < talk {
		t.Errorf("call record %+v", r)
	}
	w := o.WaitRecords(1)[0]
	if w.Call != r.Call || w.Queue != "sales" || w.Agent != "agent201" || w.Outcome != tel.OutcomeAnswered || w.Offers != 1 ||
		w.Caller != r.From || w.Joined.Before(r.Started) || w.Left.Before(w.Joined) {
		t.Errorf("queue record %+v", w)
	}
}

func TestPhoneCallsQueueAndAgentAnswers(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	anna, caller := o.Baresip(201, hzAgent), o.Baresip(202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentLoggedOut)
	caller.Dial("400")
	anna.Until("CALL_INCOMING")
	o.Lamp(201, tel.AgentRinging)
	anna.Answer()
	o.Lamp(201, tel.AgentTalking)
	time.Sleep(talk)
	anna.Hangup()
	anna.Until("CALL_CLOSED")
	caller.Until("CALL_CLOSED")
	hears(t, "the caller", caller.Heard(), hzAgent)
	hears(t, "Anna", anna.Heard(), hzCaller)
	o.Lamp(201, tel.AgentReady)
	r, w := o.CallRecords(1)[0], o.WaitRecords(1)[0]
	if r.Direction != tel.Internal || r.From != "202" || r.Queue != "sales" || r.Agent != "agent201" || r.EndedBy != "callee" || r.Cause != tel.CauseNormal {
		t.Errorf("call record %+v", r)
	}
	if w.Call != r.Call || w.Outcome != tel.OutcomeAnswered || w.Agent != "agent201" {
		t.Errorf("queue record %+v", w)
	}
}

// The phones here may log in with SHA-256 only.
func TestHeldCallerHearsMusicAndNobodyElse(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 2, SHA256: true})
	got := make(chan *peer.Call, 1)
	phone(t, o, 201, hzAgent, func(c *peer.Call) { c.Answer(); got <- c })
	c, err := phone(t, o, 202, hzCaller, nil).Dial(peer.Outgoing{To: "201"})
	if err != nil {
		t.Fatal(err)
	}
	agent := <-got
	judge := func(when string, talking bool) {
		if talking {
			eachHears(t, when, tones, c, hzCaller, agent, hzAgent)
			return
		}
		settles(t, when, func() error {
			hearing(c)
			if n := c.Audio().Packets(); n < 25 {
				return fmt.Errorf("the caller got %d packets of music", n)
			}
			if l := tone.Level(c.Audio().Heard(), hzAgent); l > tone.Audible-tone.Margin {
				return fmt.Errorf("the caller hears the agent at %.1f dB", l)
			}
			if l := tone.Level(agent.Audio().Heard(), hzCaller); l > tone.Audible-tone.Margin {
				return fmt.Errorf("the agent, who holds, hears the caller at %.1f dB", l)
			}
			return nil
		}, c, agent)
	}
	<-c.Answered()
	judge("before", true)
	if err := agent.Hold(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if d := agent.Direction(); d != "recvonly" && d != "inactive" {
		t.Errorf("the box answers a hold with %s", d)
	}
	judge("held", false)
	if err := agent.Hold(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	judge("after", true)
	c.Hangup()
	<-agent.Ended()
}
