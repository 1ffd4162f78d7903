package gsmsim

import (
	"fmt"
	"maps"
	"strings"
)

// family is how one maker's modems speak, written from the makers' manuals and from public traces, and
// apart from the driver's own tables. The zero value of a field is the 27.007 modem that says least.
type family struct {
	models   []string // prefixes of Config.Model
	maker    string   // AT+CGMI
	revision string   // AT+CGMR
	settings map[string]string

	// commands carries out the maker's own commands; nil for one that is not its.
	commands func(s *Sim, cmd, raw string) []string
	// moved tells a call's new state, connected its begin and ended its end, which last ends. nil: nothing
	// is told, and +CLCC has to be asked.
	moved     func(s *Sim, c *call)
	connected func(s *Sim, c *call)
	ended     func(s *Sim, c *call, last string)
	key       func(d byte) string // what tells a key of the far end; nil: nothing does
	ready     func(s *Sim)        // what it says besides when it is up

	// news is the setting, and its value, that brings unsolicited lines to this port; empty: they are here.
	news   [2]string
	early  bool // it says "connected" when the far end begins to ring
	packed bool // service codes are packed septets
	block  int  // bytes that the audio port delivers at once; 0 = 320
	iccid  string
	reset  string // restarts it, beside AT+CFUN=1,1
}

// families in the order in which they are looked through; the last fits every model.
func families() []*family {
	return []*family{simcom7600(), simcomA7670(), simcom800(), quectelEC2x(), huaweiStick(), telitModule(), plain()}
}

func familyOf(model string) *family {
	all := families()
	for _, f := range all {
		for _, m := range f.models {
			if strings.HasPrefix(model, m) {
				return f
			}
		}
	}
	return all[len(all)-1]
}

// plain is a modem that knows 3GPP TS 27.007 and nothing else.
func plain() *family {
	return &family{
		maker: "ACME", revision: "1.0",
		commands: func(s *Sim, cmd, raw string) []string {
			switch {
			case cmd == "AT+CPINR":
				return []string{fmt.Sprintf("+CPINR: SIM PIN,%d,3", s.tries), fmt.Sprintf("+CPINR: SIM PUK,%d,10", 10), ok}
			case strings.HasPrefix(cmd, "AT+VTS="):
				return s.sendKeys(raw[len("AT+VTS="):])
			}
			return nil
		},
	}
}

// shared are the settings that every 27.007 modem knows, with the value after a start.
var shared = map[string]string{
	"+CMEE": "0", "+CRC": "0", "+CMGF": "0", "+CLIP": "0", "+COPS": "", "+CREG": "0", "+CEREG": "0", "+CIREG": "0",
	"+CCWA": "0", "+COLP": "0", "+CLIR": "0", "+CNMI": "", "+CSMS": "0", "+CFUN": "1", "+CSCS": `"IRA"`,
}

// known is the value of a setting after a start; ok is false for a setting that the modem does not have.
func (s *Sim) known(name string) (value string, ok bool) {
	if value, ok = s.family.settings[name]; ok {
		return value, true
	}
	value, ok = shared[name]
	return value, ok
}

// revision is the name of the firmware.
func (s *Sim) revision() string {
	if s.cfg.Firmware != "" {
		return s.cfg.Firmware
	}
	return s.family.revision
}

// elsewhere reports that unsolicited lines come out of another port.
func (s *Sim) elsewhere() bool {
	setting := s.family.news
	return setting[0] != "" && !strings.EqualFold(s.texts[setting[0]], setting[1])
}

// sendKeys sends DTMF digits, which need a call that talks.
func (s *Sim) sendKeys(keys string) []string {
	if s.call == nil || s.call.stat != statActive {
		return []string{failed}
	}
	if s.cfg.Digit != nil {
		for _, d := range []byte(strings.Trim(keys, `"`)) {
			s.cfg.Digit(d)
		}
	}
	return []string{ok}
}

// causes are the network's numbers for the words of AT+CEER (3GPP TS 24.008 annex H).
var causes = map[string]int{
	"User busy": 17, "Call rejected": 21, "Normal call clearing": 16, "Unassigned number": 1, "No user responding": 18,
	"No answer": 19, "Switching equipment congestion": 42, "Destination out of order": 27,
}

// direction is the one of +CLCC: 0 from the box, 1 to it.
func (c *call) direction() int {
	if c.inbound {
		return 1
	}
	return 0
}

// addressType is 145 for an international number and 129 for another (3GPP TS 24.008 section 10.5.4.7).
func addressType(number string) int {
	if strings.HasPrefix(number, "+") {
		return 145
	}
	return 129
}

// Knock lets a second number call while the line talks. With call waiting off the network says that it is
// busy (ErrBusy).
func (s *Sim) Knock(number string) error {
	return s.onCall(func(c *call) error {
		if c.stat != statActive || s.second != nil || !strings.HasPrefix(s.texts["+CCWA"], "1,1") {
			return ErrBusy
		}
		s.second = &call{inbound: true, stat: statWaiting, number: number, id: c.id + 1}
		s.urc(fmt.Sprintf(`+CCWA: %q,%d,1`, number, addressType(number)))
		if s.family.moved != nil {
			s.family.moved(s, s.second)
		}
		return nil
	})
}

// secondRings makes the second caller the first, when the call before has ended.
func (s *Sim) secondRings() {
	c := s.second
	if c == nil {
		return
	}
	s.second, s.call = nil, c
	c.stat = statIncoming
	s.callChanged()
	s.ring()
}

// turnAway gives the second caller the busy tone.
func (s *Sim) turnAway() []string {
	c := s.second
	if c == nil {
		return []string{failed}
	}
	s.second = nil
	if s.family.ended != nil {
		s.after(0, func() { s.family.ended(s, c, "") })
	}
	return []string{ok}
}

// SecondCaller is the number of who knocks; ok is false when nobody does.
func (s *Sim) SecondCaller() (number string, ok bool) {
	_ = s.ask(func() error {
		if s.second != nil {
			number, ok = s.second.number, true
		}
		return nil
	})
	return number, ok
}

// Settings are what the box has set, by the name of the command.
func (s *Sim) Settings() (all map[string]string) {
	_ = s.ask(func() error {
		all = maps.Clone(s.texts)
		return nil
	})
	return all
}

// PINTries is how many tries the PIN has left.
func (s *Sim) PINTries() (left int) {
	_ = s.ask(func() error {
		left = s.tries
		return nil
	})
	return left
}

// Meddle sets a setting as another program does that has the modem open.
func (s *Sim) Meddle(setting, value string) error {
	return s.ask(func() error {
		s.texts[setting] = value
		return nil
	})
}
