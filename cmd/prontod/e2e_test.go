package main_test

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var bench *pbxtest.Bench // set once, before any test runs

func TestMain(m *testing.M) {
	var err error
	if bench, err = pbxtest.NewBench("../prontod", "../recordd", "../prontoctl"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := bench.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// phone is a registered peer.
func phone(t *testing.T, o *pbxtest.Office, number, hz int, incoming func(*peer.Call)) *peer.Peer {
	t.Helper()
	p, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: fmt.Sprint(number), Password: pbxtest.Password(number),
		Hz: hz, Law: tone.ALaw, Incoming: incoming,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if _, err := p.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(number)
	return p
}

// The tones of the parties; no one is a harmonic of another.
const (
	hzCaller   = 440
	hzAgent    = 620
	hzCarrier  = 980
	hzModem    = 1220
	hzStranger = 1460
)

var tones = []int{hzCaller, hzAgent, hzCarrier, hzModem, hzStranger}

// hears fails the test unless pcm is the wanted party and nobody else.
func hears(t *testing.T, who string, pcm []int16, want int) {
	t.Helper()
	if err := tone.Heard(pcm, want, tone.Others(tones, want)...); err != nil {
		t.Errorf("%s: %v", who, err)
	}
}

// talk is how long a conversation is let go on: the last two seconds are judged.
const talk = 2600 * time.Millisecond

func TestPhoneCallsPhone(t *testing.T) {
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
