package access

import (
	"net/netip"
	"sync"
	"time"
)

// Gate lets in whoever knows the code of a box's label, where there are no accounts: in its recovery system.
// It may be used by many goroutines.
type Gate struct {
	code Code

	mu   sync.Mutex
	each *pace // by address
	all  *pace // everybody together: addresses are cheap in one's own network
}

// Free tries and longest waits of a gate.
const (
	gateFree    = 3
	gateFreeAll = 10
	gateWait    = time.Minute
)

// NewGate makes a gate for a code. With an empty one nobody passes.
func NewGate(code Code) *Gate {
	return &Gate{code: code, each: newPace(gateFree, gateWait), all: newPace(gateFreeAll, gateWait)}
}

// Try tells whether what somebody typed opens the gate; wait is not zero when the try did not count because it
// came too soon.
func (g *Gate) Try(typed string, from netip.Addr, now time.Time) (ok bool, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := from.String()
	if wait := max(g.each.wait(key, now), g.all.wait("", now)); wait > 0 {
		return false, wait
	}
	code, is := ReadCode(typed)
	if is && code.is(g.code) {
		g.each.passed(key)
		g.all.passed("")
		return true, 0
	}
	g.each.failed(key, now)
	g.all.failed("", now)
	return false, 0
}
