package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var longText = strings.Repeat("Il tecnico arriverà domani alle 9, va bene? 😀 ", 6)

// texting is an office with a modem and nobody on the telephone.
func texting(t *testing.T) (*pbxtest.Office, *mobile) {
	t.Helper()
	realPrograms(t)
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Modem: true})
	return o, modem(t, o)
}

// centreHas waits until the centre has got n messages of the box.
func (m *mobile) centreHas(t *testing.T, n int) []gsmsim.Message {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		all := m.SentMessages()
		if len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("the centre has %d messages, want %d", len(all), n)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestALongMessageArrivesOnceAlthoughProntodIsKilledBetweenItsParts(t *testing.T) {
	o, m := texting(t)
	parts, err := m.DeliverParts(mobileNumber, longText, 2, 0)
	if err != nil || parts < 4 {
		t.Fatalf("%d parts, %v", parts, err)
	}
	m.fetched(t)
	o.Kill()
	o.Line("line:gsm0", true)
	if err := m.More(mobileNumber, longText, 1, 1, 3, 4); err != nil {
		t.Fatal(err)
	}
	r := o.TextRecords(1)[0]
	if r.State != tel.SMSIn || r.Text != longText || r.From != mobileNumber || r.Parts != parts || r.Line != "line:gsm0" {
		t.Errorf("record %+v", r)
	}
	m.fetched(t)
	if text := ctl(t, o, "sms", "list"); strings.Count(text, mobileNumber) != 1 || !strings.Contains(text, "alle 9, va bene? 😀") {
		t.Errorf("prontoctl sms list: %s", text)
	}
}

// fetched waits until the SIM is empty.
func (m *mobile) fetched(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		in, out := m.Stored()
		if in+out == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are on the SIM, %d wait", in, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAMessageIsSentAndItsDeliveryIsRecorded(t *testing.T) {
	o, m := texting(t)
	ctl(t, o, "sms", "send", "gsm0", "333 1234567", longText)
	if got := m.centreHas(t, 1)[0]; got.Text != longText || got.To != "3331234567" || !got.Report {
		t.Errorf("the centre has %+v", got)
	}
	all := o.TextRecords(2)
	if all[0].State != tel.SMSArrived || all[1].State != tel.SMSOut || all[0].ID != all[1].ID || all[0].To != "3331234567" {
		t.Errorf("records %+v", all)
	}
}

func TestAMessageThatWaitsSurvivesAKillAndIsSentOnce(t *testing.T) {
	o, m := texting(t)
	if err := m.Unplug(); err != nil {
		t.Fatal(err)
	}
	o.Line("line:gsm0", false)
	ctl(t, o, "sms", "send", "gsm0", mobileNumber, "dopo il riavvio")
	o.Kill()
	if err := m.Plug(); err != nil {
		t.Fatal(err)
	}
	o.Line("line:gsm0", true)
	m.centreHas(t, 1)
	all := o.TextRecords(2)
	o.Kill() // and what was sent is not sent again
	o.Line("line:gsm0", true)
	ctl(t, o, "sms", "send", "gsm0", mobileNumber, "il prossimo")
	if got := m.centreHas(t, 2); len(got) != 2 || got[0].Text != "dopo il riavvio" || got[1].Text != "il prossimo" {
		t.Errorf("the centre has %+v; records %+v", got, all)
	}
}

func TestTheCreditAndTheNetworkOfASIMAreWatched(t *testing.T) {
	o, m := texting(t)
	deadline := time.Now().Add(20 * time.Second)
	for { // the SIM shows TIM's network, whose code is known
		m.mu.Lock()
		asked := strings.Join(m.asked, " ")
		m.mu.Unlock()
		if asked == "*123#" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("asked %q", asked)
		}
		time.Sleep(20 * time.Millisecond)
	}
	o.Alarm("sim_credit", false)
	if err := m.Deliver("TIM", "Il tuo credito residuo e' di 1,50 euro"); err != nil {
		t.Fatal(err)
	}
	if text := o.Alarm("sim_credit", true); !strings.Contains(text, "gsm0: only 1.50 euros") {
		t.Errorf("the condition says %q", text)
	}
	for _, tt := range []struct {
		radio     gsmsim.Radio
		condition string
	}{{gsmsim.ThreeG(), "line_3g"}, {gsmsim.FourGNoVoLTE(), "line_volte"}} {
		if err := m.SetRadio(tt.radio); err != nil {
			t.Fatal(err)
		}
		o.Alarm(tt.condition, true)
		if err := m.SetRadio(gsmsim.FourG()); err != nil {
			t.Fatal(err)
		}
		o.Alarm(tt.condition, false)
	}
	if text := ctl(t, o, "sims"); !strings.Contains(text, "gsm0") || !strings.Contains(text, "4G EUTRAN-BAND3") || !strings.Contains(text, "-73 dBm") || !strings.Contains(text, "credit 1.50") {
		t.Errorf("prontoctl sims: %s", text)
	}
	o.Kill() // what is known survives, and nobody is asked again
	o.Line("line:gsm0", true)
	o.Alarm("sim_credit", true)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.asked) != 1 {
		t.Errorf("asked %q", m.asked)
	}
}

func TestWhoWantsTooMuchIsToldWhy(t *testing.T) {
	o, m := texting(t)
	for _, tt := range []struct{ line, to, text, want string }{
		{"gsm0", "899 123456", "x", "premium"},
		{"gsm0", "+881612345678", "x", "premium"},
		{"gsm9", mobileNumber, "x", "no line of that name"},
		{"gsm0", mobileNumber, strings.Repeat("x", 1531), "too long"},
		{"gsm0", "anna", "x", "not a telephone number"},
	} {
		out, err := exec.Command(filepath.Join(bench.Programs(), "prontoctl"), "sms", "-var", o.Dir, "send", tt.line, tt.to, tt.text).CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("to %s through %s: %v %s, want %q", tt.to, tt.line, err, out, tt.want)
		}
	}
	for range 3 { // nine parts each, of 30 per hour
		ctl(t, o, "sms", "send", "gsm0", mobileNumber, strings.Repeat("x", 1377))
	}
	out, err := exec.Command(filepath.Join(bench.Programs(), "prontoctl"), "sms", "-var", o.Dir, "send", "gsm0", mobileNumber, strings.Repeat("x", 1377)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "as many messages as it may") {
		t.Errorf("the fourth: %v %s", err, out)
	}
	m.centreHas(t, 3)
}
