package dsp

import (
	"errors"
	"fmt"
)

// Absence says why a caller's number or name is not given.
type Absence byte

// The reasons of ETSI EN 300 659-3 section 5.4.4.
const (
	NotAbsent  Absence = 0
	OutOfArea  Absence = 'O' // not available
	Restricted Absence = 'P' // the caller does not want it shown
)

// CallerID is what an exchange says of a caller before it is answered.
type CallerID struct {
	Number      string // digits, and + * # where an exchange sends them
	Absent      Absence
	Name        string
	NameAbsent  Absence
	Redirecting string // who forwarded the call
	Month, Day  int    // of the exchange's clock; 0 when not said
	Hour, Min   int
}

// Messages of ETSI EN 300 659-3 and Bellcore GR-30: a type, a length, what it counts, and a checksum.
const (
	sdmfCaller  = 0x04
	sdmfWaiting = 0x06
	mdmfCaller  = 0x80
	mdmfWaiting = 0x82

	fieldDate        = 0x01
	fieldNumber      = 0x02
	fieldAbsent      = 0x04
	fieldName        = 0x07
	fieldNameAbsent  = 0x08
	fieldRedirecting = 0x1a

	longestNumber = 24
	longestName   = 50
	longestFrame  = 2 + 255 + 1
)

// ErrNoCaller says that a message is sound but tells of no caller, as one that tells of waiting voice mail.
var ErrNoCaller = errors.New("the message tells of no caller")

// ParseCallerID reads a message from its type to its checksum: SDMF or MDMF. A modem that gives caller id
// raw gives the same bytes. Fields that it does not know are passed over.
func ParseCallerID(message []byte) (CallerID, error) {
	if len(message) < 3 {
		return CallerID{}, fmt.Errorf("a caller id message of %d bytes", len(message))
	}
	length := int(message[1])
	if len(message) < length+3 {
		return CallerID{}, fmt.Errorf("a caller id message of %d bytes says it has %d", len(message), length+3)
	}
	message = message[:length+3]
	if checksum(message) != 0 {
		return CallerID{}, errors.New("a caller id message with a wrong checksum")
	}
	body := message[2 : 2+length]
	switch message[0] {
	case sdmfCaller:
		return parseSDMF(body)
	case mdmfCaller:
		return parseMDMF(body)
	case sdmfWaiting, mdmfWaiting:
		return CallerID{}, ErrNoCaller
	}
	return CallerID{}, fmt.Errorf("a message of type %02xh is no caller id", message[0])
}

// checksum is 0 for a whole message: its last byte makes the sum of all a multiple of 256.
func checksum(message []byte) (sum byte) {
	for _, b := range message {
		sum += b
	}
	return sum
}

// parseSDMF reads date and number, or why there is none.
func parseSDMF(body []byte) (id CallerID, err error) {
	if len(body) < 8 {
		return id, errors.New("a caller id message without a date")
	}
	if err := id.date(body[:8]); err != nil {
		return CallerID{}, err
	}
	if rest := body[8:]; len(rest) == 0 || len(rest) == 1 && (rest[0] == 'O' || rest[0] == 'P') {
		id.Absent = absence(rest)
	} else if id.Number, err = number(rest); err != nil {
		return CallerID{}, err
	}
	return id, nil
}

// parseMDMF reads fields of a type, a length and what it counts.
func parseMDMF(body []byte) (id CallerID, err error) {
	for len(body) > 0 {
		if len(body) < 2 || len(body) < 2+int(body[1]) {
			return CallerID{}, errors.New("a caller id message that ends within a field")
		}
		field, value := body[0], body[2:2+int(body[1])]
		body = body[2+int(body[1]):]
		switch field {
		case fieldDate:
			err = id.date(value)
		case fieldNumber:
			id.Number, err = number(value)
		case fieldRedirecting:
			id.Redirecting, err = number(value)
		case fieldName:
			id.Name = name(value)
		case fieldAbsent:
			id.Absent = absence(value)
		case fieldNameAbsent:
			id.NameAbsent = absence(value)
		}
		if err != nil {
			return CallerID{}, err
		}
	}
	if id.Number == "" && id.Absent == NotAbsent {
		id.Absent = OutOfArea
	}
	return id, nil
}

// date reads MMDDhhmm.
func (id *CallerID) date(s []byte) error {
	if len(s) < 8 {
		return fmt.Errorf("%q is no date", s)
	}
	var n [4]int
	for i := range n {
		a, b := s[2*i], s[2*i+1]
		if a < '0' || a > '9' || b < '0' || b > '9' {
			return fmt.Errorf("%q is no date", s)
		}
		n[i] = int(a-'0')*10 + int(b-'0')
	}
	if n[0] > 12 || n[1] > 31 || n[2] > 23 || n[3] > 59 {
		return fmt.Errorf("%q is no date", s)
	}
	id.Month, id.Day, id.Hour, id.Min = n[0], n[1], n[2], n[3]
	return nil
}

// number reads a number; some exchanges write spaces and hyphens into it.
func number(s []byte) (string, error) {
	out := make([]byte, 0, longestNumber)
	for _, c := range s {
		switch {
		case c == ' ' || c == '-' || c == '(' || c == ')':
			continue
		case c >= '0' && c <= '9' || c == '*' || c == '#' || c == '+' && len(out) == 0:
		default:
			return "", fmt.Errorf("%q is no number", s)
		}
		if len(out) == longestNumber {
			return "", fmt.Errorf("%q is too long for a number", s)
		}
		out = append(out, c)
	}
	return string(out), nil
}

// name reads ISO 8859-1 as far as it can be shown.
func name(s []byte) string {
	out := make([]rune, 0, longestName)
	for _, c := range s {
		if len(out) < longestName && (c >= ' ' && c < 0x7f || c >= 0xa0) {
			out = append(out, rune(c))
		}
	}
	for len(out) > 0 && out[len(out)-1] == ' ' {
		out = out[:len(out)-1]
	}
	return string(out)
}

func absence(s []byte) Absence {
	if len(s) > 0 && s[0] == 'P' {
		return Restricted
	}
	return OutOfArea
}
