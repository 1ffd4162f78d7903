package gsmsim

import (
	"fmt"
	"strings"
)

// telitModule tells calls by its call monitor; its sound is on pins.
func telitModule() *family {
	ecam := func(s *Sim, c *call, state int) {
		if s.texts["#ECAM"] == "1" {
			s.urc(fmt.Sprintf("#ECAM: %d,%d,1,,,", max(1, c.id)-1, state))
		}
	}
	return &family{
		models: []string{"LE910", "HE910", "UL865"}, maker: "Telit", revision: "20.00.526",
		settings: map[string]string{"#ECAM": "0", "#DTMF": "0"},
		commands: func(s *Sim, cmd, raw string) []string {
			switch {
			case cmd == "AT#PCT":
				return []string{fmt.Sprintf("#PCT: %d", s.tries), ok}
			case strings.HasPrefix(cmd, "AT+VTS="):
				return s.sendKeys(raw[len("AT+VTS="):])
			}
			return nil
		},
		moved: func(s *Sim, c *call) {
			switch c.stat {
			case statDialing:
				ecam(s, c, 1)
				ecam(s, c, 2)
			case statIncoming:
				ecam(s, c, 6)
			case statWaiting:
				ecam(s, c, 5)
			}
		},
		connected: func(s *Sim, c *call) { ecam(s, c, 3) },
		ended: func(s *Sim, c *call, last string) {
			if last == "BUSY" {
				ecam(s, c, 7)
			}
			ecam(s, c, 0)
			if last != "" {
				s.urc(last)
			}
		},
		key:   func(d byte) string { return "#DTMFEV: " + string(rune(d)) },
		iccid: "AT#CCID", reset: "AT#REBOOT",
	}
}
