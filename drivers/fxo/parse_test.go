package fxo

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestCallerIDIsReadAsModemsWriteIt(t *testing.T) {
	for l, want := range map[string]callerID{
		"NMBR = 0551234567":  {"+390551234567", true},
		"NMBR=3331234567":    {"+393331234567", true},
		"NMBR = P":           {"", true},
		"NMBR = O":           {"", true},
		"CALLER NUMBER: 112": {"112", true},
		"DATE = 1128":        {},
		"NAME = ROSSI":       {},
		"MESG = 801601083131323830373535020A30353531323334353637": {"+390551234567", true}, // without its sum
		"MESG = 040E31313238303735353035353132333435":             {},
	} {
		got, ok := parseCallerID(l)
		if want.known && (got != want || !ok) || !want.known && got.known {
			t.Errorf("%q: %+v %v, want %+v", l, got, ok, want)
		}
	}
	for _, l := range []string{"RING", "OK", "", "FOO = 1"} {
		if _, ok := parseCallerID(l); ok {
			t.Errorf("%q is no caller id", l)
		}
	}
}

func TestMessageOfTheExchangeIsReadAndItsSumChecked(t *testing.T) {
	for _, c := range []struct {
		text string
		want tel.Number
		ok   bool
	}{
		{"8014010831313238303735350208303535313233343588", "", false}, // the sum is wrong
		{"040B3131323830373535313132C0", "112", true},
		{"800304015028", "", true}, // withheld
		{"80", "", false},
		{"zz", "", false},
		{"80FF0102", "", false},
	} {
		got, ok := parseMessage(c.text)
		if ok != c.ok || got.number != c.want {
			t.Errorf("%s: %+v %v", c.text, got, ok)
		}
	}
}

func TestVoltmetersAreRead(t *testing.T) {
	for _, c := range []struct {
		line   string
		signed bool
		volts  int
		ok     bool
	}{
		{"48.3", false, 48, true},
		{"1.4", false, 1, true},
		{"-TRV: 8.2V", false, 8, true},
		{"x", false, 0, false},
		{"D000", true, -48, true},
		{"3000", true, 48, true},
		{"0000", true, 0, true},
		{"zz", true, 0, false},
	} {
		if v, ok := parseVolts([]string{c.line}, c.signed); v != c.volts || ok != c.ok {
			t.Errorf("%q: %d %v", c.line, v, ok)
		}
	}
}

// Whatever a modem or an exchange says, it is read or passed over.
func FuzzCallerID(f *testing.F) {
	f.Add("NMBR = 0551234567")
	f.Add("MESG = 801401083131323830373535020830353531323334358")
	f.Fuzz(func(t *testing.T, l string) {
		if id, ok := parseCallerID(l); ok && id.number != "" {
			if _, err := tel.ParseNumber(string(id.number)); err != nil {
				t.Errorf("%q gives %q: %v", l, id.number, err)
			}
		}
	})
}

// Whatever bytes come in whatever state of the port, the link takes them all.
func FuzzLink(f *testing.F) {
	f.Add([]byte("\r\nRING\r\n\x10b"), false, uint8(3))
	f.Add([]byte("ab\x10\x03\r\nOK\r\nRING\r\n"), true, uint8(4))
	f.Add([]byte("ab\x10\x03\x10\x03cd"), true, uint8(5))
	f.Fuzz(func(t *testing.T, p []byte, stream bool, cut uint8) {
		said := func(where int) (all []news, mode linkMode) {
			timing := Timing{}.withDefaults()
			l := &link{log: slog.New(slog.NewTextHandler(io.Discard, nil)), recorder: at.NewRecorder(), timing: &timing, deliver: func(n news) bool { all = append(all, n); return true }}
			if stream {
				l.mode, l.heard = inStream, time.Unix(0, 0)
			}
			l.feed(append([]byte(nil), p[:where]...))
			l.feed(append([]byte(nil), p[where:]...))
			return all, l.mode
		}
		whole, mode := said(0)
		cutAt, modeAt := said(int(cut) % (len(p) + 1))
		if len(whole) != len(cutAt) || mode != modeAt {
			t.Fatalf("whole %+v (%v), cut %+v (%v)", whole, mode, cutAt, modeAt)
		}
		for i := range whole {
			if whole[i] != cutAt[i] {
				t.Fatalf("whole %+v, cut %+v", whole, cutAt)
			}
		}
	})
}
