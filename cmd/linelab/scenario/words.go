package scenario

import (
	"fmt"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// kind is what a word of a sentence must be.
type kind uint8

const (
	aDuration kind = iota + 1 // "7s", "1m30s"
	aNumber                   // a telephone number, + and digits
	anInteger                 // within low and high of its param
	keys                      // 0-9 * # A-D
	digits                    // 4 to 8 of them
	text                      // in quotes, or one word
	aFault                    // of gsmsim.Catalogue
	aCure                     // a fault that lasts, or "all"
	anOutage                  // a tel.LineCause
	anEnd                     // a tel.Cause
)

var kindNames = map[kind]string{
	aDuration: "DURATION", aNumber: "NUMBER", anInteger: "INTEGER", keys: "KEYS", digits: "DIGITS", text: `"TEXT"`, aFault: "FAULT",
	aCure: "FAULT|all", anOutage: "CAUSE", anEnd: "CAUSE",
}

// param is one word that follows, behind a key word of its own or not.
type param struct {
	key      string
	kind     kind
	optional bool
}

// sentence is one form of the language.
type sentence struct {
	words  string
	params []param
	says   string
	box    bool // it is the box's part or the box's word: without a box of our own nobody can play it
}

var within = param{"within", aDuration, true}

// sentences are all of them. The longest that fits holds.
var sentences = []sentence{
	{"modem clock", []param{{"", anInteger, false}}, "the modem's sample clock is off by so many parts per million, -500 to 500", false},
	{"modem pin", []param{{"", digits, false}}, "its SIM asks for a PIN, which the box knows", false},
	{"modem boot", []param{{"", aDuration, false}}, "it takes so long to start", false},
	{"modem rings", []param{{"every", aDuration, false}}, "it says RING so often; every 5s without this", false},

	{"caller rings", []param{{"", aNumber, true}}, "somebody calls; without a number it is withheld", false},
	{"caller writes", []param{{"", text, false}, {"from", aNumber, true}}, "a message comes", false},
	{"caller presses", []param{{"", keys, false}}, "the other party presses keys", false},
	{"caller hangs_up", nil, "the other party hangs up", false},

	{"party alerts", nil, "it rings at whom the box has called", false},
	{"party answers", []param{{"after", aDuration, true}}, "whom the box has called answers; with a time, all that it calls from now on do so", false},
	{"party busy", nil, "whom the box has called is busy", false},
	{"party declines", nil, "whom the box has called declines", false},

	{"box answers", nil, "the box takes the call", true},
	{"box dials", []param{{"", aNumber, false}}, "the box calls somebody", true},
	{"box presses", []param{{"", keys, false}}, "the box sends keys", true},
	{"box writes", []param{{"", text, false}, {"to", aNumber, false}}, "the box sends a message", true},
	{"box hangs_up", nil, "the box hangs up", true},

	{"fault", []param{{"", aFault, false}, {"", text, true}}, "something breaks; linelab faults lists what can", false},
	{"heal", []param{{"", aCure, false}}, "it is whole again", false},

	{"expect service", []param{within}, "the line is in service", true},
	{"expect outage", []param{{"", anOutage, true}, within}, "it is out of service, for that cause", true},
	{"expect ringing", []param{{"", aNumber, true}, within}, "the box hears that somebody calls", true},
	{"expect alerting", []param{within}, "the box hears that it rings at the party", true},
	{"expect connected", []param{within}, "the call is up", true},
	{"expect sound", []param{within}, "each end hears the other", true},
	{"expect key", []param{{"", keys, false}, within}, "the box hears a key of the other party", true},
	{"expect end", []param{{"", anEnd, true}, within}, "the box hears that the call is over, for that cause", true},
	{"expect message", []param{{"", text, false}, within}, "the box has a message of that text", true},
	{"expect dialled", []param{{"", aNumber, true}, within}, "the network hears that the box calls", false},
	{"expect over", []param{within}, "the network hears that the call is over", false},
	{"expect pressed", []param{{"", keys, false}, within}, "the network hears keys of the box", false},
	{"expect sent", []param{{"", text, false}, within}, "the network has a message of the box", false},
}

// Words explains the language, one sentence a line.
func Words() string {
	var b strings.Builder
	for _, s := range sentences {
		form := s.words
		for _, p := range s.params {
			word := strings.TrimSpace(p.key + " " + kindNames[p.kind])
			if p.optional {
				word = "[" + word + "]"
			}
			form += " " + word
		}
		fmt.Fprintf(&b, "%-52s %s\n", form, s.says)
	}
	fmt.Fprintf(&b, "\nBefore a sentence may stand \"at DURATION\", from the start, or \"after DURATION\", from the sentence before.\n"+
		"Behind # stands a remark. \"within\" is %v where it is left out.\n", defaultWithin)
	return b.String()
}

// fits says why a word is not of the kind, or "".
func (k kind) fits(word string) string {
	switch k {
	case aDuration:
		if _, err := duration(word); err != nil {
			return err.Error()
		}
	case aNumber:
		if n, err := tel.ParseNumber(word); err != nil || string(n) != word {
			return fmt.Sprintf("%q is no telephone number", word)
		}
	case anInteger:
		if _, err := integer(word); err != nil {
			return err.Error()
		}
	case keys:
		if word == "" || len(word) > 32 || strings.Trim(word, "0123456789*#ABCD") != "" {
			return fmt.Sprintf("%q is not made of the keys 0-9 * # A-D", word)
		}
	case digits:
		if len(word) < 4 || len(word) > 8 || strings.Trim(word, "0123456789") != "" {
			return fmt.Sprintf("%q is not 4 to 8 digits", word)
		}
	case aFault:
		if _, err := gsmsim.FaultNamed(word); err != nil {
			return err.Error() + "; linelab faults lists them"
		}
	case aCure:
		if f, err := gsmsim.FaultNamed(word); word != "all" && (err != nil || !f.Lasts) {
			return fmt.Sprintf("%q is no fault that lasts, and not all", word)
		}
	case anOutage:
		for _, c := range tel.LineCauses() {
			if string(c) == word && c != tel.LineOK {
				return ""
			}
		}
		return fmt.Sprintf("%q is no cause of an outage", word)
	case anEnd:
		var c tel.Cause
		if c.UnmarshalText([]byte(word)) != nil {
			return fmt.Sprintf("%q is no cause of a call's end", word)
		}
	}
	return ""
}
