package access

import (
	"time"
)

// pace slows down who guesses: after a few free tries each further one must wait twice as long as the one
// before. Waiting is forgiven by time; nobody is ever locked out.
type pace struct {
	free    int           // tries before the first wait
	most    time.Duration // the longest wait
	tries   map[string]tries
	entries int // the largest number of keys
}

type tries struct {
	n    int
	last time.Time
}

const (
	firstWait   = time.Second
	forgivenIn  = 15 * time.Minute // without a try
	paceEntries = 4096
)

func newPace(free int, most time.Duration) *pace {
	return &pace{free: free, most: most, tries: map[string]tries{}, entries: paceEntries}
}

// wait is how long the key must wait before its next try; 0 is not at all.
func (p *pace) wait(key string, now time.Time) time.Duration {
	t := p.tries[key]
	if t.n < p.free || now.Sub(t.last) >= forgivenIn || now.Before(t.last) { // the clock was set back: no harm
		return 0
	}
	w := p.most
	if shift := t.n - p.free; shift < 20 {
		w = min(firstWait<<shift, p.most)
	}
	return max(0, w-now.Sub(t.last))
}

// failed counts a wrong try.
func (p *pace) failed(key string, now time.Time) {
	t := p.tries[key]
	if now.Sub(t.last) >= forgivenIn {
		t.n = 0
	}
	p.tries[key] = tries{t.n + 1, now}
	if len(p.tries) > p.entries {
		p.drop(now)
	}
}

// passed forgives.
func (p *pace) passed(key string) { delete(p.tries, key) }

// drop makes room: who is forgiven goes, and the longest silent one.
func (p *pace) drop(now time.Time) {
	oldest, at := "", now
	for k, t := range p.tries {
		if now.Sub(t.last) >= forgivenIn {
			delete(p.tries, k)
		} else if !t.last.After(at) {
			oldest, at = k, t.last
		}
	}
	if len(p.tries) > p.entries {
		delete(p.tries, oldest)
	}
}
