package plan

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// QueueSpec is what the configuration says about one queue.
type QueueSpec struct {
	ID       tel.QueueID   `json:"id"`
	Name     string        `json:"name,omitempty"`
	Strategy Strategy      `json:"strategy"`
	Members  []tel.AgentID `json:"members,omitempty"` // in the order of round_robin and ordered
	Ring     time.Duration `json:"ring"`              // how long one agent rings
	WrapUp   time.Duration `json:"wrap_up,omitempty"` // after-call work; 0 = none

	MaxWait   time.Duration `json:"max_wait,omitempty"` // in this queue; 0 = no limit; a ring in progress may finish
	MaxWaitTo string        `json:"max_wait_to,omitempty"`

	MaxLength int    `json:"max_length,omitempty"` // callers waiting, ringing ones included; 0 = no limit of its own
	FullTo    string `json:"full_to,omitempty"`

	// LeaveEmpty sends callers on when for EmptyGrace no agent could take a call soon: every
	// member is logged out, paused or unreachable.
	LeaveEmpty bool          `json:"leave_empty,omitempty"`
	EmptyGrace time.Duration `json:"empty_grace,omitempty"`
	EmptyTo    string        `json:"empty_to,omitempty"`

	// Backoff is how long an agent who declined or did not answer is spared that same caller; it
	// doubles with each refusal, up to eight times. After a phone's failure it is the longest time.
	Backoff   time.Duration `json:"backoff"`
	AutoPause int           `json:"auto_pause,omitempty"` // pause after this many misses in a row; 0 = never
	// AutoLogout logs the agent out instead.
	AutoLogout bool `json:"auto_logout,omitempty"`

	Distribution
	Waiting WaitingSpec `json:"waiting,omitzero"`
}

// AgentSpec is what the configuration says about one agent.
type AgentSpec struct {
	ID   tel.AgentID `json:"id"`
	Name string      `json:"name,omitempty"`

	Skills map[string]int `json:"skills,omitempty"` // how well the person has them: 1 to 10
	// WrapUp is the agent's own after-call work: 0 = as each queue says, negative = none.
	WrapUp time.Duration `json:"wrap_up,omitempty"`
	// Capacity is how much work the agent has at once, queue calls and others, before no caller rings;
	// 0 = 1. A call of a queue rings only who has no other call of a queue.
	Capacity int `json:"capacity,omitempty"`
	// RingOnInternal lets callers ring while the agent talks with a colleague.
	RingOnInternal bool `json:"ring_on_internal,omitempty"`
}

// Limits that keep the planner's memory and its timers sane.
const (
	MaxEntries   = 20000            // waiting callers of all queues together
	MaxCapacity  = 20               // pieces of work that one agent can have at once
	lease        = 10 * time.Second // a reserved agent whose phone never rings is released after this
	voidFor      = 10 * time.Second // a withdrawn offer is remembered for an answer that crossed it
	restFirst    = time.Second      // pause between two attempts at an agent whose phone failed
	restMost     = 30 * time.Second // the longest such pause
	maxWrapUp    = time.Hour        // the end of extended after-call work, counted from now
	backoffSteps = 3                // doublings of a refusal's back-off
)

// Defaults fills what the configuration left at zero: 15 s of ringing, 10 s of back-off.
func (q QueueSpec) Defaults() QueueSpec {
	if q.Strategy == "" {
		q.Strategy = LongestIdle
	}
	if q.Ring == 0 {
		q.Ring = 15 * time.Second
	}
	if q.Backoff == 0 {
		q.Backoff = 10 * time.Second
	}
	q.Distribution = q.defaults()
	q.Waiting.Callback = q.Waiting.Callback.defaults()
	return q
}

// Validate returns every fault of the queues and agents at once, or nil.
func Validate(queues []QueueSpec, agents []AgentSpec) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	known := map[tel.AgentID]bool{}
	for i, a := range agents {
		if a.ID == "" {
			bad("agents[%d]: no id", i)
		} else if known[a.ID] {
			bad("agents[%d]: agent %q twice", i, a.ID)
		}
		known[a.ID] = true
		validateSkills(fmt.Sprintf("agents[%d]", i), a.Skills, bad)
		if a.WrapUp > maxWrapUp {
			bad("agents[%d]: wrap_up %v is more than %v", i, a.WrapUp, maxWrapUp)
		}
		if a.Capacity < 0 || a.Capacity > MaxCapacity {
			bad("agents[%d]: capacity %d is not within 1 and %d", i, a.Capacity, MaxCapacity)
		}
	}
	seen := map[tel.QueueID]bool{}
	for i, q := range queues {
		at := fmt.Sprintf("queues[%d]", i)
		if q.ID == "" {
			bad("%s: no id", at)
		} else if seen[q.ID] {
			bad("%s: queue %q twice", at, q.ID)
		}
		seen[q.ID] = true
		if !slices.Contains(Strategies(), q.Strategy) {
			bad("%s: unknown strategy %q", at, q.Strategy)
		}
		if q.Ring < time.Second || q.Ring > 10*time.Minute {
			bad("%s: ring %v is not within 1s and 10m", at, q.Ring)
		}
		if q.Backoff < time.Second || q.Backoff > time.Hour {
			bad("%s: backoff %v is not within 1s and 1h", at, q.Backoff)
		}
		if q.WrapUp < 0 || q.WrapUp > maxWrapUp {
			bad("%s: wrap_up %v is not within 0 and %v", at, q.WrapUp, maxWrapUp)
		}
		if q.MaxWait < 0 || q.MaxLength < 0 || q.EmptyGrace < 0 || q.AutoPause < 0 {
			bad("%s: a limit is negative", at)
		}
		q.validateWaiting(at, bad)
		members := map[tel.AgentID]bool{}
		for j, m := range q.Members {
			if !known[m] {
				bad("%s.members[%d]: no agent %q", at, j, m)
			} else if members[m] {
				bad("%s.members[%d]: agent %q twice", at, j, m)
			}
			members[m] = true
		}
		q.defaults().validate(at, members, bad)
	}
	return errors.Join(errs...)
}
