package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mobile is an emulated modem and the party on the other side of the radio.
type mobile struct {
	*gsmsim.Sim
	dialed chan string

	mu    sync.Mutex // guards all below
	heard []int16
	voice tone.Generator
	asked []string // service codes
	tells string   // the answer to them
}

// modem plugs line gsm0 into an office.
func modem(t *testing.T, o *pbxtest.Office) *mobile {
	t.Helper()
	m := &mobile{dialed: make(chan string, 4), voice: tone.Generator{Hz: hzModem}}
	var err error
	m.Sim, err = gsmsim.New(gsmsim.Config{
		Command: filepath.Join(o.Dir, "modem0-at"), Audio: filepath.Join(o.Dir, "modem0-pcm"),
		Dialed:  func(n string) { m.dialed <- n },
		Service: m.service,
		Source: func(f *[gsmsim.FrameSamples]int16) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.voice.Fill(f[:])
		},
		Sink: func(f *[gsmsim.FrameSamples]int16) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.heard = append(m.heard, f[:]...)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	lend(t, o)
	o.Line("line:gsm0", true)
	return m
}

// lend gives the modem's ports to the group of the exchange where that is not root, as the first program of a
// box does.
func lend(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	if !o.Cells {
		return
	}
	for _, port := range []string{"modem0-at", "modem0-pcm"} {
		path := filepath.Join(o.Dir, port)
		if err := errors.Join(os.Chown(path, -1, account.DevicesGroup), os.Chmod(path, 0o660)); err != nil {
			t.Fatal(err)
		}
	}
}

// service answers a service code.
func (m *mobile) service(code string) (text string, menu bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, code)
	if m.tells == "" {
		return "Credito residuo: 20,00 euro", false
	}
	return m.tells, false
}

// last is what the other side of the radio heard in the last two seconds, on the modem's PCM port.
func (m *mobile) last() []int16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]int16(nil), tone.Tail(m.heard, 2*tone.Rate, 0)...)
}

// hears waits until the other side of the radio has heard one tone, and nobody else, for two seconds.
func (m *mobile) hears(t *testing.T, hz int) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = tone.Heard(m.last(), hz, tone.Others(tones, hz)...); err == nil {
			return
		}
	}
	t.Fatalf("on the other side of the radio: %v", err)
}

func (m *mobile) mute() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.voice.Hz = 0
}

const mobileNumber = "+393331234567"

func TestModemCallsQueueAndAgentAnswers(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Modem: true})
	m := modem(t, o)
	anna := o.Baresip(201, hzAgent)
	o.Lamp(201, tel.AgentReady)
	if err := m.Ring(mobileNumber); err != nil {
		t.Fatal(err)
	}
	anna.Until("CALL_INCOMING")
	o.Lamp(201, tel.AgentRinging)
	anna.Answer()
	o.Lamp(201, tel.AgentTalking)
	time.Sleep(talk)
	m.hears(t, hzAgent)
	if err := m.RemoteHangup(); err != nil {
		t.Fatal(err)
	}
	anna.Until("CALL_CLOSED")
	hears(t, "Anna", anna.Heard(), hzModem)
	o.Lamp(201, tel.AgentReady)
	r := o.CallRecords(1)[0]
	if r.Direction != tel.Inbound || r.From != mobileNumber || r.In != "line:gsm0" || r.Out != "phone:201" ||
		r.Cause != tel.CauseNormal || r.EndedBy != "caller" || r.Queue != "sales" || r.Agent != "agent201" || r.Ended.Sub(r.Answered) < talk {
		t.Errorf("call record %+v", r)
	}
	w := o.WaitRecords(1)[0]
	if w.Call != r.Call || w.Queue != "sales" || w.Agent != "agent201" || w.Outcome != tel.OutcomeAnswered || w.Offers != 1 || w.Caller != mobileNumber {
		t.Errorf("queue record %+v", w)
	}
}

func TestAgentCallsOutThroughModem(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Modem: true})
	m := modem(t, o)
	anna := o.Baresip(201, hzAgent)
	o.Lamp(201, tel.AgentReady)
	anna.Dial("3331234567")
	select {
	case n := <-m.dialed:
		if n != mobileNumber {
			t.Errorf("the modem dials %q", n)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the modem dials nothing")
	}
	if err := m.RemoteAlert(); err != nil {
		t.Fatal(err)
	}
	if err := m.RemoteAnswer(); err != nil {
		t.Fatal(err)
	}
	anna.Until("CALL_ESTABLISHED")
	o.Lamp(201, tel.AgentOutbound)
	time.Sleep(talk)
	m.hears(t, hzAgent)
	anna.Hangup()
	anna.Until("CALL_CLOSED")
	hears(t, "Anna", anna.Heard(), hzModem)
	o.Lamp(201, tel.AgentReady)
	r := o.CallRecords(1)[0]
	if r.Direction != tel.Outbound || r.From != "201" || r.In != "phone:201" || r.Out != "line:gsm0" ||
		r.Cause != tel.CauseNormal || r.EndedBy != "caller" || r.Queue != "" || r.Ended.Sub(r.Answered) < talk {
		t.Errorf("call record %+v", r)
	}
	o.WaitRecords(0)
}

// underWay is how long a tone may go on after its mute: what lies in the modem's port, in the buffers
// of both sides and in the telephone's dump, on a busy machine.
const underWay = 2 * time.Second

// The judgement must be able to fail: here each direction is muted in turn.
func TestMutedDirectionIsNoticed(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Modem: true})
	m := modem(t, o)
	anna := o.Baresip(201, hzAgent)
	o.Lamp(201, tel.AgentReady)
	if err := m.Ring(mobileNumber); err != nil {
		t.Fatal(err)
	}
	anna.Until("CALL_INCOMING")
	anna.Answer()
	o.Lamp(201, tel.AgentTalking)
	anna.Mute()
	time.Sleep(underWay + talk)
	if err := tone.Heard(m.last(), hzAgent, tone.Others(tones, hzAgent)...); err == nil {
		t.Error("Anna is muted and the customer hears her")
	}
	m.mute()
	time.Sleep(underWay + talk)
	if err := m.RemoteHangup(); err != nil {
		t.Fatal(err)
	}
	anna.Until("CALL_CLOSED")
	if err := tone.Heard(anna.Heard(), hzModem, tone.Others(tones, hzModem)...); err == nil {
		t.Error("the customer is mute and Anna hears them")
	}
}
