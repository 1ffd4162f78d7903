package useragent

import (
	"math/bits"
	"slices"
	"time"
)

// Spread is a distribution of durations that takes the same memory for a million as for one. Its
// quantiles are at most 1 % too small.
type Spread struct {
	n     int
	most  time.Duration
	count []uint32 // by exponent and the seven bits after the first
}

// Add counts one duration; negative ones count as 0.
func (s *Spread) Add(d time.Duration) {
	if s.count == nil {
		s.count = make([]uint32, 64<<(cellBits+1))
	}
	d = max(d, 0)
	s.n++
	s.most = max(s.most, d)
	s.count[cellOf(d)]++
}

const cellBits = 7

func cellOf(d time.Duration) uint16 {
	e := max(bits.Len64(uint64(d))-cellBits-1, 0)
	return uint16(e<<(cellBits+1)) | uint16(uint64(d)>>e)
}

func startOf(cell uint16) time.Duration {
	return time.Duration(uint64(cell&(1<<(cellBits+1)-1)) << (cell >> (cellBits + 1)))
}

// N is how many were counted.
func (s *Spread) N() int { return s.n }

// Max is the longest.
func (s *Spread) Max() time.Duration { return s.most }

// Quantile is what the share q of all does not exceed, such as 0.99; 0 when nothing was counted.
func (s *Spread) Quantile(q float64) time.Duration {
	if s.n == 0 {
		return 0
	}
	rank := min(int(q*float64(s.n)), s.n-1)
	var at time.Duration
	for cell, c := range s.count {
		if c > 0 {
			at = startOf(uint16(cell))
			if rank -= int(c); rank < 0 {
				return at
			}
		}
	}
	return at
}

func (s *Spread) clone() Spread {
	c := *s
	c.count = slices.Clone(s.count)
	return c
}

// join adds what other counted.
func (s *Spread) join(other *Spread) {
	if other.n == 0 {
		return
	}
	if s.count == nil {
		s.count = make([]uint32, len(other.count))
	}
	for i, n := range other.count {
		s.count[i] += n
	}
	s.n += other.n
	s.most = max(s.most, other.most)
}
