package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// Choice is what the owner of a box wants of its network. The zero value takes all that a server offers.
type Choice struct {
	Fixed *Fixed       `json:"fixed,omitempty"` // nil: ask for an address
	DNS   []netip.Addr `json:"dns,omitempty"`   // name servers; empty: those of Fixed, or what the network offers
	NTP   []string     `json:"ntp,omitempty"`   // servers of the time, names or addresses; empty: what the network offers
	Host  string       `json:"host,omitempty"`  // name of the box, from the next start on; empty: the one of its label
}

const mostServers = 4

var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

var serverForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$`)

// Validate says in words what cannot work.
func (c Choice) Validate() error {
	if len(c.DNS) > mostServers || len(c.NTP) > mostServers {
		return fmt.Errorf("more than %d servers", mostServers)
	}
	for _, a := range c.DNS {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("%v is no name server", a)
		}
	}
	for _, n := range c.NTP {
		if !serverForm.MatchString(n) {
			return fmt.Errorf("%q is no server of the time", n)
		}
	}
	if c.Host != "" && !hostForm.MatchString(c.Host) {
		return fmt.Errorf("%q is no name of a box: 1 to 63 letters a-z, digits and dashes", c.Host)
	}
	if c.Fixed != nil {
		return c.Fixed.Validate()
	}
	return nil
}

// over is what is used of what the network offers, under the choice.
func (c Choice) over(u Use) Use {
	if u.Address.IsValid() && len(c.DNS) > 0 {
		u.DNS = c.DNS
	}
	return u
}

// PlanFile is where the choice lies below the directory of the data. Without it File counts.
const PlanFile = "network-plan.json"

const planVersion = 1

// Undone is why a choice on trial was taken back.
type Undone string

// The reasons.
const (
	NotConfirmed Undone = "not_confirmed" // nobody confirmed it in time
	Restarted    Undone = "restarted"     // the box was switched off meanwhile
	GivenUp      Undone = "given_up"      // by who made it
)

// Plan is what the owner has chosen, as it lies on the disk.
type Plan struct {
	Held     Choice    `json:"held"`               // confirmed
	Trial    *Choice   `json:"trial,omitempty"`    // in use until it is confirmed or taken back
	Undone   Undone    `json:"undone,omitempty"`   // why the last trial was taken back; empty: it was kept
	UndoneAt time.Time `json:"undone_at,omitzero"` // when
	Lost     *Choice   `json:"lost,omitempty"`     // what was taken back
}

// current is the choice in use.
func (p Plan) current() Choice {
	if p.Trial != nil {
		return *p.Trial
	}
	return p.Held
}

// back is the plan without its trial.
func (p Plan) back(why Undone, now time.Time) Plan {
	return Plan{Held: p.Held, Undone: why, UndoneAt: now, Lost: p.Trial}
}

// SavePlan writes the file at path, safe from a power cut.
func SavePlan(path string, p Plan) error { return statefile.Save(path, planVersion, p) }

// LoadPlan reads the plan at path, or begins one with the fixed address that whoever built the box has written at
// fixed. With an error it is a plan that can be used.
func LoadPlan(path, fixed string) (Plan, error) {
	var p Plan
	err := statefile.Load(path, planVersion, &p)
	if err == nil {
		err = p.Held.Validate()
	}
	if err == nil {
		return p, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	f, ferr := LoadFixed(fixed)
	return Plan{Held: Choice{Fixed: f}}, errors.Join(err, ferr)
}
