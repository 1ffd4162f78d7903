package tel

import "strings"

// Kind is the class of a number in the Italian plan (AGCOM: first digit 0 geographic, 1 short codes,
// 3 mobile, 4 services of the networks, 5 nomadic, 7 internet access, 8 toll-free, shared cost and
// premium; 2 and 6 are reserved; the leading 0 is part of the number).
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
	KindInternet // dial-up access, machines
)

// emergency is the one table of numbers that must always get through: 112, police, fire brigade,
// finance guard, ambulance, forest fires, coast guard, missing children.
var emergency = map[Number]bool{
	"112": true, "113": true, "115": true, "117": true, "118": true,
	"1515": true, "1530": true, "116000": true,
}

// Emergency reports whether n, as dialled, is an emergency number.
func (n Number) Emergency() bool { return emergency[n] }

// EmergencyNumbers lists the table, for pages and tests; the caller owns the list.
func EmergencyNumbers() []Number {
	return []Number{"112", "113", "115", "117", "118", "1515", "1530", "116000"}
}

// italian is the plan behind +39: the first row whose prefix and length fit says the kind.
var italian = []struct {
	prefix   string
	min, max int // symbols in all
	kind     Kind
}{
	{"0", 6, 11, KindGeographic},
	{"3", 9, 10, KindMobile},
	{"55", 10, 10, KindNomadic},
	{"800", 6, 10, KindTollFree},
	{"803", 6, 10, KindTollFree},
	{"840", 6, 10, KindSharedCost},
	{"841", 6, 10, KindSharedCost},
	{"847", 6, 10, KindSharedCost},
	{"848", 6, 10, KindSharedCost},
	{"199", 6, 10, KindSharedCost},
	{"178", 6, 13, KindPremium},
	{"89", 6, 10, KindPremium},
	{"4", 5, 11, KindPremium},
	{"12", 4, 4, KindPremium}, // directory enquiries
	{"7", 6, 11, KindInternet},
	{"1", 3, 6, KindShort},
	{"", 1, 5, KindExtension},
}

// Kind classifies n as dialled from inside Italy. A number that merely begins with an emergency
// number is unknown: an exchange that connects digit by digit would reach the emergency.
func (n Number) Kind() Kind {
	s := string(n)
	if rest, ok := strings.CutPrefix(s, "+39"); ok {
		s = rest
	} else if rest, ok := strings.CutPrefix(s, "0039"); ok {
		s = rest
	} else if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00") {
		return KindInternational
	}
	switch {
	case emergency[Number(s)]:
		return KindEmergency
	case !digits(s), strings.HasPrefix(s, "00"): // 00 behind +39 is abroad in a national dress
		return KindUnknown
	}
	for e := range emergency {
		if strings.HasPrefix(s, string(e)) {
			return KindUnknown
		}
	}
	for _, row := range italian {
		if strings.HasPrefix(s, row.prefix) && len(s) >= row.min && len(s) <= row.max {
			if row.kind == KindExtension && s != string(n) {
				return KindUnknown // an internal number has no country
			}
			return row.kind
		}
	}
	return KindUnknown
}
