package sms

import (
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
)

// The states of a stored message (TS 27.005 section 3.1): above statRead it is one of ours.
const statRead = 1

// parseList reads the answer to AT+CMGL: headers, each with its PDU in the next line. pushed are PDUs
// without a header.
func parseList(lines []string) (entries []stored, pushed []string) {
	var head *stored
	ours := false
	for _, l := range lines {
		if strings.HasPrefix(l, "+CMGL:") {
			f := at.Fields(l) // index, stat, [alpha], length
			e := stored{Slot: Slot{Index: number(f, 0, -1)}, octets: number(f, 3, -1)}
			head, ours = nil, number(f, 1, 0) > statRead
			if e.Index >= 0 {
				head = &e
			}
			continue
		}
		switch {
		case head == nil:
			pushed = append(pushed, l)
		case !ours:
			head.raw = l
			entries = append(entries, *head)
		}
		head = nil
	}
	return entries, pushed
}

// parseOne reads the answer to AT+CMGR.
func parseOne(lines []string) (e stored, pushed []string, ok bool) {
	head := false
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "+CMGR:"):
			e.octets = number(at.Fields(l), 2, -1) // stat, [alpha], length
			head = true
		case head && !ok:
			e.raw, ok = l, true
		default:
			pushed = append(pushed, l)
		}
	}
	return e, pushed, ok
}

// parseStorage reads the answer to AT+CPMS=: used and total of the memory that was selected come first.
func parseStorage(lines []string) (used, total int, ok bool) {
	if len(lines) == 0 {
		return 0, 0, false
	}
	f := at.Fields(lines[0])
	used, total = number(f, 0, -1), number(f, 1, -1)
	return used, total, used >= 0 && total > 0
}

// parseReference reads +CMGS: the reference of the part, -1 when there is none.
func parseReference(lines []string) int {
	for _, l := range lines {
		if n := number(at.Fields(l), 0, -1); n >= 0 && n <= 255 {
			return n
		}
	}
	return -1
}

// ParseNotified reads +CMTI and +CDSI: where something new is stored.
func ParseNotified(l string) (Slot, bool) {
	if !strings.HasPrefix(l, "+CMTI:") && !strings.HasPrefix(l, "+CDSI:") {
		return Slot{}, false
	}
	f := at.Fields(l)
	s := Slot{Index: number(f, 1, -1)}
	if len(f) > 0 && len(f[0]) == 2 {
		s.Memory = strings.ToUpper(f[0])
	}
	return s, true // without an index it still says that something came
}

// ParsePushed reads the header +CDS: how many octets the PDU in the next line has, or -1.
func ParsePushed(l string) (octets int, ok bool) {
	if !strings.HasPrefix(l, "+CDS:") {
		return 0, false
	}
	return number(at.Fields(l), 0, -1), true
}

// LooksLikePDU reports whether a line can be the second one of +CDS.
func LooksLikePDU(l string) bool {
	if len(l) < 2*minReport || len(l)%2 != 0 {
		return false
	}
	for _, c := range []byte(l) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// minReport is the length of the shortest status report, in octets: no message centre, no recipient.
const minReport = 1 + 1 + 1 + 2 + 7 + 7 + 1

func number(f []string, i, otherwise int) int {
	if i >= len(f) {
		return otherwise
	}
	n, err := strconv.Atoi(f[i])
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// cmsMemoryFull is +CMS ERROR 322.
const cmsMemoryFull = 322

// reasons are numbers of +CMS ERROR: below 128 the network's (TS 24.011 annex E-2), above 300 the
// modem's (TS 27.005 section 3.2.5).
var reasons = map[int]string{
	1: "the number does not exist", 8: "barred by the operator", 10: "the SIM may not send messages", 21: "rejected by the message centre",
	22: "the SIM's memory was exceeded", 27: "the recipient is out of service", 28: "the message centre does not know the recipient",
	29: "refused by the network", 30: "the SIM is not known to the network", 38: "the network is out of order",
	41: "a temporary failure of the network", 42: "the network is congested", 47: "no resources in the network",
	50: "the service is not subscribed", 69: "the network does not offer it", 300: "the modem failed", 302: "not allowed now",
	304: "the modem does not accept the PDU", 305: "the modem does not accept the text", 310: "no SIM", 311: "the SIM wants its PIN",
	312: "the SIM wants its PIN", 313: "the SIM failed", 314: "the SIM is busy", 316: "the SIM wants its PUK", 320: "the memory failed",
	321: "no such place in the memory", 322: "the memory is full", 330: "the number of the message centre is not set",
	331: "no network", 332: "the network did not answer in time", 500: "unknown error of the modem",
}

func reason(code int) string {
	if r, ok := reasons[code]; ok {
		return r
	}
	if code < 0 {
		return "the modem said ERROR"
	}
	return "error " + strconv.Itoa(code)
}

// temporary reports whether a refusal is likely to pass, so that the same message may be tried again.
func temporary(code int) bool {
	switch code {
	case 27, 38, 41, 42, 47, 302, 314, 331, 332, 500:
		return true
	}
	return false
}
