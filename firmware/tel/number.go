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

// The lengths of an international number with its + (ITU-T E.164 section 6: at most 15 digits). Below
// seven digits it is a short code in an international dress.
const (
	minE164 = 1 + 7
	maxE164 = 1 + 15
)

// E164 returns the number in international form for a box in Italy: 00 becomes +, a national
// number gets +39 with its leading zero kept. Extensions, short and emergency numbers have no
// international form; ok is false for them.
func (n Number) E164() (e164 Number, ok bool) {
	s := string(n)
	if rest, abroad := strings.CutPrefix(s, "00"); abroad {
		s = "+" + rest
	}
	if rest, wide := strings.CutPrefix(s, "+"); wide {
		// +39 00 is abroad in a national dress: an exchange would read 00 as the way out.
		return Number(s), len(s) >= minE164 && len(s) <= maxE164 && digits(rest) && !strings.HasPrefix(rest, "3900")
	}
	if k := n.Kind(); k.dialledAbroad() && len(s)+len("+39") <= maxE164 && len(s)+len("+39") >= minE164 {
		return Number("+39" + s), true
	}
	return "", false
}

// dialledAbroad reports the kinds that exist behind +39: services on short codes do not.
func (k Kind) dialledAbroad() bool {
	switch k {
	case KindGeographic, KindMobile, KindNomadic, KindTollFree, KindSharedCost, KindPremium, KindInternet:
		return true
	default:
		return false
	}
}

// National returns the number as a telephone in Italy dials it: +39 is taken off, another country's
// + becomes 00. What has no international form stays as it is.
func (n Number) National() Number {
	s := string(n)
	switch {
	case strings.HasPrefix(s, "+39"):
		return Number(s[3:])
	case strings.HasPrefix(s, "0039"):
		return Number(s[4:])
	case strings.HasPrefix(s, "+"):
		return Number("00" + s[1:])
	default:
		return n
	}
}

// Digits returns the international form without its +, as some carriers want it; what has no
// international form stays as it is.
func (n Number) Digits() Number {
	if e, ok := n.E164(); ok {
		return e[1:]
	}
	return n
}

// Masked hides the middle of the number for logs: 02*****12.
func (n Number) Masked() string {
	s := string(n)
	if len(s) <= 4 {
		return s
	}
	return s[:2] + strings.Repeat("*", len(s)-4) + s[len(s)-2:]
}

// digits reports whether s holds 0-9 only, and at least one.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ErasedPrefix begins what stands where the number of an erased person stood; nobody can dial it.
const ErasedPrefix = "#*"

// erasedLength is that of such an alias: the prefix and ten digits.
const erasedLength = len(ErasedPrefix) + 10

// Erased tells that the number is the alias of a person who was erased.
func (n Number) Erased() bool {
	s, ok := strings.CutPrefix(string(n), ErasedPrefix)
	return ok && len(n) == erasedLength && digits(s)
}
