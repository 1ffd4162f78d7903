package sms

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/pdumode"
	"github.com/warthog618/sms/encoding/tpdu"

	"github.com/pronto-pbx/pronto/drivers/gsm/alphabet"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// PDU is one part as AT+CMGS takes it.
type PDU struct {
	Hex    string // message centre (the SIM's own) and TPDU
	Octets int    // of the TPDU alone, which AT+CMGS names
}

// Compose cuts a message into PDUs: in the GSM alphabet where every character is in it, else in UCS-2.
// A character is never cut.
func Compose(m line.OutgoingMessage) ([]PDU, error) {
	alphabet.Ready()
	if m.Text == "" {
		return nil, fmt.Errorf("%w: there is no text", line.ErrUnsendable)
	}
	if !utf8.ValidString(m.Text) {
		return nil, fmt.Errorf("%w: the text is not UTF-8", line.ErrUnsendable)
	}
	to, err := address(m.To)
	if err != nil {
		return nil, err
	}
	// One character is at least one septet: what is much too long is not encoded to be counted.
	if len(m.Text) > line.MaxParts*4*153 {
		return nil, line.ErrTooLong
	}
	template := tpdu.TPDU{DA: to}
	if err := template.SetSmsType(tpdu.SmsSubmit); err != nil {
		return nil, fmt.Errorf("%w: %w", line.ErrUnsendable, err)
	}
	if m.Report {
		template.FirstOctet |= tpdu.FoSRR
	}
	text, _, coding := tpdu.EncodeUserData([]byte(m.Text))
	if coding == tpdu.AlphaUCS2 {
		template.DCS = tpdu.DcsUCS2Data
	}
	parts := template.Segment(text, tpdu.WithConcatRef(join(m.Join)))
	if len(parts) > line.MaxParts {
		return nil, fmt.Errorf("%w: %d parts, at most %d", line.ErrTooLong, len(parts), line.MaxParts)
	}
	pdus := make([]PDU, len(parts))
	for i := range parts {
		body, err := parts[i].MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", line.ErrUnsendable, err)
		}
		pdus[i] = PDU{Hex: "00" + strings.ToUpper(hex.EncodeToString(body)), Octets: len(body)}
	}
	return pdus, nil
}

// join is a fixed concatenation reference.
type join byte

// Count implements tpdu.Counter.
func (j join) Count() int { return int(j) }

// address makes a TP-DA of a number: + is international, all else is written as dialled.
func address(n tel.Number) (tpdu.Address, error) {
	parsed, err := tel.ParseNumber(string(n))
	digits := strings.TrimPrefix(string(parsed), "+")
	if err != nil || len(digits) > 20 {
		return tpdu.Address{}, fmt.Errorf("%w: %q is no number of up to 20 digits", line.ErrUnsendable, n.Masked())
	}
	a := tpdu.NewAddress()
	a.SetNumberingPlan(tpdu.NpISDN)
	if digits != string(parsed) {
		a.SetTypeOfNumber(tpdu.TonInternational)
	} else {
		a.SetTypeOfNumber(tpdu.TonUnknown)
	}
	a.Addr = digits
	return a, nil
}

// Decode reads a PDU that a modem gave, with the count of TPDU octets that it said, or -1. What cannot
// be understood is an UnreadablePart that says why.
func Decode(raw string, octets int) line.ReceivedPart {
	alphabet.Ready()
	raw = strings.TrimSpace(raw)
	p := line.ReceivedPart{Raw: raw}
	t, err := parse(raw, octets)
	if err == nil {
		switch t.SmsType() {
		case tpdu.SmsStatusReport:
			return report(p, t)
		case tpdu.SmsDeliver:
			if err = readText(&p, t); err == nil {
				return p
			}
		default:
			err = fmt.Errorf("it is a %v and nothing that a modem receives", t.SmsType())
		}
	}
	return line.ReceivedPart{Kind: line.UnreadablePart, Raw: raw, Why: err.Error(), From: p.From, Sent: p.Sent}
}

// parse reads the frame. The library is not ours: whatever it makes of bytes from the air ends here.
func parse(raw string, octets int) (t *tpdu.TPDU, err error) {
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("the PDU cannot be parsed: %v", r)
		}
	}()
	frame, err := pdumode.UnmarshalHexString(raw)
	if err != nil {
		return nil, fmt.Errorf("it is no PDU: %w", err)
	}
	switch {
	case octets > len(frame.TPDU):
		return nil, fmt.Errorf("only %d of %d octets came", len(frame.TPDU), octets)
	case octets > 0: // some modems fill up their storage behind it
		frame.TPDU = frame.TPDU[:octets]
	}
	t = &tpdu.TPDU{Direction: tpdu.MT}
	if err := t.UnmarshalBinary(frame.TPDU); err != nil {
		return nil, err
	}
	return t, nil
}

func readText(p *line.ReceivedPart, t *tpdu.TPDU) error {
	p.Kind, p.From, p.Sent = line.TextPart, t.OA.Number(), t.SCTS.Time
	p.Part, p.Parts = 1, 1
	if parts, part, ref, ok := t.ConcatInfo(); ok && parts > 1 && part >= 1 && part <= parts {
		p.Part, p.Parts, p.Join = part, parts, ref
		if _, _, _, narrow := t.UDH.ConcatInfo8(); !narrow {
			p.Join |= wideJoin
		}
	}
	coding, err := t.Alphabet()
	switch {
	case err != nil:
		return fmt.Errorf("its alphabet is not known: %w", err)
	case t.DCS.Compressed():
		return errors.New("its text is compressed")
	case coding == tpdu.Alpha8Bit:
		return fmt.Errorf("it is %d octets of data and no text", len(t.UD))
	case coding == tpdu.AlphaUCS2:
		for i := 0; i+1 < len(t.UD); i += 2 {
			p.Text = append(p.Text, binary.BigEndian.Uint16(t.UD[i:]))
		}
		return nil
	}
	text, err := tpdu.DecodeUserData(t.UD, t.UDH, coding, tpdu.WithAllCharsets)
	if err != nil {
		return fmt.Errorf("its text cannot be read: %w", err)
	}
	p.Text = utf16.Encode([]rune(string(text)))
	return nil
}

// wideJoin tells a 16-bit reference from an 8-bit one of the same number.
const wideJoin = 1 << 16

func report(p line.ReceivedPart, t *tpdu.TPDU) line.ReceivedPart {
	p.Kind, p.From, p.Sent = line.DeliveryReport, t.RA.Number(), t.DT.Time
	p.Reference, p.Code = t.MR, t.ST
	switch {
	case t.ST < 0x20:
		p.Delivery = line.Delivered
	case t.ST < 0x40:
		p.Delivery = line.StillTrying
	default:
		p.Delivery = line.Undeliverable
	}
	return p
}
