package gsmsim

import (
	"fmt"
	"strings"
)

// basics are commands of V.250 and 3GPP TS 27.007 that our driver does not need and every modem knows.
// Programs that have never heard of us ask them first, and take a modem that does not answer for something
// else.
func (s *Sim) basics(cmd string) []string {
	switch cmd {
	case "ATV1", "ATQ0", "ATX4", "ATX3", "ATX1", "AT&C1", "AT&D0", "AT&D2", "ATS0=0":
		return []string{ok} // V.250 sections 6.2 and 6.3: the forms of answers, and of the control lines
	case "AT+GCAP":
		return []string{"+GCAP: +CGSM", ok} // V.250 section 6.1.9: a GSM modem
	case "AT+CIMI":
		if !s.unlocked {
			return []string{"+CME ERROR: 11"}
		}
		return []string{imsi, ok}
	case "AT+WS46=?":
		return []string{"+WS46: (12,22,25,28)", ok} // 27.007 section 5.9: 2G, 3G, all, LTE
	case "AT+CLCK=?":
		return []string{`+CLCK: ("SC","AO","OI","OX","AI","IR")`, ok}
	case `AT+CLCK="SC",2`:
		if s.cfg.PIN != "" {
			return []string{"+CLCK: 1", ok}
		}
		return []string{"+CLCK: 0", ok}
	case "AT+CNUM":
		return []string{ok} // the SIM does not know its own number, as most do not
	case "AT+CGREG=2", "AT+CGREG=1", "AT+CGREG=0":
		return []string{ok}
	case "AT+CGREG?": // registration for data, which comes with the one for calls
		return []string{fmt.Sprintf(`+CGREG: 2,%d,"1A2B","03C4D5E6"`, s.registered), ok}
	case "AT+CREG=?", "AT+CEREG=?", "AT+CGREG=?":
		return []string{cmd[2:len(cmd)-2] + ": (0-2)", ok}
	case "AT+CLCC=?":
		return []string{ok}
	}
	return nil
}

// imsi is a subscriber of the simulated carrier: 222 is Italy.
const imsi = "222011234567890"

// operator is the answer to AT+COPS?, in the form that AT+COPS=3,n has chosen (27.007 section 7.3).
func (s *Sim) operator() string {
	if s.texts["+COPS"] == "3,2" {
		return fmt.Sprintf(`+COPS: 0,2,"22201",%d`, s.radio.Access)
	}
	return fmt.Sprintf(`+COPS: 0,0,"Carrier, simulated",%d`, s.radio.Access)
}

// split takes a line apart whose commands stand in a row (V.250 section 5.2.1). The semicolon of a voice
// call ends its command, and one in quotation marks is text.
func split(cmd string) []string {
	if len(cmd) < 3 || strings.HasPrefix(strings.ToUpper(cmd), "ATD") {
		return []string{cmd}
	}
	var all []string
	quoted, from := false, 0
	for i := range len(cmd) {
		switch {
		case cmd[i] == '"':
			quoted = !quoted
		case cmd[i] == ';' && !quoted:
			all, from = append(all, cmd[from:i]), i+1
		}
	}
	if from < len(cmd) {
		all = append(all, cmd[from:])
	}
	for i := 1; i < len(all); i++ {
		all[i] = "AT" + all[i]
	}
	return all
}

// row carries the commands of a line out, until one fails; the last answer ends the whole.
func (s *Sim) row(line string) []string {
	var said []string
	for _, cmd := range split(line) {
		answer := s.execute(strings.ToUpper(cmd), cmd)
		if len(answer) == 0 {
			return said // the prompt
		}
		last := len(answer) - 1
		said = append(said, answer[:last]...)
		if answer[last] != ok {
			return append(said, answer[last])
		}
	}
	return append(said, ok)
}
