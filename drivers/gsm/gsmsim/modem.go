package gsmsim

import (
	"fmt"
	"strings"
	"time"
)

// The call states of +CLCC.
const (
	statActive   = 0
	statDialing  = 2
	statAlerting = 3
	statIncoming = 4
	statReleased = 6
)

type call struct {
	inbound bool
	stat    int
	number  string
	began   time.Time // VOICE CALL: BEGIN
}

// modem is the state of the modem's firmware and of its SIM.
type modem struct {
	plug       *plug
	faults     Faults
	struck     []string // the faults of the catalogue that last now
	noSIM      bool
	life       int // counts restarts and plugs, so that timers of an earlier life do nothing
	timers     map[*time.Timer]bool
	line       []byte
	booted     bool
	echo       bool
	stuck      bool // the stuck prompt is open
	unlocked   bool
	tries      int // left for the PIN
	clip, clcc bool
	cmee       bool
	registered int
	signal     int
	call       *call
	why        string // AT+CEER
	texts      map[string]string
	radio      Radio
	messages
}

// read takes bytes of the box: a command ends with CR.
func (s *Sim) read(p []byte) {
	for _, c := range p {
		switch {
		case c == 0x1b:
			if s.stuck || s.prompt != nil {
				s.stuck, s.prompt = false, nil
				s.line = s.line[:0]
				s.write(s.frame("OK"))
			}
		case s.prompt != nil:
			s.typed(c)
		case c == '\r':
			cmd := string(s.line)
			s.line = s.line[:0]
			if cmd != "" {
				s.received(cmd)
			}
		case c >= ' ' && len(s.line) < 512:
			s.line = append(s.line, c)
		}
	}
}

// typed takes one byte of the text of a message.
func (s *Sim) typed(c byte) {
	if s.echo || s.faults.EchoStuck {
		s.write(string(rune(c)))
	}
	switch {
	case c == 0x1a:
		text := string(s.line)
		s.line = s.line[:0]
		s.submitted(strings.TrimSpace(text))
	case c > ' ' && len(s.line) < 1024:
		s.line = append(s.line, c)
	}
}

func (s *Sim) received(cmd string) {
	if !s.booted || s.stuck {
		return // a starting modem is deaf; an open prompt takes all for the text of a message
	}
	s.commands.Add(1)
	if s.echo || s.faults.EchoStuck {
		s.write(cmd + "\r")
	}
	if s.faults.StuckPrompt {
		s.faults.StuckPrompt, s.stuck = false, true
		s.write("\r\n> ")
		return
	}
	do := func() {
		text := s.answer(cmd)
		if s.prompt != nil && !s.faults.LosePrompt {
			text = "\r\n> "
		}
		s.write(text)
	}
	if s.faults.Late > 0 {
		s.after(s.faults.Late, do)
		return
	}
	do()
}

const (
	ok     = "OK"
	failed = "ERROR"
)

// answer carries a command out and returns the bytes of the reply.
func (s *Sim) answer(cmd string) string {
	lines := []string{failed}
	if !s.faults.Errors {
		lines = s.execute(strings.ToUpper(cmd), cmd)
	}
	var b strings.Builder
	for _, l := range lines {
		if strings.HasPrefix(l, "+CME ERROR") && !s.cmee {
			l = failed
		}
		b.WriteString(s.frame(l))
	}
	return b.String()
}

func (s *Sim) execute(cmd, raw string) []string {
	switch {
	case cmd == "AT":
		return []string{ok}
	case cmd == "ATE0", cmd == "ATE1":
		s.echo = cmd == "ATE1"
		return []string{ok}
	case cmd == "ATZ":
		s.echo, s.clip, s.clcc, s.cmee = true, false, false, false
		return []string{ok}
	case strings.HasPrefix(cmd, "ATD"):
		return s.dial(raw[3:])
	case cmd == "ATA":
		return s.pickUp()
	case cmd == "ATH", cmd == "AT+CHUP", strings.HasPrefix(cmd, "AT+CHLD=1"):
		return s.hangUp()
	case cmd == "AT+CRESET", cmd == "AT+CFUN=1,1":
		s.resets.Add(1)
		s.after(0, s.replug)
		return []string{ok}
	}
	if l := s.identity(cmd); l != nil {
		return l
	}
	if l := s.sim(cmd, raw); l != nil {
		return l
	}
	if l := s.voice(cmd, raw); l != nil {
		return l
	}
	if l := s.text(cmd); l != nil {
		return l
	}
	return s.setting(cmd)
}

// replug is what a reset looks like from outside: the USB device goes and comes back.
func (s *Sim) replug() {
	s.unplug()
	if err := s.plugIn(); err != nil {
		s.log.Error("simulated modem did not come back", "error", err)
	}
}

func (s *Sim) identity(cmd string) []string {
	switch cmd {
	case "ATI":
		return []string{"Manufacturer: SIMCOM INCORPORATED", "Model: " + s.cfg.Model, "Revision: LE20B05SIM7600M22", "IMEI: " + s.cfg.IMEI, ok}
	case "AT+CGMI":
		return []string{"SIMCOM INCORPORATED", ok}
	case "AT+CGMM":
		return []string{s.cfg.Model, ok}
	case "AT+CGMR":
		return []string{"+CGMR: LE20B05SIM7600M22", ok}
	case "AT+CGSN":
		return []string{s.cfg.IMEI, ok}
	case "AT+CSQ":
		return []string{fmt.Sprintf("+CSQ: %d,99", s.signal), ok}
	case "AT+CREG?":
		return []string{fmt.Sprintf(`+CREG: 2,%d,"1A2B","03C4D5E6"`, s.registered), ok}
	case "AT+CEREG?":
		return []string{fmt.Sprintf(`+CEREG: 2,%d,"1A2B","03C4D5E6",7`, s.registered), ok}
	case "AT+COPS?":
		if s.registered != 1 && s.registered != 5 {
			return []string{"+COPS: 0", ok}
		}
		return []string{fmt.Sprintf(`+COPS: 0,0,"Carrier, simulated",%d`, s.radio.Access), ok}
	case "AT+CPSI?":
		return []string{s.radio.System, ok}
	case "AT+CIREG?":
		return []string{"+CIREG: 2," + s.radio.IMS, ok}
	}
	return nil
}

func (s *Sim) sim(cmd, raw string) []string {
	switch {
	case cmd == "AT+SPIC":
		return []string{fmt.Sprintf("+SPIC: %d,3,10,10", s.tries), ok}
	case cmd == "AT+CPIN?":
		switch {
		case s.noSIM:
			return []string{"+CME ERROR: 10"}
		case s.tries == 0:
			return []string{"+CPIN: SIM PUK", ok}
		case !s.unlocked:
			return []string{"+CPIN: SIM PIN", ok}
		}
		return []string{"+CPIN: READY", ok}
	case strings.HasPrefix(cmd, "AT+CPIN="):
		if s.unlocked || s.tries == 0 {
			return []string{"+CME ERROR: 3"}
		}
		if strings.Trim(raw[len("AT+CPIN="):], `"`) != s.cfg.PIN {
			s.tries--
			return []string{"+CME ERROR: 16"}
		}
		s.unlocked, s.tries = true, 3
		s.after(50*time.Millisecond, s.simReady)
		return []string{ok}
	}
	return nil
}

func (s *Sim) voice(cmd, raw string) []string {
	switch {
	case cmd == "AT+CLCC":
		if s.call == nil {
			return []string{ok}
		}
		return []string{s.listing(s.call.stat), ok}
	case cmd == "AT+CEER":
		return []string{"+CEER: " + s.why, ok}
	case strings.HasPrefix(cmd, "AT+VTS="):
		if s.call == nil || s.call.stat != statActive {
			return []string{failed}
		}
		if s.cfg.Digit != nil {
			for _, d := range []byte(strings.Trim(raw[len("AT+VTS="):], `"`)) {
				s.cfg.Digit(d)
			}
		}
		return []string{ok}
	case cmd == "AT+CPCMREG=1":
		if s.call == nil || s.call.stat != statActive || s.faults.SoundDead || time.Since(s.call.began) < s.cfg.SoundRefused {
			return []string{failed}
		}
		s.setSound(true)
		return []string{ok}
	case strings.HasPrefix(cmd, "AT+CPCMREG=0"):
		s.setSound(false)
		return []string{ok}
	case cmd == "AT+CPCMREG?":
		on := 0
		if s.soundOn.Load() {
			on = 1
		}
		return []string{fmt.Sprintf("+CPCMREG: %d", on), ok}
	}
	return nil
}

// settings are the ones that the modem knows, with the value after a start.
var settings = map[string]string{
	"+CMEE": "0", "+CRC": "0", "+CMGF": "0", "+CLIP": "0", "+CLCC": "0", "+COPS": "", "+CREG": "0", "+CEREG": "0",
	"+CCWA": "0", "+COLP": "0", "+CLIR": "0", "+CNMI": "", "+CSMS": "0", "+CFUN": "1", "+CIREG": "0", "+CSCS": `"IRA"`, "+CVHU": "1", "+DDET": "0", "+CNSMOD": "0", "+AUTOCSQ": "0,0", "+CPCMFRM": "0",
}

func (s *Sim) setting(cmd string) []string {
	name, value, set := strings.Cut(strings.TrimPrefix(cmd, "AT"), "=")
	if query, isQuery := strings.CutSuffix(name, "?"); isQuery {
		def, known := settings[query]
		if !known {
			return []string{failed}
		}
		if v, was := s.texts[query]; was {
			def = v
		}
		return []string{query + ": " + def, ok}
	}
	if _, known := settings[name]; !known || !set {
		return []string{failed}
	}
	s.texts[name] = value
	switch name {
	case "+CLIP":
		s.clip = value == "1"
	case "+CLCC":
		s.clcc = value == "1"
	case "+CMEE":
		s.cmee = value != "0"
	}
	return []string{ok}
}

func (s *Sim) dial(to string) []string {
	number, voice := strings.CutSuffix(strings.TrimLeft(to, "TP "), ";") // how a line is dialled means nothing here (TS 27.007 section 6.3)
	switch {
	case s.faults.RefuseDial, !voice, s.call != nil:
		return []string{"+CME ERROR: 3"}
	case s.registered != 1 && s.registered != 5:
		return []string{"NO CARRIER"}
	}
	s.call = &call{stat: statDialing, number: number}
	s.after(10*time.Millisecond, func() {
		if s.call == nil {
			return
		}
		s.callChanged()
		if s.cfg.Dialed != nil {
			notify(func() { s.cfg.Dialed(number) })
		}
	})
	return []string{ok}
}

func (s *Sim) pickUp() []string {
	if s.call == nil || s.call.stat != statIncoming {
		return []string{"NO CARRIER"}
	}
	c := s.call
	s.after(s.cfg.Connect, func() {
		if s.call == c && c.stat == statIncoming {
			s.begin()
		}
	})
	return []string{ok}
}

func (s *Sim) hangUp() []string {
	if s.call != nil && !s.faults.DeafHangup {
		s.after(0, func() {
			if s.call != nil {
				s.over("NO CARRIER", "Normal call clearing")
			}
		})
	}
	return []string{ok}
}

// begin connects the call.
func (s *Sim) begin() {
	s.call.stat, s.call.began = statActive, time.Now()
	s.callChanged()
	s.urc("VOICE CALL: BEGIN")
}

// over ends the call with its last words.
func (s *Sim) over(last, why string) {
	c := s.call
	s.why = why
	s.call = nil
	s.setSound(false)
	if c.inbound && c.stat == statIncoming {
		s.urc("MISSED_CALL: 11:01AM " + c.number)
	} else if c.stat == statActive {
		s.urc(fmt.Sprintf("VOICE CALL: END: %06d", int(time.Since(c.began).Seconds())))
	}
	s.released(c)
	s.urc(last)
	notify(s.cfg.Ended)
}

func (s *Sim) released(c *call) {
	s.call = c
	if s.clcc {
		s.urc(s.listing(statReleased))
	}
	s.call = nil
}

func (s *Sim) callChanged() {
	if s.clcc {
		s.urc(s.listing(s.call.stat))
	}
}

func (s *Sim) listing(stat int) string {
	dir, kind := 0, 129
	if s.call.inbound {
		dir = 1
	}
	if strings.HasPrefix(s.call.number, "+") {
		kind = 145
	}
	return fmt.Sprintf("+CLCC: 1,%d,%d,0,0,%q,%d", dir, stat, s.call.number, kind)
}

// ring repeats until somebody answers or gives up.
func (s *Sim) ring() {
	c := s.call
	if c == nil || !c.inbound || c.stat != statIncoming {
		return
	}
	s.urc("RING")
	if s.clip {
		if c.number == "" {
			s.urc(`+CLIP: "",128,,,,1`)
		} else {
			kind := 129
			if strings.HasPrefix(c.number, "+") {
				kind = 145
			}
			s.urc(fmt.Sprintf(`+CLIP: %q,%d,,,,0`, c.number, kind))
		}
	}
	s.after(s.cfg.RingEvery, func() {
		if s.call == c {
			s.ring()
		}
	})
}

func (s *Sim) urc(line string) {
	if !s.booted || s.faults.LosePrefix != "" && strings.HasPrefix(line, s.faults.LosePrefix) {
		return
	}
	s.write(s.frame(line))
	if s.faults.DoubledURC {
		s.write(s.frame(line))
	}
}
