package tel

import "time"

// AlarmKind is which of a queue's thresholds is passed.
type AlarmKind string

// The thresholds of a queue.
const (
	AlarmWaiting AlarmKind = "waiting" // too many callers wait
	AlarmLongest AlarmKind = "longest" // somebody has waited too long
	AlarmReady   AlarmKind = "ready"   // too few agents are ready
)

// AlarmKinds lists every threshold.
func AlarmKinds() []AlarmKind { return []AlarmKind{AlarmWaiting, AlarmLongest, AlarmReady} }

// QueueAlarm reports that a queue has passed a threshold of its supervisor, or is back within it, and how
// it stood at that moment.
type QueueAlarm struct {
	Queue   QueueID       `json:"queue"`
	Name    string        `json:"name,omitempty"`
	What    AlarmKind     `json:"what"`
	Raised  bool          `json:"raised"`
	Waiting int           `json:"waiting"` // callers
	Longest time.Duration `json:"longest"` // wait of who has waited longest
	Ready   int           `json:"ready"`   // agents
	At      time.Time     `json:"at"`
}

// Kind implements Event.
func (QueueAlarm) Kind() string { return "queue_alarm" }
