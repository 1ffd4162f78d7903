package gsmsim

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
)

// The PDUs here are made and read without the library that the driver uses, so that a mistake of the one
// is not hidden by the same mistake of the other.

// gsmAlphabet is the default alphabet of 3GPP TS 23.038 section 6.2.1; gsmExtension are the characters
// behind an escape (section 6.2.1.1).
const gsmAlphabet = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

var (
	gsmRunes     = []rune(gsmAlphabet)
	gsmExtension = map[byte]rune{
		0x0a: '\f', 0x14: '^', 0x28: '{', 0x29: '}', 0x2f: '\\', 0x3c: '[', 0x3d: '~', 0x3e: ']', 0x40: '|', 0x65: '€',
	}
)

// septets writes a text in the GSM alphabet; ok is false when a character is not in it.
func septets(text string) (out []byte, ok bool) {
next:
	for _, r := range text {
		for i, g := range gsmRunes {
			if g == r && i != 0x1b {
				out = append(out, byte(i))
				continue next
			}
		}
		for code, g := range gsmExtension {
			if g == r {
				out = append(out, 0x1b, code)
				continue next
			}
		}
		return nil, false
	}
	return out, true
}

func fromSeptets(in []byte) string {
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] == 0x1b && i+1 < len(in) {
			i++
			if r, ok := gsmExtension[in[i]]; ok {
				b.WriteRune(r)
				continue
			}
		}
		b.WriteRune(gsmRunes[in[i]&0x7f])
	}
	return b.String()
}

// pack puts septets one behind the other, from bit skip of the first octet on (TS 23.038 section 6.1.2).
func pack(in []byte, skip int) []byte {
	out := make([]byte, (skip+7*len(in)+7)/8)
	for i, s := range in {
		for bit := range 7 {
			if s>>bit&1 != 0 {
				at := skip + 7*i + bit
				out[at/8] |= 1 << (at % 8)
			}
		}
	}
	return out
}

func unpack(in []byte, skip, count int) ([]byte, error) {
	if skip+7*count > 8*len(in) {
		return nil, errShort
	}
	out := make([]byte, count)
	for i := range out {
		for bit := range 7 {
			at := skip + 7*i + bit
			out[i] |= in[at/8] >> (at % 8) & 1 << bit
		}
	}
	return out, nil
}

var errShort = errors.New("the PDU is too short")

// digits writes semi-octets (TS 23.040 section 9.1.2.3).
func semiOctets(number string) []byte {
	var out []byte
	for i := 0; i < len(number); i += 2 {
		high := byte(0xf)
		if i+1 < len(number) {
			high = semiDigit(number[i+1])
		}
		out = append(out, high<<4|semiDigit(number[i]))
	}
	return out
}

const semiDigits = "0123456789*#abc"

func semiDigit(c byte) byte { return byte(max(0, strings.IndexByte(semiDigits, c))) }

func readSemiOctets(in []byte, n int) string {
	var b strings.Builder
	for i := range n {
		d := in[i/2] >> (4 * (i % 2)) & 0xf
		if int(d) < len(semiDigits) {
			b.WriteByte(semiDigits[d])
		}
	}
	return b.String()
}

// sender writes a TP-OA: a number, or a name.
func sender(from string) []byte {
	number := strings.TrimPrefix(from, "+")
	if strings.Trim(number, "0123456789*#") != "" {
		name, ok := septets(from)
		if !ok || len(name) > 11 {
			name = name[:min(len(name), 11)]
		}
		packed := pack(name, 0)
		return append([]byte{byte((7*len(name) + 3) / 4), 0xd0}, packed...)
	}
	kind := byte(0x81)
	if number != from {
		kind = 0x91
	}
	return append([]byte{byte(len(number)), kind}, semiOctets(number)...)
}

// stamp writes a TP-SCTS.
func stamp(t time.Time) []byte {
	_, offset := t.Zone()
	quarters := offset / 900
	sign := byte(0)
	if quarters < 0 {
		quarters, sign = -quarters, 0x08
	}
	swap := func(n int) byte { return byte(n%10<<4 | n/10) }
	return []byte{
		swap(t.Year() % 100), swap(int(t.Month())), swap(t.Day()), swap(t.Hour()), swap(t.Minute()), swap(t.Second()),
		swap(quarters) | sign,
	}
}

// centre is the simulated message centre's address in front of each PDU: +393205858500.
var centre = append([]byte{7, 0x91}, semiOctets("393205858500")...)

// deliverPDUs makes the SMS-DELIVER TPDUs of a text, without the centre's address.
func deliverPDUs(from, text string, ref byte, at time.Time) [][]byte {
	body, gsm := septets(text)
	whole, each, dcs := 160, 153, byte(0)
	if !gsm {
		body = nil
		for _, u := range utf16.Encode([]rune(text)) {
			body = append(body, byte(u>>8), byte(u))
		}
		whole, each, dcs = 140, 134, 8
	}
	var parts [][]byte
	if len(body) <= whole {
		parts = [][]byte{body}
	} else {
		for len(body) > 0 {
			n := min(each, len(body))
			if gsm && n < len(body) && body[n-1] == 0x1b {
				n--
			}
			parts = append(parts, body[:n])
			body = body[n:]
		}
	}
	pdus := make([][]byte, len(parts))
	for i, part := range parts {
		first, header := byte(0x04), []byte(nil)
		if len(parts) > 1 {
			first, header = 0x44, []byte{5, 0, 3, ref, byte(len(parts)), byte(i + 1)}
		}
		p := append([]byte{first}, sender(from)...)
		p = append(p, 0, dcs)
		p = append(p, stamp(at)...)
		if gsm {
			skip := 0
			if header != nil {
				skip = 49 // six octets of header are 48 bits, and text begins with a septet
			}
			packed := pack(part, skip)
			copy(packed, header)
			p = append(p, byte(len(part)+skip/7))
			p = append(p, packed...)
		} else {
			p = append(p, byte(len(header)+len(part)))
			p = append(p, header...)
			p = append(p, part...)
		}
		pdus[i] = p
	}
	return pdus
}

// reportPDU makes an SMS-STATUS-REPORT.
func reportPDU(ref byte, to string, status byte, at time.Time) []byte {
	p := append([]byte{0x06, ref}, sender(to)...)
	p = append(p, stamp(at)...)
	p = append(p, stamp(at)...)
	return append(p, status)
}

// submit is an SMS-SUBMIT as the centre reads it.
type submit struct {
	to               string
	text             string
	report           bool
	ref, parts, part int // of a concatenated message; parts is 1 for a whole one
}

// readSubmit reads what AT+CMGS was given; octets is what the command said.
func readSubmit(text string, octets int) (s submit, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return s, fmt.Errorf("not hexadecimal: %q", text)
	}
	if len(raw) < 1+int(raw[0]) || len(raw)-1-int(raw[0]) != octets {
		return s, fmt.Errorf("%d octets were announced", octets)
	}
	p := raw[1+int(raw[0]):]
	take := func(n int) []byte {
		if err != nil || n > len(p) {
			err = errShort
			return make([]byte, n)
		}
		out := p[:n]
		p = p[n:]
		return out
	}
	first := take(2)[0]
	if first&3 != 1 {
		return s, errors.New("not an SMS-SUBMIT")
	}
	s.report = first&0x20 != 0
	length := take(2)
	s.to = readSemiOctets(take((int(length[0])+1)/2), int(length[0]))
	if length[1]&0x70 == 0x10 {
		s.to = "+" + s.to
	}
	dcs := take(2)[1]
	switch first >> 3 & 3 { // validity: none, enhanced, relative, absolute
	case 2:
		take(1)
	case 1, 3:
		take(7)
	}
	count := int(take(1)[0])
	if err != nil {
		return s, err
	}
	s.parts, s.part = 1, 1
	return s, s.readText(first&0x40 != 0, dcs, count, p)
}

func (s *submit) readText(header bool, dcs byte, count int, p []byte) error {
	skip := 0
	if header {
		if len(p) == 0 || len(p) <= int(p[0]) {
			return errShort
		}
		skip = int(p[0]) + 1
		if h := p[1:skip]; len(h) == 5 && h[0] == 0 && h[1] == 3 {
			s.ref, s.parts, s.part = int(h[2]), int(h[3]), int(h[4])
		}
	}
	if dcs&0x0c == 8 {
		if count != len(p) || (count-skip)%2 != 0 {
			return errShort
		}
		var units []uint16
		for i := skip; i < count; i += 2 {
			units = append(units, uint16(p[i])<<8|uint16(p[i+1]))
		}
		s.text = string(utf16.Decode(units))
		return nil
	}
	begin := (8*skip + 6) / 7
	if count < begin || len(p) != (7*count+7)/8 {
		return errShort
	}
	in, err := unpack(p, 7*begin, count-begin)
	s.text = fromSeptets(in)
	return err
}
