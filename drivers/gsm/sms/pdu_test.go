package sms_test

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The PDUs of this table were worked out by hand from TS 23.040 section 9.2 and TS 23.038 section 6.
func TestComposeWritesTheOctetsOfTheStandard(t *testing.T) {
	tests := map[string]struct {
		m    line.OutgoingMessage
		want []string
	}{
		"hello to an international number": {
			line.OutgoingMessage{To: "+46708251358", Text: "hellohello"},
			[]string{"0001000B916407281553F800000AE8329BFD4697D9EC37"},
		},
		"a national number with a report": {
			line.OutgoingMessage{To: "333 123", Text: "@", Report: true},
			[]string{"00210006813313320000" + "0100"},
		},
		"the euro is two septets of the extension table": {
			line.OutgoingMessage{To: "404", Text: "€"},
			[]string{"000100038104F40000029B32"},
		},
		"one character outside of the alphabet makes it UCS-2": {
			line.OutgoingMessage{To: "404", Text: "ç"},
			[]string{"000100038104F400080200E7"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := sms.Compose(tt.m)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("%+v, %v", got, err)
			}
			for i, p := range got {
				if p.Hex != tt.want[i] || p.Octets != len(p.Hex)/2-1 {
					t.Errorf("part %d is %+v, want %s", i, p, tt.want[i])
				}
			}
		})
	}
}

func TestHowManyPartsATextNeeds(t *testing.T) {
	tests := map[string]struct {
		text  string
		parts int
		err   error
	}{
		"160 of the alphabet are one":        {strings.Repeat("a", 160), 1, nil},
		"161 are two":                        {strings.Repeat("a", 161), 2, nil},
		"306 are two":                        {strings.Repeat("a", 306), 2, nil},
		"307 are three":                      {strings.Repeat("a", 307), 3, nil},
		"an escape is not cut from its char": {strings.Repeat("a", 152) + "€" + strings.Repeat("a", 153), 3, nil},
		"70 of UCS-2 are one":                {strings.Repeat("я", 70), 1, nil},
		"71 are two":                         {strings.Repeat("я", 71), 2, nil},
		"134 are two":                        {strings.Repeat("я", 134), 2, nil},
		"a surrogate pair is not cut":        {strings.Repeat("я", 66) + "😀" + strings.Repeat("я", 67), 3, nil},
		"ten parts are the most":             {strings.Repeat("a", 1530), 10, nil},
		"eleven are too long":                {strings.Repeat("a", 1531), 0, line.ErrTooLong},
		"a book is too long":                 {strings.Repeat("book ", 100000), 0, line.ErrTooLong},
		"nothing is no message":              {"", 0, line.ErrUnsendable},
		"bytes that are no text":             {"\xff\xfe", 0, line.ErrUnsendable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := sms.Compose(line.OutgoingMessage{To: "+393331234567", Text: tt.text})
			if len(got) != tt.parts || !errors.Is(err, tt.err) {
				t.Errorf("%d parts, %v; want %d, %v", len(got), err, tt.parts, tt.err)
			}
		})
	}
	for _, to := range []tel.Number{"", "abc", "+", "123456789012345678901"} {
		if _, err := sms.Compose(line.OutgoingMessage{To: to, Text: "x"}); !errors.Is(err, line.ErrUnsendable) {
			t.Errorf("a message to %q: %v", to, err)
		}
	}
}

func TestDecodeReadsWhatNetworksSend(t *testing.T) {
	tests := map[string]struct {
		raw    string
		octets int
		want   line.ReceivedPart
		text   string
	}{
		"a message of the alphabet": {
			"0791448720003023240DD0E474D81C0EBB010000111011315214000BE474D81C0EBB5DE3771B", 30,
			line.ReceivedPart{Kind: line.TextPart, From: "diafaan", Part: 1, Parts: 1},
			"diafaan.com",
		},
		"filled up by the modem behind its length": {
			"0791448720003023240DD0E474D81C0EBB010000111011315214000BE474D81C0EBB5DE3771BFFFFFFFF", 30,
			line.ReceivedPart{Kind: line.TextPart, From: "diafaan", Part: 1, Parts: 1},
			"diafaan.com",
		},
		"UCS-2 with half a character, as the part of three": {
			"00" + "440B919333214365F70008" + "62117270000000" + "0A" + "050003" + "2A0302" + "D83D" + "0041", -1,
			line.ReceivedPart{Kind: line.TextPart, From: "+39331234567", Join: 0x2a, Part: 2, Parts: 3},
			"\ufffdA",
		},
		"a 16-bit reference is another one": {
			"00" + "44038111F0000062117270000000" + "09" + "06" + "0804" + "002A" + "0202" + "41", -1,
			line.ReceivedPart{Kind: line.TextPart, From: "110", Join: 0x1002a, Part: 2, Parts: 2},
			"A",
		},
		"part 4 of 3 is a message of its own": {
			"00" + "44038111F000086211727000000008" + "050003" + "2A0304" + "0041", -1,
			line.ReceivedPart{Kind: line.TextPart, From: "110", Part: 1, Parts: 1},
			"A",
		},
		"a delivery report": {
			"00" + "0617" + "0B919333214365F7" + "62117270000000" + "62117270000000" + "00", -1,
			line.ReceivedPart{Kind: line.DeliveryReport, From: "+39331234567", Reference: 0x17, Delivery: line.Delivered},
			"",
		},
		"a report with a validity that ran out": {
			"00" + "06FF" + "0B919333214365F7" + "62117270000000" + "62117270000000" + "46", -1,
			line.ReceivedPart{Kind: line.DeliveryReport, From: "+39331234567", Reference: 255, Code: 0x46, Delivery: line.Undeliverable},
			"",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := sms.Decode(tt.raw, tt.octets)
			text := string(utf16.Decode(got.Text))
			sent := got.Sent
			if got.Kind != tt.want.Kind || got.From != tt.want.From || got.Join != tt.want.Join || got.Part != tt.want.Part ||
				got.Parts != tt.want.Parts || got.Reference != tt.want.Reference || got.Delivery != tt.want.Delivery ||
				got.Code != tt.want.Code || got.Raw != tt.raw || text != tt.text || sent.IsZero() {
				t.Errorf("got %+v, text %q; want %+v, text %q", got, text, tt.want, tt.text)
			}
		})
	}
}

func TestWhatCannotBeUnderstoodIsKeptWithTheReason(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":                         "",
		"no hexadecimal":                  "RING",
		"half an octet":                   "07912",
		"half a PDU":                      "0791448720003023240DD0E474D81C",
		"a message that we would send":    "0001000B916407281553F800000AE8329BFD4697D9EC37",
		"binary data":                     "00" + "04038111F0000462117270000000" + "020102",
		"a coding that the standard lost": "00" + "04038111F0009062117270000000" + "020102",
		"compressed text":                 "00" + "04038111F0002062117270000000" + "0141",
		"a header longer than the data":   "00" + "44038111F000046211727000000003" + "FF0003",
	} {
		t.Run(name, func(t *testing.T) {
			if p := sms.Decode(raw, -1); p.Kind != line.UnreadablePart || p.Raw != raw || p.Why == "" {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// alphabet has characters of one septet, of two, of one UCS-2 unit and of two.
var alphabet = []rune("abc @£è\n€[]^{}çяяя😀😀")

func TestEveryTextComesBackFromItsParts(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		kinds := alphabet[:1+random.IntN(len(alphabet))]
		text := make([]rune, 1+random.IntN(500))
		for i := range text {
			text[i] = kinds[random.IntN(len(kinds))]
		}
		pdus, err := sms.Compose(line.OutgoingMessage{To: "+393331234567", Text: string(text), Join: byte(random.IntN(256))})
		if err != nil {
			t.Fatalf("%q: %v", string(text), err)
		}
		var back []uint16
		for i, p := range pdus {
			got := sms.Decode(asDelivered(t, p), -1)
			if got.Kind != line.TextPart || got.Part != i+1 || got.Parts != len(pdus) || len(p.Hex) > 2*(1+164) {
				t.Fatalf("part %d of %d of %q: %+v", i+1, len(pdus), string(text), got)
			}
			if n := len(got.Text); n > 0 && utf16.IsSurrogate(rune(got.Text[0])) && got.Text[0] >= 0xdc00 {
				t.Fatalf("%q is cut within a character", string(text))
			}
			back = append(back, got.Text...)
		}
		if string(utf16.Decode(back)) != string(text) {
			t.Fatalf("%q came back as %q", string(text), string(utf16.Decode(back)))
		}
	}
}

// asDelivered is what a message centre makes of a part: the same user data under another head.
func asDelivered(t *testing.T, p sms.PDU) string {
	t.Helper()
	raw, err := hex.DecodeString(p.Hex)
	if err != nil {
		t.Fatal(err)
	}
	first, rest := raw[1], raw[3:] // behind the centre's address, the type and the reference
	address := 2 + (int(rest[0])+1)/2
	out := append([]byte{0, first&0x40 | 4}, rest[:address+2]...)
	out = append(out, 0x62, 0x11, 0x72, 0x70, 0, 0, 0)
	return hex.EncodeToString(append(out, rest[address+2:]...))
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"0791448720003023240DD0E474D81C0EBB010000111011315214000BE474D81C0EBB5DE3771B", "00440B919333214365F7000862117270000000",
		"0006170B919333214365F7621172700000006211727000000000", "RING",
	} {
		f.Add(s, 30)
		f.Add(s, -1)
	}
	f.Fuzz(func(t *testing.T, raw string, octets int) {
		p := sms.Decode(raw, octets)
		switch p.Kind {
		case line.TextPart:
			if p.Part < 1 || p.Part > p.Parts || len(p.Text) > 200 {
				t.Errorf("%+v", p)
			}
		case line.UnreadablePart:
			if p.Why == "" {
				t.Error("nobody knows why it cannot be read")
			}
		case line.DeliveryReport:
		default:
			t.Errorf("kind %d", p.Kind)
		}
		if p.Raw != strings.TrimSpace(raw) {
			t.Errorf("kept as %q", p.Raw)
		}
	})
}
