package dialplan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Class is a group of destinations that a person may or may not dial.
type Class string

// The classes. Emergency numbers are in none: they never need a permission.
const (
	Internal      Class = "internal"
	Local         Class = "local"         // geographic, nomadic, toll-free, shared cost and service numbers of Italy
	Mobile        Class = "mobile"        // Italian mobile numbers
	International Class = "international" // everything behind 00 or + that is not +39
	Premium       Class = "premium"       // 89x, 4x, 7x, 178, 12xx, satellites and international premium
)

// Classes lists every class.
func Classes() []Class { return []Class{Internal, Local, Mobile, International, Premium} }

// DefaultClasses is what an extension may dial when nothing is said: what fraudsters want
// (international and premium numbers) is locked.
func DefaultClasses() []Class { return []Class{Internal, Local, Mobile} }

// ClassOf says which permission an outside number needs; ok is false for what is no outside number,
// emergency numbers among it.
func ClassOf(n tel.Number) (c Class, ok bool) {
	switch n.Kind() {
	case tel.KindGeographic, tel.KindNomadic, tel.KindTollFree, tel.KindSharedCost, tel.KindShort:
		return Local, true
	case tel.KindMobile:
		return Mobile, true
	case tel.KindPremium, tel.KindInternet:
		return Premium, true
	case tel.KindInternational:
		switch n.Country() {
		case "":
			return "", false
		case tel.World:
			return Premium, true
		}
		return International, true
	default:
		return "", false
	}
}

// OutsideRoute sends outside numbers to trunks and lines. Of the routes that fit, the most exact
// counts: with the longest Prefix or Pattern, then with People, then with Hours, then the first.
type OutsideRoute struct {
	// Prefix is compared with the international form (+39 for all Italian numbers, +393 for
	// mobiles, + for everything) and, for numbers that have none, with what was dialled.
	Prefix tel.Number
	// Pattern is compared with the whole number in the same form: digits and + stand for
	// themselves, X is any digit, Z 1 to 9, N 2 to 9, and a final dot one or more digits.
	Pattern string
	People  []tel.Number // extensions that use it; empty = everybody, also the configuration's own calls
	Hours   string       // table that must be open; empty = always
	Via     []string     // in the order in which they are tried
	// Cheapest orders Via by the price of the number's class; those without a price come last, equal
	// ones stay in order.
	Cheapest bool
	Form     Form
	Strip    int        // symbols removed at the front, after Form
	Prepend  tel.Number // put in front, after Strip
}

// Form is how a number is written for a trunk or a line.
type Form string

// The forms.
const (
	National Form = "national" // 0212345678, 3331234567, 0044...: what a telephone in Italy dials; the default
	E164     Form = "e164"     // +390212345678
)

// Outlet is a trunk or a line through which the site can call out.
type Outlet struct {
	Via string // "trunk:tim" or "line:gsm0"
	// Emergency marks the line whose registered address is this site: emergency calls try it first.
	Emergency bool
	Mobile    bool                // a GSM line: emergency calls try it last
	Number    tel.Number          // the line's own number, shown on emergency calls
	Prices    map[Class]tel.Money // per minute
}

// Attempt is one way out.
type Attempt struct {
	Via    string     // "trunk:tim" or "line:gsm0"
	Number tel.Number // as that trunk or line shall get it
	Dialed tel.Number // the number itself, for limits and records: international where it has that form
	From   tel.Number // number to show, on emergency calls; empty = as usual
	Price  tel.Money  // per minute
	Priced bool       // Price is known
}

func (x Extension) may(c Class) bool {
	if x.Allow == nil {
		return slices.Contains(DefaultClasses(), c)
	}
	return slices.Contains(x.Allow, c)
}

// outsideNumber removes the outside prefix; ok is false when it is missing.
func (p Plan) outsideNumber(n tel.Number) (tel.Number, bool) {
	if p.OutsidePrefix == "" || strings.HasPrefix(string(n), "+") {
		return n, true
	}
	rest, ok := strings.CutPrefix(string(n), string(p.OutsidePrefix))
	return tel.Number(rest), ok && rest != ""
}

// outside finds the ways out for a number, if who asks may dial it. Every call that leaves the box
// comes through here, or is an emergency call.
func (p Plan) outside(n tel.Number, r Request) Decision {
	if _, emergency := p.emergency(n); emergency {
		return reject(n, tel.CauseForbidden, WhyEmergency) // only who dials it may reach it
	}
	class, ok := ClassOf(n)
	if !ok {
		return reject(n, tel.CauseUnallocated, WhyUnknown)
	}
	if r.As != "" {
		x, known := p.extension(r.As)
		switch {
		case known && x.may(class):
		case known && r.direct && slices.Contains(x.PINAllow, class):
			if asked, refused := p.needPIN(x, r); refused {
				return asked
			}
		default:
			return reject(n, tel.CauseForbidden, WhyForbidden)
		}
	}
	wide, hasE164 := n.E164()
	if !hasE164 {
		wide = n
	}
	best := p.route(wide, r)
	if best == nil {
		return reject(n, tel.CauseCongestion, WhyNoRoute)
	}
	d := Decision{Action: Outside, Number: wide, Class: class, As: r.As, Attempts: p.attempts(best, wide, class)}
	if len(d.Attempts) == 0 {
		return reject(n, tel.CauseCongestion, WhyNoRoute)
	}
	return d
}

// route picks the most exact route.
func (p Plan) route(wide tel.Number, r Request) *OutsideRoute {
	var best *OutsideRoute
	var bestRank int
	for i := range p.Routes {
		one := &p.Routes[i]
		exact, fits := one.matches(wide)
		switch {
		case !fits, len(one.People) > 0 && !slices.Contains(one.People, r.As), one.Hours != "" && !p.OpenAt(one.Hours, r.At).Open:
			continue
		}
		rank := exact * 4
		if len(one.People) > 0 {
			rank += 2
		}
		if one.Hours != "" {
			rank++
		}
		if best == nil || rank > bestRank {
			best, bestRank = one, rank
		}
	}
	return best
}

// matches says whether a number fits, and how many of its symbols the route names.
func (o OutsideRoute) matches(n tel.Number) (exact int, ok bool) {
	if o.Pattern == "" {
		return len(o.Prefix), strings.HasPrefix(string(n), string(o.Prefix))
	}
	s := string(n)
	for i := range len(o.Pattern) {
		c := o.Pattern[i]
		if c == '.' {
			return exact, s != ""
		}
		if s == "" {
			return 0, false
		}
		switch {
		case c == s[0]:
			exact++
		case c == 'X' && s[0] >= '0' && s[0] <= '9', c == 'Z' && s[0] >= '1' && s[0] <= '9', c == 'N' && s[0] >= '2' && s[0] <= '9':
		default:
			return 0, false
		}
		s = s[1:]
	}
	return exact, s == ""
}

// IsPattern reports whether a pattern is written as OutsideRoute.Pattern says.
func IsPattern(s string) bool {
	body := strings.TrimSuffix(s, ".")
	return s != "" && strings.Trim(strings.TrimPrefix(body, "+"), "0123456789XZN") == ""
}

// attempts writes the number for each way of a route. A route whose form would turn a number into an
// emergency number has no such way.
func (p Plan) attempts(o *OutsideRoute, wide tel.Number, class Class) []Attempt {
	var all []Attempt
	written := o.write(wide)
	if reachesEmergency(written) {
		return nil
	}
	for _, via := range o.Via {
		a := Attempt{Via: via, Number: written, Dialed: wide}
		if i := slices.IndexFunc(p.Outlets, func(out Outlet) bool { return out.Via == via }); i >= 0 {
			a.Price, a.Priced = p.Outlets[i].Prices[class]
		}
		all = append(all, a)
	}
	if o.Cheapest {
		slices.SortStableFunc(all, func(a, b Attempt) int {
			switch {
			case a.Priced && !b.Priced:
				return -1
			case b.Priced && !a.Priced:
				return 1
			}
			return cmp.Compare(a.Price, b.Price)
		})
	}
	return all
}

// write puts a number into the form of the route.
func (o OutsideRoute) write(n tel.Number) tel.Number {
	s := string(n)
	if o.Form != E164 {
		s = string(n.National())
	}
	return o.Prepend + tel.Number(s[min(max(o.Strip, 0), len(s)):])
}
