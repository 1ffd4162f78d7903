// Package brute is a second opinion on matching for tests: it tries every assignment of a small
// case. It shares no code and no types with the planner that it judges.
package brute

// Case is a small matching problem. Callers are numbered in order of service.
type Case struct {
	Agents int
	// Prefers lists, for each caller, the agents who may serve it; the function is called again
	// for each caller in order with the agents already given away, because a round robin's
	// preference depends on whom the same queue rang before.
	Prefers func(caller int, given []int) []int
	Callers int
}

// None stands for a caller without an agent.
const None = -1

// Solve returns the agent of each caller. The served callers are the lexicographically first set
// that can be served together (caller 0 if possible, then caller 1 if possible beside it, ...);
// among the assignments that serve exactly them, each caller in order gets its most preferred agent.
func Solve(c Case) []int {
	served := make([]bool, c.Callers)
	for i := range served {
		served[i] = true
		if !feasible(c, served, nil) {
			served[i] = false
		}
	}
	given := make([]int, 0, c.Callers)
	for i := range served {
		pick := None
		if served[i] {
			for _, a := range c.Prefers(i, given) {
				if feasible(c, served, append(append([]int{}, given...), a)) {
					pick = a
					break
				}
			}
		}
		given = append(given, pick)
	}
	return given
}

// feasible tries all assignments that begin with given and serve every caller marked as served.
func feasible(c Case, served []bool, given []int) bool {
	taken := make([]bool, c.Agents)
	for _, a := range given {
		if a == None {
			continue
		}
		if taken[a] {
			return false
		}
		taken[a] = true
	}
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(served) {
			return true
		}
		if !served[i] {
			return try(i + 1)
		}
		// Only the set matters here, so any order of the caller's agents will do.
		for _, a := range c.Prefers(i, nil) {
			if !taken[a] {
				taken[a] = true
				if try(i + 1) {
					return true
				}
				taken[a] = false
			}
		}
		return false
	}
	return try(len(given))
}
