package tel

import (
	"errors"
	"strings"
)

// Number is what was dialled or presented, reduced to an optional leading + and the symbols
// 0-9 * #. The empty Number means withheld or unknown.
type Number string

// ErrNumber is returned for text that cannot be a telephone number.
var ErrNumber = errors.New("not a telephone number")

// maxNumber bounds a dialled string: 15 digits of E.164 plus prefixes and feature codes.
const maxNumber = 32

// ParseNumber removes the separators people write (space, dot, dash, slash, brackets) and rejects
// everything else. It does not interpret the number.
func ParseNumber(s string) (Number, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '*', c == '#':
			b.WriteByte(c)
		case c == '+' && b.Len() == 0:
			b.WriteByte(c)
		case strings.IndexByte(" .-/()", c) >= 0:
		default:
			return "", ErrNumber
		}
	}
	if n := b.Len(); n == 0 || n > maxNumber || b.String() == "+" {
		return "", ErrNumber
	}
	return Number(b.String()), nil
}

// Kind is the class of a number in the Italian plan (AGCOM: first digit 0 geographic, 3 mobile,
// 5 nomadic, 8 toll-free, shared cost and premium; the leading 0 is part of the number).
type Kind uint8

// The kinds of number.
const (
	KindUnknown Kind = iota
	KindExtension
	KindEmergency
	KindGeographic
	KindMobile
	KindNomadic
	KindTollFree
	KindSharedCost
	KindPremium
	KindShort
	KindInternational
)

// emergency is the one table of numbers that must always get through (112 and the national
// emergency and public-safety numbers of Italy).
var emergency = map[Number]bool{
	"112": true, "113": true, "115": true, "117": true, "118": true,
	"1515": true, "1530": true, "116000": true,
}

// Emergency reports whether n, as dialled, is an emergency number.
func (n Number) Emergency() bool { return emergency[n] }

// E164 returns the number in international form for a box in Italy: 00 becomes +, a national
// number gets +39 with its leading zero kept. Extensions, short and emergency numbers have no
// international form; ok is false for them.
func (n Number) E164() (e164 Number, ok bool) {
	s := string(n)
	switch {
	case strings.HasPrefix(s, "+"):
		return n, len(s) >= 8
	case strings.HasPrefix(s, "00"):
		return Number("+" + s[2:]), len(s) >= 9
	}
	switch n.Kind() {
	case KindGeographic, KindMobile, KindNomadic, KindTollFree, KindSharedCost, KindPremium:
		return Number("+39" + s), true
	default:
		return "", false
	}
}

// Kind classifies n as dialled from inside Italy.
func (n Number) Kind() Kind {
	s := string(n)
	if n.Emergency() {
		return KindEmergency
	}
	if rest, ok := strings.CutPrefix(s, "+39"); ok {
		s = rest
	} else if rest, ok := strings.CutPrefix(s, "0039"); ok {
		s = rest
	} else if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00") {
		return KindInternational
	}
	if s == "" || strings.ContainsAny(s, "*#+") {
		return KindUnknown
	}
	switch {
	case len(s) >= 6 && s[0] == '0':
		return KindGeographic
	case len(s) >= 9 && s[0] == '3':
		return KindMobile
	case len(s) >= 8 && s[0] == '5':
		return KindNomadic
	case len(s) >= 6 && (strings.HasPrefix(s, "800") || strings.HasPrefix(s, "803")):
		return KindTollFree
	case len(s) >= 6 && (strings.HasPrefix(s, "84") || strings.HasPrefix(s, "199")):
		return KindSharedCost
	case len(s) >= 5 && (strings.HasPrefix(s, "89") || s[0] == '4' || strings.HasPrefix(s, "178")):
		return KindPremium
	case s[0] == '1' && len(s) >= 3 && len(s) <= 6:
		return KindShort
	case len(s) <= 5:
		return KindExtension
	default:
		return KindUnknown
	}
}

// Masked hides the middle of the number for logs: 02*****12.
func (n Number) Masked() string {
	s := string(n)
	if len(s) <= 4 {
		return s
	}
	return s[:2] + strings.Repeat("*", len(s)-4) + s[len(s)-2:]
}
