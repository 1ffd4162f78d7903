package at_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
)

func tokens(sent string, reads ...string) []at.Token {
	var t at.Tokeniser
	t.Sent(sent)
	var got []at.Token
	for _, r := range reads {
		t.Feed([]byte(r), func(tok at.Token) { got = append(got, tok) })
	}
	return got
}

func line(s string) at.Token { return at.Token{Kind: at.Line, Text: s} }

func TestTokeniser(t *testing.T) {
	tests := map[string]struct {
		sent, in string
		want     []at.Token
	}{
		"an answer is framed by CR LF":        {"", "\r\n+CSQ: 20,99\r\n\r\nOK\r\n", []at.Token{line("+CSQ: 20,99"), line("OK")}},
		"an echo ends with CR alone":          {"AT", "AT\r\r\nOK\r\n", []at.Token{{Kind: at.Echo, Text: "AT"}, line("OK")}},
		"a second copy is not an echo":        {"AT", "AT\rAT\r", []at.Token{{Kind: at.Echo, Text: "AT"}, line("AT")}},
		"doubled CR is one end of line":       {"", "\r\r\n+CRING: VOICE\r\r\n", []at.Token{line("+CRING: VOICE")}},
		"a URC may stand between both":        {"ATE0", "ATE0\r\r\nRING\r\n\r\nOK\r\n", []at.Token{{Kind: at.Echo, Text: "ATE0"}, line("RING"), line("OK")}},
		"a prompt has no end of line":         {"", "\r\n> ", []at.Token{{Kind: at.Prompt}}},
		"an angle inside a line is text":      {"", "a> b\r\n", []at.Token{line("a> b")}},
		"an angle without a space is text":    {"", ">x\r\n>\r\n", []at.Token{line(">x"), line(">")}},
		"control bytes and NUL are noise":     {"", "\x00\x00\r\nR\x01DY\x00\r\n", []at.Token{line("RDY")}},
		"half a line waits":                   {"", "\r\nOK", nil},
		"a missing space survives unchanged":  {"", "\r\nVOICE CALL:END:\r\n", []at.Token{line("VOICE CALL:END:")}},
		"the ESC of a resync leaves no trace": {"AT+CMEE?", "\x1b\rAT+CMEE?\r", []at.Token{{Kind: at.Echo, Text: "AT+CMEE?"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tokens(tt.sent, tt.in); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAnEndlessLineIsCut(t *testing.T) {
	got := tokens("", strings.Repeat("x", 1<<20), "\r\nOK\r\n")
	if len(got) != 2 || len(got[0].Text) != 1024 || got[1].Text != "OK" {
		t.Errorf("%d tokens, the first of %d bytes", len(got), len(got[0].Text))
	}
}

func FuzzTokeniser(f *testing.F) {
	for _, seed := range []string{
		"AT\r\r\nOK\r\n", "\r\n> ", "\r\r\n+CRING: VOICE\r\r\n", "\r\nVOICE CALL:END:\r\n", "\x00\xff>> \r", "AT+CMGS=20\r\r\n> \x1b\r\nOK\r\n",
	} {
		f.Add([]byte(seed), "AT")
	}
	f.Fuzz(func(t *testing.T, data []byte, sent string) {
		if len(data) > 512 {
			return
		}
		whole := tokens(sent, string(data))
		for _, tok := range whole {
			if strings.ContainsAny(tok.Text, "\r\n\x00\x1b") || (tok.Kind != at.Prompt && tok.Text == "") {
				t.Fatalf("token %+v", tok)
			}
		}
		for cut := range data {
			if got := tokens(sent, string(data[:cut]), string(data[cut:])); !reflect.DeepEqual(got, whole) {
				t.Fatalf("cut at %d: %+v, whole: %+v", cut, got, whole)
			}
		}
		single := make([]string, len(data))
		for i, b := range data {
			single[i] = string([]byte{b})
		}
		if got := tokens(sent, single...); !reflect.DeepEqual(got, whole) {
			t.Fatalf("byte by byte: %+v, whole: %+v", got, whole)
		}
	})
}

func TestParseFinal(t *testing.T) {
	tests := []struct {
		line string
		want at.Final
		ok   bool
	}{
		{"OK", at.Final{Code: at.OK, Text: "OK"}, true},
		{"ERROR", at.Final{Code: at.Error, Text: "ERROR"}, true},
		{"COMMAND NOT SUPPORT", at.Final{Code: at.Error, Text: "COMMAND NOT SUPPORT"}, true},
		{"+CME ERROR: 10", at.Final{Code: at.CMEError, Number: 10, Text: "+CME ERROR: 10"}, true},
		{"+CME ERROR: SIM not inserted", at.Final{Code: at.CMEError, Number: -1, Text: "+CME ERROR: SIM not inserted"}, true},
		{"+CMS ERROR: 322", at.Final{Code: at.CMSError, Number: 322, Text: "+CMS ERROR: 322"}, true},
		{"NO DIAL TONE", at.Final{Code: at.NoDialtone, Text: "NO DIAL TONE"}, true},
		{"NO CARRIER", at.Final{Code: at.NoCarrier, Text: "NO CARRIER"}, true},
		{"CONNECT 115200", at.Final{Code: at.Connect, Text: "CONNECT 115200"}, true},
		{"OKAY", at.Final{}, false},
		{"RING", at.Final{}, false},
		{"BUSYBODY", at.Final{}, false},
	}
	for _, tt := range tests {
		if got, ok := at.ParseFinal(tt.line); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %+v, %v", tt.line, got, ok)
		}
	}
}

func TestFieldsKeepACommaInsideQuotes(t *testing.T) {
	got := at.Fields(`+COPS: 0,0,"TIM, Italia",7`)
	if want := []string{"0", "0", "TIM, Italia", "7"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if got := at.Fields("RING"); got != nil {
		t.Errorf("no colon gives %q", got)
	}
}

func TestRecorderMasksNumbersAndForgetsTheOldest(t *testing.T) {
	r := at.NewRecorder()
	r.Add(at.Sent, []byte("AT+OLD\r"))
	for range 1 << 16 {
		r.Add(at.Received, []byte("\r\nRING\r\n"))
	}
	r.Add(at.Received, []byte("+CLIP: \"+393331234567\",145\r\n"))
	var b bytes.Buffer
	if err := r.Dump(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 2<<20 || strings.Contains(b.String(), "AT+OLD") {
		t.Errorf("%d bytes kept", b.Len())
	}
	if strings.Contains(b.String(), "3331234567") || !strings.Contains(b.String(), "+39********67") {
		t.Errorf("the number is not masked: %s", b.String()[b.Len()-80:])
	}
}
