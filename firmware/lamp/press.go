package lamp

import "github.com/pronto-pbx/pronto/firmware/tel"

// Press is what one press of the button at a desk asks for.
type Press string

// What a press can ask for.
const (
	PressNothing      Press = ""
	PressLogin        Press = "login"
	PressPause        Press = "pause"
	PressResume       Press = "resume"
	PressFinishWrapUp Press = "finish_wrap_up"
	PressHelp         Press = "help"
	PressHelpDone     Press = "help_done"
)

// PressIn says what one button does: it brings to work, out of it for a pause and back, it ends
// after-call work, and in a call it asks for a supervisor. While an offer is under way it does nothing,
// so that who wanted a break does not reject a caller by mistake.
func PressIn(state tel.AgentState, help bool) Press {
	switch state {
	case tel.AgentLoggedOut:
		return PressLogin
	case tel.AgentReady:
		return PressPause
	case tel.AgentPaused:
		return PressResume
	case tel.AgentWrapUp:
		return PressFinishWrapUp
	case tel.AgentTalking, tel.AgentInternal, tel.AgentOutbound, tel.AgentHold:
		if help {
			return PressHelpDone
		}
		return PressHelp
	default:
		return PressNothing
	}
}
