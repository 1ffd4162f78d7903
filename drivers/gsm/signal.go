package gsm

import (
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// callStat is the state of one call in +CLCC (3GPP TS 27.007 section 7.18); released is SIMCom's own.
type callStat uint8

const (
	statActive callStat = iota
	statHeld
	statDialing
	statAlerting
	statIncoming
	statWaiting
	statReleased
)

// call is one line of +CLCC.
type call struct {
	id      int
	inbound bool
	stat    callStat
	number  tel.Number
}

// parseCall reads a +CLCC line of a voice call. Data and fax calls are none of ours.
func parseCall(l string) (c call, ok bool) {
	if !strings.HasPrefix(l, "+CLCC:") {
		return call{}, false
	}
	f := at.Fields(l)
	if len(f) < 5 {
		return call{}, false
	}
	id, err1 := strconv.Atoi(f[0])
	dir, err2 := strconv.Atoi(f[1])
	stat, err3 := strconv.Atoi(f[2])
	mode, err4 := strconv.Atoi(f[3])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil ||
		dir < 0 || dir > 1 || stat < 0 || stat > int(statReleased) || mode != 0 {
		return call{}, false
	}
	c = call{id: id, inbound: dir == 1, stat: callStat(stat)}
	if len(f) > 5 {
		c.number = presented(f[5], field(f, 6))
	}
	return c, true
}

// presented turns a number and its type of address into a Number: type 145 is international and may
// lack the +. What is no number is withheld.
func presented(number, kind string) tel.Number {
	n, err := tel.ParseNumber(number)
	if err != nil {
		return ""
	}
	if kind == "145" && !strings.HasPrefix(string(n), "+") {
		n = "+" + n
	}
	return n
}

func field(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return ""
}

// news is what an unsolicited line means.
type news uint8

const (
	newsUnknown   news = iota
	newsCall           // event for the call's state machine
	newsNetwork        // registration
	newsSignal         // signal strength
	newsSIM            // the SIM card's state
	newsRestarted      // the modem has certainly restarted
	newsBooted         // the modem is coming up, or has finished something that it also does in normal life
	newsMessage        // something was stored: +CMTI, +CDSI
	newsReport         // a delivery report follows in the next line: +CDS
	newsService        // +CUSD
	newsFlow           // the audio port wants no more bytes, or again: +QPCMV
	newsPower          // the modem goes for want of power
	newsBeacon         // ^BOOT: said again and again, with a value of its own for each start
	newsNoise          // known, and of no interest
)

// signal is one parsed unsolicited line.
type signal struct {
	news  news
	event event  // newsCall
	text  string // the line
	going bool   // newsFlow: bytes are wanted
}

// noise are known lines without a use for us.
var noise = []string{
	"+COLP:", "+CSSI:", "+CSSU:", "+CGEV:", "+CTZV:", "+PSUTTZ:", "+NITZ:", "+QIND:", "+QSIMSTAT:", "^DSCI:",
	"^MODE:", "^SRVST:", "^SIMST:", "^STIN:", "^DSFLOWRPT:", "^HCSQ:", "^SMMEMFULL", "#ECAM:", "+ECAV:",
}

// parseSignal classifies an unsolicited line; it never fails.
func parseSignal(l string) signal {
	s := signal{text: l}
	ev := func(k eventKind) signal { s.news, s.event = newsCall, event{kind: k}; return s }
	switch {
	case l == "RING", strings.HasPrefix(l, "+CRING:"):
		return ev(evRing)
	case strings.HasPrefix(l, "+CLIP:"):
		f := at.Fields(l)
		s = ev(evCaller)
		s.event.number = presented(field(f, 0), field(f, 1))
		return s
	case strings.HasPrefix(l, "+CLCC:"):
		if c, ok := parseCall(l); ok {
			s = ev(evCall)
			s.event.call = c
			return s
		}
	case strings.HasPrefix(l, "VOICE CALL:"):
		// Some firmware leaves the space out: "VOICE CALL:END:".
		switch rest := strings.TrimSpace(strings.TrimPrefix(l, "VOICE CALL:")); {
		case strings.HasPrefix(rest, "BEGIN"):
			return ev(evBegin)
		case strings.HasPrefix(rest, "END"):
			return ev(evEnd)
		}
	case strings.HasPrefix(l, "MISSED_CALL"):
		return ev(evMissed)
	case strings.HasPrefix(l, "+CCWA:"):
		s = ev(evKnock)
		s.event.number = presented(field(at.Fields(l), 0), field(at.Fields(l), 1))
		return s
	case strings.HasPrefix(l, "+CREG:"), strings.HasPrefix(l, "+CEREG:"), strings.HasPrefix(l, "+CGREG:"),
		strings.HasPrefix(l, "+CNSMOD:"), strings.HasPrefix(l, "+CIREG:"), strings.HasPrefix(l, "+CPSI:"), strings.HasPrefix(l, "+QNWINFO:"):
		s.news = newsNetwork
	case strings.HasPrefix(l, "+CSQ:"):
		s.news = newsSignal
	case strings.HasPrefix(l, "+CPIN:"):
		s.news = newsSIM
		if strings.Contains(l, "READY") {
			s.news = newsBooted
		}
	case l == "RDY", l == "^SYSSTART", l == "START":
		s.news = newsRestarted
	case l == "SMS DONE", l == "PB DONE", l == "SMS Ready", l == "Call Ready":
		s.news = newsBooted
	case strings.HasPrefix(l, "+CMTI:"), strings.HasPrefix(l, "+CDSI:"):
		s.news = newsMessage
	case strings.HasPrefix(l, "+CDS:"):
		s.news = newsReport
	case strings.HasPrefix(l, "+CUSD:"):
		s.news = newsService
	default:
		if v, ok := vendorSignal(l); ok {
			return v
		}
		return otherSignal(s, l, ev)
	}
	return s
}

// otherSignal reads the results that are unsolicited once a call is up, and known noise.
func otherSignal(s signal, l string, ev func(eventKind) signal) signal {
	if f, ok := at.ParseFinal(l); ok {
		switch f.Code {
		case at.Busy:
			return ev(evBusy)
		case at.NoAnswer:
			return ev(evNoAnswer)
		case at.NoCarrier, at.NoDialtone:
			return ev(evNoCarrier)
		}
	}
	for _, p := range noise {
		if strings.HasPrefix(l, p) {
			s.news = newsNoise
		}
	}
	return s
}

// unsolicited tells the engine which lines never answer a command without prefix.
func unsolicited(l string) bool { return parseSignal(l).news != newsUnknown }

func validDigit(d byte) bool {
	return d >= '0' && d <= '9' || d == '*' || d == '#' || d >= 'A' && d <= 'D'
}

// registration reads the state of +CREG and +CEREG (3GPP TS 27.007 sections 7.2 and 10.1.22): the
// unsolicited form starts with it, the answer to the query has the reporting mode before it.
func registration(l string) (stat int, ok bool) {
	f := at.Fields(l)
	i := 0
	// "+CREG: 2,1" is mode and state; "+CREG: 1,"A1B2",..." is state and area, whose code has letters or four digits.
	if len(f) > 1 && len(f[1]) <= 2 {
		i = 1
	}
	n, err := strconv.Atoi(field(f, i))
	return n, err == nil && n >= 0 && n <= 10
}

// signalStrength reads +CSQ: 0..31 are -113 dBm and 2 dB per step; 99 is unknown and gives 0.
func signalStrength(l string) (dBm int, ok bool) {
	n, err := strconv.Atoi(field(at.Fields(l), 0))
	if err != nil || n < 0 || n > 99 {
		return 0, false
	}
	if n > 31 {
		return 0, true
	}
	return -113 + 2*n, true
}
