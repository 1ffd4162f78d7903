package forecast

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Picture is the office at one instant, as a plain copy that shares nothing with its owner.
type Picture struct {
	At      time.Time // in the zone of the office: habits are learned by its hours
	Queues  []Queue
	Agents  []Agent
	Waiting []Caller // everybody who waits, callbacks included, in any order
}

// Queue is one queue. A queue that is named only by a caller or an agent has no target.
type Queue struct {
	ID tel.QueueID
	// Target is the wait that the queue aims at. Of two callers with equal priority the one whose
	// target ends first is served first; equal targets (0 included) mean first come, first served.
	Target time.Duration
}

// Agent is one person, in whatever state.
type Agent struct {
	ID     tel.AgentID
	State  tel.AgentState
	Since  time.Time   // of the state
	Queue  tel.QueueID // of the call or of the wrap-up; empty: the call came from no queue
	Call   tel.CallID  // which rings or is talked with
	Until  time.Time   // planned end of the wrap-up; zero: not known
	Reason string      // of the pause, or of the one that follows the call
	// Leaves and Pauses say what the agent is known to do when this call and its wrap-up are over: go home, or
	// into a pause.
	Leaves, Pauses bool
	ShiftEnd       time.Time // takes no call after it; zero: not known
	Serves         []Serving
	Skills         map[string]int // levels
}

// Serving says that an agent takes the callers of a queue.
type Serving struct {
	Queue tel.QueueID
	After time.Duration // only those who have waited so long (tiers, penalties)
}

// Caller is one caller who waits, or a callback that keeps its place.
type Caller struct {
	Call     tel.CallID
	Queue    tel.QueueID
	Priority int       // higher is served first
	Since    time.Time // original enqueue time
	Needs    []Need
	Callback bool // cannot run out of patience
}

// Need is a skill that the agent must have.
type Need struct {
	Skill string
	Level int
	Relax time.Duration // each time it passes, one level less will do; 0: never
}

// never is a time that does not come, in seconds.
const never = 1e12

// opens is after how many seconds of waiting the agent may take the caller; never if not at all.
func (a *Agent) opens(queue tel.QueueID, needs []Need) float64 {
	t := never
	for _, s := range a.Serves {
		if s.Queue == queue {
			t = min(t, max(0, s.After.Seconds()))
		}
	}
	for _, n := range needs {
		lacks := n.Level - a.Skills[n.Skill]
		switch {
		case lacks <= 0:
		case n.Relax <= 0:
			return never
		default:
			t = max(t, float64(lacks)*n.Relax.Seconds())
		}
	}
	return t
}

// turn orders callers of equal priority: who has the smaller turn is served first.
func turn(since time.Time, target time.Duration) time.Time { return since.Add(max(0, target)) }
