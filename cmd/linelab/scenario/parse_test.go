package scenario

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSentencesAreRead(t *testing.T) {
	s, err := Parse("x", "\n# a remark\nmodem clock -200\nat 1m30s caller rings +393331234567 # who\n\tafter 500ms expect ringing within 2s\ncaller writes \"say \\\"hi\\\" # no remark\" from +39333\r\nfault late_replies 7s\nheal all")
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 3, Words: "modem clock", Args: map[string]string{"1": "-200"}, At: -1},
		{Line: 4, Words: "caller rings", Args: map[string]string{"1": "+393331234567"}, At: 90 * time.Second},
		{Line: 5, Words: "expect ringing", Args: map[string]string{"within": "2s"}, At: -1, After: 500 * time.Millisecond},
		{Line: 6, Words: "caller writes", Args: map[string]string{"1": `say "hi" # no remark`, "from": "+39333"}, At: -1},
		{Line: 7, Words: "fault", Args: map[string]string{"1": "late_replies", "2": "7s"}, At: -1},
		{Line: 8, Words: "heal", Args: map[string]string{"1": "all"}, At: -1},
	}
	if len(s.Steps) != len(want) {
		t.Fatalf("%+v", s.Steps)
	}
	for i, w := range want {
		got := s.Steps[i]
		if got.Line != w.Line || got.Words != w.Words || got.At != w.At || got.After != w.After || len(got.Args) != len(w.Args) {
			t.Errorf("%+v, want %+v", got, w)
		}
		for k, v := range w.Args {
			if got.Args[k] != v {
				t.Errorf("line %d: %q is %q, want %q", w.Line, k, got.Args[k], v)
			}
		}
	}
	if got := s.Steps[1].Text; got != "at 1m30s caller rings +393331234567" {
		t.Errorf("text %q", got)
	}
}

func TestMistakesAreToldWithTheirLineAndColumn(t *testing.T) {
	tests := map[string]string{
		"":                                       "x:1:1: the scenario says nothing",
		"dance":                                  `x:1:1: no sentence begins with "dance"`,
		"at 5s\tcaller sings":                    `x:1:14: behind "caller" stands one of rings, writes, presses, hangs_up, and not "sings"`,
		"caller":                                 `x:1:1: behind "caller" stands one of`,
		"at soon caller rings":                   `x:1:4: "soon" is no time`,
		"at":                                     `x:1:3: a time is missing behind "at"`,
		"after 2s":                               `x:1:9: a sentence is missing behind the time`,
		"at 5s caller rings\nat 4s box answers":  "x:2:4: 4s is before the 5s of an earlier sentence",
		"caller rings tomorrow":                  `x:1:14: "tomorrow" is no telephone number`,
		"box dials":                              `x:1:10: "box dials" lacks NUMBER`,
		"box writes hello":                       `x:1:17: "box writes" lacks to NUMBER`,
		"box writes hello to":                    `x:1:20: NUMBER is missing behind "to"`,
		"box presses 12E":                        `x:1:13: "12E" is not made of the keys`,
		"fault earthquake":                       `x:1:7: there is no such fault: "earthquake"; linelab faults lists them`,
		"fault late_replies soon":                `x:1:20: there is no such fault: late_replies soon: "soon" is no time`,
		"fault mute 7s":                          "x:1:12: there is no such fault: mute 7s: nothing may follow it",
		"heal flood":                             `x:1:6: "flood" is no fault that lasts, and not all`,
		"expect outage bad_mood":                 `x:1:15: "bad_mood" is no cause of an outage`,
		"expect end bad_mood":                    `x:1:12: "bad_mood" is no cause of a call's end`,
		"expect service within":                  `x:1:22: DURATION is missing behind "within"`,
		"expect service in 5s":                   `x:1:16: "in" has no place in "expect service"`,
		"expect service within 5s soon":          `x:1:26: "soon" has no place`,
		"expect service within 30h":              `x:1:23: "30h" is no time`,
		"caller writes \"ciao":                   "x:1:15: the quote is not closed",
		"caller writes \"ciao\"bello":            "x:1:21: a blank is missing behind the quote",
		"perché \"è\" caller":                    `x:1:1: no sentence begins with "perché"`,
		"caller rings \x01":                      "x:1:14: this is no character of a text",
		"caller rings\nmodem clock 5":            "x:2:1: what the modem is like stands before all else",
		"at 3s modem clock 5":                    "x:1:1: what the modem is like stands before all else",
		"modem clock 501":                        `x:1:13: "501" is no number between -500 and 500`,
		"modem pin 12":                           `x:1:11: "12" is not 4 to 8 digits`,
		"\"caller\" rings":                       "x:1:1: no sentence begins with a quote",
		strings.Repeat("# much\n", maxBytes/7+1): "x:1:1: the scenario has 65541 bytes",
	}
	for source, want := range tests {
		_, err := Parse("x", source)
		var e *Error
		if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.As(err, &e) {
			t.Errorf("%.40q: %v; want %s", source, err, want)
		}
	}
}

func TestAllMistakesAreToldAtOnceUpToTwenty(t *testing.T) {
	_, err := Parse("x", "dance\ncaller rings\nsing\n")
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "x:3:1") {
		t.Errorf("%v", err)
	}
	if _, err = Parse("x", strings.Repeat("dance\n", 100)); strings.Count(err.Error(), "\n") != 19 {
		t.Errorf("%v", err)
	}
}

func TestWordsExplainEverySentence(t *testing.T) {
	words := Words()
	for _, s := range sentences {
		if !strings.Contains(words, s.words+" ") || s.says == "" {
			t.Errorf("%q is not explained", s.words)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Shipped() {
		source, err := Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Add("at 1s fault late_replies \"7s\" # \\\" \xff")
	f.Fuzz(func(t *testing.T, source string) {
		s, err := Parse("x", source)
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "x:") {
					t.Errorf("a mistake without its place: %q", line)
				}
			}
			return
		}
		last := 0
		for _, step := range s.Steps {
			if step.Line <= last || step.Words == "" || step.After < 0 || step.Text == "" {
				t.Errorf("%+v", step)
			}
			last = step.Line
			// What was read reads the same again, alone or after another.
			again, err := Parse("x", step.Text)
			if err != nil || again.Steps[0].Words != step.Words || len(again.Steps[0].Args) != len(step.Args) {
				t.Errorf("%q reads as %+v, %v", step.Text, again, err)
			}
		}
	})
}
