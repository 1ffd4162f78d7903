package replay

import (
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// habits are what is drawn where the day does not say what somebody would have done.
type habits struct {
	rings   map[ringKind][]*ring      // that an agent decided
	talks   map[tel.QueueID][]*talk   // that ended
	settled time.Duration             // from a withdrawal until no phone rings, the median
	heard   time.Duration             // an announcement, the median
	stays   map[tel.QueueID]*patience // of each queue's callers
}

// ringKind tells offers apart that are answered differently.
type ringKind struct {
	queue    tel.QueueID
	agent    tel.AgentID // empty: of anybody
	callback bool
}

// Times that hold where a day has no example.
const (
	usualSettle = 50 * time.Millisecond
	usualSpeech = 6 * time.Second
)

// learn collects the habits of a day, in an order that does not change.
func learn(s *Story) habits {
	h := habits{rings: map[ringKind][]*ring{}, talks: map[tel.QueueID][]*talk{}, stays: map[tel.QueueID]*patience{}}
	var settled, heard []time.Duration
	for _, call := range sortedKeys(s.calls) {
		c := s.calls[call]
		for _, x := range c.talks {
			if x.ended {
				h.talks[x.queue] = append(h.talks[x.queue], x)
			}
		}
		for _, p := range c.places {
			if h.stays[p.queue] == nil {
				h.stays[p.queue] = &patience{}
			}
			h.stays[p.queue].take(p.waited, p.left && p.gave)
		}
		for _, x := range c.heard {
			heard = append(heard, x.after)
		}
	}
	pairs := make([]pair, 0, len(s.rings))
	for p := range s.rings {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, comparePairs)
	for _, p := range pairs {
		for _, r := range s.rings[p] {
			for _, x := range r.late {
				settled = append(settled, x.after)
			}
			if r.decided() {
				for _, agent := range []tel.AgentID{"", r.agent} {
					k := ringKind{r.queue, agent, r.callback}
					h.rings[k] = append(h.rings[k], r)
				}
			}
		}
	}
	for _, p := range h.stays {
		p.fit()
	}
	h.settled, h.heard = median(settled, usualSettle), median(heard, usualSpeech)
	return h
}

func median(all []time.Duration, none time.Duration) time.Duration {
	if len(all) == 0 {
		return none
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// lot is a number in [0, 1) that depends on its parts alone, so that a rerun draws the same again, and one caller
// is as patient in every rerun of a day.
func lot(parts ...string) float64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // never fails
		_, _ = h.Write([]byte{0})
	}
	x := h.Sum64() // of similar texts it differs in the low bits alone: mixed as splitmix64 does
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}

// draw takes one of several by a lot; nil where there is none.
func draw[X any](all []*X, lot float64) *X {
	if len(all) == 0 {
		return nil
	}
	return all[min(int(lot*float64(len(all))), len(all)-1)]
}

// patience is how long the callers of a queue stay: the estimate of Kaplan and Meier (1958), in which who was
// answered or sent on is known to have stayed at least that long. Beyond the longest stay that is known callers
// give up at the mean rate of the day.
type patience struct {
	stays  []stay
	gave   []time.Duration // when somebody gave up, in order
	remain []float64       // the share that stays longer than that
	rate   float64         // of giving up, a second
}

type stay struct {
	d    time.Duration
	gave bool
}

func (p *patience) take(d time.Duration, gave bool) {
	p.stays = append(p.stays, stay{max(0, d), gave})
}

func (p *patience) fit() {
	slices.SortFunc(p.stays, func(a, b stay) int {
		switch {
		case a.d != b.d && a.d < b.d, a.d == b.d && a.gave && !b.gave: // who left at the same moment had stayed that long
			return -1
		case a.d == b.d && a.gave == b.gave:
			return 0
		default:
			return 1
		}
	})
	share, sum, events := 1.0, 0.0, 0
	for i, s := range p.stays {
		sum += s.d.Seconds()
		if !s.gave {
			continue
		}
		events++
		share *= 1 - 1/float64(len(p.stays)-i)
		p.gave, p.remain = append(p.gave, s.d), append(p.remain, share)
	}
	if sum > 0 {
		p.rate = float64(events) / sum
	}
	p.stays = nil
}

// beyond is how long somebody stays who has stayed for known, by a lot; ok is false for who never gives up.
func (p *patience) beyond(known time.Duration, lot float64) (d time.Duration, ok bool) {
	if p == nil || p.rate == 0 {
		return 0, false
	}
	left, from := 1.0, 0
	for from < len(p.gave) && p.gave[from] <= known {
		left = p.remain[from]
		from++
	}
	target := left * (1 - lot)
	for i := from; i < len(p.gave); i++ {
		if p.remain[i] <= target {
			return p.gave[i], true
		}
	}
	end := known
	if n := len(p.gave); n > 0 {
		end = max(end, p.gave[n-1])
		left = min(left, p.remain[n-1])
	}
	if left <= 0 { // the last of all gave up: the rate alone is known
		left = 1
		target = 1 - lot
	}
	tail := -math.Log(max(target/left, 1e-12)) / p.rate
	return max(end, known) + time.Duration(tail*float64(time.Second)) + 1, true
}
