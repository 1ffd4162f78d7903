//go:build race

package plan

// The planner has no goroutines, so the race detector has nothing to find and only slows it down;
// the full number runs without it.
const eventsByDefault = 40_000
