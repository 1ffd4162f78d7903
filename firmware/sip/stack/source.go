package stack

import (
	"net/netip"
	"sync"
	"time"
)

// maxSources bounds the table of sources. Sources that find it full share one bucket per slot.
const (
	maxSources = 4096
	spillSlots = 256
)

// bucket is a token bucket: tokens refill with time up to the burst.
type bucket struct {
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time, rate, burst float64) bool {
	b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()*rate)
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// sources limits how many messages each source may send per second. Its memory is bounded: an
// address that has been quiet long enough for its bucket to be full again is forgotten, and when
// every entry is busy, newcomers share the spill buckets.
type sources struct {
	rate, burst float64

	mu    sync.Mutex
	table map[netip.Addr]*bucket
	swept time.Time
	spill [spillSlots]bucket
}

func newSources(rate, burst float64) *sources {
	return &sources{rate: rate, burst: burst, table: make(map[netip.Addr]*bucket)}
}

// allow takes one token of the source. An IPv6 source is its /64, since one host owns all of it.
func (s *sources) allow(src netip.Addr, now time.Time) bool {
	key := hostOf(src)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.table[key]
	if b == nil {
		if len(s.table) >= maxSources {
			s.sweep(now)
		}
		if len(s.table) >= maxSources {
			raw := key.As16()
			b = &s.spill[(int(raw[15])^int(raw[7]))%spillSlots]
		} else {
			b = &bucket{tokens: s.burst, last: now}
			s.table[key] = b
		}
	}
	return b.take(now, s.rate, s.burst)
}

// hostOf is what counts as one source: an address, and for IPv6 its /64.
func hostOf(src netip.Addr) netip.Addr {
	src = src.Unmap()
	if src.Is6() {
		if p, err := src.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return src
}

// modestShare is how many open transactions a source may have and still be served when others have
// filled the table.
const modestShare = 8

// shares counts the open server transactions of each source. Its memory is bounded by theirs.
type shares struct {
	mu   sync.Mutex
	open map[netip.Addr]int
}

func (s *shares) add(src netip.Addr, n int) {
	key := hostOf(src)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[netip.Addr]int)
	}
	if s.open[key] += n; s.open[key] <= 0 {
		delete(s.open, key)
	}
}

func (s *shares) modest(src netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[hostOf(src)] < modestShare
}

// sweep forgets the sources whose bucket is full again, at most once a second: with every entry
// busy, looking at each for each datagram would be an attack of its own.
func (s *sources) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Second {
		return
	}
	s.swept = now
	for a, b := range s.table {
		if b.tokens+now.Sub(b.last).Seconds()*s.rate >= s.burst {
			delete(s.table, a)
		}
	}
}

func (s *sources) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table)
}
