package at

import (
	"fmt"
	"strconv"
	"strings"
)

// Code is the class of a final result.
type Code uint8

// The final results. Those from NoCarrier on are also sent unsolicited while a call is up, and only a
// pending ATD or ATA may take them as its answer.
const (
	OK         Code = iota + 1
	Error           // ERROR, or a vendor's form of it
	CMEError        // +CME ERROR: Number (3GPP TS 27.007 section 9.2)
	CMSError        // +CMS ERROR: Number (3GPP TS 27.005 section 3.2.5)
	Connect         // CONNECT, a data call
	NoCarrier       // NO CARRIER
	Busy            // BUSY
	NoAnswer        // NO ANSWER
	NoDialtone      // NO DIALTONE, NO DIAL TONE
)

// Final is the result that ends the answer to a command.
type Final struct {
	Code   Code
	Number int    // of CMEError and CMSError; -1 when the modem wrote words
	Text   string // the line as it came
}

// CallProgress reports whether the result may also arrive unsolicited.
func (f Final) CallProgress() bool { return f.Code >= NoCarrier }

// Error says the result in the modem's words.
func (f Final) Error() string { return "the modem said " + f.Text }

// finals are the results that are a whole line; matching is exact so that a name in a message or a
// vendor's URC is never taken for one.
var finals = []struct {
	text string
	code Code
}{
	{"OK", OK},
	{"ERROR", Error},
	{"NO CARRIER", NoCarrier},
	{"BUSY", Busy},
	{"NO ANSWER", NoAnswer},
	{"NO DIALTONE", NoDialtone},
	{"NO DIAL TONE", NoDialtone},
	{"CONNECT", Connect},
	{"COMMAND NOT SUPPORT", Error},
	{"TOO MANY PARAMETERS", Error},
}

// ParseFinal reads a final result; ok is false for any other line.
func ParseFinal(line string) (f Final, ok bool) {
	line = strings.TrimSpace(line)
	for _, f := range finals {
		if line == f.text {
			return Final{Code: f.code, Text: line}, true
		}
	}
	switch {
	case strings.HasPrefix(line, "+CME ERROR:"):
		return numbered(CMEError, line), true
	case strings.HasPrefix(line, "+CMS ERROR:"):
		return numbered(CMSError, line), true
	case strings.HasPrefix(line, "CONNECT "):
		return Final{Code: Connect, Text: line}, true
	}
	return Final{}, false
}

func numbered(code Code, line string) Final {
	_, value, _ := strings.Cut(line, ":")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < 0 {
		n = -1
	}
	return Final{Code: code, Number: n, Text: line}
}

// String names the code for logs.
func (c Code) String() string {
	for _, f := range finals {
		if f.code == c {
			return f.text
		}
	}
	switch c {
	case CMEError:
		return "+CME ERROR"
	case CMSError:
		return "+CMS ERROR"
	default:
		return fmt.Sprintf("final_%d", uint8(c))
	}
}

// Fields splits the parameters of an information line after its colon: +CLCC: 1,0,"a,b" gives 1, 0 and
// a,b. Quotes are removed and a comma inside them separates nothing.
func Fields(line string) []string {
	_, rest, ok := strings.Cut(line, ":")
	if !ok {
		return nil
	}
	var fields []string
	var b strings.Builder
	quoted := false
	for _, c := range []byte(strings.TrimSpace(rest)) {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			fields = append(fields, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(fields, strings.TrimSpace(b.String()))
}
