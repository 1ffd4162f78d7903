package lamp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestOneButtonBringsAnAgentThroughTheDay(t *testing.T) {
	want := map[tel.AgentState][2]Press{ // without and with a call for help
		tel.AgentLoggedOut:   {PressLogin, PressLogin},
		tel.AgentReady:       {PressPause, PressPause},
		tel.AgentReserved:    {PressNothing, PressNothing},
		tel.AgentRinging:     {PressNothing, PressNothing},
		tel.AgentTalking:     {PressHelp, PressHelpDone},
		tel.AgentInternal:    {PressHelp, PressHelpDone},
		tel.AgentOutbound:    {PressHelp, PressHelpDone},
		tel.AgentHold:        {PressHelp, PressHelpDone},
		tel.AgentWrapUp:      {PressFinishWrapUp, PressFinishWrapUp},
		tel.AgentPaused:      {PressResume, PressResume},
		tel.AgentUnreachable: {PressNothing, PressNothing},
	}
	for _, s := range tel.AgentStates() {
		w, known := want[s]
		if got := [2]Press{PressIn(s, false), PressIn(s, true)}; !known || got != w {
			t.Errorf("%v: %v, want %v", s, got, w)
		}
	}
}

func TestACallForHelpIsShownInsteadOfTheStateAndTheStateAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anna, bruno := &fakeLight{id: "desk1"}, &fakeLight{id: "desk2"}
		var told []tel.LampChanged
		p := NewPanel(Config{
			Lights:  []Assignment{{anna, "anna"}, {bruno, "bruno"}},
			Publish: func(e tel.Event) { told = append(told, e.(tel.LampChanged)) }, // by the panel's goroutine alone
		})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		p.Show("bruno", tel.AgentTalking)
		synctest.Wait()
		p.ShowHelp("anna", true)
		p.ShowHelp("nobody", true)
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		purple, red := Level{Brightness: 255, R: 160, B: 160}, Level{Brightness: 255, R: 255}
		flashes := 0
		for _, w := range anna.writes() {
			if w.level == purple {
				flashes++
			}
		}
		if flashes < 2*59 {
			t.Errorf("%d flashes in a minute, want two a second", flashes)
		}
		if bruno.last() != red {
			t.Errorf("a colleague's lamp shows %+v", bruno.last())
		}
		p.Show("anna", tel.AgentPaused) // behind the call for help
		synctest.Wait()
		p.ShowHelp("anna", false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if last := told[len(told)-1]; last.Lamp != "desk1" || last.Help || last.State != tel.AgentPaused {
			t.Errorf("told last %+v", last)
		}
		white := 0
		for _, w := range anna.writes() {
			if w.level == (Level{Brightness: 255, R: 255, G: 255, B: 255}) {
				white++
			}
		}
		if white < 2*19 {
			t.Errorf("%d blinks of the pause in a minute, want 40", white)
		}
	})
}
