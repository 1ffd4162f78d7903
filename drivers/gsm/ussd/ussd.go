// Package ussd is how a modem and its network talk in service codes (USSD: 3GPP TS 22.090, the command
// +CUSD of TS 27.007 section 7.15): what is written, what comes back in which coding, and how a session
// goes. It is pure: it has no port, no clock and no goroutine.
package ussd

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/gsm7"

	"github.com/pronto-pbx/pronto/drivers/gsm/alphabet"
	"github.com/pronto-pbx/pronto/firmware/line"
)

// Form is how a family of modems writes the text of +CUSD.
type Form uint8

// The forms.
const (
	Plain  Form = iota // characters, as +CSCS says (SIMCom, Quectel, Telit)
	Packed             // hexadecimal of septets packed as on the air (Huawei)
)

// maxCode bounds a service code; the network takes 182 characters, a menu needs a few.
const maxCode = 40

// Command writes the command that asks for a code. ErrUnsendable for what is no code.
func Command(code string, f Form) (string, error) {
	if code == "" || len(code) > maxCode || strings.Trim(code, "0123456789*#") != "" {
		return "", fmt.Errorf("%w: %q is no service code of digits, * and #", line.ErrUnsendable, code)
	}
	alphabet.Ready()
	text := code
	if f == Packed {
		septets, err := gsm7.Encode([]byte(code))
		if err != nil {
			return "", fmt.Errorf("%w: %w", line.ErrUnsendable, err)
		}
		text = strings.ToUpper(hex.EncodeToString(gsm7.Pack7BitUSSD(septets, 0)))
	}
	return fmt.Sprintf(`AT+CUSD=1,"%s",15`, text), nil
}

// Cancel ends a session.
const Cancel = "AT+CUSD=2"

// Status is the first value of +CUSD.
type Status uint8

// The statuses.
const (
	Done        Status = iota // nothing further is wanted
	Wanted                    // the network waits for a reply
	Terminated                // the network has ended it
	Elsewhere                 // another program of the modem has answered
	Unsupported               // the network or the modem cannot do it
	TimedOut                  // the network did not answer
)

// Reply is one +CUSD.
type Reply struct {
	Status Status
	Text   string
}

// Open reports whether a line of +CUSD goes on in the next one, because the text has line breaks.
func Open(l string) bool { return strings.Count(l, `"`)%2 == 1 }

// Parse reads +CUSD: status, text, coding. ok is false when there is no status.
func Parse(l string, f Form) (r Reply, ok bool) {
	rest, ok := strings.CutPrefix(l, "+CUSD:")
	if !ok {
		return Reply{}, false
	}
	head, rest, _ := strings.Cut(rest, ",")
	n, err := strconv.Atoi(strings.TrimSpace(head))
	if err != nil || n < 0 || n > int(TimedOut) {
		return Reply{}, false
	}
	r.Status = Status(n)
	// The text may hold quotes and commas, so the coding is looked for from the end.
	text, coding := strings.TrimSpace(rest), 15
	if i := strings.LastIndexByte(text, ','); i >= 0 && strings.HasPrefix(text, `"`) && strings.HasSuffix(strings.TrimSpace(text[:i]), `"`) {
		if c, err := strconv.Atoi(strings.TrimSpace(text[i+1:])); err == nil {
			text, coding = strings.TrimSpace(text[:i]), c
		}
	}
	r.Text = decode(strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`), coding, f)
	return r, true
}

// decode reads the text. Modems of the same family differ, so the form is tried and what does not fit it
// stays as it came.
func decode(text string, coding int, f Form) string {
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) == 0 {
		return clean(text)
	}
	alphabet.Ready()
	switch {
	case wide(coding):
		if len(raw)%2 == 0 {
			var units []uint16
			for i := 0; i < len(raw); i += 2 {
				units = append(units, binary.BigEndian.Uint16(raw[i:]))
			}
			return clean(string(utf16.Decode(units)))
		}
	case f == Packed:
		septets := gsm7.Unpack7BitUSSD(raw, 0)
		if plain, err := gsm7.Decode(septets); err == nil {
			return clean(string(plain))
		}
	}
	return clean(text)
}

// wide reports whether a coding of TS 23.038 section 5 is UCS-2: 01xx10xx, or 17 with a language before.
func wide(coding int) bool { return coding&0xcc == 0x48 || coding == 0x11 }

// maxText bounds what is kept of an answer, in bytes: 182 characters of the GSM alphabet in UTF-8, and
// menus of some networks that go on.
const maxText = 1000

// clean makes text that a page can show.
func clean(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(strings.ReplaceAll(s, "\r", "\n")), "\ufffd")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	for len(s) > maxText || !utf8.ValidString(s) {
		s = s[:min(len(s)-1, maxText)]
	}
	return s
}

// State is one session, or none: the zero State.
type State struct {
	Asked    bool
	Deadline time.Time
}

// Outcome is what a session gave.
type Outcome struct {
	Text string
	Err  error
}

// Action says what is to be done; several may be.
type Action struct {
	Cancel  bool     // send Cancel
	Outcome *Outcome // the one who asked is told
	Notice  string   // nobody asked, and the network says this
}

// Ask begins a session that waits for the network until limit.
func Ask(now time.Time, limit time.Duration) State {
	return State{Asked: true, Deadline: now.Add(limit)}
}

// Refused is a command that the modem did not take.
func (s State) Refused(err error) (State, Action) {
	if !s.Asked {
		return s, Action{}
	}
	return State{}, Action{Outcome: &Outcome{Err: err}}
}

// Expired is the end of the wait.
func (s State) Expired(now time.Time) (State, Action) {
	if !s.Asked || now.Before(s.Deadline) {
		return s, Action{}
	}
	return State{}, Action{Cancel: true, Outcome: &Outcome{Err: line.ErrTimeout}}
}

// Heard is a +CUSD of the network. A menu is closed: its text is the answer, and nobody is there to
// choose.
func (s State) Heard(r Reply) (State, Action) {
	a := Action{Cancel: r.Status == Wanted}
	if !s.Asked {
		a.Notice = r.Text
		return State{}, a
	}
	out := &Outcome{Text: r.Text}
	switch {
	case r.Status == Unsupported:
		out.Err = line.ErrNoSupport
	case r.Status == TimedOut:
		out.Err = line.ErrTimeout
	case r.Text == "":
		out.Err = line.ErrRefused
	}
	a.Outcome = out
	return State{}, a
}
