package registrar

import (
	"net/netip"
	"sync"
	"time"
)

// Limits of guessing: a source with this many failures in this time is not checked any more until
// the oldest of them is past.
const (
	maxFailures    = 10
	failureWindow  = 5 * time.Minute
	maxGuessers    = 4096
	ipv6SourceBits = 64
)

// sourceOf is the unit that failures are counted for: one IPv4 address, or the /64 that an IPv6
// host can move about in.
func sourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, err := a.Prefix(ipv6SourceBits)
	if err != nil { // the invalid address is a source of its own
		return netip.Prefix{}
	}
	return p
}

// attempts remembers failed logins by source, in bounded memory. It is shared by the goroutines
// that authenticate.
type attempts struct {
	mu      sync.Mutex
	sources map[netip.Prefix]*failures
	order   []netip.Prefix // of first failure, oldest first
	limit   int
}

// failures is a ring of the instants of the last failures.
type failures struct {
	at   [maxFailures]time.Time
	next int
}

func newAttempts(limit int) *attempts {
	return &attempts{sources: map[netip.Prefix]*failures{}, limit: limit}
}

// blocked reports whether the source has used up its failures.
func (a *attempts) blocked(src netip.Prefix, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.sources[src]
	if f == nil {
		return false
	}
	oldest := f.at[f.next]
	return !oldest.IsZero() && now.Sub(oldest) < failureWindow
}

// failed counts one failure. A full table forgets the source whose first failure is longest ago.
func (a *attempts) failed(src netip.Prefix, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.sources[src]
	if f == nil {
		a.forgetOld(now)
		if len(a.order) >= a.limit {
			a.drop()
		}
		f = &failures{}
		a.sources[src] = f
		a.order = append(a.order, src)
	}
	f.at[f.next] = now
	f.next = (f.next + 1) % maxFailures
}

// sweep forgets sources that have been quiet for the whole window.
func (a *attempts) sweep(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetOld(now)
}

func (a *attempts) forgetOld(now time.Time) {
	for len(a.order) > 0 {
		f := a.sources[a.order[0]]
		last := f.at[(f.next+maxFailures-1)%maxFailures]
		if now.Sub(last) < failureWindow {
			return
		}
		a.drop()
	}
}

func (a *attempts) drop() {
	delete(a.sources, a.order[0])
	a.order = a.order[1:]
}
