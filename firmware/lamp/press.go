package lamp

import "github.com/pronto-pbx/pronto/firmware/tel"

// Press is what one press of a button at a desk asks for.
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

// Use is what a button is for.
type Use string

// The uses.
const (
	UseAll   Use = "all"   // the only button at a desk: what the moment asks for
	UseReady Use = "ready" // to work: login, the end of a pause, of after-call work
	UsePause Use = "pause" // a break, now or when the call is over
	UseHelp  Use = "help"  // a supervisor is asked for, or no longer
)

// Uses lists the uses of a button that is one of several.
func Uses() []Use { return []Use{UseReady, UsePause, UseHelp} }

// Press says what a press asks for in an agent's state. While an offer is under way only help can be asked for, so that
// who wanted a break does not reject a caller by mistake.
func (u Use) Press(state tel.AgentState, help bool) Press {
	switch u {
	case UseAll:
		return pressOfAll(state, help)
	case UseReady:
		switch state {
		case tel.AgentLoggedOut:
			return PressLogin
		case tel.AgentPaused:
			return PressResume
		case tel.AgentWrapUp:
			return PressFinishWrapUp
		}
	case UsePause:
		switch state {
		case tel.AgentReady, tel.AgentUnreachable, tel.AgentWrapUp, tel.AgentTalking, tel.AgentInternal, tel.AgentOutbound, tel.AgentHold:
			return PressPause
		}
	case UseHelp:
		switch {
		case help:
			return PressHelpDone
		case state != tel.AgentLoggedOut:
			return PressHelp
		}
	}
	return PressNothing
}

// pressOfAll brings to work, out of it for a pause and back, ends after-call work, and asks for a supervisor in a call.
func pressOfAll(state tel.AgentState, help bool) Press {
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
