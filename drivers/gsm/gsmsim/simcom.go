package gsmsim

import (
	"fmt"
	"strings"
	"time"
)

// listed tells a call's state as SIMCom does after AT+CLCC=1.
func listed(s *Sim, c *call) {
	if s.clcc {
		s.urc(s.listing(c, c.stat))
	}
}

// voiceEnded is SIMCom's end of a call; gap is what stands behind "VOICE CALL:".
func voiceEnded(gap string) func(*Sim, *call, string) {
	return func(s *Sim, c *call, last string) {
		switch {
		case c.inbound && c.stat == statIncoming:
			s.urc("MISSED_CALL: 11:01AM " + c.number)
		case c.stat == statActive:
			s.urc(fmt.Sprintf("VOICE CALL:%sEND: %06d", gap, int(time.Since(c.began).Seconds())))
		}
		if s.clcc {
			s.urc(s.listing(c, statReleased))
		}
		if last != "" {
			s.urc(last)
		}
	}
}

func simcom7600() *family {
	return &family{
		models: []string{"SIMCOM_SIM7", "SIM75", "SIM76"}, maker: "SIMCOM INCORPORATED", revision: "LE20B05SIM7600M22",
		settings: map[string]string{"+CLCC": "0", "+CVHU": "1", "+DDET": "0", "+CNSMOD": "0", "+AUTOCSQ": "0,0", "+CPCMFRM": "0"},
		commands: func(s *Sim, cmd, raw string) []string {
			if l := s.simcomPCM(cmd); l != nil {
				return l
			}
			return s.simcomLTE(cmd, raw)
		},
		moved: listed, ended: voiceEnded(" "),
		connected: func(s *Sim, _ *call) { s.urc("VOICE CALL: BEGIN") },
		key:       func(d byte) string { return "+RXDTMF: " + string(rune(d)) },
		iccid:     "AT+CICCID", reset: "AT+CRESET",
	}
}

// simcomA7670 has no sound on USB, says "connected" with the ringback tone, and leaves out a space. While it
// falls back from LTE for a call it says NO CARRIER once.
func simcomA7670() *family {
	return &family{
		models: []string{"A76", "SIMCOM_A76", "SIM767"}, maker: "INCORPORATED", revision: "A7670M7_V1.11.1",
		settings: map[string]string{"+CLCC": "0", "+CVHU": "1", "+DDET": "0", "+CNSMOD": "0", "+CEMODE": "1"},
		commands: func(s *Sim, cmd, raw string) []string { return s.simcomLTE(cmd, raw) },
		moved: func(s *Sim, c *call) {
			listed(s, c)
			if c.stat == statDialing && s.radio.Access == 7 && strings.HasPrefix(s.radio.IMS, "0") {
				s.urc("NO CARRIER")
			}
		},
		ended: voiceEnded(""),
		connected: func(s *Sim, c *call) {
			s.urc("VOICE CALL: BEGIN")
			if !c.inbound {
				s.urc(fmt.Sprintf(`+COLP: %q,%d`, c.number, addressType(c.number)))
			}
		},
		key:   func(d byte) string { return "+RXDTMF: " + string(rune(d)) },
		early: true, iccid: "AT+CICCID", reset: "AT+CRESET",
	}
}

// simcom800 is 2G on a UART: no sound, and nothing but the list tells a call.
func simcom800() *family {
	return &family{
		models: []string{"SIMCOM_SIM8", "SIMCOM_SIM9", "SIM8", "SIM9"}, maker: "SIMCOM_Ltd", revision: "1418B05SIM800L24",
		settings: map[string]string{"+CLCC": "0", "+DDET": "0"},
		commands: func(s *Sim, cmd, raw string) []string {
			switch {
			case strings.HasPrefix(cmd, "AT+CEREG"), strings.HasPrefix(cmd, "AT+CIREG"):
				return []string{failed} // there is no LTE
			case cmd == "AT+SPIC":
				return []string{fmt.Sprintf("+SPIC: %d,3,10,10", s.tries), ok}
			case strings.HasPrefix(cmd, "AT+VTS="):
				return s.sendKeys(raw[len("AT+VTS="):])
			}
			return nil
		},
		moved: listed,
		ended: func(s *Sim, c *call, last string) {
			if s.clcc {
				s.urc(s.listing(c, statReleased))
			}
			if last != "" {
				s.urc(last)
			}
		},
		key:   func(d byte) string { return fmt.Sprintf("+DTMF: %c,80", d) },
		ready: func(s *Sim) { s.urc("Call Ready"); s.urc("SMS Ready") },
		iccid: "AT+CCID",
	}
}

// simcomPCM are the commands of the audio port.
func (s *Sim) simcomPCM(cmd string) []string {
	switch {
	case cmd == "AT+CPCMREG=1":
		return s.soundSwitch(true)
	case strings.HasPrefix(cmd, "AT+CPCMREG=0"):
		return s.soundSwitch(false)
	case cmd == "AT+CPCMREG?":
		on := 0
		if s.soundOn.Load() {
			on = 1
		}
		return []string{fmt.Sprintf("+CPCMREG: %d", on), ok}
	}
	return nil
}

// simcomLTE are the commands that SIMCom's LTE modems share.
func (s *Sim) simcomLTE(cmd, raw string) []string {
	switch {
	case cmd == "AT+CPSI?":
		return []string{s.radio.System, ok}
	case cmd == "AT+CNSMOD?":
		told := "0"
		if s.texts["+CNSMOD"] == "1" {
			told = "1"
		}
		return []string{fmt.Sprintf("+CNSMOD: %s,%d", told, systemMode(s.radio.Access)), ok}
	case cmd == "AT+SPIC":
		return []string{fmt.Sprintf("+SPIC: %d,3,10,10", s.tries), ok}
	case strings.HasPrefix(cmd, "AT+VTS="):
		return s.sendKeys(raw[len("AT+VTS="):])
	}
	return nil
}

// soundSwitch gives the sound of the call to the audio port; it is refused outside a call, for some time
// after its begin, and by a modem whose endpoint has gone bad.
func (s *Sim) soundSwitch(on bool) []string {
	if on && (s.call == nil || s.call.stat != statActive || s.faults.SoundDead || time.Since(s.call.began) < s.cfg.SoundRefused) {
		return []string{failed}
	}
	s.setSound(on)
	return []string{ok}
}

// systemMode is SIMCom's number for a technology that +COPS names by another.
func systemMode(access int) int { return map[int]int{0: 1, 2: 4, 7: 8}[access] }
