package party

import (
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/call"
)

// How many calls of one caller to one number may wait at a trunk for an answer at a time; of callers
// without a number, who may be different ones.
const (
	maxRounds       = 10
	maxHiddenRounds = 30
)

// rounds finds calls that a carrier brings back to us again and again, because a number of ours leads to
// one that is forwarded to it. Most carriers begin each lap as a new call, with a new Call-ID and all of
// Max-Forwards, so that nothing else tells.
type rounds struct {
	mu   sync.Mutex
	open map[round]int
}

type round struct{ from, caller, dialed string }

// enter counts a call until leave, which may be called more than once. ok is false for one too many;
// then there is nothing to leave.
func (r *rounds) enter(in call.Arrival) (leave func(), ok bool) {
	if !strings.HasPrefix(in.From, "trunk:") { // carriers alone bring calls back
		return func() {}, true
	}
	limit := maxRounds
	if in.Caller == "" {
		limit = maxHiddenRounds
	}
	key := round{in.From, string(in.Caller), string(in.Dialed)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key] >= limit {
		return nil, false
	}
	if r.open == nil {
		r.open = map[round]int{}
	}
	r.open[key]++
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open[key]--; r.open[key] == 0 {
			delete(r.open, key)
		}
	}), true
}
