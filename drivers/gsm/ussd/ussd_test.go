package ussd_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/gsm/ussd"
	"github.com/pronto-pbx/pronto/firmware/line"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestACodeIsWrittenAsTheModemWantsIt(t *testing.T) {
	for form, want := range map[ussd.Form]string{
		ussd.Plain:  `AT+CUSD=1,"*100#",15`,
		ussd.Packed: `AT+CUSD=1,"AA180C3602",15`, // as E173 owners write it
	} {
		if got, err := ussd.Command("*100#", form); got != want || err != nil {
			t.Errorf("form %d: %s %v, want %s", form, got, err, want)
		}
	}
	for _, code := range []string{"", "abc", `*1"`, "*1\r", strings.Repeat("1", 41)} {
		if got, err := ussd.Command(code, ussd.Plain); !errors.Is(err, line.ErrUnsendable) {
			t.Errorf("%q gives %q %v", code, got, err)
		}
	}
}

func TestWhatTheNetworkSays(t *testing.T) {
	tests := map[string]struct {
		line string
		form ussd.Form
		want ussd.Reply
	}{
		"plain":                              {`+CUSD: 0,"Credito 5,00 euro",15`, ussd.Plain, ussd.Reply{Text: "Credito 5,00 euro"}},
		"a menu":                             {`+CUSD: 1,"1 Credito 2 Offerte",15`, ussd.Plain, ussd.Reply{Status: ussd.Wanted, Text: "1 Credito 2 Offerte"}},
		"with quotes and commas":             {`+CUSD: 0,"l'offerta "Super", 5 euro",15`, ussd.Plain, ussd.Reply{Text: `l'offerta "Super", 5 euro`}},
		"with a line break":                  {"+CUSD: 0,\"Credito\n5 euro\",15", ussd.Plain, ussd.Reply{Text: "Credito\n5 euro"}},
		"without coding":                     {`+CUSD: 0,"ciao"`, ussd.Plain, ussd.Reply{Text: "ciao"}},
		"without text":                       {`+CUSD: 4`, ussd.Plain, ussd.Reply{Status: ussd.Unsupported}},
		"in UCS-2, by the coding":            {`+CUSD: 0,"0043007200650064002000AC",72`, ussd.Plain, ussd.Reply{Text: "Cred ¬"}},
		"in UCS-2, of a packing modem":       {`+CUSD: 0,"004320AC",72`, ussd.Packed, ussd.Reply{Text: "C€"}},
		"packed":                             {`+CUSD: 0,"C3F2399D4EBFC320D9",15`, ussd.Packed, ussd.Reply{}},
		"digits that look like octets":       {`+CUSD: 0,"1234",15`, ussd.Plain, ussd.Reply{Text: "1234"}},
		"a form that does not fit":           {`+CUSD: 0,"Credito 5",15`, ussd.Packed, ussd.Reply{Text: "Credito 5"}},
		"control characters are no text":     {"+CUSD: 0,\"a\x01b\",15", ussd.Plain, ussd.Reply{Text: "ab"}},
		"half a character at the wrong form": {"+CUSD: 0,\"a\xc3\",15", ussd.Plain, ussd.Reply{Text: "a\ufffd"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := ussd.Parse(tt.line, tt.form)
			if name == "packed" {
				command, err := ussd.Command("*123*45#", ussd.Packed) // the same packing, the other way
				if err != nil {
					t.Fatal(err)
				}
				got, ok = ussd.Parse(strings.Replace(command, "AT+CUSD=1", "+CUSD: 0", 1), ussd.Packed)
				tt.want.Text = "*123*45#"
			}
			if !ok || got != tt.want {
				t.Errorf("read %+v %v, want %+v", got, ok, tt.want)
			}
		})
	}
	for _, l := range []string{"", "RING", "+CUSD:", "+CUSD: x", "+CUSD: 9"} {
		if got, ok := ussd.Parse(l, ussd.Plain); ok {
			t.Errorf("%q gives %+v", l, got)
		}
	}
}

func TestASession(t *testing.T) {
	now := time.Now()
	asked := ussd.Ask(now, time.Minute)
	tests := map[string]struct {
		from   ussd.State
		play   func(ussd.State) (ussd.State, ussd.Action)
		text   string
		err    error
		cancel bool
		notice string
		over   bool
	}{
		"is answered":             {asked, heard(ussd.Done, "5 euro"), "5 euro", nil, false, "", true},
		"gives a menu":            {asked, heard(ussd.Wanted, "1 Credito"), "1 Credito", nil, true, "", true},
		"ends with words":         {asked, heard(ussd.Terminated, "fine"), "fine", nil, false, "", true},
		"ends without":            {asked, heard(ussd.Terminated, ""), "", line.ErrRefused, false, "", true},
		"is not supported":        {asked, heard(ussd.Unsupported, ""), "", line.ErrNoSupport, false, "", true},
		"times out there":         {asked, heard(ussd.TimedOut, ""), "", line.ErrTimeout, false, "", true},
		"times out here":          {asked, func(s ussd.State) (ussd.State, ussd.Action) { return s.Expired(now.Add(time.Minute)) }, "", line.ErrTimeout, true, "", true},
		"has time":                {asked, func(s ussd.State) (ussd.State, ussd.Action) { return s.Expired(now.Add(59 * time.Second)) }, "", nil, false, "", false},
		"is refused":              {asked, func(s ussd.State) (ussd.State, ussd.Action) { return s.Refused(line.ErrRefused) }, "", line.ErrRefused, false, "", true},
		"that nobody asked for":   {ussd.State{}, heard(ussd.Done, "Offerta!"), "", nil, false, "Offerta!", true},
		"that wants a choice":     {ussd.State{}, heard(ussd.Wanted, "Vuoi?"), "", nil, true, "Vuoi?", true},
		"that was over long ago":  {ussd.State{}, func(s ussd.State) (ussd.State, ussd.Action) { return s.Expired(now.Add(time.Hour)) }, "", nil, false, "", true},
		"that was refused before": {ussd.State{}, func(s ussd.State) (ussd.State, ussd.Action) { return s.Refused(line.ErrDown) }, "", nil, false, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, a := tt.play(tt.from)
			var out ussd.Outcome
			if a.Outcome != nil {
				out = *a.Outcome
			}
			if out.Text != tt.text || !errors.Is(out.Err, tt.err) || a.Cancel != tt.cancel || a.Notice != tt.notice || s.Asked == tt.over {
				t.Errorf("%+v %+v", s, a)
			}
			if tt.from.Asked && tt.over && a.Outcome == nil {
				t.Error("who asked is not told")
			}
		})
	}
}

func heard(status ussd.Status, text string) func(ussd.State) (ussd.State, ussd.Action) {
	return func(s ussd.State) (ussd.State, ussd.Action) { return s.Heard(ussd.Reply{Status: status, Text: text}) }
}

func FuzzParse(f *testing.F) {
	for form := range uint8(2) {
		f.Add(`+CUSD: 0,"C3F2399D4EBF",15`, form)
		f.Add(`+CUSD: 1,"00430072",72`, form)
		f.Add(`+CUSD: 0,"a "b", c",`, form)
	}
	f.Fuzz(func(t *testing.T, l string, form uint8) {
		r, ok := ussd.Parse(l, ussd.Form(form%2))
		if !ok && r != (ussd.Reply{}) || len(r.Text) > 1000 || !utf8.ValidString(r.Text) {
			t.Errorf("%q gives %+v", l, r)
		}
	})
}
