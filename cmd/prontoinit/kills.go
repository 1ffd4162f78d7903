package main

import (
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
)

// kills is which programs the kernel has ended because they wanted more memory than their share, for the page. What the
// kernel counts in a group says nothing of which process it was: that the service itself was ended is known by how it
// ended, one look later, when the supervisor has seen it.
type kills struct {
	mu   sync.Mutex // guards told
	told []gate.Kill

	// The rest is of the goroutine that looks.
	seen    map[string]int    // restarts at the last look
	waiting map[string]uint64 // counted at the last look
	before  map[string]int    // restarts before that was counted
}

// bySIGKILL is what the supervisor says of a process that the kernel has ended.
const bySIGKILL = "signal: killed"

// look takes what the kernel has counted in a service's group since the last look, and how the service stands.
func (k *kills) look(service string, n uint64, st supervise.ServiceStatus, now time.Time) {
	if k.seen == nil {
		k.seen, k.waiting, k.before = map[string]int{}, map[string]uint64{}, map[string]int{}
	}
	if w := k.waiting[service]; w > 0 {
		itself := st.LastExit == bySIGKILL && (st.Restarts > k.before[service] || st.State == supervise.Waiting)
		k.add(gate.Kill{Program: service, Times: int(w), Last: now.UTC(), Helper: !itself})
	}
	k.waiting[service], k.before[service] = n, k.seen[service]
	k.seen[service] = st.Restarts
}

func (k *kills) add(x gate.Kill) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.told, func(o gate.Kill) bool { return o.Program == x.Program && o.Helper == x.Helper })
	if i < 0 {
		k.told = append(k.told, x)
		return
	}
	k.told[i].Times += x.Times
	k.told[i].Last = x.Last
}

// all is what is known. It may be called from any goroutine.
func (k *kills) all() []gate.Kill {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}
