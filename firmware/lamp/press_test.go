package lamp

import (
	"testing"

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
