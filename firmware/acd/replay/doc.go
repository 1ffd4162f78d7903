// Package replay decides a recorded day of the queues again. Check feeds the planner exactly what it was fed and
// says where it decides otherwise: the proof that the queue was fair. Rerun changes something (one agent more,
// another strategy, another wrap-up) and lets callers and agents react as they did, so that the figures of the day
// can be compared with those that it would have had. It is pure.
//
// record.go is what journals hold, check.go the comparison, story.go what callers and agents did, rerun.go the
// day as it would have been, habit.go what is drawn where nobody knows.
package replay
