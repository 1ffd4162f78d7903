package gsm

import (
	"reflect"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestUnsolicitedLines(t *testing.T) {
	tests := []struct {
		line string
		news news
		e    event
	}{
		{"RING", newsCall, event{kind: evRing}},
		{"+CRING: VOICE", newsCall, event{kind: evRing}},
		{`+CLIP: "+393331234567",145,,,,0`, newsCall, event{kind: evCaller, number: "+393331234567"}},
		{`+CLIP: "393331234567",145,"",0,"",0`, newsCall, event{kind: evCaller, number: "+393331234567"}},
		{`+CLIP: "0612345678",129,,,,0`, newsCall, event{kind: evCaller, number: "0612345678"}},
		{`+CLIP: "",128,,,,1`, newsCall, event{kind: evCaller}},
		{`+CLIP:`, newsCall, event{kind: evCaller}},
		{`+CLCC: 1,1,4,0,0,"+39333",145`, newsCall, event{kind: evCall, call: call{id: 1, inbound: true, stat: statIncoming, number: "+39333"}}},
		{`+CLCC: 1,0,6,0,0`, newsCall, event{kind: evCall, call: call{id: 1, stat: statReleased}}},
		{`+CLCC: 1,0,0,1,0,"",129`, newsUnknown, event{}}, // a data call
		{`+CLCC: x`, newsUnknown, event{}},
		{"VOICE CALL: BEGIN", newsCall, event{kind: evBegin}},
		{"VOICE CALL: END: 000017", newsCall, event{kind: evEnd}},
		{"VOICE CALL:END:", newsCall, event{kind: evEnd}},
		{"MISSED_CALL: 11:01AM 0771", newsCall, event{kind: evMissed}},
		{"+RXDTMF: 8", newsCall, event{kind: evDigit, digit: '8'}},
		{"+RXDTMF: 88", newsUnknown, event{}},
		{"NO CARRIER", newsCall, event{kind: evNoCarrier}},
		{"BUSY", newsCall, event{kind: evBusy}},
		{"NO ANSWER", newsCall, event{kind: evNoAnswer}},
		{"RDY", newsRestarted, event{}},
		{"+CPIN: READY", newsBooted, event{}},
		{"+CPIN: NOT INSERTED", newsSIM, event{}},
		{"PB DONE", newsBooted, event{}},
		{"+CREG: 1", newsNetwork, event{}},
		{"+CNSMOD: 8", newsNetwork, event{}},
		{"+COLP: 1", newsNoise, event{}},
		{`+CMTI: "SM",3`, newsMessage, event{}},
		{"+CDS: 25", newsReport, event{}},
		{`+CUSD: 0,"ciao",15`, newsService, event{}},
		{"\x80\x81", newsUnknown, event{}},
	}
	for _, tt := range tests {
		if got := parseSignal(tt.line); got.news != tt.news || !reflect.DeepEqual(got.event, tt.e) {
			t.Errorf("%q: %+v", tt.line, got)
		}
	}
}

func TestRegistrationIsReadFromBothForms(t *testing.T) {
	tests := map[string]int{
		`+CREG: 1`: 1, `+CREG: 2,5`: 5, `+CREG: 2,1,"1A2B","03C4D5E6"`: 1, `+CREG: 1,"1A2B","03C4"`: 1, `+CEREG: 2,10,"1A2B","03C4",7`: 10,
	}
	for l, want := range tests {
		if got, ok := registration(l); !ok || got != want {
			t.Errorf("%s: %d, %v", l, got, ok)
		}
	}
	if _, ok := registration("+CREG: x"); ok {
		t.Error("nonsense was read")
	}
}

func TestSignalStrength(t *testing.T) {
	for l, want := range map[string]int{"+CSQ: 0,99": -113, "+CSQ: 31,99": -51, "+CSQ: 99,99": 0} {
		if got, ok := signalStrength(l); !ok || got != want {
			t.Errorf("%s: %d, %v", l, got, ok)
		}
	}
}

func TestReasonsOfTheNetwork(t *testing.T) {
	for text, want := range map[string]tel.Cause{
		"+CEER: User busy": tel.CauseBusy, "+CEER: Unassigned (unallocated) number": tel.CauseUnallocated,
		"+CEER: Call rejected": tel.CauseRejected, "+CEER: No user responding": tel.CauseNoAnswer, "+CEER: ": tel.CauseNone,
	} {
		if got := causeFromText([]string{text}); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func FuzzParseSignal(f *testing.F) {
	for _, l := range []string{
		`+CLCC: 1,1,4,0,0,"+39333",145`, `+CLIP: "",128`, "+RXDTMF: 5", "+CREG: 2,1,\"", "VOICE CALL:END:", "+CSQ: 99",
		"^CEND:1,37,104,16", `+QIND: "ccinfo",1,0,-1,0,0,"0612",129`, "^DSCI: 1,1,4,0,+39,145", "#ECAM: 0,3,1,,,", "+QTONEDET: 53", "+DTMF: 5,80",
		`+CCWA: "+39333",145,1`, "+QPCMV: 0,0", "^BOOT:1", "+ICCID: 8939010000000000001F",
	} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, l string) {
		s := parseSignal(l)
		if s.event.number != "" {
			if _, err := tel.ParseNumber(string(s.event.number)); err != nil {
				t.Fatalf("number %q", s.event.number)
			}
		}
		if s.event.kind == evDigit && !validDigit(s.event.digit) {
			t.Fatalf("digit %q", s.event.digit)
		}
		_, _ = registration(l)
		_, _ = signalStrength(l)
		_ = kindOf(l)
		if c := s.event.call; c.stat > statReleased || s.news == newsCall && s.event.kind == 0 {
			t.Fatalf("%+v", s)
		}
		if n := iccidOf([]string{l}); n != "" && (len(n) < 18 || len(n) > 20) {
			t.Fatalf("the SIM's number is %q", n)
		}
		_ = causeFromText([]string{l})
	})
}
