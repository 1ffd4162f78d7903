package stack

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A way that failed is tried last for a while: 30 s at first, twice as long after each further
// failure, up to ten minutes. It is never left out, since it may be the only one.
const (
	firstPenalty = 30 * time.Second
	maxPenalty   = 10 * time.Minute
	maxPenalised = 1024
)

// penalties is the penalty box, by transport and remote address.
type penalties struct {
	some atomic.Bool // whether any is set: the common case costs no lock

	mu  sync.Mutex
	box map[Flow]penalty
}

type penalty struct {
	until time.Time
	wait  time.Duration
}

// Penalise puts the way of a flow into the penalty box, where Targets puts it last. The stack does so
// itself when a request of ours found no answer, could not be sent, or was answered 503.
func (s *Stack) Penalise(f Flow) { s.penalties.add(dialKey(f), 0) }

// Succeed takes the way of a flow out of the penalty box. The stack does so itself at each response
// other than 503.
func (s *Stack) Succeed(f Flow) { s.penalties.remove(dialKey(f)) }

// Penalised says until when the way of a flow is in the penalty box; zero when it is not.
func (s *Stack) Penalised(f Flow) time.Time { return s.penalties.until(dialKey(f)) }

func (p *penalties) add(key Flow, atLeast time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.box == nil {
		p.box = make(map[Flow]penalty)
	}
	was, known := p.box[key]
	if known && now.Before(was.until) && now.Sub(was.until.Add(-was.wait)) < time.Second {
		return // many requests that fail together are one failure
	}
	if !known && len(p.box) >= maxPenalised {
		for k, b := range p.box {
			if now.After(b.until) {
				delete(p.box, k)
			}
		}
		if len(p.box) >= maxPenalised {
			clear(p.box)
		}
	}
	wait := firstPenalty
	if known && now.Sub(was.until) < maxPenalty {
		wait = 2 * was.wait
	}
	wait = min(max(wait, atLeast), maxPenalty)
	p.box[key] = penalty{now.Add(wait), wait}
	p.some.Store(true)
}

func (p *penalties) remove(key Flow) {
	if !p.some.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.box, key)
	p.some.Store(len(p.box) > 0)
}

func (p *penalties) until(key Flow) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.box[key]; ok && time.Now().Before(b.until) {
		return b.until
	}
	return time.Time{}
}

// order puts the ways that are in the box last.
func (p *penalties) order(targets []Target) {
	if !p.some.Load() {
		return
	}
	slices.SortStableFunc(targets, func(a, b Target) int {
		return p.until(dialKey(a.Flow)).Compare(p.until(dialKey(b.Flow)))
	})
}

// judge learns from the outcome of a request that we sent on a flow.
func (s *Stack) judge(f Flow, r Result) {
	switch {
	case r.Err != nil:
		s.Penalise(f)
	case r.Response.StatusCode == sip.StatusServiceUnavailable:
		s.penalties.add(dialKey(f), retryAfterOf(r.Response))
	default:
		s.Succeed(f)
	}
}

// retryAfterOf is how long a response asks us to stay away, 0 where it does not say.
func retryAfterOf(res *sip.Response) time.Duration {
	h := res.GetHeader("Retry-After")
	if h == nil {
		return 0
	}
	seconds := 0
	for _, c := range h.Value() {
		if c < '0' || c > '9' || seconds > 1e6 {
			break
		}
		seconds = 10*seconds + int(c-'0')
	}
	return time.Duration(seconds) * time.Second
}
