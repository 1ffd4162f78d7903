package gsm

import (
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// causeTexts are the words of +CEER, compared in lower case by what they contain.
var causeTexts = []struct {
	words string
	cause tel.Cause
}{
	{"user busy", tel.CauseBusy},
	{"unassigned", tel.CauseUnallocated},
	{"unallocated", tel.CauseUnallocated},
	{"invalid number", tel.CauseUnallocated},
	{"number changed", tel.CauseUnallocated},
	{"no user responding", tel.CauseNoAnswer},
	{"no answer", tel.CauseNoAnswer},
	{"user alerting", tel.CauseNoAnswer},
	{"rejected", tel.CauseRejected},
	{"barring", tel.CauseForbidden},
	{"barred", tel.CauseForbidden},
	{"congestion", tel.CauseCongestion},
	{"no circuit", tel.CauseCongestion},
	{"resources unavailable", tel.CauseCongestion},
	{"destination out of order", tel.CauseUnreachable},
	{"absent", tel.CauseUnreachable},
	{"network out of order", tel.CauseNetworkFailure},
	{"temporary failure", tel.CauseNetworkFailure},
}

// causeFromText reads the answer to AT+CEER (TS 27.007 section 6.10), which is words on one modem and
// numbers on another, the last of which is the network's; CauseNone when it says nothing known.
func causeFromText(lines []string) tel.Cause {
	all := strings.ToLower(strings.Join(lines, " "))
	for _, c := range causeTexts {
		if strings.Contains(all, c.words) {
			return c.cause
		}
	}
	digits := func(r rune) bool { return r < '0' || r > '9' }
	numbers := strings.FieldsFunc(all, digits)
	if len(numbers) == 0 {
		return tel.CauseNone
	}
	n, _ := strconv.Atoi(numbers[len(numbers)-1])
	return causeFromNetwork(n)
}

// causeFromNetwork maps the cause of a call's end that the network gave (3GPP TS 24.008 annex H, the numbers
// of ITU-T Q.850). An ordinary end says nothing about a call that was never answered.
func causeFromNetwork(n int) tel.Cause {
	switch n {
	case 1, 22, 28: // unassigned, number changed, invalid number
		return tel.CauseUnallocated
	case 17:
		return tel.CauseBusy
	case 18, 19: // no user responding, no answer
		return tel.CauseNoAnswer
	case 21: // call rejected
		return tel.CauseRejected
	case 20, 27: // absent, destination out of order
		return tel.CauseUnreachable
	case 8, 50, 55, 57, 87: // operator determined barring, not subscribed, barred within the closed group
		return tel.CauseForbidden
	case 34, 42, 44, 47, 49, 63: // no circuit, congestion, not available
		return tel.CauseCongestion
	case 2, 3, 6, 38, 41, 43: // no route, out of order, temporary failure
		return tel.CauseNetworkFailure
	case 88:
		return tel.CauseNotAcceptable
	case 102:
		return tel.CauseTimeout
	default:
		return tel.CauseNone
	}
}
