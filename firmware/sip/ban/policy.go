package ban

import (
	"net/netip"
	"time"
)

// Offence is what a source is counted for.
type Offence string

// The offences.
const (
	Guess   Offence = "wrong passwords"     // it answered our challenge, so the address is its own
	Search  Offence = "search for accounts" // it asks for many names and proves none
	Scanner Offence = "attack program"      // it says itself that it is one
)

// forgeable reports that the sender may have written another's address on its datagrams.
func (o Offence) forgeable() bool { return o != Guess }

// Policy is how much is borne. The zero value of a field means its default in brackets.
type Policy struct {
	Tries  int           // wrong passwords within Window that ban [10]
	Window time.Duration // after this, a wrong password or a name asked for is forgotten [10 min]
	Names  int           // names asked for and not proved that ban [20]
	// Far and Near are how long the first ban lasts, the second, and so on: from outside [10 min, 1 h,
	// 24 h] and on the LAN [1, 5, 15 min]. What can be forged gets the first one each time.
	Far, Near []time.Duration
}

const (
	defaultTries  = 10
	defaultWindow = 10 * time.Minute
	defaultNames  = 20

	// unanswered is how long a phone may take to answer a challenge: Timer F of RFC 3261 section
	// 17.1.2.2. Only names asked for longer ago count, or a whole office that logs in after a power
	// cut would look like a search.
	unanswered = 32 * time.Second
	// atOnce times Names may be open at once, however young: more is no office behind one address.
	atOnce = 5
	// forgiven is how long after a ban the next one is a first one again.
	forgiven = 7 * 24 * time.Hour
)

func (p Policy) withDefaults() Policy {
	if p.Tries <= 0 {
		p.Tries = defaultTries
	}
	if p.Window <= 0 {
		p.Window = defaultWindow
	}
	if p.Names <= 0 {
		p.Names = defaultNames
	}
	if len(p.Far) == 0 {
		p.Far = []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour}
	}
	if len(p.Near) == 0 {
		p.Near = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
	}
	return p
}

// length is the time of the n-th ban, counted from 0.
func length(steps []time.Duration, n int) time.Duration { return steps[min(n, len(steps)-1)] }

// SourceOf is the unit that is counted and banned: one IPv4 address, or the /64 that an IPv6 host
// can move about in. An invalid address is a source of its own.
func SourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
