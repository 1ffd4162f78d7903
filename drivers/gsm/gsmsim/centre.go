package gsmsim

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// letter is one PDU that is stored in the modem, or waits at the message centre.
type letter struct {
	pdu    []byte // with the centre's address
	octets int    // that the modem says it has, without that address
	read   bool
	report bool
	ours   bool // one that the box has written
}

// messages is the modem's storage and the message centre behind it.
type messages struct {
	memory  map[string][]*letter // by place; nil = free
	current string               // for reading and deleting: the first of +CPMS
	arrives string               // for new messages: the third
	cnmi    []string
	waiting []*letter // at the centre, because the modem is off, away or full
	flood   int       // more of them, made when there is room
	flooded int
	ref     byte // of concatenated messages to the box
	mr      byte // of parts from the box
	prompt  *prompt
	parts   map[string][]string // of messages from the box that are not complete
	sent    []Message
	menu    bool // the network waits for a choice
}

// maxSent is how many messages of the box the centre remembers.
const maxSent = 1000

// prompt is an open AT+CMGS.
type prompt struct{ octets int }

// Message is what the box has sent.
type Message struct {
	To, Text string
	Parts    int
	Report   bool // it asked for a delivery report
}

func (s *Sim) emptyMemories() {
	places := s.cfg.Places
	s.memory = map[string][]*letter{"SM": make([]*letter, places), "ME": make([]*letter, places), "SR": make([]*letter, 5)}
	s.parts = map[string][]string{}
}

// Deliver sends a text to the box's number.
func (s *Sim) Deliver(from, text string) error {
	return s.ask(func() error {
		s.ref++
		for _, p := range deliverPDUs(from, text, s.ref, time.Now()) {
			s.arrive(p)
		}
		return nil
	})
}

// DeliverParts sends parts of a long text in the given order, counted from 0: some may be missing or
// come twice. It returns how many parts the text has.
func (s *Sim) DeliverParts(from, text string, order ...int) (parts int, err error) {
	err = s.ask(func() error {
		s.ref++
		all := deliverPDUs(from, text, s.ref, time.Now())
		parts = len(all)
		for _, i := range order {
			s.arrive(all[i])
		}
		return nil
	})
	return parts, err
}

// More sends further parts of the long text of the DeliverParts before.
func (s *Sim) More(from, text string, order ...int) error {
	return s.ask(func() error {
		all := deliverPDUs(from, text, s.ref, time.Now())
		for _, i := range order {
			s.arrive(all[i])
		}
		return nil
	})
}

// Interleave sends two long texts part by part in turn.
func (s *Sim) Interleave(from, one, other string) error {
	return s.ask(func() error {
		a := deliverPDUs(from, one, s.ref+1, time.Now())
		b := deliverPDUs(from, other, s.ref+2, time.Now())
		s.ref += 2
		for i := range max(len(a), len(b)) {
			if i < len(b) {
				s.arrive(b[i])
			}
			if i < len(a) {
				s.arrive(a[i])
			}
		}
		return nil
	})
}

// DeliverRaw stores a PDU as it is, such as half of one: octets is the length that the modem tells of it.
func (s *Sim) DeliverRaw(pdu string, octets int) error {
	raw, err := hex.DecodeString(pdu)
	if err != nil {
		return err
	}
	return s.ask(func() error {
		s.waiting = append(s.waiting, &letter{pdu: raw, octets: octets})
		s.forward()
		return nil
	})
}

// Keep stores a PDU of the box as one that was sent, as AT+CMGW does.
func (s *Sim) Keep(pdu string, octets int) error {
	raw, err := hex.DecodeString(pdu)
	if err != nil {
		return err
	}
	return s.ask(func() error {
		place := slices.Index(s.memory["SM"], nil)
		if place < 0 {
			return ErrBusy
		}
		s.memory["SM"][place] = &letter{pdu: raw, octets: octets, ours: true, read: true}
		return nil
	})
}

// Flood lets so many short messages wait at the centre.
func (s *Sim) Flood(n int) error {
	return s.ask(func() error {
		s.flood += n
		s.forward()
		return nil
	})
}

// SentMessages are the complete messages that the box has sent.
func (s *Sim) SentMessages() (all []Message) {
	_ = s.ask(func() error {
		all = slices.Clone(s.sent)
		return nil
	})
	return all
}

// Stored counts what lies in the modem and on the SIM, and what waits outside.
func (s *Sim) Stored() (inside, waiting int) {
	_ = s.ask(func() error {
		for _, m := range s.memory {
			for _, l := range m {
				if l != nil {
					inside++
				}
			}
		}
		waiting = len(s.waiting) + s.flood
		return nil
	})
	return inside, waiting
}

func (s *Sim) arrive(tpdu []byte) {
	s.waiting = append(s.waiting, &letter{pdu: append(slices.Clone(centre), tpdu...), octets: len(tpdu)})
	s.forward()
}

// forward stores what waits while there is room and the modem can hear.
func (s *Sim) forward() {
	if s.plug == nil || !s.booted || !s.unlocked || s.noSIM || s.registered != 1 && s.registered != 5 {
		return
	}
	for len(s.waiting) > 0 || s.flood > 0 {
		memory := s.arrives
		if len(s.waiting) > 0 && s.waiting[0].report {
			memory = "SR"
		}
		place := slices.Index(s.memory[memory], nil)
		if place < 0 {
			return // the network tries again when something was deleted
		}
		if len(s.waiting) == 0 {
			s.flood--
			s.flooded++
			p := deliverPDUs("+393330000000", fmt.Sprintf("flood %d", s.flooded), 0, time.Now())[0]
			s.waiting = append(s.waiting, &letter{pdu: append(slices.Clone(centre), p...), octets: len(p)})
		}
		l := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.memory[memory][place] = l
		what := "+CMTI"
		if l.report {
			what = "+CDSI"
		}
		if s.notify(1) == "1" || l.report {
			s.urc(fmt.Sprintf("%s: %q,%d", what, memory, place))
		}
	}
}

// notify is one of the values of AT+CNMI.
func (s *Sim) notify(i int) string {
	if i < len(s.cnmi) {
		return s.cnmi[i]
	}
	return "0"
}

// tests answer what values a command has, which other programs ask first.
var tests = map[string]string{
	"+CSCS": `("IRA","GSM","UCS2")`, "+CMGF": "(0)", "+CSMS": "(0,1)", "+CNMI": "(0-2),(0-3),(0,2),(0-2),(0,1)",
	"+CPMS": `("ME","SM","SR"),("ME","SM"),("ME","SM")`, "+CMGL": "(0-4)", "+CMGD": "(0-20),(0-4)", "+CUSD": "(0-2)",
}

// text are the commands of TS 27.005.
func (s *Sim) text(cmd string) []string {
	name, value, _ := strings.Cut(strings.TrimPrefix(cmd, "AT"), "=")
	if values, known := tests[name]; known && value == "?" {
		return []string{name + ": " + values, ok}
	}
	switch name {
	case "+CMGF":
		if value == "1" {
			return []string{"+CMS ERROR: 303"} // text mode is for people
		}
		return nil
	case "+CSMS":
		if value == "" {
			return nil
		}
		return []string{"+CSMS: 1,1,1", ok}
	case "+CNMI":
		v := strings.Split(value, ",")
		if len(v) == 5 && v[3] == "2" && s.cfg.PushReports {
			return []string{"+CMS ERROR: 303"}
		}
		if len(v) < 2 {
			return nil
		}
		s.cnmi = v
		return []string{ok}
	case "+CPMS", "+CPMS?":
		return s.selectMemory(name, value)
	case "+CMMS":
		return []string{ok}
	case "+CSCA?":
		return []string{`+CSCA: "+393205858500",145`, ok}
	}
	if s.faults.MessagesFail && strings.HasPrefix(name, "+CMG") {
		return []string{"+CMS ERROR: 500"}
	}
	switch name {
	case "+CUSD":
		return s.askedService(value)
	case "+CMGL":
		return s.listLetters(value)
	case "+CMGR":
		return s.readLetter(value)
	case "+CMGD":
		return s.deleteLetter(value)
	case "+CMGS":
		n, err := strconv.Atoi(value)
		if err != nil || n < 8 || n > 164 {
			return []string{"+CMS ERROR: 304"}
		}
		s.prompt = &prompt{octets: n}
		return []string{}
	}
	return nil
}

func (s *Sim) selectMemory(name, value string) []string {
	count := func(memory string) string {
		used := 0
		for _, l := range s.memory[memory] {
			if l != nil {
				used++
			}
		}
		return fmt.Sprintf("%d,%d", used, len(s.memory[memory]))
	}
	if name == "+CPMS?" {
		return []string{fmt.Sprintf("+CPMS: %q,%s,%q,%s,%q,%s", s.current, count(s.current), s.current, count(s.current), s.arrives, count(s.arrives)), ok}
	}
	want := strings.Split(strings.ReplaceAll(value, `"`, ""), ",")
	for i, m := range want {
		if s.memory[m] == nil || i == 2 && m == "SR" {
			return []string{"+CMS ERROR: 302"}
		}
	}
	s.current = want[0]
	if len(want) > 2 {
		s.arrives = want[2]
		s.after(0, s.forward)
	}
	return []string{fmt.Sprintf("+CPMS: %s,%s,%s", count(s.current), count(s.current), count(s.arrives)), ok}
}

func (s *Sim) listLetters(stat string) []string {
	var out []string
	for i, l := range s.memory[s.current] {
		if l == nil || stat != "4" && stat != l.stat() {
			continue
		}
		out = append(out, fmt.Sprintf("+CMGL: %d,%s,,%d", i, l.stat(), l.octets), s.hex(l))
		l.read = true
	}
	return append(out, ok)
}

func (s *Sim) readLetter(place string) []string {
	l := s.letterAt(place)
	if l == nil {
		return []string{"+CMS ERROR: 321"}
	}
	was := l.stat()
	l.read = true
	return []string{fmt.Sprintf("+CMGR: %s,,%d", was, l.octets), s.hex(l), ok}
}

// hex is the PDU in the modem's words; a serial port may lose a part of it on the way.
func (s *Sim) hex(l *letter) string {
	text := strings.ToUpper(hex.EncodeToString(l.pdu))
	if s.faults.HalfPDU > 0 {
		s.faults.HalfPDU--
		return text[:len(text)/2]
	}
	return text
}

func (s *Sim) letterAt(place string) *letter {
	i, err := strconv.Atoi(place)
	if m := s.memory[s.current]; err == nil && i >= 0 && i < len(m) {
		return m[i]
	}
	return nil
}

func (s *Sim) deleteLetter(value string) []string {
	place, how, _ := strings.Cut(value, ",")
	i, err := strconv.Atoi(place)
	m := s.memory[s.current]
	if err != nil || i < 0 || i >= len(m) || s.faults.Undeletable {
		return []string{"+CMS ERROR: 321"}
	}
	if how == "4" {
		clear(m)
	}
	m[i] = nil
	s.deleted.Add(1)
	s.after(s.cfg.MessageEvery, s.forward)
	return []string{ok}
}

// submitted takes the text of an AT+CMGS.
func (s *Sim) submitted(text string) {
	p := s.prompt
	s.prompt = nil
	answer := func(lines ...string) {
		var b strings.Builder
		for _, l := range lines {
			b.WriteString(s.frame(l))
		}
		s.after(s.cfg.SendTime, func() { s.write(b.String()) })
	}
	part, err := readSubmit(text, p.octets)
	switch {
	case err != nil:
		s.log.Warn("the box's PDU is wrong", "err", err)
		answer("+CMS ERROR: 304")
		return
	case s.registered != 1 && s.registered != 5:
		answer("+CMS ERROR: 331")
		return
	case s.faults.RefuseMessage != 0:
		answer(fmt.Sprintf("+CMS ERROR: %d", s.faults.RefuseMessage))
		return
	}
	s.mr++
	mr := s.mr
	s.collect(part)
	if part.report && !s.faults.NoReport {
		s.after(s.cfg.ReportTime, func() { s.report(mr, part.to) })
	}
	if s.faults.LoseSent {
		return // the network has it, and the answer is lost
	}
	answer(fmt.Sprintf("+CMGS: %d", mr), ok)
}

// collect puts the parts of a message of the box together.
func (s *Sim) collect(p submit) {
	s.partsSent.Add(1)
	key := fmt.Sprintf("%s/%d/%d", p.to, p.ref, p.parts)
	all := s.parts[key]
	if all == nil {
		all = make([]string, p.parts)
		s.parts[key] = all
	}
	if p.part < 1 || p.part > p.parts {
		return
	}
	all[p.part-1] = p.text
	if slices.Contains(all, "") {
		return
	}
	delete(s.parts, key)
	m := Message{To: p.to, Text: strings.Join(all, ""), Parts: p.parts, Report: p.report}
	s.sent = append(s.sent, m)
	s.sent = s.sent[max(0, len(s.sent)-maxSent):]
	if s.cfg.Messaged != nil {
		notify(func() { s.cfg.Messaged(m) })
	}
}

// report tells the box what became of a part.
func (s *Sim) report(mr byte, to string) {
	pdu := reportPDU(mr, to, s.faults.ReportStatus, time.Now())
	if s.notify(3) == "1" {
		s.urc(fmt.Sprintf("+CDS: %d", len(pdu)))
		s.urc(strings.ToUpper(hex.EncodeToString(append(slices.Clone(centre), pdu...))))
		return
	}
	s.waiting = append(s.waiting, &letter{pdu: append(slices.Clone(centre), pdu...), octets: len(pdu), report: true})
	s.forward()
}

// stat is the state of TS 27.005 section 3.1.
func (l *letter) stat() string {
	switch {
	case l.ours:
		return "3" // sent
	case l.read:
		return "1"
	default:
		return "0"
	}
}
