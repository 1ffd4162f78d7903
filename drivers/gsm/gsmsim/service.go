package gsmsim

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"
)

// USSDForm is how the modem writes the text of +CUSD.
type USSDForm uint8

// The forms.
const (
	USSDPlain  USSDForm = iota // as SIMCom does: characters, and hexadecimal UCS-2 where they do not suffice
	USSDPacked                 // as Huawei does: septets in hexadecimal
)

// askedService takes AT+CUSD=n,"code",15.
func (s *Sim) askedService(value string) []string {
	how, rest, _ := strings.Cut(value, ",")
	if how == "0" || how == "2" {
		s.menu = false
		return []string{ok}
	}
	text, _, _ := strings.Cut(rest, ",")
	if text == "" {
		return []string{ok} // it wants to be told of service messages
	}
	code, known := s.readService(strings.Trim(text, `"`))
	if !known || s.registered != 1 && s.registered != 5 {
		return []string{"+CME ERROR: 30"}
	}
	if !s.faults.ServiceMute {
		s.after(s.cfg.ServiceTime, func() {
			if s.cfg.Service == nil {
				s.urc("+CUSD: 4")
				return
			}
			answer, menu := s.cfg.Service(code)
			s.sayService(answer, menu)
		})
	}
	return []string{ok}
}

// SayService is a service message that nobody asked for.
func (s *Sim) SayService(text string, menu bool) error {
	return s.ask(func() error {
		s.sayService(text, menu)
		return nil
	})
}

// MenuOpen reports whether the network waits for a choice.
func (s *Sim) MenuOpen() (open bool) {
	_ = s.ask(func() error {
		open = s.menu
		return nil
	})
	return open
}

func (s *Sim) sayService(text string, menu bool) {
	s.menu = menu
	status := 0
	if menu {
		status = 1
	}
	body, coding := text, 15
	gsm, inAlphabet := septets(text)
	switch {
	case !inAlphabet:
		var raw []byte
		for _, u := range utf16.Encode([]rune(text)) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		body = strings.ToUpper(hex.EncodeToString(raw))
		coding = 72
	case s.packed():
		if len(gsm)%8 == 7 {
			gsm = append(gsm, '\r') // else the last seven bits would read as @ (TS 23.038 section 6.1.2.3.1)
		}
		body = strings.ToUpper(hex.EncodeToString(pack(gsm, 0)))
	}
	s.urc(fmt.Sprintf("+CUSD: %d,\"%s\",%d", status, body, coding))
}

// readService reads a code that the box wrote.
func (s *Sim) readService(text string) (code string, ok bool) {
	if !s.packed() {
		return text, text != ""
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return "", false
	}
	in, err := unpack(raw, 0, 8*len(raw)/7)
	return strings.TrimRight(fromSeptets(in), "\r@"), err == nil
}

// packed reports whether service codes are septets in hexadecimal.
func (s *Sim) packed() bool { return s.cfg.USSD == USSDPacked || s.family.packed }
