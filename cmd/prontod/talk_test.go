package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
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
	hears(t, "the customer", customer.Ears.Heard(2*time.Second), hzAgent)
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
