package lamp

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// presses are what a button asks for without and with a call for help.
type presses map[tel.AgentState][2]Press

func TestEachButtonAsksForWhatItIsFor(t *testing.T) {
	both := func(p Press) [2]Press { return [2]Press{p, p} }
	help := [2]Press{PressHelp, PressHelpDone}
	for use, want := range map[Use]presses{
		UseAll: {
			tel.AgentLoggedOut: both(PressLogin), tel.AgentReady: both(PressPause), tel.AgentReserved: {}, tel.AgentRinging: {},
			tel.AgentTalking: help, tel.AgentInternal: help, tel.AgentOutbound: help, tel.AgentHold: help,
			tel.AgentWrapUp: both(PressFinishWrapUp), tel.AgentPaused: both(PressResume), tel.AgentUnreachable: {},
		},
		UseReady: {
			tel.AgentLoggedOut: both(PressLogin), tel.AgentReady: {}, tel.AgentReserved: {}, tel.AgentRinging: {},
			tel.AgentTalking: {}, tel.AgentInternal: {}, tel.AgentOutbound: {}, tel.AgentHold: {},
			tel.AgentWrapUp: both(PressFinishWrapUp), tel.AgentPaused: both(PressResume), tel.AgentUnreachable: {},
		},
		UsePause: {
			tel.AgentLoggedOut: {}, tel.AgentReady: both(PressPause), tel.AgentReserved: {}, tel.AgentRinging: {},
			tel.AgentTalking: both(PressPause), tel.AgentInternal: both(PressPause), tel.AgentOutbound: both(PressPause), tel.AgentHold: both(PressPause),
			tel.AgentWrapUp: both(PressPause), tel.AgentPaused: {}, tel.AgentUnreachable: both(PressPause),
		},
		UseHelp: {
			tel.AgentLoggedOut: {PressNothing, PressHelpDone}, tel.AgentReady: help, tel.AgentReserved: help, tel.AgentRinging: help,
			tel.AgentTalking: help, tel.AgentInternal: help, tel.AgentOutbound: help, tel.AgentHold: help,
			tel.AgentWrapUp: help, tel.AgentPaused: help, tel.AgentUnreachable: help,
		},
		"nothing that a button is for": {},
	} {
		for _, s := range tel.AgentStates() {
			w, known := want[s]
			if got := [2]Press{use.Press(s, false), use.Press(s, true)}; got != w || !known && len(want) > 0 {
				t.Errorf("%s, %v: %v, want %v", use, s, got, w)
			}
		}
	}
}
