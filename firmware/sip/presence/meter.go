package presence

import (
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	meterEvery = time.Second // a phone may send one text, and one report, in so long,
	meterBurst = 10          // after so many at once
)

// meter limits what each phone may send. It holds only phones that have lately sent something.
type meter map[tel.DeviceID]budget

// budget is a token bucket: full at meterBurst, one more each meterEvery.
type budget struct {
	left float64
	at   time.Time
}

// fill is the budget as it stands now.
func (b budget) fill(now time.Time) budget {
	return budget{min(meterBurst, b.left+float64(now.Sub(b.at))/float64(meterEvery)), now}
}

// spend takes one from the phone's budget; wait > 0 says how long until there is one.
func (m meter) spend(dev tel.DeviceID, now time.Time) (wait time.Duration) {
	b, known := m[dev]
	if !known {
		b = budget{meterBurst, now}
	}
	if b = b.fill(now); b.left >= 1 {
		b.left--
	} else {
		wait = time.Duration((1 - b.left) * float64(meterEvery))
	}
	m[dev] = b
	return wait
}

// sweep forgets the phones whose budget is full again.
func (m meter) sweep(now time.Time) {
	for dev, b := range m {
		if b.fill(now).left >= meterBurst {
			delete(m, dev)
		}
	}
}

// retryIn is Retry-After, rounded up.
func retryIn(wait time.Duration) sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
}
