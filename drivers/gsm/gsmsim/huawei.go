package gsmsim

import (
	"fmt"
	"strings"
	"time"
)

// huaweiStick is a 2G and 3G stick. It talks of calls in ^ORIG, ^CONF, ^CONN and ^CEND and says nothing
// else; it does not tell keys; it chatters.
func huaweiStick() *family {
	return &family{
		models: []string{"E1", "E3", "K3", "K4"}, maker: "huawei", revision: "11.608.12.10.311",
		settings: map[string]string{"^CURC": "1", "^PORTSEL": "0", "^U2DIAG": "0"},
		commands: huaweiCommands,
		moved: func(s *Sim, c *call) {
			switch c.stat {
			case statDialing:
				s.urc(fmt.Sprintf("^ORIG:%d,0", max(1, c.id)))
			case statAlerting:
				s.urc(fmt.Sprintf("^CONF:%d", max(1, c.id)))
			case statIncoming:
				s.urc("^RSSI:18")
				s.urc("^BOOT:22902574,0,0,0,77")
			}
		},
		connected: func(s *Sim, c *call) { s.urc(fmt.Sprintf("^CONN:%d,0", max(1, c.id))) },
		ended: func(s *Sim, c *call, _ string) {
			spoke := 0
			if c.stat == statActive {
				spoke = int(time.Since(c.began).Seconds())
			}
			if why, known := causes[s.why]; known {
				s.urc(fmt.Sprintf("^CEND:%d,%d,104,%d", max(1, c.id), spoke, why))
				return
			}
			s.urc(fmt.Sprintf("^CEND:%d,%d,104", max(1, c.id), spoke))
		},
		ready: func(s *Sim) {
			for _, l := range []string{"^SRVST:2", "^MODE:5,4", "^BOOT:22902574,0,0,0,77", "^RSSI:18"} {
				s.urc(l)
			}
		},
		news:   [2]string{"^PORTSEL", "1"},
		packed: true, iccid: "AT^ICCID?",
	}
}

func huaweiCommands(s *Sim, cmd, raw string) []string {
	switch {
	case strings.HasPrefix(cmd, "AT+CEREG"), strings.HasPrefix(cmd, "AT+CIREG"), strings.HasPrefix(cmd, "AT+VTS="):
		return []string{"COMMAND NOT SUPPORT"}
	case cmd == "AT^CPIN?":
		state := "READY,"
		if !s.unlocked {
			state = "SIM PIN,"
		}
		return []string{fmt.Sprintf("^CPIN: %s,10,%d,10,3", state, s.tries), ok}
	case cmd == "AT^CVOICE?":
		if s.cfg.NoSerialSound {
			return []string{"^CVOICE:1", ok}
		}
		return []string{"^CVOICE:0,8000,16,20", ok}
	case cmd == "AT^CVOICE=0":
		if s.cfg.NoSerialSound {
			return []string{failed} // locked in the firmware
		}
		return []string{ok}
	case cmd == "AT^DDSETEX=2":
		if s.cfg.NoSerialSound {
			return []string{failed}
		}
		return s.soundSwitch(true)
	case strings.HasPrefix(cmd, "AT^DTMF=1,"):
		return s.sendKeys(raw[len("AT^DTMF=1,"):])
	case strings.HasPrefix(cmd, "AT+CHLD=1") && s.call != nil && s.call.stat == statDialing:
		s.deaf = true // the E1550 answers nothing any more
		return []string{}
	}
	return nil
}
