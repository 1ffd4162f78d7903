package gsm_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line"
)

func services(code string) (text string, menu bool) {
	switch code {
	case "*123#":
		return "Credito: 12,50 euro\nScade il 31/12/2026", false
	case "*124#":
		return "Солде 12 €", false
	case "*100#":
		return "1 Credito\n2 Offerte", true
	default:
		return "", false
	}
}

func TestAServiceCodeIsAnswered(t *testing.T) {
	answers := map[string]string{
		"*123#": "Credito: 12,50 euro\nScade il 31/12/2026", // in two lines of the port
		"*124#": "Солде 12 €",
		"*100#": "1 Credito\n2 Offerte",
	}
	for _, modem := range []struct {
		model string
		form  gsmsim.USSDForm
	}{{"SIMCOM_SIM7600E-H", gsmsim.USSDPlain}, {"E1750", gsmsim.USSDPacked}} {
		t.Run(modem.model, func(t *testing.T) { answered(t, modem.model, modem.form, answers) })
	}
}

func answered(t *testing.T, model string, form gsmsim.USSDForm, answers map[string]string) {
	for code, want := range answers {
		t.Run(code, func(t *testing.T) {
			m, far, _ := postRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Service, s.Model, s.USSD = services, model, form })
			if got, err := m.AskService(t.Context(), code); err != nil || got != want {
				t.Errorf("%q %v, want %q", got, err, want)
			}
			for far.MenuOpen() {
				time.Sleep(10 * time.Millisecond) // the box closes it a moment later
			}
			if err := far.Deliver("3331234567", "and messages go on"); err != nil {
				t.Fatal(err)
			}
			if _, err := m.AskService(t.Context(), "*999#"); err == nil {
				t.Error("an empty answer is one")
			}
		})
	}
}

func TestAServiceCodeThatFails(t *testing.T) {
	tests := map[string]struct {
		code  string
		known func(string) (string, bool)
		mute  bool
		want  error
	}{
		"no such service":          {"*123#", nil, false, line.ErrNoSupport},
		"the network says nothing": {"*123#", services, true, line.ErrTimeout},
		"no code at all":           {"ATD1", services, false, line.ErrUnsendable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, far, _ := postRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Service = tt.known })
			far.faults(gsmsim.Faults{ServiceMute: tt.mute})
			if _, err := m.AskService(t.Context(), tt.code); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if _, err := m.SendPart(t.Context(), line.OutgoingMessage{To: "333", Text: "x"}, 0); err != nil {
				t.Errorf("a message after it: %v", err)
			}
		})
	}
}

func TestAServiceCodeWaitsForNoCallAndEndsWithTheModem(t *testing.T) {
	m, far := rig(t, func(s *gsmsim.Config, g *gsm.Config) { s.Service, s.ServiceTime = services, time.Minute })
	connect(t, m, far)
	if _, err := m.AskService(t.Context(), "*123#"); !errors.Is(err, line.ErrBusy) {
		t.Errorf("in a call: %v", err)
	}
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Ended, nil)
	for !m.Ready() {
		time.Sleep(10 * time.Millisecond) // the last words of the call
	}
	failed := make(chan error, 1)
	go func() {
		_, err := m.AskService(t.Context(), "*123#")
		failed <- err
	}()
	for m.Ready() {
		time.Sleep(time.Millisecond) // until it is on its way
	}
	if _, err := m.AskService(t.Context(), "*123#"); !errors.Is(err, line.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := far.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, line.ErrDown) {
		t.Errorf("when the modem has gone: %v", err)
	}
}

func TestWhatTheNetworkSaysUnaskedIsPassedOnAndItsMenuClosed(t *testing.T) {
	m, far, box := postRig(t, nil)
	if err := far.SayService("Offerta!\nVuoi attivarla?", true); err != nil {
		t.Fatal(err)
	}
	box.Await(m, 1)
	if all := box.Notices(); len(all) != 1 || all[0] != "Offerta!\nVuoi attivarla?" {
		t.Errorf("notices %q", all)
	}
	for far.MenuOpen() {
		time.Sleep(10 * time.Millisecond)
	}
}
