package registrar

import (
	"net/netip"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/ban"
)

// maxRated bounds how many sources have a bucket of their own. When all are busy, newcomers share
// one: a flood from everywhere is slowed as a whole.
const maxRated = 4096

// rates limits what each source may do by a token bucket.
type rates struct {
	rate, burst float64 // tokens per second, and at most

	mu      sync.Mutex // guards all below
	buckets map[netip.Prefix]*bucket
	rest    *bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	last   time.Time
}

func newRates(rate, burst float64) *rates {
	return &rates{rate: rate, burst: burst, buckets: map[netip.Prefix]*bucket{}, rest: &bucket{tokens: burst}}
}

// allow takes one token of the source.
func (r *rates) allow(src netip.Addr, now time.Time) bool {
	source := ban.SourceOf(src)
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[source]
	if b == nil {
		if len(r.buckets) >= maxRated {
			r.sweep(now)
		}
		if b = r.rest; len(r.buckets) < maxRated {
			b = &bucket{tokens: r.burst, last: now}
			r.buckets[source] = b
		}
	}
	b.tokens = min(r.burst, b.tokens+now.Sub(b.last).Seconds()*r.rate)
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// sweep forgets the sources whose bucket is full again, at most once a second.
func (r *rates) sweep(now time.Time) {
	if now.Sub(r.swept) < time.Second {
		return
	}
	r.swept = now
	for source, b := range r.buckets {
		if b.tokens+now.Sub(b.last).Seconds()*r.rate >= r.burst {
			delete(r.buckets, source)
		}
	}
}
