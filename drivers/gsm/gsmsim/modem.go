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
	statWaiting  = 5
	statReleased = 6
)

type call struct {
	inbound bool
	stat    int
	number  string
	began   time.Time // VOICE CALL: BEGIN

	id       int
	answered bool // the far end has answered, whatever the modem says
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
	second     *call  // knocks
	deaf       bool   // answers nothing until it restarts
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
	if !s.booted || s.stuck || s.deaf {
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
		lines = s.row(cmd)
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
	case cmd == "AT+CHLD=0":
		return s.turnAway()
	}
	if s.family.commands != nil {
		if l := s.family.commands(s, cmd, raw); l != nil {
			return l
		}
	}
	switch {
	case cmd == "ATH", cmd == "AT+CHUP", strings.HasPrefix(cmd, "AT+CHLD=1"):
		return s.hangUp()
	case cmd == s.family.reset && cmd != "", cmd == "AT+CFUN=1,1":
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
	if l := s.voice(cmd); l != nil {
		return l
	}
	if l := s.text(cmd); l != nil {
		return l
	}
	if l := s.basics(cmd); l != nil {
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
		return []string{"Manufacturer: " + s.family.maker, "Model: " + s.cfg.Model, "Revision: " + s.revision(), "IMEI: " + s.cfg.IMEI, ok}
	case "AT+CGMI":
		return []string{s.family.maker, ok}
	case "AT+CGMM":
		return []string{s.cfg.Model, ok}
	case "AT+CGMR":
		return []string{"+CGMR: " + s.revision(), ok}
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
		return []string{s.operator(), ok}
	case s.family.iccid:
		return []string{strings.TrimSuffix(strings.TrimPrefix(cmd, "AT"), "?") + ": " + s.cfg.ICCID, ok}
	case "AT+CIREG?":
		return []string{"+CIREG: 2," + s.radio.IMS, ok}
	}
	return nil
}

func (s *Sim) sim(cmd, raw string) []string {
	switch {
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

func (s *Sim) voice(cmd string) []string {
	switch cmd {
	case "AT+CLCC":
		var all []string
		for _, c := range []*call{s.call, s.second} {
			if c != nil {
				all = append(all, s.listing(c, c.stat))
			}
		}
		return append(all, ok)
	case "AT+CEER":
		return []string{"+CEER: " + s.why, ok}
	}
	return nil
}

func (s *Sim) setting(cmd string) []string {
	name, value, set := strings.Cut(strings.TrimPrefix(cmd, "AT"), "=")
	if query, isQuery := strings.CutSuffix(name, "?"); isQuery {
		def, known := s.known(query)
		if !known {
			return []string{failed}
		}
		if v, was := s.texts[query]; was {
			def = v
		}
		return []string{query + ": " + def, ok}
	}
	if _, known := s.known(name); !known || !set || s.faults.Unset && name != "+CMEE" {
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
	s.call = &call{id: 1, stat: statDialing, number: number}
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
	s.call.stat, s.call.began, s.call.answered = statActive, time.Now(), true
	s.callChanged()
	if s.family.connected != nil {
		s.family.connected(s, s.call)
	}
}

// over ends the call with its last words.
func (s *Sim) over(last, why string) {
	c := s.call
	s.why = why
	s.call = nil
	s.setSound(false)
	if s.family.ended != nil {
		s.family.ended(s, c, last)
	} else if last != "" {
		s.urc(last)
	}
	notify(s.cfg.Ended)
	s.secondRings()
}

func (s *Sim) callChanged() {
	if s.family.moved != nil {
		s.family.moved(s, s.call)
	}
}

func (s *Sim) listing(c *call, stat int) string {
	return fmt.Sprintf("+CLCC: %d,%d,%d,0,0,%q,%d", max(1, c.id), c.direction(), stat, c.number, addressType(c.number))
}

// ring repeats until somebody answers or gives up.
func (s *Sim) ring() {
	c := s.call
	if c == nil || !c.inbound || c.stat != statIncoming {
		return
	}
	if s.texts["+CRC"] == "1" {
		s.urc("+CRING: VOICE")
	} else {
		s.urc("RING")
	}
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
	if !s.booted || s.elsewhere() || s.faults.LosePrefix == All || s.faults.LosePrefix != "" && strings.HasPrefix(line, s.faults.LosePrefix) {
		return
	}
	s.write(s.frame(line))
	if s.faults.DoubledURC {
		s.write(s.frame(line))
	}
}
