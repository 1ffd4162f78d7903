package tel

import "fmt"

// AgentState is what an agent is doing, in the words that lamp, page and report share.
type AgentState uint8

// The states; the zero value is logged out, so that a forgotten agent is never rung.
const (
	AgentLoggedOut   AgentState = iota
	AgentReady                  // can be offered a call
	AgentRinging                // a phone rings for an offer
	AgentTalking                // on a customer's call: of a queue, or one that came from outside
	AgentInternal               // on a call with a colleague
	AgentWrapUp                 // after-call work
	AgentPaused                 // not available by choice, with a reason
	AgentUnreachable            // logged in, but no phone is registered: a fault to show
	AgentReserved               // an offer is on its way; no phone rings yet
	AgentOutbound               // on a call to the outside that the agent made
	AgentHold                   // has put the other on hold, and talks with nobody
)

var agentStateNames = [...]string{
	"logged_out", "ready", "ringing", "talking", "internal", "wrap_up", "paused", "unreachable", "reserved", "outbound", "hold",
}

// AgentStates lists every state in its declared order.
func AgentStates() []AgentState {
	all := make([]AgentState, len(agentStateNames))
	for i := range all {
		all[i] = AgentState(i)
	}
	return all
}

// String returns the stable name used in journals and APIs.
func (s AgentState) String() string {
	if int(s) < len(agentStateNames) {
		return agentStateNames[s]
	}
	return fmt.Sprintf("agent_state_%d", uint8(s))
}

// MarshalText writes the stable name.
func (s AgentState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the stable name; an unknown name is an error.
func (s *AgentState) UnmarshalText(b []byte) error {
	for i, n := range agentStateNames {
		if n == string(b) {
			*s = AgentState(i)
			return nil
		}
	}
	return fmt.Errorf("unknown agent state %q", b)
}
