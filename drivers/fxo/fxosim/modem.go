package fxosim

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mode is what the port carries.
type mode uint8

const (
	commands  mode = iota
	duplex         // +VTR
	playing        // +VTX
	recording      // +VRX
)

const (
	dle = 0x10
	etx = 0x03
)

// modem is the chip. The simulation's goroutine owns it.
type modem struct {
	s      *Sim
	family Family

	mode   mode
	echo   bool
	line   []byte
	class8 bool
	vcid   bool
	format int

	shielded bool
	draining bool    // +VTX was ended, and what it was given is still being played
	up       []int16 // to be played
	primed   bool    // enough of it has gathered
	half     []byte
	beeps    []int // frames of tones that +VTS has asked for
	frames   int
	heardEnd int
	stalled  bool
	flash    int // frames until a hook flash is over
	own      int // of a flash, in ms, as it was set
}

func newModem(s *Sim) *modem {
	return &modem{s: s, family: s.cfg.Family, echo: true, format: s.cfg.Family.Start, own: s.cfg.Family.Flash}
}

func (m *modem) write(p []byte) {
	if m.s.plug == nil || m.s.faults.Mute {
		return
	}
	port := m.s.plug.port
	_ = port.SetWriteDeadline(time.Now().Add(5 * time.Millisecond)) // who does not read loses
	if !m.s.faults.Split {
		_, _ = port.Write(p)
		return
	}
	for i := range p {
		_, _ = port.Write(p[i : i+1])
	}
}

func (m *modem) say(lines ...string) {
	for _, l := range lines {
		m.write([]byte("\r\n" + l + "\r\n"))
	}
}

// event is a <DLE> code, which only a modem in voice mode sends.
func (m *modem) event(code byte) {
	if m.class8 {
		m.write([]byte{dle, code})
	}
}

// loop is what the exchange does to the wires.
func (m *modem) loop(e loopEvent) {
	switch e {
	case ringBurst:
		if m.mode != commands {
			m.event('R')
			return
		}
		m.say("RING")
	case callerID:
		m.callerID()
	case loopCut:
		m.event('l')
	case polarityTurned:
		m.event('L')
	case extensionUp:
		m.event('P')
	case extensionDown:
		m.event('p')
	case loopBack, ringStopped:
	}
}

func (m *modem) callerID() {
	number := m.s.office.caller
	switch {
	case !m.vcid || m.s.faults.NoID || m.mode != commands:
	case m.s.faults.RawID:
		m.say("MESG = " + message(number))
	case number == "":
		m.say("DATE = 1128", "TIME = 0755", "NMBR = P")
	default:
		m.say("DATE = 1128", "TIME = 0755", "NMBR = "+number, "NAME = ROSSI")
	}
}

// message is a multiple data message (ETSI EN 300 659-3) in hexadecimal: date, and number or the reason for none.
func message(number string) string {
	body := []byte{0x01, 8}
	body = append(body, "11280755"...)
	if number == "" {
		body = append(body, 0x04, 1, 'P')
	} else {
		body = append(append(body, 0x02, byte(len(number))), number...)
	}
	m := append([]byte{0x80, byte(len(body))}, body...)
	var sum byte
	for _, b := range m {
		sum += b
	}
	return strings.ToUpper(fmt.Sprintf("%x", append(m, -sum)))
}

// take reads what the host sent.
func (m *modem) take(p []byte) {
	if m.s.faults.Mute {
		return
	}
	for _, c := range p {
		if m.mode == commands {
			m.key(c)
		} else {
			m.sound(c)
		}
	}
}

func (m *modem) key(c byte) {
	if m.echo {
		m.write([]byte{c})
	}
	switch {
	case c == '\r':
		text := string(m.line)
		m.line = m.line[:0]
		if i := strings.Index(strings.ToUpper(text), "AT"); i >= 0 {
			m.command(strings.ToUpper(strings.TrimSpace(text[i+2:])))
		}
	case c >= ' ' && c < 0x7f && len(m.line) < 256:
		m.line = append(m.line, c)
	}
}

// sound is one byte of the stream that the host gives.
func (m *modem) sound(c byte) {
	switch {
	case !m.shielded && c == dle:
		m.shielded = true
	case !m.shielded, c == dle:
		m.shielded = false
		m.sample(c)
	default:
		m.shielded = false
		m.code(c)
	}
}

func (m *modem) sample(c byte) {
	if m.mode == recording {
		return
	}
	switch m.family.Formats[m.format] {
	case "s16":
		if m.half = append(m.half, c); len(m.half) == 2 {
			m.up = append(m.up, int16(binary.LittleEndian.Uint16(m.half)))
			m.half = m.half[:0]
		}
	case "ulaw":
		m.up = append(m.up, fromMuLaw(c))
	case "s8":
		m.up = append(m.up, int16(int8(c))<<8)
	default:
		m.up = append(m.up, (int16(c)-128)<<8)
	}
	if len(m.up) > 4*rate {
		m.up = m.up[len(m.up)-4*rate:]
		m.event('o')
	}
}

// code is what the host shielded.
func (m *modem) code(c byte) {
	ends := strings.IndexByte(m.family.Ends, c) >= 0
	switch {
	case c == 0x18:
		m.up = m.up[:0]
	case m.mode == playing && c == etx:
		m.draining = true
	case m.mode == recording && (c == 0x1b || c == '!'), m.mode == duplex && ends:
		if m.heardEnd++; m.heardEnd <= m.s.faults.DeafEnds {
			return
		}
		m.finish()
	}
}

// finish ends a stream.
func (m *modem) finish() {
	if m.mode != playing {
		m.write([]byte{dle, etx})
	}
	m.mode, m.up, m.draining, m.stalled = commands, m.up[:0], false, false
	if m.family.EndOK {
		m.say("OK")
	}
}

// play gives the next 20 ms to the line.
func (m *modem) play(up *Frame) {
	m.frames++
	if m.flash > 0 {
		if m.flash--; m.flash == 0 {
			m.s.office.hook(true)
			m.say("OK")
		}
		return
	}
	if len(m.beeps) > 0 {
		keyFrame(up, byte(m.beeps[0]), m.frames)
		m.beeps = m.beeps[1:]
		return
	}
	if m.mode != duplex && m.mode != playing {
		return
	}
	if m.s.faults.Underruns && m.frames%150 == 0 {
		m.up = m.up[:0]
	}
	if !m.primed {
		if len(m.up) < m.family.Queue*rate/1000 && !m.draining {
			return
		}
		m.primed = true
	}
	n := copy(up[:], m.up)
	m.up = m.up[:copy(m.up, m.up[n:])]
	switch {
	case n == FrameSamples:
	case m.draining:
		m.finish()
	default:
		m.primed = false
		m.event('u')
	}
}

// record gives the host the next 20 ms of the line.
func (m *modem) record(down *Frame) {
	if m.frames%200 == 0 {
		m.tell()
	}
	if m.mode != duplex && m.mode != recording || m.stalled {
		return
	}
	f := &m.s.faults
	out := make([]byte, 0, 2*FrameSamples)
	for _, v := range down {
		var b [2]byte
		n := 1
		switch m.family.Formats[m.format] {
		case "s16":
			binary.LittleEndian.PutUint16(b[:], uint16(v))
			n = 2
		case "ulaw":
			b[0] = toMuLaw(v)
		case "s8":
			b[0] = byte(int8(max(-128, min(127, (int(v)+128)>>8))))
		default:
			b[0] = byte(max(-128, min(127, (int(v)+128)>>8)) + 128)
		}
		for _, c := range b[:n] {
			if c == dle {
				out = append(out, dle)
			}
			out = append(out, c)
		}
	}
	switch {
	case f.CutInPair:
		m.stalled = true
		out = append(out, dle)
	case f.FalseEnd && m.frames%100 == 0:
		out = append(out, dle, etx)
	case f.Spurious && m.frames%90 == 0:
		out = append(out, dle, "blLdq"[m.frames/90%5])
	}
	m.write(out)
}

// tell reports the tones that the chip hears itself, each 4 s.
func (m *modem) tell() {
	o := &m.s.office
	switch {
	case m.mode == commands || o.since < 100:
	case o.st == released && o.tone.Hz > 0 && !m.s.faults.MissingBusy:
		m.event('b')
	case o.st == offering:
		m.event('d')
	}
}

// command carries out one line, AT taken off, in capitals.
func (m *modem) command(text string) {
	for text != "" {
		var one string
		one, text = cutCommand(text)
		answer, stream := m.one(one)
		switch {
		case answer == "ERROR":
			m.say("ERROR")
			return
		case stream:
			return
		case answer != "":
			m.say(strings.Split(answer, "\n")...)
		}
	}
	m.say("OK")
}

// cutCommand takes the first command of a line (V.250 section 5.2): a letter and its number, S and its register, D
// and the rest, or + # - : and what follows up to a semicolon.
func cutCommand(text string) (one, rest string) {
	switch c := text[0]; {
	case strings.IndexByte("+#-:", c) >= 0:
		one, rest, _ = strings.Cut(text, ";")
		return one, rest
	case c == 'D':
		return text, ""
	}
	i := 1
	if text[0] == '&' && len(text) > 1 {
		i = 2
	}
	for i < len(text) && strings.IndexByte("0123456789=?.", text[i]) >= 0 {
		i++
	}
	return text[:i], strings.TrimLeft(text[i:], " ;")
}

// one carries out one command; said means that the last word was said, or that the port carries sound now.
func (m *modem) one(c string) (answer string, said bool) {
	if text, ok := m.family.Answers[c]; ok {
		return text, false
	}
	if m.family.Volts != nil {
		if ask, text := m.family.Volts(m.s.office.volts(), m.s.faults.Reversed); ask == c {
			return text, false
		}
	}
	name, value, _ := strings.Cut(c, "=")
	switch {
	case c == "E0", c == "E1", c == "E":
		m.echo = c == "E1"
	case c[0] == 'Z', c == "&F", c == "&F0":
		m.s.office.hook(false)
		m.class8, m.vcid, m.format, m.echo = false, false, m.family.Start, true
	case c[0] == 'H':
		m.s.office.hook(false)
	case c == "S29?" && m.family.Flash > 0:
		return fmt.Sprintf("%03d", m.own/10), false
	case name == "+GCI" && m.family.Flash > 0:
		if m.own = m.family.Flash; value == "B5" {
			m.own = 700
		}
	case strings.HasPrefix(c, ":U4F,"):
		ms, err := strconv.ParseUint(c[len(":U4F,"):], 16, 16)
		if m.family.Name != "silabs" || err != nil {
			return "ERROR", false
		}
		m.own = int(ms)
	case c == "A" && !m.class8: // a data call: nobody at the other end is a modem
		m.s.office.hook(false)
		m.say("NO CARRIER")
		return "", true
	case c == "A":
		return m.seize()
	case c[0] == 'D':
		if text, _ := m.seize(); text != "" {
			return text, false
		}
		for _, d := range []byte(c) {
			if d >= '0' && d <= '9' || d == '*' || d == '#' {
				m.s.office.pulse(d)
			}
		}
	case name == "+FCLASS" && value == "8":
		if m.class8 = m.family.Class8; !m.class8 {
			return "ERROR", false
		}
	case name == "+FCLASS" && value == "0":
		m.class8 = false
	case c == "+FCLASS?":
		return map[bool]string{true: "8", false: "0"}[m.class8], false
	case name == "+VLS", name == "#VLS":
		if value == "0" {
			m.s.office.hook(false)
			return "", false
		}
		return m.seize()
	case m.family.Class8 && strings.HasPrefix(c, "+V"):
		return m.voice(c, name, value)
	case strings.IndexByte("+#-:", c[0]) < 0, strings.HasPrefix(c, "+IFC"), strings.HasPrefix(c, "+GCI="), strings.HasPrefix(c, "+FLO="):
	default:
		for _, x := range m.family.Extras {
			if strings.HasPrefix(c, x) {
				return "", false
			}
		}
		return "ERROR", false
	}
	return "", false
}

func (m *modem) seize() (string, bool) {
	if m.s.faults.RefuseDial {
		return "ERROR", false
	}
	m.s.office.hook(true)
	return "", false
}

// voice carries out the commands of V.253.
func (m *modem) voice(c, name, value string) (answer string, stream bool) {
	begin := func(to mode) (string, bool) {
		if !m.class8 {
			return "ERROR", false
		}
		m.say("CONNECT")
		m.mode, m.up, m.primed, m.half, m.heardEnd, m.stalled = to, m.up[:0], false, m.half[:0], 0, false
		return "", true
	}
	switch {
	case c == "+VTR":
		if !m.family.Duplex || m.s.faults.NoDuplex || !m.s.office.offHk {
			return "ERROR", false
		}
		return begin(duplex)
	case c == "+VTX":
		return begin(playing)
	case c == "+VRX":
		if m.family.Deaf && !m.s.office.offHk {
			return "ERROR", false
		}
		return begin(recording)
	case c == "+VTR=?", c == "+VLS=?", strings.HasSuffix(c, "=?"):
		return "ERROR", false
	case name == "+VSM":
		code, _, _ := strings.Cut(value, ",")
		n, err := strconv.Atoi(code)
		if _, ok := m.family.Formats[n]; err != nil || !ok {
			return "ERROR", false
		}
		m.format = n
	case name == "+VCID":
		if m.family.NoID {
			return "ERROR", false
		}
		m.vcid = value != "0"
	case c == "+VTS=!":
		if m.own == 0 || !m.s.office.offHk {
			return "ERROR", false
		}
		m.s.office.hook(false)
		m.flash = max(1, m.own/20)
		return "", true
	case name == "+VTS":
		m.tones(value)
	}
	return "", false
}

// tones plays the keys of +VTS, 100 ms each; tones of other frequencies are silent here.
func (m *modem) tones(value string) {
	deep := 0
	for _, c := range []byte(value) {
		switch c {
		case '[', '{':
			deep++
		case ']', '}':
			deep--
		}
		if _, _, ok := pair(c); ok && deep == 0 {
			for range 5 {
				m.beeps = append(m.beeps, int(c))
			}
			for range 5 {
				m.beeps = append(m.beeps, 0)
			}
		}
	}
}

// fromMuLaw and toMuLaw are G.711's, by its definition.
func fromMuLaw(b byte) int16 {
	b = ^b
	v := (int(b&15)<<3 + 132) << (b >> 4 & 7)
	if b&128 != 0 {
		return int16(132 - v)
	}
	return int16(v - 132)
}

func toMuLaw(v int16) byte {
	x, sign := int(v), byte(0)
	if x < 0 {
		x, sign = -x, 128
	}
	x = min(x, 32635) + 132
	e := 7
	for e > 0 && x < 1<<(e+7) {
		e--
	}
	return ^(sign | byte(e)<<4 | byte(x>>(e+3))&15)
}
