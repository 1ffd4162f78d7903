// Package credit reads what is left on a prepaid SIM from what its operator says, and judges whether
// somebody should top it up. It is pure: whoever asks the network owns the times.
package credit

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

//go:embed operators.yaml
var operatorsFile []byte

// Operator is one who sells prepaid SIMs. Certainty is official, reported or none; Source says who says so.
type Operator struct {
	ID        string   `yaml:"id"`
	Name      string   `yaml:"name"`
	Networks  []string `yaml:"networks,omitempty"` // MCC and MNC that its SIMs show, where they are its own
	Senders   []string `yaml:"senders"`            // of its messages
	Ask       string   `yaml:"ask"`                // service code that tells the credit, empty: none is known
	Certainty string   `yaml:"certainty"`
	Source    string   `yaml:"source"`
}

// Operators reads the table.
func Operators() ([]Operator, error) {
	var all []Operator
	if err := yaml.Unmarshal(operatorsFile, &all); err != nil {
		return nil, fmt.Errorf("table of operators: %w", err)
	}
	return all, nil
}

// Find chooses by id, or, where that is empty, by the network that the SIM shows. ok is false when
// nobody fits.
func Find(all []Operator, id, network string) (o Operator, ok bool) {
	i := slices.IndexFunc(all, func(o Operator) bool {
		return id != "" && o.ID == id || id == "" && network != "" && slices.Contains(o.Networks, network)
	})
	if i < 0 {
		return Operator{}, false
	}
	return all[i], true
}

// Says reports whether a sender of messages is the operator.
func (o Operator) Says(from string) bool {
	return slices.ContainsFunc(o.Senders, func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(from)) })
}

// Balance is what is known of a SIM's credit.
type Balance struct {
	Known   bool      `json:"known"` // an amount was read
	Amount  tel.Money `json:"amount"`
	Expires time.Time `json:"expires,omitzero"` // the day after which the SIM or its credit ends
	At      time.Time `json:"at"`               // it was said
}

const (
	money = `(?:(?:€|euro?)\s*([0-9]{1,6}(?:[.,][0-9]{1,4})?)|([0-9]{1,6}(?:[.,][0-9]{1,4})?)\s*(?:€|eur\b|euro\b))`
	day   = `([0-9]{1,2})[/.\-]([0-9]{1,2})[/.\-]([0-9]{4}|[0-9]{2})`
)

// Patterns of the words that all Italian operators share: the amount stands behind credito, saldo or
// balance, with at most a few words and no other amount between; the day behind scade, valido or entro.
var (
	amountPattern = regexp.MustCompile(`(?i)(?:credito|saldo|balance|credit)[^0-9€]{0,60}?` + money)
	dayPattern    = regexp.MustCompile(`(?i)(?:scad[a-z]*|valid[a-zà]*|entro|fino al?|expires?)[^0-9]{0,40}` + day)
)

// Read finds amount and day in what an operator says; ok is false when there is no amount.
func Read(text string, at time.Time) (b Balance, ok bool) {
	b.At = at
	m := amountPattern.FindStringSubmatch(text)
	if m == nil {
		return Balance{}, false
	}
	number := m[1] + m[2] // one of them is empty
	if err := b.Amount.UnmarshalText([]byte(strings.Replace(number, ",", ".", 1))); err != nil {
		return Balance{}, false
	}
	b.Known = true
	if d := dayPattern.FindStringSubmatch(text); d != nil {
		b.Expires = date(d[1], d[2], d[3], at.Location())
	}
	return b, true
}

// date makes the end of a day written as 31/12/2026; zero for one that the calendar does not have.
func date(d, m, y string, zone *time.Location) time.Time {
	dayOf, err1 := strconv.Atoi(d)
	month, err2 := strconv.Atoi(m)
	year, err3 := strconv.Atoi(y)
	if err1 != nil || err2 != nil || err3 != nil {
		return time.Time{}
	}
	if year < 100 {
		year += 2000
	}
	t := time.Date(year, time.Month(month), dayOf, 23, 59, 59, 0, zone)
	if t.Day() != dayOf || int(t.Month()) != month {
		return time.Time{}
	}
	return t
}

// Limits are below which an owner wants to know.
type Limits struct {
	Below tel.Money
	Days  int // before the end
}

// Judge says in words why somebody should see to a SIM; empty: all is well, or nothing is known.
func (b Balance) Judge(l Limits, now time.Time) string {
	switch {
	case b.Known && b.Amount < l.Below:
		return fmt.Sprintf("only %s euros are left", b.Amount)
	case !b.Expires.IsZero() && b.Expires.Before(now):
		return "it ended on " + b.Expires.Format(time.DateOnly)
	case !b.Expires.IsZero() && b.Expires.Before(now.AddDate(0, 0, l.Days)):
		return "it ends on " + b.Expires.Format(time.DateOnly)
	}
	return ""
}

// Due reports whether a SIM may be asked again: once a day.
func Due(asked, now time.Time) bool {
	return asked.IsZero() || now.Sub(asked) >= 24*time.Hour || asked.After(now)
}
