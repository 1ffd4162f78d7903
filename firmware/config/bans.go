package config

import (
	"fmt"
	"net/netip"
	"time"
)

// Bans is when an address that guesses passwords or searches for accounts is refused, and for how
// long. Each field is applied at once; bans that stand keep their time. On the LAN only logins are
// refused, and for the shorter times, since the guesser there is a phone with an old password.
type Bans struct {
	Tries  int             `yaml:"tries"`           // wrong passwords within window; default 10, 3-100
	Window time.Duration   `yaml:"window"`          // default 10m, 1m-24h
	Names  int             `yaml:"names"`           // accounts asked for and not proved; default 20, 5-1000
	Far    []time.Duration `yaml:"far"`             // the first ban, the second, ..., from outside; default 10m, 1h, 24h; 1m-720h each
	Near   []time.Duration `yaml:"near"`            // on the LAN; default 1m, 5m, 15m; 1s-24h each
	Never  []netip.Prefix  `yaml:"never,omitempty"` // networks that are never banned; carriers never are; default none
}

// Registrations bounds what phones may keep at the box.
type Registrations struct {
	MinExpires time.Duration `yaml:"min_expires"` // a phone that wants less is told so; default 1m, 10s-1h; needs a restart
	MaxExpires time.Duration `yaml:"max_expires"` // a phone that wants more gets this; default 1h, 1m-24h; needs a restart
	PerPhone   int           `yaml:"per_phone"`   // contacts of one phone at a time; default 5, 1-50; applied at the next registration
	PerSecond  int           `yaml:"per_second"`  // of one address, ten times as many at once; default 100, 1-10000; needs a restart
}

func defaultBans() Bans {
	return Bans{
		Tries: 10, Window: 10 * time.Minute, Names: 20,
		Far:  []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour},
		Near: []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute},
	}
}

func defaultRegistrations() Registrations {
	return Registrations{MinExpires: time.Minute, MaxExpires: time.Hour, PerPhone: 5, PerSecond: 100}
}

func (v *validator) bans() {
	b, r := &v.c.SIP.Bans, &v.c.SIP.Registrations
	v.between("sip.bans.tries", b.Tries, 3, 100)
	v.duration("sip.bans.window", b.Window, time.Minute, 24*time.Hour)
	v.between("sip.bans.names", b.Names, 5, 1000)
	v.steps("sip.bans.far", b.Far, time.Minute, 30*24*time.Hour)
	v.steps("sip.bans.near", b.Near, time.Second, 24*time.Hour)
	for i, p := range b.Never {
		if !p.IsValid() {
			v.found.add(fmt.Sprintf("sip.bans.never[%d]", i), "network", "is not a network such as 192.0.2.0/24")
		}
	}
	v.duration("sip.registrations.min_expires", r.MinExpires, 10*time.Second, time.Hour)
	v.duration("sip.registrations.max_expires", r.MaxExpires, time.Minute, 24*time.Hour)
	if r.MinExpires > r.MaxExpires {
		v.found.add("sip.registrations.min_expires", "range", "%s is more than max_expires", r.MinExpires)
	}
	v.between("sip.registrations.per_phone", r.PerPhone, 1, 50)
	v.between("sip.registrations.per_second", r.PerSecond, 1, 10_000)
}

// steps checks how long a source is banned for, time after time.
func (v *validator) steps(path string, all []time.Duration, low, high time.Duration) {
	if len(all) == 0 || len(all) > 10 {
		v.found.add(path, "range", "needs 1 to 10 times")
	}
	for i, d := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		v.duration(at, d, low, high)
		if i > 0 && d < all[i-1] {
			v.found.add(at, "order", "%s is shorter than the one before", d)
		}
	}
}
