package dialplan

import (
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// emergency recognises an emergency number also behind the outside prefix, behind the code that hides
// the caller's number and behind +39: whoever dials it means it.
func (p Plan) emergency(n tel.Number) (tel.Number, bool) {
	before := []tel.Number{p.OutsidePrefix, "+39", "0039"}
	for _, c := range p.codes() {
		if c.Action == DialAnonymous {
			before = append(before, c.Code)
		}
	}
	return undress(n, before)
}

// undress looks for an emergency number behind beginnings, each used once, in any order.
func undress(n tel.Number, before []tel.Number) (tel.Number, bool) {
	if n.Emergency() {
		return n, true
	}
	for i, b := range before {
		rest, ok := strings.CutPrefix(string(n), string(b))
		if !ok || b == "" {
			continue
		}
		if e, ok := undress(tel.Number(rest), slices.Concat(before[:i], before[i+1:])); ok {
			return e, true
		}
	}
	return "", false
}

// reachesEmergency reports whether an exchange that gets these symbols one by one would connect an
// emergency number. Longer emergency numbers are compared as a whole: +1 515 is Iowa.
func reachesEmergency(n tel.Number) bool {
	return slices.ContainsFunc(tel.EmergencyNumbers(), func(e tel.Number) bool {
		return n == e || len(e) == 3 && strings.HasPrefix(string(n), string(e))
	})
}

// emergencyCall tries the lines whose registered address is the site first, then everything else that
// leads out, mobile lines last: a carrier that drops the call may still do so after a while, and the
// mobile network knows least about where we are. In test mode there is no way out at all.
func (p Plan) emergencyCall(n tel.Number, r Request) Decision {
	if p.EmergencyTest != "" {
		return p.emergencyTest(n, r)
	}
	d := Decision{Action: Emergency, Number: n}
	ways := slices.Clone(p.Outlets)
	slices.SortStableFunc(ways, func(a, b Outlet) int { return a.emergencyOrder() - b.emergencyOrder() })
	for _, o := range ways {
		d.Attempts = append(d.Attempts, Attempt{Via: o.Via, Number: n, Dialed: n, From: o.Number})
	}
	return d
}

func (o Outlet) emergencyOrder() int {
	switch {
	case o.Emergency:
		return 0
	case !o.Mobile:
		return 1
	default:
		return 2
	}
}

// emergencyTest leads to the test's destination, and to an echo when that is missing or would lead
// outside.
func (p Plan) emergencyTest(n tel.Number, r Request) Decision {
	d := Decision{Action: Echo}
	if to, err := ParseDestination(p.EmergencyTest); err == nil {
		switch to.Kind {
		case "say":
			d = Decision{Action: Say, Prompt: to.What}
		case "ext":
			x, _ := p.extension(tel.Number(to.What))
			if devices := p.Phones(x); len(devices) > 0 { // neither its forwards nor its do not disturb
				d = Decision{Action: Rings, Agent: x.Agent, Ring: &Ring{
					Number: x.Number, Agent: x.Agent, Hops: r.Hops + 1,
					Branches: []Branch{{Devices: devices, Agent: x.Agent, For: DefaultRing}},
				}}
			}
		}
	}
	d.Number, d.Test = n, true
	return d
}
