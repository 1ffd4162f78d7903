package fxo

import (
	"encoding/hex"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// identity is what the exchange tells of a caller. known is false while nothing about the number came, and stays true
// for a number that is withheld or not to be had.
type callerID struct {
	number tel.Number
	known  bool
}

// parseCallerID reads one line that a modem gives between two rings: NMBR = ..., or MESG = and the message of the
// exchange in hexadecimal. ok is false for any other line.
func parseCallerID(l string) (id callerID, ok bool) {
	name, value, found := strings.Cut(l, "=")
	if !found {
		if name, value, found = strings.Cut(l, ":"); !found {
			return callerID{}, false
		}
	}
	value = strings.Trim(strings.TrimSpace(value), `"`)
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "NMBR", "CALLER NUMBER", "DDN_NMBR":
		return callerID{presented(value), true}, true
	case "MESG":
		return parseMessage(value)
	case "DATE", "TIME", "NAME", "CALLER NAME", "DDN", "FM":
		return callerID{}, true
	}
	return callerID{}, false
}

// presented is the number that a modem shows, empty when it is withheld (P) or not to be had (O). Exchanges present
// the national form, which is of the country that the box is in.
func presented(s string) tel.Number {
	n, err := tel.ParseNumber(s)
	if err != nil {
		return ""
	}
	if e164, ok := n.E164(); ok {
		return e164
	}
	return n
}

// The types of ETSI EN 300 659-3: messages and their parameters.
const (
	singleMessage = 0x04
	callSetUp     = 0x80
	calledFor     = 0x02 // the calling line's number
	noNumber      = 0x04 // why there is none
)

// parseMessage reads a message of the exchange: type, length, body, and a sum that makes all of it zero.
func parseMessage(text string) (id callerID, ok bool) {
	m, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil || len(m) < 3 || len(m) < int(m[1])+2 {
		return callerID{}, false
	}
	body := m[2 : 2+int(m[1])]
	if len(m) > len(body)+2 { // some modems leave the sum out
		var sum byte
		for _, b := range m[:len(body)+3] {
			sum += b
		}
		if sum != 0 {
			return callerID{}, false
		}
	}
	switch m[0] {
	case singleMessage: // MMDDhhmm and the number
		if len(body) > 8 {
			return callerID{presented(string(body[8:])), true}, true
		}
		return callerID{}, false
	case callSetUp:
		for len(body) >= 2 && len(body) >= 2+int(body[1]) {
			kind, value := body[0], body[2:2+int(body[1])]
			switch kind {
			case calledFor:
				return callerID{presented(string(value)), true}, true
			case noNumber:
				id.known = true
			}
			body = body[2+len(value):]
		}
		return id, id.known
	}
	return callerID{}, false
}

// unasked reports whether a line is never the answer to a command.
func unasked(l string) bool {
	if l == "RING" || strings.HasPrefix(l, "+CRING") || strings.HasPrefix(l, "+DRON") || strings.HasPrefix(l, "DRON") || strings.HasPrefix(l, "DROF") {
		return true
	}
	_, id := parseCallerID(l)
	return id && !strings.HasPrefix(l, "FM")
}
