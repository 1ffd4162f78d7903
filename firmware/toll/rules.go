// Package toll keeps calls to the outside from costing more than the owner of the box wants, also when
// somebody stole a password. It is pure: a guard knows its rules and what was used, and is told the
// time. toll/meter owns the guard of a running box.
//
// A person's rights come before: the dial plan has asked them when a request comes here. The guard
// trusts nothing it is told about a number but the number itself. Emergency calls are neither counted
// nor refused.
package toll

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Rules are what the owner of the box allows.
type Rules struct {
	Countries []string         // ISO codes to which international calls may go; "all" is every country
	Premium   bool             // premium numbers, internet access and satellites at all
	Person    Caps             // of each person
	Line      Caps             // of each trunk and line
	Box       Caps             // of all together
	NightDial []dialplan.Class // what may be dialled at night; nil = as by day
}

// Caps are limits; 0 is none.
type Caps struct {
	Calls       int // at the same time
	HourMinutes int // within the last hour
	DayMinutes  int // within the last 24 hours
	HourMoney   tel.Money
	DayMoney    tel.Money
}

// Why says which rule refused a call.
type Why string

// The rules.
const (
	WhyNumber      Why = "number"  // no outside number
	WhyCountry     Why = "country" // not in the list
	WhyPremium     Why = "premium"
	WhyNight       Why = "night"
	WhyCalls       Why = "calls"
	WhyHourMinutes Why = "hour_minutes"
	WhyDayMinutes  Why = "day_minutes"
	WhyHourMoney   Why = "hour_money"
	WhyDayMoney    Why = "day_money"
)

// Refusal is a call that may not be made, or not go on.
type Refusal struct {
	Why Why
	Of  string // whose limit: "person:ID", "trunk:ID", "line:ID", "box"; "box" for the other rules
}

// Error makes a refusal an error in words.
func (r Refusal) Error() string { return "not allowed: " + string(r.Why) + " of " + r.Of }

// Cause is what the caller is told.
func (Refusal) Cause() tel.Cause { return tel.CauseForbidden }

// usual is the price per minute of a class where nobody said one, on the high side.
func usual(c dialplan.Class) tel.Money {
	switch c {
	case dialplan.Local:
		return tel.Euro / 20
	case dialplan.Mobile:
		return tel.Euro / 5
	case dialplan.International:
		return tel.Euro
	default:
		return 3 * tel.Euro
	}
}

// Message says whether a short message may go to a number; the error is a Refusal. Services that cost
// money are reached by messages as well as by calls; an emergency number is reached by calls alone.
func (r Rules) Message(n tel.Number, night bool) error {
	class, ok := dialplan.ClassOf(n)
	if !ok {
		return Refusal{WhyNumber, box}
	}
	if why, ok := r.mayGo(n, class, night); !ok {
		return Refusal{why, box}
	}
	return nil
}

// mayGo applies the rules that do not count.
func (r Rules) mayGo(n tel.Number, c dialplan.Class, night bool) (Why, bool) {
	switch {
	case c == dialplan.Premium && !r.Premium:
		return WhyPremium, false
	case c == dialplan.International && !slices.Contains(r.Countries, "all") && !slices.Contains(r.Countries, n.Country()):
		return WhyCountry, false
	case night && r.NightDial != nil && !slices.Contains(r.NightDial, c):
		return WhyNight, false
	}
	return "", true
}
